"""What can be wrong with one composite: measured in tf ops for all of them, put into words for the few that are.

    measure      everything of a record that has to be seen, as a few numbers; fails when it cannot be read
    Examiner     holds these numbers against the catalogue
    complaint    why `measure` failed, in a sentence

`verification` reads the files and asks these.
"""

import numpy as np
import tensorflow as tf

from data_pipelines.inspection.findings import Findings
from data_pipelines.runtime.errors import sentence
from data_pipelines.tfrecord import schema
from data_pipelines.tfrecord.reader import ShardFile, StoredDataset

ROWS_APART = 4  # of those that are compared
BLOCK = 16  # pixels; JPEG with halved colour changes 16 x 16 of them together
ABSENT = -1  # fills up lists of cut-outs
HALF_COVERED = 127  # of 255: an object has its own depth where it covers half of a pixel; less one for rounding


def measure(serialized: bytes | tf.Tensor, backgrounds: tf.Tensor, background_depths: tf.Tensor) -> dict:
    """One record -> its keys but the pictures; mask_size, depth_size int32 [2]; and of the pictures:

    mask_sums int64 [2], fg_bg_sums float64 [2, 3]: sum and sum of squares.
    depth_sums int64 [2]: by how much they are those of the bare background larger.
    difference float32 [rows, columns]: by how much fg_bg differs from its background, of 255, on average over a block;
    near bool [rows, columns]: whether an object is in that block.
    stray bool: whether something has a depth of its own where the mask is not.

    backgrounds: as `thinned` answers them. Does by hand what records.decode_composite does, and so takes a third of the
    time: nothing is laid out in full that is not looked at.
    """
    _, height, width, _ = background_depths.shape
    parsed = schema.parse(serialized, schema.COMPOSITE)
    mirrored = parsed["bg_flipped"] == 1
    fg_bg = tf.io.decode_jpeg(parsed["fg_bg"], channels=3, dct_method="INTEGER_ACCURATE")
    fg_bg = tf.ensure_shape(fg_bg, [height, width, 3])
    mask = tf.io.decode_png(parsed["mask"], channels=1)
    depth = tf.io.decode_png(parsed["depth"], channels=1, dtype=tf.uint16)

    top, left, bottom, right = tf.unstack(tf.cast(parsed["mask_box"], tf.int32))
    mask_in_full = tf.pad(mask, [[top, height - bottom], [left, width - right], [0, 0]])
    mask_in_full = tf.ensure_shape(mask_in_full, [height, width, 1])
    top, left, bottom, right = tf.unstack(tf.cast(parsed["depth_box"], tf.int32))
    own = depth > 0
    covered = mask_in_full[top:bottom, left:right]
    left, right = tf.where(mirrored, width - right, left), tf.where(mirrored, width - left, right)
    scenery = background_depths[tf.cast(parsed["bg_index"], tf.int32), top:bottom, left:right]
    scenery = tf.where(mirrored, tf.reverse(scenery, [1]), scenery)
    depth_now, depth_before = tf.unstack(_sums(tf.stack([depth, tf.where(own, scenery, 0)])), axis=1)

    colours = tf.cast(fg_bg, tf.float32)
    # Thinned by tf.gather: a slice with a step takes ten times as long.
    compared = tf.gather(fg_bg, tf.range(0, height, ROWS_APART))
    bg = tf.gather(backgrounds, parsed["bg_index"] + parsed["bg_flipped"] * background_depths.shape[0])
    difference = tf.cast(tf.maximum(compared, bg) - tf.minimum(compared, bg), tf.float32)
    return {
        **{key: value for key, value in parsed.items() if key not in ("fg_bg", "mask", "depth")},
        "mask_size": tf.shape(mask)[:2],
        "depth_size": tf.shape(depth)[:2],
        "mask_sums": _sums(mask[None])[:, 0],
        "depth_sums": depth_now - depth_before,
        "fg_bg_sums": tf.cast(tf.stack([_by_channel(colours), _by_channel(colours * colours)]), tf.float64),
        "difference": _of_blocks(difference, BLOCK // ROWS_APART, tf.reduce_mean),
        "near": _of_blocks(tf.cast(mask_in_full, tf.float32), BLOCK, tf.reduce_max) > 0,
        "stray": tf.reduce_any(own & (covered < HALF_COVERED)),
    }


def thinned(pictures: np.ndarray) -> np.ndarray:
    """Backgrounds as `measure` compares them: every fourth row, and once more mirrored; uint8 [2 n, h / 4, w, 3]."""
    rows = pictures[:, ::ROWS_APART]
    return np.concatenate([rows, rows[:, :, ::-1]])


def padding_for(element_spec: dict) -> dict:
    """What fills up the lists of a batch; only those of cut-outs are of unequal length."""
    lists = ("fg_index", "fg_flipped")
    # For the others, what stands for nothing in their type; it is never used.
    return {
        key: np.int64(ABSENT) if key in lists else "" if spec.dtype == tf.string else spec.dtype.as_numpy_dtype()
        for key, spec in element_spec.items()
    }


def _sums(labels):
    """[n, h, w, 1] -> int64 [2, n]: sum and sum of squares."""
    values = tf.cast(labels, tf.int64)
    return tf.stack([tf.reduce_sum(values, [1, 2, 3]), tf.reduce_sum(values * values, [1, 2, 3])])


def _by_channel(colours):
    """float32 [h, w, 3] -> [3]; rows first, which is quicker than both at once."""
    return tf.reduce_sum(tf.reshape(tf.reduce_sum(tf.reshape(colours, [colours.shape[0], -1]), 0), [-1, 3]), 0)


def _of_blocks(values, rows: int, reduce):
    """float32 [h, w, c] -> [h / rows, w / BLOCK]; what is missing to whole blocks is filled up with 0."""
    height, width, channels = values.shape
    values = tf.pad(values, [[0, -height % rows], [0, -width % BLOCK], [0, 0]])
    # Rows first; a pooling op takes ten times as long.
    values = reduce(tf.reshape(values, [-1, rows, (width + -width % BLOCK) * channels]), 1)
    return reduce(tf.reshape(values, [values.shape[0], -1, BLOCK * channels]), -1)


def _dilated(blocks: np.ndarray) -> np.ndarray:
    """bool [n, rows, columns]: those blocks and the eight around each."""
    for axis in (1, 2):
        padded = np.pad(blocks, [(1, 1) if axis == a else (0, 0) for a in range(3)])
        length = blocks.shape[axis]
        blocks = np.logical_or.reduce([padded.take(range(shift, shift + length), axis) for shift in range(3)])
    return blocks


def most_elsewhere(jpeg_quality: int) -> float:
    """How much JPEG changes a block of pixels, at most, when it is not cut into the same blocks (mirrored).

    Measured on 60 photographs, four sizes: 3.5 at a quality of 95, 10 at 80, 21 at 40, 29 at 10, 51 at 1. Another
    background, or the same one not mirrored, differs by 30 to 117.
    """
    return 10 + 0.45 * (100 - jpeg_quality)


class Examiner:
    """Looks at batches of `measure` and remembers which composites were there."""

    def __init__(self, dataset: StoredDataset, files: list[ShardFile], with_backgrounds: bool, findings: Findings):
        options = dataset.manifest["options"]
        self._dataset, self._files, self._findings = dataset, files, findings
        self._with_backgrounds = with_backgrounds
        self._labels_follow_mask = options["labels"] != "teacher"
        self._most_elsewhere = most_elsewhere(options["jpeg_quality"])
        self._most_objects = options["max_objects"]
        self._orders = {name: dataset.order(name) for name in dataset.splits}
        self._sources = {
            name: (np.array(split.backgrounds), np.array(split.foregrounds)) for name, split in dataset.splits.items()
        }
        self._seen = np.full(dataset.grid.size, -1, np.int64)  # index -> position in all files, where it was first
        self._offsets = np.cumsum([0, *(file.records for file in files)])
        self.looked_at = 0

    def look(self, batch: dict) -> None:
        grid = self._dataset.grid
        self.looked_at += len(batch["index"])
        inside = (batch["index"] >= 0) & (batch["index"] < grid.size)
        self._say(batch, ~inside, "index", lambda at: f"has index {batch['index'][at]} of {grid.size}, counted from 0")
        names = [grid.name(index).encode() for index in batch["index"].tolist()]
        self._say(
            batch,
            inside & (batch["name"] != np.array(names, object)),
            "name",
            lambda at: f"has index {batch['index'][at]}, which is called {names[at].decode()}",
        )
        self._objects(batch)
        self._boxes(batch)
        for at in np.unique(batch["file"]).tolist():
            self._place(batch, inside & (batch["file"] == at), self._files[at])
        if self._with_backgrounds:
            elsewhere = np.where(_dilated(batch["near"]), 0, batch["difference"]).max((1, 2))
            self._say(
                batch,
                elsewhere > self._most_elsewhere,
                "elsewhere",
                lambda at: (
                    f"is not its background away from the mask (it differs by {elsewhere[at]:.0f} of 255 there): "
                    "its picture, its mask or its background is another's"
                ),
            )
            if self._labels_follow_mask:
                self._say(
                    batch,
                    batch["stray"],
                    "stray",
                    lambda at: "has the depth of an object where its mask has none: one of them is another's",
                )

    def finish(self) -> None:
        """Says which composites were not there."""
        for name, order in self._orders.items():
            missing = order[self._seen[order] < 0]
            if len(missing):
                one = self._dataset.grid.name(missing[0])
                self._findings.add(
                    name, "missing", f"lacks {len(missing):,} of its {len(order):,} composites: {one} ..."
                )

    def _boxes(self, batch: dict) -> None:
        for key in ("mask", "depth"):
            box, size = batch[f"{key}_box"], batch[f"{key}_size"]
            first, last = box[:, :2], box[:, 2:]
            outside = (first < 0) | (last > [self._dataset.height, self._dataset.width]) | (last - first != size)
            self._say(
                batch,
                outside.any(1),
                f"{key}_box",
                lambda at, key=key, box=box, size=size: (
                    f"has a {key} of {_size(size[at])} pixels in {key}_box "
                    f"{box[at].tolist()}, which it does not fit or which is not inside the picture"
                ),
            )

    def _objects(self, batch: dict) -> None:
        background, foreground, flipped, _ = self._dataset.grid.parts(batch["index"])
        named = (batch["fg_index"] == foreground[:, None]) & (batch["fg_flipped"] == flipped[:, None])
        count = (batch["fg_index"] != ABSENT).sum(1)
        self._say(
            batch,
            (background != batch["bg_index"]) | ((count > 0) & ~named.any(1)),
            "sources",
            lambda at: f"is said to show {_shown(batch, at)}, which its name denies",
        )
        self._say(
            batch,
            (count > self._most_objects) | ((batch["fg_flipped"] != ABSENT).sum(1) != count),
            "objects",
            lambda at: f"lists {count[at]} cut-outs; max_objects was {self._most_objects}",
        )
        self._say(
            batch,
            (count == 0) & (batch["mask_sums"][:, 0] > 0),
            "nobody",
            lambda at: "has a mask but nobody in it",
        )

    def _place(self, batch: dict, own: np.ndarray, file: ShardFile) -> None:
        if file.split not in self._orders or not own.any():
            return
        backgrounds, foregrounds = self._sources[file.split]
        shown = np.isin(batch["fg_index"], foregrounds) | (batch["fg_index"] == ABSENT)
        self._say(
            batch,
            own & ~(np.isin(batch["bg_index"], backgrounds) & shown.all(1)),
            "split",
            lambda at: f"shows {_shown(batch, at)}, which are not all in {file.split}",
        )
        order, grid = self._orders[file.split], self._dataset.grid
        position = file.first + batch["number"]
        promised = np.where(position < len(order), order[np.minimum(position, len(order) - 1)], -1)
        self._say(
            batch,
            own & (batch["index"] != promised),
            "order",
            lambda at: (
                f"is not {grid.name(int(promised[at]))}, which belongs there" if promised[at] >= 0 else "is too many"
            ),
        )
        for at in np.flatnonzero(own).tolist():
            index, first = batch["index"][at], self._offsets[batch["file"][at]]
            before = self._seen[index]
            if before >= 0:
                other = int(np.searchsorted(self._offsets, before, side="right")) - 1
                where = f"{self._files[other].name}, record {before - self._offsets[other]}"
                self._add(batch, at, "twice", f"is there already: {where}")
            else:
                self._seen[index] = first + batch["number"][at]

    def _say(self, batch: dict, wrong: np.ndarray, kind: str, text) -> None:
        for at in np.flatnonzero(wrong).tolist():
            self._add(batch, at, kind, text(at))

    def _add(self, batch: dict, at: int, kind: str, text: str) -> None:
        file, name = self._files[batch["file"][at]].name, batch["name"][at].decode(errors="replace")
        self._findings.add(file, kind, text, int(batch["number"][at]), name)


def complaint(serialized: bytes, backgrounds: tf.Tensor, background_depths: tf.Tensor) -> tuple[str, str]:
    """(name, why) of a record that `measure` cannot read. The arguments are those of `measure`."""
    count, height, width, _ = background_depths.shape
    try:
        parsed = schema.parse(serialized, schema.COMPOSITE)
    except (ValueError, tf.errors.OpError) as error:
        return "", f"does not fit the schema: {sentence(error)}"
    name, bg_index = parsed["name"].numpy().decode(errors="replace"), int(parsed["bg_index"])
    if not 0 <= bg_index < count:
        return name, f"has background {bg_index}; there are {count}, counted from 0"
    for key, decode in (("fg_bg", tf.io.decode_jpeg), ("mask", tf.io.decode_png), ("depth", tf.io.decode_png)):
        try:
            size = decode(parsed[key]).shape[:2]
        except tf.errors.OpError as error:
            return name, f"has a {key} that cannot be decoded: {sentence(error)}"
        box = parsed[f"{key}_box"].numpy().tolist() if key != "fg_bg" else [0, 0, height, width]
        top, left, bottom, right = box
        if not (0 <= top < bottom <= height and 0 <= left < right <= width):
            return name, f"has a {key}_box {box} that is not inside its {height} x {width} pixels"
        if tuple(size) != (bottom - top, right - left):
            return name, f"has a {key} of {_size(size)} pixels where {bottom - top} x {right - left} belong"
    try:
        measure(serialized, backgrounds, background_depths)
    except (ValueError, tf.errors.OpError) as error:
        return name, f"cannot be put together: {sentence(error)}"
    return name, "could not be read the first time, and now it can"


def _shown(batch: dict, at: int) -> str:
    listed = batch["fg_index"][at]
    cutouts = " and ".join(f"fg{cutout:03d}" for cutout in listed[listed != ABSENT].tolist())
    return f"bg{batch['bg_index'][at]:03d} with {cutouts or 'nobody'}"


def _size(sides) -> str:
    return f"{sides[0]} x {sides[1]}"
