"""Depth of the floor, by hand."""

import math

import numpy as np
import pytest

from fgseg_tf.calibration.floor_plane import (
    compute_floor_depth,
    compute_focal_length,
    compute_horizon,
    compute_tilt,
)

SIZE = (41, 60)  # the middle row is 20


def test_focal_length():
    assert compute_focal_length(60, 90) == pytest.approx(30)
    assert compute_focal_length(60, 2 * math.degrees(math.atan(0.5))) == pytest.approx(60)


def test_a_level_camera():
    depth = compute_floor_depth(SIZE, 2.0, 90, 0)
    # 15 rows down, with a focal length of 30, the ray falls by half of its depth: 2 m after 4 m.
    assert depth[35, 7] == pytest.approx(4.0)
    assert depth[40, 0] == pytest.approx(3.0)
    assert (depth[:21] == 0).all()
    assert (depth == depth[:, :1]).all()


def test_a_tilted_camera():
    depth = compute_floor_depth(SIZE, 2.0, 90, 30)
    # The optical axis meets the floor 2 / sin(30) = 4 m away; depth is along that axis.
    assert depth[20, 3] == pytest.approx(4.0)
    assert compute_horizon(SIZE, 90, 30) == pytest.approx(20 - 30 * math.tan(math.radians(30)))
    assert compute_tilt(SIZE, 90, compute_horizon(SIZE, 90, 30)) == pytest.approx(30)
    seen = np.nonzero(depth[:, 0])[0]
    assert seen[0] > compute_horizon(SIZE, 90, 30)


def test_a_rolled_camera():
    # Turned clockwise by 90 degrees, less one, columns to the right would see what lies below; here by atan(3/4).
    roll = math.degrees(math.atan2(3, 4))
    depth = compute_floor_depth(SIZE, 2.0, 90, 0, roll)
    # Level: of the ray through column 44.5 (15 / 30 to the right) 3/5 of that counts as down, 0.3: 2 m after 6.67 m.
    columns = np.arange(60) - 29.5
    expected = 2.0 / ((columns * 3 / 5 + (35 - 20) * 4 / 5) / 30)
    np.testing.assert_allclose(depth[35, columns > -18], expected[columns > -18], rtol=1e-5)
    # Its floor is on the lower right, and its mirror image is that of a camera rolled the other way.
    assert depth[20, 59] > 0
    assert depth[20, 0] == 0
    np.testing.assert_allclose(compute_floor_depth(SIZE, 2.0, 90, 0, -roll), depth[:, ::-1], rtol=1e-5)
    horizon = compute_horizon(SIZE, 90, 20, roll)
    assert horizon == pytest.approx(20 - 30 * math.tan(math.radians(20)) * 5 / 4)
    assert compute_tilt(SIZE, 90, horizon, roll) == pytest.approx(20)
    tilted = compute_floor_depth((401, 60), 2.0, 90, 20, roll)
    seen = np.nonzero(tilted[:, 29] + tilted[:, 30])[0]
    assert seen[0] - 1 == pytest.approx(compute_horizon((401, 60), 90, 20, roll), abs=2)


def test_straight_down_it_is_the_height_everywhere():
    np.testing.assert_allclose(compute_floor_depth(SIZE, 2.5, 60, 90), 2.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("height", "fov", "tilt", "sentence"),
    [
        (2, 0, 10, "`fov`=0 is not a field of view"),
        (2, 180, 10, "`fov`=180 is not a field of view"),
        (0, 60, 10, "`camera_height`=0 is not a height"),
        (2, 60, 100, "`tilt`=100 is not a tilt"),
        (2, 60, 20, "`roll`=95 is not a roll"),
        (2, 60, -50, "looks down by -50 degrees sees no floor nearer than 100 m"),
    ],
)
def test_refusals(height, fov, tilt, sentence):
    with pytest.raises(ValueError, match=sentence):
        compute_floor_depth(SIZE, height, fov, tilt, 95 if "roll" in sentence else 0)
