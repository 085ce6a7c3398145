"""A camera as a folder: the background, its depth, and where that depth came from.

    camera.json       what is known, with the digests of the two pictures; written last
    background.png    the background
    depth.png         its depth: 16 bits, metres x 256, 0 unknown

The folder can be passed on: it names no path of the machine that made it.
"""

import hashlib
import io
from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import tensorflow as tf
from PIL import Image

from data_pipelines.compositing.depth_labels import DEPTH_SCALE, decode_depth, encode_depth
from data_pipelines.runtime.files import join_path, read_json, write_atomic, write_json
from data_pipelines.runtime.locks import LOCK
from data_pipelines.runtime.notes import Note, clean_text, compute_seal
from data_pipelines.sources.image_files import Refusal, read_bytes, read_picture
from fgseg_tf.calibration.depth_pictures import read_values
from fgseg_tf.calibration.inverse_fit import KnownDistance

NOTE, BACKGROUND, DEPTH = "camera.json", "background.png", "depth.png"
VERSION = 1
SEAL = "seal"  # key of the digest of everything else in camera.json
KNOWN = {
    *("version", "height", "width", "trust", "source", "error", "depth_scale", "known", "fov", "camera_height", "tilt"),
    *("roll", "points", "sha256", SEAL),
}
MOST_POINTS, LONGEST_SOURCE = 10_000, 1000
REMEDY = "calibrate again"
# How depth came to be known, and whether its metres hold.
MEASURED, FITTED, COMPUTED, GUESSED = "measured", "fitted", "computed", "guessed"
TRUST = {
    MEASURED: "a depth picture in metres",
    FITTED: "a relative map, scaled by known distances",
    COMPUTED: "the floor that follows from the camera's height, field of view and tilt",
    GUESSED: "a network's guess: an order of near and far, its metres do not hold",
}


class PointNote(TypedDict):
    """A known distance as it is noted: where it is, its metres, those of the fit, and whether it was used."""

    column: int
    row: int
    metres: float
    fitted: float
    used: bool


@dataclass(frozen=True)
class CameraSetup:
    """A fixed camera, and what is known of it.

    Attributes:
        background: uint8 [H, W, 3].
        depth: float32 [H, W], metres, 0 unknown.
        trust: one of TRUST.
        source: a phrase, what the depth was made from.
        error: share by which a distance may be off, as far as it can be told; None where it cannot.
        fov: degrees across the picture; None where unknown.
        camera_height: metres above the floor; None where unknown.
        tilt: degrees downwards; None where unknown.
        roll: degrees clockwise, seen from behind the camera; None where unknown, and taken as 0.
        points: known distances.
        fitted: metres at each of them in `depth`, and whether the fit was made with it.
    """

    background: np.ndarray
    depth: np.ndarray
    trust: str
    source: str
    error: float | None = None
    fov: float | None = None
    camera_height: float | None = None
    tilt: float | None = None
    roll: float | None = None
    points: tuple[KnownDistance, ...] = ()
    fitted: tuple[tuple[float, bool], ...] = ()

    @property
    def is_metric(self) -> bool:
        """Whether metres hold."""
        return self.trust != GUESSED

    @property
    def points_that_fit(self) -> str:
        """A phrase for the points that `error` is of: "the 3 of 5 known points that fit"."""
        count = sum(used for _, used in self.fitted)
        return (
            "the known points"
            if count == len(self.points)
            else f"the {count} of {len(self.points)} known points that fit"
        )


def is_camera_folder(path: str) -> bool:
    """Whether a path is the folder of a camera."""
    return tf.io.gfile.isdir(path) and tf.io.gfile.exists(join_path(path, NOTE))


