"""Every kind of damage is found and named, and an intact data set passes."""

import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from edited_manifest import edit_manifest
from PIL import Image
from repository import ROOT

from data_pipelines.config import DatasetConfig, PlacementConfig
from data_pipelines.inspection.findings import Findings
from data_pipelines.inspection.record_measurements import measure_record, thin_backgrounds
from data_pipelines.inspection.verify import verify
from data_pipelines.runtime.sealed_text import seal_text
from data_pipelines.tfrecord import schema, shards
from data_pipelines.tfrecord.export import export_dataset
from data_pipelines.tfrecord.manifest import MANIFEST_FILE, DatasetError

TRAIN = "train-00000-of-00002.tfrecord"
OTHER = "train-00001-of-00002.tfrecord"
UNSEEN = "unseen_bg-00000-of-00002.tfrecord"


@pytest.fixture
def dataset(tiny_dataset, tmp_path) -> Path:
    """A copy that may be damaged."""
    return Path(shutil.copytree(tiny_dataset, tmp_path / "dataset"))


def stored(folder: Path, name: str) -> list[bytes]:
    return list(tf.data.TFRecordDataset(str(folder / name)).as_numpy_iterator())


def forge(folder: Path, name: str, serialized: list[bytes]) -> None:
    """Writes a shard anew and makes the manifest agree about the file, so that only its content can give it away."""
    with tf.io.TFRecordWriter(str(folder / name)) as writer:
        for record in serialized:
            writer.write(record)
    size, digest = shards.measure_file(str(folder / name))

    def change(manifest):
        owners = [manifest["backgrounds"], *(shard for s in manifest["splits"].values() for shard in s["shards"])]
        for owner in owners:
            if owner["file"] == name:
                difference, owner["bytes"], owner["sha256"] = size - owner["bytes"], size, digest
        manifest["bytes"] += difference
        if split := manifest["splits"].get(name.split("-")[0]):
            split["bytes"] += difference

    edit_manifest(folder, change)


def edited(serialized: bytes, **values) -> bytes:
    """A record with other values for some of its keys; None takes the key away."""
    example = tf.train.Example.FromString(serialized)
    for key, value in values.items():
        if value is None:
            del example.features.feature[key]
        elif isinstance(value, bytes):
            example.features.feature[key].bytes_list.value[:] = [value]
        else:
            example.features.feature[key].int64_list.value[:] = value
    return example.SerializeToString()


def value(serialized: bytes, key: str):
    feature = tf.train.Example.FromString(serialized).features.feature[key]
    return feature.bytes_list.value[0] if feature.bytes_list.value else list(feature.int64_list.value)


def occupied(folder: Path, name: str) -> list[int]:
    """The numbers of the records of a file in which somebody is."""
    return [number for number, record in enumerate(stored(folder, name)) if value(record, "fg_index")]


def problem(folder: Path, *parts: str) -> str:
    """The one problem that has all the parts in it."""
    problems = verify(str(folder)).problems
    found = [line for line in problems if all(part in line for part in parts)]
    assert len(found) == 1, problems
    return found[0]


@pytest.mark.both_stacks
def test_intact(tiny_dataset):
    verdict = verify(tiny_dataset)
    assert verdict.problems == ()
    assert verdict.remarks == ()
    assert verdict.records == 80


@pytest.mark.parametrize("labels", ["teacher", "ground"])
def test_another_kind_of_data_set(tiny_sources, tmp_path, labels):
    """A size that JPEG does not divide, coarse JPEG, a random split, a limit, depth from a teacher."""
    sources = dataclasses.replace(tiny_sources, backgrounds=tiny_sources.backgrounds[:, :44, :61])
    placement = PlacementConfig(layout="random", places=3, max_objects=2, flip_backgrounds=True)
    options = DatasetConfig(
        height=44, width=61, seed=5, placement=placement, labels=labels, split="random", limit=70, jpeg_quality=25
    )
    # Nearer where the picture is brighter; in the teacher's coding.
    teacher = SimpleNamespace(
        network=lambda pictures, training: 1 + 9 * pictures[:, ::2, ::2, :1], input_size=(48, 64), max_depth=20.0
    )
    export_dataset(sources, options, str(tmp_path), load_teacher=lambda: teacher, teacher_identity={})
    verdict = verify(str(tmp_path))
    assert verdict.problems == ()
    assert verdict.records == 70


