"""The network for the depth of objects: what it looks at, what it can answer, how it is stored."""

import numpy as np
import pytest
import tensorflow as tf

from fgseg_tf.model import networks, object_depth, weights
from fgseg_tf.runs import run_folder
from tests.support.finished_run import write_finished_run

pytestmark = pytest.mark.both_stacks


def make_inputs(height: int, width: int, count: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(height)
    pictures = {name: rng.random((count, height, width, 3), np.float32) for name in ("bg", "fg_bg")}
    mask = np.zeros((count, height, width, 1), np.float32)
    mask[:, 3 : height // 2, 5 : width // 2] = 1
    return {**pictures, "mask": mask, "bg_depth": rng.random((count, height, width, 1), np.float32)}


def test_looking_down_from_each_pixel():
    values = np.arange(1, 16, dtype=np.float32).reshape(1, 5, 3, 1)
    mask = np.array([[0, 1, 1], [1, 1, 1], [1, 0, 1], [0, 1, 1], [0, 1, 1]], np.float32)[None, ..., None]
    reached, met = object_depth.look_down(tf.constant(values), tf.constant(mask))
    # Column 0: rows 1 and 2 look down to row 3. Column 1: rows 0 and 1 to row 2, those below it to the edge. Column 2:
    # all to the edge.
    np.testing.assert_array_equal(reached[0, ..., 0], [[1, 8, 0], [10, 8, 0], [10, 8, 0], [10, 0, 0], [13, 0, 0]])
    np.testing.assert_array_equal(met[0, ..., 0], [[1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 0, 0], [1, 0, 0]])


def test_looking_down_a_tall_object():
    """Over more rows than one step of the looking takes."""
    values = np.arange(300, dtype=np.float32).reshape(1, 300, 1, 1)
    mask = np.ones_like(values)
    mask[0, 297] = 0
    reached, met = object_depth.look_down(tf.constant(values), tf.constant(mask))
    np.testing.assert_array_equal(reached[0, :, 0, 0], [297.0] * 298 + [0.0] * 2)
    np.testing.assert_array_equal(met[0, :, 0, 0], [1.0] * 298 + [0.0] * 2)


@pytest.fixture(scope="module")
def network():
    tf.random.set_seed(3)
    return object_depth.build()


@pytest.mark.parametrize("size", [(32, 48), (37, 51)])
def test_objects_are_never_behind_what_they_hide(network, size):
    inputs = make_inputs(*size, count=2)
    depth = network(inputs, training=False)["depth"].numpy()
    assert depth.shape == (2, *size, 1)
    assert depth.dtype == np.float32
    assert (depth >= 0).all()
    assert (depth < inputs["bg_depth"]).mean() > 0.9  # softplus is over 0, unless the code ends at 0
    assert (depth <= inputs["bg_depth"]).all()


def test_what_a_run_saves_says_the_same(network, tmp_path):
    write_finished_run(str(tmp_path), object_depth.NAME, network)
    inputs = make_inputs(32, 48)
    loaded = run_folder.load_network(str(tmp_path))
    assert loaded.name == object_depth.NAME
    np.testing.assert_array_equal(loaded(inputs, training=False)["depth"], network(inputs, training=False)["depth"])


def test_weights_go_out_and_in(network):
    arrays = weights.get_arrays(network)
    assert {name.split("/")[0] for name in arrays} == set(object_depth.PARTS)
    other = networks.build(object_depth.NAME)
    weights.set_arrays(other, arrays, "mine")
    inputs = make_inputs(32, 48)
    np.testing.assert_array_equal(other(inputs, training=False)["depth"], network(inputs, training=False)["depth"])
    with pytest.raises(ValueError, match="mine does not fit this network"):
        weights.set_arrays(networks.build("small"), arrays, "mine")


def test_16_bits_inside_leave_the_background_exact():
    half = object_depth.build(precision="mixed_bfloat16")
    inputs = make_inputs(32, 48)
    # Nothing is nearer: what is answered is the background's code to the last bit.
    half.get_layer("decoder").get_layer("decoder_answer").bias.assign([-100.0])
    depth = half(inputs, training=False)["depth"].numpy()
    assert depth.dtype == np.float32
    np.testing.assert_allclose(depth, inputs["bg_depth"], atol=1e-6)
