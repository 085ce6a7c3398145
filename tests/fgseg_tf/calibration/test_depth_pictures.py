"""Depth pictures of every kind, read to the value; what is none is refused in one sentence."""

import numpy as np
import pytest
from PIL import Image

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
    with pytest.raises(ValueError, match=r"b\.exr is not an OpenEXR file, or is damaged"):
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
        ("a.png", b"GIF89a", r"a\.png is not a PNG or TIFF, or is damaged"),
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
    with pytest.raises(ValueError, match=r"is no array of numbers \(it holds float64 \[8000000, 120000\]\)"):
        read_depth_picture(str(tmp_path / "a.npy"), "metres")


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
