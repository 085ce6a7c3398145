"""A run's folder, which explains itself.

    run.json        what the run is: network, stages, data and its digest, unit; written first, never changed
    run.flags       the flags that made it
    checkpoints/    where it goes on
    history.json    losses and scores, a row an epoch
    logs/           the same for TensorBoard, with pictures
    model.keras     the network, when training is done
    metrics.json    scores, by `evaluate`
    report.html     the same to look at, by `evaluate`

Every path goes through tf.io.gfile, and every file appears whole.
"""

import json
import os
import tempfile

import keras
import tensorflow as tf

import fgseg_tf.model.two_branch  # noqa: F401 (a network can be read only when its layers are known)
from data_pipelines.config import DatasetConfig
from data_pipelines.runtime.files import join_path, read_json, replace_file, write_json

FORMAT = "fgseg_tf run"
VERSION = 1
REMEDY = "train again"  # where one of its files is damaged


class RunError(ValueError):
    """A folder is not the run that is wanted: what, where, what to do."""


def claim(folder: str, settings: dict) -> bool:
    """Begins a run, or finds that it was begun with the same settings: then True. Any other folder is refused."""
    settings = json.loads(json.dumps(settings))  # as it reads back: tuples are lists
    if tf.io.gfile.exists(join_path(folder, "run.json")):
        _refuse_other(folder, complete_recipe(read_run(folder)["settings"]), settings)
        return True
    if tf.io.gfile.isdir(folder) and tf.io.gfile.listdir(folder):
        raise RunError(
            f"`run`={folder} holds {sorted(tf.io.gfile.listdir(folder))[0]} but no run.json, so it is not a run; "
            "choose a new folder or empty it."
        )
    write_json(join_path(folder, "run.json"), {"format": FORMAT, "version": VERSION, "settings": settings})
    return False


def read_run(folder: str) -> dict:
    """run.json of a run."""
    if not tf.io.gfile.exists(join_path(folder, "run.json")):
        raise RunError(f"`run`={folder} is not a run: it has no run.json; give the `run` of fgseg_tf.train.")
    found = read_json(join_path(folder, "run.json"), REMEDY)
    if not isinstance(found, dict) or found.get("format") != FORMAT or found.get("version") != VERSION:
        raise RunError(f"{join_path(folder, 'run.json')} is not of a run of this version; train again.")
    return found


def checkpoint_folder(folder: str) -> str:
    return join_path(folder, "checkpoints")


def has_checkpoint(folder: str) -> bool:
    """Whether there is a checkpoint to go on from."""
    return tf.train.latest_checkpoint(checkpoint_folder(folder)) is not None


def last_stage_side(settings: dict) -> int:
    """Pixels of the shorter side in the last stage of training, 0 for the data's own: where a run is at its best."""
    return int(settings["stages"][-1].split()[0].partition("@")[2])


def save_network(folder: str, network: keras.Model) -> None:
    # Keras writes to local disks only.
    with tempfile.TemporaryDirectory() as local:
        written = os.path.join(local, "model.keras")
        network.save(written)
        with replace_file(join_path(folder, "model.keras")) as part:
            tf.io.gfile.copy(written, part, overwrite=True)


def load_network(folder: str) -> keras.Model:
    """The trained network of a run that is finished."""
    where = join_path(folder, "model.keras")
    if not tf.io.gfile.exists(where):
        read_run(folder)
        raise RunError(f"the run in {folder} is not finished (no model.keras); start its training again to go on.")
    with tempfile.TemporaryDirectory() as local:
        copy = os.path.join(local, "model.keras")
        tf.io.gfile.copy(where, copy)
        return keras.saving.load_model(copy, compile=False)


def read_history(folder: str) -> list[dict]:
    """history.json, a row for each epoch that is over; none before the first one."""
    return (
        read_json(join_path(folder, "history.json"), REMEDY)
        if tf.io.gfile.exists(join_path(folder, "history.json"))
        else []
    )


def complete_recipe(settings: dict) -> dict:
    """Returns the settings with every part of the data set's description that their version did not know yet."""
    data = settings.get("data")
    if not isinstance(data, dict) or "recipe" not in data:
        return settings
    return {**settings, "data": {"recipe": DatasetConfig.from_dict(data["recipe"]).to_dict()}}


def _refuse_other(folder: str, before: dict, now: dict) -> None:
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if old != new:
            raise RunError(
                f"`run`={folder} was begun with {key} {_shorten(old)} and is now started with {_shorten(new)}; "
                "start it as before, or choose a new `run`."
            )


def _shorten(value) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 160 else f"{text[:157]}..."
