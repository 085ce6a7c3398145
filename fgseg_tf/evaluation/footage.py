"""Sequences of real cameras with hand-made masks, laid out as CDnet does, and how well their masks and depth are found.

    NAME/input         frames                       (also called rgb)
    NAME/groundtruth   a mask for some of them      (also called mask), matched by the number in the file's name:
                       255 foreground; 0 and 50, a shadow, background; 85 and 170 are left out
    NAME/background    a picture of the empty scene
    NAME/depth         16-bit PNG, millimetres, 0 unknown; optional

Precision, recall and F are those of all scored pixels of a sequence together, as in CDnet; figures of depth are means
of its frames. A sequence with depth and no masks, of a camera that moves, has each frame for its own empty scene. Masks
of a sensor that looks from beside the camera can be moved to where they belong; see `alignment.py`.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import tensorflow as tf

from data_pipelines.runtime.files import join_path
from data_pipelines.sources.image_files import ENDINGS as PICTURE_ENDINGS
from data_pipelines.sources.image_files import in_folder as pictures_in_folder
from data_pipelines.sources.image_files import read as read_picture
from fgseg_tf.evaluation import baselines, mask_alignment

FOREGROUND, LEFT_OUT = 255, (85, 170)
FRAMES, MASKS, BACKGROUND, DEPTH = ("input", "rgb"), ("groundtruth", "mask"), "background", "depth"
MILLIMETRES = 1000.0
DELTA = 1.25


@dataclass(frozen=True)
class Sequence:
    """background: a path, None for a camera that moves. frames: (frame, mask or None, depth or None), paths.

    offset: by how much masks and depth are moved when they are read.
    """

    name: str
    background: str | None
    frames: tuple[tuple[str, str | None, str | None], ...]
    offset: mask_alignment.Offset | None = None

    @property
    def masked(self) -> bool:
        return self.background is not None and any(mask for _, mask, _ in self.frames)


@dataclass
class Counts:
    """Of pixels."""

    hit: int = 0
    alarm: int = 0
    missed: int = 0

    def add(self, found: np.ndarray, truth: np.ndarray) -> None:
        """found: bool; truth: levels of the hand-made mask. Both [H, W]."""
        scored, inside = ~np.isin(truth, LEFT_OUT), truth == FOREGROUND
        self.hit += int((found & inside & scored).sum())
        self.alarm += int((found & ~inside & scored).sum())
        self.missed += int((~found & inside & scored).sum())

    @property
    def precision(self) -> float:
        return self.hit / max(1, self.hit + self.alarm)

    @property
    def recall(self) -> float:
        return self.hit / max(1, self.hit + self.missed)

    @property
    def f(self) -> float:
        return 2 * self.hit / max(1, 2 * self.hit + self.alarm + self.missed)


def find(folder: str) -> list[Sequence]:
    """All sequences in a folder of them, or the one that the folder is."""
    if not tf.io.gfile.isdir(folder):
        raise ValueError(f"`footage`={folder} is not a folder.")
    inside = sorted(name.rstrip("/") for name in tf.io.gfile.listdir(folder))
    below = [_sequence(join_path(folder, name), name) for name in inside if tf.io.gfile.isdir(join_path(folder, name))]
    itself = _sequence(folder, folder.rstrip("/").rpartition("/")[2])
    found = [sequence for sequence in (itself, *below) if sequence]
    if not found:
        raise ValueError(
            f"{folder} holds no sequence: looked for NAME/input with NAME/groundtruth and NAME/background, or with "
            "NAME/depth."
        )
    return found


def read_levels(where: str) -> np.ndarray:
    """[H, W]: of a mask 0 to 255, of depth millimetres."""
    with tf.io.gfile.GFile(where, "rb") as file:
        data = file.read()
    # The type is in the header: 8 or 16 bits a channel.
    kind = tf.uint16 if data[24] == 16 else tf.uint8
    return tf.io.decode_png(data, channels=1, dtype=kind).numpy()[..., 0]


def tuned(sequences: list[Sequence]) -> dict[str, Callable]:
    """Name -> the baseline that has the best mean F on these very sequences: (bg, fg_bg) -> mask, bool [H, W].

    More than anybody could know of a new camera: what is to be beaten is the best that a threshold can do.
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
            counts = [Counts() for _ in candidates]
            for bg, frame, truth, _ in pictures(sequence):
                if truth is None:
                    continue
                for count, candidate in zip(counts, candidates, strict=True):
                    count.add(_answer(candidate, bg, frame), truth)
            scores += [count.f for count in counts]
        best[name] = partial(_answer, candidates[int(np.argmax(scores))])
    return best


