"""The files that `predict` writes for each frame.

    mask/NAME.png      8 bits: 0 background, 255 foreground, between them the share of a pixel that is covered
    depth/NAME.png     16 bits: metres x 256, as in KITTI
    overlay/NAME.jpg   the frame, the background darkened and objects outlined
    frames.csv         a line a frame: name, share of foreground, similarity to the background
    objects.csv        a line an object: where it is, and how far away where metres are known
    predict.json       what made them

A file appears whole or not at all; both tables grow as frames are done, see `prediction_tables`.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image, ImageDraw, ImageFont

from data_pipelines.compositing.depth_labels import DEPTH_SCALE, encode_depth
from data_pipelines.runtime.files import join_path, make_folder, write_atomic, write_json
from fgseg_tf.inference.objects import FOREGROUND, SceneObject
from fgseg_tf.inference.segmenter import Result

ENDINGS = {"mask": "png", "depth": "png", "overlay": "jpg"}
KINDS = tuple(ENDINGS)
FACTS = "predict.json"
BACKGROUND_BRIGHTNESS = 0.45  # what is left of it in an overlay
OUTLINE = (255, 196, 0)
PIXELS_PER_OUTLINE = 300  # of a picture's longer side, for each pixel of the outline's width


class FrameRow(NamedTuple):
    """A line of frames.csv.

    Attributes:
        name: The frame's, as in the names of its files.
        foreground: Share of its pixels, five digits.
        similarity: To the background, three digits; see `scene_match`.
    """

    name: str
    foreground: str
    similarity: str


class ObjectRow(NamedTuple):
    """A line of objects.csv; metres are empty where they are not known.

    Attributes:
        name: The frame's.
        order: Of the object in the frame, 1 for the nearest.
        share: Of the frame's pixels.
        top: Of the box around it.
        left: Likewise.
        bottom: Likewise, exclusive.
        right: Likewise, exclusive.
        foot_row: Of the middle of its foot.
        foot_column: Likewise.
        foot_metres: Depth of the background at its foot.
        nearest: Depth of its nearest tenth.
        median: Of its depth.
        spread: From its nearest to its farthest tenth.
    """

    name: str
    order: str
    share: str
    top: str
    left: str
    bottom: str
    right: str
    foot_row: str
    foot_column: str
    foot_metres: str
    nearest: str
    median: str
    spread: str


def prepare_folder(folder: str, kinds: tuple[str, ...], facts: dict) -> None:
    """Makes a folder for each kind of file, and writes predict.json. facts: what makes the predictions."""
    for kind in kinds:
        make_folder(join_path(folder, kind))
    write_json(join_path(folder, FACTS), complete_facts(facts))


def complete_facts(facts: dict) -> dict:
    """Returns what predict.json says: what makes the predictions, and what the numbers in their files mean."""
    return {**facts, "mask": "0 background, 255 foreground", "depth_unit": "metre", "depth_scale": DEPTH_SCALE}


def path_of(folder: str, kind: str, name: str) -> str:
    """Returns the path of a file of a frame."""
    return join_path(folder, kind, f"{name}.{ENDINGS[kind]}")


def write_prediction(folder: str, kinds: tuple[str, ...], name: str, frame: np.ndarray, result: Result) -> None:
    """Writes the files of a frame, uint8 [H, W, 3]: KIND/NAME with its ending, for each of `kinds`.

    They are whole, but not on the disk yet: `PredictionTables` sees to that for many of them together.
    """
    make = {
        "mask": lambda: tf.io.encode_png(_levels(result.mask)[..., None]),
        "depth": lambda: tf.io.encode_png(encode_depth(result.depth[..., None])),
        "overlay": lambda: tf.io.encode_jpeg(
            label_distances(draw_overlay(frame, result.mask), result.objects), quality=90
        ),
    }
    for kind in kinds:
        write_atomic(path_of(folder, kind, name), make[kind]().numpy(), sync=False)


def make_row(name: str, result: Result) -> FrameRow:
    """Returns the line of frames.csv for a frame."""
    return FrameRow(name, f"{(result.mask >= FOREGROUND).mean():.5f}", f"{result.similarity:.3f}")


def make_object_rows(name: str, result: Result) -> list[ObjectRow]:
    """Returns the lines of objects.csv for a frame."""

    def write(metres: float | None) -> str:
        return "" if metres is None else f"{metres:.3f}"

    return [
        ObjectRow(
            name,
            str(each.order),
            f"{each.share:.5f}",
            *(str(edge) for edge in each.box),
            *(str(place) for place in each.foot),
            *(write(metres) for metres in (each.foot_metres, each.nearest, each.median, each.spread)),
        )
        for each in result.objects
    ]


def label_distances(drawn: np.ndarray, objects: tuple[SceneObject, ...]) -> np.ndarray:
    """Returns a picture, uint8 [H, W, 3], with the distance of each object beside it, where it is known."""
    known = [each for each in objects if each.median is not None]
    if not known:
        return drawn
    picture = Image.fromarray(drawn)
    pen = ImageDraw.Draw(picture)
    size = max(10, round(max(drawn.shape) / 45))
    font = ImageFont.load_default(size)
    for each in known:
        text = f"about {each.median:.1f} m"
        top, left = max(each.box[0] - size - 4, 0), each.box[1]
        left = min(left, max(0, drawn.shape[1] - round(pen.textlength(text, font))))
        pen.text((left, top), text, OUTLINE, font, stroke_width=2, stroke_fill=(0, 0, 0))
    return np.asarray(picture)


def draw_overlay(frame: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Returns the frame with its background darkened and objects outlined, uint8 [H, W, 3]."""
    drawn = frame * (BACKGROUND_BRIGHTNESS + (1 - BACKGROUND_BRIGHTNESS) * mask[..., None])
    inside = (mask >= FOREGROUND).astype(np.float32)[None, ..., None]
    width = 2 * round(max(frame.shape) / PIXELS_PER_OUTLINE / 2) + 1
    grown = tf.nn.max_pool2d(inside, width + 2, 1, "SAME").numpy()[0, ..., 0]
    outline = (grown > 0) & (inside[0, ..., 0] == 0)
    drawn[outline] = OUTLINE
    return np.round(drawn).astype(np.uint8)


def _levels(mask: np.ndarray) -> np.ndarray:
    return np.round(mask * 255).astype(np.uint8)
