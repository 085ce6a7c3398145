"""Masks that lie beside what they show: those of a depth sensor do, since it looks from another place than the camera.

How far they have to be moved is told by the two pictures alone, never by the network that is to be scored: the offset
at which the masks agree best with the difference of frame and empty scene.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

FARTHEST = 0.05  # of the longer side
WORTH = 0.01  # of F: less may be chance


@dataclass(frozen=True)
class Offset:
    """Pixels by which masks have to be moved, and the F of the difference with and without that."""

    down: int
    right: int
    f: float
    f_as_it_is: float

    def __bool__(self):
        """Whether it is worth it."""
        return self.f - self.f_as_it_is > WORTH


def offset(pairs: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Offset:
    """The best one for all frames of a sequence together.

    pairs: (found, inside, outside), bool [H, W], of one size: what the difference calls foreground, and what the mask
    calls foreground and background; where it is neither, it says nothing.
    """
    sums: np.ndarray | None = None
    for found, inside, outside in pairs:
        # All offsets at once, in 64 bits, so that counts stay whole numbers; with room for them, so that what leaves on
        # one side does not come in on the other.
        height, width = found.shape
        reach = round(FARTHEST * max(height, width))
        size = height + reach, width + reach
        there, missing, thing, scenery = (
            np.fft.rfft2(plane.astype(np.float64), size) for plane in (found, ~found, inside, outside)
        )
        products = np.stack([there * thing.conj(), there * scenery.conj() + missing * thing.conj()])
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


def moved(labels: np.ndarray, by: Offset, unknown: int) -> np.ndarray:
    """[H, W], with `unknown` where nothing came from."""
    height, width = labels.shape
    result = np.full_like(labels, unknown)
    to_rows, from_rows = _overlap(by.down, height)
    to_columns, from_columns = _overlap(by.right, width)
    result[to_rows, to_columns] = labels[from_rows, from_columns]
    return result


def _overlap(steps: int, side: int) -> tuple[slice, slice]:
    return slice(max(steps, 0), side + min(steps, 0)), slice(max(-steps, 0), side - max(steps, 0))
