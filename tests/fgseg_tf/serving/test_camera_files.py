"""LiteRT and ONNX files of one camera return what the camera of Python does, or are not written."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tiny_data import HEIGHT, WIDTH

from fgseg_tf.calibration.camera_folder import GUESSED
from fgseg_tf.serving import camera_files, lite_formats, parity

pytestmark = pytest.mark.both_stacks


@pytest.fixture(scope="module")
def camera(segmenter, room_camera):
    """Of 48 x 64; the network looks at 40 x 48."""
    return segmenter.camera(room_camera)


@pytest.fixture(scope="module")
def frames(room_camera) -> list[np.ndarray]:
    return list(parity.draw_frames(room_camera.background, 4))


@pytest.mark.parametrize("kind", list(lite_formats.TOLERANCES))
def test_a_file_answers_as_the_camera(segmenter, camera, room_camera, frames, kind):
    content = camera_files.convert(kind, segmenter, camera, frames)
    errors = camera_files.check(kind, content, camera, frames)
    assert all(0 < error <= most for error, most in zip(errors, lite_formats.TOLERANCES[kind], strict=True))
    result = lite_formats.open_file(kind, content)({"fg_bg": frames[0][None].astype("f4") / 255})
    assert result["mask"].shape == result["depth"].shape == (1, HEIGHT, WIDTH, 1)
    # The background's metres are in it as they are: in 8 bits, those of a wall would be those of the floor.
    outside = result["mask"][0, ..., 0] < 0.5
    np.testing.assert_allclose(result["depth"][0, ..., 0][outside], room_camera.depth[outside], rtol=1e-3)
    farther = segmenter.camera(replace(room_camera, depth=room_camera.depth * 4))
    with pytest.raises(
        parity.ParityError, match=rf"^{kind}: depth is off by [\d.]+ in the mean, at most .*; it was not"
    ):
        camera_files.check(kind, content, farther, frames)


def test_where_depth_is_guessed_it_is_the_network_s(segmenter, room_camera, frames):
    camera = segmenter.camera(replace(room_camera, trust=GUESSED))
    content = camera_files.convert("tflite_float16", segmenter, camera, frames)
    assert max(camera_files.check("tflite_float16", content, camera, frames)) < 0.002


def test_what_is_wrong_on_objects_alone_is_not_hidden_by_the_background(camera, frames, monkeypatch):
    """Objects twice as near are 0.1 of the code off, however small they are."""

    def nearer(kind, content):
        def run(inputs):
            result = camera.segment((inputs["fg_bg"][0] * 255).round().astype(np.uint8))
            depth = np.where(result.mask >= 0.5, result.depth / 2, result.depth)
            return {"mask": result.mask[None, ..., None], "depth": depth[None, ..., None]}

        return run

    monkeypatch.setattr(lite_formats, "open_file", nearer)
    monkeypatch.setitem(lite_formats.TOLERANCES, "onnx", (1e-5, 1.0))
    assert camera_files.check("onnx", b"", camera, frames)[1] == pytest.approx(np.log(2) / np.log(1024), abs=0.01)


@pytest.mark.parametrize(
    ("before", "after"), [((12, 20), (6, 5)), ((7, 9), (5, 8)), ((5, 8), (11, 12)), ((4, 6), (4, 6))]
)
@pytest.mark.parametrize("method", ["area", "bilinear"])
def test_resizing_is_that_of_tensorflow(before, after, method):
    pictures = np.random.default_rng(0).random((1, *before, 3), np.float32)
    resized = camera_files.resize_by_products(tf.constant(pictures), after, method)
    np.testing.assert_allclose(resized, tf.image.resize(pictures, after, method), atol=1e-6)


def test_a_camera_at_another_size(room_camera):
    half = camera_files.resize_setup(room_camera, (24, 32))
    means = room_camera.background.reshape(24, 2, 32, 2, 3).mean((1, 3))
    assert np.abs(half.background - means).max() <= 0.5 + 1e-3
    assert half.depth.shape == (24, 32)
    assert set(np.unique(half.depth)) <= set(np.unique(room_camera.depth)), "no distance is made up"
    assert camera_files.resize_setup(room_camera, (48, 64)) is room_camera
    with pytest.raises(
        ValueError, match=r"^`file_size`=64x48 has other proportions than the camera's 48x64; take 36x48"
    ):
        camera_files.resize_setup(room_camera, (64, 48))


def test_objects_before_the_background(room_camera):
    alpha = np.zeros((1, 24, 32, 1), np.float32)
    alpha[:, 6:18, 8:24] = 1
    example = {"fg_bg": tf.ones((1, 24, 32, 3)), "mask": tf.constant(alpha)}
    (frame,) = camera_files.paste_objects(room_camera.background, [example])
    assert frame.shape == (HEIGHT, WIDTH, 3)
    assert frame.dtype == np.uint8
    assert (frame[24, 32] == 255).all()
    np.testing.assert_array_equal(frame[:8], room_camera.background[:8])


def test_8_bits_where_no_frame_has_an_object(segmenter, camera, room_camera):
    """What never changes has no range: LiteRT would end the process."""
    empty = [room_camera.background] * 2
    content = camera_files.convert("tflite_int8", segmenter, camera, empty)
    assert camera_files.check("tflite_int8", content, camera, empty)[1] < 0.001
