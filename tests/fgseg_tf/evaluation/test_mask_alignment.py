"""By how much masks lie beside what they show: small planes, worked out by hand."""

import numpy as np
import pytest

from fgseg_tf.evaluation.mask_alignment import Offset, find_offset, move_labels

HEIGHT, WIDTH = 30, 44  # 5 % of the longer side are 2 pixels


def plane(top: int, left: int) -> np.ndarray:
    """6 rows of 10 pixels."""
    made = np.zeros((HEIGHT, WIDTH), bool)
    made[top : top + 6, left : left + 10] = True
    return made


def test_all_frames_together_decide():
    found, inside = plane(10, 20), plane(11, 18)
    best = find_offset([(found, inside, ~inside), (plane(3, 4), plane(4, 2), ~plane(4, 2))])
    assert (best.down, best.right, best.f) == (-1, 2, 1)
    # 5 rows of 8 pixels of 6 rows of 10.
    assert best.f_unmoved == pytest.approx(2 * 40 / (2 * 40 + 20 + 20))
    assert best


def test_what_leaves_on_one_side_does_not_come_in_on_the_other():
    found, inside = plane(0, 0), plane(HEIGHT - 6, WIDTH - 10)
    best = find_offset([(found, inside, ~inside)])
    assert best.f == best.f_unmoved == 0
    assert not best


def test_no_farther_than_a_sensor_is_beside_a_camera():
    best = find_offset([(plane(10, 20), plane(10, 15), ~plane(10, 15))])
    assert (best.down, best.right) == (0, 2)
    # 7 columns of 10.
    assert best.f == pytest.approx(0.7)


def test_where_a_mask_says_nothing_nothing_counts():
    found, inside = plane(10, 20), plane(10, 20)
    unknown = np.zeros_like(found)
    unknown[:, 25:] = True
    best = find_offset([(found, inside & ~unknown, ~inside & ~unknown)])
    assert (best.down, best.right, best.f) == (0, 0, 1)
    assert not best
    with pytest.raises(ValueError, match="no frame has a mask"):
        find_offset([])


@pytest.mark.parametrize(
    ("down", "right", "expected"),
    [
        (0, 0, [[1, 2, 3], [4, 5, 6]]),
        (1, 0, [[9, 9, 9], [1, 2, 3]]),
        (0, -2, [[3, 9, 9], [6, 9, 9]]),
        (-1, 1, [[9, 4, 5], [9, 9, 9]]),
    ],
)
def test_moved(down, right, expected):
    labels = np.array([[1, 2, 3], [4, 5, 6]], np.uint16)
    found = move_labels(labels, Offset(down, right, 1.0, 0.0), 9)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.uint16
