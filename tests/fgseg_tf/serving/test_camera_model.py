"""The SavedModel of one camera returns for a frame what the camera of Python does."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tiny_data import DEPTH_SCALE, HEIGHT, SIDE, WIDTH

from fgseg_tf.calibration.camera_folder import GUESSED
from fgseg_tf.model.weights import load_packaged
from fgseg_tf.serving import camera_model as serving_camera
from fgseg_tf.serving import parity

pytestmark = pytest.mark.both_stacks

WRONG = tf.errors.InvalidArgumentError


@pytest.fixture(scope="module")
def signatures(camera_model):
    return tf.saved_model.load(camera_model).signatures


@pytest.fixture(scope="module")
def frames(room_camera) -> np.ndarray:
    return parity.draw_frames(room_camera.background, 3)


@pytest.fixture(scope="module")
def expected(segmenter, room_camera, frames) -> dict:
    camera = segmenter.camera(room_camera)
    return parity.predict_with_cameras([camera] * len(frames), frames)


def close(answer: dict, expected: dict) -> None:
    np.testing.assert_allclose(answer["mask"], expected["mask"], atol=1e-5)
    np.testing.assert_allclose(answer["similarity"], expected["similarity"], atol=1e-5)
    decided = parity.find_decided(expected["mask"])
    assert decided.mean() > 0.99
    np.testing.assert_allclose(answer["depth"].numpy()[decided], expected["depth"][decided], rtol=1e-4)


def test_frames_alone(signatures, frames, expected, room_camera):
    assert {name: set(each.structured_input_signature[1]) for name, each in signatures.items()} == {
        "serving_default": {"fg_bg"},
        "serving_float": {"fg_bg"},
        "serving_bytes": {"fg_bg_bytes"},
    }
    answer = signatures["serving_default"](fg_bg=tf.constant(frames))
    close(answer, expected)
    close(signatures["serving_float"](fg_bg=tf.constant(frames, tf.float32) / 255), expected)
    # Metres of the folder, not of a network.
    mask, depth = (answer[name].numpy()[0, ..., 0] for name in ("mask", "depth"))
    assert 0.05 < (mask >= 0.5).mean() < 0.5
    np.testing.assert_array_equal(depth[mask < 0.5], room_camera.depth[mask < 0.5])
    assert (depth[mask >= 0.5] < room_camera.depth[mask >= 0.5]).mean() > 0.8, "objects stand before the background"


def test_files(signatures, frames, expected):
    answer = signatures["serving_bytes"](fg_bg_bytes=tf.stack([tf.io.encode_png(frame) for frame in frames]))
    depth = tf.io.decode_png(answer["depth_png_bytes"][2], dtype=tf.uint16).numpy() / 256
    decided = parity.find_decided(expected["mask"][2])
    np.testing.assert_allclose(depth[decided], expected["depth"][2][decided], atol=1 / 256)
    np.testing.assert_allclose(answer["share"], (expected["mask"] >= 0.5).mean((1, 2, 3)), atol=1e-3)


def test_frames_of_another_camera(signatures, frames):
    said = f"pictures of this camera are {WIDTH} x {HEIGHT} pixels and fg_bg is {WIDTH} x {HEIGHT - 1}: send its frames"
    with pytest.raises(WRONG, match=said):
        signatures["serving_default"](fg_bg=tf.constant(frames[:, 1:]))
    with pytest.raises(WRONG, match=said):
        signatures["serving_bytes"](fg_bg_bytes=tf.io.encode_png(frames[0, 1:])[None])
    with pytest.raises(WRONG, match="fg_bg has values that are not from 0 to 1: divide by 255"):
        signatures["serving_float"](fg_bg=tf.constant(frames, tf.float32))


def test_where_depth_is_guessed_it_is_the_network_s(segmenter, room_camera, frames):
    _, signatures = serving_camera.build(segmenter, DEPTH_SCALE, replace(room_camera, trust=GUESSED))
    answer = signatures["serving_default"](fg_bg=tf.constant(frames[:1]))
    pair = {"bg": room_camera.background[None], "fg_bg": frames[:1]}
    plain = parity.predict_with_keras(load_packaged("small")[0], SIDE, pair)
    np.testing.assert_allclose(answer["depth"], plain["depth"], rtol=1e-4)


def test_another_camera_s_is_refused(segmenter, room_camera, camera_model):
    assert 0 < parity.check_camera_model(segmenter, DEPTH_SCALE, room_camera, camera_model) < 1e-5
    # In the mask and the similarity nothing differs.
    farther = replace(room_camera, depth=room_camera.depth * 1.01)
    with pytest.raises(parity.ParityError, match=r"^serving_default of .* is off by .* it was not made visible"):
        parity.check_camera_model(segmenter, DEPTH_SCALE, farther, camera_model)


def test_depth_may_differ_where_the_mask_says_neither():
    expected = {"mask": np.array([[[[0.2], [0.5], [0.9]]]]), "depth": np.array([[[[4.0], [4.0], [2.0]]]])}
    expected["similarity"] = np.array([0.8])

    def measure(**changes):
        return parity.measure_placed_difference({**expected, **changes}, expected)

    assert measure() == 0
    assert measure(depth=np.array([[[[4.0], [2.0], [2.0]]]])) == 0
    assert measure(depth=np.array([[[[4.0], [4.0], [1.0]]]])) == pytest.approx(0.1)
    assert measure(depth=np.array([[[[0.0], [4.0], [2.0]]]])) == np.inf
    assert measure(similarity=np.array([0.7])) == pytest.approx(0.1)
    assert measure(mask=np.array([[[[0.2], [0.5], [0.7]]]])) == pytest.approx(0.2)


def test_nothing_and_too_much(signatures, frames):
    """As every signature of a model that has no background inside."""
    many = tf.repeat(tf.constant(frames[:1]), 257, 0)
    file = tf.io.encode_png(frames[0]).numpy()
    floats = np.full(frames.shape, 0.5, np.float32)
    floats.flat[floats.size // 2] = np.nan
    for name, inputs, sentence in (
        ("serving_default", {"fg_bg": many[:0]}, "there are no frames: give one or more"),
        ("serving_default", {"fg_bg": many}, "there are 257 frames; up to 256 are looked at in a request"),
        ("serving_float", {"fg_bg": tf.constant(floats)}, "fg_bg has values that are not from 0 to 1"),
        ("serving_bytes", {"fg_bg_bytes": tf.constant([], tf.string)}, "there are no frames: give one or more"),
        ("serving_bytes", {"fg_bg_bytes": tf.constant([file] * 257)}, "there are 257 frames; up to 256"),
    ):
        with pytest.raises(WRONG, match=sentence):
            signatures[name](**inputs)
