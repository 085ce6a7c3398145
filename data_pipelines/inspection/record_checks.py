"""What can be wrong with one composite: measurements are compared with what the data set should hold."""

from collections.abc import Callable

import numpy as np

from data_pipelines.inspection.findings import Findings
from data_pipelines.inspection.record_measurements import ABSENT, MeasuredBatch, format_size
from data_pipelines.tfrecord.reader import ShardFile, StoredDataset


def _dilate(blocks: np.ndarray) -> np.ndarray:
    """Returns bool [n, rows, columns] that also holds for the eight blocks around each."""
    for axis in (1, 2):
        padded = np.pad(blocks, [(1, 1) if axis == a else (0, 0) for a in range(3)])
        length = blocks.shape[axis]
        blocks = np.logical_or.reduce([padded.take(range(shift, shift + length), axis) for shift in range(3)])
    return blocks


def jpeg_tolerance(jpeg_quality: int) -> float:
    """Returns how much JPEG changes a block of pixels, at most, when it is not cut into the same blocks (mirrored).

    Measured on 60 photographs, four sizes: 3.5 at a quality of 95, 10 at 80, 21 at 40, 29 at 10, 51 at 1. Another
    background, or the same one not mirrored, differs by 30 to 117.
    """
    return 10 + 0.45 * (100 - jpeg_quality)


