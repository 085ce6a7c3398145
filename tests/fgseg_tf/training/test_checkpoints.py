"""Checkpoints that are damaged, lost or of another kind, and runs that are held, on files that a training wrote."""

import json
import os
import re
import shutil
import signal
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from disk_calls import record_disk_calls
from step_examples import PLAIN, make_batch, prepare_step, to_arrays
from training_command import PATIENCE, USUAL, Command

from data_pipelines.runtime.locks import LockedError, lock_folder
from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.runs import run_folder
from fgseg_tf.training import checkpoint_files
from fgseg_tf.training.checkpoint_files import CheckpointError
from fgseg_tf.training.checkpoints import Checkpoints
from fgseg_tf.training.loop import train
from fgseg_tf.training.options import Training

SAVED = (10, 20, 30)


@pytest.fixture(scope="module")
def learner():
    return prepare_step(options=PLAIN)


@pytest.fixture(scope="module")
def saved(learner, tmp_path_factory) -> tuple[Path, dict[int, np.ndarray]]:
    """A folder of three checkpoints, and the first weights in each."""
    folder = tmp_path_factory.mktemp("saved") / "checkpoints"
    learned, optimizer, step = learner
    checkpoints, first = Checkpoints(str(folder), learned, writes=True), {}
    for seen in SAVED:
        step(make_batch(4, seen))
        learned.examples_seen.assign(seen)
        checkpoints.step.assign(seen // 10)
        checkpoints.save(optimizer)
        first[seen] = to_arrays(learned.variables)[0].copy()
    return folder, first


@pytest.fixture
def folder(saved, tmp_path) -> Path:
    return Path(shutil.copytree(saved[0], tmp_path / "checkpoints"))


def go_on(folder: Path, learner) -> tuple[int, list[str], Checkpoints]:
    said: list[str] = []
    checkpoints = Checkpoints(str(folder), learner[0], writes=True)
    seen = checkpoints.choose(said.append)
    checkpoints.restore(seen)
    checkpoints.restore_optimizer(learner[1])
    return seen, said, checkpoints


def data_of(folder: Path, seen: int) -> Path:
    (path,) = folder.glob(f"ckpt-{seen}.data-*")
    return path


def flip_a_bit(folder, seen):
    content = bytearray(data_of(folder, seen).read_bytes())
    content[len(content) // 2] ^= 1
    data_of(folder, seen).write_bytes(content)


def cut_the_data(folder, seen):
    os.truncate(data_of(folder, seen), 1000)


def empty_the_index(folder, seen):
    (folder / f"ckpt-{seen}.index").write_bytes(b"")


def lose_the_data(folder, seen):
    data_of(folder, seen).unlink()


def forget_the_digests(damage):
    """As checkpoints of before, which have none."""

    def damage_and_forget(folder, seen):
        damage(folder, seen)
        for path in folder.glob("*.json"):
            path.unlink()

    return damage_and_forget


def ruin_the_digests(folder, seen):
    (folder / f"ckpt-{seen}.json").write_bytes(b"[")


def put_in_what_is_no_network(folder, seen):
    tf.train.Checkpoint(a=tf.Variable(1.0)).write(str(folder / f"ckpt-{seen}"))
    (folder / f"ckpt-{seen}.json").unlink()


DAMAGES = {
    "bit": (flip_a_bit, "its content is not what was saved"),
    "cut": (cut_the_data, "its content is not what was saved"),
    "index": (empty_the_index, "its content is not what was saved"),
    "lost": (lose_the_data, "a file of it is missing"),
    "old bit": (forget_the_digests(flip_a_bit), "it cannot be read"),
    "old cut": (forget_the_digests(cut_the_data), "it cannot be read"),
    "old index": (forget_the_digests(empty_the_index), "it cannot be read"),
    "digests": (ruin_the_digests, "its digests cannot be read"),
    "other": (put_in_what_is_no_network, "there is no network in it"),
}


@pytest.mark.both_stacks
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_one_is_named_and_the_one_before_it_is_taken(learner, saved, folder, damage):
    work, why = DAMAGES[damage]
    work(folder, 30)
    seen, said, checkpoints = go_on(folder, learner)
    assert said == [f"the checkpoint after 30 examples is damaged ({why}): it is passed over"]
    assert (seen, int(checkpoints.step.numpy()), checkpoints.latest()) == (20, 2, f"{folder}/ckpt-20")
    np.testing.assert_array_equal(to_arrays(learner[0].variables)[0], saved[1][20])
    # The next one that is saved is the last of those that are kept; what was damaged is gone.
    learner[0].examples_seen.assign(25)
    checkpoints.save(learner[1])
    assert checkpoint_files.list_checkpoints(str(folder)) == [10, 20, 25]
    assert tf.train.latest_checkpoint(str(folder)) == f"{folder}/ckpt-25"
    assert go_on(folder, learner)[:2] == (25, [])


def test_its_files_are_on_the_disk_before_its_digests(learner, tmp_path):
    checkpoints = Checkpoints(str(tmp_path / "checkpoints"), learner[0], writes=True)
    learner[0].examples_seen.assign(7)
    with record_disk_calls(tmp_path / "checkpoints") as calls:
        checkpoints.save(learner[1])
    at = calls.index(("rename", "ckpt-7.json"))
    for name in ("ckpt-7.index", "ckpt-7.data-00000-of-00001", "checkpoint", "."):
        assert ("sync", name) in calls[:at]
    assert calls[at + 1 :] == [("sync", ".")]


def test_weights_that_are_not_numbers_are_not_gone_on_with(learner, folder):
    learned, optimizer, _ = learner
    seen, _, checkpoints = go_on(folder, learner)
    bad = learned.variables[0]
    bad.assign(tf.fill(bad.shape, np.nan))
    checkpoints.check_weights = lambda: None  # as somebody who hands over a run
    learned.examples_seen.assign(40)
    checkpoints.save(optimizer)
    seen, said, _ = go_on(folder, learner)
    assert (seen, said) == (
        30,
        ["the checkpoint after 40 examples is damaged (its weights are not numbers): it is passed over"],
    )


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe", b'model_checkpoint_path: "ckpt-7"\n'])
def test_the_list_of_checkpoints_is_made_anew(learner, folder, content):
    """Without it, a training began at 0 and said nothing."""
    if content is None:
        (folder / "checkpoint").unlink()
    else:
        (folder / "checkpoint").write_bytes(content)
    assert go_on(folder, learner)[:2] == (30, [])
    assert tf.train.latest_checkpoint(str(folder)) == f"{folder}/ckpt-30"
    assert run_folder.has_checkpoint(str(folder.parent))


def test_none_whole_is_refused_and_none_at_all_is_a_beginning(learner, folder, tmp_path):
    for seen in SAVED:
        flip_a_bit(folder, seen)
    with pytest.raises(CheckpointError, match=r"^none of the checkpoints in .* begin anew with `restart`"):
        go_on(folder, learner)
    assert checkpoint_files.list_checkpoints(str(folder)) == list(SAVED)
    assert go_on(tmp_path / "nowhere", learner)[:2] == (0, [])


# A whole training.


@pytest.fixture(scope="module")
def wanted() -> Training:
    stage = replace(USUAL, epochs=2)
    return Training((stage,), network="small", examples_per_epoch=6, optimization=PLAIN, validate=0)


class Silent:
    def __init__(self, *_): ...

    def __enter__(self):
        return self

    def __exit__(self, *_): ...

    def add_earlier(self, done): ...

    def add(self, done): ...


def test_a_run_is_restarted_only_when_it_is_asked_for(tiny_dataset, wanted, tmp_path):
    data, strategy, run = ShardData(tiny_dataset), tf.distribute.get_strategy(), tmp_path / "run"

    def begin(restart: bool = False) -> list[str]:
        said: list[str] = []
        train(wanted, data, str(run), strategy, Silent, said.append, restart)
        return said

    with (
        lock_folder(str(run), "run"),
        pytest.raises(LockedError, match=rf"^`run`={run} is being written by process {os.getpid()} "),
    ):
        begin()
    begin()
    assert not list(run.glob(".lock"))
    assert [row["seen"] for row in run_folder.read_history(str(run))] == [6, 12]
    for path in (run / "checkpoints").glob("*.index"):
        path.write_bytes(b"")
    with pytest.raises(CheckpointError, match="none of the checkpoints in"):
        begin()
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(CheckpointError, match=r"has a history but no checkpoint; .* begin anew with `restart`"):
        begin()
    assert [line.split(":")[0] for line in begin(restart=True)][:2] == ["small", "stage 1/1"]
    assert [row["seen"] for row in run_folder.read_history(str(run))] == [6, 12]


def test_asked_to_stop_it_saves_and_goes_on_there(tiny_dataset, tmp_path):
    """SIGTERM saved nothing: all since the last checkpoint was lost."""
    run = tmp_path / "run"
    flags = [f"--data={tiny_dataset}", "--stages=1@32", "--batch=2", "--examples_per_epoch=4000", "--validate=0"]
    with Command(run, *flags, "--checkpoint_minutes=60") as command:
        end = time.monotonic() + PATIENCE
        while "steps an epoch" not in command.said():
            assert command.process.poll() is None, command.said()
            assert time.monotonic() < end
            time.sleep(0.05)
        command.process.send_signal(signal.SIGTERM)
        assert command.process.wait(PATIENCE) == 128 + signal.SIGTERM, command.said()
        said = command.said()
    match = re.search(r"shallow_training: stopped by SIGTERM after ([\d,]+) examples; start again with the same", said)
    assert match, said
    seen = int(match[1].replace(",", ""))
    assert "Traceback" not in said
    assert checkpoint_files.list_checkpoints(str(run / "checkpoints")) == [seen]
    digests = json.loads((run / "checkpoints" / f"ckpt-{seen}.json").read_text())
    assert len(digests) == 2
    assert checkpoint_files.choose_good(str(run / "checkpoints")) == ([seen], {})
    assert not list(run.glob(".lock"))