@pytest.mark.both_stacks
def test_a_flipped_byte_names_the_record_and_hides_no_other_file(dataset):
    path = dataset / TRAIN
    content = bytearray(path.read_bytes())
    fifth = sum(len(record) + 16 for record in stored(dataset, TRAIN)[:5])
    content[fifth + 100] ^= 1
    path.write_bytes(content)
    (dataset / UNSEEN).unlink()
    verdict = verify(str(dataset))
    text = "\n".join(verdict.problems)
    assert f"{TRAIN} has another SHA-256" in text
    # TensorFlow names the place behind the record's header of 12 bytes.
    assert f"{TRAIN}, record 5 is damaged (corrupted record at {fifth + 12}); " in text
    assert f"{UNSEEN} is missing" in text
    lost = json.loads((dataset / MANIFEST_FILE).read_text())["splits"]["train"]["shards"][0]["records"] - 5
    assert f"{lost - 1} records after it cannot be reached" in text
    assert f"train lacks {lost} of its 35 composites" in text
    assert verdict.records == 80 - lost - 12


def test_a_truncated_shard(dataset):
    path = dataset / TRAIN
    path.write_bytes(path.read_bytes()[:-1000])
    assert problem(dataset, TRAIN, "bytes, the manifest says")
    assert problem(dataset, TRAIN, "is damaged", "truncated record")


def test_a_missing_background_shard(dataset):
    (dataset / shards.BACKGROUNDS).unlink()
    assert verify(str(dataset)).problems == (f"{shards.BACKGROUNDS} is missing",)


def test_two_shards_that_swapped_names(dataset):
    (dataset / TRAIN).rename(dataset / "aside")
    (dataset / UNSEEN).rename(dataset / TRAIN)
    (dataset / "aside").rename(dataset / UNSEEN)
    for name in (TRAIN, UNSEEN):
        assert problem(dataset, name, "bytes, the manifest says")
        assert problem(dataset, name, "which belongs there", "more of its records")
        assert problem(dataset, name, "which are not all in")


def test_the_mask_of_another_record(dataset):
    serialized = stored(dataset, TRAIN)
    one, other = occupied(dataset, TRAIN)[:2]
    taken = {key: value(serialized[other], key) for key in ("mask", "mask_box")}
    serialized[one] = edited(serialized[one], **taken)
    forge(dataset, TRAIN, serialized)
    name = value(serialized[one], "name").decode()
    assert problem(dataset, "depth of an object where its mask has none").startswith(f"{TRAIN}, record {one} ({name}) ")
    assert "manifest.json says that the mean of mask over train is" in problem(dataset, "mask over train")


def test_mask_and_depth_of_another_record(dataset):
    """Together they agree; the picture does not."""
    serialized = stored(dataset, TRAIN)
    for one in occupied(dataset, TRAIN):
        # Where this one has nothing, the other's object is far away enough to be seen beside it.
        top, left, bottom, right = value(serialized[one], "mask_box")
        if (bottom - top) * (right - left) > 300:
            break
    empty = tf.io.encode_png(np.zeros((1, 1, 1), np.uint8)).numpy()
    nothing = tf.io.encode_png(np.zeros((1, 1, 1), np.uint16)).numpy()
    serialized[one] = edited(serialized[one], mask=empty, depth=nothing, mask_box=[0, 0, 1, 1], depth_box=[0, 0, 1, 1])
    forge(dataset, TRAIN, serialized)
    assert f"record {one} " in problem(dataset, "is not its background away from the mask")


def test_the_background_of_another_record(dataset):
    serialized = stored(dataset, shards.BACKGROUNDS)
    serialized[0], serialized[2] = (
        edited(serialized[0], bg=value(serialized[2], "bg")),
        edited(serialized[2], bg=value(serialized[0], "bg")),
    )
    forge(dataset, shards.BACKGROUNDS, serialized)
    assert "more of its records" in problem(dataset, TRAIN, "is not its background away from the mask")


def test_a_record_that_says_the_other_mirroring(dataset):
    serialized = stored(dataset, TRAIN)
    one = next(number for number, record in enumerate(serialized) if not value(record, "fg_index"))
    serialized[one] = edited(serialized[one], bg_flipped=[1 - value(serialized[one], "bg_flipped")[0]])
    forge(dataset, TRAIN, serialized)
    assert f"{TRAIN}, record {one} " in problem(dataset, "is not its background away from the mask")


