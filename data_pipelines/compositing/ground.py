"""Where something can stand in a picture, from its depth map alone; numpy only.

Whatever the camera, a plane in space is affine in (row, column, 1 / depth): 1 / depth = a row + b column + c. The floor
is the plane with most of the picture on it among those that

    grow towards the bottom of the picture      a frontal wall is constant down the rows, a ceiling falls
    do so much more than from side to side      a side wall varies along the columns
    have hardly anything behind them            nothing is seen through a floor; much is seen past a table-top
    reach the lower half of the picture         what slopes above eye level is a ceiling that the teacher misread

A pixel lies on a plane when its 1 / depth does and when it slopes as the plane does just around that pixel: without
the second, a ramp through a cluttered desk and the wall behind it wins. It is found by RANSAC on a subsample, refined
by least squares, and its tolerance fitted to the map's own noise: narrow on an exact map, wide on a network's guess.
"""

from dataclasses import dataclass

import numpy as np

HYPOTHESES = 160
SAMPLE = 1600  # pixels that the hypotheses are tried on
TOLERANCE = 0.08  # of 1 / depth, while the floor is looked for
# Growth of 1 / depth over the picture's height, in units of its value in the middle. A floor seen by a camera looking
# down by 60 degrees has 0.46, a wall seen by one that looks up by 15 degrees 0.21 (lens 0.8 picture heights).
LEAST_GROWTH = 0.3
MOST_ROLL = 0.35  # slope across by slope down, in pixels: the camera is tilted sideways by 19 degrees at most
SLOPES = (0.4, 2.2)  # of the plane's own slope: what the surroundings of a pixel on it may have
LEAST_SHARE = 0.03  # of the picture, and of its lower half
DEPTH_BINS, COLUMN_BINS = 24, 12


@dataclass(frozen=True)
class Ground:
    """Places to stand.

    Attributes:
        points: float32 [count, 3], from near to far: row and column of the pixel's centre, as shares of the picture's
            height and width, and metres of the floor there.
        has_floor: whether there is a floor; where there is none, the lower third of the picture stands in for it.
    """

    points: np.ndarray
    has_floor: bool


@dataclass(frozen=True)
class FloorPlane:
    """The floor of a picture as a plane, in the unit of the map that it was found in.

    Attributes:
        plane: float64 [3]: inverse depth on the floor is plane[0] row + plane[1] column + plane[2], with the indices of
            a pixel as shares of the picture's height and width.
        region: bool [height, width], the pixels that lie on it.
    """

    plane: np.ndarray
    region: np.ndarray

    def measure(self, focal: float) -> tuple[float, float]:
        """Returns what inverse depth grows by in one focal length where it grows most, and what it is in the middle.

        Their ratio is 1 / tan of the angle by which the camera looks down on the floor, however it is rolled.

        Args:
            focal: focal length, pixels.
        """
        height, width = self.region.shape
        down, across, start = self.plane
        # From shares of the picture, counted from its first pixel, to focal lengths from its middle.
        slope = float(np.hypot(down * focal / height, across * focal / width))
        middle = start + down * (height - 1) / 2 / height + across * (width - 1) / 2 / width
        return slope, float(middle)


def find_floor_plane(inverse: np.ndarray, seed: int = 0) -> FloorPlane | None:
    """Finds the floor in a map of inverse depth, whatever its unit.

    Args:
        inverse: float [height, width], larger is nearer; 0, negative and not finite are unknown.
        seed: of the search.

    Returns:
        The floor; None where less than a little of the picture, and of its lower half, lies on one.
    """
    known = np.isfinite(inverse) & (inverse > 0)
    plane, region = _find_floor(np.where(known, inverse, 0), known, np.random.default_rng(seed))
    return FloorPlane(plane, region) if plane is not None and _is_large(region) else None


