"""Picture files as a person sees them: any of the usual kinds, upright, with 8 bits a channel.

JPEG, PNG, WebP and BMP. A picture is turned by its EXIF tag; palette, grey, CMYK and 16 bits become 8 bits (16-bit grey
is scaled, 65535 -> 255, not clipped); of one that moves, the first frame. Every path goes through tf.io.gfile.
"""

import io
import os
import re
from collections import Counter

import numpy as np
import tensorflow as tf
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
ENDINGS = (".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp")
MAX_PIXELS = 64_000_000  # a 48-megapixel telephone fits; decoded as RGBA it takes 256 MB
# Pillow's own guard raises above this many, in the header too, before ours can see the size.
PILLOW_MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or MAX_PIXELS)
MIN_SIDE = 8


class SourceError(ValueError):
    """Source pictures cannot be used: what, where and what to do about it, one line a file."""


class Refusal(Exception):
    """Why one file is refused; whoever catches it adds the path."""


def read_picture(path: str) -> np.ndarray:
    """Reads a picture, uint8 [height, width, 3], at its own size.

    Raises:
        SourceError: it cannot be used.
    """
    try:
        return np.asarray(decode_picture(read_bytes(path), MAX_PIXELS).convert("RGB"))
    except Refusal as refused:
        raise SourceError(f"{path} {refused}") from refused


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
    if not tf.io.gfile.isdir(folder):
        if tf.io.gfile.exists(folder):
            raise SourceError(f"{folder} is a file: give the folder that holds the {kind}s.")
        raise SourceError(f"There is no folder {folder} to read {kind}s from.")
    names = [name for name in tf.io.gfile.listdir(folder) if name]
    pictures = [name for name in names if not name.startswith(".") and name.lower().endswith(ENDINGS)]
    others: Counter[str] = Counter()
    for name in sorted(set(names) - set(pictures)):
        others["hidden" if name.startswith(".") else os.path.splitext(name)[1].lower() or "without an ending"] += 1
    paths = [os.path.join(folder, name) for name in sorted(pictures, key=_natural)]
    return paths, ", ".join(f"{number} {ending}" for ending, number in others.most_common())


def _natural(file_name: str) -> tuple[list[str | int], str]:
    """Sorts img2 before img10; the name itself decides between img2 and img02."""
    stem = os.path.splitext(file_name)[0]
    return [int(part) if part.isdecimal() else part.lower() for part in re.split(r"(\d+)", stem)], file_name


def read_bytes(path: str) -> bytes:
    """Reads a file whole; raises a `Refusal` where that fails."""
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            return file.read()
    except (OSError, tf.errors.OpError) as error:
        raise Refusal(f"cannot be read ({error})") from error


def decode_picture(data: bytes, max_pixels: int) -> Image.Image:
    """Decodes a picture's first frame, upright.

    Returns:
        A picture of any 8-bit mode that converts to RGB and RGBA without loss of meaning.

    Raises:
        Refusal: it is empty, damaged, too large, too small or of another kind.
    """
    if not data:
        raise Refusal("is empty (0 bytes)")
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
    return f"{error}" or type(error).__name__


def _to_eight_bits(picture: Image.Image) -> Image.Image:
    if not picture.mode.startswith("I"):
        # There is no direct way from these to RGBA.
        return picture.convert("RGB") if picture.mode in ("CMYK", "YCbCr", "LAB", "HSV") else picture
    # Grey of 16 bits (mode I;16, or I before Pillow 11), which Pillow's own conversion clips at 255.
    deep = np.asarray(picture).astype(np.int64)
    grey = Image.fromarray(np.clip((deep + 128) // 257, 0, 255).astype(np.uint8))
    clear = picture.info.get("transparency")
    if clear is not None:
        grey.putalpha(Image.fromarray(np.where(deep == clear, 0, 255).astype(np.uint8)))
    return grey
