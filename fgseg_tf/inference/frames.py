"""Frames of a camera, one after the other, and its empty scene: from a picture, or as the median of many frames.

Frames are read when they come, and let go: a day of footage needs no more memory than a minute of it. Pictures are
uint8 [H, W, 3]. Everything that is wrong with what was given is a ValueError of one sentence.
"""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from data_pipelines.sources.image_files import ENDINGS as PICTURE_ENDINGS
from data_pipelines.sources.image_files import SourceError as PictureError
from data_pipelines.sources.image_files import in_folder as pictures_in_folder
from data_pipelines.sources.image_files import read as read_picture

VIDEO_ENDINGS = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv", ".flv", ".ts", ".h264")
MEDIAN = "median"
MEDIAN_FRAMES = 61  # an odd number: the middle one of them is one of them
MEDIAN_BYTES = 1_000_000_000  # of frames that are held together for a median
FEWEST_FOR_A_MEDIAN = 5


@dataclass(frozen=True)
class Frame:
    """name: the file's, without its ending."""

    name: str
    picture: np.ndarray


def find(where: str) -> list[str]:
    """Paths of the frames in a folder, in natural order, or of the one that is given."""
    _refuse_video(where)
    if tf.io.gfile.exists(where) and not tf.io.gfile.isdir(where):
        return [where]
    paths, others = pictures_in_folder(where, "frame")
    if not paths:
        videos = sorted(name for name in tf.io.gfile.listdir(where) if name.lower().endswith(VIDEO_ENDINGS))
        if videos:
            _refuse_video(os.path.join(where, videos[0]))
        passed = f" Passed over: {others}." if others else ""
        raise ValueError(
            f"there are no frames in {where}: looked for {' '.join(PICTURE_ENDINGS)}, not in sub-folders.{passed}"
        )
    _refuse_namesakes(paths)
    return paths


def read(paths: list[str], size: tuple[int, int], unreadable: Callable[[str], None]) -> Iterator[Frame]:
    """The frames that can be read. unreadable: told of each one that cannot, with its path and why.

    size: (height, width) that they must have, all of them, because the empty scene has it.
    """
    for path in paths:
        try:
            picture = read_picture(path)
        except PictureError as error:
            unreadable(str(error))
            continue
        if picture.shape[:2] != size:
            raise ValueError(
                f"{path} is of {_pixels(picture.shape)} pixels, the empty scene of {_pixels(size)}: are they of one "
                "camera? `resize` makes the empty scene as large as the first frame."
            )
        yield Frame(_name(path), picture)


def background(where: str, paths: list[str], progress: Callable) -> np.ndarray:
    """The empty scene: a picture; or "median" of the frames, or "median:FOLDER" of those in a folder.

    paths: of the frames. progress: makes what counts pictures: progress(title, total, "pictures").
    """
    if where != MEDIAN and not where.startswith(f"{MEDIAN}:"):
        _refuse_video(where)
        if tf.io.gfile.isdir(where):
            raise ValueError(f"`background`={where} is a folder: give a picture, or `background`=median:{where}.")
        return read_picture(where)
    return _median(paths if where == MEDIAN else find(where.partition(":")[2]), progress)


def _median(paths: list[str], progress: Callable) -> np.ndarray:
    """Of each pixel over time, of frames spread evenly: what stands still in most of them is the scene."""
    if len(paths) < FEWEST_FOR_A_MEDIAN:
        raise ValueError(
            f"`background`=median of {len(paths)} frames would show whoever is in them; give {FEWEST_FOR_A_MEDIAN} or "
            "more, far apart in time, or a picture of the empty scene."
        )
    first = first_readable(paths)
    count = int(np.clip(MEDIAN_BYTES // first.nbytes, FEWEST_FOR_A_MEDIAN, MEDIAN_FRAMES))
    chosen = sorted({round(place) for place in np.linspace(0, len(paths) - 1, min(count, len(paths)))})
    held = []
    with progress("median of", len(chosen), "pictures") as shown:
        for place in chosen:
            shown.add(1)
            try:
                picture = read_picture(paths[place])
            except PictureError:
                continue  # it is named when its turn as a frame comes, and one in sixty does not change a median
            if picture.shape != first.shape:
                raise ValueError(
                    f"{paths[place]} is of {_pixels(picture.shape)} pixels, frames before it of "
                    f"{_pixels(first.shape)}: a median needs them all of one camera."
                )
            held.append(picture)
    if len(held) < FEWEST_FOR_A_MEDIAN:
        raise ValueError(f"only {len(held)} of {len(chosen)} frames can be read: too few for a median.")
    # A line at a time: np.median of everything would copy everything.
    return np.stack(
        [np.median([picture[row] for picture in held], axis=0).round().astype(np.uint8) for row in range(len(first))]
    )


def first_readable(paths: list[str]) -> np.ndarray:
    """Tells of the size of all."""
    for path in paths:
        try:
            return read_picture(path)
        except PictureError as error:
            last = error
    raise ValueError(f"none of {len(paths)} frames can be read; the last one: {last}")


def _refuse_video(where: str) -> None:
    if where.lower().endswith(VIDEO_ENDINGS):
        raise ValueError(
            f"{where} is a video; take the frames out of it first: mkdir frames && ffmpeg -i {where} frames/%06d.png"
        )


def _refuse_namesakes(paths: list[str]) -> None:
    seen: dict[str, str] = {}
    for path in paths:
        other = seen.setdefault(_name(path).lower(), path)
        if other != path:
            raise ValueError(f"{other} and {os.path.basename(path)} would get one answer's name; rename one of them.")


def _name(path: str) -> str:
    return os.path.splitext(os.path.basename(path))[0]


def _pixels(size) -> str:
    return f"{size[1]} x {size[0]}"
