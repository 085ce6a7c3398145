"""Whole trainings: gone on with after kills, stopped where numbers end, and what they leave behind."""

import io
import json
import math
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf
from step_examples import PLAIN, STAGE, make_batch, prepare_step, to_arrays
from training_command import USUAL, Command

from fgseg_tf.data.exposures import Capture
from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.model import weights
from fgseg_tf.model.two_branch import ARCHITECTURES, build
from fgseg_tf.runs import run_folder
from fgseg_tf.training import loop as training
from fgseg_tf.training.checkpoints import Checkpoints, DivergedError
from fgseg_tf.training.loop import train
from fgseg_tf.training.optimizers import OPTIMIZERS, Optimization
from fgseg_tf.training.options import Training
from tests.support.finished_run import write_finished_run

pytestmark = pytest.mark.both_stacks


def weights_in(path: Path) -> dict[str, bytes]:
    """Of a .keras file, the bytes of every array by its place."""
    with zipfile.ZipFile(path) as archive:
        content = io.BytesIO(archive.read("model.weights.h5"))
    found = {}
    with h5py.File(content) as file:
        file.visititems(lambda name, item: found.update({name: item[()].tobytes()} if hasattr(item, "dtype") else {}))
    return found


def test_what_was_killed_ends_as_what_was_not(tiny_dataset, tmp_path):
    flags = [f"--data={tiny_dataset}", "--stages=1@32; 1@40 freeze=joint+mask", "--batch=2", "--examples_per_epoch=90"]
    flags += ["--deterministic", "--weighting=learned", "--validate=4", "--checkpoint_minutes=0", "--echo=3"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with Command(whole, *flags) as reference:
        with Command(killed, *flags) as command:
            command.reach(40)  # 20 of 45 steps: within an epoch
        with Command(killed, *flags) as command:
            command.reach(90)  # between the stages
        with Command(killed, *flags) as command:
            said = command.end()
        reference.end()
    assert "stage 2/2" in said
    assert "stage 1/2" not in said
    assert run_folder.read_run(str(killed))["settings"]["echo"] == 3
    expected, found = weights_in(whole / "model.keras"), weights_in(killed / "model.keras")
    assert len(expected) > 80
    assert found == expected
    rows, others = (json.loads((folder / "history.json").read_text()) for folder in (whole, killed))
    assert [row["seen"] for row in others] == [90, 180]
    assert [[row[name] for name in training.VALIDATED] for row in rows] == [
        [row[name] for name in training.VALIDATED] for row in others
    ]
    assert rows[1]["loss"] == others[1]["loss"]


@pytest.fixture(scope="module")
def diverged(tiny_dataset, tmp_path_factory):
    """A run whose second stage has an absurd rate: (folder, settings, data, what was said, the error)."""
    folder, said = str(tmp_path_factory.mktemp("diverged") / "run"), []
    stages = (replace(USUAL, epochs=2), replace(USUAL, rate=1e30))
    wanted = Training(stages, network="small", examples_per_epoch=60, optimization=PLAIN, validate=4)
    data = ShardData(tiny_dataset)
    with pytest.raises(DivergedError) as caught:
        train(wanted, data, folder, tf.distribute.get_strategy(), Counted, said.append)
    return folder, wanted, data, said, str(caught.value)


class Counted:
    """A progress that keeps what it was told."""

    made = []  # noqa: RUF012

    def __init__(self, title, total, what):
        self.title, self.total, self.before, self.done = title, total, 0, 0
        Counted.made.append(self)

    def __enter__(self):
        return self

    def __exit__(self, *_): ...

    def add_earlier(self, done):
        self.before = done

    def add(self, done):
        self.done += done


def test_the_first_bad_step_is_named(diverged):
    folder, _, _, _, error = diverged
    # The first step ruins the weights, the second one's loss shows it; twenty are looked at together.
    assert re.match(
        r"stage 2: the (loss|gradient norm) of step 2 is (nan|inf)\. The last good checkpoint is kept: the same flags",
        error,
    )
    assert f"go on from {folder}/checkpoints/ckpt-120. If they end here again, take a lower `rate`" in error


def test_no_checkpoint_holds_what_is_not_a_number(diverged):
    folder, wanted, data, _, error = diverged
    state = tf.train.get_checkpoint_state(f"{folder}/checkpoints")
    assert [Path(path).name for path in state.all_model_checkpoint_paths] == ["ckpt-60", "ckpt-120"]
    reader = tf.train.load_checkpoint(f"{folder}/checkpoints")
    values = [reader.get_tensor(name) for name in reader.get_variable_to_shape_map() if name.endswith("VARIABLE_VALUE")]
    assert len(values) > 200
    assert all(np.all(np.isfinite(value)) for value in values)
    # The same flags go on there, and end there too.
    again = []
    with pytest.raises(DivergedError) as caught:
        train(wanted, data, folder, tf.distribute.get_strategy(), Counted, again.append)
    assert str(caught.value) == error
    assert [line.split(":")[0] for line in again] == ["small", "stage 2/2"]


def test_progress_and_lines(diverged):
    said, first = diverged[3], Counted.made[0]
    assert (first.title, first.total, first.before, first.done) == ("stage 1/2 epoch 1", 60, 0, 60)
    second = Counted.made[1]
    assert (second.title, second.total, second.before, second.done) == ("stage 1/2 epoch 2", 120, 60, 60)
    assert said[0] == "small: 514,314 parameters, 35 training examples of 48x64, 1 replica(s)"
    assert said[1].startswith("stage 1/2: 2@32 rate=0.01 batch=2 mask_loss=dice depth_loss=l1, 32x43 pixels, 30 steps")
    assert re.match(r"  loss \d\.\d+  mask .*depth .*mask_iou .*depth_abs_rel .*depth_delta_1 ", said[2])


def test_logs_for_tensorboard(diverged):
    folder = diverged[0]
    history = run_folder.read_history(folder)
    path = min(Path(folder, "logs").glob("events.*"))  # another one is begun when it is gone on with
    scalars, pictures = {}, []
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            array = tf.make_ndarray(value.tensor)
            if value.metadata.plugin_data.plugin_name == "scalars":
                scalars[value.tag, event.step] = float(array)
            elif value.metadata.plugin_data.plugin_name == "images":
                pictures.append(tf.io.decode_png(array[2]).shape)
    for row in history:
        for name in ("loss", "mask", "depth", "gradient_norm", "mask_iou", "depth_abs_rel", "depth_delta_1"):
            np.testing.assert_allclose(scalars[name, row["seen"]], row[name], rtol=1e-5)
        assert scalars["examples_per_second", row["seen"]] > 0
    assert {row["seen"] for row in history} == {60, 120}
    # Four examples under one another, six pictures each.
    assert pictures[0] == (4 * 32, 6 * 43, 3)


# Position and checkpoints.


def with_checkpoints(folder, options, stage=STAGE):
    learner, optimizer, step = prepare_step(options=options, stage=stage)
    return learner, optimizer, step, Checkpoints(str(folder), learner, writes=True)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_within_a_stage_everything_goes_on(tmp_path, name):
    options = Optimization(optimizer=name, weighting="learned", warmup=0.1)
    learner, optimizer, step, checkpoints = with_checkpoints(tmp_path, options)
    for number in range(3):
        step(make_batch(4, number))
    checkpoints.stage.assign(1)
    checkpoints.step.assign(3)
    learner.examples_seen.assign(12)
    learner.scale.assign(8.0)
    checkpoints.save(optimizer)
    assert checkpoints.latest() == f"{tmp_path}/ckpt-12"
    other, its_optimizer, its_step, found = with_checkpoints(tmp_path, options)
    found.restore(found.choose(str))
    found.restore_optimizer(its_optimizer)
    assert [int(value) for value in (found.stage, found.step, other.examples_seen, its_optimizer.iterations)] == [
        1,
        3,
        12,
        3,
    ]
    assert float(other.scale) == 8.0
    other.scale.assign(1.0)
    learner.scale.assign(1.0)
    for number in range(3, 5):
        assert float(step(make_batch(4, number))["loss"]) == float(its_step(make_batch(4, number))["loss"])
    for one, same in zip(
        to_arrays([*learner.variables, *learner.averages, *learner.weighting.weights]),
        to_arrays([*other.variables, *other.averages, *other.weighting.weights]),
        strict=True,
    ):
        np.testing.assert_array_equal(one, same)
    assert all(np.any(weight) for weight in to_arrays(other.weighting.weights))


def test_between_stages_there_is_no_optimizer_to_go_on_with(tmp_path):
    learner, _, step, checkpoints = with_checkpoints(tmp_path, PLAIN)
    step(make_batch(4))
    checkpoints.stage.assign(1)
    learner.examples_seen.assign(4)
    checkpoints.save()
    other, optimizer, _, found = with_checkpoints(tmp_path, PLAIN)
    found.restore(found.choose(str))
    found.restore_optimizer(optimizer)
    assert int(found.stage) == 1
    assert int(optimizer.iterations) == 0
    np.testing.assert_array_equal(to_arrays(other.variables)[0], to_arrays(learner.variables)[0])


@pytest.mark.parametrize("bad", [math.nan, math.inf, 1e30])
def test_weights_gone_wrong_are_not_saved(tmp_path, bad):
    learner, optimizer, _, checkpoints = with_checkpoints(tmp_path, PLAIN)
    checkpoints.step.assign(7)
    learner.variables[0].assign(tf.fill(learner.variables[0].shape, bad))
    with pytest.raises(DivergedError, match="after step 7 the weights are not numbers any more"):
        checkpoints.save(optimizer)
    assert not list(tmp_path.iterdir())


def test_only_the_last_few_are_kept(tmp_path):
    learner, optimizer, _, checkpoints = with_checkpoints(tmp_path, PLAIN)
    for seen in range(10, 60, 10):
        learner.examples_seen.assign(seen)
        checkpoints.save(optimizer)
    assert sorted(path.name for path in tmp_path.glob("*.index")) == ["ckpt-30.index", "ckpt-40.index", "ckpt-50.index"]


def test_it_begins_with_the_weights_of_another_run(tiny_dataset, tmp_path):
    other, run = str(tmp_path / "other"), str(tmp_path / "run")
    data, strategy = ShardData(tiny_dataset), tf.distribute.get_strategy()
    network = build(ARCHITECTURES["small"])
    write_finished_run(other, "small", network)
    # One step that changes next to nothing, but for BatchNorm's statistics.
    stage = replace(USUAL, rate=1e-12)
    wanted = Training((stage,), "small", start=other, examples_per_epoch=2, optimization=PLAIN, validate=0)
    trained, first = (weights.get_arrays(each) for each in (train(wanted, data, run, strategy, Counted, str), network))
    kernels = [name for name, value in first.items() if value.ndim == 4]
    assert len(kernels) > 30
    for name in kernels:
        np.testing.assert_allclose(trained[name], first[name], atol=1e-7)
    # Gone on with, it needs them no more.
    (tmp_path / "other" / "weights.npz").unlink()
    again = train(wanted, data, run, strategy, Counted, str)
    np.testing.assert_array_equal(weights.get_arrays(again)[kernels[0]], trained[kernels[0]])


def test_it_begins_with_the_weights_of_a_smaller_network(tiny_dataset, tmp_path):
    other, said = tmp_path / "other", []
    network = build(ARCHITECTURES["small"])
    write_finished_run(str(other), "small", network)
    stage = replace(USUAL, rate=1e-12)
    wanted = Training((stage,), "base", start=str(other), examples_per_epoch=2, optimization=PLAIN, validate=0)
    data, strategy = ShardData(tiny_dataset), tf.distribute.get_strategy()
    trained = train(wanted, data, str(tmp_path / "run"), strategy, Counted, said.append)
    assert "base begins with the outputs of a small network, and with room for more" in said
    # With the same statistics of a batch, the same answers.
    rng = np.random.default_rng(0)
    pictures = {name: rng.random((2, 24, 40, 3)).astype("f4") for name in ("bg", "fg_bg")}
    for name, value in network(pictures, training=True).items():
        np.testing.assert_allclose(trained(pictures, training=True)[name], value, atol=1e-4)


def test_what_a_smaller_network_lacks_is_drawn_by_the_seed(tiny_dataset, tmp_path, monkeypatch):
    class Begun(Exception): ...

    def begun(training, data, folder, strategy, first, progress, say):
        raise Begun(first)

    monkeypatch.setattr(training, "_TrainingRun", begun)

    def first_of(run: str, seed: int) -> dict:
        wanted = Training((USUAL,), "base", start="small", seed=seed)
        with pytest.raises(Begun) as caught:
            train(wanted, ShardData(tiny_dataset), str(tmp_path / run), tf.distribute.get_strategy(), Counted, str)
        return caught.value.args[0]

    one, again, other = (first_of(*each) for each in (("a", 1), ("b", 1), ("c", 2)))
    for name, value in one.items():
        np.testing.assert_array_equal(value, again[name])
    assert any((value != other[name]).any() for name, value in one.items())


def test_first_weights_that_do_not_fit(tiny_dataset, tmp_path):
    write_finished_run(str(tmp_path / "other"), "base", build(ARCHITECTURES["base"]))
    wanted = Training((USUAL,), "small", start=str(tmp_path / "other"))
    with pytest.raises(
        ValueError, match=r"^`start`=.*/other is a base network, larger than small; take `network`=base"
    ):
        train(wanted, ShardData(tiny_dataset), str(tmp_path / "run"), tf.distribute.get_strategy(), Counted, str)
    assert not (tmp_path / "run").exists()


def test_how_examples_are_shown_reaches_the_data(tiny_dataset, tmp_path, monkeypatch):
    class Asked(Exception): ...

    def asked(*arguments):
        raise Asked(*arguments)

    data = ShardData(tiny_dataset)
    monkeypatch.setattr(data, "training", asked)
    wanted = Training((USUAL,), network="small", seed=7, mirror=False, echo=3, capture=Capture(1, 2))
    with pytest.raises(Asked) as caught:
        train(wanted, data, str(tmp_path), tf.distribute.get_strategy(), Counted, str)
    batch, size, order, mirror, change, echo = caught.value.args
    assert (batch, size, order.seed, order.first, mirror, echo) == (2, (32, 43), 7, 0, False, 3)
    assert change.__self__ == Capture(1, 2)


# What is refused, and what a run is.


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"network": "huge"}, "`network`=huge is not a network; take small, base, large, object_depth"),
        ({"precision": "half"}, "`precision`=half is not one; take float32, mixed_bfloat16"),
        ({"echo": 0}, "`echo`=0 shows nothing; take 1 or more"),
        ({"validate": -1}, "`validate`=-1 is negative"),
        ({"checkpoint_minutes": math.nan}, "`checkpoint_minutes`=nan is negative or not a number"),
    ],
)
def test_settings_that_cannot_be(changes, said):
    with pytest.raises(ValueError, match=re.escape(said)):
        Training((USUAL,), **changes)


