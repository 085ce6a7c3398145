"""The contact sheet: which examples, in which colours, in which place."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from repository import ROOT

from data_pipelines.inspection import contact_sheet
from data_pipelines.inspection.depth_colors import color_depth
from data_pipelines.tfrecord import reader, schema, shards
from data_pipelines.tfrecord.manifest import DatasetError
from data_pipelines.tfrecord.reader import RecordLocation, ShardFile, StoredDataset


def dataset_of(**splits: list[int]) -> StoredDataset:
    """split -> the number of records in each of its files; enough of a catalogue for choosing places."""
    files = []
    for split, sizes in splits.items():
        files += [
            ShardFile(f"{split}-{number}", split, sum(sizes[:number]), size, 0, "") for number, size in enumerate(sizes)
        ]
    return StoredDataset("here", {"splits": splits}, 0, 0, 1.0, 0, None, {}, tuple(files))


def where(places: list[RecordLocation]) -> list[tuple[str, int]]:
    return [(place.file.name, place.number) for place in places]


def test_spread_by_hand():
    dataset = dataset_of(train=[9, 9, 9, 9], test=[1], other=[5, 5])
    # 7 for 3 splits: 3, 1 (there are no more), 3; of four files of train the first, one of the middle and the last.
    assert where(reader.choose_evenly(dataset, 7)) == [
        ("train-0", 0),
        ("train-2", 0),
        ("train-3", 0),
        ("test-0", 0),
        ("other-0", 0),
        ("other-0", 1),
        ("other-1", 0),
    ]
    assert where(reader.choose_evenly(dataset, 2)) == [("train-0", 0), ("test-0", 0)]
    assert where(reader.choose_evenly(dataset, 6, "train")) == [
        ("train-0", 0),
        ("train-0", 1),
        ("train-1", 0),
        ("train-1", 1),
        ("train-2", 0),
        ("train-3", 0),
    ]
    assert len(reader.choose_evenly(dataset, 1000)) == 47
    with pytest.raises(ValueError, match="`split`=val is not a split of here, which has train, test, other"):
        reader.choose_evenly(dataset, 3, "val")


def test_in_proportion_by_hand():
    dataset = dataset_of(train=[8, 8], test=[1], other=[3])
    # Half of 20: of 8, 16, 17 and 20 passed, 4, 8, 8.5 and 10.
    assert [count for _, count in reader.choose_in_proportion(dataset, 10)] == [4, 4, 0, 2]
    assert [count for _, count in reader.choose_in_proportion(dataset, 100)] == [8, 8, 1, 3]
    assert sum(count for _, count in reader.choose_in_proportion(dataset, 7)) == 7


def test_every_name_is_found_where_it_is(tiny_dataset):
    dataset = reader.open_dataset(tiny_dataset)
    places = list(reader.iterate_records(dataset))
    names = []
    for place, serialized in reader.read_records(dataset, places):
        assert place is places[len(names)]
        names.append(schema.parse(serialized, schema.COMPOSITE)["name"].numpy().decode())
    assert len(set(names)) == 80
    shuffled = np.random.default_rng(0).permutation(names).tolist()
    found = reader.locate(dataset, shuffled)
    assert found == [places[names.index(name)] for name in shuffled]
    read = [serialized for _, serialized in reader.read_records(dataset, found[:7])]
    assert [schema.parse(one, schema.COMPOSITE)["name"].numpy().decode() for one in read] == shuffled[:7]


def test_a_name_that_is_not_there(tiny_dataset):
    dataset = reader.open_dataset(tiny_dataset)
    with pytest.raises(ValueError, match="asks for background 9; this data set has 5"):
        reader.locate(dataset, ["bg009-fg000-p00"])
    with pytest.raises(ValueError, match="is not the name of a composite"):
        reader.locate(dataset, ["cat"])


def test_what_is_drawn_is_what_is_in_the_record(tiny_dataset):
    dataset = reader.open_dataset(tiny_dataset)
    _, pictures, codes = schema.read_backgrounds(f"{tiny_dataset}/{shards.BACKGROUNDS}", 48, 64)
    place = reader.choose_evenly(dataset, 2)[1]
    ((_, serialized),) = reader.read_records(dataset, [place])
    whole = schema.decode_composite(
        schema.parse(serialized, schema.COMPOSITE), tf.constant(pictures), tf.constant(codes)
    )
    drawn = np.asarray(contact_sheet.draw_sheet(tiny_dataset, names=[whole["name"].numpy().decode()]))
    # 48 x 64 is shown twice as large, its four pictures in one row at the bottom.
    top = drawn.shape[0] - (contact_sheet.MARGIN - 12) - (2 * 48 + contact_sheet.CAPTION + 20)
    metres = whole["depth"].numpy()[..., 0] / 256
    expected = (
        whole["bg"].numpy(),
        whole["fg_bg"].numpy(),
        np.repeat(whole["mask"].numpy(), 3, axis=2),
        color_depth(metres, metres.min(), metres.max()),
    )
    for number, picture in enumerate(expected):
        left = contact_sheet.MARGIN + number * (2 * 64 + contact_sheet.GAP)
        np.testing.assert_array_equal(drawn[top : top + 96 : 2, left : left + 128 : 2], picture)


def test_what_is_drawn_can_be_changed_first(tiny_dataset):
    seen = []

    def turned(example):
        seen.append(int(example["index"]))
        return {**example, "pictures": example["pictures"][:, ::-1], "depth": example["depth"][:, ::-1]}

    plain, changed = (np.asarray(contact_sheet.draw_sheet(tiny_dataset, 1, change=change)) for change in (None, turned))
    assert len(seen) == 1
    top = plain.shape[0] - (contact_sheet.MARGIN - 12) - (2 * 48 + contact_sheet.CAPTION + 20)
    for number in range(4):
        left = contact_sheet.MARGIN + number * (2 * 64 + contact_sheet.GAP)
        before, after = (drawn[top : top + 96 : 2, left : left + 128 : 2] for drawn in (plain, changed))
        np.testing.assert_array_equal(after, before[:, ::-1])


@pytest.mark.parametrize(("count", "columns"), [(1, 1), (6, 1), (7, 2), (24, 2), (200, 2)])
def test_any_number_of_examples(tiny_dataset, count, columns):
    drawn = contact_sheet.draw_sheet(tiny_dataset, count)
    assert drawn.width == 2 * contact_sheet.MARGIN + columns * (4 * 132 - 4) + (columns - 1) * contact_sheet.BETWEEN
    rows = -(-min(count, 80) // columns)
    assert rows * 96 < drawn.height < rows * 160 + 200


@pytest.mark.parametrize(
    ("size", "tile"),
    [((48, 64), (128, 96)), ((224, 224), (168, 168)), ((150, 180), (180, 150)), ((480, 640), (168, 126))],
)
def test_size_on_the_sheet(size, tile):
    assert contact_sheet._tile_size(*size) == tile


def test_a_damaged_shard_is_a_sentence(tiny_dataset, tmp_path):
    for path in Path(tiny_dataset).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    name = json.loads((tmp_path / "manifest.json").read_text())["splits"]["train"]["shards"][0]["file"]
    content = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(content[:100] + bytes(100) + content[200:])
    with pytest.raises(DatasetError, match=r"cannot be read at record 0 .*python tools/verify_shards.py"):
        contact_sheet.draw_sheet(str(tmp_path))


def test_command_refuses_in_a_sentence(tiny_dataset, tmp_path):
    done = subprocess.run(
        [sys.executable, "tools/show_records.py", tiny_dataset, f"--output={tmp_path}/sheet.png", "--split=val"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("show_records: --split=val is not a split of ")
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
