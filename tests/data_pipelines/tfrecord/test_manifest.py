"""The manifest: written last, read back as it was, and refused in a sentence where it is not this program's."""

import json
from pathlib import Path

import pytest

from data_pipelines.runtime.files import FileError
from data_pipelines.tfrecord.manifest import FORMAT, DatasetError, check_keys, read_manifest, write_manifest
from data_pipelines.tfrecord.schema import SCHEMA_VERSION
from data_pipelines.tfrecord.shards import ShardWriter

NAME = "train-00001-of-00003.tfrecord"


def finish_a_shard(folder):
    ShardWriter(str(folder), NAME).finish({})


def files(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}


def manifest():
    return {"format": FORMAT, "schema_version": SCHEMA_VERSION, "records": 3, "splits": {"train": {"records": 3}}}


def test_manifest_round_trip(tmp_path):
    finish_a_shard(tmp_path)
    write_manifest(str(tmp_path), manifest())
    assert read_manifest(str(tmp_path)) == manifest()
    # The notes are gone: what they said is in the manifest.
    assert files(tmp_path) == {NAME, "manifest.json"}


def test_manifest_without_notes(tmp_path):
    write_manifest(str(tmp_path) + "/", manifest())
    assert read_manifest(str(tmp_path)) == read_manifest(str(tmp_path) + "/")


def test_no_data_set(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DatasetError, match=rf"no data set in {folder}: manifest.json is missing"):
            read_manifest(str(folder))


def test_an_unfinished_data_set(tmp_path):
    finish_a_shard(tmp_path)
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


@pytest.mark.parametrize(
    ("manifest", "missing"),
    [
        ({"splits": {}, "options": {}}, "backgrounds"),
        (
            {
                **dict.fromkeys(("records", "bytes", "statistics", "labels", "depth_unit", "backgrounds")),
                "options": dict.fromkeys(("backgrounds", "foregrounds", "placement", "labels", "max_objects")),
                "splits": {},
            },
            "jpeg_quality",
        ),
    ],
)
def test_the_first_missing_key_is_named(manifest, missing):
    with pytest.raises(KeyError, match=missing):
        check_keys(manifest)
