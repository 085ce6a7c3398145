"""A run names no folder of the machine that it was made on, and still finds its data there."""

import json
from pathlib import Path

import pytest

from data_pipelines.config import DatasetConfig
from fgseg_tf.runs import run_folder

SECRET = "/home/somebody/secret"
SETTINGS = {"network": "small", "stages": ["1@64"], "image_size": [48, 64], "seed": 3, "data_digest": "0" * 64}
RECIPE = DatasetConfig.from_dict(
    {
        "backgrounds": f"{SECRET}/rooms",
        "foregrounds": f"{SECRET}/people",
        "teacher_weights": f"keras_hub:{SECRET}/preset",
        "teacher_camera_height": 2.5,
    }
).to_dict()


@pytest.fixture
def folder(tmp_path) -> str:
    return str(tmp_path / "run")


def settings_of(data, **changes):
    return {**SETTINGS, "data": data, "start": f"{SECRET}/runs/first", **changes}


def files_with(folder: str, text: str) -> list[str]:
    return [path.name for path in Path(folder).iterdir() if text in path.read_text()]


def test_paths_are_in_a_file_of_their_own(folder):
    run_folder.claim(folder, settings_of({"shards": f"{SECRET}/out"}))
    settings = run_folder.read_run(folder, ("data",))["settings"]
    assert settings == settings_of({"shards": "out"}, start="first")
    assert files_with(folder, SECRET) == ["local.json"]


def test_a_recipe_keeps_what_its_teacher_is_and_not_where(folder):
    run_folder.claim(folder, settings_of({"recipe": RECIPE}))
    found = run_folder.read_run(folder)["settings"]
    recipe = found["data"]["recipe"]
    assert [recipe[key] for key in ("backgrounds", "foregrounds", "teacher_weights")] == [
        "rooms",
        "people",
        "keras_hub:preset",
    ]
    assert files_with(folder, SECRET) == ["local.json"]
    assert run_folder.find_data(folder, found) == {"recipe": RECIPE}


def test_without_paths_there_is_no_such_file(folder):
    run_folder.claim(folder, {**SETTINGS, "data": {"recipe": DatasetConfig().to_dict()}, "start": "small"})
    assert [path.name for path in Path(folder).iterdir()] == ["run.json"]


def test_data_that_were_moved_are_found_where_they_are(folder, tmp_path):
    here, there = tmp_path / "here" / "out", tmp_path / "there" / "renamed"
    here.mkdir(parents=True)
    run_folder.claim(folder, settings_of({"shards": str(here)}))
    settings = run_folder.read_run(folder)["settings"]
    assert run_folder.find_data(folder, settings) == {"shards": str(here)}
    there.parent.mkdir()
    here.rename(there)
    with pytest.raises(run_folder.RunError, match=r"trained on the data set out, which is not where it was; give"):
        run_folder.find_data(folder, settings)
    assert run_folder.claim(folder, settings_of({"shards": str(there)})) is True
    with pytest.raises(run_folder.RunError, match=r"was begun with data_digest 0+ and is now started with 1+; start"):
        run_folder.claim(folder, settings_of({"shards": "/other/out"}, data_digest="1" * 64))


def test_a_run_that_was_passed_on(folder):
    run_folder.claim(folder, settings_of({"shards": f"{SECRET}/out"}))
    Path(folder, "local.json").unlink()
    settings = run_folder.read_run(folder)["settings"]
    with pytest.raises(
        run_folder.RunError, match=r"the data set out, which is not where it was; give its folder as `d"
    ):
        run_folder.find_data(folder, settings)


def test_a_run_of_before_has_paths_and_is_gone_on_with(folder):
    """Also one whose digest was of paths."""
    old = settings_of({"recipe": RECIPE})
    run_folder.claim(folder, old)
    Path(folder, "local.json").unlink()
    record = {"format": run_folder.FORMAT, "version": run_folder.VERSION, "settings": old}
    Path(folder, "run.json").write_text(json.dumps(record))
    assert run_folder.find_data(folder, run_folder.read_run(folder)["settings"]) == {"recipe": RECIPE}
    now = settings_of({"recipe": {**RECIPE, "backgrounds": "/elsewhere/rooms"}}, data_digest="1" * 64)
    with pytest.raises(run_folder.RunError, match="begun with data_digest"):
        run_folder.claim(folder, now)
    assert run_folder.claim(folder, now, earlier_digests=("0" * 64,)) is True
    with pytest.raises(run_folder.RunError, match="begun with data "):
        run_folder.claim(folder, settings_of({"recipe": {**RECIPE, "seed": 9}}))


@pytest.mark.parametrize(
    "content",
    ["[]", "{", '{"data": 7}', '{"data": {"shards": 5}}', '{"data": {"shards": "x\\u001b/out"}}', '{"data": {}}'],
)
def test_a_file_of_paths_that_is_damaged(folder, content):
    run_folder.claim(folder, settings_of({"shards": f"{SECRET}/out"}))
    Path(folder, "local.json").write_text(content)
    with pytest.raises(ValueError, match=r"local\.json.*; (restore it or )?remove it and give `data` anew"):
        run_folder.find_data(folder, run_folder.read_run(folder)["settings"])
    # Where it is said anew where the data are, it is mended.
    run_folder.claim(folder, settings_of({"shards": f"{SECRET}/out"}))
    assert json.loads(Path(folder, "local.json").read_text())["data"] == {"shards": f"{SECRET}/out"}
