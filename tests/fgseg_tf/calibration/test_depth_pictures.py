"""Depth pictures of every kind, read to the value; what is none is refused in one sentence."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgseg_tf.calibration import depth_pictures
from fgseg_tf.calibration.depth_pictures import fill_holes, read_depth_picture, resize_depth

METRES = np.linspace(1, 12, 96).reshape(8, 12)


def save(path, values):
    if path.suffix == ".npy":
        np.save(path, values)
    else:
        Image.fromarray(values).save(path)
    return str(path)


@pytest.mark.parametrize(
    ("name", "values", "kind", "wanted", "tolerance"),
    [
        ("a.png", (METRES * 1000).round().astype(np.uint16), "millimetres", METRES, 5e-4),
        ("a.png", (METRES * 256).round().astype(np.uint16), "metres256", METRES, 2e-3),
        ("a.png", METRES.round().astype(np.uint8), "metres", METRES.round(), 0),
        ("a.tiff", METRES.astype(np.float32), None, METRES, 1e-6),
        ("a.npy", METRES, None, METRES, 0),
        ("a.npy", METRES[None, :, :, None].astype(np.float16), "metres", METRES, 5e-3),
    ],
)
def test_metres(tmp_path, name, values, kind, wanted, tolerance):
    read = read_depth_picture(save(tmp_path / name, values), kind)
    assert read.is_metric
    np.testing.assert_allclose(read.values, wanted, atol=tolerance)


def test_open_exr(tmp_path):
    openexr = pytest.importorskip("OpenEXR", reason="pip install '.[calibration]'")
    header = {"compression": openexr.ZIP_COMPRESSION, "type": openexr.scanlineimage}
    with openexr.File(header, {"Z": METRES.astype(np.float32)}) as file:
        file.write(str(tmp_path / "a.exr"))
    np.testing.assert_allclose(read_depth_picture(str(tmp_path / "a.exr"), None).values, METRES, rtol=1e-6)
    (tmp_path / "b.exr").write_bytes(b"no")
    with pytest.raises(ValueError, match=r"b\.exr is not an OpenEXR file, or is damaged in its header"):
        read_depth_picture(str(tmp_path / "b.exr"), None)


def test_unknown_pixels(tmp_path):
    values = METRES.copy()
    values[2, 3], values[0, 0], values[7, 11] = 0, np.nan, np.inf
    read = read_depth_picture(save(tmp_path / "a.npy", values), "metres").values
    assert np.argwhere(np.isnan(read)).tolist() == [[0, 0], [2, 3], [7, 11]]
    # Of inverse depth, 0 is infinitely far away, and so is known.
    assert np.argwhere(np.isnan(read_depth_picture(str(tmp_path / "a.npy"), "inverse").values)).tolist() == [
        [0, 0],
        [7, 11],
    ]


def test_relative_depth_becomes_inverse(tmp_path):
    path = save(tmp_path / "a.npy", 7 * METRES)
    inverse, relative = read_depth_picture(path, "inverse"), read_depth_picture(path, "relative")
    assert not inverse.is_metric
    np.testing.assert_array_equal(inverse.values, 7 * METRES)
    np.testing.assert_allclose(relative.values, 1 / (7 * METRES))


@pytest.mark.parametrize(
    ("name", "values", "kind", "sentence"),
    [
        ("a.png", METRES.astype(np.uint16), None, "holds whole numbers, which may mean anything: say what they are"),
        ("a.npy", -METRES, "metres", "has negative values, which are no distances"),
        ("a.npy", 0 * METRES, "metres", "knows no distance: every value is 0 or not finite"),
        ("a.npy", np.full((8, 12), np.nan), None, "knows no distance"),
        ("a.npy", np.ones((8, 12)), "inverse", "has the same value everywhere"),
        ("a.npy", METRES, "millimetres", "has a median of 0.0065 m as millimetres; is `background_depth_kind` right?"),
        ("a.npy", np.ones((3, 8, 12)), "metres", r"has the shape \[3, 8, 12\]; \[height, width\] is needed"),
        ("a.npy", np.array([{"a": 1}], object), "metres", "is no array of numbers"),
        ("a.png", np.zeros((8, 12, 3), np.uint8), "metres", r"has colours \(mode RGB\), and no distances in them"),
    ],
)
def test_refusals(tmp_path, name, values, kind, sentence):
    with pytest.raises(ValueError, match=sentence):
        read_depth_picture(save(tmp_path / name, values), kind)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.png", b"GIF89a", r"a\.png is not a PNG or TIFF, or is damaged in its header"),
        ("a.png", b"\x89PNG\r\n\x1a\n\x00\x00", r"a\.png is not a PNG or TIFF, or is damaged in its header"),
        ("a.npy", b"\x93NUMPY\x01\x00v\x00{'descr'", "is no array of numbers"),
        ("a.npy", b"", "is no array of numbers"),
        ("a.jpg", b"", r"a\.jpg is no depth picture by its name; give one that ends in \.png"),
        ("a.tiff", None, r"a\.tiff cannot be read"),
    ],
)
def test_files_that_are_none(tmp_path, name, content, sentence):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=sentence):
        read_depth_picture(str(tmp_path / name), "metres")


def test_a_header_of_a_huge_array_is_not_believed(tmp_path):
    np.save(tmp_path / "a.npy", METRES)
    content = (tmp_path / "a.npy").read_bytes().replace(b"(8, 12), }" + b" " * 10, b"(8000000, 120000), }")
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"or too large: it holds float64 \[8000000, 120000\]"):
        read_depth_picture(str(tmp_path / "a.npy"), "metres")


def test_a_header_that_would_overflow_the_stack_is_one_sentence(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (8, " + b"-" * 9000 + b"12)}"
    content = b"\x93NUMPY\x01\x00" + len(header + b"\n").to_bytes(2, "little") + header + b"\n"
    (tmp_path / "a.npy").write_bytes(content + METRES.tobytes())
    with pytest.raises(ValueError, match="is no array of numbers"):
        read_depth_picture(str(tmp_path / "a.npy"), "metres")


def test_an_array_that_is_cut_short(tmp_path):
    path = save(tmp_path / "a.npy", METRES)
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-8])
    with pytest.raises(ValueError, match=r"a\.npy is damaged or cut short"):
        read_depth_picture(path, "metres")


def test_an_archive_is_not_taken_for_an_array(tmp_path):
    np.savez(tmp_path / "a.npz", METRES)
    (tmp_path / "a.npz").rename(tmp_path / "a.npy")
    with pytest.raises(ValueError, match="is no array of numbers"):
        read_depth_picture(str(tmp_path / "a.npy"), "metres")


def test_a_picture_that_is_cut_short_is_refused_or_whole(tmp_path):
    whole = save(tmp_path / "whole.png", (METRES * 1000).astype(np.uint16))
    content = Path(whole).read_bytes()
    for length in range(0, len(content) - 12, 7):
        (tmp_path / "a.png").write_bytes(content[:length])
        reason = ""
        try:
            read = read_depth_picture(str(tmp_path / "a.png"), "millimetres").values
        except ValueError as error:
            reason = str(error)
        else:  # but for a check sum all was there
            np.testing.assert_array_equal(read, read_depth_picture(whole, "millimetres").values)
        assert not reason or re.search(r"a\.png is (damaged or cut short|not a PNG or TIFF)", reason)
    assert length > 100


def test_a_picture_that_is_too_large_is_refused_by_its_header(tmp_path, monkeypatch):
    monkeypatch.setattr(depth_pictures, "MAX_PIXELS", 95)
    for name, values in (("a.png", METRES.astype(np.uint16)), ("a.npy", METRES)):
        with pytest.raises(ValueError, match=r"too large: 12 x 8 pixels, 95 are allowed|holds float64 \[8, 12\]"):
            read_depth_picture(save(tmp_path / name, values), "metres")


def test_resized_by_the_nearest_value():
    values = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    np.testing.assert_array_equal(resize_depth(values, (4, 6))[1:3, 1:5], [[1, 2, 2, 3], [4, 5, 5, 6]])
    np.testing.assert_array_equal(resize_depth(np.repeat(np.repeat(values, 3, 0), 3, 1), (2, 3)), values)
    with pytest.raises(
        ValueError, match="the depth picture is 2 x 3 and the background 4 x 4: they do not show the same"
    ):
        resize_depth(values, (4, 4))


def test_holes_take_the_farther_side():
    metres = np.array([[3.0, 0, 0, 5.0], [0, 2.0, 0, 0], [0, 0, 0, 0], [7.0, 0, 1.0, 0]])
    np.testing.assert_array_equal(fill_holes(metres), [[3, 5, 5, 5], [2, 2, 2, 2], [7, 7, 1, 1], [7, 7, 1, 1]])
