"""Contours of equal depth: their distances, and where they run, by hand."""

import numpy as np
import pytest

from fgseg_tf.calibration.floor_plane import compute_floor_depth
from fgseg_tf.report import contours

# A focal length of 80 pixels, and the horizon between rows 59 and 60: depth in row r is 160 / (r - 59.5).
SIZE, FOV, CAMERA_HEIGHT = (120, 160), 90.0, 2.0
FLOOR = compute_floor_depth(SIZE, CAMERA_HEIGHT, FOV, 0)


@pytest.mark.parametrize(
    ("near", "far", "levels"),
    [
        (1.2, 4.6, [1.5, 2, 2.5, 3, 3.5, 4, 4.5]),
        (2.7, 51, [3, 5, 7, 10, 15, 20, 30, 50]),
        (1.9, 10.1, [2, 2.5, 3, 4, 5, 6, 8, 10]),
        (1, 200, [1, 2, 5, 10, 20, 50, 100, 200]),
        (4, 4, []),
        (0, 4, []),
    ],
)
def test_distances_of_contours(near, far, levels):
    assert contours.choose_levels(near, far) == levels


def test_there_are_6_to_10_contours():
    counts = []
    for near in np.geomspace(0.3, 100, 40):
        for far in near * np.geomspace(1.1, 500, 80):
            levels = contours.choose_levels(near, far)
            assert near <= levels[0] < levels[-1] <= far
            counts.append(len(levels))
    # Here and there no round numbers have as many in the range.
    assert 5 <= min(counts) <= max(counts) <= 11
    assert np.mean([6 <= count <= 10 for count in counts]) > 0.99


def test_a_level_is_traced_by_hand():
    values = np.zeros((4, 5))
    values[2, 1] = 2
    (line,) = contours.trace_level(values, 0.5)
    # A quarter of the way from its four neighbours, and closed.
    assert line[0].tolist() == line[-1].tolist()
    assert {tuple(point) for point in line.tolist()} == {(1, 1.25), (1.75, 2), (1, 2.75), (0.25, 2)}
    assert contours.trace_level(values, 3) == []
    values[1, 1] = np.nan
    (line,) = contours.trace_level(values, 0.5)
    assert line.tolist() in ([[0.25, 2], [1, 2.75], [1.75, 2]], [[1.75, 2], [1, 2.75], [0.25, 2]])


@pytest.mark.parametrize(
    # Equal corners are joined where the middle, 0.5, is on their side of the level.
    ("level", "pairs"),
    [
        (0.25, {((0.75, 0), (1, 0.25)), ((0, 0.75), (0.25, 1))}),
        (0.75, {((0, 0.25), (0.25, 0)), ((0.75, 1), (1, 0.75))}),
    ],
)
def test_a_saddle(level, pairs):
    lines = contours.trace_level(np.eye(2), level)
    assert {tuple(sorted(map(tuple, line.tolist()))) for line in lines} == pairs


def test_contours_of_a_floor_by_hand():
    lines = contours.find_contours(FLOOR)
    assert list(lines)[:5] == [3, 5, 7, 10, 15]
    # 160 / 10 = 16 rows below the horizon, which is at 60 from the upper border; across the whole picture.
    (line,) = lines[10]
    np.testing.assert_allclose(sorted(line.tolist()), [[0.5, 76], [159.5, 76]], atol=1e-4)
    (line,) = lines[5]
    np.testing.assert_allclose(line[:, 1], 92, atol=1e-4)


def test_contours_end_where_nothing_is_known():
    depth = FLOOR.copy()
    depth[:, 90:] = 0
    (line,) = contours.find_contours(depth)[5]
    assert line[:, 0].max() == 89.5
    assert contours.find_contours(np.zeros(SIZE)) == {}
    assert contours.find_contours(np.full(SIZE, 3.0)) == {}


def test_a_large_picture_has_the_same_contours():
    depth = compute_floor_depth((900, 1200), CAMERA_HEIGHT, FOV, 0)
    (line,) = contours.find_contours(depth)[10]
    np.testing.assert_allclose(line[:, 1], 450 + 600 * CAMERA_HEIGHT / 10, atol=0.01)


def test_lines_are_simplified():
    line = np.array([[0, 0], [1, 0.01], [2, 0], [2, 1], [2, 2.0]])
    assert contours.simplify(line, 0.1).tolist() == [[0, 0], [2, 0], [2, 2]]
    closed = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0.0]])
    assert contours.simplify(closed, 0.1).tolist() == closed.tolist()


def test_labels_keep_away_from_others():
    line = [np.array([[0.5, 50], [99.5, 50]])]
    x, y = contours.place_label(line, [(10, 50), (60, 50)], (100, 100))
    # Not between the two, 25 from each, but near the right border.
    assert 85 <= x <= 94
    assert y == 50
    assert contours.place_label([np.array([[0.5, 1], [99.5, 1]])], [], (100, 100)) is None
