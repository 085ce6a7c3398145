"""Scale and shift from a few known distances, worked out by hand, with liars among them."""

import numpy as np
import pytest

from fgseg_tf.calibration.inverse_fit import KnownDistance, fit_inverse, fit_to_map

HEIGHT, WIDTH = 40, 60
# Value 1 + column: 1 / metres = 0.02 x value + 0.1, so that column 0 is 1 / 0.12 = 8.33 m away, column 44 is 1 m.
VALUES = np.repeat(1.0 + np.arange(WIDTH)[None], HEIGHT, axis=0)


def point(column, row=20, factor=1.0):
    return KnownDistance(column, row, factor / (0.02 * (1 + column) + 0.1))


def test_three_points_fix_scale_and_shift():
    fit = fit_inverse(VALUES, [point(5), point(30), point(50)])
    assert fit.scale == pytest.approx(0.02)
    assert fit.shift == pytest.approx(0.1)
    assert fit.used == (True, True, True)
    metres = fit.to_metres(VALUES)
    assert metres.dtype == np.float32
    assert metres[7, 44] == pytest.approx(1.0)
    assert metres[7, 4] == pytest.approx(5.0)


def test_a_wrong_point_is_named_and_does_not_pull():
    points = [point(5), point(20), point(30, factor=2.5), point(40), point(50)]
    fit = fit_inverse(VALUES, points)
    assert fit.used == (True, True, False, True, True)
    assert fit.scale == pytest.approx(0.02, rel=1e-3)
    assert fit.fitted[2] == pytest.approx(points[2].metres / 2.5, rel=1e-3)


def test_what_is_farther_than_three_times_the_farthest_point_is_cut():
    values = VALUES - 6  # 1 / metres = 0.02 x value + 0.22; none but negative numbers would be infinitely far
    values[0, 0] = -100
    fit = fit_inverse(values, [point(5), point(30), point(50)])
    assert fit.farthest == pytest.approx(3 * point(5).metres)
    assert fit.to_metres(values)[0, 0] == pytest.approx(fit.farthest)


def test_unknown_stays_unknown():
    values = VALUES.copy()
    values[3, 4] = np.nan
    fit = fit_inverse(values, [point(5), point(30), point(50)])
    assert fit.to_metres(values)[3, 4] == 0


@pytest.mark.parametrize(
    ("points", "sentence"),
    [
        ([point(5), point(30)], "`known` has 2 points, and 3 or more are needed to fix scale and shift"),
        ([point(5), point(6), point(7)], r"all points of `known` are .* m away, which fixes no scale"),
        ([point(5), point(30), point(60)], r"`known`=60,20,\S+ is not in the background, whose columns end at 59"),
        ([point(5), point(30), point(50, row=40)], r"is not in the background, .* and rows at 39"),
        (
            [point(5), point(30, factor=3), point(50, factor=0.2)],
            r"the map and the points of `known` do not fit together: no 3 of 3 agree with it to 20%",
        ),
    ],
)
def test_points_that_cannot_tell(points, sentence):
    with pytest.raises(ValueError, match=sentence):
        fit_inverse(VALUES, points)


def test_a_wrong_sign_is_named():
    with pytest.raises(ValueError, match="the map is larger where the known distances are farther: it is no inverse"):
        fit_inverse(VALUES.max() - VALUES, [point(5), point(20), point(30), point(50)])


def test_a_point_where_nothing_is_known():
    values = VALUES.copy()
    values[15:25, 25:35] = np.nan
    with pytest.raises(ValueError, match=r"`known`=30,20,.* is where the depth picture knows nothing"):
        fit_inverse(values, [point(5), point(30), point(50)])


def test_a_map_is_scaled_by_the_part_of_another_that_agrees():
    metres = 1 / (0.02 * VALUES + 0.1)
    metres[:12] = 0  # above the horizon
    metres[12:20] *= np.linspace(1.5, 4, WIDTH)  # furniture, where the floor is not what is seen
    fit, share = fit_to_map(VALUES, metres)
    assert share == pytest.approx(20 / 28, abs=0.02)
    np.testing.assert_allclose(fit.to_metres(VALUES)[20:], metres[20:], rtol=1e-4)
    _, share = fit_to_map(-VALUES, metres)
    assert share < 0.1
