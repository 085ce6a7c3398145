"""A larger network that begins with what a smaller one has learned."""

import numpy as np
import pytest
import tensorflow as tf

from fgseg_tf.model import grow, weights
from fgseg_tf.model.two_branch import ARCHITECTURES, build

pytestmark = pytest.mark.both_stacks

PICTURES = {name: np.random.default_rng(1).random((1, 37, 50, 3)).astype("f4") for name in ("bg", "fg_bg")}


def answer(network) -> dict:
    return {name: value.numpy() for name, value in network(PICTURES, training=False).items()}


def learned(name: str) -> tuple[dict, dict]:
    """Weights of which each is its own, BatchNorm's too, and what a network of that size answers with them."""
    network = build(ARCHITECTURES[name])
    rng = np.random.default_rng(0)
    values = {
        key: (value + rng.normal(0, 0.02, value.shape)).astype("f4")
        for key, value in weights.get_arrays(network).items()
    }
    weights.set_arrays(network, values, "these")
    return values, answer(network)


@pytest.mark.parametrize(("smaller", "larger"), [("small", "base"), ("small", "large"), ("base", "large")])
def test_at_first_it_answers_the_same(smaller, larger):
    values, expected = learned(smaller)
    network = build(ARCHITECTURES[larger])
    assert grow.initialize_from(network, values, "these") == smaller
    for name, value in answer(network).items():
        assert value.std() > 1e-3  # or agreement would say nothing
        np.testing.assert_allclose(value, expected[name], atol=1e-5)


def test_what_is_new_is_random_and_not_listened_to():
    values, _ = learned("base")
    network = build(ARCHITECTURES["large"])
    grow.initialize_from(network, values, "these")
    found = network.get_layer("joint").get_layer("joint_4_beside_scenery").get_weights()[0]
    wanted = values[next(key for key in values if values[key].shape == (3, 3, 56, 28) and key.startswith("joint"))]
    # 28 + 28 channels became 64 + 64, 28 answers 64.
    np.testing.assert_array_equal(found[:, :, :28, :28], wanted[:, :, :28])
    np.testing.assert_array_equal(found[:, :, 64:92, :28], wanted[:, :, 28:])
    for new in (slice(28, 64), slice(92, 128)):
        assert not found[:, :, new, :28].any()
    assert len(np.unique(found[..., 28:])) > 0.99 * found[..., 28:].size
    block = network.get_layer("joint").get_layer("joint_16_block2_change_normalized").get_weights()
    assert not block[0].any()
    assert block[3].all()


def test_what_is_new_is_used_after_a_few_steps():
    values, _ = learned("small")
    network = build(ARCHITECTURES["base"])
    grow.initialize_from(network, values, "these")
    layers = [network.get_layer(part).get_layer(f"{part}_4_halved") for part in ("background", "joint")]
    before = [layer.get_weights()[0] for layer in layers]
    for _ in range(3):
        with tf.GradientTape() as tape:
            found = network(PICTURES, training=True)
            loss = sum(tf.reduce_mean(tf.square(value - 0.3)) for value in found.values())
        gradients = tape.gradient(loss, network.trainable_variables)
        for variable, gradient in zip(network.trainable_variables, gradients, strict=True):
            variable.assign_sub(0.5 * gradient)
    # 12 channels became 16.
    for layer, was, outputs in zip(layers, before, (16, 20), strict=True):
        moved = layer.get_weights()[0] != was
        assert not was[:, :, 12:, :outputs].any()
        assert moved[:, :, 12:, :outputs].mean() > 0.5
        assert moved[..., outputs:].mean() > 0.5


def test_its_own_weights_are_taken_as_they_are():
    values, expected = learned("small")
    network = build(ARCHITECTURES["small"])
    assert grow.initialize_from(network, values, "these") is None
    np.testing.assert_array_equal(answer(network)["mask"], expected["mask"])


def test_a_larger_one_does_not_fit():
    with pytest.raises(ValueError, match=r"^these is a base network, larger than small; take `network`=base, or other"):
        grow.initialize_from(build(ARCHITECTURES["small"]), learned("base")[0], "these")


def test_what_is_no_network_does_not_fit():
    some = learned("small")[0]
    some.pop("joint/003/0")
    with pytest.raises(ValueError, match=r"^these does not fit this network: "):
        grow.initialize_from(build(ARCHITECTURES["base"]), some, "these")
