"""Files of a data set: what a kill at any moment leaves behind is never taken for finished."""

import hashlib
import os
import re
from pathlib import Path

import pytest
import tensorflow as tf
from disk_calls import record_disk_calls

from data_pipelines.tfrecord.shards import (
    Note,
    Shard,
    ShardWriter,
    divide_split,
    measure_file,
    read_note,
    remove_unfinished,
)

NAME = "train-00001-of-00003.tfrecord"
RECORDS = [b"one", b"", b"three" * 1000]
SUMS = {"records": 3, "bg": [[1, 2, 3], [4, 5, 6]], "depth": [10**18, 10**30]}


def write(folder, records=RECORDS):
    writer = ShardWriter(str(folder), NAME)
    for record in records:
        writer.write(record)
    return writer


def files(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}


# Dividing


def test_divide_split_by_hand():
    divided = divide_split("unseen_bg", 10, 3)
    assert divided == (
        Shard("unseen_bg", 0, 3, 0, 3),
        Shard("unseen_bg", 1, 3, 3, 3),
        Shard("unseen_bg", 2, 3, 6, 4),
    )
    assert divided[2].name == "unseen_bg-00002-of-00003.tfrecord"


@pytest.mark.parametrize(("count", "wanted"), [(1, 1), (7, 1), (7, 7), (7, 20), (100, 9), (282_240, 57), (0, 3)])
def test_divide_split_gives_everything_once_and_evenly(count, wanted):
    divided = divide_split("train", count, wanted)
    assert len(divided) == min(count, wanted)
    assert [shard.number for shard in divided] == list(range(len(divided)))
    assert {shard.of for shard in divided} <= {len(divided)}
    at = 0
    for shard in divided:
        assert shard.first == at
        at += shard.count
    assert at == count
    counts = [shard.count for shard in divided]
    assert not counts or (min(counts) >= 1 and max(counts) - min(counts) <= 1)


# Writing


def test_nothing_under_its_name_before_it_is_finished(tmp_path):
    writer = write(tmp_path)
    (unfinished,) = files(tmp_path)
    assert unfinished.startswith(NAME + ".")
    assert unfinished.endswith(".part")
    assert read_note(str(tmp_path), NAME) is None
    writer.finish(SUMS)
    assert files(tmp_path) == {NAME, f"progress/{NAME}.json"}


def test_note(tmp_path):
    note = write(tmp_path).finish(SUMS)
    content = (tmp_path / NAME).read_bytes()
    assert note == Note(3, len(content), hashlib.sha256(content).hexdigest(), SUMS)
    assert read_note(str(tmp_path), NAME) == note
    assert read_note(str(tmp_path), NAME, records=3) == note
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(tmp_path / NAME))] == RECORDS


def test_the_same_records_are_the_same_bytes(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    assert write(one).finish(SUMS) == write(other).finish(SUMS)
    assert (one / NAME).read_bytes() == (other / NAME).read_bytes()


def kill_while_writing(folder):
    write(folder)
    for path in folder.glob("*.part"):  # by a process that is no more
        path.rename(str(path).replace(f".{os.getpid()}-", ".999999999-"))


def kill_before_the_rename(folder):
    write(folder).finish(SUMS)
    os.rename(folder / NAME, folder / (NAME + ".part"))


def lose_the_note(folder):
    write(folder).finish(SUMS)
    (folder / "progress" / (NAME + ".json")).unlink()


def lose_the_shard(folder):
    write(folder).finish(SUMS)
    (folder / NAME).unlink()


def cut_the_shard(folder):
    write(folder).finish(SUMS)
    os.truncate(folder / NAME, 40)


def lengthen_the_shard(folder):
    write(folder).finish(SUMS)
    with open(folder / NAME, "ab") as file:
        file.write(b"!")


def kill_while_writing_the_note(folder):
    kill_while_writing(folder)
    (folder / "progress").mkdir()
    (folder / "progress" / (NAME + ".json.999999999-0123abcd.part")).write_text('{"records": 3, "by')


def damage_the_shard(folder):
    write(folder).finish(SUMS)
    content = bytearray((folder / NAME).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / NAME).write_bytes(bytes(content))


@pytest.mark.parametrize(
    "damage",
    [
        kill_while_writing,
        kill_while_writing_the_note,
        kill_before_the_rename,
        lose_the_note,
        lose_the_shard,
        cut_the_shard,
        lengthen_the_shard,
        damage_the_shard,
    ],
)
def test_what_is_not_whole_is_made_again(tmp_path, damage):
    damage(tmp_path)
    assert read_note(str(tmp_path), NAME) is None
    note = write(tmp_path).finish(SUMS)
    assert read_note(str(tmp_path), NAME, 3) == note
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(tmp_path / NAME))] == RECORDS
    remove_unfinished(str(tmp_path))
    assert files(tmp_path) == {NAME, f"progress/{NAME}.json"}


def test_a_shard_and_its_note_are_on_the_disk_before_it_has_its_name(tmp_path):
    with record_disk_calls(tmp_path) as calls:
        write(tmp_path).finish(SUMS)
    names = [(kind, re.sub(r"\.\d+-\w{8}\.part", ".part", path)) for kind, path in calls]
    note = f"progress/{NAME}.json"
    assert names == [
        ("sync", "."),  # the folder progress/ is there
        ("sync", f"{note}.part"),
        ("rename", note),
        ("sync", "progress"),
        ("sync", f"{NAME}.part"),
        ("rename", NAME),
        ("sync", "."),
    ]


def test_two_writers_of_one_shard_do_not_write_into_one_file(tmp_path):
    """One of them ended in the middle left a hole before what the other one wrote, and the hole got the name."""
    ended, other = ShardWriter(str(tmp_path), NAME), write(tmp_path)
    for record in RECORDS[:2]:
        ended.write(record)
    del ended  # flushes what it has, at its own place
    other.finish(SUMS)
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(tmp_path / NAME))] == RECORDS


def test_what_is_not_finished_is_removed_when_the_writer_ends(tmp_path):
    def write_half():
        with ShardWriter(str(tmp_path), NAME) as writer:
            writer.write(RECORDS[0])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert files(tmp_path) == set()


def test_a_shard_of_another_length_is_made_again(tmp_path):
    write(tmp_path).finish(SUMS)
    assert read_note(str(tmp_path), NAME, records=4) is None


def test_nothing_is_not_finished(tmp_path):
    assert read_note(str(tmp_path), NAME) is None
    assert read_note(str(tmp_path / "nowhere"), NAME) is None


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe{}", b"[1]", b'{"records": 3}'])
def test_a_note_that_says_nothing_is_not_believed(tmp_path, content):
    write(tmp_path).finish(SUMS)
    (tmp_path / "progress" / (NAME + ".json")).write_bytes(content)
    assert read_note(str(tmp_path), NAME) is None


def test_measure_file(tmp_path):
    # More than one block.
    content = bytes(range(256)) * (5 << 12)
    (tmp_path / "f").write_bytes(content)
    assert measure_file(str(tmp_path / "f")) == (5 << 20, hashlib.sha256(content).hexdigest())
