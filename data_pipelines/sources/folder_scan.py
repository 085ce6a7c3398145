"""Finds and decodes source pictures: backgrounds and cutouts (RGBA), every refusal named.

A folder holds pictures of the kinds of `image_files.py`; sub-folders, hidden files and other files are passed over.

A scan decodes every picture once, since a file that was cut short shows only then, and returns the usable ones in
natural order (img2 before img10), whatever the order of the file system. What it refuses, it refuses by name and with a
reason, all in one list at the end:

    both        empty, unreadable or cut short; too many pixels (read from the header, nothing is decoded then); too
                small; two files with one name (cat.jpg and cat.png: records know a source by its name); copies
    background  see-through in places: it is a cut-out in the wrong folder
    cut-out     opaque, empty, or covered by a veil that a background remover left

gs://bucket/folder works as a local folder does (stored_files.py).
"""

import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from PIL import Image

from data_pipelines.runtime.names import replace_unfit, show_name
from data_pipelines.runtime.stored_files import Refusal, read_bytes
from data_pipelines.sources.cutout_cleanup import clean_halo, find_visible_bounds, shrink, trim
from data_pipelines.sources.duplicates import compute_marks, find_copies
from data_pipelines.sources.image_files import (
    ENDINGS,
    MAX_PIXELS,
    MIN_SIDE,
    PILLOW_MAX_PIXELS,
    SourceError,
    decode_picture,
    list_pictures,
)

OPAQUE = 247  # of 255: alpha that nobody can tell from opaque


@dataclass(frozen=True)
class SourceFile:
    """One usable picture."""

    name: str  # the file's name without its ending, unique in the folder
    path: str
    digest: str  # SHA-256 of the file's bytes


@dataclass(frozen=True)
class Scan:
    """What a folder holds.

    Attributes:
        files: the usable pictures, in natural order.
        refused: (path, reason) of the others, copies among them.
    """

    files: tuple[SourceFile, ...]
    refused: tuple[tuple[str, str], ...]


def scan_backgrounds(
    folder: str,
    *,
    skip_bad: bool = False,
    keep_duplicates: bool = False,
    max_pixels: int = MAX_PIXELS,
    count: int | None = None,
) -> Scan:
    """Finds the usable backgrounds in a folder.

    Args:
        folder: local or on gs://.
        skip_bad: goes on without the pictures that are refused.
        keep_duplicates: copies are usable, so the test scores may be better than they should.
        max_pixels: of a usable picture.
        count: takes the first so many usable pictures and looks no further.

    Raises:
        SourceError: pictures are refused, all of which it lists; or there are fewer than `count`.
    """
    return _scan(folder, "background", _examine_background, skip_bad, keep_duplicates, max_pixels, count)


def scan_foregrounds(
    folder: str,
    *,
    skip_bad: bool = False,
    keep_duplicates: bool = False,
    max_pixels: int = MAX_PIXELS,
    count: int | None = None,
) -> Scan:
    """Finds the usable cutouts in a folder; arguments and errors are those of `scan_backgrounds`."""
    return _scan(folder, "cut-out", _examine_foreground, skip_bad, keep_duplicates, max_pixels, count)


def read_background(path: str, height: int, width: int, digest: str | None = None) -> np.ndarray:
    """Reads a background, uint8 [height, width, 3]: its middle at that shape, resized with antialiasing.

    Args:
        path: of the file.
        height: of what is returned.
        width: likewise.
        digest: SHA-256 that the file's bytes must have, from a scan; None where any will do.

    Raises:
        SourceError: it cannot be used, or is another file than was scanned.
    """
    picture = _refuse_by_path(path, lambda: _decode_background(_read_scanned(path, digest), PILLOW_MAX_PIXELS))
    scale = min(picture.width / width, picture.height / height)
    left, top = (picture.width - width * scale) / 2, (picture.height - height * scale) / 2
    box = (left, top, left + width * scale, top + height * scale)
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS, box=box))


