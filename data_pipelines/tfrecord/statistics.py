"""Exact statistics of a data set: whole-number sums that are added up as records are written.

Sums are Python integers, so nothing is rounded and the order does not matter. Every pixel's depth is known in what this
program makes.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np


class Sums(TypedDict, total=False):
    """Of the codes of pixels: 0..255 of `bg`, `fg_bg` and `mask`, depth codes of `depth`.

    Keys:
        records: how many composites.
        pixels: of one picture x records.
        bg, fg_bg: [sums of the 3 channels, sums of their squares].
        mask, depth: [sum, sum of squares].
    """

    records: int
    pixels: int
    bg: list[list[int]]
    fg_bg: list[list[int]]
    mask: list[int]
    depth: list[int]


class CompositeSums(TypedDict):
    """What is added up of a batch of n composites; other keys may be there too.

    Keys:
        bg_index: int [n], the background of each.
        fg_bg_sums: [n, 2, 3], by how much the sums of `fg_bg`, and those of squares, are larger than the background's.
        mask_sums: [n, 2], sum and sum of squares.
        depth_sums: [n, 2], as those of `fg_bg`; or where the labels are the teacher's, of the whole picture.
    """

    bg_index: np.ndarray
    fg_bg_sums: np.ndarray
    mask_sums: np.ndarray
    depth_sums: np.ndarray


class MeanAndDeviation(TypedDict):
    """Of a key with one channel."""

    mean: float
    std: float


class MeansAndDeviations(TypedDict):
    """Of a key with three channels, channel by channel."""

    mean: list[float]
    std: list[float]


class Statistics(TypedDict):
    """Over all pixels: `bg`, `fg_bg` (by channel) and `mask` in 0..1, `depth` in the data set's unit."""

    bg: MeansAndDeviations
    fg_bg: MeansAndDeviations
    mask: MeanAndDeviation
    depth: MeanAndDeviation


@dataclass(frozen=True)
class BackgroundSums:
    """Sums of each background.

    Attributes:
        pictures: int64 [n, 2, 3], the sums of each channel and those of squares.
        depths: int64 [n, 2], sum and sum of squares of the depth codes.
        pixels: of one picture.
    """

    pictures: np.ndarray
    depths: np.ndarray
    pixels: int


def sum_backgrounds(pictures: np.ndarray, depth_codes: np.ndarray) -> BackgroundSums:
    """Returns the sums of pictures, uint8 [n, height, width, 3], and of depth codes, uint16 [n, height, width]."""
    color = [[(p.astype(np.int64) ** power).sum((0, 1)) for power in (1, 2)] for p in pictures]
    depth = [[(c.astype(np.int64) ** power).sum() for power in (1, 2)] for c in depth_codes]
    return BackgroundSums(np.array(color), np.array(depth), int(np.prod(pictures.shape[1:3])))


def add_batch(sums: Sums | None, batch: CompositeSums, backgrounds: BackgroundSums, whole_depth: bool) -> Sums:
    """Returns `sums` and those of a batch of composites together.

    Args:
        sums: so far; None to begin with.
        batch: what it is like.
        backgrounds: that the batch refers to.
        whole_depth: whether the batch's `depth_sums` are of the whole picture.
    """
    own = backgrounds.pictures[batch["bg_index"]]
    depth_before = 0 if whole_depth else backgrounds.depths[batch["bg_index"]].sum(0)
    new: Sums = {
        "records": len(own),
        "pixels": len(own) * backgrounds.pixels,
        "bg": own.sum(0).tolist(),
        "fg_bg": (own + batch["fg_bg_sums"].astype(np.int64)).sum(0).tolist(),
        "mask": batch["mask_sums"].astype(np.int64).sum(0).tolist(),
        "depth": (depth_before + batch["depth_sums"].astype(np.int64).sum(0)).tolist(),
    }
    return new if sums is None else _add(sums, new)


def summarize(sums: Sequence[Sums], depth_scale: float) -> Statistics:
    """Returns mean and standard deviation over everything that `sums` are of."""
    total: Any = functools.reduce(_add, sums)
    pixels = total["pixels"]
    statistics: Any = {}
    for key, unit in (("bg", 255), ("fg_bg", 255), ("mask", 255), ("depth", depth_scale)):
        first, second = total[key]
        channels = list(zip(first, second, strict=True)) if isinstance(first, list) else [(first, second)]
        mean = [one / pixels / unit for one, _ in channels]
        # Whole numbers up to the last step: no difference of two large rounded ones.
        deviation = [(max(0, pixels * two - one * one) ** 0.5) / pixels / unit for one, two in channels]
        one_channel = len(mean) == 1
        statistics[key] = {"mean": mean[0], "std": deviation[0]} if one_channel else {"mean": mean, "std": deviation}
    return statistics


def _add(one: Any, other: Any) -> Any:
    if isinstance(one, dict):
        return {key: _add(one[key], other[key]) for key in one}
    if isinstance(one, list):
        return [_add(a, b) for a, b in zip(one, other, strict=True)]
    return one + other
