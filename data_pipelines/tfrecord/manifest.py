"""The manifest of a data set: what its files hold, their digests, exact statistics, and everything it was made from.

It is written last, so a folder with a manifest.json is a finished data set. One that is damaged, of another program or
of another schema is refused with a sentence that says what to do; one that is returned was checked whole.
"""

from typing import Any, Literal, TypedDict, cast

import tensorflow as tf

from data_pipelines.runtime.files import is_regular, join_path, read_json, write_json
from data_pipelines.runtime.notes import Note as JsonNote
from data_pipelines.tfrecord.frames import find_impossible_record
from data_pipelines.tfrecord.manifest_checks import SEAL, check_manifest, find_disagreements, seal
from data_pipelines.tfrecord.schema import SCHEMA_VERSION
from data_pipelines.tfrecord.shards import PROGRESS, Note, remove_progress
from data_pipelines.tfrecord.statistics import Statistics

FORMAT = "fgseg_tf data set"
MANIFEST_FILE = "manifest.json"
SourceKind = Literal["backgrounds", "foregrounds"]
SOURCE_KINDS: tuple[SourceKind, ...] = ("backgrounds", "foregrounds")
REMEDY = "make the data set again"  # where one of its files is damaged
FETCH = f"{REMEDY}, or fetch it anew"


class DatasetError(ValueError):
    """A folder is not the data set that is wanted: what, where, what to do."""


class ShardEntry(TypedDict):
    """One file of records.

    Keys:
        file: its name in the folder.
        records: how many it holds.
        bytes: its size.
        sha256: its digest, in hexadecimal.
    """

    file: str
    records: int
    bytes: int
    sha256: str


class SplitEntry(TypedDict):
    """One split.

    Keys:
        records, bytes: in all of its shards.
        backgrounds, foregrounds: the numbers of the sources that its composites are made from.
        statistics: of all its pixels.
        shards: its files, in the order of its records.
    """

    records: int
    bytes: int
    backgrounds: list[int]
    foregrounds: list[int]
    statistics: Statistics
    shards: list[ShardEntry]


class GridEntry(TypedDict):
    """How many of each there are; see `compositing.splits.Grid`."""

    backgrounds: int
    foregrounds: int
    places: int


class SourceEntry(TypedDict):
    """One picture that composites were made from.

    Keys:
        source: the name of its file, or "demo" and its number.
        digest: SHA-256 of the file, or of the pixels of a demo picture.
    """

    source: str
    digest: str


class Options(TypedDict):
    """Everything that decides what is in the files, by the name of its flag where it has one.

    A data set goes on only with the same options. Besides the keys here, it has every other setting of
    `PlacementConfig` and `DatasetConfig` by the name of its flag.

    Keys:
        image_size: "HEIGHTxWIDTH".
        limit: composites in all; 0 for every one.
        shards: of each split; 0 where the program chose.
        compare_labels: how many composites `label_disagreement` is of.
        teacher: what the labels depend on of the teacher; {} without one.
        physical_height: metres, from and to, of each cutout.
        field_of_view: degrees, of each background.
        backgrounds, foregrounds: the pictures, in the order of their numbers.
    """

    image_size: str
    seed: int
    split: str
    holdout: float
    limit: int
    labels: str
    placement: str
    max_objects: int
    jpeg_quality: int
    shards: int
    compare_labels: int
    teacher: dict[str, Any]
    physical_height: list[list[float]]
    field_of_view: list[float]
    backgrounds: list[SourceEntry]
    foregrounds: list[SourceEntry]