def test_a_duplicate(dataset):
    serialized = stored(dataset, TRAIN)
    serialized[4] = serialized[2]
    forge(dataset, TRAIN, serialized)
    assert f"{TRAIN}, record 4 " in problem(dataset, f"is there already: {TRAIN}, record 2")
    assert problem(dataset, "train lacks 1 of its 35 composites")
    assert f"{TRAIN}, record 4 " in problem(dataset, "which belongs there")


def test_records_in_another_order(dataset):
    serialized = stored(dataset, OTHER)
    forge(dataset, OTHER, serialized[::-1])
    problems = verify(str(dataset)).problems
    assert len(problems) == 1
    assert "which belongs there" in problems[0]


def test_a_record_too_few_and_one_too_many(dataset):
    serialized = stored(dataset, TRAIN)
    forge(dataset, TRAIN, serialized[:-1])
    assert f"holds {len(serialized) - 1} records, the manifest says {len(serialized)}" in problem(dataset, TRAIN)
    assert problem(dataset, "train lacks 1 of")
    forge(dataset, TRAIN, [*serialized, serialized[0]])
    assert f"holds {len(serialized) + 1} records" in problem(dataset, TRAIN, "holds")
    assert problem(dataset, TRAIN, "is there already")


def test_a_held_out_cutout_in_a_further_place(dataset):
    held_out = json.loads((dataset / MANIFEST_FILE).read_text())["splits"]["unseen_fg"]["foregrounds"][0]
    serialized = stored(dataset, TRAIN)
    one = next(n for n, record in enumerate(serialized) if len(value(record, "fg_index")) == 2)
    listed = value(serialized[one], "fg_index")
    serialized[one] = edited(
        serialized[one], fg_index=[*listed, held_out], fg_flipped=[*value(serialized[one], "fg_flipped"), 0]
    )
    forge(dataset, TRAIN, serialized)
    line = problem(dataset, "which are not all in train")
    assert f"record {one} " in line
    assert f"fg{held_out:03d}" in line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": b"bg000-fg000-p09"}, "which is called"),
        ({"index": [1 << 40]}, "counted from 0"),
        ({"fg_bg": b"no picture"}, "has a fg_bg that cannot be decoded"),
        ({"mask": b"no picture"}, "has a mask that cannot be decoded"),
        ({"depth": None}, "does not fit the schema"),
        ({"mask_box": [0, 0, 48]}, "does not fit the schema"),
        ({"mask_box": [0, 0, 49, 64]}, "has a mask_box [0, 0, 49, 64] that is not inside its 48 x 64 pixels"),
        ({"mask_box": [5, 5, 6, 40]}, "pixels where 1 x 35 belong"),
        ({"depth_box": [-1, 0, 2, 2]}, "depth_box"),
        ({"depth_box": [0, 0, 3, 2]}, "depth"),
        ({"bg_index": [77]}, "has background 77; there are 5"),
        ({"fg_index": [0, 0, 0, 0], "fg_flipped": [0, 0, 0, 0]}, "max_objects was 3"),
        ({"fg_flipped": []}, "which its name denies"),
        ({"fg_index": [], "fg_flipped": []}, "has a mask but nobody in it"),
    ],
)
def test_a_damaged_feature(dataset, changes, said):
    serialized = stored(dataset, TRAIN)
    one = occupied(dataset, TRAIN)[-1]
    serialized[one] = edited(serialized[one], **changes)
    forge(dataset, TRAIN, serialized)
    problems = verify(str(dataset)).problems
    lines = [line for line in problems if said in line and line.startswith(f"{TRAIN}, record {one}")]
    assert lines, problems


def test_a_picture_of_another_size(dataset):
    serialized = stored(dataset, TRAIN)
    serialized[0] = edited(serialized[0], fg_bg=schema.encode_picture(np.zeros((48, 60, 3), np.uint8), 80).numpy())
    forge(dataset, TRAIN, serialized)
    assert "has a fg_bg of 48 x 60 pixels where 48 x 64 belong" in problem(dataset, TRAIN, "record 0")


