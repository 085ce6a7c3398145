"""Metres from the floor of a relative map, against floors that are worked out ray by ray."""

import numpy as np
import pytest

from data_pipelines.compositing.floor_scale import FARTHEST, scale_to_floor

HEIGHT, WIDTH, FIELD_OF_VIEW = 60, 100, 50.0
FOCAL = 30 / np.tan(np.radians(25))
CAMERA_HEIGHT, WALL = 2.5, 9.0


def cast_room(tilt: float, roll: float = 0.0) -> np.ndarray:
    """Returns metres of a floor, and of a wall at WALL metres of the optical axis, float64 [HEIGHT, WIDTH]."""
    v, u = np.mgrid[:HEIGHT, :WIDTH]
    x, y = (u - (WIDTH - 1) / 2) / FOCAL, (v - (HEIGHT - 1) / 2) / FOCAL
    level = y * np.cos(np.radians(roll)) + x * np.sin(np.radians(roll))
    down = level * np.cos(np.radians(tilt)) + np.sin(np.radians(tilt))
    return np.minimum(np.where(down > 0, CAMERA_HEIGHT / np.maximum(down, 1e-9), np.inf), WALL)


@pytest.mark.parametrize(("tilt", "roll"), [(20, 0), (35, 0), (20, 8)])
def test_without_a_shift_the_map_says_the_tilt_itself(tilt, roll):
    metres = cast_room(tilt, roll)
    scaled = scale_to_floor(7.3 / metres, CAMERA_HEIGHT, FIELD_OF_VIEW)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, metres, rtol=0.01)
    # Twice as high, and everything is twice as far.
    np.testing.assert_allclose(scale_to_floor(7.3 / metres, 2 * CAMERA_HEIGHT, FIELD_OF_VIEW), 2 * metres, rtol=0.01)


@pytest.mark.parametrize("shift", [-0.2, 0.3])
def test_with_the_tilt_a_shift_does_not_matter(shift):
    metres = cast_room(25, roll=4)
    relative = 3 / metres + shift
    assert relative.min() > 0
    np.testing.assert_allclose(scale_to_floor(relative, CAMERA_HEIGHT, FIELD_OF_VIEW, 25), metres, rtol=0.01)
    assert np.abs(scale_to_floor(relative, CAMERA_HEIGHT, FIELD_OF_VIEW) / metres - 1).max() > 0.1


def test_by_hand():
    # 90 degrees high, so a focal length is 4 rows; the map grows by 1 from row to row and is 3 in the middle, at row
    # 3.5: A = 4 and C = 3, |(A, C)| = 5 and the scale of a camera 2 m up 10. The first row, -0.5, is nowhere: cut at
    # three times the farthest floor, or 100 m. The last one is at 6.5.
    relative = np.repeat(np.arange(8.0)[:, None] - 0.5, 12, axis=1)
    relative[0] = 0
    scaled = scale_to_floor(relative, 2.0, 90.0)
    np.testing.assert_allclose(scaled[7], 10 / 6.5, rtol=1e-5)
    np.testing.assert_allclose(scaled[4], 10 / 3.5, rtol=1e-5)
    assert 10 / 3.5 < scaled[0, 0] <= FARTHEST


def test_what_cannot_be_scaled_is_refused():
    metres = cast_room(20)
    with pytest.raises(ValueError, match="sees no floor in it"):
        scale_to_floor(np.full((HEIGHT, WIDTH), 3.0), 2.0, FIELD_OF_VIEW)
    with pytest.raises(ValueError, match="sees no floor in it"):
        scale_to_floor(1 / metres[::-1], 2.0, FIELD_OF_VIEW)  # a ceiling
    unknown = 1 / metres
    unknown[5, 7] = np.nan
    with pytest.raises(ValueError, match="says nothing of parts of it"):
        scale_to_floor(unknown, 2.0, FIELD_OF_VIEW)
    # The camera would look up by 20 degrees, to a horizon 15 rows from the bottom, with floor above it.
    with pytest.raises(ValueError, match="above the horizon of a camera that looks down by -20 degrees"):
        scale_to_floor(1 / metres, 2.0, FIELD_OF_VIEW, -20)