class Manifest(TypedDict):
    """What manifest.json says.

    Keys:
        format: always FORMAT.
        schema_version: of the records.
        image_size: [height, width], pixels.
        depth_unit: "metre" or "relative".
        depth_scale: a depth code is depth x depth_scale.
        labels: where depth comes from: "exact", "ground" or "teacher".
        records: composites in all.
        bytes: of all files of records.
        statistics: of all composites.
        grid: how many composites there can be.
        splits: by name, in the order in which they are made.
        backgrounds: the file of backgrounds.
        label_disagreement: how far the labels are from what the teacher sees; None where it was not measured.
        backgrounds_without_floor: numbers of the backgrounds in which no floor was found.
        refused_sources: [file, reason] of the pictures that were left out.
        options: what the data set was made from.

    In the file there is also `sha256`, of all the rest; see `manifest_checks.seal`. Data sets of before have none.
    """

    format: str
    schema_version: int
    image_size: list[int]
    depth_unit: str
    depth_scale: float
    labels: str
    records: int
    bytes: int
    statistics: Statistics
    grid: GridEntry
    splits: dict[str, SplitEntry]
    backgrounds: ShardEntry
    label_disagreement: dict[str, float] | None
    backgrounds_without_floor: list[int]
    refused_sources: list[list[str]]
    options: Options


def make_shard_entry(name: str, note: Note) -> ShardEntry:
    """Returns what a manifest says of a file that was finished."""
    return {"file": name, "records": note.records, "bytes": note.bytes, "sha256": note.sha256}


def read_manifest(folder: str, agreeing: bool = True) -> Manifest:
    """Reads the manifest of a finished data set, and checks all of it.

    Args:
        folder: of the data set.
        agreeing: refuses one that contradicts itself; only who lists what is wrong reads others.

    Raises:
        DatasetError: there is none, it is another program's or of another version, or a value is not what it must be.
        FileError: it is damaged.
    """
    path = join_path(folder, MANIFEST_FILE)
    if not tf.io.gfile.exists(path):
        if tf.io.gfile.exists(join_path(folder, PROGRESS)):
            raise DatasetError(
                f"{folder} holds a data set that is not finished; start its export again with the same flags."
            )
        raise DatasetError(f"There is no data set in {folder}: {MANIFEST_FILE} is missing.")
    manifest = read_json(path, REMEDY)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DatasetError(f"{path} is not the manifest of a data set of this program.")
    note = JsonNote(manifest, path, FETCH, DatasetError)
    version = note.take_whole("schema_version", 0, 1_000_000)
    if version != SCHEMA_VERSION:
        raise DatasetError(
            f"{folder} holds records of schema version {version}; this program knows {SCHEMA_VERSION}: use the one "
            "that made them, or make the data set again."
        )
    check_manifest(note, manifest)
    if agreeing and (wrong := find_disagreements(manifest)):
        raise DatasetError(f"{path} {wrong[0][1]}; {FETCH}.")
    return cast(Manifest, manifest)


def check_files(folder: str, manifest: Manifest) -> None:
    """Sees that every file of a data set is there and as long as its manifest says, before any of it is read.

    Raises:
        DatasetError: the first that is not.
    """
    for entry in [manifest["backgrounds"], *(entry for s in manifest["splits"].values() for entry in s["shards"])]:
        path = join_path(folder, entry["file"])
        if not tf.io.gfile.exists(path):
            raise DatasetError(f"{path} is missing; copy it again, or delete manifest.json and export again.")
        if not is_regular(path):
            raise DatasetError(f"{path} is not a regular file; copy it again, or delete it and export again.")
        size = tf.io.gfile.stat(path).length
        if size != entry["bytes"]:
            raise DatasetError(f"{path} has {size} bytes, its manifest says {entry['bytes']}; copy or export it again.")
        # In a bucket it would take as long as reading everything; there `verify` looks.
        if "://" not in path and (problem := find_impossible_record(path)):
            raise DatasetError(f"{path}: {problem}; copy or export it again.")


def write_manifest(folder: str, manifest: Manifest) -> None:
    """Finishes a data set: writes its manifest, and removes the notes of its shards, since the manifest has them."""
    write_json(join_path(folder, MANIFEST_FILE), {**manifest, SEAL: seal(manifest)})
    remove_progress(folder)
