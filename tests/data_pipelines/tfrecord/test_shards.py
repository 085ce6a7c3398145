"""Files of a data set: what a kill at any moment leaves behind is never taken for finished."""

import hashlib
import json
import os
from pathlib import Path

import pytest
import tensorflow as tf

from data_pipelines.runtime.files import FileError, join_path, read_json
from data_pipelines.tfrecord import shards
from data_pipelines.tfrecord.schema import SCHEMA_VERSION
from data_pipelines.tfrecord.shards import (
    DatasetError,
    Note,
    Shard,
    ShardWriter,
    deal,
    finished,
    read_manifest,
    write_json,
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


# Dealing


def test_deal_by_hand():
    dealt = deal("unseen_bg", 10, 3)
    assert dealt == (
        Shard("unseen_bg", 0, 3, 0, 3),
        Shard("unseen_bg", 1, 3, 3, 3),
        Shard("unseen_bg", 2, 3, 6, 4),
    )
    assert dealt[2].name == "unseen_bg-00002-of-00003.tfrecord"


@pytest.mark.parametrize(("count", "wanted"), [(1, 1), (7, 1), (7, 7), (7, 20), (100, 9), (282_240, 57), (0, 3)])
def test_deal_gives_everything_once_and_evenly(count, wanted):
    dealt = deal("train", count, wanted)
    assert len(dealt) == min(count, wanted)
    assert [shard.number for shard in dealt] == list(range(len(dealt)))
    assert {shard.of for shard in dealt} <= {len(dealt)}
    at = 0
    for shard in dealt:
        assert shard.first == at
        at += shard.count
    assert at == count
    counts = [shard.count for shard in dealt]
    assert not counts or (min(counts) >= 1 and max(counts) - min(counts) <= 1)


# Writing


def test_nothing_under_its_name_before_it_is_finished(tmp_path):
    writer = write(tmp_path)
    assert files(tmp_path) == {NAME + ".part"}
    assert finished(str(tmp_path), NAME) is None
    writer.finish(SUMS)
    assert files(tmp_path) == {NAME, f"progress/{NAME}.json"}


def test_note(tmp_path):
    note = write(tmp_path).finish(SUMS)
    content = (tmp_path / NAME).read_bytes()
    assert note == Note(3, len(content), hashlib.sha256(content).hexdigest(), SUMS)
    assert finished(str(tmp_path), NAME) == note
    assert finished(str(tmp_path), NAME, records=3) == note
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(tmp_path / NAME))] == RECORDS


def test_the_same_records_are_the_same_bytes(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    assert write(one).finish(SUMS) == write(other).finish(SUMS)
    assert (one / NAME).read_bytes() == (other / NAME).read_bytes()


def kill_while_writing(folder):
    write(folder)


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
    write(folder)
    (folder / "progress").mkdir()
    (folder / "progress" / (NAME + ".json.part")).write_text('{"records": 3, "by')


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
    ],
)
def test_what_is_not_whole_is_made_again(tmp_path, damage):
    damage(tmp_path)
    assert finished(str(tmp_path), NAME) is None
    note = write(tmp_path).finish(SUMS)
    assert finished(str(tmp_path), NAME, 3) == note
    assert [r.numpy() for r in tf.data.TFRecordDataset(str(tmp_path / NAME))] == RECORDS
    assert not (tmp_path / (NAME + ".part")).exists()


def test_a_shard_of_another_length_is_made_again(tmp_path):
    write(tmp_path).finish(SUMS)
    assert finished(str(tmp_path), NAME, records=4) is None


def test_nothing_is_not_finished(tmp_path):
    assert finished(str(tmp_path), NAME) is None
    assert finished(str(tmp_path / "nowhere"), NAME) is None


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe{}", b"[1]", b'{"records": 3}'])
def test_a_note_that_says_nothing_is_not_believed(tmp_path, content):
    write(tmp_path).finish(SUMS)
    (tmp_path / "progress" / (NAME + ".json")).write_bytes(content)
    assert finished(str(tmp_path), NAME) is None


def test_measure(tmp_path):
    # More than one block.
    content = bytes(range(256)) * (5 << 12)
    (tmp_path / "f").write_bytes(content)
    assert shards.measure(str(tmp_path / "f")) == (5 << 20, hashlib.sha256(content).hexdigest())


# Manifest


def manifest(**changes):
    return {"schema_version": SCHEMA_VERSION, "records": 3, "splits": {"train": {"records": 3}}} | changes


def test_manifest_round_trip(tmp_path):
    write(tmp_path).finish(SUMS)
    shards.write_manifest(str(tmp_path), manifest())
    assert read_manifest(str(tmp_path)) == {"format": "fgseg_tf data set", **manifest()}
    # The notes are gone: what they said is in the manifest.
    assert files(tmp_path) == {NAME, "manifest.json"}


def test_manifest_without_notes(tmp_path):
    shards.write_manifest(str(tmp_path) + "/", manifest())
    assert read_manifest(str(tmp_path)) == read_manifest(str(tmp_path) + "/")


def test_no_data_set(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DatasetError, match=rf"no data set in {folder}: manifest.json is missing"):
            read_manifest(str(folder))


def test_an_unfinished_data_set(tmp_path):
    write(tmp_path).finish(SUMS)
    with pytest.raises(DatasetError, match="not finished; start its export again with the same flags"):
        read_manifest(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"format": "fgseg_tf data set"', "cannot be read as JSON .*restore it or make the data set again"),
        ("", "cannot be read as JSON"),
        (b"\xff\xd8\xff\xe0 a picture", "cannot be read as JSON"),
        ('{"name": "app", "icons": []}', "is not the manifest of a data set of this program"),
        ("[1, 2]", "is not the manifest of a data set of this program"),
        (json.dumps({"format": "fgseg_tf data set", "schema_version": 99}), "schema version 99; this program knows 1"),
    ],
)
def test_manifest_refusals(tmp_path, content, complaint):
    (tmp_path / "manifest.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises((DatasetError, FileError), match=complaint):
        read_manifest(str(tmp_path))


# JSON


def test_json_is_replaced_at_once(tmp_path):
    path = tmp_path / "deep" / "er" / "f.json"
    write_json(str(path), {"a": 1})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_json(str(path), {"a": object()})
    assert path.read_bytes() == before
    write_json(str(path), {"a": 2})
    assert read_json(str(path), shards.REMEDY) == {"a": 2}
    assert files(tmp_path) == {"deep/er/f.json"}


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, -2.5, 1e-30, 10**30], "b": [[1, 2], [3, 4]], "c": [], "d": [True, None], "e": ["1", "2"]},
        {"source": "rooms [1,  2]/café [3\t4]\n[5\n6].jpg", "[1,  2]": "[\n1]"},
        [0.1 + 0.2, {"x": []}],
    ],
)
def test_json_round_trip(tmp_path, value):
    path = str(tmp_path / "f.json")
    write_json(path, value)
    assert read_json(path, shards.REMEDY) == value


def test_numbers_are_on_one_line(tmp_path):
    write_json(str(tmp_path / "f.json"), {"size": [224, 300], "mean": [[0.5, 1e-06], [3, 4]]})
    lines = [line.strip() for line in (tmp_path / "f.json").read_text().splitlines()]
    assert '"size": [ 224, 300 ],' in lines
    assert "[ 0.5, 1e-06 ]," in lines


def test_join():
    assert join_path("gs://bucket/set/", "progress", "a.json") == "gs://bucket/set/progress/a.json"
    assert join_path("set", "a") == "set/a"
