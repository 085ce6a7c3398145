"""Exact statistics of a data set: whole-number sums that are added up as records are written.

Sums are Python integers, so nothing is rounded and the order does not matter. A dict of them has: records, pixels (of
one picture x records), bg and fg_bg [[3 channels], [3 channels squared]], mask and depth [sum, sum of squares], all of
codes 0..255 or depth codes. Every pixel's depth is known in what this program makes.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class BackgroundSums:
    """pictures: int64 [n, 2, 3]; depths: int64 [n, 2], sum and sum of squares of each background; pixels of one."""

    pictures: np.ndarray
    depths: np.ndarray
    pixels: int


def of_backgrounds(pictures: np.ndarray, depth_codes: np.ndarray) -> BackgroundSums:
    """pictures: uint8 [n, height, width, 3]; depth_codes: uint16 [n, height, width]."""
    colour = [[(p.astype(np.int64) ** power).sum((0, 1)) for power in (1, 2)] for p in pictures]
    depth = [[(c.astype(np.int64) ** power).sum() for power in (1, 2)] for c in depth_codes]
    return BackgroundSums(np.array(colour), np.array(depth), int(np.prod(pictures.shape[1:3])))


def add_up(sums: dict | None, batch: dict, backgrounds: BackgroundSums, whole_depth: bool) -> dict:
    """sums (None to begin with) and those of a batch of composites together.

    batch: bg_index [n]; fg_bg_sums [n, 2, 3], what changes against the background; mask_sums [n, 2]; depth_sums [n, 2],
    likewise a change, or with whole_depth all of it.
    """
    own = backgrounds.pictures[batch["bg_index"]]
    scenery = 0 if whole_depth else backgrounds.depths[batch["bg_index"]].sum(0)
    new = {
        "records": len(own),
        "pixels": len(own) * backgrounds.pixels,
        "bg": own.sum(0).tolist(),
        "fg_bg": (own + batch["fg_bg_sums"].astype(np.int64)).sum(0).tolist(),
        "mask": batch["mask_sums"].astype(np.int64).sum(0).tolist(),
        "depth": (scenery + batch["depth_sums"].astype(np.int64).sum(0)).tolist(),
    }
    return new if sums is None else _added(sums, new)


def summary(sums: Sequence[dict], depth_scale: float) -> dict:
    """Mean and standard deviation: bg, fg_bg by channel and mask in 0..1, depth in metres."""
    total = functools.reduce(_added, sums)
    pixels = total["pixels"]
    answer = {}
    for key, unit in (("bg", 255), ("fg_bg", 255), ("mask", 255), ("depth", depth_scale)):
        first, second = total[key]
        channels = list(zip(first, second, strict=True)) if isinstance(first, list) else [(first, second)]
        mean = [one / pixels / unit for one, _ in channels]
        # Whole numbers up to the last step: no difference of two large rounded ones.
        deviation = [(max(0, pixels * two - one * one) ** 0.5) / pixels / unit for one, two in channels]
        answer[key] = {"mean": mean, "std": deviation} if len(mean) > 1 else {"mean": mean[0], "std": deviation[0]}
    return answer


def _added(one, other):
    if isinstance(one, dict):
        return {key: _added(one[key], other[key]) for key in one}
    if isinstance(one, list):
        return [_added(a, b) for a, b in zip(one, other, strict=True)]
    return one + other