def write_camera(folder: str, setup: CameraSetup) -> None:
    """Writes the folder of a camera; one of before is replaced, its note last.

    Raises:
        ValueError: the path is a file, or a folder of something else.
    """
    if tf.io.gfile.exists(folder) and not is_camera_folder(folder):
        if not tf.io.gfile.isdir(folder):
            raise ValueError(f"`output`={folder} is a file; name a folder.")
        if set(tf.io.gfile.listdir(folder)) - {LOCK}:
            raise ValueError(f"`output`={folder} holds files that are not of a camera; name a new folder.")
    files = {BACKGROUND: _encode_png(setup.background), DEPTH: _encode_png(encode_depth(setup.depth).numpy())}
    points: list[PointNote] = [
        {"column": point.column, "row": point.row, "metres": point.metres, "fitted": round(metres, 4), "used": used}
        for point, (metres, used) in zip(setup.points, setup.fitted, strict=True)
    ]
    height, width = setup.depth.shape
    note = {
        "version": VERSION,
        "height": height,
        "width": width,
        "trust": setup.trust,
        "source": clean_text(setup.source)[:LONGEST_SOURCE],
        "error": setup.error,
        "depth_scale": DEPTH_SCALE,
        "known": round(float((setup.depth > 0).mean()), 5),
        "fov": setup.fov,
        "camera_height": setup.camera_height,
        "tilt": setup.tilt,
        "roll": setup.roll,
        "points": points,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    for name, content in files.items():
        write_atomic(join_path(folder, name), content)
    write_json(join_path(folder, NOTE), {**note, SEAL: compute_seal(note, SEAL)})


def read_camera(folder: str) -> CameraSetup:
    """Reads the folder of a camera; nothing in it is believed unchecked.

    Raises:
        ValueError: it is none, or not as it was written.
    """
    path = join_path(folder, NOTE)
    if not is_camera_folder(folder):
        raise ValueError(
            f"`camera`={folder} is not the folder of a camera: there is no {NOTE}; `fgseg calibrate` makes one."
        )
    note = Note(read_json(path, REMEDY), path, REMEDY)
    if note.take_whole("version") != VERSION:
        raise note.refuse("version", f"is not {VERSION}, which this program reads")
    note.allow_only(KNOWN)
    digests = note.take_note("sha256")
    for name in (BACKGROUND, DEPTH):
        try:
            digest = hashlib.sha256(read_bytes(join_path(folder, name))).hexdigest()
        except Refusal as error:
            raise ValueError(f"{join_path(folder, name)} {error}; {REMEDY}.") from error
        if digest != digests.take_text(name):
            raise ValueError(f"{join_path(folder, name)} is not the file that {NOTE} was written with; {REMEDY}.")
    background = read_picture(join_path(folder, BACKGROUND))
    codes = read_values(join_path(folder, DEPTH))
    if codes.dtype.kind not in "iu" or codes.dtype.itemsize < 2:
        raise ValueError(f"{join_path(folder, DEPTH)} is not a PNG of 16 bits; {REMEDY}.")
    depth = decode_depth(codes, note.take_number("depth_scale", 1, 65535)).numpy()
    size = note.take_whole("height", 8, 65535), note.take_whole("width", 8, 65535)
    if background.shape[:2] != size or depth.shape != size:
        raise ValueError(f"the pictures in {folder} are not of {size[0]} x {size[1]} pixels, as {NOTE} says; {REMEDY}.")
    trust = note.take_choice("trust", TRUST)
    note.take_number("known", 0, 1)
    rows = note.take_notes("points")
    if len(rows) > MOST_POINTS:
        raise note.refuse("points", f"has more than {MOST_POINTS} of them")
    setup = CameraSetup(
        background,
        depth,
        trust,
        note.take_text("source", None, LONGEST_SOURCE),
        note.take_optional(note.take_number, "error", 0, 1e6),
        note.take_optional(note.take_number, "fov", 1, 179),
        note.take_optional(note.take_number, "camera_height", 0, 1000),
        note.take_optional(note.take_number, "tilt", -90, 90),
        note.take_optional(note.take_number, "roll", -90, 90),
        tuple(
            KnownDistance(
                row.take_whole("column", 0, size[1] - 1),
                row.take_whole("row", 0, size[0] - 1),
                row.take_number("metres", 1e-3, 1e6),
            )
            for row in rows
        ),
        tuple((row.take_number("fitted", 0, 1e6), row.take_flag("used")) for row in rows),
    )
    note.check_seal(SEAL)  # last: what is said above says more
    return setup


def _encode_png(picture: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()