def read_foreground(path: str, longest: int | None = None, digest: str | None = None) -> np.ndarray:
    """Reads a cutout, uint8 [h, w, 4], straight alpha: trimmed, its halo cleaned, at most `longest` high and wide.

    It is never enlarged. Colours under zero alpha are continued outwards for a pixel or two, so a small later resize
    brings no halo back; a large one should go through `longest`.

    Args:
        path: of the file.
        longest: pixels of the longer side.
        digest: as of `read_background`.

    Raises:
        SourceError: as of `read_background`.
    """
    rgba = clean_halo(trim(read_untrimmed(path, digest)))
    return rgba if longest is None else shrink(rgba, longest)


def read_untrimmed(path: str, digest: str | None = None) -> np.ndarray:
    """Reads a cutout as it is in its file, uint8 [h, w, 4], straight alpha; `digest` is as of `read_background`."""
    return _refuse_by_path(path, lambda: _decode_foreground(_read_scanned(path, digest), PILLOW_MAX_PIXELS))


def _read_scanned(path: str, digest: str | None) -> bytes:
    data = read_bytes(path)
    # What a manifest says of a picture must be true of the pixels beside it.
    if digest is not None and hashlib.sha256(data).hexdigest() != digest:
        raise Refusal("was replaced since it was looked at a moment ago; leave the folder alone and start again")
    return data


@dataclass(frozen=True)
class _Examination:
    """What is remembered of a picture after it was decoded and let go."""

    file: SourceFile
    pixels: str
    mark: np.ndarray
    mirrored: np.ndarray


def _scan(
    folder: str,
    kind: str,
    examine: Callable[[str, int], _Examination],
    skip_bad: bool,
    keep_duplicates: bool,
    max_pixels: int,
    count: int | None,
) -> Scan:
    if not 0 < max_pixels <= PILLOW_MAX_PIXELS:
        raise SourceError(
            f"max_pixels is {max_pixels}: it must lie between 1 and {PILLOW_MAX_PIXELS} (Pillow's limit)."
        )
    if count is not None and count < 1:
        raise SourceError(f"count is {count}: ask for at least one {kind}.")
    paths, others = list_pictures(folder, kind)
    wanted = len(paths) if count is None else count

    def examine_or_refuse(path: str) -> _Examination | str:
        try:
            # Records, manifests and pages know a source by its name.
            if replace_unfit(os.path.basename(path)) != os.path.basename(path):
                raise Refusal("has a name with control characters, or that is not UTF-8; rename it")
            return examine(path, max_pixels)
        except Refusal as refused:
            return str(refused)

    seen: dict[str, _Examination | str] = {}
    usable: list[SourceFile] = []
    refused: list[tuple[str, str]] = []
    # Decoding releases Python's lock. No more pictures are looked at than it takes to find `count`, so whether a
    # file is named does not depend on the machine.
    with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
        while len(usable) < wanted and len(seen) < len(paths):
            ahead = paths[len(seen) : len(seen) + wanted - len(usable)]
            seen.update(zip(ahead, pool.map(examine_or_refuse, ahead), strict=True))
            usable, refused = _sort_out(seen, keep_duplicates)

    refused = [(show_name(path), reason) for path, reason in refused]
    reasons = "\n".join(f"  {os.path.basename(path)} {reason}" for path, reason in refused)
    if refused and not skip_bad:
        raise SourceError(
            f"{len(refused)} of {len(seen)} {kind}s in {folder} cannot be used:\n{reasons}\n"
            + ("" if usable else f"None is left: is this the folder of the {kind}s? ")
            + "Mend or remove them, or go on without them with `skip_bad` (`keep_duplicates` keeps the copies)."
        )
    if not usable or (count is not None and len(usable) < count):
        contents = f"{len(usable)} usable {kind}s, {count} are asked for" if usable else f"no usable {kind}"
        parts = [f"{folder} holds {contents}. Looked for {' '.join(ENDINGS)}, not in sub-folders."]
        parts += [f"Passed over: {others}."] if others else []
        parts += [f"Refused:\n{reasons}"] if refused else []
        raise SourceError(" ".join(parts))
    return Scan(tuple(usable), tuple(refused))


