"""Reads sequences of real cameras with hand-made masks, laid out as CDnet does, and scores masks and depth on them.

    NAME/input         frames                       (also called rgb)
    NAME/groundtruth   a mask for some of them      (also called mask), matched by the number in the file's name:
                       255 foreground; 0 and 50, a shadow, background; 85 and 170 are left out
    NAME/background    a picture of the background
    NAME/depth         16-bit PNG, millimetres, 0 unknown; optional
    NAME/background/depth.png    that of the background, likewise; with it, depth is also scored as if it were known

Precision, recall and F are those of all scored pixels of a sequence together, as in CDnet; figures of depth are means
of its frames. A sequence with depth and no masks, of a camera that moves, has each frame for its own background. Masks
of a sensor that looks from beside the camera can be moved to where they belong; see `mask_alignment.py`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import tensorflow as tf

from data_pipelines.runtime.files import join_path
from data_pipelines.sources.image_files import ENDINGS as PICTURE_ENDINGS
from data_pipelines.sources.image_files import list_pictures, read_picture
from fgseg_tf.evaluation import baselines, mask_alignment

FOREGROUND, LEFT_OUT = 255, (85, 170)
FRAMES, MASKS, BACKGROUND, DEPTH = ("input", "rgb"), ("groundtruth", "mask"), "background", "depth"
MILLIMETRES = 1000.0
DELTA = 1.25


@dataclass(frozen=True)
class Sequence:
    """The files of a sequence.

    Attributes:
        name: Of its folder.
        background: Path of the background; None for a camera that moves.
        frames: Paths, (frame, mask or None, depth or None) each.
        offset: By how much masks and depth are moved when they are read; None for not at all.
        background_depth: Path of the depth of the background; None where there is none.
    """

    name: str
    background: str | None
    frames: tuple[tuple[str, str | None, str | None], ...]
    offset: mask_alignment.Offset | None = None
    background_depth: str | None = None

    @property
    def masked(self) -> bool:
        """Whether its masks can be scored."""
        return self.background is not None and any(mask for _, mask, _ in self.frames)


@dataclass
class PixelCounts:
    """Counts of pixels, and the scores that come of them.

    Attributes:
        hit: Foreground that was found.
        alarm: Background that was called foreground.
        missed: Foreground that was called background.
    """

    hit: int = 0
    alarm: int = 0
    missed: int = 0

    def add(self, mask: np.ndarray, truth: np.ndarray) -> None:
        """Counts the pixels of a frame. mask: bool; truth: levels of the hand-made mask. Both [H, W]."""
        scored, inside = ~np.isin(truth, LEFT_OUT), truth == FOREGROUND
        self.hit += int((mask & inside & scored).sum())
        self.alarm += int((mask & ~inside & scored).sum())
        self.missed += int((~mask & inside & scored).sum())

    @property
    def precision(self) -> float:
        """Returns the share of what was found that is foreground."""
        return self.hit / max(1, self.hit + self.alarm)

    @property
    def recall(self) -> float:
        """Returns the share of the foreground that was found."""
        return self.hit / max(1, self.hit + self.missed)

    @property
    def f(self) -> float:
        """Returns the harmonic mean of precision and recall."""
        return 2 * self.hit / max(1, 2 * self.hit + self.alarm + self.missed)


def find_sequences(folder: str) -> list[Sequence]:
    """Returns all sequences in a folder of them, or the one that the folder is.

    Raises:
        ValueError: There is none, or one that is not complete.
    """
    if not tf.io.gfile.isdir(folder):
        raise ValueError(f"`footage`={folder} is not a folder.")
    inside = sorted(name.rstrip("/") for name in tf.io.gfile.listdir(folder))
    below = [
        _find_sequence(join_path(folder, name), name) for name in inside if tf.io.gfile.isdir(join_path(folder, name))
    ]
    itself = _find_sequence(folder, folder.rstrip("/").rpartition("/")[2])
    sequences = [sequence for sequence in (itself, *below) if sequence]
    if not sequences:
        raise ValueError(
            f"{folder} holds no sequence: looked for NAME/input with NAME/groundtruth and NAME/background, or with "
            "NAME/depth."
        )
    return sequences


def read_levels(where: str) -> np.ndarray:
    """Returns the levels of a PNG, [H, W]: of a mask 0 to 255, of depth millimetres."""
    with tf.io.gfile.GFile(where, "rb") as file:
        data = file.read()
    # The type is in the header: 8 or 16 bits a channel.
    kind = tf.uint16 if data[24] == 16 else tf.uint8
    return tf.io.decode_png(data, channels=1, dtype=kind).numpy()[..., 0]


def tune_baselines(sequences: list[Sequence]) -> dict[str, Callable]:
    """Returns the baselines with the best mean F on these very sequences, by name.

    More than anybody could know of a new camera: what is to be beaten is the best that a threshold can do.

    Returns:
        Functions from bg and fg_bg, uint8 [H, W, 3], to the mask, bool [H, W].
    """
    kinds: dict[str, list[Callable]] = {
        "difference": [baselines.Difference(level, median) for median in (1, 3, 5) for level in baselines.DIFFERENCES],
        "mog2": [baselines.Subtractor("mog2", level) for level in baselines.VARIANCES],
        "knn": [baselines.Subtractor("knn", level) for level in baselines.SQUARED_DISTANCES],
    }
    masked = [sequence for sequence in sequences if sequence.masked]
    best: dict[str, Callable] = {}
    for name, candidates in kinds.items():
        scores = np.zeros(len(candidates))
        for sequence in masked:
            counts = [PixelCounts() for _ in candidates]
            for bg, frame, truth, _ in read_pictures(sequence):
                if truth is None:
                    continue
                for count, candidate in zip(counts, candidates, strict=True):
                    count.add(_segment(candidate, bg, frame), truth)
            scores += [count.f for count in counts]
        best[name] = partial(_segment, candidates[int(np.argmax(scores))])
    return best


def align_masks(sequence: Sequence, difference: Callable) -> Sequence:
    """Returns the sequence with the offset at which its masks agree best with a difference of `tune_baselines`."""
    compared = (
        (difference(bg, frame), truth == FOREGROUND, ~np.isin(truth, (FOREGROUND, *LEFT_OUT)))
        for bg, frame, truth, _ in read_pictures(sequence)
        if truth is not None
    )
    return replace(sequence, offset=mask_alignment.find_offset(compared))


def read_pictures(sequence: Sequence) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]]:
    """Yields (bg, frame, truth, depth) for each frame of a sequence.

    bg and frame are uint8 [H, W, 3]; truth is the levels of the mask, [H, W], or None; depth is millimetres, [H, W], or
    None.
    """
    bg = None if sequence.background is None else read_picture(sequence.background)
    for frame, mask, depth in sequence.frames:
        picture = read_picture(frame)
        truth, millimetres = (None if where is None else read_levels(where) for where in (mask, depth))
        if sequence.offset:
            truth = None if truth is None else mask_alignment.move_labels(truth, sequence.offset, LEFT_OUT[0])
            millimetres = None if millimetres is None else mask_alignment.move_labels(millimetres, sequence.offset, 0)
        yield picture if bg is None else bg, picture, truth, millimetres


def read_background_metres(sequence: Sequence) -> np.ndarray | None:
    """Returns the depth of the background, float32 [H, W], metres, 0 unknown; None where there is none."""
    if sequence.background_depth is None:
        return None
    millimetres = read_levels(sequence.background_depth)
    if sequence.offset:
        millimetres = mask_alignment.move_labels(millimetres, sequence.offset, 0)
    return (millimetres / MILLIMETRES).astype(np.float32)


def measure_abs_rel(metres: np.ndarray, millimetres: np.ndarray, region: np.ndarray | None = None) -> float | None:
    """Returns by which share depth is off in the mean; None where nothing is known in both.

    Args:
        metres: Predicted, [H, W], 0 unknown.
        millimetres: True, [H, W], 0 unknown.
        region: bool [H, W], where it is measured; None for everywhere.
    """
    scored = (millimetres > 0) & (metres > 0)
    scored = scored if region is None else scored & region
    if not scored.any():
        return None
    truth = millimetres[scored] / MILLIMETRES
    return float(np.mean(np.abs(metres[scored] - truth) / truth))


def score_depth(metres: np.ndarray, millimetres: np.ndarray) -> dict[str, float] | None:
    """Returns scores of depth, or None if the truth is unknown everywhere.

    Args:
        metres: Predicted, [H, W].
        millimetres: True, [H, W], 0 unknown.

    Returns:
        abs_rel, rmse (metres) and delta1; and the same with the prefix `scaled_`, with depth scaled to the true median.
    """
    known = millimetres > 0
    if not known.any():
        return None
    truth, predicted = millimetres[known] / MILLIMETRES, metres[known]
    scores = {}
    for name, values in {"": predicted, "scaled_": predicted * np.median(truth) / np.median(predicted)}.items():
        ratio = np.maximum(values / truth, truth / values)
        scores[f"{name}abs_rel"] = float(np.mean(np.abs(values - truth) / truth))
        scores[f"{name}rmse"] = float(np.sqrt(np.mean(np.square(values - truth))))
        scores[f"{name}delta1"] = float(np.mean(ratio < DELTA))
    return scores


def _segment(baseline: Callable, bg: np.ndarray, frame: np.ndarray) -> np.ndarray:
    pair = (picture[None].astype(np.float32) / 255 for picture in (bg, frame))
    return baseline(*pair)[0, ..., 0] > 0.5


def _find_sequence(folder: str, name: str) -> Sequence | None:
    frames = _first_of(folder, FRAMES)
    masks, depths = _first_of(folder, MASKS), _first_of(folder, (DEPTH,))
    if not frames or not (masks or depths):
        return None
    background = background_depth = None
    if tf.io.gfile.isdir(join_path(folder, BACKGROUND)):
        pictures = list_pictures(join_path(folder, BACKGROUND), "background")[0]
        shown = [where for where in pictures if "depth" not in where.rpartition("/")[2]]
        background_depth = next((where for where in pictures if where.endswith("depth.png")), None)
        if not shown:
            raise ValueError(
                f"{join_path(folder, BACKGROUND)} holds no picture: looked for {' '.join(PICTURE_ENDINGS)}."
            )
        background = shown[0]
    rows = [(where, masks.get(number), depths.get(number)) for number, where in frames.items()]
    rows = [row for row in rows if any(row[1:])]
    if not rows:
        raise ValueError(f"no mask or depth in {folder} has the number of a frame: are they of one sequence?")
    return Sequence(name, background, tuple(rows), background_depth=background_depth)


def _first_of(folder: str, names: tuple[str, ...]) -> dict[str, str]:
    """Returns number -> path of the pictures in the first of these folders that is there."""
    for name in names:
        if tf.io.gfile.isdir(join_path(folder, name)):
            return {_number(where): where for where in list_pictures(join_path(folder, name), name)[0]}
    return {}


def _number(where: str) -> str:
    """The last number in a file's name, without leading zeros: in000123.jpg and gt000123.png are of one frame."""
    digits = re.findall(r"\d+", where.rpartition("/")[2])
    return digits[-1].lstrip("0") if digits else where.rpartition("/")[2]
