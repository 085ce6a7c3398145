"""What examples of a data set are like, counted by hand and against the statistics of the manifest."""

from pathlib import Path

import numpy as np
import pytest

from data_pipelines.inspection import examples, label_statistics
from data_pipelines.inspection.label_statistics import Tally
from data_pipelines.tfrecord import reader
from data_pipelines.tfrecord.manifest import DatasetError


def test_a_tally_by_hand():
    tally = Tally(2, 3)
    # One is covered at the left, half of one pixel counts as object at 128; the other has nobody.
    tally.add(
        np.array([[[255, 128, 127], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]], np.uint8),
        np.array([[[7, 7, 9], [9, 0, 9]], [[9, 9, 65535], [0, 0, 0]]], np.uint16),
    )
    tally.add(np.array([[[0, 0, 0], [255, 0, 0]]], np.uint8), np.array([[[1, 1, 1], [0, 2, 2]]], np.uint16))
    found = tally.survey()
    np.testing.assert_allclose(found.shares, [2 / 6, 0, 1 / 6])
    np.testing.assert_allclose(found.covered, [[1 / 3, 128 / 255 / 3, 127 / 255 / 3], [1 / 3, 0, 0]])
    assert {code: found.object_codes[code] for code in np.flatnonzero(found.object_codes)} == {7: 2, 0: 1}
    assert {code: found.background_codes[code] for code in np.flatnonzero(found.background_codes)} == {
        0: 4,
        1: 3,
        2: 2,
        9: 5,
        65535: 1,
    }


def test_of_large_pictures_every_second_pixel_has_its_depth_counted():
    tally = Tally(4, 256)
    codes = np.zeros((1, 4, 256), np.uint16)
    codes[0, ::2, ::2] = 5
    tally.add(np.zeros((1, 4, 256), np.uint8), codes)
    found = tally.survey()
    assert found.background_codes[5] == found.background_codes.sum() == 2 * 128
    assert found.covered.shape == (4, 256)


def test_nothing_was_seen():
    found = Tally(2, 3).survey()
    assert found.shares.shape == (0,)
    assert found.covered.tolist() == [[0, 0, 0], [0, 0, 0]]


def test_all_of_a_data_set_is_as_its_manifest_says(tiny_dataset):
    dataset = reader.open_dataset(tiny_dataset)
    found = label_statistics.survey_labels(dataset, examples.read_background_pictures(dataset))
    said = dataset.manifest["statistics"]
    assert len(found.shares) == 80
    assert found.shares.mean() == pytest.approx(said["mask"]["mean"], rel=1e-9)
    assert found.covered.shape == (48, 64)
    assert found.covered.mean() == pytest.approx(said["mask"]["mean"], rel=1e-9)
    codes = found.object_codes + found.background_codes
    assert codes.sum() == 80 * 48 * 64
    mean = (codes * np.arange(1 << 16)).sum() / codes.sum() / 256
    assert mean == pytest.approx(said["depth"]["mean"], rel=1e-9)


def test_some_of_a_data_set(tiny_dataset):
    dataset = reader.open_dataset(tiny_dataset)
    backgrounds = examples.read_background_pictures(dataset)
    found = label_statistics.survey_labels(dataset, backgrounds, most=17)
    chosen = reader.choose_in_proportion(dataset, 17)
    places = [reader.RecordLocation(file, number) for file, count in chosen for number in range(count)]
    expected = [example.mask.mean() / 255 for example in examples.read_examples(dataset, places, backgrounds)]
    np.testing.assert_allclose(found.shares, expected)
    assert len(expected) == 17


def test_a_damaged_shard_is_a_sentence(tiny_dataset, tmp_path):
    for path in Path(tiny_dataset).iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    dataset = reader.open_dataset(str(tmp_path))
    last = tmp_path / dataset.files[-1].name
    last.write_bytes(last.read_bytes()[:-7])
    with pytest.raises(DatasetError, match=r"cannot be read .*python tools/verify_shards.py"):
        label_statistics.survey_labels(dataset, examples.read_background_pictures(dataset))
