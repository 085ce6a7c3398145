"""What `predict` writes for each frame, and how it looks.

    mask/NAME.png      8 bits: 0 background, 255 foreground, between them the share of a pixel that is covered
    depth/NAME.png     16 bits: metres x 256, as in KITTI
    overlay/NAME.jpg   the frame, the background darkened and objects outlined
    frames.csv         a line a frame: name, share of foreground, similarity to the empty scene
    predict.json       what made them

A file appears whole or not at all.
"""

import csv
import io

import numpy as np
import tensorflow as tf

from data_pipelines.compositing.depth_labels import DEPTH_SCALE
from data_pipelines.compositing.depth_labels import to_code as depth_to_code
from data_pipelines.runtime.files import join_path, write_atomic, write_json
from fgseg_tf.inference.segmenter import Answer

KINDS = ("mask", "depth", "overlay")
FOREGROUND = 0.5
DARKENED = 0.45  # what is left of the background
OUTLINE = (255, 196, 0)
OUTLINED = 300  # pixels of a picture's longer side for each of the outline's width
COLUMNS = ("name", "foreground", "similarity")


def prepare(folder: str, kinds: tuple[str, ...], facts: dict) -> None:
    """Folders, and predict.json. facts: what made the answers."""
    for kind in kinds:
        tf.io.gfile.makedirs(join_path(folder, kind))
    said = {**facts, "mask": "0 background, 255 foreground", "depth_unit": "metre", "depth_scale": DEPTH_SCALE}
    write_json(join_path(folder, "predict.json"), said)


def write(folder: str, kinds: tuple[str, ...], name: str, frame: np.ndarray, answer: Answer) -> None:
    make = {
        "mask": lambda: tf.io.encode_png(_levels(answer.mask)[..., None]),
        "depth": lambda: tf.io.encode_png(depth_to_code(answer.depth[..., None])),
        "overlay": lambda: tf.io.encode_jpeg(overlay(frame, answer.mask), quality=90),
    }
    endings = {"mask": "png", "depth": "png", "overlay": "jpg"}
    for kind in kinds:
        write_atomic(join_path(folder, kind, f"{name}.{endings[kind]}"), make[kind]().numpy())


def table(folder: str, rows: list[tuple]) -> None:
    """frames.csv; rows: as COLUMNS."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([COLUMNS, *rows])
    write_atomic(join_path(folder, "frames.csv"), text.getvalue().encode())


def row(name: str, answer: Answer) -> tuple:
    return name, f"{(answer.mask >= FOREGROUND).mean():.5f}", f"{answer.similarity:.3f}"


def overlay(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 3]."""
    shown = frame * (DARKENED + (1 - DARKENED) * mask[..., None])
    inside = (mask >= FOREGROUND).astype(np.float32)[None, ..., None]
    width = 2 * round(max(frame.shape) / OUTLINED / 2) + 1
    grown = tf.nn.max_pool2d(inside, width + 2, 1, "SAME").numpy()[0, ..., 0]
    outline = (grown > 0) & (inside[0, ..., 0] == 0)
    shown[outline] = OUTLINE
    return np.round(shown).astype(np.uint8)


def _levels(mask: np.ndarray) -> np.ndarray:
    return np.round(mask * 255).astype(np.uint8)
