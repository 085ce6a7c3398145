"""Levels of cut-outs worked by hand: a 20 x 12 one of two colours, shown at most 10 pixels long."""

import numpy as np
import pytest

from data_pipelines.compositing.cutout_pyramid import RELIEF_UNIT, build_pyramid

RED, BLUE = (200, 0, 0, 255), (0, 0, 100, 51)


def two_colours(height=20, width=12, boundary=5):
    cutout = np.empty((height, width, 4), np.uint8)
    cutout[:, :boundary], cutout[:, boundary:] = RED, BLUE
    return cutout


def level_of(pyramid, cutout, level):
    begin, height, width = (int(a[cutout, level]) for a in (pyramid.offset, pyramid.height, pyramid.width))
    return pyramid.pixels[begin : begin + height * width * 4].reshape(height, width, 4)


def relief_of(pyramid, cutout, level):
    begin, height, width = (int(a[cutout, level]) for a in (pyramid.offset, pyramid.height, pyramid.width))
    return pyramid.reliefs[begin // 4 : begin // 4 + height * width].reshape(height, width)


def test_area_average_of_premultiplied_colour():
    level = level_of(build_pyramid([two_colours()], largest=10), 0, 0)
    assert level.dtype == np.uint8
    assert level.shape == (12, 8, 4)
    inside = level[1:-1, 1:-1]
    # Columns 4 and 5 of the cut-out meet in column 2: red 200/2, blue 100 * 51/255 / 2, alpha (255 + 51)/2.
    row = [(200, 0, 0, 255)] * 2 + [(100, 0, 10, 153)] + [(0, 0, 20, 51)] * 3
    np.testing.assert_array_equal(inside, np.broadcast_to(np.array(row), (10, 6, 4)))


def test_border_is_transparent():
    level = level_of(build_pyramid([two_colours()], largest=10), 0, 0).copy()
    assert level[1:-1, 1:-1].any(-1).all()
    level[1:-1, 1:-1] = 0
    assert not level.any()


def test_colour_of_what_is_transparent_does_not_come_back():
    cutout = two_colours()
    cutout[:, :5] = (255, 255, 255, 0)
    level = level_of(build_pyramid([cutout], largest=10), 0, 0)
    np.testing.assert_array_equal(level[5, 1:7], [(0, 0, 0, 0)] * 2 + [(0, 0, 10, 26)] + [(0, 0, 20, 51)] * 3)


def test_full_size_is_kept_as_it_is():
    level = level_of(build_pyramid([two_colours()]), 0, 0)[1:-1, 1:-1]
    row = [RED] * 5 + [(0, 0, 20, 51)] * 7
    np.testing.assert_array_equal(level, np.broadcast_to(np.array(row), (20, 12, 4)))


def test_never_enlarged():
    pyramid = build_pyramid([two_colours()], largest=1000)
    assert pyramid.longest[0, 0] == 20


def test_sizes_fall_by_the_square_root_of_two():
    pyramid = build_pyramid([two_colours(40, 24)])
    # 40, 28.28, 20, 14.14, 10; the next would be 7.07, under the smallest of 8.
    np.testing.assert_array_equal(pyramid.longest, [[40, 28, 20, 14, 10]])
    np.testing.assert_array_equal(pyramid.height, [[42, 30, 22, 16, 12]])
    np.testing.assert_array_equal(pyramid.width, [[26, 19, 14, 10, 8]])
    assert pyramid.longest.dtype == np.float32
    assert pyramid.height.dtype == pyramid.width.dtype == np.int32


def test_second_cutout():
    wide = two_colours(6, 9)
    wide[0, 0] = (9, 8, 7, 255)
    pyramid = build_pyramid([two_colours(20, 12), wide])
    # 20 long: levels of 20, 14 and 10; 9 long: one level, which the missing ones repeat.
    np.testing.assert_array_equal(pyramid.longest, [[20, 14, 10], [9, 9, 9]])
    sizes = [22 * 14, 16 * 10, 12 * 8]
    np.testing.assert_array_equal(pyramid.offset, [4 * np.cumsum([0, *sizes])[:3], [4 * sum(sizes)] * 3])
    assert len(pyramid.pixels) == 4 * (sum(sizes) + 8 * 11)
    for level in range(3):
        found = level_of(pyramid, 1, level)
        assert found.shape == (8, 11, 4)
        np.testing.assert_array_equal(found[1, 1], (9, 8, 7, 255))
        np.testing.assert_array_equal(found[6, 9], (0, 0, 20, 51))
    assert level_of(pyramid, 0, 2)[1, 1].tolist() == list(RED)


def test_aspect():
    pyramid = build_pyramid([two_colours(20, 12), two_colours(6, 9)])
    np.testing.assert_allclose(pyramid.aspect, [[1, 0.6], [2 / 3, 1]], rtol=1e-6)
    assert pyramid.aspect.dtype == np.float32


def test_a_line_keeps_one_pixel():
    pyramid = build_pyramid([two_colours(100, 2)])
    assert pyramid.width.min() == 3
    assert level_of(pyramid, 0, pyramid.longest.shape[1] - 1)[1:-1, 1:-1].any()


def test_reliefs_are_never_blended():
    relief = np.where(np.arange(12) < 5, -0.5, 0.25).astype(np.float32) + np.zeros((20, 1), np.float32)
    pyramid = build_pyramid([two_colours()], [relief], largest=10)
    found = relief_of(pyramid, 0, 0)
    assert found.dtype == np.int16
    assert len(pyramid.reliefs) == len(pyramid.pixels) // 4
    assert set(np.unique(pyramid.reliefs)) == {-512, 256}
    # Columns 0..1 of the level are red, 3..5 blue; the border repeats what it is next to.
    assert (found[:, :3] == -512).all()
    assert (found[:, 4:] == 256).all()
    assert found.shape == (12, 8)


def test_relief_is_rounded_and_clipped():
    relief = np.array([[0.4, 0.6, 1e6, -1e6]], np.float32) * np.float32(RELIEF_UNIT)
    relief = np.where(np.abs(relief) > 1, np.sign(relief) * 1000, relief).astype(np.float32)
    found = relief_of(build_pyramid([np.full((1, 4, 4), 255, np.uint8)], [relief]), 0, 0)
    np.testing.assert_array_equal(found[1, 1:-1], [0, 1, 32767, -32768])


def test_without_reliefs():
    assert build_pyramid([two_colours()]).reliefs is None


@pytest.mark.parametrize("largest", [15, 37, 40])
def test_every_level_has_its_size(largest):
    pyramid = build_pyramid([two_colours(40, 24), two_colours(13, 31)], largest=largest)
    for cutout in range(2):
        for level in range(pyramid.longest.shape[1]):
            inner = level_of(pyramid, cutout, level)[1:-1, 1:-1]
            assert max(inner.shape[:2]) == pyramid.longest[cutout, level] <= largest
            assert inner[0, 0].tolist() == list(RED)
            assert inner[-1, -1].tolist() == [0, 0, 20, 51]
