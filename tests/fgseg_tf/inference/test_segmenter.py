"""A camera's frames through the network: sizes, the cut, enlarging, smoothing."""

import numpy as np
import pytest
import tensorflow as tf

from fgseg_tf.inference import segmenter, upsampling
from fgseg_tf.inference.segmenter import Segmenter, working_size
from fgseg_tf.model.depth_code import decode_depth, encode_depth
from fgseg_tf.model.two_branch import ARCHITECTURES, build

pytestmark = pytest.mark.both_stacks


@pytest.fixture(scope="module")
def network():
    tf.random.set_seed(0)
    return build(ARCHITECTURES["small"])


def picture(seed: int, height: int, width: int) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 4, width // 4, 3))
    return np.kron(blocks, np.ones((4, 4, 1))).astype(np.uint8)


def directly(network, bg, frame) -> dict:
    return network({"bg": bg[None] / np.float32(255), "fg_bg": frame[None] / np.float32(255)}, training=False)


def test_working_sizes():
    for size, side, expected in (
        ((600, 800), 256, (192, 256)),
        ((800, 600), 256, (256, 192)),
        ((48, 64), 256, (48, 64)),
        ((20, 2000), 200, (8, 200)),
        ((164, 200), 192, (160, 192)),
        ((75, 100), 192, (72, 96)),
        ((100, 100), 100, (96, 96)),
        ((3, 5), 200, (8, 8)),
    ):
        assert tuple(working_size(size, side).numpy()) == expected


def test_small_pictures_get_the_networks_own_answer(network):
    bg, frame = picture(0, 40, 56), picture(1, 40, 56)
    answer = Segmenter(network, 64).camera(bg).segment(frame)
    direct = directly(network, bg, frame)
    np.testing.assert_allclose(answer.mask, direct["mask"][0, ..., 0], atol=1e-5)
    assert answer.mask.shape == answer.depth.shape == (40, 56)
    assert 0 <= answer.similarity < 0.3


def test_large_ones_are_seen_small_and_answered_large(network):
    bg, frame = picture(0, 48, 80), picture(1, 48, 80)
    answer = Segmenter(network, 40).camera(bg).segment(frame)
    # Blocks of 4 x 4 make halving by areas an every-other-pixel.
    small = directly(network, bg[::2, ::2], frame[::2, ::2])
    expected = tf.image.resize(small["mask"], (48, 80))[0, ..., 0]
    np.testing.assert_allclose(answer.mask, expected, atol=1e-5)
    assert answer.depth.shape == (48, 80)
    metres = decode_depth(small["depth"]).numpy()
    assert metres.min() * 0.99 <= answer.depth.min() <= answer.depth.max() <= metres.max() * 1.01


def test_depth_is_enlarged_on_either_side_of_an_outline():
    # On the left an object at 0.2, on the right background at 0.8.
    mask = np.zeros((1, 8, 12, 1), np.float32)
    mask[:, :, :6] = 1
    code = np.where(mask > 0, 0.2, 0.8).astype(np.float32)
    full = np.repeat(np.repeat(mask, 4, 1), 4, 2)  # a hard outline, at full size
    found = upsampling.upsample_depth(code, mask, full).numpy()
    np.testing.assert_allclose(found, np.where(full > 0, 0.2, 0.8), atol=1e-5)
    # Bilinear alone would have invented what is between.
    assert np.abs(tf.image.resize(code, (32, 48)).numpy() - found).max() > 0.2
    # All of one kind: the code itself.
    alone = upsampling.upsample_depth(code, np.zeros_like(mask), np.zeros_like(full)).numpy()
    np.testing.assert_allclose(alone, tf.image.resize(code, (32, 48)), atol=1e-5)


def test_smoothing_remembers_where_nothing_moved(network):
    bg, frame = picture(0, 32, 40), picture(1, 32, 40)
    other = frame.copy()
    other[:, 20:] = picture(2, 32, 40)[:, 20:]
    plain = Segmenter(network, 64).camera(bg)
    before, after = plain.segment(frame).mask, plain.segment(other).mask
    camera = Segmenter(network, 64).camera(bg, smooth=0.6)
    np.testing.assert_array_equal(camera.segment(frame).mask, before)
    found = camera.segment(other).mask
    still = slice(0, 18)
    np.testing.assert_allclose(found[:, still], after[:, still] + 0.6 * (before - after)[:, still], atol=1e-5)
    assert np.abs(found - after)[:, 22:].mean() < np.abs(before - after)[:, 22:].mean() * 0.3
    assert np.abs(before - after)[:, 22:].mean() > 1e-4


def test_looking_both_ways(network):
    bg, frame = picture(0, 40, 64), picture(1, 40, 64)
    plain = Segmenter(network, 64).camera(bg).segment(frame)
    turned = Segmenter(network, 64).camera(bg[:, ::-1]).segment(frame[:, ::-1])
    both = Segmenter(network, 64).camera(bg, both_ways=True).segment(frame)
    np.testing.assert_allclose(both.mask, (plain.mask + turned.mask[:, ::-1]) / 2, atol=1e-5)
    np.testing.assert_allclose(both.depth, both_depths(plain.depth, turned.depth[:, ::-1]), rtol=1e-4)
    assert both.similarity == pytest.approx(plain.similarity, abs=1e-4)
    assert np.abs(plain.mask - turned.mask[:, ::-1]).max() > 1e-3  # or it would prove nothing


def both_depths(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The mean is that of codes, which grow with the logarithm."""
    return decode_depth((encode_depth(one) + encode_depth(other)) / 2).numpy()


def test_a_camera_that_was_moved(network):
    bg = picture(0, 64, 96)
    camera = Segmenter(network, 48).camera(bg)
    assert camera.estimate_shift(np.roll(bg, (6, -8), (0, 1))) == (6, -8)
    assert camera.estimate_shift(picture(3, 64, 96)) is None
    assert tuple(segmenter.working_size(camera.size, 48).numpy()) == (32, 48)
