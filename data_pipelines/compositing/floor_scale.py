"""Metres of a map of relative inverse depth, from its own floor and the height at which its camera hangs; numpy only.

    value = scale / metres + shift

With x and y the place of a pixel in focal lengths from the middle of the picture, a floor is a plane in the map:

    value = A y + B x + C       where       scale = height x |(A, B, C - shift)|,    tan(tilt) = (C - shift) / |(A, B)|

So a floor alone fixes either the shift, where the tilt is known, or the tilt, where the shift is. Without a tilt the
shift is taken as 0, as it is for networks whose values end at 0 infinitely far away.
"""

import math

import numpy as np

from data_pipelines.compositing.ground import find_floor_plane

FARTHEST = 100.0  # metres
BEYOND = 3.0  # times the farthest floor, at which the map is cut: farther out it is guesswork
MOST_ABOVE = 0.1  # of the floor that may lie above the horizon of a tilt which is given


def scale_to_floor(
    inverse: np.ndarray, camera_height: float, field_of_view: float, tilt: float | None = None, seed: int = 0
) -> np.ndarray:
    """Scales a map in such a way that its floor is as far below the camera as it hangs high.

    Args:
        inverse: relative inverse depth, float [height, width]; larger is nearer.
        camera_height: metres above the floor.
        field_of_view: vertical, degrees.
        tilt: degrees by which the camera looks down; None to take a value of 0 for infinitely far away.
        seed: of the search for the floor.

    Returns:
        Metres along the optical axis, float32 [height, width].

    Raises:
        ValueError: there is no floor in the map, it does not go with the tilt, or the map is unknown in places.
    """
    if not np.isfinite(inverse).all():
        raise ValueError("the teacher says nothing of parts of it")
    floor = find_floor_plane(inverse, seed)
    if floor is None:
        raise ValueError("the teacher sees no floor in it that a height could scale")
    focal = len(inverse) / 2 / math.tan(math.radians(field_of_view) / 2)
    slope, middle = floor.measure(focal)
    shift = 0.0 if tilt is None else middle - slope * math.tan(math.radians(tilt))
    scaled = (inverse.astype(np.float64) - shift) / (camera_height * math.hypot(slope, middle - shift))
    on_floor = scaled[floor.region]
    if (on_floor <= 1 / FARTHEST).mean() > MOST_ABOVE:
        raise ValueError(
            f"its floor would reach above the horizon of a camera that looks down by {tilt or 0:g} degrees"
        )
    farthest = min(FARTHEST, BEYOND / on_floor[on_floor > 1 / FARTHEST].min())
    return (1 / np.maximum(scaled, 1 / farthest)).astype(np.float32)