def test_a_background_with_unknown_depth(dataset):
    serialized = stored(dataset, shards.BACKGROUNDS)
    serialized[1] = edited(serialized[1], depth=schema.encode_labels(np.zeros((48, 64, 1), np.uint16)).numpy())
    forge(dataset, shards.BACKGROUNDS, serialized)
    assert f"{shards.BACKGROUNDS}, record 1 has places whose depth is not known" in verify(str(dataset)).problems


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m["splits"]["train"].update(records=36), "says train.records 36, but it must be 35"),
        (lambda m: m.update(records=81), "says records 81, but it must be 80"),
        (lambda m: m.update(bytes=1), "says bytes 1, but it must be"),
        (lambda m: m["grid"].update(foregrounds=5), "says grid.foregrounds 5, but it must be 4"),
        (lambda m: m["grid"].update(backgrounds=6), "says grid.backgrounds 6, but it must be 5"),
        (lambda m: m["grid"].update(backgrounds=4), "says grid.backgrounds 4, but it must be 5"),
        (lambda m: m["splits"]["train"]["backgrounds"].append(1), "has backgrounds 1 both in train and in unseen_bg"),
        (lambda m: m["statistics"]["depth"].update(mean=1.5), "says that the mean of depth over all splits is 1.5"),
        (lambda m: m["splits"]["train"]["statistics"]["bg"].update(mean=[0.0] * 3), "the mean of bg over train is"),
    ],
)
def test_an_edited_manifest(dataset, change, said):
    edit_manifest(dataset, change)
    assert problem(dataset, said).startswith("manifest.json ")


def test_strangers(dataset):
    (dataset / "train-00002-of-00003.tfrecord").write_bytes(b"")
    (dataset / f"{TRAIN}.part").write_bytes(b"")
    (dataset / shards.PROGRESS).mkdir()
    (dataset / "notes.txt").write_text("mine")
    (dataset / "export.flags").write_text("")
    verdict = verify(str(dataset))
    assert [line.split()[0] for line in verdict.problems] == [
        "progress",
        f"{TRAIN}.part",
        "train-00002-of-00003.tfrecord",
    ]
    assert all("does not belong to this data set" in line for line in verdict.problems)
    assert verdict.remarks == ("also in the folder, not looked at: notes.txt",)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(schema_version=2), "schema version 2"),
        (lambda m: m.update(format="another"), "not the manifest"),
        (lambda m: m.pop("grid"), "manifest.json: grid is missing; make the data set again, or fetch it anew."),
        (lambda m: m["splits"]["train"].pop("statistics"), "splits.train.statistics is missing"),
        (lambda m: m["options"].pop("jpeg_quality"), "options.jpeg_quality is missing"),
        (lambda m: m.update(splits=[]), "splits is not an object of keys and values"),
    ],
)
def test_what_cannot_be_looked_at_is_refused(dataset, change, said):
    edit_manifest(dataset, change)
    with pytest.raises(DatasetError) as raised:
        verify(str(dataset))
    assert said in str(raised.value)


def test_measure_agrees_with_decode_composite(tiny_dataset):
    """`measure` takes short cuts; in full it says the same."""
    _, pictures, codes = schema.read_backgrounds(f"{tiny_dataset}/{shards.BACKGROUNDS}", 48, 64)
    compared = tf.constant(thin_backgrounds(pictures))
    for serialized in stored(Path(tiny_dataset), TRAIN):
        found = measure_record(serialized, compared, tf.constant(codes))
        parsed = schema.parse(serialized, schema.COMPOSITE)
        whole = schema.decode_composite(parsed, tf.constant(pictures), tf.constant(codes))
        mask, depth, fg_bg = (whole[key].numpy().astype(np.int64) for key in ("mask", "depth", "fg_bg"))
        scenery = codes[int(parsed["bg_index"])].astype(np.int64)
        assert found["mask_sums"].numpy().tolist() == [mask.sum(), (mask**2).sum()]
        assert found["depth_sums"].numpy().tolist() == [
            depth.sum() - scenery.sum(),
            (depth**2).sum() - (scenery**2).sum(),
        ]
        np.testing.assert_allclose(found["fg_bg_sums"], [fg_bg.sum((0, 1)), (fg_bg**2).sum((0, 1))], rtol=1e-5)
        difference = np.abs(fg_bg - whole["bg"].numpy())[::4].reshape(3, 4, 4, 16 * 3).mean((1, 3))
        np.testing.assert_allclose(found["difference"], difference, rtol=1e-5)
        assert found["near"].numpy().tolist() == (mask.reshape(3, 16, 4, 16).max((1, 3)) > 0).tolist()


def test_findings_of_one_kind_are_one_line():
    findings = Findings()
    for number in range(1000):
        findings.add("a.tfrecord", "order", "is not there", number, f"bg{number}")
    findings.add("b.tfrecord", "missing", "is missing")
    assert findings.lines() == (
        "a.tfrecord, record 0 (bg0) is not there; likewise 999 more of its records",
        "b.tfrecord is missing",
    )


