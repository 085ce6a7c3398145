"""Strategies by name, what is refused, and two processes that train together."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from tiny_data import HEIGHT, LIVELY, WIDTH
from training_command import PATIENCE, USUAL, Command

from data_pipelines.config import DatasetConfig
from data_pipelines.tfrecord.export import export_dataset
from fgseg_tf.training import distribution

pytestmark = pytest.mark.both_stacks

TWO_WORKERS = {"worker": ["localhost:1", "localhost:2"]}


def test_one_device(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    for name in ("cpu", "auto"):
        found = distribution.make_strategy(name)
        assert found.num_replicas_in_sync == 1
        assert distribution.worker_number(found) is None
        assert [distribution.any_worker(found, value) for value in (True, False)] == [True, False]
    if not tf.config.list_physical_devices("GPU"):
        assert distribution.make_strategy("mirrored").num_replicas_in_sync == 1


def test_names():
    with pytest.raises(
        ValueError, match=r"`strategy`=both is not one; take auto, cpu, gpu, mirrored, multi_worker, tpu"
    ):
        distribution.make_strategy("both")


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="there is a GPU")
def test_no_gpu():
    with pytest.raises(ValueError, match=r"`strategy`=gpu, but TensorFlow sees no GPU here; take auto or cpu\."):
        distribution.make_strategy("gpu")


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ("", "needs TF_CONFIG, which names the workers: "),
        ("{}", "needs TF_CONFIG, which names the workers: "),
        ("{oops", "TF_CONFIG='{oops' cannot be read (Expecting property name"),
        ("[1]", "cannot be read ("),
        ('{"cluster": {"worker": "localhost"}, "task": 3}', "cannot be read ("),
        ('{"cluster": {"worker": [7]}}', "cannot be read (an address is not a text)"),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"index": "x"}}', "cannot be read ("),
        ({"cluster": TWO_WORKERS, "task": {"type": "worker", "index": 2}}, "worker 2, but its cluster has 2 of"),
        ({"cluster": TWO_WORKERS, "task": {"type": "chief", "index": 0}}, "chief 0, but its cluster has 0 of"),
        ({"cluster": {**TWO_WORKERS, "ps": ["a:1"]}, "task": {"index": 0}}, "tasks of the kind 'ps'; here there are"),
    ],
)
def test_workers_that_cannot_be(monkeypatch, config, said):
    monkeypatch.setenv("TF_CONFIG", config if isinstance(config, str) else json.dumps(config))
    with pytest.raises(ValueError, match=re.escape(said)):
        distribution.make_strategy("multi_worker")


def test_auto_means_the_workers_that_it_is_told_of(monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": TWO_WORKERS, "task": {"type": "worker", "index": 5}}))
    with pytest.raises(ValueError, match="this is worker 5"):
        distribution.make_strategy("auto")


def in_a_process_of_its_own(path: str, dataset: str, deaf_port: int) -> None:
    """What must come before TensorFlow begins, or would disturb what comes after."""
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    from dataclasses import replace

    from fgseg_tf.data.shard_data import ShardData
    from fgseg_tf.training.loop import check_training
    from fgseg_tf.training.options import Training

    found = {}
    mirrored = distribution.make_strategy("mirrored")
    found["replicas"] = mirrored.num_replicas_in_sync
    for name, training in {
        "uneven": Training((USUAL, replace(USUAL, batch=5))),
        "compiled": Training((USUAL,), jit_compile=True),
    }.items():
        try:
            check_training(training, ShardData(dataset), mirrored)
        except ValueError as error:
            found[name] = str(error)
    distribution.TPU_TIMEOUT = 0.5
    for name, address in {"closed": "grpc://localhost:1", "deaf": f"localhost:{deaf_port}", "here": ""}.items():
        began = time.monotonic()
        try:
            distribution.make_strategy("tpu", address)
        except ValueError as error:
            found[name] = str(error)
        found[f"{name}_seconds"] = time.monotonic() - began
    Path(path).write_text(json.dumps(found))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory, tiny_dataset):
    path = tmp_path_factory.mktemp("elsewhere") / "found.json"
    with socket.socket() as deaf:
        # Its queue of those who wait to be heard is full: connecting takes for ever.
        deaf.bind(("localhost", 0))
        deaf.listen(0)
        port = deaf.getsockname()[1]
        with socket.create_connection(("localhost", port)), socket.socket() as second:
            second.setblocking(False)
            second.connect_ex(("localhost", port))
            code = "import test_distribution; test_distribution.in_a_process_of_its_own"
            code += f"({str(path)!r}, {tiny_dataset!r}, {port})"
            done = subprocess.run(
                [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True
            )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(path.read_text())


def test_mirrored_on_two_devices(elsewhere):
    assert elsewhere["replicas"] == 2
    assert elsewhere["uneven"] == "a batch of 5 cannot be dealt out to 2 replicas; take a multiple of 2."
    assert elsewhere["compiled"].startswith("`jit_compile` is for one replica, and here are 2; leave it out")


@pytest.mark.parametrize(
    ("name", "where"), [("closed", "at grpc://localhost:1"), ("deaf", "at localhost:"), ("here", "")]
)
def test_no_tpu_is_found_out_soon(elsewhere, name, where):
    assert elsewhere[name].startswith(f"`strategy`=tpu: no TPU answers {where or 'in this machine'}")
    assert "\n" not in elsewhere[name]
    assert elsewhere[f"{name}_seconds"] < 30


@pytest.fixture(scope="module")
def one_shard(tiny_sources, tmp_path_factory) -> str:
    """Fewer shards than workers, which then share out its records: together they see what one would."""
    folder = str(tmp_path_factory.mktemp("one_shard"))
    options = DatasetConfig(height=HEIGHT, width=WIDTH, labels="exact", holdout=0.3, placement=LIVELY)
    export_dataset(tiny_sources, options, folder, load_teacher=None, teacher_identity={}, shard_count=1)
    return folder


@contextlib.contextmanager
def both(folder: Path, *flags: str):
    """Two workers at ports that are free now."""
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("localhost", 0))
        addresses = [f"localhost:{each.getsockname()[1]}" for each in (one, other)]
    tasks = [{"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}} for index in (0, 1)]
    first, second = (Command(folder, *flags, TF_CONFIG=json.dumps(task)) for task in tasks)
    with first, second:
        yield first, second


def test_two_workers_stopped_and_gone_on_with_are_as_one(one_shard, tmp_path):
    alone, together = tmp_path / "alone", tmp_path / "together"
    # An epoch is a step, so that each loss is told. SSIM would make more of the last digits.
    flags = [f"--data={one_shard}", "--stages=4@32", "--batch=4", "--examples_per_epoch=4", "--mirror=false"]
    flags += ["--rate=0.003", "--depth_loss=l1", "--average=0", "--validate=0"]
    with Command(alone, "--strategy=cpu", "--deterministic", *flags) as reference:
        with both(together, "--strategy=multi_worker", *flags) as (chief, other):
            # One of them is signalled; both save together, and end.
            end = time.monotonic() + PATIENCE
            while "stage 1/1: " not in chief.said():
                assert time.monotonic() < end, chief.said()
                time.sleep(0.02)
            other.process.send_signal(signal.SIGTERM)
            assert [each.process.wait(PATIENCE) for each in (chief, other)] == [143, 143]
            assert "stopped by another worker after 4 examples; start again with the same flags" in chief.said()
            assert "stopped by SIGTERM after 4 examples; start again with the same flags to go on" in other.said()
        with both(together, "--strategy=multi_worker", *flags) as (chief, other):
            said, quiet = chief.end(), other.end()
        reference.end()
    assert "stage 1/1 epoch 4" in said
    assert "epoch 1 " not in said
    assert "epoch" not in quiet
    expected, found = (json.loads((folder / "history.json").read_text()) for folder in (alone, together))
    assert [row["seen"] for row in found] == [4, 8, 12, 16]
    # Each loss is the sum of both workers' parts, so one with other weights would show. At first they agree to the last
    # digits; then these grow, because a millionth more of each weight is a thousandth more of the gradients here.
    for name in ("loss", "mask", "depth"):
        one, two = ([row[name] for row in rows] for rows in (expected, found))
        np.testing.assert_allclose(two[:2], one[:2], rtol=2e-4)
        np.testing.assert_allclose(two, one, rtol=1e-2)
    assert np.ptp([row["loss"] for row in found]) > 0.01
    assert sorted(path.name for path in together.iterdir()) == sorted(path.name for path in alone.iterdir())
    kept = {path.name.split(".")[0] for path in (together / "checkpoints").iterdir()}
    assert kept == {"checkpoint", "ckpt-8", "ckpt-12", "ckpt-16"}
