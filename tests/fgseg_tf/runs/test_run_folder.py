"""A run's folder: whose it is, and what is in it."""

import json

import keras
import numpy as np
import pytest

from data_pipelines.runtime.files import FileError, join_path, write_json
from fgseg_tf.model.two_branch import ARCHITECTURES, build
from fgseg_tf.runs import run_folder

pytestmark = pytest.mark.both_stacks

SETTINGS = {"network": "small", "stages": ("1@64", "1@96"), "image_size": [48, 64], "seed": 3}


def test_begun_once_and_gone_on_with(tmp_path):
    folder = str(tmp_path / "run")
    assert run_folder.claim(folder, SETTINGS) is False
    assert run_folder.claim(folder, {**SETTINGS, "stages": ["1@64", "1@96"]}) is True
    assert run_folder.read_run(folder)["settings"] == json.loads(json.dumps(SETTINGS))
    assert not list((tmp_path / "run").glob("*.part"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seed": 4}, r"`run`=.*run was begun with seed 3 and is now started with 4; start it as before, or choose"),
        ({"stages": ["1@64"]}, r'begun with stages \["1@64", "1@96"\] and is now started with \["1@64"\]'),
        ({"rate": 1}, r"begun with rate null and is now started with 1"),
    ],
)
def test_a_run_of_other_flags_is_refused(tmp_path, changes, said):
    folder = str(tmp_path / "run")
    run_folder.claim(folder, SETTINGS)
    with pytest.raises(run_folder.RunError, match=said):
        run_folder.claim(folder, {**SETTINGS, **changes})


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"x")
    with pytest.raises(run_folder.RunError, match=r"holds holiday.jpg but no run.json, so it is not a run"):
        run_folder.claim(str(tmp_path), SETTINGS)
    with pytest.raises(run_folder.RunError, match=r"is not a run: it has no run.json; give the `run` of"):
        run_folder.read_run(str(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.jpg"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"format": "another', r"run.json cannot be read as JSON"),
        (b"\xff\xfe\x00", r"run.json cannot be read as JSON"),
        (b'{"format": "another"}', r"run.json is not of a run of this version; train again"),
        (b"[]", r"run.json is not of a run of this version"),
    ],
)
def test_a_broken_note_is_named(tmp_path, content, said):
    (tmp_path / "run.json").write_bytes(content)
    with pytest.raises((run_folder.RunError, FileError), match=said):
        run_folder.read_run(str(tmp_path))


def test_the_network_is_what_was_saved(tmp_path):
    folder = str(tmp_path / "run")
    run_folder.claim(folder, SETTINGS)
    with pytest.raises(run_folder.RunError, match=r"is not finished \(no weights.npz\); start its training again"):
        run_folder.load_network(folder)
    keras.utils.set_random_seed(2)
    network = build(ARCHITECTURES["small"])
    run_folder.save_network(folder, network)
    again = run_folder.load_network(folder)
    for one, other in zip(network.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == ["model.keras", "run.json", "weights.npz"]


def test_history_before_the_first_epoch_is_empty(tmp_path):
    assert run_folder.read_history(str(tmp_path)) == []
    rows = [{"stage": 1, "epoch": 1, "seen": 32, "loss": 0.5}]
    write_json(join_path(str(tmp_path), "history.json"), rows)
    assert run_folder.read_history(str(tmp_path)) == rows
