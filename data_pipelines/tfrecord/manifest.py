"""The manifest of a data set: what its files hold, their digests, exact statistics, and everything it was made from.

It is written last, so a folder with a manifest.json is a finished data set. One that is damaged, of another program or
of another schema is refused with a sentence that says what to do.
"""

from typing import Any, Literal, TypedDict

import tensorflow as tf

from data_pipelines.runtime.files import join_path, read_json, write_json
from data_pipelines.tfrecord.schema import SCHEMA_VERSION
from data_pipelines.tfrecord.shards import PROGRESS, Note, remove_progress
from data_pipelines.tfrecord.statistics import Statistics

FORMAT = "fgseg_tf data set"
MANIFEST_FILE = "manifest.json"
SourceKind = Literal["backgrounds", "foregrounds"]
SOURCE_KINDS: tuple[SourceKind, ...] = ("backgrounds", "foregrounds")
REMEDY = "make the data set again"  # where one of its files is damaged


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


# What readers look up in a manifest; a data set that lacks some of it is refused when it is opened.
REQUIRED = ("records", "bytes", "statistics", "labels", "depth_unit", "backgrounds")
REQUIRED_OPTIONS = ("backgrounds", "foregrounds", "placement", "labels", "max_objects", "jpeg_quality")
REQUIRED_OF_SPLITS = ("records", "bytes", "statistics", "backgrounds", "foregrounds")


def make_shard_entry(name: str, note: Note) -> ShardEntry:
    """Returns what a manifest says of a file that was finished."""
    return {"file": name, "records": note.records, "bytes": note.bytes, "sha256": note.sha256}


def read_manifest(folder: str) -> Manifest:
    """Reads the manifest of a finished data set, and sees that it is one of this program's and of this schema.

    Raises:
        DatasetError: there is none, or it is another program's or of another version.
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
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise DatasetError(
            f"{folder} holds records of schema version {manifest.get('schema_version')}; this program knows "
            f"{SCHEMA_VERSION}: use the one that made them, or make the data set again."
        )
    return manifest  # type: ignore[return-value]  # `check_keys` sees to the rest where it is needed


def check_keys(manifest: Manifest) -> None:
    """Sees that a manifest has what readers of a data set look up in it.

    Raises:
        KeyError: the first key that is missing.
    """
    wanted: list[tuple[Any, tuple[str, ...]]] = [(manifest, REQUIRED), (manifest["options"], REQUIRED_OPTIONS)]
    wanted += [(split, REQUIRED_OF_SPLITS) for split in manifest["splits"].values()]
    for part, keys in wanted:
        if missing := set(keys) - part.keys():
            raise KeyError(min(missing))


def write_manifest(folder: str, manifest: Manifest) -> None:
    """Finishes a data set: writes its manifest, and removes the notes of its shards, since the manifest has them."""
    write_json(join_path(folder, MANIFEST_FILE), manifest)
    remove_progress(folder)