def aligned(sequence: Sequence, difference: Callable) -> Sequence:
    """The same with its `offset`: where its masks agree best with the difference, as answered by `tuned`."""
    compared = (
        (difference(bg, frame), truth == FOREGROUND, ~np.isin(truth, (FOREGROUND, *LEFT_OUT)))
        for bg, frame, truth, _ in pictures(sequence)
        if truth is not None
    )
    return replace(sequence, offset=mask_alignment.offset(compared))


def pictures(sequence: Sequence) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None]]:
    """bg, frame: uint8 [H, W, 3]; truth: levels [H, W] or None; depth: millimetres [H, W] or None."""
    bg = None if sequence.background is None else read_picture(sequence.background)
    for frame, mask, depth in sequence.frames:
        picture = read_picture(frame)
        truth, millimetres = (None if where is None else read_levels(where) for where in (mask, depth))
        if sequence.offset:
            truth = None if truth is None else mask_alignment.moved(truth, sequence.offset, LEFT_OUT[0])
            millimetres = None if millimetres is None else mask_alignment.moved(millimetres, sequence.offset, 0)
        yield picture if bg is None else bg, picture, truth, millimetres


def depth_scores(metres: np.ndarray, millimetres: np.ndarray) -> dict[str, float] | None:
    """abs_rel, rmse in metres and delta1, as it is and `scaled_`: with the median that is right. None where unknown."""
    known = millimetres > 0
    if not known.any():
        return None
    truth, found = millimetres[known] / MILLIMETRES, metres[known]
    scores = {}
    for name, values in {"": found, "scaled_": found * np.median(truth) / np.median(found)}.items():
        ratio = np.maximum(values / truth, truth / values)
        scores[f"{name}abs_rel"] = float(np.mean(np.abs(values - truth) / truth))
        scores[f"{name}rmse"] = float(np.sqrt(np.mean(np.square(values - truth))))
        scores[f"{name}delta1"] = float(np.mean(ratio < DELTA))
    return scores


def _answer(baseline: Callable, bg: np.ndarray, frame: np.ndarray) -> np.ndarray:
    pair = (picture[None].astype(np.float32) / 255 for picture in (bg, frame))
    return baseline(*pair)[0, ..., 0] > 0.5


def _sequence(folder: str, name: str) -> Sequence | None:
    frames = _first_of(folder, FRAMES)
    masks, depths = _first_of(folder, MASKS), _first_of(folder, (DEPTH,))
    if not frames or not (masks or depths):
        return None
    background = None
    if tf.io.gfile.isdir(join_path(folder, BACKGROUND)):
        # One with depth may lie beside it.
        shown = [
            where
            for where in pictures_in_folder(join_path(folder, BACKGROUND), "background")[0]
            if "depth" not in where
        ]
        if not shown:
            raise ValueError(
                f"{join_path(folder, BACKGROUND)} holds no picture: looked for {' '.join(PICTURE_ENDINGS)}."
            )
        background = shown[0]
    rows = [(where, masks.get(number), depths.get(number)) for number, where in frames.items()]
    rows = [row for row in rows if any(row[1:])]
    if not rows:
        raise ValueError(f"no mask or depth in {folder} has the number of a frame: are they of one sequence?")
    return Sequence(name, background, tuple(rows))


def _first_of(folder: str, names: tuple[str, ...]) -> dict[str, str]:
    """Number -> path of the pictures in the first of these folders that is there."""
    for name in names:
        if tf.io.gfile.isdir(join_path(folder, name)):
            return {_number(where): where for where in pictures_in_folder(join_path(folder, name), name)[0]}
    return {}


def _number(where: str) -> str:
    """The last number in a file's name, without leading zeros: in000123.jpg and gt000123.png are of one frame."""
    digits = re.findall(r"\d+", where.rpartition("/")[2])
    return digits[-1].lstrip("0") if digits else where.rpartition("/")[2]
