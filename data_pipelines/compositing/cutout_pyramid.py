"""Cutouts scaled once, so that a composite only has to interpolate a little.

Every cutout is kept at sizes that fall by the square root of two, each made by area averaging, in one flat array. A
composite takes the smallest level that is not smaller than what it needs; interpolation from there can neither blur nor
alias by more than that factor, and costs a tenth of an antialiased resize.

Colour is premultiplied by alpha, which is the only form that may be interpolated: no halo comes back. Each level has a
border of one transparent pixel, so that what is sampled just outside fades out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

STEP = 2**0.5
SMALLEST = 8  # pixels, longest side
RELIEF_UNIT = 1 / 1024  # metres


@dataclass(frozen=True)
class Pyramid:
    """All levels of all cutouts.

    Attributes:
        pixels: uint8 [n], premultiplied RGBA of every level, one after the other.
        reliefs: int16 [n / 4] in RELIEF_UNIT at the same places, or None; how far behind its standing plane a pixel is.
        offset: int64 [cutouts, levels], where a level starts in `pixels`.
        height: int32 [cutouts, levels], with the border.
        width: int32 [cutouts, levels], likewise.
        longest: float32 [cutouts, levels], longest side without the border; levels that a small cutout lacks repeat its
            smallest.
        aspect: float32 [cutouts, 2], height and width of the cutout, the longer one 1.
    """

    pixels: np.ndarray
    reliefs: np.ndarray | None
    offset: np.ndarray
    height: np.ndarray
    width: np.ndarray
    longest: np.ndarray
    aspect: np.ndarray


def build_pyramid(
    cutouts: Sequence[np.ndarray], reliefs: Sequence[np.ndarray] | None = None, largest: int | None = None
) -> Pyramid:
    """Scales every cutout to all levels.

    Args:
        cutouts: uint8 [h, w, 4] each, straight alpha.
        reliefs: float32 [h, w] each, metres.
        largest: the longest side that will ever be needed; larger levels are not kept.
    """
    pixels, depths, rows, aspects = [], [], [], []
    at = 0
    for number, cutout in enumerate(cutouts):
        height, width = cutout.shape[:2]
        aspects.append((height / max(height, width), width / max(height, width)))
        premultiplied = cutout.astype(np.float32)
        premultiplied[..., :3] *= premultiplied[..., 3:] / 255
        channels = [Image.fromarray(np.ascontiguousarray(premultiplied[..., c])) for c in range(4)]
        relief = Image.fromarray(reliefs[number].astype(np.float32)) if reliefs is not None else None
        levels = []
        longest = float(max(height, width) if largest is None else min(largest, max(height, width)))
        while True:
            scale = longest / max(height, width)
            size = max(1, round(width * scale)), max(1, round(height * scale))
            level = np.stack([np.asarray(c.resize(size, Image.Resampling.BOX)) for c in channels], axis=-1)
            level = np.pad(np.rint(level).astype(np.uint8), ((1, 1), (1, 1), (0, 0)))
            levels.append((at, level.shape[0], level.shape[1], max(size)))
            pixels.append(level.ravel())
            if relief is not None:
                # A label is never interpolated.
                flat = np.asarray(relief.resize(size, Image.Resampling.NEAREST))
                codes = np.clip(np.rint(flat / RELIEF_UNIT), -32768, 32767).astype(np.int16)
                depths.append(np.pad(codes, 1, mode="edge").ravel())
            at += level.size
            longest /= STEP
            if round(longest) < SMALLEST:
                break
        rows.append(levels)
    depth = max(len(levels) for levels in rows)
    table = np.array([levels + [levels[-1]] * (depth - len(levels)) for levels in rows], np.int64)
    return Pyramid(
        pixels=np.concatenate(pixels),
        reliefs=np.concatenate(depths) if reliefs is not None else None,
        offset=table[..., 0],
        height=table[..., 1].astype(np.int32),
        width=table[..., 2].astype(np.int32),
        longest=table[..., 3].astype(np.float32),
        aspect=np.array(aspects, np.float32),
    )
