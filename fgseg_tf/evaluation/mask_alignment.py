"""Aligns masks that lie beside what they show, as a depth sensor's do, since it is not where the camera is.

How far they have to be moved is decided by the two pictures alone, never by the network that is to be scored: it is the
offset at which the masks agree best with the difference of frame and background.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

FARTHEST = 0.05  # of the longer side
WORTH = 0.01  # of F: less may be chance


@dataclass(frozen=True)
class Offset:
    """How far masks have to be moved. It is true where that is worth it.

    Attributes:
        down: Pixels.
        right: Pixels.
        f: F of the difference, 0 to 1, with the masks moved.
        f_unmoved: The same with the masks as they are.
    """

    down: int
    right: int
    f: float
    f_unmoved: float

    def __bool__(self) -> bool:
        return self.f - self.f_unmoved > WORTH


def find_offset(frames: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Offset:
    """Returns the best offset for all frames of a sequence together.

    Args:
        frames: For each frame (foreground, inside, outside), bool [H, W], all of one size: where the difference says
            foreground, and where the mask says foreground and background. Pixels that are neither are left out.
    """
    sums: np.ndarray | None = None
    for foreground, inside, outside in frames:
        # All offsets at once, in 64 bits, so that counts stay whole numbers; with room for them, so that what leaves on
        # one side does not come in on the other.
        height, width = foreground.shape
        reach = round(FARTHEST * max(height, width))
        size = height + reach, width + reach
        there, missing, object_, background = (
            np.fft.rfft2(plane.astype(np.float64), size) for plane in (foreground, ~foreground, inside, outside)
        )
        products = np.stack([there * object_.conj(), there * background.conj() + missing * object_.conj()])
        sums = products if sums is None else sums + products
    if sums is None:
        raise ValueError("no frame has a mask to be laid over it.")
    hit, wrong = np.rint(np.fft.irfft2(sums, size))
    f = 2 * hit / np.maximum(1, 2 * hit + wrong)
    # Offsets up and to the left are at the far end.
    down, right = (np.fft.fftfreq(side, 1 / side).astype(int) for side in size)
    near = (np.abs(down) <= reach)[:, None] & (np.abs(right) <= reach)
    best = np.unravel_index(np.argmax(np.where(near, f, -1)), f.shape)
    return Offset(int(down[best[0]]), int(right[best[1]]), float(f[best]), float(f[0, 0]))


def move_labels(labels: np.ndarray, by: Offset, unknown: int) -> np.ndarray:
    """Returns the labels, [H, W], moved by an offset, with `unknown` where nothing is moved to."""
    height, width = labels.shape
    result = np.full_like(labels, unknown)
    to_rows, from_rows = _overlap(by.down, height)
    to_columns, from_columns = _overlap(by.right, width)
    result[to_rows, to_columns] = labels[from_rows, from_columns]
    return result


def _overlap(steps: int, side: int) -> tuple[slice, slice]:
    return slice(max(steps, 0), side + min(steps, 0)), slice(max(-steps, 0), side - max(steps, 0))
