"""Where things of a known size would be in the picture of a fixed camera: squares on the floor, standing figures."""

import math
from dataclasses import dataclass

import numpy as np

from fgseg_tf.calibration.floor_plane import compute_focal_length
from fgseg_tf.report.contours import sample_inverse

FIGURE_HEIGHT = 1.75  # metres
FIGURES = 4
HALF_WIDTH = 0.14  # of their height
SAMPLES = 120  # along the longer side, in the search for floor
SPAN = 0.03  # of the rows: how far up and down the slope of a floor is measured
CAMERA_HEIGHTS = 0.3, 30.0  # metres above a floor that its slope may mean
FLAT = 0.03  # share by which inverse depth of a floor may be off its plane
TRIES = 200  # planes through three samples, of which the best is taken
STRAIGHT = 0.03  # share by which the middle of a floor may be off the line through its ends
SQUARES = (1, 2, 5, 10, 20, 50)  # metres
DENSEST = 0.018  # of the picture's height, between lines of the grid
FARTHEST_LINE = 50.0  # metres


@dataclass(frozen=True)
class Figure:
    """A person who would stand on the floor.

    Attributes:
        column: of the feet; 0.5 is the middle of the first.
        row: likewise.
        metres: depth there.
        height: pixels from feet to head.
    """

    column: float
    row: float
    metres: float
    height: float


@dataclass(frozen=True)
class FloorGrid:
    """Squares on a level floor, in the picture.

    Attributes:
        square: metres along a side.
        rows: of the lines across, by metres along the floor from below the camera; 0.5 is the middle of the first.
        sides: lines away from the camera, each two points of a column and a row.
    """

    square: float
    rows: dict[float, float]
    sides: tuple[tuple[tuple[float, float], tuple[float, float]], ...]


def project_floor(
    size: tuple[int, int], camera_height: float, fov: float, tilt: float, across: float, along: float
) -> tuple[float, float]:
    """Projects a point of a level floor into the picture.

    Args:
        size: height and width of the picture.
        camera_height: metres above the floor.
        fov: degrees, across the picture.
        tilt: degrees downwards.
        across: metres to the right of the camera.
        along: metres on the floor, ahead of the point below the camera.

    Returns:
        A column and a row, 0.5 in the middle of the first. The depth there is
        camera_height x sin(tilt) + along x cos(tilt), which must be over 0.
    """
    angle, focal = math.radians(tilt), compute_focal_length(size[1], fov)
    depth = camera_height * math.sin(angle) + along * math.cos(angle)
    down = camera_height * math.cos(angle) - along * math.sin(angle)
    return size[1] / 2 + focal * across / depth, size[0] / 2 + focal * down / depth


def lay_floor_grid(
    size: tuple[int, int], camera_height: float, fov: float, tilt: float, roll: float = 0.0
) -> FloorGrid | None:
    """Lays squares on the floor, of 1 m where those are large enough to be seen.

    Args:
        size: height and width of the picture.
        camera_height: metres above the floor.
        fov: degrees, across the picture.
        tilt: degrees downwards.
        roll: degrees clockwise. The grid is that of an upright camera, and reaches as far as it must so that it covers
            the picture once it is turned about its middle.

    Returns:
        The grid, from the lower border to where its lines come too close; None where too little floor is seen.
    """
    if camera_height <= 0:
        return None
    turn = math.radians(roll)
    tall = size[0] * abs(math.cos(turn)) + size[1] * abs(math.sin(turn))
    wide = size[1] * abs(math.cos(turn)) + size[0] * abs(math.sin(turn))
    ends = size[0] / 2 + tall / 2, size[0] / 2 - tall / 2
    near, far = (_reach_floor(size, camera_height, fov, tilt, row) for row in ends)
    if near is None:
        return None
    far = FARTHEST_LINE if far is None else min(far, FARTHEST_LINE)
    for square in SQUARES:
        rows: dict[float, float] = {}
        for number in range(math.ceil(near / square - 1e-9), math.floor(far / square + 1e-9) + 1):
            row = project_floor(size, camera_height, fov, tilt, 0, number * square)[1]
            if rows and rows[max(rows)] - row < DENSEST * size[0]:
                break
            rows[float(number * square)] = row
        if len(rows) >= 3:
            break
    else:
        return None
    last = max(rows)
    edge = project_floor(size, camera_height, fov, tilt, 1, last)[0] - size[1] / 2  # pixels of a metre
    most = math.floor(wide / 2 / edge / square)
    sides = tuple(
        (
            project_floor(size, camera_height, fov, tilt, number * square, near),
            project_floor(size, camera_height, fov, tilt, number * square, last),
        )
        for number in range(-most, most + 1)
    )
    return FloorGrid(float(square), rows, sides)


