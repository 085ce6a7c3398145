"""Data sets that somebody changed on purpose, so that only what they say can give it away."""

import json
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf

from data_pipelines.tfrecord import shards
from data_pipelines.tfrecord.manifest_checks import SEAL, seal


def edit_manifest(folder: str | Path, change: Callable[[dict], object], is_sealed: bool = True) -> None:
    """Changes the manifest of a data set; without `is_sealed`, as damage does."""
    path = Path(folder) / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    if is_sealed:
        manifest[SEAL] = seal(manifest)
    path.write_text(json.dumps(manifest))


def edit_record(serialized: bytes, key: str, value: bytes | list[int]) -> bytes:
    """Returns a record with another value for a key."""
    example = tf.train.Example.FromString(serialized)
    feature = example.features.feature[key]
    if isinstance(value, bytes):
        feature.bytes_list.value[:] = [value]
    else:
        feature.int64_list.value[:] = value
    return example.SerializeToString()


def replace_shard(folder: Path, name: str, records: list[bytes]) -> None:
    """Writes a shard anew, and makes the manifest agree about the file."""
    with tf.io.TFRecordWriter(str(folder / name)) as writer:
        for record in records:
            writer.write(record)
    size, digest = shards.measure_file(str(folder / name))

    def change(manifest):
        splits = manifest["splits"].values()
        for entry in [manifest["backgrounds"], *(shard for split in splits for shard in split["shards"])]:
            if entry["file"] == name:
                entry.update(bytes=size, sha256=digest)
        for split in splits:
            split["bytes"] = sum(shard["bytes"] for shard in split["shards"])
        manifest["bytes"] = manifest["backgrounds"]["bytes"] + sum(split["bytes"] for split in splits)

    edit_manifest(folder, change)
