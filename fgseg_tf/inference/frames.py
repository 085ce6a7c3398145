"""Reads the frames of a camera, one after the other, and its background: a picture, or the median of many frames.

Frames are read one at a time: a day of footage needs no more memory than a minute of it. Pictures are uint8 [H, W, 3].
Whatever is wrong with the paths or pictures is a ValueError of one sentence.

The name of a frame is that of its file, unless it cannot be the name of an output: see `name_output`.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from data_pipelines.runtime.files import ADDED_BY_PART
from data_pipelines.runtime.names import replace_unfit, show_name
from data_pipelines.runtime.progress import ProgressFactory
from data_pipelines.runtime.stored_files import is_folder, is_there, list_names
from data_pipelines.sources.image_files import ENDINGS as PICTURE_ENDINGS
from data_pipelines.sources.image_files import SourceError as PictureError
from data_pipelines.sources.image_files import list_pictures, read_picture
from fgseg_tf.streams.address import VIDEO_ENDINGS
from fgseg_tf.streams.stream_background import FIRST, MEDIAN, compute_median

MEDIAN_FRAMES = 61  # an odd number, so that the median is a value that occurs
MEDIAN_BYTES = 1_000_000_000  # of frames that are held together for a median
FEWEST_FOR_A_MEDIAN = 5
LONGEST_NAME = 255 - len(".png") - ADDED_BY_PART  # bytes: what file systems take, without what outputs put behind it
KEPT_OF_A_NAME = 180  # bytes of one that is longer


@dataclass(frozen=True)
class Frame:
    """A frame of a camera.

    Attributes:
        name: The file's, without its ending, as `name_output` returns it.
        picture: uint8 [H, W, 3].
    """

    name: str
    picture: np.ndarray


# What the Python API takes for a picture: uint8 [H, W, 3], or the path of a file.
Picture = np.ndarray | str | os.PathLike


def load_picture(picture: Picture, name: str) -> np.ndarray:
    """Returns a picture that is given as an array or as a path, uint8 [H, W, 3].

    Args:
        picture: The array or the path.
        name: What it is, for the message that refuses it.

    Raises:
        ValueError: The array is of another kind, or the file cannot be read.
    """
    if not isinstance(picture, np.ndarray):
        return read_picture(os.fspath(picture))
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or not picture.size:
        raise ValueError(f"{name} is {picture.dtype} {list(picture.shape)}; give uint8 [height, width, 3].")
    return picture


def find_frames(where: str) -> list[str]:
    """Returns the paths of the frames in a folder, in natural order; of a file, that path alone.

    Raises:
        ValueError: There are no frames, or two of them have the same name but for the ending.
    """
    _refuse_video(where)
    if is_there(where) and not is_folder(where):
        return [where]
    paths, others = list_pictures(where, "frame")
    if not paths:
        videos = sorted(name for name in list_names(where) if name.lower().endswith(VIDEO_ENDINGS))
        if videos:
            _refuse_video(os.path.join(where, videos[0]))
        passed = f" Passed over: {others}." if others else ""
        raise ValueError(
            f"there are no frames in {where}: looked for {' '.join(PICTURE_ENDINGS)}, not in sub-folders.{passed}"
        )
    _refuse_same_names(paths)
    return paths


def read_frames(paths: list[str], size: tuple[int, int], report_unreadable: Callable[[str], None]) -> Iterator[Frame]:
    """Yields the frames that can be read.

    Args:
        paths: Of the frames.
        size: Height and width that all of them must have, because the background has it.
        report_unreadable: Is called with a sentence for each frame that cannot be read.

    Raises:
        ValueError: A frame has another size.
    """
    for path in paths:
        try:
            picture = read_picture(path)
        except PictureError as error:
            report_unreadable(str(error))
            continue
        if picture.shape[:2] != size:
            raise ValueError(
                f"{show_name(path)} is of {_pixels(picture.shape)} pixels, the background of {_pixels(size)}: are they "
                "of one camera? `resize` makes the background as large as the first frame."
            )
        yield Frame(name_output(path), picture)


def name_output(path: str) -> str:
    """Returns the name that the outputs of a frame have: its file's, without the ending.

    A name that outputs cannot have becomes one that they can: what is too long with its ending is cut, and control
    characters and bytes that are not UTF-8 are replaced by `_`. Behind it comes a part of the SHA-256 of the name, so
    that two such frames do not meet.
    """
    stem = os.path.splitext(os.path.basename(path))[0]
    fit = replace_unfit(stem)
    if fit == stem and len(fit.encode()) <= LONGEST_NAME:
        return stem
    digest = hashlib.sha256(stem.encode(errors="surrogatepass")).hexdigest()
    return f"{fit.encode()[:KEPT_OF_A_NAME].decode(errors='ignore')}-{digest[:16]}"


def describe_renamed(paths: list[str]) -> list[str]:
    """Returns a sentence for each frame whose outputs do not have its name."""
    names = [(path, name_output(path)) for path in paths]
    return [
        f"{show_name(path)} has a name that its outputs cannot have: they are called {name}"
        for path, name in names
        if os.path.splitext(os.path.basename(path))[0] != name
    ]


def read_background(where: str, paths: list[str], progress: ProgressFactory) -> np.ndarray:
    """Returns the background, uint8 [H, W, 3].

    Args:
        where: Path of a picture; or "first", the first frame; or "median", of the frames; or "median:FOLDER", of the
            frames in a folder.
        paths: Of the frames.
        progress: Counts the pictures of a median.
    """
    if where == FIRST:
        return read_first(paths)
    if where != MEDIAN and not where.startswith(f"{MEDIAN}:"):
        _refuse_video(where)
        if is_folder(where):
            raise ValueError(f"`background`={where} is a folder: give a picture, or `background`=median:{where}.")
        return read_picture(where)
    return _compute_median(paths if where == MEDIAN else find_frames(where.partition(":")[2]), progress)


def _compute_median(paths: list[str], progress: ProgressFactory) -> np.ndarray:
    """The median of each pixel over frames spread evenly in time: what stands still in most of them is background."""
    if len(paths) < FEWEST_FOR_A_MEDIAN:
        raise ValueError(
            f"`background`=median of {len(paths)} frames would show whoever is in them; give {FEWEST_FOR_A_MEDIAN} or "
            "more, far apart in time, or a picture of the empty scene."
        )
    first = read_first(paths)
    count = int(np.clip(MEDIAN_BYTES // first.nbytes, FEWEST_FOR_A_MEDIAN, MEDIAN_FRAMES))
    chosen = sorted({round(position) for position in np.linspace(0, len(paths) - 1, min(count, len(paths)))})
    pictures = []
    with progress("median of", len(chosen), "pictures") as counter:
        for position in chosen:
            counter.add(1)
            try:
                picture = read_picture(paths[position])
            except PictureError:
                continue  # it is named when its turn as a frame comes, and one in sixty does not change a median
            if picture.shape != first.shape:
                raise ValueError(
                    f"{show_name(paths[position])} is of {_pixels(picture.shape)} pixels, frames before it of "
                    f"{_pixels(first.shape)}: a median needs them all of one camera."
                )
            pictures.append(picture)
    if len(pictures) < FEWEST_FOR_A_MEDIAN:
        raise ValueError(f"only {len(pictures)} of {len(chosen)} frames can be read: too few for a median.")
    return compute_median(pictures)


def read_first(paths: list[str]) -> np.ndarray:
    """Returns the first frame that can be read, uint8 [H, W, 3]; all others have its size."""
    for path in paths:
        try:
            return read_picture(path)
        except PictureError as error:
            last = error
    raise ValueError(f"none of {len(paths)} frames can be read; the last one: {last}")


def _refuse_video(where: str) -> None:
    if where.lower().endswith(VIDEO_ENDINGS):
        raise ValueError(
            f"{show_name(where)} is a video; take the frames out of it first: mkdir frames && ffmpeg -i "
            f"{show_name(where)} frames/%06d.png"
        )


def _refuse_same_names(paths: list[str]) -> None:
    by_name: dict[str, str] = {}
    for path in paths:
        other = by_name.setdefault(name_output(path).lower(), path)
        if other != path:
            names = f"{show_name(other)} and {show_name(os.path.basename(path))}"
            raise ValueError(f"{names} would get one output's name; rename one of them.")


def _pixels(size: tuple[int, ...]) -> str:
    return f"{size[1]} x {size[0]}"
