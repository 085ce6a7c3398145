"""Masks and depth for the frames of a camera, each at its own size, from one picture of the empty scene.

    fgseg predict --background=empty.jpg --frames=frames --output=out
    fgseg predict --background=median --frames=frames --output=out
    fgseg predict --background=empty.jpg --frames=one.jpg --output=out --run=runs/mine
    fgseg predict --camera=cameras/hall --frames=frames --output=out

`python -m fgseg_tf.predict` does the same. Without --run, it uses weights that come with the package. Exit status 1,
with one sentence, when something is wrong with the flags or files; also, after everything else is done, when frames
could not be read.
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
from data_pipelines.runtime.notes import name_file
from data_pipelines.runtime.progress import Progress
from fgseg_tf.calibration.camera_folder import CameraSetup, read_camera
from fgseg_tf.inference import prediction_files, scene_match
from fgseg_tf.inference.frames import Frame, find_frames, read_background, read_first, read_frames
from fgseg_tf.inference.segmenter import Camera, Result, Segmenter
from fgseg_tf.model import weights
from fgseg_tf.runs.trained import load_object_depth, load_trained

_BACKGROUND = flags.DEFINE_string(
    "background",
    None,
    "Picture of the empty scene; or median: of the frames themselves, over time; or median:FOLDER, of other frames.",
)
_CAMERA = flags.DEFINE_string(
    "camera", None, "Folder of a camera that fgseg calibrate wrote, instead of --background: then metres are known."
)
_FRAMES = flags.DEFINE_string(
    "frames", None, "A frame, or a folder of them; in the order of their names.", required=True
)
_OUTPUT = flags.DEFINE_string(
    "output", None, "Folder for the results; what has the same name is replaced.", required=True
)
_RUN = flags.DEFINE_string("run", None, "Folder of a finished training; without it, weights of the package.")
_WEIGHTS = flags.DEFINE_enum(
    "weights", "base", list(weights.PACKAGED), "Which of those: base is better, small is faster."
)
_OBJECT_DEPTH = flags.DEFINE_string(
    "object_depth", None, "Folder of a finished run of --network=object_depth, for --camera; else that of the package."
)
_SIZE = flags.DEFINE_integer(
    "size",
    None,
    "Longer side, pixels, at which the network looks; larger sees smaller things, slower. Without it, as trained.",
    lower_bound=32,
)
_RESIZE = flags.DEFINE_bool("resize", False, "Make the background as large as the frames.")
_SMOOTH = flags.DEFINE_float("smooth", 0.0, "Share of the last frame's mask that is kept where nothing moved: 0.5.")
_BOTH_WAYS = flags.DEFINE_bool("both_ways", False, "Look at mirror images as well, and take the mean: twice as long.")
_WRITE = flags.DEFINE_multi_enum(
    "write", list(prediction_files.KINDS), list(prediction_files.KINDS), "What to write; several times."
)


def predict() -> str | None:
    """Does what the flags ask for; returns a sentence where frames could not be read."""
    if not 0 <= _SMOOTH.value < 1:
        raise ValueError(f"--smooth={_SMOOTH.value:g} is not from 0 to below 1.")
    if bool(_BACKGROUND.value) == bool(_CAMERA.value):
        raise ValueError("give --background=FILE, --background=median or --camera=FOLDER, and only one of them.")
    paths = find_frames(_FRAMES.value)
    setup = load_setup(paths)
    network, side, origin = load_trained(_RUN.value, _WEIGHTS.value)
    side = _SIZE.value or side
    placing = load_object_depth(_OBJECT_DEPTH.value) if _OBJECT_DEPTH.value else None
    camera = Segmenter(network, side, placing).camera(setup, _SMOOTH.value, _BOTH_WAYS.value)
    kinds = tuple(dict.fromkeys(_WRITE.value))
    facts: dict[str, object] = {"weights": name_file(origin), "frames": name_file(_FRAMES.value or "")}
    facts |= {"background": name_file(_BACKGROUND.value) if _BACKGROUND.value else None}
    facts |= {"side": side, "smooth": _SMOOTH.value, "both_ways": _BOTH_WAYS.value}
    is_metric = isinstance(setup, CameraSetup) and setup.is_metric
    if isinstance(setup, CameraSetup):
        facts |= {"camera": name_file(_CAMERA.value or ""), "trust": setup.trust, "depth_from": setup.source}
    prediction_files.prepare_folder(_OUTPUT.value, kinds, facts)
    rows, unreadable = predict_frames(camera, paths, kinds)
    doubtful = sum(is_doubtful(row) for row in rows)
    if doubtful:
        print(
            f"warning: the background does not seem to belong to {doubtful} of {len(rows)} frames (similarity below "
            f"{scene_match.SAME_SCENE:g} in frames.csv)",
            file=sys.stderr,
        )
    print(f"{len(rows):,} frames are in {_OUTPUT.value}: {', '.join(kinds)}, frames.csv, objects.csv")
    if not is_metric and "depth" in kinds:
        remedy = "calibrate this camera with what is known of it" if _CAMERA.value else "make a --camera"
        print(f"Near and far in depth can be believed, metres not: for those, {remedy} (fgseg calibrate).")
    if unreadable:
        return f"{unreadable} frame(s) could not be read, named above; all others are done."
    return None


def load_setup(paths: list[str]) -> np.ndarray | CameraSetup:
    """Returns the camera that the flags name, or the background alone."""
    if _CAMERA.value:
        if _RESIZE.value:
            raise ValueError(
                "--resize is for --background; calibrate the camera with a background of the frames' size."
            )
        return read_camera(_CAMERA.value)
    bg = read_background(_BACKGROUND.value or "", paths, Progress)
    return resize(bg, read_first(paths).shape[:2]) if _RESIZE.value else bg


def predict_frames(
    camera: Camera, paths: list[str], kinds: tuple[str, ...]
) -> tuple[list[prediction_files.FrameRow], int]:
    """Writes the files of every frame; returns the rows of frames.csv and how many frames could not be read."""
    unreadable = 0
    rows: list[prediction_files.FrameRow] = []
    objects: list[prediction_files.ObjectRow] = []

    def skip(reason: str) -> None:
        nonlocal unreadable
        unreadable += 1
        progress.add()
        print(f"\nskipped: {reason}", file=sys.stderr)

    try:
        with (
            Progress("frames", len(paths), "frames") as progress,
            ThreadPoolExecutor(1) as reader,
            ThreadPoolExecutor(2) as pool,
        ):
            writing = []
            for frame in read_ahead(read_frames(paths, camera.size, skip), reader):
                result = camera.segment(frame.picture)
                if result.similarity < scene_match.SAME_SCENE and not any(is_doubtful(row) for row in rows):
                    print(f"\n{describe_doubt(camera, frame, result)}", file=sys.stderr)
                rows.append(prediction_files.make_row(frame.name, result))
                objects += prediction_files.make_object_rows(frame.name, result)
                writing.append(
                    pool.submit(
                        prediction_files.write_prediction, _OUTPUT.value, kinds, frame.name, frame.picture, result
                    )
                )
                while len(writing) > 4:
                    writing.pop(0).result()
                progress.add()
            for write in writing:
                write.result()
    finally:  # also of what was done when a frame of another size came
        prediction_files.write_tables(_OUTPUT.value, rows, objects)
    return rows, unreadable


def resize(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns the picture, uint8 [H, W, 3], at another height and width."""
    height, width = size
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))


def is_doubtful(row: prediction_files.FrameRow) -> bool:
    """Whether the background does not seem to belong to the frame."""
    return float(row.similarity) < scene_match.SAME_SCENE


def describe_doubt(camera: Camera, frame: Frame, result: Result) -> str:
    """Returns the warning for a frame to which the background does not seem to belong."""
    shift = camera.estimate_shift(frame.picture)
    warning = f"warning: the background does not seem to belong to {frame.name}: similarity {result.similarity:.2f}, "
    warning += f"1 is the same scene, below {scene_match.SAME_SCENE:g} it is another one, or the camera moved"
    return warning + (f": by {shift[1]:+d} pixels across and {shift[0]:+d} down" if shift else "")


def read_ahead(items: Iterable[Frame], reader: ThreadPoolExecutor) -> Iterator[Frame]:
    """Yields the same items; the next one is read while one is worked on."""
    iterator = iter(items)
    coming = reader.submit(next, iterator, None)
    while (item := coming.result()) is not None:
        coming = reader.submit(next, iterator, None)
        yield item


def main() -> None:
    """Runs the command."""
    run_command(predict, __name__, "frames are given as --frames=DIR")


if __name__ == "__main__":
    main()
