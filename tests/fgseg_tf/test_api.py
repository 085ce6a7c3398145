"""The Python API: its examples run, pictures may be arrays or files, and what is refused is said in one sentence."""

import doctest

import numpy as np
import pytest
from PIL import Image

import fgseg_tf
from fgseg_tf import api

pytestmark = pytest.mark.both_stacks

HEIGHT, WIDTH = 48, 72


@pytest.fixture(scope="module")
def segmenter() -> fgseg_tf.Segmenter:
    return fgseg_tf.load("small", size=64)


def test_examples_in_docstrings_run():
    failed, attempted = doctest.testmod(api)
    assert attempted >= 14
    assert failed == 0


def test_everything_that_it_names_is_there():
    for name in fgseg_tf.__all__:
        assert getattr(fgseg_tf, name).__name__ == name
    with pytest.raises(AttributeError, match="has no attribute 'lode'; it has Camera, "):
        fgseg_tf.lode  # noqa: B018


def test_pictures_are_arrays_or_files(segmenter, tmp_path):
    bg = np.random.default_rng(0).integers(60, 200, (HEIGHT, WIDTH, 3), np.uint8)
    frame = bg.copy()
    frame[10:40, 20:40] = (200, 30, 30)
    for name, picture in (("bg", bg), ("frame", frame)):
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    of_arrays = segmenter.camera(bg).segment(frame)
    of_files = segmenter.camera(tmp_path / "bg.png").segment(str(tmp_path / "frame.png"))
    np.testing.assert_array_equal(of_arrays.mask, of_files.mask)
    np.testing.assert_array_equal(of_arrays.depth, of_files.depth)
    assert of_arrays.mask.shape == of_arrays.depth.shape == (HEIGHT, WIDTH)
    assert of_arrays.mask[25, 30] > 0.5 > of_arrays.mask[44, 5]
    assert 0 <= of_arrays.similarity <= 1


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        (np.zeros((HEIGHT, WIDTH), np.uint8), r"is uint8 \[48, 72\]; give uint8 \[height, width, 3\]"),
        (np.zeros((HEIGHT, WIDTH, 3), np.float32), r"is float32 \[48, 72, 3\]; give uint8"),
        (np.zeros((HEIGHT, WIDTH + 1, 3), np.uint8), r"is 48 x 73 pixels, its background 48 x 72"),
    ],
)
def test_frames_that_cannot_be(segmenter, picture, sentence):
    camera = segmenter.camera(np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    with pytest.raises(ValueError, match=sentence):
        camera.segment(picture)


def test_networks_that_are_not_there(tmp_path):
    with pytest.raises(ValueError, match=r"^'bse' is not a network of the package \(small, base\) and not the folder"):
        fgseg_tf.load("bse")
    with pytest.raises(ValueError, match="`size`=16 is too small; take 32 or more"):
        fgseg_tf.load("small", size=16)
    with pytest.raises(ValueError, match="There is no data set in"):
        fgseg_tf.open_data(tmp_path)
