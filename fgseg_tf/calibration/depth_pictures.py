"""Depth pictures of a background as users have them: of a sensor or of any network, in any unit.

PNG of 8 or 16 bits, TIFF and OpenEXR of floats, NPY. What the values mean is said by a kind:

    metres        distances
    millimetres   what most sensors write
    metres256     metres x 256, 16 bits, as this project and KITTI write them
    inverse       larger is nearer, in an unknown unit
    relative      larger is farther, in an unknown unit
"""

import io
import tempfile
from dataclasses import dataclass

import numpy as np
from PIL import Image

from data_pipelines.runtime.names import show_name
from data_pipelines.runtime.stored_files import Refusal, read_bytes
from data_pipelines.sources.image_files import MAX_PIXELS
from data_pipelines.sources.picture_limits import find_excess

KINDS = ("metres", "millimetres", "metres256", "inverse", "relative")
UNITS = {"metres": 1.0, "millimetres": 0.001, "metres256": 1 / 256}  # metres
ENDINGS = (".png", ".tif", ".tiff", ".exr", ".npy")
GREY_MODES = ("L", "I;16", "I;16L", "I;16B", "I", "F")
MOST_STRIPS = 100_000  # of a TIFF, each of which takes Pillow as long as a small picture
MOST_VALUES = 2 * MAX_PIXELS  # of all channels of an OpenEXR file, which are read together
LEAST_RANGE = 0.02  # metres: nearer than any camera sees


@dataclass(frozen=True)
class DepthPicture:
    """A depth picture.

    Attributes:
        values: float64 [H, W], NaN where unknown: metres, or where not `is_metric` inverse depth in an unknown unit.
        is_metric: whether the values are metres.
    """

    values: np.ndarray
    is_metric: bool


def read_depth_picture(path: str, kind: str | None) -> DepthPicture:
    """Reads a depth picture.

    Args:
        path: of the file, local or on gs://.
        kind: one of KINDS; None only for files of floats, which are then taken for metres.

    Raises:
        ValueError: the file cannot be read, holds something else, or its kind is not given.
    """
    stored = read_values(path)
    path = show_name(path)
    if kind is None:
        if stored.dtype.kind != "f":
            raise ValueError(
                f"{path} holds whole numbers, which may mean anything: say what they are "
                f"(`background_depth_kind`={'|'.join(KINDS)})."
            )
        kind = "metres"
    elif kind not in KINDS:
        raise ValueError(f"`background_depth_kind`={kind} is not one; take {', '.join(KINDS)}.")
    # One array of float64, changed where it stands: a large depth picture would otherwise be there five times.
    values = stored.astype(np.float64)
    del stored
    unknown = ~np.isfinite(values)
    if kind != "inverse":
        unknown |= values == 0
    if unknown.all():
        raise ValueError(f"{path} knows no distance: every value is 0 or not finite.")
    values[unknown] = np.nan
    del unknown
    if np.nanmin(values) < 0:
        raise ValueError(
            f"{path} has negative values, which are no distances; is `background_depth_kind`={kind} right?"
        )
    if kind in UNITS:
        values *= UNITS[kind]
        median = np.nanmedian(values)
        if median < LEAST_RANGE or median > 1000:
            raise ValueError(f"{path} has a median of {median:.3g} m as {kind}; is `background_depth_kind` right?")
        return DepthPicture(values, True)
    if np.nanmax(values) == np.nanmin(values):
        raise ValueError(f"{path} has the same value everywhere, from which nothing follows.")
    return DepthPicture(np.divide(1, values, out=values) if kind == "relative" else values, False)


