"""Picks a few examples of an evaluation to look at: typical ones, and the worst.

Which example is typical is known only at the end, and all of them do not fit into memory. So the worst so far are kept,
and the pictures of every n-th example, from which those nearest to the median are picked at the end.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from fgseg_tf.measures.metrics import FOREGROUND

PICTURES = ("bg", "fg_bg", "mask", "predicted_mask", "depth", "predicted_depth")
SAMPLED = 48  # examples, or at least half as many, from which the typical ones are picked


@dataclass(frozen=True)
class Case:
    """An example with its prediction.

    Attributes:
        name: Of the example.
        iou: Of its mask.
        abs_rel: Of its depth; None where all of it is unknown.
        pictures: By PICTURES: uint8 [H, W, 3] or, for masks, [H, W]; depth is float16 [H, W], metres, 0 unknown.
    """

    name: str
    iou: float
    abs_rel: float | None
    pictures: dict[str, np.ndarray]


class ExamplePicker:
    """Is given every example of a split once, in batches, and picks some of them.

    Args:
        total: Examples that will come.
        shown: How many of each kind to pick.
    """

    def __init__(self, total: int, shown: int):
        self._every, self._shown, self._count = max(1, total // SAMPLED), shown, 0
        self._ious: list[float] = []
        self._sample: list[Case] = []
        self._worst = {kind: _Highest(shown) for kind in ("worst_mask", "worst_empty", "worst_depth")}

    def add(self, batch: dict, predicted: dict, ious: np.ndarray, errors: np.ndarray, name: Callable) -> None:
        """Takes a batch.

        Args:
            batch: As `Data.scoring` yields it, but NumPy arrays.
            predicted: `mask`, and `depth` in metres, NumPy arrays too.
            ious: [B], of the masks.
            errors: [B], AbsRel of depth; NaN where it is unknown.
            name: From an example's index to its name.
        """
        somebody = (batch["mask"] >= FOREGROUND).any(axis=(1, 2, 3))
        alarms = (predicted["mask"] >= FOREGROUND).mean(axis=(1, 2, 3))
        for row, (iou, error) in enumerate(zip(ious.tolist(), errors.tolist(), strict=True)):
            # Pictures are copied only of what is kept.
            make = partial(_make_case, batch, predicted, row, iou, None if np.isnan(error) else error, name)
            if somebody[row]:
                self._ious.append(iou)
                self._worst["worst_mask"].offer(-iou, make)
                if self._count % self._every == 0:
                    self._sample.append(make())
            elif alarms[row]:
                self._worst["worst_empty"].offer(float(alarms[row]), make)
            if not np.isnan(error):
                self._worst["worst_depth"].offer(error, make)
            self._count += 1

    def pick(self) -> dict[str, list[Case]]:
        """Returns the cases of each kind, the worst first; fewer than wanted if there are not so many.

        typical       around the median IoU of frames with somebody in them
        worst_mask    of frames with somebody in them, by IoU
        worst_empty   of frames with nobody in them, by how much is called foreground
        worst_depth   by AbsRel
        """
        middle = np.median(self._ious) if self._ious else 0.0
        typical = sorted(self._sample, key=lambda case: abs(case.iou - middle))[: self._shown]
        return {"typical": typical, **{kind: worst.list_cases() for kind, worst in self._worst.items()}}


class _Highest:
    """Keeps the cases with the highest numbers; makes a case only if it is kept."""

    def __init__(self, size: int):
        self._size, self._offered = size, 0
        self._heap: list[tuple[float, int, Case]] = []

    def offer(self, number: float, make: Callable) -> None:
        self._offered += 1  # decides between equals, so that cases are never compared
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, (number, -self._offered, make()))
        elif number > self._heap[0][0]:
            heapq.heapreplace(self._heap, (number, -self._offered, make()))

    def list_cases(self) -> list[Case]:
        return [case for _, _, case in sorted(self._heap, key=lambda entry: entry[:2], reverse=True)]


def _make_case(batch: dict, predicted: dict, row: int, iou: float, abs_rel: float | None, name: Callable) -> Case:
    return Case(name(int(batch["index"][row])), iou, abs_rel, _copy_pictures(batch, predicted, row))


def _copy_pictures(batch: dict, predicted: dict, row: int) -> dict[str, np.ndarray]:
    values = {**batch, "predicted_mask": predicted["mask"], "predicted_depth": predicted["depth"]}
    kept = {}
    for key in PICTURES:
        value = values[key][row]
        if "depth" in key:
            kept[key] = value[..., 0].astype(np.float16)
        else:
            levels = np.round(np.clip(value, 0, 1) * 255).astype(np.uint8)
            kept[key] = levels if key in ("bg", "fg_bg") else levels[..., 0]
    return kept
