"""Draws a sequence of a fixed camera, with true masks and depth: something to try prediction on.

    python tools/draw_sequence.py --output=clips/street --scene=2
    python -m fgseg_tf.predict --background=clips/street/background/bg.png --frames=clips/street/input --output=answers
    python tools/evaluate_footage.py --footage=clips

No two frames are alike in light and noise, and walkers have shadows. Scenes are a room, a corridor, a street and open
land, in turn.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import io

import numpy as np
import tensorflow as tf
from absl import flags
from PIL import Image

from data_pipelines.demo import sequence as demo_sequence
from data_pipelines.runtime.cli import run_command
from data_pipelines.runtime.progress import Progress

_OUTPUT = flags.DEFINE_string("output", None, "Folder for the sequence; the same names are replaced.", required=True)
_SCENE = flags.DEFINE_integer("scene", 0, "Which one.", lower_bound=0)
_SEED = flags.DEFINE_integer("seed", 100, "Others with the same number.", lower_bound=0)
_COUNT = flags.DEFINE_integer("frames", 12, "How many.", lower_bound=2)
_HEIGHT = flags.DEFINE_integer("height", 240, "Pixels.", lower_bound=32, upper_bound=2160)
_WIDTH = flags.DEFINE_integer("width", 320, "Pixels.", lower_bound=32, upper_bound=3840)

JPEG_QUALITY = 85


def draw() -> None:
    """Draws the background and the frames."""
    size = _SEED.value, _SCENE.value, _HEIGHT.value, _WIDTH.value
    write("background/bg.png", demo_sequence.draw_background(*size))
    write("background/depth.png", encode_millimetres(demo_sequence.draw_background_depth(*size)))
    with Progress("drawing", _COUNT.value, "frames") as shown:
        for number, frame in enumerate(demo_sequence.draw_frames(*size, _COUNT.value), 1):
            write(f"input/in{number:06d}.jpg", frame.picture, quality=JPEG_QUALITY)
            write(f"groundtruth/gt{number:06d}.png", frame.truth)
            write(f"depth/d{number:06d}.png", encode_millimetres(frame.depth))
            shown.add()
    print(f"{_COUNT.value} frames are in {_OUTPUT.value}: background, input, groundtruth, depth")


def encode_millimetres(metres: np.ndarray) -> np.ndarray:
    """Returns uint16 of metres, as a depth sensor writes them; what is farther than 65.5 m is 65.5 m."""
    return (metres * 1000).round().clip(0, 65535).astype("u2")


def write(name: str, picture: np.ndarray, **options: int) -> None:
    """Writes a picture into the folder, as JPEG or PNG by its name."""
    where = f"{_OUTPUT.value.rstrip('/')}/{name}"
    content = io.BytesIO()
    Image.fromarray(picture).save(content, "JPEG" if name.endswith(".jpg") else "PNG", **options)
    tf.io.gfile.makedirs(where.rpartition("/")[0])
    with tf.io.gfile.GFile(where, "wb") as file:
        file.write(content.getvalue())


if __name__ == "__main__":
    run_command(draw, __name__, "the folder is given as --output=DIR")
