"""Contours of equal depth: which distances are worth one, and where in the picture they run."""

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

Edge = tuple[tuple[int, int], tuple[int, int]]  # between two neighbours of a grid, each a row and a column

FEWEST, MOST = 6, 10  # contours
STEEP = 5.0  # of the farthest to the nearest depth; from there on equal factors read better than equal steps
STEPS = (5, 2.5, 2, 1)  # times a power of ten
LAST_STEPS = (8, 6, 4, 3)  # where none of those will do
MANTISSAS = (
    (1, 2, 5),
    (1, 1.5, 2, 3, 5, 7),
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
    (1, 2, 3, 5),
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9),
)
ENDS = (0.02, 0.98)  # quantiles of known depth: a contour around the last pixels would show little
LONGEST = 200  # samples along the longer side: finer ones show the noise of a sensor
REACH = 3  # samples to each side, of the median against that noise
SHORTEST = 0.1  # of the longer side; shorter contours are specks
TOLERANCE = 0.001  # of the longer side, by which a line may be simplified


def choose_levels(near: float, far: float) -> list[float]:
    """Returns 6 to 10 round values from `near` to `far`, or about as many where no series of them has that many."""
    if not 0 < near < far:
        return []
    powers = [10.0**power for power in range(math.ceil(math.log10(far)), math.floor(math.log10(near)) - 3, -1)]
    series = [sorted(mantissa * power for power in powers for mantissa in each) for each in MANTISSAS]
    if far / near < STEEP:
        series = [*_count_up(STEPS, powers, far), *series, *_count_up(LAST_STEPS, powers, far)]
    inside = [[round(level, 6) for level in each if near <= level <= far] for each in series]
    middle = (FEWEST + MOST) / 2
    return next(
        (levels for levels in inside if FEWEST <= len(levels) <= MOST),
        min(inside, key=lambda levels: abs(len(levels) - middle)),
    )


def _count_up(steps: Sequence[float], powers: Sequence[float], far: float) -> list[list[float]]:
    """Returns the multiples of each step times each power of ten, up to `far`; the widest steps first."""
    widths = [step * power for power in powers for step in steps]
    return [[number * width for number in range(1, int(far / width + 1e-9) + 1)] for width in widths]