def resize_depth(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns values [H, W] at another size, each pixel the nearest one: between two surfaces nothing is made up.

    Raises:
        ValueError: the proportions are not those of `size`.
    """
    height, width = values.shape
    if abs(np.log((width / height) / (size[1] / size[0]))) > 0.03:
        raise ValueError(
            f"the depth picture is {height} x {width} and the background {size[0]} x {size[1]}: they do not show the "
            "same; crop one to what the other shows."
        )
    rows, columns = (
        np.minimum(((np.arange(to) + 0.5) * of / to).astype(int), of - 1)
        for of, to in zip((height, width), size, strict=True)
    )
    return values[rows[:, None], columns]


def fill_holes(metres: np.ndarray) -> np.ndarray:
    """Returns depth [H, W] without holes: where it is 0, the farther of the nearest known pixels to both sides.

    Holes of a sensor are mostly shadows of what stands in front, and belong to what is behind. A line that is unknown
    as a whole takes the nearest known one below it, or else above.
    """
    filled = np.where(metres > 0, metres, np.maximum(_last_known(metres), _last_known(metres[:, ::-1])[:, ::-1]))
    above, below = _last_known(filled.T).T, _last_known(filled.T[:, ::-1])[:, ::-1].T
    return np.where(filled > 0, filled, np.where(below > 0, below, above))


def _last_known(metres: np.ndarray) -> np.ndarray:
    """Returns for each pixel the last known one of its line up to it; 0 where there is none."""
    places = np.maximum.accumulate(np.where(metres > 0, np.arange(metres.shape[1]), -1), axis=1)
    return np.where(places >= 0, np.take_along_axis(metres, np.maximum(places, 0), axis=1), 0)


def read_values(path: str) -> np.ndarray:
    """Returns what a depth picture holds, [H, W] of the type in which it is stored.

    Raises:
        ValueError: the file is missing, damaged, too large, or of another kind.
    """
    lower, shown = path.lower(), show_name(path)
    if not lower.endswith(ENDINGS):
        raise ValueError(f"{shown} is no depth picture by its name; give one that ends in {', '.join(ENDINGS)}.")
    try:
        data = read_bytes(path)
    except Refusal as error:
        raise ValueError(f"{shown} {error}.") from error
    read = _read_array if lower.endswith(".npy") else _read_exr if lower.endswith(".exr") else _read_picture
    values = read(data, shown)
    if values.ndim != 2 or min(values.shape) < 8:
        raise ValueError(f"{shown} has the shape {list(values.shape)}; [height, width] is needed, 8 or more a side.")
    return values


def _read_array(data: bytes, path: str) -> np.ndarray:
    file = io.BytesIO(data)
    # The header is looked at before there is memory for what it claims. No object in the file is ever unpickled:
    # `read_array` knows this one format, while `np.load` also takes archives and pickles for what they are.
    try:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file)
    # A header is Python; what is none raises nearly anything. Nested deep enough it takes all of the parser's memory,
    # though not of the machine's.
    except Exception as error:
        raise ValueError(f"{path} is no array of numbers ({_describe(error)}).") from error
    if dtype.kind not in "iuf" or np.prod(shape, dtype=np.float64) > MAX_PIXELS:
        raise ValueError(f"{path} is no array of numbers, or too large: it holds {dtype} {list(shape)}.")
    if np.prod(shape, dtype=np.float64) * dtype.itemsize > len(data) - file.tell():
        raise ValueError(f"{path} is damaged or cut short (it says that it holds {dtype} {list(shape)}).")
    file.seek(0)
    try:
        return np.squeeze(np.lib.format.read_array(file, allow_pickle=False))
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is damaged or cut short ({_describe(error)}).") from error


def _read_picture(data: bytes, path: str) -> np.ndarray:
    if excess := find_excess(data):
        raise ValueError(f"{path} {excess}.")
    try:
        picture = Image.open(io.BytesIO(data), formats=("PNG", "TIFF"))
    except Exception as error:  # on damaged data Pillow's readers raise nearly anything
        raise ValueError(f"{path} is not a PNG or TIFF, or is damaged in its header ({_describe(error)}).") from error
    _check_size(picture.width, picture.height, path)
    if len(picture.tile) > MOST_STRIPS:
        raise ValueError(f"{path} is in more than {MOST_STRIPS} strips; save it again.")
    if picture.mode not in GREY_MODES:
        raise ValueError(f"{path} has colours (mode {picture.mode}), and no distances in them; give a grey one.")
    try:
        return np.asarray(picture)
    except Exception as error:  # as above
        raise ValueError(f"{path} is damaged or cut short ({_describe(error)}).") from error


def _read_exr(data: bytes, path: str) -> np.ndarray:
    try:
        import OpenEXR
    except ImportError as error:
        raise ValueError(
            f"{path}: OpenEXR files need OpenEXR: pip install 'fgseg_tf[calibration]', or give a TIFF or NPY."
        ) from error
    # It reads from a stream too, but has no channels then (3.5.3).
    with tempfile.NamedTemporaryFile(suffix=".exr") as local:
        local.write(data)
        local.flush()
        try:
            with OpenEXR.File(local.name, header_only=True) as file:
                # Read while the file is open: afterwards headers are empty.
                sizes = [_measure_exr(part.header) for part in file.parts]
                is_deep = any("deep" in str(part.header["type"]) for part in file.parts)
        except Exception as error:  # the reader of damaged files raises nearly anything
            raise ValueError(
                f"{path} is not an OpenEXR file, or is damaged in its header ({_describe(error)})."
            ) from error
        for width, height, _ in sizes:
            _check_size(width, height, path)
        # All that the file holds is read together, and of a deep one nobody knows how much that is.
        if sum(width * height * count for width, height, count in sizes) > MOST_VALUES:
            raise ValueError(f"{path} is too large: {MOST_VALUES} values in all its channels are allowed.")
        if is_deep:
            raise ValueError(f"{path} is a deep picture, with several values a pixel; give a flat one.")
        try:
            with OpenEXR.File(local.name) as file:
                channels = {name: np.array(channel.pixels) for name, channel in file.channels().items()}
        except Exception as error:  # as above
            raise ValueError(f"{path} is damaged or cut short ({_describe(error)}).") from error
    named = next((name for name in ("Z", "depth", "Y", "R") if name in channels), None)
    if named is None:
        raise ValueError(f"{path} has the channels {show_name(', '.join(channels))}; one named Z or Y is needed.")
    return channels[named]


def _measure_exr(header: dict) -> tuple[int, int, int]:
    """Returns width, height and number of channels of a part of an OpenEXR file."""
    low, high = (np.array(corner, int) for corner in header["dataWindow"])
    width, height = (high - low + 1).tolist()
    return width, height, len(header["channels"])


def _describe(error: Exception) -> str:
    return " ".join(show_name(f"{error}").split()) or type(error).__name__


def _check_size(width: int, height: int, path: str) -> None:
    if width * height > MAX_PIXELS:
        raise ValueError(f"{path} is too large: {width} x {height} pixels, {MAX_PIXELS} are allowed.")