class Examiner:
    """Checks batches of what `measure_record` returns, and remembers which composites were there.

    Args:
        dataset: what there should be.
        files: the shards that are read, in order.
        with_backgrounds: whether every background could be read, so that pictures can be compared with them.
        findings: where problems go.
    """

    def __init__(self, dataset: StoredDataset, files: list[ShardFile], with_backgrounds: bool, findings: Findings):
        options = dataset.manifest["options"]
        self._dataset, self._files, self._findings = dataset, files, findings
        self._with_backgrounds = with_backgrounds
        self._labels_follow_mask = options["labels"] != "teacher"
        self._jpeg_tolerance = jpeg_tolerance(options["jpeg_quality"])
        self._most_objects = options["max_objects"]
        self._orders = {name: dataset.order(name) for name in dataset.splits}
        self._sources = {
            name: (np.array(split.backgrounds), np.array(split.foregrounds)) for name, split in dataset.splits.items()
        }
        # Of the composites that there must be, and of others as they come: a grid may be far larger than a data set.
        self._promised = np.sort(np.concatenate([np.zeros(0, np.int64), *self._orders.values()]))
        self._first_positions = np.full(len(self._promised), -1, np.int64)  # in all files, of each
        self._others: dict[int, int] = {}
        self._offsets = np.cumsum([0, *(file.records for file in files)])
        self.records_checked = 0

    def check_batch(self, batch: MeasuredBatch) -> None:
        """Adds what is wrong with the records of a batch to the findings."""
        grid = self._dataset.grid
        self.records_checked += len(batch["index"])
        inside = (batch["index"] >= 0) & (batch["index"] < grid.size)
        self._report(
            batch, ~inside, "index", lambda at: f"has index {batch['index'][at]} of {grid.size}, counted from 0"
        )
        names = [grid.format_name(index).encode() for index in batch["index"].tolist()]
        self._report(
            batch,
            inside & (batch["name"] != np.array(names, object)),
            "name",
            lambda at: f"has index {batch['index'][at]}, which is called {names[at].decode()}",
        )
        self._check_sources(batch)
        self._check_boxes(batch)
        for at in np.unique(batch["file"]).tolist():
            self._check_order(batch, inside & (batch["file"] == at), self._files[at])
        if self._with_backgrounds:
            elsewhere = np.where(_dilate(batch["near"]), 0, batch["difference"]).max((1, 2))
            self._report(
                batch,
                elsewhere > self._jpeg_tolerance,
                "elsewhere",
                lambda at: (
                    f"is not its background away from the mask (it differs by {elsewhere[at]:.0f} of 255 there): "
                    "its picture, its mask or its background is another's"
                ),
            )
            if self._labels_follow_mask:
                self._report(
                    batch,
                    batch["stray"],
                    "stray",
                    lambda at: "has the depth of an object where its mask has none: one of them is another's",
                )

    def report_missing(self) -> None:
        """Adds the composites that were not there to the findings."""
        for name, order in self._orders.items():
            missing = order[self._first_positions[np.searchsorted(self._promised, order)] < 0]
            if len(missing):
                one = self._dataset.grid.format_name(missing[0])
                self._findings.add(
                    name, "missing", f"lacks {len(missing):,} of its {len(order):,} composites: {one} ..."
                )

    def _check_boxes(self, batch: MeasuredBatch) -> None:
        parts = (
            ("mask", batch["mask_box"], batch["mask_size"]),
            ("depth", batch["depth_box"], batch["depth_size"]),
        )
        for key, box, size in parts:
            first, last = box[:, :2], box[:, 2:]
            outside = (first < 0) | (last > [self._dataset.height, self._dataset.width]) | (last - first != size)

            def describe(at: int, key=key, box=box, size=size) -> str:
                return (
                    f"has a {key} of {format_size(size[at])} pixels in {key}_box "
                    f"{box[at].tolist()}, which it does not fit or which is not inside the picture"
                )

            self._report(batch, outside.any(1), f"{key}_box", describe)

    def _check_sources(self, batch: MeasuredBatch) -> None:
        background, foreground, flipped, _ = self._dataset.grid.decode(batch["index"])
        named = (batch["fg_index"] == foreground[:, None]) & (batch["fg_flipped"] == flipped[:, None])
        count = (batch["fg_index"] != ABSENT).sum(1)
        self._report(
            batch,
            (background != batch["bg_index"]) | ((count > 0) & ~named.any(1)),
            "sources",
            lambda at: f"is said to show {_describe_sources(batch, at)}, which its name denies",
        )
        self._report(
            batch,
            (count > self._most_objects) | ((batch["fg_flipped"] != ABSENT).sum(1) != count),
            "objects",
            lambda at: f"lists {count[at]} cut-outs; max_objects was {self._most_objects}",
        )
        self._report(
            batch,
            (count == 0) & (batch["mask_sums"][:, 0] > 0),
            "nobody",
            lambda at: "has a mask but nobody in it",
        )

    def _check_order(self, batch: MeasuredBatch, own: np.ndarray, file: ShardFile) -> None:
        if file.split not in self._orders or not own.any():
            return
        backgrounds, foregrounds = self._sources[file.split]
        shown = np.isin(batch["fg_index"], foregrounds) | (batch["fg_index"] == ABSENT)
        self._report(
            batch,
            own & ~(np.isin(batch["bg_index"], backgrounds) & shown.all(1)),
            "split",
            lambda at: f"shows {_describe_sources(batch, at)}, which are not all in {file.split}",
        )
        order, grid = self._orders[file.split], self._dataset.grid
        position = file.first + batch["number"]
        promised = np.where(position < len(order), order[np.minimum(position, len(order) - 1)], -1)
        self._report(
            batch,
            own & (batch["index"] != promised),
            "order",
            lambda at: (
                f"is not {grid.format_name(int(promised[at]))}, which belongs there"
                if promised[at] >= 0
                else "is too many"
            ),
        )
        for at in np.flatnonzero(own).tolist():
            index, first = batch["index"][at], self._offsets[batch["file"][at]]
            before = self._find_first(int(index), int(first + batch["number"][at]))
            if before >= 0:
                other = int(np.searchsorted(self._offsets, before, side="right")) - 1
                where = f"{self._files[other].name}, record {before - self._offsets[other]}"
                self._add(batch, at, "twice", f"is there already: {where}")

    def _find_first(self, index: int, position: int) -> int:
        """Returns where a composite was before, or -1, and then notes that it is at `position`."""
        at = int(np.searchsorted(self._promised, index))
        if at == len(self._promised) or self._promised[at] != index:
            before = self._others.setdefault(index, position)
            return -1 if before == position else before
        before = int(self._first_positions[at])
        if before < 0:
            self._first_positions[at] = position
        return before

    def _report(self, batch: MeasuredBatch, wrong: np.ndarray, kind: str, text: Callable[[int], str]) -> None:
        for at in np.flatnonzero(wrong).tolist():
            self._add(batch, at, kind, text(at))

    def _add(self, batch: MeasuredBatch, at: int, kind: str, text: str) -> None:
        file, name = self._files[batch["file"][at]].name, batch["name"][at].decode(errors="replace")
        self._findings.add(file, kind, text, int(batch["number"][at]), name)


def _describe_sources(batch: MeasuredBatch, at: int) -> str:
    listed = batch["fg_index"][at]
    cutouts = " and ".join(f"fg{cutout:03d}" for cutout in listed[listed != ABSENT].tolist())
    return f"bg{batch['bg_index'][at]:03d} with {cutouts or 'nobody'}"
