"""Which machines work together, by name: a `tf.distribute` strategy."""

import json
import os

import tensorflow as tf

NAMES = ("auto", "cpu", "gpu", "mirrored", "multi_worker", "tpu")


def strategy(name: str = "auto", tpu: str = "") -> tf.distribute.Strategy:
    """The strategy of that name.

    auto: multi_worker where TF_CONFIG tells of workers, else mirrored on several GPUs, else the one GPU or the CPU. A TPU is
    never guessed. cpu, gpu: one of them. mirrored: all GPUs of this machine, or all its (virtual) CPU devices where
    there is no GPU. tpu: the TPU at the address `tpu`; "" is the one of this machine.

    Raises ValueError where the machine has nothing of that kind. Call it before anything else of TensorFlow runs:
    workers and TPUs can't be set up later.
    """
    if name not in NAMES:
        raise ValueError(f"--strategy={name} is not one; take {', '.join(NAMES)}.")
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
            raise ValueError("--strategy=gpu, but TensorFlow sees no GPU here; take auto or cpu.")
        return tf.distribute.OneDeviceStrategy("/GPU:0")
    devices = [device.name for device in gpus or cpus]
    return tf.distribute.MirroredStrategy(devices)


def _guess() -> str:
    if _workers():
        return "multi_worker"
    gpus = len(tf.config.list_physical_devices("GPU"))
    return "cpu" if gpus == 0 else "gpu" if gpus == 1 else "mirrored"


def _workers() -> list[str]:
    """Addresses of all that train together, from TF_CONFIG; empty where it says nothing of workers."""
    text = os.environ.get("TF_CONFIG", "")
    try:
        cluster = json.loads(text or "{}").get("cluster", {})
        return [*cluster.get("chief", []), *cluster.get("worker", [])]
    except (json.JSONDecodeError, AttributeError) as error:
        raise ValueError(
            f"TF_CONFIG={text!r} cannot be read ({error}); it looks like "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}.'
        ) from None


def _check_workers() -> None:
    if not _workers():
        raise ValueError(
            "--strategy=multi_worker needs TF_CONFIG, which says who the workers are: "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}.'
        )


def _tpu(address: str) -> tf.distribute.Strategy:
    try:
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(tpu=address)
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
    except (ValueError, tf.errors.OpError) as error:
        raise ValueError(f"--strategy=tpu: no TPU at {address or 'this machine'} ({error}).") from error
    return tf.distribute.TPUStrategy(resolver)
