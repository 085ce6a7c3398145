"""Relative teachers: maps at the size of the picture, and each picture looked at once."""

import numpy as np
import pytest

from data_pipelines.teacher.network_input import check_map, scale_values
from data_pipelines.teacher.relative_teacher import RelativeTeacher, stretch


def test_a_map_is_stretched_and_what_lies_beside_the_unknown_is_unknown():
    # Twice as wide: columns are taken at 0, a quarter, three quarters of the way, and at the end.
    np.testing.assert_allclose(stretch(np.float64([[1, 3], [5, 7]]), (2, 4)), [[1, 1.5, 2.5, 3], [5, 5.5, 6.5, 7]])
    unknown = stretch(np.float64([[1, 1, np.nan, 1]]), (1, 8))
    assert np.isnan(unknown).tolist() == [[False, False, False, True, True, True, True, False]]


def test_a_picture_is_looked_at_once():
    asked = []

    def ask(picture):
        asked.append(picture.shape)
        return np.arange(6.0).reshape(2, 3) + picture[0, 0, 0]

    teacher = RelativeTeacher("counting", "", "", ask)
    one, other = np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 3), 9, np.uint8)
    np.testing.assert_array_equal(teacher.predict_inverse_depth(one), [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(teacher.predict_inverse_depth(other), [[9, 10, 11], [12, 13, 14]])
    np.testing.assert_array_equal(teacher.predict_inverse_depth(one), [[0, 1, 2], [3, 4, 5]])
    # The same bytes are another picture where they are laid out otherwise.
    teacher.predict_inverse_depth(one.reshape(3, 2, 3))
    assert asked == [(2, 3, 3), (2, 3, 3), (3, 2, 3)]


def test_what_a_network_is_given():
    picture = np.float32([[[255, 51, 0]]])
    np.testing.assert_array_equal(scale_values(picture, "255"), picture)
    np.testing.assert_allclose(scale_values(picture, "one"), [[[1, 0.2, 0]]], rtol=1e-6)
    # (1 - 0.485) / 0.229, (0.2 - 0.456) / 0.224, (0 - 0.406) / 0.225
    np.testing.assert_allclose(scale_values(picture, "imagenet"), [[[2.2489, -1.1429, -1.8044]]], atol=1e-4)


def test_what_is_no_map_is_refused():
    assert check_map(np.arange(80, dtype=np.float32).reshape(1, 8, 10, 1), "n", "one").shape == (8, 10)
    with pytest.raises(ValueError, match=r"n returns \[5\] for one picture; a map"):
        check_map(np.arange(5.0)[None], "n", "one")
    with pytest.raises(ValueError, match="n returns the same value everywhere; is the range of its input one"):
        check_map(np.ones((1, 8, 10)), "n", "one")
