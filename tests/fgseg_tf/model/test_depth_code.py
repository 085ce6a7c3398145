"""Metres <-> the network's code of depth."""

import numpy as np
import pytest
import tensorflow as tf

from fgseg_tf.model.depth_code import FARTHEST, NEAREST, decode_depth, encode_depth

pytestmark = pytest.mark.both_stacks


@pytest.mark.parametrize(("metres", "code"), [(0.25, 0.0), (8.0, 0.5), (256.0, 1.0), (2**0.5, 0.25)])
def test_by_hand(metres, code):
    """From 1/4 to 256 metres are ten doublings; 8 metres are five."""
    np.testing.assert_allclose(encode_depth(tf.constant([metres])), [code], atol=1e-6)
    np.testing.assert_allclose(decode_depth(tf.constant([code])), [metres], rtol=1e-5)


def test_there_and_back_for_all_that_a_record_can_hold():
    metres = tf.range(64, 65536, dtype=tf.float32) / 256
    np.testing.assert_allclose(decode_depth(encode_depth(metres)), metres, rtol=2e-6)


def test_larger_is_farther_and_beyond_the_ends_is_the_end():
    codes = encode_depth(tf.constant([[0.0, 0.1, NEAREST, 1.0, 70.0, FARTHEST, 1e6]])).numpy()[0]
    assert (np.diff(codes) >= 0).all()
    np.testing.assert_array_equal(codes[[0, 1, 2, 5, 6]], [0, 0, 0, 1, 1])


def test_a_step_is_a_share_of_the_distance():
    near, far = (decode_depth(tf.constant([code, code + 0.01])).numpy() for code in (0.2, 0.8))
    assert near[1] / near[0] == pytest.approx(far[1] / far[0], rel=1e-5)
    assert near[1] / near[0] == pytest.approx(1.072, abs=1e-3)


def test_answers_of_16_bits_become_metres_of_32():
    assert decode_depth(tf.constant([0.5], tf.bfloat16)).dtype == tf.float32
