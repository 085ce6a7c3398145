"""How a step of the walk is drawn, by hand."""

import numpy as np
from walk import panels
from walk.panels import Panel, Step

from data_pipelines.config import parse_size


def test_rows_are_few_and_of_like_length():
    gap = 3 * panels.GAP
    third = (panels.WIDEST - 2 * gap) // 3
    assert panels._rows([third] * 3) == [[0, 1, 2]]
    # Four do not fit; two and two are more alike than three and one.
    assert panels._rows([third] * 4) == [[0, 1], [2, 3]]
    assert panels._rows([third] * 7) == [[0, 1, 2], [3, 4, 5], [6]]
    assert panels._rows([panels.WIDEST] * 2) == [[0], [1]]


def test_small_pictures_grow_by_whole_pixels_and_large_ones_shrink():
    small = np.arange(6, dtype=np.uint8).reshape(2, 3)
    times = panels.ENLARGED // 3
    np.testing.assert_array_equal(panels.enlarge(small)[::times, ::times], small)
    assert panels.enlarge(np.zeros((2000, 1000, 3), np.uint8)).shape == (panels.LARGEST, panels.LARGEST // 2, 3)


def test_a_square_around_a_pixel_stays_in_the_picture():
    picture = np.arange(20 * 30, dtype=np.uint16).reshape(20, 30)
    times = panels.ENLARGED // 4
    for centre, corner in (((10, 10), (8, 8)), ((0, 29), (0, 26)), ((19, 0), (16, 0))):
        assert panels.crop_around(picture, centre, 4)[0, 0] == picture[corner]
        assert panels.crop_around(picture, centre, 4).shape == (4 * times, 4 * times)


def test_see_through_by_hand():
    rgba = np.array([[[200, 100, 0, 255], [200, 100, 0, 0], [200, 100, 0, 51]]], np.uint8)
    shown = panels.show_over_green(rgba)[0]
    assert shown[0].tolist() == [200, 100, 0]
    assert shown[1].tolist() == list(panels.GREEN)
    # A fifth of 200, 100, 0 and four fifths of what is behind.
    assert shown[2].tolist() == [
        round(each / 5 + 0.8 * behind) for each, behind in zip((200, 100, 0), panels.GREEN, strict=True)
    ]
    assert set(np.unique(panels.show_over_squares(np.zeros((20, 20, 4), np.uint8)))) == {panels.DARK, panels.LIGHT}


def test_a_box_is_where_it_should_be():
    picture = np.zeros((100, 140, 3), np.uint8)
    shown = panels.draw_boxes(picture, [(10, 20, 50, 90)])
    times = panels.LARGEST // 140
    assert shown.shape == (100 * times, 140 * times, 3)
    assert tuple(shown[10 * times, 20 * times]) == panels.OUTLINE
    assert tuple(shown[50 * times, 90 * times]) == panels.OUTLINE
    assert not shown[30 * times, 60 * times].any()


def test_a_step_of_one_small_picture():
    step = Step("One", "one", (), (), (Panel("a name", np.zeros((8, 6), np.uint8), "and " * 40),))
    drawn = panels.draw_step(1, step)
    assert drawn.width >= 760
    assert drawn.height > panels.ROW


def test_sizes_are_read():
    assert parse_size("224") == (224, 224)
    assert parse_size("192X256") == (192, 256)