def run(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "tools/verify_shards.py", *arguments],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_command_on_an_intact_set(tiny_dataset):
    done = run(tiny_dataset)
    assert done.returncode == 0, done.stderr
    assert "is intact: 80 composites of 5 backgrounds x 4 cut-outs, 48 x 64" in done.stdout
    assert "train 35, seen_both 1" in done.stdout


def test_command_on_a_damaged_set_prints_some_and_counts_the_rest(dataset):
    for path in dataset.glob("*.tfrecord"):
        path.unlink()
    done = run(str(dataset), "--problems=3")
    assert done.returncode == 1
    lines = done.stdout.splitlines()
    # 10 files are missing, and the composites of 5 splits.
    assert lines[0] == f"{dataset} is not what its manifest says: 15 problems"
    assert len(lines) == 5
    assert lines[-1] == "  and 12 more (--problems=15 shows all)"


def test_command_refuses_in_a_sentence(tmp_path):
    done = run(str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"verify_shards: There is no data set in {tmp_path}: manifest.json is missing."
    )
    assert "Traceback" not in done.stderr


def test_files_that_never_end_are_not_read(dataset):
    """Nor are names in a manifest followed out of the folder."""
    (dataset / TRAIN).unlink()
    (dataset / TRAIN).symlink_to("/dev/zero")
    os.mkfifo(dataset / "sheet.png")
    assert problem(dataset, TRAIN) == f"{TRAIN} is not a regular file: nothing of it is read"
    assert problem(dataset, "sheet.png").startswith("sheet.png is not a file of this data set")
    edit_manifest(dataset, lambda m: m["splits"]["train"]["shards"][0].update(file="../../../../dev/zero"))
    with pytest.raises(DatasetError, match=r"splits\.train\.shards\[0\]\.file is not train-00000-of-00002\.tfrecord"):
        verify(str(dataset))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(depth_scale=float("nan")), "depth_scale is not a number; make the data set again"),
        (lambda m: m.update(depth_unit="foot"), "depth_unit is none of metre, relative; make the data set again"),
        (lambda m: m["grid"].update(backgrounds=10**9), "grid.backgrounds is not from 1 to 1e+06"),
        (lambda m: m.update(records=10**300), "records is not from 1 to"),
        (
            lambda m: (m["grid"].update(places=10**6), m["splits"]["train"]["shards"][0].update(bytes=10**12)),
            "its files have no room for the 40,000,000 composites that are promised",
        ),
        (
            lambda m: (
                m["grid"].update(backgrounds=10**6),
                m["backgrounds"].update(bytes=10**12),
                m["options"].update(limit=80),
            ),
            "has no room for the 1,000,000 backgrounds that are promised",
        ),
    ],
)
def test_a_manifest_alone_takes_no_memory(dataset, change, said):
    edit_manifest(dataset, change)
    with pytest.raises(DatasetError) as raised:
        verify(str(dataset))
    assert said in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: [m["options"]["foregrounds"][n].update(digest=f"{101 - n:064x}") for n in (0, 1)],
        lambda m: m["options"]["backgrounds"][0].update(digest="f" * 64),
        lambda m: m["options"].update(field_of_view=[50.0] * 5),
    ],
)
def test_damage_to_what_only_the_manifest_knows(dataset, change):
    edit_manifest(dataset, change, is_sealed=False)
    assert verify(str(dataset)).problems == (
        "manifest.json is damaged or was changed by hand: its sha256 is of something else",
    )


def test_flags_and_sheet_that_are_damaged(dataset):
    drawn = io.BytesIO()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(drawn, "PNG")
    (dataset / "export.flags").write_text(seal_text("--seed=3\n--limit=9\n"))
    (dataset / "sheet.png").write_bytes(drawn.getvalue())
    assert verify(str(dataset)).problems == ()
    for name in ("export.flags", "sheet.png"):
        content = bytearray((dataset / name).read_bytes())
        content[len(content) // 2] ^= 1
        (dataset / name).write_bytes(content)
    said = "is damaged; the data set does not need it: remove it, or fetch it anew"
    assert verify(str(dataset)).problems == (f"export.flags {said}", f"sheet.png {said}")


def test_what_a_terminal_would_obey_is_not_printed(dataset):
    serialized = stored(dataset, TRAIN)
    serialized[0] = edited(serialized[0], name=b"\x1b[2J\xff")
    forge(dataset, TRAIN, serialized)
    assert problem(dataset, "which is called").isprintable()
