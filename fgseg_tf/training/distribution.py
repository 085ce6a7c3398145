"""Strategies of `tf.distribute` by name: the devices and machines that train together."""

import json
import os
import socket

import tensorflow as tf

NAMES = ("auto", "cpu", "gpu", "mirrored", "multi_worker", "tpu")
TPU_TIMEOUT = 10.0  # seconds; TensorFlow itself would wait for ever
_TF_CONFIG_LOOKS = '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'


def make_strategy(name: str = "auto", tpu: str = "") -> tf.distribute.Strategy:
    """Makes the strategy of a name.

    Call it before anything else of TensorFlow runs: workers and TPUs cannot be set up later.

    Args:
        name: one of NAMES. auto: multi_worker where TF_CONFIG names workers, else mirrored on several GPUs, else the
            one GPU or the CPU; a TPU is never guessed. cpu, gpu: one device. mirrored: all GPUs of this machine, or all
            its (virtual) CPU devices where there is no GPU. multi_worker: waits until all workers are there.
        tpu: address of the TPU; "" for the one of this machine.

    Raises:
        ValueError: the name is not one of these, or the machine has nothing of that kind.
    """
    if name not in NAMES:
        raise ValueError(f"`strategy`={name} is not one; take {', '.join(NAMES)}.")
    if name == "auto":
        name = _guess()
    if name == "multi_worker":
        _check_workers()
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "tpu":
        return _tpu(tpu)
    gpus, cpus = tf.config.list_logical_devices("GPU"), tf.config.list_logical_devices("CPU")
    if name == "cpu":
        return tf.distribute.OneDeviceStrategy("/CPU:0")
    if name == "gpu":
        if not gpus:
            raise ValueError("`strategy`=gpu, but TensorFlow sees no GPU here; take auto or cpu.")
        return tf.distribute.OneDeviceStrategy("/GPU:0")
    devices = [device.name for device in gpus or cpus]
    return tf.distribute.MirroredStrategy(devices)


def worker_number(strategy: tf.distribute.Strategy) -> int | None:
    """Returns which of several workers this process is; 0 is the chief, which writes and prints; None for one alone."""
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy):
        return None
    resolver = strategy.cluster_resolver
    chiefs = len(resolver.cluster_spec().as_dict().get("chief", []))
    return resolver.task_id if resolver.task_type == "chief" else chiefs + resolver.task_id


def has_accelerator() -> bool:
    """Returns whether TensorFlow sees a GPU or a TPU."""
    return bool(tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("TPU"))


def any_worker(strategy: tf.distribute.Strategy, value: bool) -> bool:
    """Returns whether `value` is true on any worker; all must call it, and so they wait for one another."""
    if worker_number(strategy) is None:
        return value
    return float(_sum_over(strategy, tf.constant(float(value)))) > 0


def share_from_chief(strategy: tf.distribute.Strategy, value: int) -> int:
    """Returns the value that the chief calls this with; all workers must call it, and so they wait for one another."""
    worker = worker_number(strategy)
    if worker is None:
        return value
    return int(_sum_over(strategy, tf.constant(value if worker == 0 else 0, tf.int64)))


@tf.function
def _sum_over(strategy, value):
    return strategy.reduce("SUM", strategy.run(tf.identity, (value,)), axis=None)


def _guess() -> str:
    if _cluster()[0]:
        return "multi_worker"
    gpus = len(tf.config.list_physical_devices("GPU"))
    return "cpu" if gpus == 0 else "gpu" if gpus == 1 else "mirrored"


def _cluster() -> tuple[dict, dict]:
    """Returns the addresses by kind of task, and which task this is, from TF_CONFIG; empty where it is not set."""
    text = os.environ.get("TF_CONFIG", "")
    try:
        config = json.loads(text or "{}")
        cluster, task = config.get("cluster", {}), config.get("task", {})
        task = {"type": task.get("type", "worker"), "index": int(task.get("index", 0))}
        if not all(isinstance(address, str) for addresses in cluster.values() for address in addresses):
            raise TypeError("an address is not a text")
    except (ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"TF_CONFIG={text!r} cannot be read ({error}); it looks like {_TF_CONFIG_LOOKS}.") from None
    return cluster, task


def _check_workers() -> None:
    cluster, task = _cluster()
    if not cluster:
        raise ValueError(f"`strategy`=multi_worker needs TF_CONFIG, which names the workers: {_TF_CONFIG_LOOKS}.")
    others = sorted(cluster.keys() - {"chief", "worker"})
    if others:
        raise ValueError(f"TF_CONFIG has tasks of the kind {others[0]!r}; here there are only chief and worker.")
    addresses = cluster.get(task["type"], [])
    if not 0 <= task["index"] < len(addresses):
        raise ValueError(
            f"TF_CONFIG says that this is {task['type']} {task['index']}, but its cluster has {len(addresses)} of that "
            "kind (they count from 0)."
        )


def _tpu(address: str) -> tf.distribute.Strategy:
    where = f"at {address}" if address else "in this machine"
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address or "local")
        if address:
            host, _, port = resolver.master().removeprefix("grpc://").rpartition(":")
            socket.create_connection((host, int(port)), TPU_TIMEOUT).close()
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, OSError, tf.errors.OpError) as error:
        why = str(error).partition("\n")[0]
        raise ValueError(f"`strategy`=tpu: no TPU answers {where} ({why}).") from error
    return tf.distribute.TPUStrategy(resolver)
