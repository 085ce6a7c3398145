"""Depth codings by hand, and labels that do not depend on the batch they were made in."""

from dataclasses import dataclass

import keras
import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.compositing.depth_labels import (
    compare_depths,
    decode_depth,
    decode_teacher,
    encode_depth,
    label_composites,
    label_pictures,
    predict_depth,
)

HEIGHT, WIDTH = 6, 10


@dataclass(frozen=True)
class Teacher:
    network: keras.Model
    input_size: tuple[int, int]
    max_depth: float


@pytest.fixture(scope="module")
def reader():
    """Reads depth off the picture: ten times the red of every other pixel is max_depth / metres."""
    inputs = keras.Input((HEIGHT, WIDTH, 3))
    layer = keras.layers.Conv2D(1, 1, strides=2, use_bias=False)
    network = keras.Model(inputs, layer(inputs))
    layer.set_weights([np.array([10, 0, 0], np.float32).reshape(1, 1, 3, 1)])
    return Teacher(network, (HEIGHT, WIDTH), 10.0)


@pytest.fixture(scope="module")
def convolution():
    """A network whose every answer depends on its surroundings; looks at twice the size."""
    random = np.random.default_rng(3)
    inputs = keras.Input((2 * HEIGHT, 2 * WIDTH, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    x = keras.layers.Conv2D(1, 3, strides=2, padding="same", activation="softplus")(x)
    network = keras.Model(inputs, x)
    # Most answers are between 1 and 100, so that they are not clipped.
    network.set_weights([random.normal(0.15, 0.15, np.shape(weight)) for weight in network.get_weights()])
    return Teacher(network, (2 * HEIGHT, 2 * WIDTH), 10.0)


def pictures(n):
    return np.random.default_rng(0).integers(0, 256, (n, HEIGHT, WIDTH, 3), np.uint8)


def test_to_metres():
    # max_depth 10: 10 / 4; at most 10; at least a tenth of a metre; what is not positive is as far as can be.
    seen = tf.constant([4.0, 1.0, 0.5, 100.0, 1000.0, 0.0, -3.0])
    np.testing.assert_allclose(decode_teacher(seen, 10.0), [2.5, 10, 10, 0.1, 0.1, 10, 10], rtol=1e-6)


@pytest.mark.parametrize("kind", [np.asarray, tf.constant])
def test_encode_depth(kind):
    metres = kind(np.array([[0, 1, 2.5], [1e-4, 255.99, 1000], [-1, 3.001, 1.002]], np.float32))
    code = encode_depth(metres)
    assert code.dtype == tf.uint16
    # 3.001 x 256 = 768.26, 1.002 x 256 = 256.51; known depth is never 0, unknown always.
    np.testing.assert_array_equal(code, [[0, 256, 640], [1, 65533, 65535], [0, 768, 257]])
    np.testing.assert_array_equal(encode_depth(metres, 10.0), [[0, 10, 25], [1, 2560, 10000], [0, 30, 10]])


def test_decode_depth():
    metres = decode_depth(tf.constant([0, 1, 256, 640, 65535], tf.uint16))
    assert metres.dtype == tf.float32
    np.testing.assert_array_equal(metres, [0, 1 / 256, 1, 2.5, 65535 / 256])
    np.testing.assert_array_equal(decode_depth(np.array([25], np.uint16), 10.0), [2.5])


@pytest.mark.parametrize("scale", [256.0, 100.0])
def test_every_code_comes_back(scale):
    codes = np.arange(65536).astype(np.uint16)
    np.testing.assert_array_equal(encode_depth(decode_depth(codes, scale), scale), codes)


def test_codes_in_a_graph():
    metres = np.linspace(0, 300, 1001, dtype=np.float32)
    dataset = tf.data.Dataset.from_tensors(metres).map(encode_depth)
    np.testing.assert_array_equal(next(iter(dataset)), encode_depth(metres))


def test_look_by_hand(reader):
    picture = np.full((1, HEIGHT, WIDTH, 3), 255, np.uint8)
    # Every 2 x 2 pixels have the label of their first: 10 / (10 x red).
    picture[0, ::2, ::2, 0] = np.array([51, 102, 204, 255, 51])[None, :]
    metres = predict_depth(reader, picture).numpy()
    assert metres.shape == (1, HEIGHT, WIDTH)
    assert metres.dtype == np.float32
    np.testing.assert_allclose(metres[0], np.tile(np.repeat([5, 2.5, 1.25, 1, 5], 2), (HEIGHT, 1)), rtol=1e-5)


def test_labels_are_never_blended(convolution):
    taller = np.random.default_rng(0).integers(0, 256, (2, 7, 17, 3), np.uint8)
    looked_at = tf.image.resize(tf.cast(taller, tf.float32) / 255, convolution.input_size, method="bilinear")
    seen = decode_teacher(convolution.network(looked_at), convolution.max_depth).numpy()
    metres = predict_depth(convolution, taller).numpy()
    assert metres.shape == (2, 7, 17)
    for one, other in zip(metres, seen, strict=True):
        assert len(np.unique(one)) > 20
        assert set(np.unique(one)) <= set(np.unique(other))


@pytest.mark.parametrize("n", [1, 3, 4, 5, 8])
def test_labels_do_not_depend_on_neighbours(convolution, n):
    stack = pictures(8)[:n]
    labelled = list(label_composites(elements(stack), convolution, 4).as_numpy_iterator())
    assert len(labelled) == n
    for number, element in enumerate(labelled):
        assert element["index"] == number
        np.testing.assert_array_equal(element["fg_bg"], stack[number])
        assert element["metres"].shape == (HEIGHT, WIDTH)
        alone = next(label_composites(elements(stack[number : number + 1]), convolution, 4).as_numpy_iterator())
        np.testing.assert_array_equal(element["metres"], alone["metres"])
        np.testing.assert_allclose(
            element["metres"], predict_depth(convolution, stack[number : number + 1])[0], rtol=1e-5
        )


def elements(stack):
    return tf.data.Dataset.from_tensor_slices({"fg_bg": stack, "index": np.arange(len(stack))})


def test_label_pictures(convolution):
    stack = pictures(5)
    metres = label_pictures(convolution, stack, 2)
    assert metres.shape == (5, HEIGHT, WIDTH)
    np.testing.assert_allclose(metres, predict_depth(convolution, stack), rtol=1e-5)
    # The pictures are told apart.
    assert len({found.tobytes() for found in metres}) == 5


def test_disagreement_by_hand():
    one = np.array([[2.0, 3.0, 0.0], [4.0, 9.0, 1.0]])
    other = np.array([[2.0, 2.0, 5.0], [5.0, 0.0, 1.2]])
    # Known in both: 2 | 2, 3 | 2, 4 | 5, 1 | 1.2. Ratios 1, 1.5, 1.25 and 1.2, and the third is not under 1.25.
    found = compare_depths(one, other)
    assert found["abs_rel"] == pytest.approx((0 + 0.5 + 0.2 + 1 / 6) / 4)
    assert found["delta_1.25"] == 0.5