def _sort_out(
    seen: dict[str, _Examination | str], keep_duplicates: bool
) -> tuple[list[SourceFile], list[tuple[str, str]]]:
    """Parts what was seen into usable and refused, both in the order seen; the first of two equals is kept."""
    refused = {path: reason for path, reason in seen.items() if isinstance(reason, str)}
    looks: dict[str, _Examination] = {}
    for path, look in seen.items():
        if isinstance(look, str):
            continue
        # Records and unpacked files know a source by its name, and some file systems do not tell A from a.
        namesake = looks.setdefault(look.file.name.lower(), look).file.path
        if namesake != path:
            refused[path] = f"has the same name as {show_name(os.path.basename(namesake))}; rename one of them"
    if looks and not keep_duplicates:
        rows = list(looks.values())
        marks, mirrored = np.stack([look.mark for look in rows]), np.stack([look.mirrored for look in rows])
        for copy, (original, way) in find_copies([look.pixels for look in rows], marks, mirrored).items():
            twin = show_name(os.path.basename(rows[original].file.path))
            refused[rows[copy].file.path] = f"is {way} {twin}; the two could end up on both sides of the split"
    usable = [look.file for look in looks.values() if look.file.path not in refused]
    return usable, [(path, refused[path]) for path in seen if path in refused]


def _examine_background(path: str, max_pixels: int) -> _Examination:
    data = read_bytes(path)
    picture = _decode_background(data, max_pixels)
    return _examine(path, data, picture, *compute_marks(picture.convert("L")))


def _examine_foreground(path: str, max_pixels: int) -> _Examination:
    data = read_bytes(path)
    rgba = _decode_foreground(data, max_pixels)
    trimmed = Image.fromarray(trim(rgba))
    alpha = trimmed.getchannel("A")
    over_grey = Image.composite(trimmed.convert("L"), Image.new("L", trimmed.size, 128), alpha)
    return _examine(path, data, Image.fromarray(rgba), *compute_marks(over_grey, alpha))


def _examine(path: str, data: bytes, picture: Image.Image, mark: np.ndarray, mirrored: np.ndarray) -> _Examination:
    name = os.path.splitext(os.path.basename(path))[0]
    pixels = hashlib.sha256(repr(picture.size).encode() + picture.tobytes()).hexdigest()
    return _Examination(SourceFile(name, path, hashlib.sha256(data).hexdigest()), pixels, mark, mirrored)


def _refuse_by_path(path: str, decode_picture: Callable):
    try:
        return decode_picture()
    except Refusal as refused:
        raise SourceError(f"{show_name(path)} {refused}") from refused


def _decode_background(data: bytes, max_pixels: int) -> Image.Image:
    """RGB."""
    picture = decode_picture(data, max_pixels)
    if "A" in picture.getbands() or "transparency" in picture.info:
        see_through = np.mean(np.asarray(picture.convert("RGBA"))[..., 3] < OPAQUE)
        if see_through > 0.01:
            raise Refusal(f"is see-through in {see_through:.0%} of its pixels: is it a cut-out in the wrong folder?")
    return picture.convert("RGB")


def _decode_foreground(data: bytes, max_pixels: int) -> np.ndarray:
    """uint8 [h, w, 4], not trimmed."""
    rgba = np.asarray(decode_picture(data, max_pixels).convert("RGBA"))
    alpha = rgba[..., 3]
    if alpha.min() >= OPAQUE:
        raise Refusal(
            "has no transparency that says where the object ends: remove its background (with rembg or a picture "
            "editor) and save it as PNG with alpha"
        )
    top, bottom, left, right = find_visible_bounds(alpha)
    if bottom == top:
        raise Refusal("is transparent everywhere: there is nothing to cut out")
    if min(bottom - top, right - left) < MIN_SIDE:
        size = f"{right - left} x {bottom - top}"
        raise Refusal(f"shows only {size} pixels once its transparent border is gone; {MIN_SIDE} a side are needed")
    clear, soft = np.mean(alpha < 8), np.mean((alpha >= 8) & (alpha < OPAQUE))
    if clear < 0.05 and soft > 0.5:
        raise Refusal(
            f"is half see-through in {soft:.0%} of its pixels and clear in hardly any: the old background lies around "
            "the object like a veil; erase it or cut the object out again"
        )
    return rgba
