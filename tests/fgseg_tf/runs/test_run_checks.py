"""run.json and history.json of somebody else: what is not what it must be is one sentence."""

import json
from pathlib import Path

import pytest

from data_pipelines.config import DatasetConfig
from fgseg_tf.model.networks import NAMES
from fgseg_tf.runs import run_folder
from fgseg_tf.training.options import PRECISIONS, Training

WRONG = [[[]], "x\x1b[2J", None, float("nan"), 1e400, -1, 10**300, {"a": [{}]}, [1, 2, 3]]
RECIPE = DatasetConfig().to_dict()


class _Data:
    """What a training notes of its data."""

    description, digest, depth_unit, height, width, labels = {"recipe": RECIPE}, "0" * 64, "metre", 48, 64, "exact"


@pytest.fixture
def settings(tmp_path) -> dict:
    run_folder.claim(str(tmp_path), {**Training(()).run_settings(_Data()), "stages": ["4@64 rate=0.002", "1@0"]})
    return json.loads(Path(tmp_path, "run.json").read_text())["settings"]


def write(folder: Path, settings: dict) -> str:
    content = {"format": run_folder.FORMAT, "version": run_folder.VERSION, "settings": settings}
    (folder / "run.json").write_text(json.dumps(content))
    return str(folder)


def test_what_a_training_notes_is_read_back(settings, tmp_path):
    assert run_folder.read_run(str(tmp_path), tuple(settings))["settings"] == settings


def test_precisions_are_those_of_trainings(settings, tmp_path):
    for precision in PRECISIONS:
        assert run_folder.read_run(write(tmp_path, {**settings, "precision": precision}))
    for network in NAMES:
        assert run_folder.read_run(write(tmp_path, {**settings, "network": network}))


def test_whatever_is_wrong_in_settings_is_one_sentence(settings, tmp_path):
    tried = 0
    for key in settings:
        for wrong in [*WRONG, True, "", 1.5]:
            if isinstance(wrong, type(settings[key])) or (wrong == 1.5 and isinstance(settings[key], float)):
                continue
            said = refuse({**settings, key: wrong}, tmp_path)
            assert f"run.json: settings.{key}" in said, (key, wrong, said)
            tried += 1
    assert tried > 150


def test_whatever_is_wrong_in_a_recipe_is_one_sentence(settings, tmp_path):
    for key, value in RECIPE.items():
        for wrong in WRONG:
            if wrong is None and value is None:
                continue
            said = refuse({**settings, "data": {"recipe": {**RECIPE, key: wrong}}}, tmp_path)
            assert "run.json: settings.data.recipe" in said, (key, wrong, said)


def refuse(settings: dict, folder: Path) -> str:
    with pytest.raises(run_folder.RunError, match=r"run\.json: .*; train again, or fetch it anew\.$") as raised:
        run_folder.read_run(write(folder, settings))
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 1000
    return str(raised.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stages": []}, "settings.stages is not a list of stages, such as 4@64 rate=0.002"),
        ({"stages": [""]}, "settings.stages is not a list of stages"),
        ({"stages": ["4@99999"]}, "settings.stages has a size of more than 16384 pixels"),
        ({"image_size": [0, 64]}, "settings.image_size[0] is not from 1 to 16384"),
        ({"network": "../../evil"}, "settings.network is none of small, base"),
        ({"capture": {"least": 3, "most": 2}}, "settings.capture.nobody is missing"),
        ({"capture": {"least": 3, "most": 2, "nobody": 0, "ghosts": 0}}, "settings.capture.most is not from 3 to 4"),
        ({"capture": {"least": 0, "most": 2, "nobody": 1, "ghosts": 1}}, "settings.capture.ghosts is not from 0 to 0"),
        ({"data": {"shards": "a", "recipe": {}}}, "settings.data.recipe is not known to this version"),
        ({"data": {"recipe": {"height": 10**9}}}, "settings.data.recipe.height is not from 1 to 16384"),
        ({"data": {"recipe": {"labels": "guess"}}}, "describes no data set (`labels`=guess is not a kind of label"),
        ({"data": {"recipe": {"other": 1}}}, "describes no data set ('other' does not belong to"),
        ({"data_digest": "abc"}, "settings.data_digest is not of the form that it must have"),
        ({"later": 1}, "settings.later is not known to this version"),
    ],
)
def test_what_is_not_believed(settings, tmp_path, change, said):
    assert said in refuse({**settings, **change}, tmp_path)


def test_what_a_reader_needs_is_asked_for(settings, tmp_path):
    del settings["capture"]
    folder = write(tmp_path, settings)
    run_folder.read_run(folder)
    with pytest.raises(run_folder.RunError, match=r"run\.json: settings\.capture is missing; train again, or fetch it"):
        run_folder.read_run(folder, ("capture",))


@pytest.mark.parametrize("content", ["[" * 100_000, '{"format": ' + "1" * 5000 + "}", " " * (33 << 20)])
@pytest.mark.parametrize("name", ["run.json", "history.json"])
def test_what_would_end_the_reader(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    read = run_folder.read_run if name == "run.json" else run_folder.read_history
    with pytest.raises(
        ValueError, match=rf"{name} (is nested|cannot be read|has more than).*; restore it or train again"
    ):
        read(str(tmp_path))


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ({}, "rows is not a list"),
        ([7], r"rows\[0\] is not an object of keys and values"),
        ([{"stage": 1, "epoch": 1}], r"rows\[0\]\.seen is missing"),
        ([{"stage": 1, "epoch": 1.5, "seen": 2}], r"rows\[0\]\.epoch is not a whole number"),
        ([{"stage": 1, "epoch": 1, "seen": 10**300}], r"rows\[0\]\.seen is not from 0 to"),
        ([{"stage": 1, "epoch": 1, "seen": 1, "loss": float("nan")}], r"rows\[0\]\.loss is not a number"),
        ([{"stage": 1, "epoch": 1, "seen": 1, "seconds": None}], r"rows\[0\]\.seconds is missing"),
        ([{"stage": 1, "epoch": 1, "seen": 1, "mask_dice_loss": "low"}], r"rows\[0\]\.mask_dice_loss is not a number"),
    ],
)
def test_rows_that_are_not_believed(tmp_path, rows, said):
    (tmp_path / "history.json").write_text(json.dumps(rows))
    with pytest.raises(run_folder.RunError, match=rf"history\.json: {said}.*; train again, or fetch it anew"):
        run_folder.read_history(str(tmp_path))
