"""Masks and depth for the frames of a camera, each at its own size, from one picture of the empty scene.

    python -m fgseg_tf.predict --background=empty.jpg --frames=frames --output=out
    python -m fgseg_tf.predict --background=median --frames=frames --output=out
    python -m fgseg_tf.predict --background=empty.jpg --frames=one.jpg --output=out --run=runs/mine

Without --run, by weights that come with the package. Exit status 1, with one sentence, when something is wrong with
what it was given; also, after everything else is done, when frames could not be read.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from absl import flags
from PIL import Image

from data_pipelines.runtime.cli import run_command
from data_pipelines.runtime.progress import Progress
from fgseg_tf.inference import frames, prediction_files, scene_match
from fgseg_tf.inference.segmenter import Answer, Camera, Segmenter
from fgseg_tf.model import weights
from fgseg_tf.runs.trained import load_trained

_BACKGROUND = flags.DEFINE_string(
    "background",
    None,
    "Picture of the empty scene; or median: of the frames themselves, over time; or median:FOLDER, of other frames.",
    required=True,
)
_FRAMES = flags.DEFINE_string(
    "frames", None, "A frame, or a folder of them; in the order of their names.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for the answers; what has the same name is replaced.", required=True
)
_RUN = flags.DEFINE_string("run", None, "Folder of a finished training; without it, weights of the package.")
_WEIGHTS = flags.DEFINE_enum(
    "weights", "base", list(weights.PACKAGED), "Which of those: base is better, small is faster."
)
_SIZE = flags.DEFINE_integer(
    "size",
    None,
    "Longer side, pixels, at which the network looks; larger sees smaller things, slower. Without it, as trained.",
    lower_bound=32,
)
_RESIZE = flags.DEFINE_bool("resize", False, "Make the empty scene as large as the frames.")
_SMOOTH = flags.DEFINE_float("smooth", 0.0, "Share of the last frame's mask that is kept where nothing moved: 0.5.")
_BOTH_WAYS = flags.DEFINE_bool("both_ways", False, "Look at mirror images as well, and take the mean: twice as long.")
_WRITE = flags.DEFINE_multi_enum(
    "write", list(prediction_files.KINDS), list(prediction_files.KINDS), "What to write; several times."
)


def predict() -> str | None:
    if not 0 <= _SMOOTH.value < 1:
        raise ValueError(f"--smooth={_SMOOTH.value:g} is not from 0 to below 1.")
    paths = frames.find(_FRAMES.value)
    background = frames.background(_BACKGROUND.value, paths, Progress)
    if _RESIZE.value:
        background = resized(background, frames.first_readable(paths).shape[:2])
    network, side, origin = load_trained(_RUN.value, _WEIGHTS.value)
    side = _SIZE.value or side
    camera = Segmenter(network, side).camera(background, _SMOOTH.value, _BOTH_WAYS.value)
    kinds = tuple(dict.fromkeys(_WRITE.value))
    facts = {"weights": origin, "background": _BACKGROUND.value, "frames": _FRAMES.value, "side": side}
    prediction_files.prepare(_OUTPUT.value, kinds, facts | {"smooth": _SMOOTH.value, "both_ways": _BOTH_WAYS.value})
    unreadable: list[str] = []
    rows: list[tuple] = []

    def named(reason: str) -> None:
        unreadable.append(reason)
        shown.add()
        print(f"\nskipped: {reason}", file=sys.stderr)

    try:
        with (
            Progress("frames", len(paths), "frames") as shown,
            ThreadPoolExecutor(1) as reader,
            ThreadPoolExecutor(2) as pool,
        ):
            writing = []
            for frame in ahead(frames.read(paths, camera.size, named), reader):
                answer = camera.see(frame.picture)
                if answer.similarity < scene_match.BELONGS and not any(strange(row) for row in rows):
                    print(f"\n{doubt(camera, frame, answer)}", file=sys.stderr)
                rows.append(prediction_files.row(frame.name, answer))
                writing.append(
                    pool.submit(prediction_files.write, _OUTPUT.value, kinds, frame.name, frame.picture, answer)
                )
                while len(writing) > 4:
                    writing.pop(0).result()
                shown.add()
            for write in writing:
                write.result()
    finally:  # also of what was done when a frame of another size came
        prediction_files.table(_OUTPUT.value, rows)
    doubtful = sum(strange(row) for row in rows)
    if doubtful:
        print(
            f"warning: the empty scene does not seem to belong to {doubtful} of {len(rows)} frames (similarity below "
            f"{scene_match.BELONGS:g} in frames.csv)",
            file=sys.stderr,
        )
    print(f"{len(rows):,} frames are in {_OUTPUT.value}: {', '.join(kinds)}, frames.csv")
    if unreadable:
        return f"{len(unreadable)} frame(s) could not be read, named above; all others are done."
    return None


def resized(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    height, width = size
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def strange(row: tuple) -> bool:
    return float(row[-1]) < scene_match.BELONGS


def doubt(camera: Camera, frame: frames.Frame, answer: Answer) -> str:
    moved = camera.shift(frame.picture)
    said = f"warning: the empty scene does not seem to belong to {frame.name}: similarity {answer.similarity:.2f}, "
    said += f"1 is the same scene, below {scene_match.BELONGS:g} it is another one, or the camera moved"
    return said + (f": by {moved[1]:+d} pixels across and {moved[0]:+d} down" if moved else "")


def ahead(items: Iterable, reader: ThreadPoolExecutor) -> Iterator:
    """The same items; the next one is made while one is worked on."""
    iterator, end = iter(items), object()
    coming = reader.submit(next, iterator, end)
    while (item := coming.result()) is not end:
        coming = reader.submit(next, iterator, end)
        yield item


def main() -> None:
    """Runs the command."""
    run_command(predict, __name__, "frames are given as --frames=DIR")


if __name__ == "__main__":
    main()
