"""Pictures as files, in graphs, and what is said of the object."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from costly_pictures import make_jpeg_of_many_scans
from PIL import Image

from fgseg_tf.serving import jpeg_scans, request_images

pytestmark = pytest.mark.both_stacks

WRONG = tf.errors.InvalidArgumentError


def file_of(picture, kind="PNG", **options) -> bytes:
    written = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(written, kind, **options)
    return written.getvalue()


def decoded(data: bytes) -> np.ndarray:
    return tf.function(lambda file: request_images.decode_picture(file, "bg_bytes"))(tf.constant(data)).numpy()


RGB = np.random.default_rng(0).integers(0, 256, (5, 9, 3)).astype(np.uint8)


def test_kinds_of_files():
    np.testing.assert_array_equal(decoded(file_of(RGB)), RGB)
    assert np.abs(decoded(file_of(np.full((5, 9, 3), 77, np.uint8), "JPEG")).astype(int) - 77).max() <= 1
    np.testing.assert_array_equal(decoded(file_of(RGB[..., 0])), np.repeat(RGB[..., :1], 3, -1))
    alpha = np.dstack([RGB, np.full((5, 9), 128, np.uint8)])
    np.testing.assert_array_equal(decoded(file_of(alpha)), RGB)
    palette = Image.fromarray(RGB).quantize(8)
    np.testing.assert_array_equal(decoded(file_of(palette)), np.asarray(palette.convert("RGB")))
    sixteen = file_of(Image.fromarray(RGB[..., 0].astype(np.uint16) * 257))
    np.testing.assert_array_equal(decoded(sixteen)[..., 1], RGB[..., 0])


@pytest.mark.parametrize("data", [b"", b"\x89", b"hello", b"GIF89a", file_of(RGB, "BMP"), b"\x00" * 40])
def test_what_is_no_picture(data):
    with pytest.raises(WRONG, match="bg_bytes is not a JPEG or PNG file"):
        decoded(data)


def png_that_says(width: int, height: int) -> bytes:
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return request_images.PNG + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))


@pytest.mark.parametrize("size", [(10_000, 10_000), (2**31 - 1, 2**31 - 1), (2**32 - 1, 2**32 - 1), (1, 2**32 - 1)])
def test_a_small_file_of_a_huge_picture(size):
    with pytest.raises(WRONG, match=r"bg_bytes has \d+ pixels; up to 40000000 are looked at"):
        decoded(png_that_says(*size))


def test_nothing_to_see():
    with pytest.raises(WRONG, match="bg_bytes has 0 pixels"):
        decoded(png_that_says(0, 7))


def test_cut_short():
    for whole in (file_of(RGB), file_of(np.tile(RGB, (8, 8, 1)), "JPEG")):
        with pytest.raises(WRONG):
            decoded(whole[:40])


def test_scans_of_a_jpeg():
    """Counted as a decoder meets them: what only looks like one, in a segment or behind the picture, is none."""
    many, few = (make_jpeg_of_many_scans(count, 24, 16) for count in (jpeg_scans.MOST_SCANS + 1, 20))
    for data in (many, many.replace(b"\xff\xda", b"\xff\xff\xff\xda")):
        with pytest.raises(WRONG, match="bg_bytes has more than 100 scans, usual are 10: save it as a plain JPEG"):
            decoded(data)
    film = b"\xff\xda\x00\x08" * 300
    segment = b"\xff\xe2" + (len(film) + 2).to_bytes(2, "big") + film
    for data in (few, few + film, few[:2] + segment + few[2:] + film, few[:2] + segment * 4 + few[2:]):
        assert decoded(data).shape == (16, 24, 3)
    # Segments without end are none of a picture either.
    with pytest.raises(WRONG, match="bg_bytes has more than 100 scans"):
        decoded(few[:2] + b"\xff\xe2\x00\x02" * 3000 + segment + few[2:])
    for end in range(4, len(many), 97):  # wherever it is cut short, one of the sentences or libjpeg's
        with pytest.raises(WRONG):
            decoded(many[:end])


def test_masks_and_depth_as_files():
    mask = np.float32([[0, 0.5, 1], [0.25, 0.998, 0.002]])[..., None]
    np.testing.assert_array_equal(
        np.asarray(Image.open(io.BytesIO(request_images.encode_mask_png(mask).numpy()))), [[0, 128, 255], [64, 254, 1]]
    )
    depth = np.float32([[0.25, 1, 2.0], [255.99, 256, 400]])[..., None]
    found = tf.io.decode_png(request_images.encode_depth_png(depth, 256.0), dtype=tf.uint16).numpy()[..., 0]
    np.testing.assert_array_equal(found, [[64, 256, 512], [65533, 65535, 65535]])


def test_about_the_object_by_hand():
    mask = np.float32([[0, 0, 0, 0, 0], [0, 0.5, 0.9, 0, 0], [0, 0, 0.8, 0.49, 0], [0, 0, 0, 0, 0]])[..., None]
    depth = np.arange(20, dtype=np.float32).reshape(4, 5, 1) + 1
    found = {key: value.numpy().tolist() for key, value in request_images.describe_object(mask, depth).items()}
    assert found["share"] == pytest.approx(3 / 20)
    assert found["box"] == [1, 1, 3, 3]
    # Of 7, 8 and 13.
    assert found["nearest"] == 7
    assert found["median"] == 8


def test_nobody_there():
    mask, depth = np.zeros((4, 5, 1), np.float32), np.ones((4, 5, 1), np.float32)
    found = {key: value.numpy().tolist() for key, value in request_images.describe_object(mask, depth).items()}
    assert found == {"share": 0, "box": [0, 0, 0, 0], "nearest": 0, "median": 0}


def test_everything_is_object():
    found = request_images.describe_object(np.ones((2, 3, 1), np.float32), np.full((2, 3, 1), 5, np.float32))
    assert found["box"].numpy().tolist() == [0, 0, 2, 3]
    assert found["share"].numpy() == 1