def sample_inverse(depth: np.ndarray, longest: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples the inverse of depth on a coarse grid, freed of noise.

    The inverse is what is linear along a plane, so lines found between samples of it are exact there. The median leaves
    a plane as it is, and edges where they are.

    Args:
        depth: float [H, W], metres, 0 unknown.
        longest: of samples along the longer side.

    Returns:
        float64 [h, w], NaN unknown; the columns and the rows that were sampled.
    """
    count = min(1.0, longest / max(depth.shape))
    rows, columns = (
        ((np.arange(samples) + 0.5) * length / samples).astype(int)
        for length, samples in ((length, max(2, round(length * count))) for length in depth.shape)
    )
    picked = depth[rows[:, None], columns].astype(np.float64)
    inverse = np.where(picked > 0, 1 / np.where(picked > 0, picked, 1), np.nan)
    side = 2 * REACH + 1
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(inverse, REACH, mode="edge"), (side, side))
    known = np.isfinite(inverse)
    smooth = inverse.copy()
    smooth[known] = np.nanmedian(windows[known].reshape(-1, side**2), axis=1)
    return smooth, columns, rows


def find_contours(depth: np.ndarray) -> dict[float, list[np.ndarray]]:
    """Finds the contours of a depth map.

    Args:
        depth: float [H, W], metres, 0 unknown; there are no contours through what is unknown.

    Returns:
        By metres: lines, longest first, float [n, 2], each point a column and a row; 0.5 is the middle of the first.
    """
    if not (depth > 0).any():
        return {}
    near, far = np.quantile(depth[depth > 0], ENDS)
    inverse, columns, rows = sample_inverse(depth, LONGEST)
    side = max(depth.shape)
    contours = {}
    for level in choose_levels(float(near), float(far)):
        lines = []
        for line in trace_level(inverse, 1 / level):
            across = np.interp(line[:, 0], np.arange(len(columns)), columns + 0.5)
            down = np.interp(line[:, 1], np.arange(len(rows)), rows + 0.5)
            lines.append(np.stack([across, down], axis=1))
        long = [line for line in lines if measure_length(line) >= SHORTEST * side]
        if long:
            contours[level] = [simplify(line, TOLERANCE * side) for line in sorted(long, key=measure_length)[::-1]]
    return contours


def trace_level(values: np.ndarray, level: float) -> list[np.ndarray]:
    """Traces where values cross a level, by marching squares.

    Args:
        values: float [h, w], NaN unknown.
        level: of the same unit.

    Returns:
        Lines, float [n, 2], each point a column and a row of `values`; the last point of a closed one is its first.
    """
    over = values > level
    known = _count_corners(np.isfinite(values)) == 4
    corners = _count_corners(over)
    neighbours: dict[Edge, list[Edge]] = defaultdict(list)
    for row, column in np.argwhere(known & (corners > 0) & (corners < 4)).tolist():
        for one, other in _cross_square(values, over, row, column, level):
            neighbours[one].append(other)
            neighbours[other].append(one)
    return [np.array([_cross_edge(values, edge, level) for edge in chain]) for chain in _join(neighbours)]


def _count_corners(flags: np.ndarray) -> np.ndarray:
    """Returns how many corners of each square between four samples are flagged."""
    counts = flags.astype(int)
    return counts[:-1, :-1] + counts[:-1, 1:] + counts[1:, :-1] + counts[1:, 1:]


def _cross_square(
    values: np.ndarray, over: np.ndarray, row: int, column: int, level: float
) -> Sequence[tuple[Edge, Edge]]:
    """Returns which edges of the square below and right of a sample the line connects."""
    here, right = (row, column), (row, column + 1)
    below, across = (row + 1, column), (row + 1, column + 1)
    edges = [(here, right), (right, across), (below, across), (here, below)]
    crossed = [(one, other) for one, other in edges if over[one] != over[other]]
    if len(crossed) == 2:
        return [(crossed[0], crossed[1])]
    top, far_side, bottom, near_side = edges
    middle = np.mean([values[here], values[right], values[below], values[across]]) > level
    # In a saddle the middle decides which two corners belong together.
    if middle == over[here]:
        return [(top, far_side), (bottom, near_side)]
    return [(top, near_side), (bottom, far_side)]


def _cross_edge(values: np.ndarray, edge: Edge, level: float) -> tuple[float, float]:
    one, other = edge
    share = (level - values[one]) / (values[other] - values[one])
    return one[1] + share * (other[1] - one[1]), one[0] + share * (other[0] - one[0])


def _join(neighbours: dict[Edge, list[Edge]]) -> list[list[Edge]]:
    """Returns chains of edges that follow one another: those with two ends first, then closed ones."""
    chains: list[list[Edge]] = []
    visited: set[Edge] = set()
    for start in [*(edge for edge, others in neighbours.items() if len(others) == 1), *neighbours]:
        if start in visited:
            continue
        chain: list[Edge] = []
        following: Edge | None = start
        while following:
            chain.append(following)
            visited.add(following)
            following = next((edge for edge in neighbours[following] if edge not in visited), None)
        if len(chain) > 2 and start in neighbours[chain[-1]]:
            chain.append(start)
        chains.append(chain)
    return chains


def measure_length(line: np.ndarray) -> float:
    """Returns the length of a line, float [n, 2]."""
    return float(np.hypot(*np.diff(line, axis=0).T).sum())


def simplify(line: np.ndarray, tolerance: float) -> np.ndarray:
    """Returns a line, float [n, 2], with as few of its points as keep it to a tolerance (Douglas and Peucker)."""
    kept = {0, len(line) - 1}
    parts = [(0, len(line) - 1)]
    while parts:
        first, last = parts.pop()
        if last - first < 2:
            continue
        along = line[last] - line[first]
        away = line[first + 1 : last] - line[first]
        length = math.hypot(*along)
        # A closed line begins where it ends.
        gaps = np.abs(along[0] * away[:, 1] - along[1] * away[:, 0]) / length if length else np.hypot(*away.T)
        if gaps.max() > tolerance:
            middle = first + 1 + int(gaps.argmax())
            kept.add(middle)
            parts += [(first, middle), (middle, last)]
    return line[sorted(kept)]


def place_label(
    lines: Sequence[np.ndarray], taken: Sequence[tuple[float, float]], size: tuple[int, int]
) -> tuple[float, float] | None:
    """Returns where on some lines a label stands farthest from others.

    Args:
        lines: float [n, 2] each.
        taken: places of the others.
        size: height and width of the picture, at whose border no label stands.

    Returns:
        A column and a row; None where all is at the border.
    """
    places: list[tuple[float, float]] = []
    for line in lines:
        ends = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
        at = np.linspace(0.05, 0.95, 25) * ends[-1]
        places += zip(np.interp(at, ends, line[:, 0]).tolist(), np.interp(at, ends, line[:, 1]).tolist(), strict=True)
    height, width = size
    inside = [(x, y) for x, y in places if 0.06 * width <= x <= 0.94 * width and 0.04 * height <= y <= 0.96 * height]
    if not inside:
        return None
    # Text is wider than high, so labels may stand closer above one another than side by side.
    return max(
        inside,
        key=lambda place: min(
            (math.hypot(place[0] - x, 2 * (place[1] - y)) for x, y in taken), default=-abs(place[0] - width / 2)
        ),
    )
