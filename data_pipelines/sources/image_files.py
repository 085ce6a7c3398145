"""Picture files as a person sees them: any of the usual kinds, upright, with 8 bits a channel.

JPEG, PNG, WebP and BMP. A picture is turned by its EXIF tag; palette, grey, CMYK and 16 bits become 8 bits (16-bit grey
is scaled, 65535 -> 255, not clipped); of one that moves, the first frame. What a file may cost is limited: its bytes
(stored_files.py), its pixels, and what else takes time to decode (picture_limits.py).
"""

import io
import os
import re
from collections import Counter

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from data_pipelines.runtime.names import show_name
from data_pipelines.runtime.stored_files import Refusal, is_folder, is_there, list_names, read_bytes
from data_pipelines.sources.picture_limits import find_excess

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
ENDINGS = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp")
MAX_PIXELS = 64_000_000  # a 48-megapixel telephone fits; decoded as RGBA it takes 256 MB
# Pillow's own guard raises above this many, in the header too, before ours can see the size.
PILLOW_MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or MAX_PIXELS)
MIN_SIDE = 8
PIXELS_AT_ONCE = 1 << 20  # that are converted together: a copy of all of a large picture would take more than it does


class SourceError(ValueError):
    """Source pictures cannot be used: what, where and what to do about it, one line a file."""


def read_picture(path: str) -> np.ndarray:
    """Reads a picture, uint8 [height, width, 3], at its own size.

    Raises:
        SourceError: it cannot be used.
    """
    try:
        picture = decode_picture(read_bytes(path), MAX_PIXELS)
    except Refusal as refused:
        raise SourceError(f"{show_name(path)} {refused}") from refused
    pixels = np.empty((picture.height, picture.width, 3), np.uint8)
    for top, bottom in _list_strips(picture):
        pixels[top:bottom] = np.asarray(_take_strip(picture, top, bottom).convert("RGB"))
    return pixels


def list_pictures(folder: str, kind: str) -> tuple[list[str], str]:
    """Lists the pictures in a folder.

    Args:
        folder: local or on gs://.
        kind: of picture, for messages: "background".

    Returns:
        Their paths in natural order, and a phrase that counts what else there is ('2 .txt, 1 .heic').

    Raises:
        SourceError: there is no such folder.
    """
    if not folder:
        raise SourceError(f"No folder of {kind}s is given (its name is empty).")
    if not is_folder(folder):
        if is_there(folder):
            raise SourceError(f"{show_name(folder)} is a file: give the folder that holds the {kind}s.")
        raise SourceError(f"There is no folder {show_name(folder)} to read {kind}s from.")
    names = list_names(folder)
    pictures = [name for name in names if not name.startswith(".") and name.lower().endswith(ENDINGS)]
    others: Counter[str] = Counter()
    for name in sorted(set(names) - set(pictures)):
        others["hidden" if name.startswith(".") else os.path.splitext(name)[1].lower() or "without an ending"] += 1
    paths = [os.path.join(folder, name) for name in sorted(pictures, key=_natural)]
    return paths, ", ".join(f"{number} {show_name(ending)}" for ending, number in others.most_common())


def _natural(file_name: str) -> tuple[list[str | int], str]:
    """Sorts img2 before img10; the name itself decides between img2 and img02."""
    stem = os.path.splitext(file_name)[0]
    return [int(part) if part.isdecimal() else part.lower() for part in re.split(r"(\d+)", stem)], file_name


def decode_picture(data: bytes, max_pixels: int) -> Image.Image:
    """Decodes a picture's first frame, upright.

    Returns:
        A picture of any 8-bit mode that converts to RGB and RGBA without loss of meaning.

    Raises:
        Refusal: it is empty, damaged, too large, too small or of another kind.
    """
    if not data:
        raise Refusal("is empty (0 bytes)")
    if excess := find_excess(data):
        raise Refusal(excess)
    try:
        picture = Image.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise Refusal(
            "is not a JPEG, PNG, WebP or BMP picture, whatever its name says, or its header is damaged"
        ) from error
    except Image.DecompressionBombError as error:
        raise Refusal(
            f"is too large: its header claims over {PILLOW_MAX_PIXELS} pixels, {max_pixels} are allowed"
        ) from error
    except MemoryError:
        raise
    except Exception as error:  # on damaged data Pillow's readers raise nearly anything
        raise Refusal(f"is damaged in its header ({_describe(error)})") from error
    width, height = picture.size
    if width * height > max_pixels:
        raise Refusal(
            f"is too large: {width} x {height} = {width * height} pixels, {max_pixels} are allowed; "
            "shrink it or raise max_pixels"
        )
    if min(width, height) < MIN_SIDE:
        raise Refusal(f"is too small: {width} x {height} pixels, at least {MIN_SIDE} a side are needed")
    try:
        ImageOps.exif_transpose(picture, in_place=True)
        picture.load()
        return _to_eight_bits(picture)
    except MemoryError:
        raise
    except Exception as error:
        raise Refusal(f"is damaged or cut short ({_describe(error)}); fetch it again") from error


def _describe(error: Exception) -> str:
    return show_name(f"{error}") or type(error).__name__


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    if not picture.mode.startswith("I"):
        # There is no direct way from these to RGBA.
        return picture.convert("RGB") if picture.mode in ("CMYK", "YCbCr", "LAB", "HSV") else picture
    # Grey of 16 bits (mode I;16, or I before Pillow 11), which Pillow's own conversion clips at 255.
    clear = picture.info.get("transparency")
    grey = np.empty((picture.height, picture.width), np.uint8)
    alpha = None if clear is None else np.empty_like(grey)
    for top, bottom in _list_strips(picture):
        deep = np.asarray(_take_strip(picture, top, bottom)).astype(np.int32)
        grey[top:bottom] = np.clip((deep + 128) // 257, 0, 255)
        if alpha is not None:
            alpha[top:bottom] = np.where(deep == clear, 0, 255)
    shallow = Image.fromarray(grey)
    if alpha is not None:
        shallow.putalpha(Image.fromarray(alpha))
    return shallow


def _list_strips(picture: Image.Image) -> list[tuple[int, int]]:
    """Returns the first row, and the one behind the last, of strips of at most PIXELS_AT_ONCE, or of one row."""
    rows = max(1, PIXELS_AT_ONCE // picture.width)
    return [(top, min(top + rows, picture.height)) for top in range(0, picture.height, rows)]


def _take_strip(picture: Image.Image, top: int, bottom: int) -> Image.Image:
    return picture.crop((0, top, picture.width, bottom))
