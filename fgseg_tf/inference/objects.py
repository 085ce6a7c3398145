"""The objects of a frame: which pixels belong to each, and how far away it is.

The foot of an object is the lowest tenth of its pixels. `place_objects` is the rule that the network for the depth of
objects (object_placing.py) has to beat: an object stands at the depth of what is under its foot, and no pixel of it is
behind the background that it hides.
"""

from dataclasses import dataclass

import numpy as np

FOREGROUND = 0.5
FOOT = 0.1  # share of an object's pixels, the lowest ones
LEAST_SHARE = 2e-4  # of the picture; what is smaller is not listed


@dataclass(frozen=True)
class SceneObject:
    """An object of a frame.

    Attributes:
        share: of the frame's pixels.
        box: top, left, bottom, right; the last two exclusive.
        foot: row and column of the middle of its foot.
        order: 1 for the nearest object of the frame.
        foot_metres: depth of the background at its foot; None where metres are not known, as in the following.
        nearest: depth of its nearest tenth.
        median: median of its depth.
        spread: difference between its farthest and its nearest tenth.
    """

    share: float
    box: tuple[int, int, int, int]
    foot: tuple[int, int]
    order: int
    foot_metres: float | None
    nearest: float | None
    median: float | None
    spread: float | None


def label_objects(inside: np.ndarray) -> tuple[np.ndarray, list[tuple[slice, slice]]]:
    """Numbers the connected regions of a mask, corners included.

    Args:
        inside: bool [H, W].

    Returns:
        int32 [H, W], 0 outside and 1, 2, ... in the order in which regions begin from the top; and rows and columns of
        the box around each.
    """
    parents: list[int] = []

    def find_root(run: int) -> int:
        while parents[run] != run:
            parents[run] = parents[parents[run]]
            run = parents[run]
        return run

    height, width = inside.shape
    edges = np.diff(np.pad(inside, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, begins = np.nonzero(edges == 1)
    ends = np.nonzero(edges == -1)[1]
    first_of_row = np.searchsorted(rows, np.arange(height + 1)).tolist()
    above = range(0)
    for row in range(height):
        runs = range(first_of_row[row], first_of_row[row + 1])
        at = above.start
        for run in runs:
            parents.append(run)
            # Runs are in order, so those above are passed once.
            while at < above.stop and ends[at] < begins[run]:
                at += 1
            touching = at
            while touching < above.stop and begins[touching] <= ends[run]:
                one, other = find_root(run), find_root(touching)
                parents[max(one, other)] = min(one, other)
                touching += 1
        above = runs
    numbers: dict[int, int] = {}
    number_of = [numbers.setdefault(find_root(run), len(numbers) + 1) for run in range(len(parents))]
    labels = np.zeros((height, width), np.int32)
    for row, begin, end, number in zip(rows.tolist(), begins.tolist(), ends.tolist(), number_of, strict=True):
        labels[row, begin:end] = number
    index = np.array(number_of, int) - 1
    low, high = np.full((len(numbers), 2), max(height, width)), np.zeros((len(numbers), 2), int)
    np.minimum.at(low, index, np.stack([rows, begins], axis=1))
    np.maximum.at(high, index, np.stack([rows + 1, ends], axis=1))
    boxes = [
        (slice(top, bottom), slice(left, right))
        for (top, left), (bottom, right) in zip(low.tolist(), high.tolist(), strict=True)
    ]
    return labels, boxes


def place_objects(mask: np.ndarray, background_metres: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Returns the depth of a frame whose background's depth is known.

    Args:
        mask: float32 [H, W], 0 to 1.
        background_metres: float32 [H, W] without holes.
        known: bool [H, W], where there was none before it was filled.

    Returns:
        float32 [H, W], metres; 0, unknown, where there is no object and the background is not known.
    """
    depth = np.where(known, background_metres, 0).astype(np.float32)
    labels, boxes = label_objects(mask >= FOREGROUND)
    for number, (rows, columns) in enumerate(boxes, start=1):
        window = labels[rows, columns] == number
        behind = background_metres[rows, columns]
        at_foot = np.median(behind[_find_foot(window)])
        depth[rows, columns] = np.where(window, np.minimum(at_foot, behind), depth[rows, columns])
    return depth


def list_objects(mask: np.ndarray, depth: np.ndarray, background_metres: np.ndarray | None) -> tuple[SceneObject, ...]:
    """Returns the objects of a frame, nearest first.

    Args:
        mask: float32 [H, W], 0 to 1.
        depth: float32 [H, W]; metres where the background's are known, else any order of near and far.
        background_metres: float32 [H, W] without holes; None where metres are not known.
    """
    labels, boxes = label_objects(mask >= FOREGROUND)
    measured = []
    for number, (rows, columns) in enumerate(boxes, start=1):
        window = labels[rows, columns] == number
        share = float(window.sum()) / mask.size
        if share < LEAST_SHARE:
            continue
        box = (rows.start, columns.start, rows.stop, columns.stop)
        foot = _find_foot(window)
        foot_rows, foot_columns = np.nonzero(foot)
        middle = rows.start + int(np.median(foot_rows)), columns.start + int(np.median(foot_columns))
        near, median, far = (float(value) for value in np.quantile(depth[rows, columns][window], [0.1, 0.5, 0.9]))
        at_foot = None if background_metres is None else float(np.median(background_metres[rows, columns][foot]))
        measured.append((share, box, middle, at_foot, near, median, far - near))
    measured.sort(key=lambda each: each[5])
    return tuple(
        SceneObject(share, box, middle, order, at_foot, near, median, spread)
        if at_foot is not None
        else SceneObject(share, box, middle, order, None, None, None, None)
        for order, (share, box, middle, at_foot, near, median, spread) in enumerate(measured, start=1)
    )


def _find_foot(window: np.ndarray) -> np.ndarray:
    """Returns which pixels of an object, bool [h, w], are its lowest tenth, at least those of its lowest row."""
    below = np.cumsum(window.sum(axis=1)[::-1])[::-1]  # pixels in a row and under it
    first = int(np.nonzero(below >= FOOT * below[0])[0].max())
    foot = window.copy()
    foot[:first] = False
    return foot
