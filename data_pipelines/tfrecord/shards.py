"""Files of a data set: names, atomic writes, the manifest.

A shard is written as NAME.part and appears under its name when it is whole; beside it, in progress/, goes a note of
what is in it. So after a kill at any moment, every shard is either there and accounted for or made again. The manifest
comes last: a folder with a manifest.json is a finished data set.

A note says: records, bytes, sha256, and sums (whole numbers, so that the statistics made from them are exact and do not
depend on how the records were dealt out).
"""

import contextlib
import hashlib
from dataclasses import asdict, dataclass

import tensorflow as tf

from data_pipelines.runtime.files import PART, FileError, join_path, read_json, write_json
from data_pipelines.tfrecord.schema import SCHEMA_VERSION

FORMAT = "fgseg_tf data set"
BACKGROUNDS = "backgrounds-00000-of-00001.tfrecord"
MANIFEST = "manifest.json"
PROGRESS = "progress"
REMEDY = "make the data set again"  # where one of its files is damaged


class DatasetError(ValueError):
    """A folder is not the data set that is wanted: what, where, what to do."""


@dataclass(frozen=True)
class Shard:
    """A file to be: positions first .. first+count-1 of a split."""

    split: str
    number: int
    of: int
    first: int
    count: int

    @property
    def name(self) -> str:
        return f"{self.split}-{self.number:05d}-of-{self.of:05d}.tfrecord"


@dataclass(frozen=True)
class Note:
    """What is in a shard that was finished."""

    records: int
    bytes: int
    sha256: str
    sums: dict


def deal(split: str, count: int, shards: int) -> tuple[Shard, ...]:
    """Deals a split out to shards in runs, as evenly as can be; no shard is empty."""
    shards = min(shards, count)
    ends = [count * (number + 1) // shards for number in range(shards)]
    return tuple(
        Shard(split, number, shards, first, end - first)
        for number, (first, end) in enumerate(zip([0, *ends], ends, strict=False))
    )


class ShardWriter:
    """Writes one shard; nothing appears under its name before `finish`."""

    def __init__(self, folder: str, name: str):
        self._folder, self._name = folder, name
        self._path = join_path(folder, name)
        self._writer = tf.io.TFRecordWriter(self._path + PART)
        self._records = 0

    def write(self, serialized: bytes) -> None:
        self._writer.write(serialized)
        self._records += 1

    def finish(self, sums: dict) -> Note:
        self._writer.close()
        size, digest = measure(self._path + PART)
        note = Note(self._records, size, digest, sums)
        # The note first: a shard without one would be made again, a note without a shard is not believed.
        write_json(_note_path(self._folder, self._name), asdict(note))
        tf.io.gfile.rename(self._path + PART, self._path, overwrite=True)
        return note


def finished(folder: str, name: str, records: int | None = None) -> Note | None:
    """The note of a shard that an earlier run finished, or None if it has to be made."""
    path = join_path(folder, name)
    if not (tf.io.gfile.exists(path) and tf.io.gfile.exists(_note_path(folder, name))):
        return None
    try:
        note = Note(**read_json(_note_path(folder, name), REMEDY))
    except (FileError, TypeError):  # of a note that was damaged, or is another version's, nothing is believed
        return None
    if note.bytes != tf.io.gfile.stat(path).length or (records is not None and note.records != records):
        return None
    return note


def measure(path: str) -> tuple[int, str]:
    """(bytes, sha256) of a file."""
    digest, size = hashlib.sha256(), 0
    with tf.io.gfile.GFile(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def read_manifest(folder: str) -> dict:
    path = join_path(folder, MANIFEST)
    if not tf.io.gfile.exists(path):
        if tf.io.gfile.exists(join_path(folder, PROGRESS)):
            raise DatasetError(
                f"{folder} holds a data set that is not finished; start its export again with the same flags."
            )
        raise DatasetError(f"There is no data set in {folder}: {MANIFEST} is missing.")
    manifest = read_json(path, REMEDY)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise DatasetError(f"{path} is not the manifest of a data set of this program.")
    if manifest.get("schema_version") != SCHEMA_VERSION:
        raise DatasetError(
            f"{folder} holds records of schema version {manifest.get('schema_version')}; this program knows "
            f"{SCHEMA_VERSION}: use the one that made them, or make the data set again."
        )
    return manifest


def write_manifest(folder: str, manifest: dict) -> None:
    """Finishes a data set; the notes of its shards go, since the manifest has them."""
    write_json(join_path(folder, MANIFEST), {"format": FORMAT, **manifest})
    forget_progress(folder)


def forget_progress(folder: str) -> None:
    """Removes the notes of a data set that has its manifest; a kill between the two leaves some behind."""
    with contextlib.suppress(tf.errors.NotFoundError):
        tf.io.gfile.rmtree(join_path(folder, PROGRESS))


def _note_path(folder: str, name: str) -> str:
    return join_path(folder, PROGRESS, name + ".json")
