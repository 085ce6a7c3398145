"""Lengths of records that would end the process are seen before TensorFlow reads them."""

import shutil
import struct
from pathlib import Path

import pytest
import tensorflow as tf
from edited_manifest import edit_manifest

from data_pipelines.inspection.verify import verify
from data_pipelines.tfrecord import frames, shards
from data_pipelines.tfrecord.manifest import DatasetError
from data_pipelines.tfrecord.reader import open_dataset

TRAIN = "train-00001-of-00002.tfrecord"


def make_head(length: int) -> bytes:
    """Returns the length of a record with its sum, as whoever forges one can."""
    content = struct.pack("<Q", length)
    return content + struct.pack("<I", frames._mask(frames._sum_bytes(content)))


def forge(folder: Path, name: str) -> None:
    """Makes the second record of a shard say that it is larger than any memory, and the manifest agree."""
    content = (folder / name).read_bytes()
    second = 16 + struct.unpack("<Q", content[:8])[0]
    (folder / name).write_bytes(content[:second] + make_head(1 << 46) + content[second + 12 :])
    digest = shards.measure_file(str(folder / name))[1]

    def change(manifest):
        for split in manifest["splits"].values():
            for entry in split["shards"]:
                if entry["file"] == name:
                    entry["sha256"] = digest

    edit_manifest(folder, change)


@pytest.mark.both_stacks
def test_sums_are_those_of_tensorflow(tmp_path):
    with tf.io.TFRecordWriter(str(tmp_path / "f")) as writer:
        for length in (0, 5, 70_000):
            writer.write(bytes(length))
    content = (tmp_path / "f").read_bytes()
    assert content.startswith(make_head(0))
    assert make_head(70_000) in content
    assert frames.find_impossible_record(str(tmp_path / "f")) == ""
    tf.io.gfile.copy(str(tmp_path / "f"), "ram://f", overwrite=True)
    assert frames.find_impossible_record("ram://f") == ""


@pytest.mark.parametrize("end", [b"", b"x" * 5, struct.pack("<QI", 1 << 46, 7), make_head(90)])
def test_damage_is_left_to_tensorflow(tmp_path, end):
    (tmp_path / "f").write_bytes(make_head(90) + bytes(94) + end)
    assert frames.find_impossible_record(str(tmp_path / "f")) == ""


def test_a_forged_length_is_read_by_nobody(tiny_dataset, tmp_path):
    folder = Path(shutil.copytree(tiny_dataset, tmp_path / "given"))
    forge(folder, TRAIN)
    said = "record 1 says that it has 70,368,744,177,664 bytes, more than its file"
    with pytest.raises(DatasetError, match=f"{TRAIN}: {said}; copy or export it again"):
        open_dataset(str(folder))
    problems = verify(str(folder)).problems
    assert problems[0] == f"{TRAIN} is not read: its {said}"
    assert [line.split()[:2] for line in problems[1:]] == [["train", "lacks"]]