def test_what_cannot_be_trained_is_refused_at_once(tiny_dataset, tmp_path):
    data, strategy = ShardData(tiny_dataset), tf.distribute.get_strategy()
    for stage, said in (
        (replace(USUAL, side=64), "a size of 64 would only blow them up"),
        (replace(USUAL, batch=36), "an epoch has 35 examples, fewer than a batch of 36"),
    ):
        with pytest.raises(ValueError, match=said):
            train(Training((USUAL, stage)), data, str(tmp_path / "run"), strategy, Counted, print)
    assert not (tmp_path / "run").exists()


def test_a_run_of_other_flags_is_left_alone(diverged):
    folder, wanted, data, _, _ = diverged
    before = {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()}
    other = replace(wanted, optimization=replace(wanted.optimization, clip=2.0))
    with pytest.raises(run_folder.RunError, match=r"was begun with clip 0.0 and is now started with 2.0"):
        train(other, data, folder, tf.distribute.get_strategy(), Counted, print)
    assert {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*") if path.is_file()} == before


def test_settings_say_what_decides_the_outcome(tiny_dataset):
    data = ShardData(tiny_dataset)
    said = Training((USUAL,)).run_settings(data)
    assert json.loads(json.dumps(said)) == said
    assert said["stages"] == ["1@32 rate=0.01 batch=2 mask_loss=dice depth_loss=l1"]
    assert said["optimizer"] == "adamw"
    assert said["echo"] == 1
    assert said["data_digest"] == data.digest
    # How often something is looked at or written decides nothing.
    assert Training((USUAL,), validate=0, checkpoint_minutes=1.0).run_settings(data) == said
