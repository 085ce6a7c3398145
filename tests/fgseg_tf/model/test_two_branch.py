"""The network: its sizes, any height and width, its two halves, its parts."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from fgseg_tf.model.two_branch import ARCHITECTURES, PARTS, CroppedTo, Distance, build

pytestmark = pytest.mark.both_stacks

LIMITS = {"small": 0.6e6, "base": 1.8e6, "large": 9.2e6}
HEIGHT, WIDTH = 37, 50


@pytest.fixture(scope="module")
def network() -> keras.Model:
    keras.utils.set_random_seed(1)
    network = build(ARCHITECTURES["small"])
    # Untrained statistics are 0 and 1 everywhere, so a wrong one would not show.
    rng = np.random.default_rng(1)
    network.set_weights([w + (w.ndim == 1) * rng.uniform(0, 0.2, w.shape) for w in network.get_weights()])
    return network


def pictures(height=HEIGHT, width=WIDTH, count=2):
    rng = np.random.default_rng(height * 1000 + width)
    return {key: rng.random((count, height, width, 3), np.float32) for key in ("bg", "fg_bg")}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_sizes(name):
    assert 0.8 * LIMITS[name] < build(ARCHITECTURES[name]).count_params() <= LIMITS[name]


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 64), (HEIGHT, WIDTH), (95, 61), (1, 1), (2, 7)])
def test_any_height_and_width(network, height, width):
    answer = network(pictures(height, width), training=False)
    assert set(answer) == {"mask", "depth"}
    for name in answer:
        values = np.asarray(answer[name])
        assert values.shape == (2, height, width, 1)
        assert values.dtype == np.float32
        assert (values > 0).all()
        assert (values < 1).all()


def test_both_pictures_matter_to_both_branches(network):
    whole = pictures()
    before = network(whole, training=False)
    for changed in ("bg", "fg_bg"):
        after = network({**whole, changed: 1 - whole[changed]}, training=False)
        for name in ("mask", "depth"):
            assert np.abs(np.asarray(after[name]) - np.asarray(before[name])).max() > 1e-3, (changed, name)


def test_a_pixel_is_seen_from_afar(network):
    """Context first: what happens in one corner reaches the other one, or the inside of a large object is not seen."""
    whole = pictures(160, 192, 1)
    changed = {key: value.copy() for key, value in whole.items()}
    changed["fg_bg"][:, :32, :32] = 1
    before, after = (np.asarray(network(p, training=False)["mask"]) for p in (whole, changed))
    assert np.abs(after - before)[0, -32:, -32:].max() > 0


@pytest.mark.parametrize("frozen", PARTS)
def test_a_frozen_part_has_nothing_to_train(network, frozen):
    layer = network.get_layer(frozen)
    before = len(network.trainable_variables)
    own = len(layer.trainable_variables)
    layer.trainable = False
    statistics = [np.asarray(v) for v in layer.non_trainable_variables]
    others = [np.asarray(v) for part in PARTS if part != frozen for v in network.get_layer(part).variables]
    network(pictures(), training=True)
    assert own
    assert len(network.trainable_variables) == before - own
    for one, other in zip(statistics, layer.non_trainable_variables, strict=True):
        np.testing.assert_array_equal(one, np.asarray(other))
    moved = [np.asarray(v) for part in PARTS if part != frozen for v in network.get_layer(part).variables]
    assert any((one != other).any() for one, other in zip(others, moved, strict=True))
    layer.trainable = True


def test_saved_and_loaded(network, tmp_path):
    network.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras", compile=False)
    whole = pictures()
    for name, expected in network(whole, training=False).items():
        np.testing.assert_allclose(np.asarray(again(whole, training=False)[name]), np.asarray(expected), atol=1e-6)
    # The parts are still there under their names.
    for part in PARTS:
        assert again.get_layer(part).count_params() == network.get_layer(part).count_params()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_answers_are_float32_in_any_precision(policy):
    network = build(ARCHITECTURES["small"], precision=policy)
    assert keras.mixed_precision.global_policy().name == "float32"
    assert network.get_layer("joint").layers[-1].compute_dtype == policy.removeprefix("mixed_")
    answer = network(pictures(), training=False)
    assert {name: str(np.asarray(value).dtype) for name, value in answer.items()} == dict.fromkeys(
        ("mask", "depth"), "float32"
    )


def test_distance_and_cropping_by_hand():
    one = np.array([[[[1.0, 5.0]], [[2.0, 0.0]]]], np.float32)
    other = np.array([[[[3.0, 4.0]], [[2.0, 7.0]]]], np.float32)
    np.testing.assert_array_equal(np.asarray(Distance()([one, other])), [[[[2.0, 1.0]], [[0.0, 7.0]]]])
    x = np.arange(4 * 6, dtype=np.float32).reshape(1, 4, 6, 1)
    cropped = np.asarray(CroppedTo()([x, np.zeros((1, 3, 5, 2), np.float32)]))
    np.testing.assert_array_equal(cropped, x[:, :3, :5])


def test_only_keras_is_needed():
    """Also not by a detour: nothing else of the project is loaded."""
    code = "import sys, fgseg_tf.model.two_branch as m; m.build(m.ARCHITECTURES['small']); "
    code += "print(sorted(name for name in sys.modules if name.startswith(('data_pipelines', 'fgseg_tf.'))))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.splitlines()[-1] == "['fgseg_tf.model', 'fgseg_tf.model.layers', 'fgseg_tf.model.two_branch']"
