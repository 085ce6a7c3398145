"""Masks and depth for the frames of a camera, each at its own size, from one picture of the empty scene.

    fgseg predict --background=empty.jpg --frames=frames --output=out
    fgseg predict --background=median --frames=frames --output=out
    fgseg predict --background=empty.jpg --frames=one.jpg --output=out --run=runs/mine
    fgseg predict --camera=cameras/hall --frames=frames --output=out
    fgseg predict --background=median --frames=clip.mp4 --every=0.5s --output=out
    fgseg predict --camera=cameras/hall --frames=rtsp://10.0.0.5/live --output=out

`python -m fgseg_tf.predict` does the same. Without --run, it uses weights that come with the package. Exit status 1,
with one sentence, when something is wrong with the flags or files; also, after everything else is done, when frames
could not be read.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import hashlib
import math
import sys
from collections.abc import Iterable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import repeat
from typing import TypeVar

import keras
import numpy as np
from absl import flags
from PIL import Image

from data_pipelines.runtime.cli import run_command
from data_pipelines.runtime.files import join_path, remove_parts
from data_pipelines.runtime.locks import lock_folder
from data_pipelines.runtime.notes import name_file
from data_pipelines.runtime.progress import Progress
from data_pipelines.runtime.signals import describe_stop
from fgseg_tf.calibration.camera_folder import CameraSetup, read_camera
from fgseg_tf.inference import prediction_files, scene_match
from fgseg_tf.inference.frames import Frame, describe_renamed, find_frames, read_background, read_first, read_frames
from fgseg_tf.inference.prediction_tables import Predicted, PredictionTables, can_go_on
from fgseg_tf.inference.segmenter import Camera, Result, Segmenter
from fgseg_tf.inference.stream_frames import parse_seconds, plan_rest, read_stream_frames
from fgseg_tf.model import weights
from fgseg_tf.runs.trained import load_object_depth, load_trained
from fgseg_tf.streams.address import FILE, Address, is_stream, parse_address
from fgseg_tf.streams.reader import ReadingPlan, StreamReader
from fgseg_tf.streams.stream_background import FIRST, MEDIAN, read_stream_background
from fgseg_tf.streams.video import EmptyStreamError

_BACKGROUND = flags.DEFINE_string(
    "background",
    None,
    "Picture of the empty scene; or median: of the frames themselves, over time, of a video or stream over its first "
    "minute; or first: the first of them; or median:FOLDER, of other frames.",
)
_CAMERA = flags.DEFINE_string(
    "camera", None, "Folder of a camera that fgseg calibrate wrote, instead of --background: then metres are known."
)
_FRAMES = flags.DEFINE_string(
    "frames",
    None,
    "A frame; a folder of them, in the order of their names; a video; camera:0 for a webcam; or an address, rtsp:// or "
    "http://, of a stream.",
    required=True,
)
flags.DEFINE_alias("source", "frames")
_EVERY = flags.DEFINE_string("every", None, "Of a video or stream: time between frames that are looked at, 0.5s.")
_FROM = flags.DEFINE_string("from", None, "Of a video: where to begin, 90s or 1:30.")
_TO = flags.DEFINE_string("to", None, "Of a video or stream: where to end, likewise.")
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


Item = TypeVar("Item")


def predict() -> str | None:
    """Does what the flags ask for; returns a sentence where frames could not be read."""
    if not 0 <= _SMOOTH.value < 1:
        raise ValueError(f"--smooth={_SMOOTH.value:g} is not from 0 to below 1.")
    if bool(_BACKGROUND.value) == bool(_CAMERA.value):
        raise ValueError("give --background=FILE, --background=median or --camera=FOLDER, and only one of them.")
    stream = parse_address(_FRAMES.value) if is_stream(_FRAMES.value) else None
    plan = make_plan() if stream else ReadingPlan()
    paths = [] if stream else find_frames(_FRAMES.value)
    setup = load_setup(paths, stream, plan)
    network, side, origin = load_trained(_RUN.value, _WEIGHTS.value)
    side = _SIZE.value or side
    placing = load_object_depth(_OBJECT_DEPTH.value) if _OBJECT_DEPTH.value else None
    camera = Segmenter(network, side, placing).camera(setup, _SMOOTH.value, _BOTH_WAYS.value)
    kinds = tuple(dict.fromkeys(_WRITE.value))
    facts: dict[str, object] = {"weights": name_file(origin)}
    facts |= {"background": name_file(_BACKGROUND.value) if _BACKGROUND.value else None}
    facts |= {"frames": stream.shown if stream and stream.kind != FILE else name_file(_FRAMES.value)}
    facts |= {"side": side, "smooth": _SMOOTH.value, "both_ways": _BOTH_WAYS.value, "write": list(kinds)}
    facts |= {"sha256": hash_inputs(setup, network, placing)}
    is_metric = isinstance(setup, CameraSetup) and setup.is_metric
    if isinstance(setup, CameraSetup):
        facts |= {"camera": name_file(_CAMERA.value or ""), "trust": setup.trust, "depth_from": setup.source}
    for renamed in describe_renamed(paths):
        print(renamed, file=sys.stderr)
    with lock_folder(_OUTPUT.value):
        if stream:
            facts |= {"every": plan.every, "from": plan.begin, "to": plan.end if math.isfinite(plan.end) else None}
            failure, tables = predict_stream(camera, stream, plan, kinds, facts)
        else:
            tables = open_tables(paths, kinds, facts)
            predict_frames(camera, read_each(paths[tables.done :], camera.size), len(paths), kinds, tables)
            failure = ""
    rows, unreadable = tables.frames, tables.unreadable
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
    if failure:
        return f"{failure} Frames before that are done."
    if unreadable:
        return f"{unreadable} frame(s) could not be read, named above; all others are done."
    return None


def make_plan() -> ReadingPlan:
    """Returns which frames of a video or stream the flags ask for."""
    given = {"every": ("every", _EVERY.value), "begin": ("from", _FROM.value), "end": ("to", _TO.value)}
    return ReadingPlan(**{name: parse_seconds(text, flag) for name, (flag, text) in given.items() if text is not None})


def load_setup(paths: list[str], stream: Address | None, plan: ReadingPlan) -> np.ndarray | CameraSetup:
    """Returns the camera that the flags name, or the background alone."""
    if not stream and (_EVERY.value, _FROM.value, _TO.value) != (None, None, None):
        raise ValueError("--every, --from and --to are for videos and streams; of a folder, every frame is looked at.")
    if _CAMERA.value:
        if _RESIZE.value:
            raise ValueError(
                "--resize is for --background; calibrate the camera with a background of the frames' size."
            )
        return read_camera(_CAMERA.value)
    how = _BACKGROUND.value or ""
    if not stream:
        bg = read_background(how, paths, Progress)
        return resize(bg, read_first(paths).shape[:2]) if _RESIZE.value else bg
    if how in (FIRST, MEDIAN):
        return read_stream_background(how, stream, plan, say)
    bg = read_background(how, [], Progress)
    return resize(bg, read_stream_background(FIRST, stream, plan, say).shape[:2]) if _RESIZE.value else bg


def hash_inputs(setup: np.ndarray | CameraSetup, network: keras.Model, placing: keras.Model | None) -> str:
    """Returns the SHA-256 of everything but the frames that decides what is predicted, in hexadecimal."""
    digest = hashlib.sha256()
    arrays = [setup.background, setup.depth] if isinstance(setup, CameraSetup) else [setup]
    for model in (network, placing):
        arrays += model.get_weights() if model is not None else []
    for array in arrays:
        digest.update(f"{array.shape} {array.dtype}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def open_tables(paths: Iterable[str], kinds: tuple[str, ...], facts: dict, may_go_on: bool = True) -> PredictionTables:
    """Goes on where an earlier start with the same settings was stopped, or prepares the folder anew.

    Args:
        paths: of the file that each frame is from.
        kinds: of files that are written.
        facts: what makes the predictions.
        may_go_on: whether these are the frames of the earlier start; those of a live stream are not.
    """
    output = _OUTPUT.value
    tables = PredictionTables(output, kinds)
    for kind in kinds:
        remove_parts(join_path(output, kind))
    unfinished = may_go_on and can_go_on(output, facts)
    if unfinished and _SMOOTH.value:
        print("with --smooth a frame depends on those before it: all frames are looked at again")
    if unfinished and not _SMOOTH.value:
        tables.go_on(paths)
        of_all = f" of {len(paths):,}" if isinstance(paths, Sized) else ""
        print(f"{tables.done:,}{of_all} frames were done by an earlier start: going on after them")
        return tables
    PredictionTables.remove_note(output)  # before it could stand beside other settings
    prediction_files.prepare_folder(output, kinds, facts)
    tables.begin()
    return tables


def predict_stream(
    camera: Camera, stream: Address, plan: ReadingPlan, kinds: tuple[str, ...], facts: dict
) -> tuple[str, PredictionTables]:
    """Writes the files and rows of the frames of a video or stream.

    Returns:
        What broke it off, "" where nothing did; and the tables.
    """
    reader = StreamReader(stream, plan, say)  # before anything is written
    try:
        tables = open_tables(repeat(stream.text), kinds, facts, may_go_on=stream.kind == FILE)
        if tables.done:
            reader.close()
            try:
                reader = StreamReader(stream, plan_rest(plan, tables.frames), say)
            except EmptyStreamError:  # an earlier start was stopped behind the last frame
                tables.finish()
                return "", tables
        total = tables.done + reader.count if reader.count else None
        frames = read_stream_frames(reader, camera.size)
        if stream.kind == FILE:
            predict_frames(camera, frames, total, kinds, tables)
        else:
            predict_frames(camera, frames, total, kinds, tables, "their files and tables are complete")
    finally:
        reader.close()
    if reader.dropped:
        say(f"{reader.dropped:,} frames came while others were looked at, and were dropped")
    if reader.reopened:
        say(f"{stream.shown} was opened again {reader.reopened:,} time(s)")
    return reader.failure, tables


def say(line: str) -> None:
    """Prints a line beside the progress."""
    print(f"\n{line}", file=sys.stderr)


def predict_frames(
    camera: Camera,
    frames: Iterable[tuple[str, Frame | None, str]],
    total: int | None,
    kinds: tuple[str, ...],
    tables: PredictionTables,
    after_a_stop: str = "start again with the same flags to go on",
) -> None:
    """Writes the files of frames that are not done, and their rows; says which cannot be read.

    Args:
        camera: that saw them.
        frames: each with the file that it is from; or None with why it cannot be read.
        total: how many there are with those that are done; None where nobody knows.
        kinds: of files that are written.
        tables: that grow.
        after_a_stop: what is said where this is asked to stop.
    """
    waiting: list[tuple[Future, Predicted]] = []

    def settle(most: int) -> None:
        while len(waiting) > most:
            waiting[0][0].result()
            tables.add(waiting.pop(0)[1])

    with (
        describe_stop(lambda: f" after {len(tables.frames):,} frames; {after_a_stop}"),
        Progress("frames", total, "frames") as progress,
        ThreadPoolExecutor(1) as reader,
        ThreadPoolExecutor(2) as pool,
    ):
        progress.add_earlier(tables.done)
        doubted = any(is_doubtful(row) for row in tables.frames)
        try:
            for path, frame, reason in read_ahead(frames, reader):
                if frame is None:
                    print(f"\nskipped: {reason}", file=sys.stderr)
                    waiting.append((pool.submit(lambda: None), Predicted(path, None)))
                else:
                    result = camera.segment(frame.picture)
                    if result.similarity < scene_match.SAME_SCENE and not doubted:
                        print(f"\n{describe_doubt(camera, frame, result)}", file=sys.stderr)
                        doubted = True
                    files = pool.submit(
                        prediction_files.write_prediction, _OUTPUT.value, kinds, frame.name, frame.picture, result
                    )
                    row = prediction_files.make_row(frame.name, result)
                    waiting.append((files, Predicted(path, row, prediction_files.make_object_rows(frame.name, result))))
                settle(4)
                progress.add()
        finally:  # also of what was done when a frame of another size came
            try:
                settle(0)
            finally:
                tables.write()
    tables.finish()


def read_each(paths: list[str], size: tuple[int, int]) -> Iterator[tuple[str, Frame | None, str]]:
    """Yields each path with its frame, or with None and why it cannot be read."""
    for path in paths:
        reasons: list[str] = []
        frame = next(read_frames([path], size, reasons.append), None)
        yield path, frame, "".join(reasons)


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


def read_ahead(items: Iterable[Item], reader: ThreadPoolExecutor) -> Iterator[Item]:
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
