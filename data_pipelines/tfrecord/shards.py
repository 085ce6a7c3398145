"""The shards of a data set: how records are divided into files, and how a file is written so that it appears whole.

A shard is written under a name of its own, which ends in .part, and gets its name when it is whole; beside it, in
progress/, goes a note of what is in it. So after a kill at any moment, every shard is either there and accounted for or
made again.
"""

import contextlib
from dataclasses import asdict, dataclass
from typing import Any, cast

import tensorflow as tf

from data_pipelines.runtime.files import (
    PART,
    is_local,
    join_path,
    measure_file,
    name_part,
    read_json,
    remove_if_there,
    remove_parts,
    rename_whole,
    write_json,
)
from data_pipelines.runtime.notes import SHA256
from data_pipelines.runtime.notes import Note as JsonNote
from data_pipelines.tfrecord.statistics import Sums

BACKGROUNDS = "backgrounds-00000-of-00001.tfrecord"
MAKE_AGAIN = "make the shard again"
MOST_SUM = 1 << 100  # of squares of all pixels of a shard
PROGRESS = "progress"  # folder of the notes, until the data set is finished


@dataclass(frozen=True)
class Shard:
    """A file that is to be written: positions first .. first+count-1 of a split, as file `number` of `of`."""

    split: str
    number: int
    of: int
    first: int
    count: int

    @property
    def name(self) -> str:
        """Such as train-00003-of-00057.tfrecord."""
        return f"{self.split}-{self.number:05d}-of-{self.of:05d}.tfrecord"


@dataclass(frozen=True)
class Note:
    """What is in a shard that was finished.

    Attributes:
        records: how many it holds.
        bytes: its size.
        sha256: its digest, in hexadecimal.
        sums: whole numbers, so that the statistics made from them are exact and do not depend on how the records were
            divided into shards; {} for the shard of backgrounds.
    """

    records: int
    bytes: int
    sha256: str
    sums: Sums


def divide_split(split: str, count: int, shards: int) -> tuple[Shard, ...]:
    """Divides the `count` records of a split into runs of equal length, one for each shard.

    Lengths differ by one record at most, and no shard is empty: with fewer records than shards there are fewer shards.
    """
    shards = min(shards, count)
    ends = [count * (number + 1) // shards for number in range(shards)]
    return tuple(
        Shard(split, number, shards, first, end - first)
        for number, (first, end) in enumerate(zip([0, *ends], ends, strict=False))
    )


class ShardWriter:
    """Writes one shard, which gets its name in `finish`; as a context, it removes what was not finished."""

    def __init__(self, folder: str, name: str):
        self._folder, self._name = folder, name
        self._part = name_part(join_path(folder, name))
        self._writer = tf.io.TFRecordWriter(self._part)
        self._records = 0

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            with contextlib.suppress(tf.errors.OpError):  # a full disk, say, which is why it ends
                self._writer.close()
            remove_if_there(self._part)

    def write(self, serialized: bytes) -> None:
        """Appends a record."""
        self._writer.write(serialized)
        self._records += 1

    def finish(self, sums: Sums) -> Note:
        """Closes the file, writes its note, and gives the file its name."""
        self._writer.close()
        size, digest = measure_file(self._part)
        note = Note(self._records, size, digest, sums)
        # The note first: a shard without one would be made again, a note without a shard is not believed.
        write_json(_note_path(self._folder, self._name), asdict(note))
        rename_whole(self._part, join_path(self._folder, self._name))
        return note


def read_note(folder: str, name: str, records: int | None = None) -> Note | None:
    """Returns the note of a shard that an earlier run finished, or None if the shard has to be made.

    Args:
        folder: of the data set.
        name: of the shard's file.
        records: how many it must hold; None for any number.
    """
    path = join_path(folder, name)
    if not (tf.io.gfile.exists(path) and tf.io.gfile.exists(_note_path(folder, name))):
        return None
    try:
        note = _parse_note(read_json(_note_path(folder, name), MAKE_AGAIN), _note_path(folder, name))
    except ValueError:  # a note that is damaged, or another version's, is ignored
        return None
    if note.bytes != tf.io.gfile.stat(path).length or (records is not None and note.records != records):
        return None
    # Damaged in place it would get into the finished data set. In a bucket reading takes long, and nothing is damaged.
    if is_local(path) and measure_file(path) != (note.bytes, note.sha256):
        return None
    return note


def remove_unfinished(folder: str) -> None:
    """Removes what killed exports left half written in the folder of a data set. Nobody else may be writing there."""
    for where in (folder, join_path(folder, PROGRESS)):
        remove_parts(where)
    # Earlier versions had one name for each shard that was being written.
    for name in tf.io.gfile.listdir(folder):
        if name.endswith(".tfrecord" + PART):
            remove_if_there(join_path(folder, name))


def _parse_note(content: Any, path: str) -> Note:
    given = JsonNote(content, path, MAKE_AGAIN)
    given.allow_only(("records", "bytes", "sha256", "sums"))
    sums = given.take_note("sums")
    sums.allow_only(Sums.__annotations__)
    for key in sums:
        if key in ("bg", "fg_bg"):
            for row in sums.take_rows(key, 2):
                if len(row) != 3 or not all(type(value) is int for value in row):
                    raise sums.refuse(key, "is not of three channels")
        elif key in ("mask", "depth"):
            sums.take_wholes(key, 0, MOST_SUM, 2)
        else:
            sums.take_whole(key, 1)
    records, size = given.take_whole("records", 1), given.take_whole("bytes", 1)
    return Note(records, size, given.take_text("sha256", SHA256), cast(Sums, sums.take_all()))


def remove_progress(folder: str) -> None:
    """Removes the notes of a data set that has its manifest; a kill between the two leaves some behind."""
    with contextlib.suppress(tf.errors.NotFoundError):
        tf.io.gfile.rmtree(join_path(folder, PROGRESS))


def _note_path(folder: str, name: str) -> str:
    return join_path(folder, PROGRESS, name + ".json")
