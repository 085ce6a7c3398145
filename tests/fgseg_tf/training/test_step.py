"""One step of training by hand, on one device and on two, frozen, in 16 bits, and compiled."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from step_examples import PLAIN, SMALLEST, STAGE, make_batch, make_network, prepare_step, to_arrays

from fgseg_tf.measures import losses
from fgseg_tf.model.two_branch import PARTS, build
from fgseg_tf.training import step as steps
from fgseg_tf.training.optimizers import KERAS_3, OPTIMIZERS, Optimization, make_optimizer

pytestmark = pytest.mark.both_stacks


def gradients_by_hand(network, inputs: dict) -> tuple[float, list]:
    """Mean dice + l1 over the whole batch, and its gradients, by the plainest means."""
    with tf.GradientTape() as tape:
        predicted = network({"bg": inputs["bg"], "fg_bg": inputs["fg_bg"]}, training=True)
        known = tf.cast(inputs["depth"] > 0, tf.float32)
        mask = losses.dice(inputs["mask"], predicted["mask"])
        code = tf.math.log(tf.maximum(inputs["depth"], 0.25) / 0.25) / np.log(1024)
        loss = tf.reduce_mean(mask + losses.l1(code, predicted["depth"], known))
    return float(loss), tape.gradient(loss, network.trainable_variables)


def test_a_step_of_sgd_by_hand():
    # Nesterov's momentum from rest: 0.9 of the gradient and once more, and a tenth of weights times the rate.
    options = replace(PLAIN, weight_decay=0.1, clip=0.01, average=0.5)
    learner, optimizer, step = prepare_step(options=options)
    before, first = to_arrays(learner.variables), to_arrays(learner.network.trainable_variables)
    loss, gradients = gradients_by_hand(make_network(), make_batch(5))
    norm = np.sqrt(sum(float(tf.reduce_sum(gradient**2)) for gradient in gradients))
    assert norm > 0.02  # or there would be nothing to clip
    shown = step(make_batch(5))
    np.testing.assert_allclose(shown["loss"], loss, rtol=1e-5)
    np.testing.assert_allclose(shown["gradient_norm"], norm, rtol=1e-4)
    np.testing.assert_allclose(shown["mask"] + shown["depth"], loss, rtol=1e-5)
    assert set(shown) == {"loss", "mask", "depth", "gradient_norm"}
    assert int(optimizer.iterations) == 1
    for weight, old, gradient in zip(to_arrays(learner.network.trainable_variables), first, gradients, strict=True):
        moved = old - 0.1 * 0.1 * old - 0.1 * 1.9 * gradient * 0.01 / norm
        np.testing.assert_allclose(weight, moved, rtol=1e-4, atol=1e-6)
    # After one step 2/11 of the average are left of what it was, which is less than the 0.5 asked for.
    for average, old, new in zip(to_arrays(learner.averages), before, to_arrays(learner.variables), strict=True):
        np.testing.assert_allclose(average, 2 / 11 * old + 9 / 11 * new, rtol=1e-5, atol=1e-7)
    shown = make_network()
    learner.copy_average_to(shown)
    for average, weight in zip(to_arrays(learner.averages), shown.get_weights(), strict=True):
        np.testing.assert_array_equal(average, weight)


def test_every_term_of_a_sum_is_told():
    stage = replace(STAGE, mask_loss=losses.parse_loss("dice+0.5*bce", "mask"))
    shown = prepare_step(stage=stage)[2](make_batch(3))
    np.testing.assert_allclose(shown["mask"], shown["mask_dice_loss"] + 0.5 * shown["mask_bce_loss"], rtol=1e-5)
    assert shown["mask_bce_loss"] > 0.1
    assert "depth_l1_loss" not in shown  # is `depth`


def test_warm_up_and_cosine():
    rate = make_optimizer(Optimization(warmup=0.25), 0.1, 20).learning_rate
    schedule = rate if callable(rate) else make_optimizer(Optimization(warmup=0.25), 0.1, 20)._learning_rate
    values = [float(schedule(step)) for step in (0, 1, 4, 5, 12.5, 20)]
    np.testing.assert_allclose(values, [0, 0.02, 0.08, 0.1, 0.05, 0], atol=1e-6)


# Two devices.


def compare_devices(path: str) -> None:
    """In a process of its own: the same steps on one device and on two, with whole and uneven batches."""
    tf.config.set_logical_device_configuration(
        tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
    )
    options = Optimization(weight_decay=0.1, warmup=0.0, clip=0.01, average=0.9, weighting="learned")
    found = {}
    for optimizer in OPTIMIZERS:
        for devices in (1, 2):
            strategy = (
                tf.distribute.MirroredStrategy(["/CPU:0", "/CPU:1"])
                if devices == 2
                else tf.distribute.OneDeviceStrategy("/CPU:0")
            )
            learner, _, step = prepare_step(strategy, replace(options, optimizer=optimizer))
            shown = [step(dealt_out(strategy, make_batch(count, number))) for number, count in enumerate((6, 5, 5))]
            values = [[float(each[name]) for name in sorted(each)] for each in shown]
            weights = [
                *to_arrays(learner.variables),
                *to_arrays(learner.averages),
                *to_arrays(learner.weighting.weights),
            ]
            found[f"{optimizer}_{devices}_losses"] = np.array(values)
            found |= {f"{optimizer}_{devices}_{number:02}": weight for number, weight in enumerate(weights)}
            if devices == 2:
                local = [strategy.experimental_local_results(v.value if KERAS_3 else v) for v in learner.variables]
                found[f"{optimizer}_apart"] = max(float(tf.reduce_max(abs(a - b))) for a, b in local)
    np.savez(path, **found)


def dealt_out(strategy, whole: dict):
    """The first replica gets more where a batch does not go in halves: 3 and 2 of 5."""
    if strategy.num_replicas_in_sync == 1:
        return whole
    half = (len(whole["index"]) + 1) // 2
    parts = [{key: value[:half] for key, value in whole.items()}, {key: value[half:] for key, value in whole.items()}]
    return strategy.experimental_distribute_values_from_function(
        lambda context: {key: tf.constant(value) for key, value in parts[context.replica_id_in_sync_group].items()}
    )


@pytest.fixture(scope="module")
def devices(tmp_path_factory):
    path = tmp_path_factory.mktemp("devices") / "found.npz"
    code = f"import test_step; test_step.compare_devices({str(path)!r})"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=Path(__file__).parent, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return np.load(path)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_two_devices_are_as_one(devices, optimizer):
    assert devices[f"{optimizer}_apart"] == 0
    one, two = (
        {name[len(f"{optimizer}_1_") :]: devices[name] for name in devices if name.startswith(f"{optimizer}_{count}_")}
        for count in (1, 2)
    )
    assert one.keys() == two.keys()
    assert len(one) == 1 + 9 + 9 + 2
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=2e-4, atol=1e-5, err_msg=name)
    assert np.ptp(one["losses"][:, 0]) > 1e-3


# Stages.


@pytest.fixture(scope="module")
def froze():
    """A stage of the real network, as small as it gets, in which all but the depth branch and the stem are frozen."""
    frozen = ("background", "joint", "mask")
    options = replace(PLAIN, average=0.5, clip=1.0, weighting="learned")
    make = lambda synchronized: build(SMALLEST, synchronized)  # noqa: E731
    learner, optimizer, step = prepare_step(options=options, stage=replace(STAGE, freeze=frozen), make=make)
    before = {part: learner.network.get_layer(part).get_weights() for part in PARTS}
    shown = [step(make_batch(3, number, 32, 43)) for number in range(2)]
    return learner, optimizer, frozen, before, shown


@pytest.mark.parametrize("part", PARTS)
def test_frozen_parts_stay_as_they_are(froze, part):
    learner, _, frozen, before, _ = froze
    after = learner.network.get_layer(part).get_weights()
    same = [np.array_equal(a, b) for a, b in zip(before[part], after, strict=True)]
    # All of them, BatchNorm's statistics too; of the others, not even one.
    assert same == [part in frozen] * len(same)


def test_a_frozen_branch_has_no_loss(froze):
    learner, _, _, _, shown = froze
    assert set(shown[0]) == {"loss", "depth", "gradient_norm"}
    assert float(shown[0]["loss"]) == float(shown[0]["depth"])
    # One loss is not weighed against itself.
    assert all(not np.any(weight) for weight in to_arrays(learner.weighting.weights))


def test_averages_belong_to_their_weights_when_parts_are_frozen(froze):
    learner, _, frozen, _, _ = froze
    shown = build(SMALLEST)
    learner.copy_average_to(shown)
    averages = dict(zip((id(variable) for variable in learner.variables), to_arrays(learner.averages), strict=True))
    for part in PARTS:
        for variable, filled in zip(
            learner.network.get_layer(part).weights, shown.get_layer(part).weights, strict=True
        ):
            expected = averages[id(variable)]
            np.testing.assert_array_equal(filled, expected)
            # The average of what stays the same is the same.
            np.testing.assert_allclose(expected, tf.convert_to_tensor(variable), atol=1e-6 if part in frozen else 0.2)


def test_weights_between_branches_are_learned():
    # The gradient of s is 1 - exp(-s) L, so from 0 it goes down where the loss is over 1 and up where it is under.
    stage = replace(STAGE, depth_loss=losses.parse_loss("9*l1", "depth"))
    learner, _, step = prepare_step(options=replace(PLAIN, weighting="learned"), stage=stage)
    shown = step(make_batch(4))
    found = to_arrays(learner.weighting.weights)
    np.testing.assert_allclose(found, [-0.19 * (1 - shown["mask"]), -0.19 * (1 - shown["depth"])], rtol=1e-4)
    assert found[0] < 0 < found[1]


# 16 bits and XLA.


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_16_bits_learn(policy):
    keras.mixed_precision.set_global_policy(policy)
    try:
        learner, _, step = prepare_step(float16=policy == "mixed_float16")
        inputs = {key: make_batch(2)[key] for key in ("bg", "fg_bg")}
        assert learner.network(inputs)["mask"].dtype == tf.float32
        assert learner.network.layers[3].compute_dtype == policy.removeprefix("mixed_")
    finally:
        keras.mixed_precision.set_global_policy("float32")
    exact = prepare_step()[2]
    values = []
    for _ in range(6):
        shown, wanted = step(make_batch(5)), exact(make_batch(5))
        np.testing.assert_allclose(shown["loss"], wanted["loss"], rtol=0.02)
        values.append(float(shown["loss"]))
    assert values == sorted(values, reverse=True)
    assert values[-1] < values[0] - 0.01
    assert all(value.dtype == tf.float32 for value in shown.values())
    if policy == "mixed_float16":
        assert float(shown["left_out"]) == 0
        assert float(learner.since_overflow) == 6


def test_an_overflow_in_float16_changes_the_scale_alone():
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        learner, optimizer, step = prepare_step(options=replace(PLAIN, average=0.5), float16=True)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    step(make_batch(3))
    learner.scale.assign(2.0**100)
    before = to_arrays([*learner.variables, *learner.averages])
    shown = step(make_batch(3))
    assert np.isfinite(shown["loss"])
    told = [float(shown[name]) for name in ("left_out", "loss_scale", "gradient_norm")]
    assert told == [1.0, 2.0**99, 0.0]
    assert float(learner.scale) == 2.0**99
    assert int(optimizer.iterations) == 1
    for old, new in zip(before, to_arrays([*learner.variables, *learner.averages]), strict=True):
        np.testing.assert_array_equal(old, new)
    learner.scale.assign(2.0**10)
    learner.since_overflow.assign(steps.SCALE_GROWS_AFTER - 1)
    assert float(step(make_batch(3))["loss_scale"]) == 2.0**11
    assert int(learner.since_overflow) == 0
    # What overflows on the way forward does not stay in BatchNorm's statistics.
    statistics = to_arrays(learner.statistics)
    huge = make_batch(3)
    assert not np.isfinite(step({**huge, "bg": huge["bg"] * 1e6})["loss"])
    for old, new in zip(statistics, to_arrays(learner.statistics), strict=True):
        np.testing.assert_array_equal(old, new)


def test_compiled_by_xla():
    stage = replace(STAGE, depth_loss=losses.parse_loss("ssim", "depth"))
    plain, compiled = prepare_step(stage=stage)[2], prepare_step(stage=stage, jit_compile=True)[2]
    for number in range(3):
        one, other = plain(make_batch(5, number)), compiled(make_batch(5, number))
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_allclose(one[name], other[name], rtol=1e-4)


def test_the_whole_step_is_one_program_without_the_host():
    # What a TPU asks for: static shapes, and nothing that only a CPU could do, in gradients, optimizer and average.
    stage = replace(STAGE, depth_loss=losses.parse_loss("ssim+l1+gradient", "depth"))
    options = Optimization(optimizer="adamw", warmup=0.0, weighting="learned")
    step = prepare_step(tf.distribute.get_strategy(), options, stage)[2]
    whole = tf.function(step, jit_compile=True)
    inputs = {key: tf.constant(value) for key, value in make_batch(4).items() if key != "index"}
    program = whole.experimental_get_compiler_ir(inputs)(stage="hlo")
    assert "convolution(" in program
    for word in ("custom-call", "infeed", "outfeed", "send(", "recv(", "host", "<="):
        assert word not in program, word
    expected = prepare_step(options=options, stage=stage)[2](inputs)
    np.testing.assert_allclose(whole(inputs)["loss"], expected["loss"], rtol=1e-4)
