"""Depth of a frame before a background whose depth is known."""

import numpy as np
import pytest
import tensorflow as tf

import fgseg_tf
from data_pipelines.demo import sequence as demo_sequence
from fgseg_tf.calibration.depth_pictures import fill_holes
from fgseg_tf.inference.object_placing import ObjectPlacer, fill_unknown, find_size
from fgseg_tf.inference.segmenter import Camera, Segmenter
from fgseg_tf.model import networks, object_depth

pytestmark = pytest.mark.both_stacks
SIZE = 40, 56


@pytest.fixture(scope="module")
def placer():
    tf.random.set_seed(1)
    return ObjectPlacer(object_depth.build())


def test_holes_are_filled_as_without_a_graph():
    rng = np.random.default_rng(2)
    for share in (0.1, 0.6, 0.95, 0.995):
        metres = np.where(rng.random((7, 23)) < share, 0, rng.random((7, 23)) + 1).astype(np.float32)
        filled = tf.function(fill_unknown)(tf.constant(metres[None, ..., None]))
        np.testing.assert_array_equal(filled[0, ..., 0], fill_holes(metres))


def test_sizes():
    for size, expected in (
        ((480, 640), (96, 128)),
        ((1920, 1080), (128, 72)),
        ((40, 56), (91, 128)),
        ((20, 900), (32, 128)),
    ):
        assert tuple(find_size(tf.constant(size)).numpy()) == expected


def test_outside_the_background_inside_something_nearer(placer):
    rng = np.random.default_rng(0)
    bg, frames = rng.random((1, 24, 32, 3), np.float32), rng.random((2, 24, 32, 3), np.float32)
    metres = np.full((1, *SIZE, 1), 5, np.float32)
    known = np.ones_like(metres, bool)
    known[:, :, 50:] = False
    full = np.zeros((2, *SIZE, 1), np.float32)
    full[0, 10:30, 10:20] = full[1, 5:15, 40:54] = 1
    small = tf.image.resize(full, (24, 32), "area")
    background = placer.encode(bg, tf.constant(metres), tf.constant(known))
    depth = placer.place(background, tf.constant(frames), small, tf.constant(full)).numpy()
    assert depth.shape == (2, *SIZE, 1)
    inside = full > 0
    assert ((depth > 0.2) & (depth <= 5))[inside].all()
    assert (depth[inside] < 5).mean() > 0.9
    shown = np.broadcast_to(known, depth.shape)
    assert (depth[~inside & shown] == 5).all()
    assert (depth[~inside & ~shown] == 0).all()
    # A batch is its frames one by one.
    alone = placer.place(background, tf.constant(frames[1:]), small[1:], tf.constant(full[1:]))
    np.testing.assert_allclose(alone[0], depth[1], rtol=1e-5)


def test_a_camera_places_objects_by_its_network(placer):
    rng = np.random.default_rng(5)
    bg = rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    frame = rng.integers(0, 256, (*SIZE, 3)).astype(np.uint8)
    metres = np.linspace(8, 2, SIZE[0], dtype=np.float32)[:, None].repeat(SIZE[1], 1)
    metres[:, :3] = 0
    segmenter = Segmenter(networks.build("small"), 64, placer.network)
    camera = Camera(segmenter, bg, metres=metres)
    result = camera.segment(frame)
    filled, inside = fill_holes(metres), result.mask >= 0.5
    np.testing.assert_array_equal(result.depth[~inside], metres[~inside])
    assert (result.depth[inside] <= filled[inside]).all()
    np.testing.assert_array_equal(result.background_metres, filled)
    # The same mask from elsewhere gives the same, but for the mask's way to the network's size.
    np.testing.assert_allclose(camera.place_objects(frame, result.mask), result.depth, rtol=0.02)
    with pytest.raises(ValueError, match="the depth of the background is not known; calibrate the camera"):
        segmenter.camera(bg).place_objects(frame, result.mask)


@pytest.mark.parametrize("number", [0, 3])
def test_depth_does_not_flicker_and_is_about_right(number):
    """Two exposures of a moment of a drawn sequence, by what comes with the package."""
    size = 144, 192
    bg = demo_sequence.draw_background(5, number, *size)
    camera = Camera(fgseg_tf.load("base"), bg, metres=demo_sequence.draw_background_depth(5, number, *size))
    frame = list(demo_sequence.draw_frames(5, number, *size, 4))[1]
    noise = np.random.default_rng(0)
    pictures = [np.clip(frame.picture + noise.normal(0, 2, frame.picture.shape), 0, 255) for _ in range(2)]
    once, again = (camera.segment(picture.astype(np.uint8)) for picture in pictures)
    both = (once.mask >= 0.5) & (again.mask >= 0.5)
    assert both.sum() > 500
    change = np.abs(once.depth / again.depth - 1)
    assert change[both].mean() < 0.01
    assert change.mean() < 0.01
    inside = frame.truth == demo_sequence.FOREGROUND
    assert np.abs(once.depth / frame.depth - 1)[inside].mean() < 0.15