def find_ground(depth: np.ndarray, seed: int = 0, count: int = 1024) -> Ground:
    """Finds the floor and `count` places on it, spread evenly over log(depth) and across the columns.

    The same map, seed and count give the same points. A point comes twice only when the floor has hardly more pixels
    than are asked for.

    Args:
        depth: float [height, width], metres along the optical axis; 0, negative and not finite are unknown.
        seed: of the search and of the choice of points.
        count: how many points.

    Raises:
        ValueError: the map is too small or unknown everywhere.
    """
    if depth.ndim != 2 or min(depth.shape) < 4:
        raise ValueError(f"depth has shape {depth.shape}: [height, width] with at least 4 a side is needed.")
    if count < 1:
        raise ValueError(f"count is {count}: ask for at least one point.")
    known = np.isfinite(depth) & (depth > 0)
    if not known.any():
        raise ValueError("The depth map is unknown everywhere (0, negative or not finite).")
    height, width = depth.shape
    inverse = np.where(known, 1 / np.where(known, depth, 1), 0)
    random = np.random.default_rng(seed)
    _, region = _find_floor(inverse, known, random)
    has_floor = _is_large(region)
    if not has_floor:
        region = known.copy()
        region[: height - max(1, height // 3)] = False
        region = region if region.any() else known
    rows, columns = np.nonzero(region)
    chosen = _spread_evenly(np.log(depth[rows, columns]), columns / width, count, random)
    rows, columns = rows[chosen], columns[chosen]
    around = np.pad(np.where(known, depth, np.nan), 1, constant_values=np.nan)
    step_down, step_right = np.divmod(np.arange(9), 3)
    metres = np.nanmedian(around[rows[:, None] + step_down, columns[:, None] + step_right], axis=1)
    points = np.stack([(rows + 0.5) / height, (columns + 0.5) / width, metres], axis=1).astype(np.float32)
    return Ground(points[np.argsort(points[:, 2], kind="stable")], has_floor)


def _find_floor(
    inverse: np.ndarray, known: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray | None, np.ndarray]:
    """Returns the floor's plane, None where there is none, and the pixels on it, bool [height, width]."""
    height, width = inverse.shape
    slope = _slope_down(inverse, known)
    plane, noise = _find_plane(inverse, slope, known, random)
    if plane is None:
        return None, np.zeros_like(known)
    row, column = np.arange(height)[:, None] / height, np.arange(width) / width
    on_plane = plane[0] * row + plane[1] * column + plane[2]
    region = known & _lies_on(on_plane, plane[0], inverse, slope, noise)
    # Bits of clutter fit by chance: only where most of the surroundings are floor, and up to its edge, it is one.
    reach = max(1, round(height / 56))
    inside = _mean_around(region, reach) >= 0.75 * _mean_around(known, reach)
    region &= _mean_around(inside & region, reach) > 0
    return plane, _large_pieces(region, max(1, height // 56))


def _is_large(region: np.ndarray) -> bool:
    """Whether what lies on a floor is enough of the picture, and of its lower half, to be one."""
    return bool(min(region.mean(), region[region.shape[0] // 2 :].mean()) >= LEAST_SHARE)


def _find_plane(
    inverse: np.ndarray, slope: np.ndarray, known: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray | None, float]:
    """The floor (a, b, c) with row and column as shares of height and width, and how far from it floor still lies."""
    height, width = inverse.shape
    pixels = np.flatnonzero(known)
    pixels = pixels[random.permutation(pixels.size)[:SAMPLE]]
    row, column = (pixels // width) / height, (pixels % width) / width
    basis = np.stack([row, column, np.ones_like(row)], axis=1)
    values, slopes = inverse.ravel()[pixels], slope.ravel()[pixels]

    planes = _hypotheses(basis, values, random)
    planes = planes[_is_floor(planes, width / height)]
    if not len(planes):
        return None, 0.0
    scores = _score(planes, basis, values, slopes)
    planes = planes[np.argsort(-scores, kind="stable")[:8]]
    for _ in range(4):
        planes = np.stack([_refine(plane, basis, values, slopes, TOLERANCE) for plane in planes])
    scores = np.where(_is_floor(planes, width / height), _score(planes, basis, values, slopes), -1)
    if scores.max() < LEAST_SHARE:
        return None, 0.0
    plane = planes[np.argmax(scores)]
    # The typical distance of what lies on the plane, as three spreads of a normal distribution; then with that again.
    noise = TOLERANCE
    for _ in range(2):
        on_plane = basis @ plane
        near = _lies_on(on_plane, plane[0], values, slopes, TOLERANCE)
        off = np.abs(values[near] / on_plane[near] - 1)
        noise = float(np.clip(4.4 * np.median(off), 0.01, 0.15)) if off.size else TOLERANCE
        plane = _refine(plane, basis, values, slopes, noise)
    return plane, noise


def _hypotheses(basis: np.ndarray, values: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Planes [n, 3] through two points at one height of the horizon (a level camera), and through any three.

    Points are drawn from the lower two thirds of the picture: two of the same floor are found far sooner than three.
    """
    low = np.flatnonzero(basis[:, 0] > 1 / 3)
    if low.size < 3:
        return np.zeros((1, 3))
    first, second, third = random.choice(low, (3, HYPOTHESES))
    down = basis[second, 0] - basis[first, 0]
    apart = np.abs(down) > 0.05
    slope = (values[second] - values[first])[apart] / down[apart]
    level = np.stack([slope, np.zeros_like(slope), values[first][apart] - slope * basis[first, 0][apart]], axis=1)
    corners = basis[np.stack([first, second, third], axis=1)]
    wide = np.abs(np.linalg.det(corners)) > 0.01
    any_three = np.linalg.solve(corners[wide], values[np.stack([first, second, third], axis=1)][wide][..., None])[
        ..., 0
    ]
    return np.concatenate([level, any_three, np.zeros((1, 3))])


def _is_floor(planes: np.ndarray, aspect: float) -> np.ndarray:
    """bool, which planes grow downwards, clearly, and hardly sideways."""
    down, across = planes[:, 0], planes[:, 1]
    # The middle at or above the horizon (value 0 and less) passes: then the floor has all its growth below it.
    grows = (down > 0) & (down >= LEAST_GROWTH * (planes @ [0.5, 0.5, 1.0]))
    return grows & (np.abs(across) <= MOST_ROLL * aspect * down)


def _score(planes: np.ndarray, basis: np.ndarray, values: np.ndarray, slopes: np.ndarray) -> np.ndarray:
    """Share of pixels on each plane, less half of those clearly behind it; -1 if none are in the lower half."""
    on_plane = planes @ basis.T
    near = _lies_on(on_plane, planes[:, :1], values, slopes, TOLERANCE)
    behind = values < (1 - 3 * TOLERANCE) * on_plane
    reaches_down = near[:, basis[:, 0] >= 0.5].sum(axis=1) >= LEAST_SHARE * np.count_nonzero(basis[:, 0] >= 0.5)
    return np.where(reaches_down, near.mean(axis=1) - 0.5 * behind.mean(axis=1), -1)


def _refine(
    plane: np.ndarray, basis: np.ndarray, values: np.ndarray, slopes: np.ndarray, tolerance: float
) -> np.ndarray:
    """Least squares of the relative distance, over what lies on the plane."""
    near = _lies_on(basis @ plane, plane[0], values, slopes, tolerance)
    if np.count_nonzero(near) < 8:
        return plane
    scaled = basis[near] / values[near][:, None]
    return np.linalg.lstsq(scaled, np.ones(len(scaled)), rcond=None)[0]


def _lies_on(on_plane, plane_slope, values, slopes, tolerance: float) -> np.ndarray:
    """bool, where values (1 / depth) and their slopes are those of the plane; nothing is above its horizon."""
    close = (on_plane > 0) & (np.abs(values - on_plane) <= tolerance * on_plane)
    return close & (slopes >= SLOPES[0] * plane_slope) & (slopes <= SLOPES[1] * plane_slope)


def _slope_down(inverse: np.ndarray, known: np.ndarray) -> np.ndarray:
    """How 1 / depth grows down the picture around each pixel, per picture height; noise is averaged away first."""
    height = inverse.shape[0]
    reach = round(height / 56)
    smooth = _mean_around(inverse, reach) / np.maximum(_mean_around(known, reach), 1e-6)
    rows = np.arange(height)
    step = max(1, round(height / 32))
    above, below = np.maximum(rows - step, 0), np.minimum(rows + step, height - 1)
    return (smooth[below] - smooth[above]) * (height / (below - above))[:, None]


def _mean_around(values: np.ndarray, reach: int) -> np.ndarray:
    """The mean over the square around each pixel, with zeros outside the picture."""
    side = 2 * reach + 1
    padded = np.pad(values.astype(np.float64), ((reach + 1, reach), (reach + 1, reach)))
    sums = padded.cumsum(axis=0).cumsum(axis=1)
    return (sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]) / side**2


def _large_pieces(region: np.ndarray, block: int) -> np.ndarray:
    """The connected pieces that have at least a quarter of the largest one's pixels; seen in blocks, for speed.

    A far desk that happens to lie in the floor's plane goes; floor that a pillar or a table cuts in two stays.
    """
    height, width = region.shape
    rows, columns = -(-height // block), -(-width // block)
    padded = np.pad(region, ((0, rows * block - height), (0, columns * block - width)))
    pixels = padded.reshape(rows, block, columns, block).sum(axis=(1, 3))
    # Each block takes the highest label around it until nothing changes: then a piece has one label.
    labels = np.where(pixels > 0, np.arange(1, rows * columns + 1).reshape(rows, columns), 0)
    before = None
    while before is None or not np.array_equal(labels, before):
        before = labels
        framed = np.pad(labels, 1)
        tall = np.maximum(np.maximum(framed[:-2], framed[1:-1]), framed[2:])
        labels = np.where(pixels > 0, np.maximum(np.maximum(tall[:, :-2], tall[:, 1:-1]), tall[:, 2:]), 0)
    sizes = np.bincount(labels.ravel(), weights=pixels.ravel())
    large = (sizes[labels] >= 0.25 * sizes.max()) & (labels > 0)
    return region & large.repeat(block, axis=0).repeat(block, axis=1)[:height, :width]


def _spread_evenly(log_depth: np.ndarray, column: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    """Indices [count] into the candidates: as many from each step of log(depth), and there from each of the columns."""
    near, far = np.quantile(log_depth, [0.0, 0.99])
    depth_bin = np.clip((log_depth - near) / max(far - near, 1e-6) * DEPTH_BINS, 0, DEPTH_BINS - 1).astype(int)
    cell = depth_bin * COLUMN_BINS + (column * COLUMN_BINS).astype(int)
    pixels = np.bincount(cell, minlength=DEPTH_BINS * COLUMN_BINS)
    cells_at_depth = np.count_nonzero(pixels.reshape(DEPTH_BINS, COLUMN_BINS), axis=1)
    weight = 1 / (pixels[cell] * cells_at_depth[depth_bin])
    # Nobody is drawn twice as long as others are left; what a small cell cannot give, the others share.
    for _ in range(8):
        weight = np.minimum(weight * (count / weight.sum()), 1)
    order = np.lexsort((random.random(cell.size), cell))
    edges = np.cumsum(weight[order])
    ticks = (np.arange(count) + random.random()) * (edges[-1] / count)
    return order[np.minimum(np.searchsorted(edges, ticks), cell.size - 1)]
