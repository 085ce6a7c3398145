"""Backgrounds behind layers: by hand, singly and in batches."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.compositing.backgrounds import Backgrounds, pad_to_frame

HEIGHT, WIDTH = 5, 7
random = np.random.default_rng(2)
BACKGROUNDS = random.integers(0, 256, (3, HEIGHT, WIDTH, 3), np.uint8)
DEPTHS = random.integers(1, 65536, (3, HEIGHT, WIDTH, 1)).astype(np.uint16)


@pytest.mark.parametrize("flipped", [(0, 0, 0), (0, 1, 0), (1, 0, 1)])
def test_backgrounds_of_a_batch(flipped):
    """Of three layers, of other backgrounds than their places: each as it would be by itself."""
    depth = np.zeros([3, HEIGHT, WIDTH, 1], np.uint16)
    depth[:, 2, 4] = [[1], [2], [3]]
    layers = {
        "bg_index": tf.constant([2, 0, 2], tf.int64),
        "bg_flipped": tf.constant(flipped, tf.int64),
        "depth": tf.constant(depth),
    }
    examples = Backgrounds(tf.constant(BACKGROUNDS), tf.constant(DEPTHS)).complete(layers)
    for at, (number, mirrored) in enumerate(zip((2, 0, 2), flipped, strict=True)):
        mirror = slice(None, None, -1) if mirrored else slice(None)
        np.testing.assert_array_equal(examples["bg"][at], BACKGROUNDS[number][:, mirror])
        np.testing.assert_array_equal(examples["bg_depth"][at], DEPTHS[number][:, mirror])
        expected = DEPTHS[number][:, mirror].copy()
        expected[2, 4] = at + 1
        np.testing.assert_array_equal(examples["depth"][at], expected)


def test_padding_by_hand():
    patch = tf.constant([[[1], [2]]], tf.uint8)
    frame = pad_to_frame(patch, tf.constant([1, 0, 2, 2], tf.int64), 3, 4)
    np.testing.assert_array_equal(frame[..., 0], [[0, 0, 0, 0], [1, 2, 0, 0], [0, 0, 0, 0]])
    assert frame.dtype == tf.uint8
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        pad_to_frame(patch, tf.constant([1, 0, 2, 3], tf.int64), 3, 4)
