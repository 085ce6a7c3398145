"""Loose files are what the records hold, in a folder and in a zip."""

import csv
import io
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from edited_manifest import edit_manifest, edit_record, replace_shard
from PIL import Image
from repository import ROOT

from data_pipelines.inspection import unpack
from data_pipelines.runtime.locks import LOCK, LockedError, lock_folder
from data_pipelines.tfrecord import reader, schema, shards
from data_pipelines.tfrecord.manifest import DatasetError


def composites(folder: str) -> dict[str, tuple[str, dict]]:
    """name -> (split, what decode_composite answers, with fg_bg still as it is stored in `stored`)."""
    dataset = reader.open_dataset(folder)
    _, pictures, codes = schema.read_backgrounds(f"{folder}/{shards.BACKGROUNDS}", 48, 64)
    answer = {}
    for place, serialized in reader.read_records(dataset, reader.iterate_records(dataset)):
        parsed = schema.parse(serialized, schema.COMPOSITE)
        whole = schema.decode_composite(parsed, tf.constant(pictures), tf.constant(codes))
        answer[parsed["name"].numpy().decode()] = place.file.split, {**whole, "stored": parsed["fg_bg"].numpy()}
    return answer


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def pixels(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture)


@pytest.fixture(scope="module")
def unpacked(tiny_dataset, tmp_path_factory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("unpacked")
    assert unpack.unpack_to_folder(tiny_dataset, str(folder)) == 80
    return files_of(folder)


@pytest.fixture(scope="module")
def index(unpacked) -> dict[str, dict]:
    return {row["name"]: row for row in csv.DictReader(io.StringIO(unpacked["index.csv"].decode()))}


def test_files_are_what_decode_composite_gives(tiny_dataset, unpacked, index):
    expected = composites(tiny_dataset)
    assert index.keys() == expected.keys()
    for name, (split, whole) in expected.items():
        row = index[name]
        assert row["split"] == split
        assert row["fg_bg"] == f"{split}/fg_bg/{name}.jpg"
        assert unpacked[row["fg_bg"]] == whole["stored"]
        assert unpacked[row["mask"]][:4] == unpacked[row["depth"]][:4] == b"\x89PNG"
        np.testing.assert_array_equal(pixels(unpacked[row["mask"]]), whole["mask"][..., 0])
        assert pixels(unpacked[row["depth"]]).max() > 255
        np.testing.assert_array_equal(pixels(unpacked[row["depth"]]), whole["depth"][..., 0])
        bg = tf.io.decode_image(unpacked[row["bg"]]) if row["bg"].endswith("png") else decoded(unpacked[row["bg"]])
        np.testing.assert_array_equal(bg, whole["bg"])
        # The background's own depth, where nobody stands before it.
        bare = pixels(unpacked[row["bg_depth"]])
        free = whole["mask"].numpy()[..., 0] == 0
        np.testing.assert_array_equal(bare[free], whole["depth"].numpy()[..., 0][free])


def decoded(jpeg: bytes):
    return tf.io.decode_jpeg(jpeg, dct_method="INTEGER_ACCURATE")


def test_nothing_else_is_written(unpacked, index):
    mentioned = {row[key] for row in index.values() for key in ("bg", "bg_depth", "fg_bg", "mask", "depth")}
    assert unpacked.keys() == mentioned | {"index.csv", "README.txt"}
    assert "metres x 256" in unpacked["README.txt"].decode()


def test_backgrounds_are_not_encoded_again(tiny_dataset, unpacked):
    for serialized in tf.data.TFRecordDataset(f"{tiny_dataset}/{shards.BACKGROUNDS}"):
        stored = schema.parse(serialized, schema.BACKGROUND)
        name = stored["name"].numpy().decode()
        assert unpacked[f"bg/{name}.jpg"] == stored["bg"].numpy()
        assert unpacked[f"bg_depth/{name}.png"] == stored["depth"].numpy()
        assert f"bg/{name}-flip.png" in unpacked


def test_sources_are_named(index):
    for name, row in index.items():
        assert row["bg_source"] == f"room {int(name[2:5])}"
        own = f"blob {int(name[8:11])}" + (" mirrored" if "-flip" in name else "")
        assert row["fg_sources"] == "" or own in row["fg_sources"].split("; ")
    assert any("; " in row["fg_sources"] for row in index.values())


def test_a_zip_has_the_same_names_and_bytes(tiny_dataset, unpacked, tmp_path):
    path = tmp_path / "below" / "all.zip"
    assert unpack.unpack_to_zip(tiny_dataset, str(path)) == 80
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == unpacked
        assert len(archive.namelist()) == len(unpacked)
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert [path.name for path in path.parent.iterdir()] == ["all.zip"]


def test_a_zip_where_files_cannot_be_wound_back(tiny_dataset):
    """As in a bucket; ram:// is TensorFlow's stand-in."""
    assert unpack.unpack_to_zip(tiny_dataset, "ram://some.zip", count=3) == 3
    with tf.io.gfile.GFile("ram://some.zip", "rb") as file, zipfile.ZipFile(io.BytesIO(file.read())) as archive:
        assert archive.testzip() is None
        assert sum("/mask/" in name for name in archive.namelist()) == 3


def test_some_of_them(tiny_dataset, tmp_path):
    expected = composites(tiny_dataset)
    assert unpack.unpack_to_folder(tiny_dataset, str(tmp_path / "split"), split="unseen_both") == 8
    assert {path.stem for path in (tmp_path / "split/unseen_both/fg_bg").iterdir()} == {
        name for name, (split, _) in expected.items() if split == "unseen_both"
    }
    assert not (tmp_path / "split" / "train").exists()
    names = list(expected)[3:50:11]
    assert unpack.unpack_to_folder(tiny_dataset, str(tmp_path / "names"), names=names) == len(names)
    assert sorted(path.stem for path in (tmp_path / "names").glob("*/mask/*")) == sorted(names)
    assert unpack.unpack_to_folder(tiny_dataset, str(tmp_path / "count"), count=5) == 5
    assert len(list((tmp_path / "count").glob("*/depth/*"))) == 5


def test_the_lock_of_a_killed_process_is_no_file(tiny_dataset, tmp_path):
    (tmp_path / LOCK).write_text("{}")
    assert unpack.unpack_to_folder(tiny_dataset, str(tmp_path), count=1) == 1
    assert not (tmp_path / LOCK).exists()


def test_files_that_are_there_are_not_touched(tiny_dataset, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DatasetError, match="has files in it"):
        unpack.unpack_to_folder(tiny_dataset, str(tmp_path))
    with lock_folder(str(tmp_path)), pytest.raises(LockedError, match=r"`unpack`=.* is being written by process"):
        unpack.unpack_to_folder(tiny_dataset, str(tmp_path))
    with pytest.raises(DatasetError, match="is there already"):
        unpack.unpack_to_zip(tiny_dataset, str(tmp_path / "mine.txt"))
    with pytest.raises(DatasetError, match="There is no data set"):
        unpack.unpack_to_zip(str(tmp_path / "nothing"), str(tmp_path / "new.zip"))
    assert files_of(tmp_path) == {"mine.txt": b"mine"}


def test_command(tiny_dataset, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "tools/show_records.py",
            tiny_dataset,
            f"--unpack={tmp_path}/folder",
            f"--zip={tmp_path}/one.zip",
            f"--output={tmp_path}/sheet.jpg",
            "--names=bg001-fg002-p01,bg000-fg000-flip-p00",
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "sheet.jpg") as picture:
        assert picture.format == "JPEG"
    assert done.stdout.splitlines() == [
        f"{picture.width} x {picture.height} pixels in {tmp_path}/sheet.jpg",
        f"2 composites in {tmp_path}/folder",
        f"2 composites in {tmp_path}/one.zip",
    ]
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert {name: archive.read(name) for name in archive.namelist()} == files_of(tmp_path / "folder")


@pytest.mark.parametrize(
    ("shard", "key", "stored"),
    [
        ("train-00000-of-00002.tfrecord", "name", b"../../../evil"),
        ("train-00000-of-00002.tfrecord", "name", b"\xff\xfe"),
        ("train-00000-of-00002.tfrecord", "fg_index", [99]),
        ("train-00000-of-00002.tfrecord", "index", [1 << 40]),
    ],
)
def test_what_a_record_calls_itself_is_no_path(tiny_dataset, tmp_path, shard, key, stored):
    folder = Path(shutil.copytree(tiny_dataset, tmp_path / "given"))
    records = list(tf.data.TFRecordDataset(str(folder / shard)).as_numpy_iterator())
    records[0] = edit_record(records[0], key, stored)
    replace_shard(folder, shard, records)
    for unpacked, output in ((unpack.unpack_to_folder, "a/b/out"), (unpack.unpack_to_zip, "a/b/out.zip")):
        with pytest.raises(DatasetError, match=rf"{shard}, record 0 is not a composite of this data set; to see what"):
            unpacked(str(folder), str(tmp_path / output), split="train")
    assert not list(tmp_path.rglob("*evil*"))
    assert not list(tmp_path.rglob("out.zip"))


def test_what_a_background_calls_itself_is_no_path(tiny_dataset, unpacked, tmp_path):
    folder = Path(shutil.copytree(tiny_dataset, tmp_path / "given"))
    records = list(tf.data.TFRecordDataset(str(folder / shards.BACKGROUNDS)).as_numpy_iterator())
    records = [edit_record(record, "name", b"../../../evil") for record in records]
    replace_shard(folder, shards.BACKGROUNDS, records)
    unpack.unpack_to_folder(str(folder), str(tmp_path / "out"))
    assert files_of(tmp_path / "out").keys() == unpacked.keys()


def test_what_a_manifest_calls_a_split_is_no_path(tiny_dataset, tmp_path):
    folder = Path(shutil.copytree(tiny_dataset, tmp_path / "given"))
    edit_manifest(folder, lambda m: m["splits"].update({"../../up": m["splits"].pop("train")}))
    with pytest.raises(DatasetError, match=r"splits\.\.\./\.\./up is not a name for a split"):
        unpack.unpack_to_folder(str(folder), str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