def _reach_floor(size: tuple[int, int], camera_height: float, fov: float, tilt: float, row: float) -> float | None:
    """Returns how far along the floor a row looks, metres; None where it looks above the horizon."""
    angle = math.radians(tilt)
    slope = (row - size[0] / 2) / compute_focal_length(size[1], fov)
    down = slope * math.cos(angle) + math.sin(angle)
    return camera_height * (math.cos(angle) - slope * math.sin(angle)) / down if down > 1e-6 else None


def place_figures(depth: np.ndarray, fov: float) -> list[Figure]:
    """Places figures on what looks like floor in the lower half of the picture, spread over its width and depth.

    Their height in pixels is the focal length x 1.75 m / depth; that the camera looks down is left out of account.

    Args:
        depth: float [H, W], metres, 0 unknown.
        fov: degrees, across the picture.
    """
    height, width = depth.shape
    focal = compute_focal_length(width, fov)
    inverse, columns, rows = sample_inverse(depth, SAMPLES)
    places = np.argwhere(_find_floor(inverse, rows, focal) & (rows >= height / 2)[:, None])
    if not len(places):
        return []
    x, y = columns[places[:, 1]] + 0.5, rows[places[:, 0]] + 0.5
    metres = depth[rows[places[:, 0]], columns[places[:, 1]]].astype(np.float64)
    tall = focal * FIGURE_HEIGHT / metres
    whole = (tall <= y) & (np.abs(x / width - 0.5) < 0.43)
    if whole.any():
        x, y, metres, tall = x[whole], y[whole], metres[whole], tall[whole]
    farther = np.log(metres / metres.min()) / max(math.log(metres.max() / metres.min()), 1e-6)
    spots = np.stack([x / width * 1.5, farther], axis=1)
    # The first one stands in the middle; each other as far as can be from those before it, and covers none of them.
    chosen = [int(np.hypot(*(spots - np.median(spots, axis=0)).T).argmin())]
    while len(chosen) < FIGURES:
        gaps = np.min([np.hypot(*(spots - spots[each]).T) for each in chosen], axis=0)
        for each in chosen:
            gaps[np.abs(x - x[each]) < 1.1 * HALF_WIDTH * (tall + tall[each])] = 0
        if not gaps.any():
            break
        chosen.append(int(gaps.argmax()))
    figures = [Figure(*map(float, (x[each], y[each], metres[each], tall[each]))) for each in chosen]
    return sorted(figures, key=lambda figure: -figure.metres)


def _find_floor(inverse: np.ndarray, rows: np.ndarray, focal: float) -> np.ndarray:
    """Returns where samples lie on the plane that most of the lower half of the picture lies on, bool [h, w].

    On a floor inverse depth grows by cos(tilt) / (focal length x camera height) a row; on a wall it does not grow. What
    stands on the floor, like a table, is off that plane.
    """
    span = max(2, round(len(rows) * SPAN))
    floor = np.zeros(inverse.shape, bool)
    if len(rows) <= 2 * span:
        return floor
    above, here, below = inverse[: -2 * span], inverse[span:-span], inverse[2 * span :]
    slope = focal * (below - above) / (rows[2 * span :] - rows[: -2 * span])[:, None]
    likely = (slope > 1 / CAMERA_HEIGHTS[1]) & (slope < 1 / CAMERA_HEIGHTS[0])
    likely &= np.abs((above + below) / 2 / here - 1) < STRAIGHT
    likely &= (np.arange(len(slope)) >= len(slope) // 2)[:, None]
    if not likely.any():
        return floor
    plane = _fit_plane(here, likely)
    row, column = np.indices(here.shape)
    likely &= np.abs((plane[0] * row + plane[1] * column + plane[2]) / here - 1) < FLAT
    # With floor to both sides, so that nobody stands on an edge.
    likely[:, 1:-1] &= likely[:, :-2] & likely[:, 2:]
    floor[span:-span] = likely
    return floor


def _fit_plane(inverse: np.ndarray, likely: np.ndarray) -> np.ndarray:
    """Returns the plane that most of the likely samples lie on: inverse depth a row, a column, and at the first."""
    places = np.argwhere(likely)
    terms = np.concatenate([places, np.ones((len(places), 1))], axis=1)
    values = inverse[likely]
    chances = np.random.default_rng(0)
    most = np.zeros(len(values), bool)
    for _ in range(TRIES):
        three = chances.integers(len(values), size=3)
        plane = np.linalg.lstsq(terms[three], values[three], rcond=None)[0]
        fits = np.abs(terms @ plane / values - 1) < FLAT
        if fits.sum() > most.sum():
            most = fits
    return np.linalg.lstsq(terms[most], values[most], rcond=None)[0]
