"""Losses by hand on a few pixels, safe gradients, and the texts that choose a loss."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fgseg_tf.measures import losses, ssim
from fgseg_tf.measures.losses import LOSSES, LearnedWeights, Loss, parse_loss
from fgseg_tf.model.depth_code import encode_depth

pytestmark = pytest.mark.both_stacks

EVERY = {name: function for branch in LOSSES.values() for name, function in branch.items()}


def images(*rows_of_each, dtype=tf.float32):
    """[B, H, W, 1] of B nested lists."""
    return tf.cast(tf.constant(rows_of_each, tf.float32)[..., None], dtype)


def random(shape, seed):
    return tf.constant(np.random.default_rng(seed).random(shape, np.float32))


TARGET = images([[1, 0.5, 0], [0, 0, 1]])
PREDICTED = images([[1, 0, 0], [0.5, 0, 0.25]])  # the error is [[0, -0.5, 0], [0.5, 0, -0.75]]
KNOWN = images([[1, 1, 0], [1, 0, 1]])


@pytest.mark.parametrize(
    ("name", "everywhere", "where_known"),
    [
        # Squares: error 0.25 + 0.25 + 0.5625; target 2.25; predicted 1.3125. What is not known is 0 in both.
        ("dice", 1.0625 / 4.5625, 1.0625 / 4.5625),
        # Squares: missed 0.25 + 0.5625, invented 0.25; hit 1 + 0.25, and half a pixel of smoothing.
        ("tversky", 0.64375 / (1.25 + 0.64375 + 0.5), 0.64375 / (1.25 + 0.64375 + 0.5)),
        ("l1", 1.75 / 6, 1.75 / 4),
        # Down 0.5, 0.5, 0.75; across 0.5, 0.5, 0.5, 0.75. Known neighbours: the first column's, the first row's first.
        ("edge", 1.75 / 3 + 2.25 / 4, 0.5 + 0.5),
        # And at half the size: across, from 0 to 0.
        ("gradient", 1.75 / 3 + 2.25 / 4, 0.5 + 0.5),
    ],
)
def test_by_hand(name, everywhere, where_known):
    np.testing.assert_allclose(EVERY[name](TARGET, PREDICTED), [everywhere], rtol=1e-6)
    np.testing.assert_allclose(EVERY[name](TARGET, PREDICTED, KNOWN), [where_known], rtol=1e-6)
    # Whatever stands where nothing is known.
    garbage = images([[0, 0, 0.9], [0, 0.4, 0]])
    value = EVERY[name](TARGET + garbage / 2, PREDICTED + garbage, KNOWN)
    if name not in ("dice", "tversky"):
        np.testing.assert_allclose(value, [where_known], rtol=1e-6)
    np.testing.assert_allclose(value, EVERY[name](TARGET + garbage / 2, PREDICTED, KNOWN), rtol=1e-6)


def test_unknown_pixels_have_no_size_in_dice():
    # Known: target 1, predicted 0.5 -> 0.25 / (1 + 0.25 + 1).
    value = losses.dice(images([[1, 1, 1]]), images([[0.5, 0, 1]]), images([[1, 0, 0]]))
    np.testing.assert_allclose(value, [0.25 / 2.25], rtol=1e-6)


def test_tversky_between_dice_and_boldness(monkeypatch):
    predicted, target = random((3, 5, 7, 1), 1), random((3, 5, 7, 1), 2)
    assert (
        losses.tversky(tf.ones((1, 2, 3, 1)), tf.fill((1, 2, 3, 1), 0.4))
        > losses.dice(tf.ones((1, 2, 3, 1)), tf.fill((1, 2, 3, 1), 0.4))
    ).numpy()
    monkeypatch.setattr(losses, "MISSED", 0.5)
    np.testing.assert_allclose(losses.tversky(target, predicted), losses.dice(target, predicted), rtol=1e-5)


def test_bce():
    target, predicted = images([[1, 0.5, 0]], [[0, 0, 1]]), images([[0.5, 0.25, 0.75]], [[0, 0, 1]])
    first = (np.log(2) + (np.log(4) + np.log(4 / 3)) / 2 + np.log(4)) / 3
    np.testing.assert_allclose(losses.bce(target, predicted), [first, 0], rtol=1e-5, atol=1e-6)
    value = losses.bce(target, predicted, images([[1, 0, 0]], [[0, 0, 0]]))
    np.testing.assert_allclose(value, [np.log(2), 0], rtol=1e-5)


def test_gradient_at_every_scale():
    # A ramp of 0.05 a column: across 0.05, 0.1 of every second, 0.2 of every fourth, 0.4 of every eighth.
    error = np.tile(np.arange(9, dtype=np.float32) / 20, (4, 1))[None, ..., None]
    np.testing.assert_allclose(losses.gradient(tf.zeros_like(error), error), [0.75], rtol=1e-6)
    known = np.ones_like(error)
    known[:, :, 4] = 0  # neither of the two slopes of every fourth is known then
    np.testing.assert_allclose(losses.gradient(tf.zeros_like(error), error, known), [0.55], rtol=1e-6)
    turned = np.transpose(error, (0, 2, 1, 3))
    np.testing.assert_allclose(losses.gradient(tf.zeros_like(turned), turned), [0.75], rtol=1e-6)


def test_relative_is_a_share_of_the_distance():
    metres = tf.constant([[2.0, 4, 8]])[None, ..., None], tf.constant([[3.0, 2, 8]])[None, ..., None]
    target, predicted = (encode_depth(each) for each in metres)
    np.testing.assert_allclose(losses.relative(target, predicted), [(0.5 + 0.5 + 0) / 3], rtol=1e-5)
    np.testing.assert_allclose(losses.relative(target, predicted, images([[1, 0, 0]])), [0.5], rtol=1e-5)
    # Twenty times too far counts as MOST_RELATIVE times.
    far = encode_depth(40 * tf.ones((1, 1, 1, 1)))
    np.testing.assert_allclose(losses.relative(target[:, :, :1], far), [losses.MOST_RELATIVE - 1], rtol=1e-5)


@pytest.mark.parametrize(("shape", "size"), [((3, 12, 17, 1), 11), ((2, 8, 9, 1), 8), ((2, 9, 3, 1), 3)])
def test_ssim_is_that_of_tensorflow(shape, size):
    target = random(shape, 0)
    for predicted in (random(shape, 1), 0.8 * target + 0.1, 1 - target):
        expected = (1 - tf.image.ssim(target, predicted, 1.0, filter_size=size)) / 2
        np.testing.assert_allclose(losses.ssim(target, predicted), expected, atol=1e-5)


def test_ssim_by_hand():
    # A filter of one pixel sees no structure, and luminance (2tp + 1e-4) / (tt + pp + 1e-4): 0.6001, 1, 1e-4 / 1.0001.
    target, predicted = images([[0.2, 0.3, 0]]), images([[0.6, 0.3, 1]])
    parts = (1 - np.array([0.2401 / 0.4001, 1, 1e-4 / 1.0001])) / 2
    np.testing.assert_allclose(losses.ssim(target, predicted), [parts.mean()], rtol=1e-5)
    np.testing.assert_allclose(
        losses.ssim(target, predicted, images([[1, 0, 1]])), [(parts[0] + parts[2]) / 2], rtol=1e-5
    )


@pytest.mark.parametrize("name", EVERY)
def test_right_is_free_and_wrong_is_not(name):
    target = tf.concat([tf.zeros([1, 8, 9, 1]), tf.ones([1, 8, 9, 1]), random((1, 8, 9, 1), 4)], 0)
    right, wrong = EVERY[name](target, target), EVERY[name](target, tf.reverse(0.9 * target + 0.05, [1]))
    # The cross-entropy of a soft target with itself is its entropy.
    np.testing.assert_allclose(right[: 2 if name == "bce" else 3], 0, atol=1e-6)
    assert np.all(wrong[2] > right[2] + 1e-3)


def value_and_gradient(loss, target, predicted, known=None):
    with tf.GradientTape() as tape:
        tape.watch(predicted)
        value = loss(target, predicted, known)
    return value, tape.gradient(value, predicted)


@pytest.mark.parametrize("level", [0.71, 0.95])
def test_ssim_where_hardware_rounds_factors(level, monkeypatch):
    # Nearly flat: what varies is less than what bfloat16 rounds away.
    target, predicted = level + 0.02 * random((1, 32, 40, 1), 2), level + 0.003 + 0.02 * random((1, 32, 40, 1), 3)
    expected, expected_gradient = value_and_gradient(losses.ssim, target, predicted)
    exact = tf.matmul

    def rounding(a, b):
        return exact(*(tf.cast(tf.cast(factor, tf.bfloat16), tf.float32) for factor in (a, b)))

    def deviation():
        value, gradient = value_and_gradient(losses.ssim, target, predicted)
        return abs(value - expected)[0], tf.norm(gradient - expected_gradient) / tf.norm(expected_gradient)

    monkeypatch.setattr(tf, "matmul", rounding)
    of_value, of_gradient = deviation()
    assert of_value < 1e-3
    assert of_gradient < 0.05
    # A plain product, which is all that a convolution is, has nothing right there.
    monkeypatch.setattr(ssim, "_product", rounding)
    of_value, of_gradient = deviation()
    assert of_value > 0.01
    assert of_gradient > 0.5


@pytest.mark.parametrize("shape", [(1, 1), (1, 4), (2, 1), (8, 9), (24, 18)])
@pytest.mark.parametrize("name", EVERY)
def test_gradients_are_finite(name, shape):
    flat = [tf.fill([*shape, 1], level) for level in (0.0, 1.0, 0.7, 1e-20)]
    noise = [random((*shape, 1), 5), tf.round(random((*shape, 1), 6)), 0.7 + 1e-7 * random((*shape, 1), 7)]
    each = [*flat, *noise]
    target = tf.stack([t for t in each for _ in each])
    predicted = tf.stack([p for _ in each for p in each])
    half = tf.round(random((len(each) ** 2, *shape, 1), 8))
    for known in (None, half, tf.zeros_like(half)):
        value, gradient = value_and_gradient(EVERY[name], target, predicted, known)
        assert value.shape == [len(each) ** 2]
        assert value.dtype == tf.float32
        assert np.all(np.isfinite(value))
        assert np.all(np.isfinite(gradient))
        if known is half:
            assert not np.any(gradient.numpy()[half.numpy() == 0])
    # The last time nothing was known.
    assert not np.any(value)
    assert not np.any(gradient)


def test_bce_learns_from_a_certain_mistake():
    _, gradient = value_and_gradient(losses.bce, images([[1, 0]]), images([[0, 1]]))
    assert gradient[0, 0, 0, 0] < -1
    assert gradient[0, 0, 1, 0] > 1


def test_examples_do_not_mix():
    target, predicted, known = random((3, 12, 13, 1), 0), random((3, 12, 13, 1), 1), tf.round(random((3, 12, 13, 1), 2))
    for function in EVERY.values():
        alone = [function(target[i : i + 1], predicted[i : i + 1], known[i : i + 1])[0] for i in range(3)]
        np.testing.assert_allclose(function(target, predicted, known), alone, rtol=1e-5)


@pytest.mark.parametrize("dtype", [tf.float16, tf.bfloat16])
@pytest.mark.parametrize("name", EVERY)
def test_half_precision_inputs(name, dtype):
    # More pixels than float16 can count, 65504.
    target, predicted = tf.ones([1, 240, 280, 1], dtype), tf.fill([1, 240, 280, 1], tf.constant(0.5, dtype))
    known = tf.ones([1, 240, 280, 1], dtype)
    value, gradient = value_and_gradient(EVERY[name], target, predicted, known)
    expected = EVERY[name](*(tf.cast(tensor, tf.float32) for tensor in (target, predicted, known)))
    assert value.dtype == tf.float32
    assert gradient.dtype == dtype
    np.testing.assert_array_equal(value, expected)


@pytest.mark.parametrize("branch", LOSSES)
def test_compiles(branch):
    loss = parse_loss("+".join(LOSSES[branch]), branch)
    target, predicted, known = random((2, 12, 13, 1), 0), random((2, 12, 13, 1), 1), tf.round(random((2, 12, 13, 1), 2))
    expected = value_and_gradient(loss, target, predicted, known)
    compiled = tf.function(value_and_gradient, jit_compile=True)(loss, target, predicted, known)
    for one, other in zip(compiled, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_any_size_in_one_graph():
    unknown = tf.TensorSpec([None, None, None, 1])
    loss = parse_loss("ssim+l1+gradient+dice", "depth")
    graph = tf.function(loss.__call__, input_signature=[unknown, unknown])
    for shape in ((2, 12, 13, 1), (1, 3, 5, 1)):
        target, predicted = random(shape, 0), random(shape, 1)
        np.testing.assert_allclose(graph(target, predicted), loss(target, predicted), rtol=1e-4)


@pytest.mark.parametrize(
    ("text", "branch", "terms", "again"),
    [
        ("dice", "mask", ((1, "dice"),), "dice"),
        ("ssim+0.1*l1", "depth", ((1, "ssim"), (0.1, "l1")), "ssim+0.1*l1"),
        (" 0.5*bce + dice ", "mask", ((0.5, "bce"), (1, "dice")), "0.5*bce+dice"),
        ("1e+3*edge+1e-5 * l1+1E20*bce", "mask", ((1000, "edge"), (1e-5, "l1"), (1e20, "bce")), None),
        ("1.e+2*gradient+1.0*dice", "depth", ((100, "gradient"), (1, "dice")), "100.0*gradient+dice"),
    ],
)
def test_parse(text, branch, terms, again):
    loss = parse_loss(text, branch)
    assert loss == Loss(terms, branch)
    assert parse_loss(str(loss), branch) == loss
    assert again in (None, str(loss))


@pytest.mark.parametrize(
    ("text", "branch", "sentence"),
    [
        (
            "ssim+0.1*l2",
            "depth",
            "'l2' at character 10 is not a loss of depth; take ssim, l1, relative, gradient or dice.",
        ),
        ("ssim", "mask", "'ssim' at character 1 is not a loss of mask; take dice, tversky, bce, edge or l1."),
        (" dice-l1", "mask", "'dice-l1' at character 2 is not a loss of mask; take dice, tversky, bce, edge or l1."),
        ("dice+", "mask", "'' at character 6 should be a loss; take dice, tversky, bce, edge or l1."),
        ("+dice", "mask", "'' at character 1 should be a loss; take dice, tversky, bce, edge or l1."),
        ("l1+2*", "mask", "'' at character 6 should be a loss; take dice, tversky, bce, edge or l1."),
        ("l1 + -1*dice", "mask", "'-1' at character 6 is not a weight; take a positive finite number such as 0.1."),
        ("x*dice", "mask", "'x' at character 1 is not a weight; take a positive finite number such as 0.1."),
        ("*dice", "mask", "'' at character 1 is not a weight; take a positive finite number such as 0.1."),
        ("2*3*dice", "mask", "'2*3' at character 1 is not a weight; take a positive finite number such as 0.1."),
        ("0*dice", "mask", "'0' at character 1 is not a weight; take a positive finite number such as 0.1."),
        ("nan*dice", "mask", "'nan' at character 1 is not a weight; take a positive finite number such as 0.1."),
        ("inf*dice", "mask", "'inf' at character 1 is not a weight; take a positive finite number such as 0.1."),
        ("1e300*dice", "mask", "'1e300' at character 1 is not a weight; take a positive finite number such as 0.1."),
        ("l1+2*l1", "mask", "'l1' at character 6 is there already; give it once, with one weight."),
    ],
)
def test_parse_refuses(text, branch, sentence):
    with pytest.raises(ValueError) as error:  # noqa: PT011, the whole text is compared
        parse_loss(text, branch)
    assert str(error.value) == f"`{branch}_loss`={text}: {sentence}"


def test_parse_refuses_nothing():
    with pytest.raises(ValueError, match=r"^`mask_loss`=  is empty; take dice, tversky, bce, edge or l1, or a sum"):
        parse_loss(" ", "mask")


def test_a_sum_and_its_parts():
    loss = parse_loss("2*l1+0.5*dice", "depth")
    parts = loss.compute_terms(TARGET, PREDICTED, KNOWN)
    assert list(parts) == ["l1", "dice"]
    np.testing.assert_allclose(parts["l1"], [1.75 / 4], rtol=1e-6)
    np.testing.assert_allclose(parts["dice"], [1.0625 / 4.5625], rtol=1e-6)
    expected = 2 * 1.75 / 4 + 0.5 * 1.0625 / 4.5625
    np.testing.assert_allclose(loss(TARGET, PREDICTED, KNOWN), [expected], rtol=1e-6)
    np.testing.assert_allclose(loss.add_terms(parts), [expected], rtol=1e-6)


VALUES = {"mask": tf.constant([1.0, 3.0]), "depth": tf.constant([0.25, 0.5])}


def test_learned_weights_by_hand():
    weights = LearnedWeights()
    assert weights.dtype == "float32"
    assert len(weights.trainable_variables) == 2
    np.testing.assert_allclose(weights(VALUES), [1.25, 3.5])
    weights.scale_mask.assign(np.log(2))
    # Half the mask's, plus log 2.
    np.testing.assert_allclose(weights(VALUES), [0.75 + np.log(2), 2 + np.log(2)], rtol=1e-6)


def test_learned_weights_are_learned_in_a_strategy_and_kept(tmp_path):
    strategy = tf.distribute.MirroredStrategy(["/cpu:0"])
    with strategy.scope():
        weights, optimizer = LearnedWeights(), keras.optimizers.SGD(0.5)
        optimizer.build(weights.trainable_variables)

    @tf.function
    def step():
        def replica():
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(weights(VALUES))
            variables = weights.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))

        strategy.run(replica)

    step()
    # The gradient is 1 - the mean loss: 1 - 2 and 1 - 0.375, and a step is half of it.
    np.testing.assert_allclose(weights.get_weights(), [0.5, -0.3125], rtol=1e-6)
    path = tf.train.Checkpoint(weights=weights).save(str(tmp_path / "checkpoint"))
    restored = LearnedWeights()
    tf.train.Checkpoint(weights=restored).restore(path).assert_consumed()
    np.testing.assert_array_equal(restored.get_weights(), weights.get_weights())
    for _ in range(60):
        step()
    np.testing.assert_allclose(weights.get_weights(), np.log([2, 0.375]), atol=1e-3)


def test_learned_weights_ignore_the_precision_policy():
    half = {name: tf.cast(value, tf.float16) for name, value in VALUES.items()}
    keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        weights = LearnedWeights()
        assert weights({"mask": tf.constant([1e5]), "depth": tf.constant([1.0])}) == 100001.0
        assert weights(half).dtype == tf.float32
    finally:
        keras.mixed_precision.set_global_policy("float32")


def test_learned_weights_refuse_other_names():
    with pytest.raises(ValueError, match="LearnedWeights of mask and depth was given mask"):
        LearnedWeights()({"mask": VALUES["mask"]})


def test_learned_weights_of_one_and_their_config():
    weights = LearnedWeights.from_config(LearnedWeights(("mask",)).get_config())
    np.testing.assert_allclose(weights({"mask": VALUES["mask"]}), [1, 3])
