"""Depth of the floor from where the camera hangs: height, field of view, tilt and roll.

The camera is a pinhole. Depth is along the optical axis.
"""

import math

import numpy as np

FARTHEST = 100.0  # metres; floor beyond is called unknown


def check_field_of_view(degrees: float) -> None:
    """Raises ValueError for a field of view that no such camera has."""
    if not 5 <= degrees <= 150:
        raise ValueError(f"`fov`={degrees:g} is not a field of view; give degrees from 5 to 150, across the picture.")


def compute_focal_length(width: int, fov: float) -> float:
    """Returns the focal length in pixels. fov: degrees, from the left edge of the picture to the right one."""
    return width / 2 / math.tan(math.radians(fov) / 2)


def compute_horizon(size: tuple[int, int], fov: float, tilt: float, roll: float = 0.0) -> float:
    """Returns the row of the middle column at which a level floor ends, far away; it may be outside of the picture."""
    straight = compute_focal_length(size[1], fov) * math.tan(math.radians(tilt))
    return (size[0] - 1) / 2 - straight / math.cos(math.radians(roll))


def compute_tilt(size: tuple[int, int], fov: float, horizon: float, roll: float = 0.0) -> float:
    """Returns the tilt, degrees, of a camera that sees the horizon at a row of its middle column."""
    straight = ((size[0] - 1) / 2 - horizon) * math.cos(math.radians(roll))
    return math.degrees(math.atan(straight / compute_focal_length(size[1], fov)))


def compute_floor_depth(
    size: tuple[int, int], camera_height: float, fov: float, tilt: float, roll: float = 0.0
) -> np.ndarray:
    """Returns the depth of a level floor without anything on it.

    Args:
        size: height and width of the picture.
        camera_height: metres above the floor.
        fov: degrees, across the picture.
        tilt: degrees by which the camera looks down; 0 is level.
        roll: degrees by which it is turned clockwise, seen from behind it: what is upright leans to the left.

    Returns:
        float32 [H, W], metres; 0 above the horizon and beyond FARTHEST.

    Raises:
        ValueError: there is no such camera, or it does not see the floor.
    """
    check_field_of_view(fov)
    if not 0.05 <= camera_height <= 100:
        raise ValueError(
            f"`camera_height`={camera_height:g} is not a height; give metres above the floor, 0.05 to 100."
        )
    if not -60 <= tilt <= 90:
        raise ValueError(f"`tilt`={tilt:g} is not a tilt; give degrees downwards, from -60 to 90; 0 is level.")
    if not -89 <= roll <= 89:
        raise ValueError(f"`roll`={roll:g} is not a roll; give degrees clockwise, from -89 to 89; 0 is upright.")
    focal = compute_focal_length(size[1], fov)
    y, x = ((np.arange(side) - (side - 1) / 2) / focal for side in size)
    turn, angle = math.radians(roll), math.radians(tilt)
    across = y[:, None] * math.cos(turn) + x * math.sin(turn)  # downwards in the picture of a camera without roll
    down = across * math.cos(angle) + math.sin(angle)  # of a ray with depth 1
    with np.errstate(divide="ignore"):
        depth = np.where(down > 0, camera_height / np.maximum(down, 1e-9), np.inf)
    depth = np.where(depth <= FARTHEST, depth, 0)
    if not depth.any():
        raise ValueError(
            f"a camera {camera_height:g} m up that looks down by {tilt:g} degrees sees no floor nearer than "
            f"{FARTHEST:g} m; raise `tilt`."
        )
    return depth.astype(np.float32)
