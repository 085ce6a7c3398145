"""Where things are on this machine: kept in a file of its own, so that a run can be passed on without it.

    local.json      the folders that a run was given; read on this machine only, and left out when the run is passed on

run.json names them by their last part. Not relative paths: a data set is seldom beside the run, and a relative path
tells of folders, too. What decides whether it is the same data set is its digest.
"""

import contextlib
from collections.abc import Mapping
from typing import Any, cast

import tensorflow as tf

from data_pipelines.runtime.files import FileError, join_path, read_json, write_json
from data_pipelines.runtime.notes import Note, name_file
from fgseg_tf.runs.run_checks import check_data

FILE = "local.json"
REMEDY = "remove it and give `data` anew"


def hide_data(description: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the description of a data set, as `Data.description`, with folders by their last part."""
    if "shards" in description:
        return {**description, "shards": name_file(description["shards"])}
    recipe = dict(description.get("recipe", {}))
    for key in ("backgrounds", "foregrounds", "teacher_weights"):
        if recipe.get(key):
            recipe[key] = name_file(recipe[key])
    return {**description, "recipe": recipe}


def hide_paths(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings of a run with folders by their last part."""
    hidden = dict(settings)
    if settings.get("start"):
        hidden["start"] = name_file(settings["start"])
    if settings.get("data"):
        hidden["data"] = hide_data(settings["data"])
    return hidden


def write_local(folder: str, settings: Mapping[str, Any]) -> None:
    """Writes local.json where run.json hides something of the settings, and it does not say the same already."""
    kept = {key: settings[key] for key in ("data", "start") if settings.get(key)}
    path = join_path(folder, FILE)
    if kept == {key: hide_paths(settings)[key] for key in kept}:
        return
    before = None
    # Damaged, it is written anew: here it is known what belongs in it.
    with contextlib.suppress(FileError, tf.errors.NotFoundError):
        before = read_json(path, REMEDY)
    if before != kept:
        write_json(path, kept)


def find_data(folder: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the description with which this machine can open what a run was trained on.

    Args:
        folder: of the run.
        data: as in run.json.
    """
    path = join_path(folder, FILE)
    if tf.io.gfile.exists(path):
        local = Note(read_json(path, REMEDY), path, REMEDY)
        if "data" in local:
            check_data(local, "data")
            found = local.take_note("data").take_all()
            # Another data set's, if it lies here by mistake.
            if found.keys() == data.keys() and hide_data(found) == hide_data(data):
                return cast(dict[str, Any], found)
    return dict(data)
