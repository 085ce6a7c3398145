"""The folder of a run: its files, how they are written and read.

    run.json        the settings of the run (see `RunSettings`); written first, never changed
    local.json      where its data are on this machine (see local_paths.py); not to be passed on
    run.flags       the flags of the command that made it
    checkpoints/    where the training is resumed
    history.json    losses and scores, a row for each epoch (see `HistoryRow`)
    logs/           the same for TensorBoard, with pictures
    weights.npz     the weights of the network, when training is done; what every command reads
    model.keras     the same network as Keras files it, for programs of yours; no command of this project reads it
    metrics.json    scores, by `evaluate`
    report.html     the same as a page, by `evaluate`

Every path goes through tf.io.gfile, and every file appears whole.
"""

import json
import os
import tempfile
from typing import Any, TypedDict, cast

import keras
import tensorflow as tf

from data_pipelines.config import DatasetConfig
from data_pipelines.runtime.files import join_path, read_json, replace_file, write_atomic, write_json
from data_pipelines.runtime.locks import LOCK
from data_pipelines.runtime.notes import Note, compute_seal, name_file
from fgseg_tf.model import networks, weights
from fgseg_tf.model.keras_archive import read_keras_arrays
from fgseg_tf.runs import local_paths, run_checks

FORMAT = "fgseg_tf run"
VERSION = 1
WEIGHTS, FOR_KERAS = "weights.npz", "model.keras"
SEAL = "seal"  # key of the digest of everything else in run.json
REMEDY = "train again"  # where one of its files is damaged
FETCH = f"{REMEDY}, or fetch it anew"


class RunError(ValueError):
    """A folder is not the run that is asked for; the message says what is wrong, where, and what to do."""


class RunSettings(TypedDict, total=False):
    """What decides the outcome of a training: `settings` in run.json. A run is resumed only with the same settings.

    Attributes:
        network: name of the network, one of `networks.NAMES`.
        start: where the first weights came from; "" for random ones.
        stages: a line for each stage, as `schedule.parse_stages` reads it, such as "4@64 rate=0.002 batch=32 ...".
        examples_per_epoch: 0 for the whole training split.
        optimizer, weight_decay, warmup, clip, average, weighting: as in `Optimization`.
        precision: float32, mixed_bfloat16 or mixed_float16.
        jit_compile, deterministic, mirror: flags of the training.
        seed: of weights, order and draws.
        echo: how often each composite is shown.
        capture: the fields of `Capture`, by name.
        data: what `reopen_data` needs to open the data set again.
        data_digest: changes when anything in the data set does.
        depth_unit: unit of the depth that the network learned, "metre".
        image_size: height and width of the data's pictures; a list of two in the file.
        labels: how depth was made: teacher, ground or exact.
    """

    network: str
    start: str
    stages: list[str]
    examples_per_epoch: int
    optimizer: str
    weight_decay: float
    warmup: float
    clip: float
    average: float
    weighting: str
    precision: str
    jit_compile: bool
    deterministic: bool
    mirror: bool
    seed: int
    echo: int
    capture: dict[str, float]
    data: dict
    data_digest: str
    depth_unit: str
    image_size: tuple[int, int]
    labels: str


class RunRecord(TypedDict):
    """The content of run.json: FORMAT, VERSION and the settings of the run."""

    format: str
    version: int
    settings: RunSettings


class HistoryRow(TypedDict, total=False):
    """One epoch in history.json. Means are over the steps of the epoch, as `make_step` describes its scalars.

    Attributes:
        stage, epoch: numbers from 1; epochs are counted in each stage anew.
        seen: examples shown since the beginning of the run.
        examples, seconds: of this epoch; `seconds` without validation.
        loss: mean of what is minimised.
        mask, depth: mean loss of each branch that learns; with several terms also `mask_dice_loss` and so on.
        gradient_norm: mean, before clipping. In float16 also `loss_scale` and `left_out`.
        mask_iou, depth_abs_rel, depth_delta_1: scores on the validation examples, where there are any.
    """

    stage: int
    epoch: int
    seen: int
    examples: int
    seconds: float
    loss: float
    mask: float
    depth: float
    gradient_norm: float
    loss_scale: float
    left_out: float
    mask_iou: float
    depth_abs_rel: float
    depth_delta_1: float


def claim(folder: str, settings: RunSettings, earlier_digests: tuple[str, ...] = ()) -> bool:
    """Begins a run in a folder, or checks that it was begun with the same settings, wherever its data are by now.

    Args:
        folder: of the run.
        settings: as `Training.run_settings` returns them.
        earlier_digests: what versions before would have had as `data_digest`.

    Returns:
        Whether the run was begun before.

    Raises:
        RunError: the run was begun with other settings, or the folder holds something else.
    """
    settings = json.loads(json.dumps(settings))  # as it is read back: tuples become lists
    if tf.io.gfile.exists(join_path(folder, "run.json")):
        before = complete_recipe(read_run(folder)["settings"])
        if before.get("data_digest") in earlier_digests:
            before = {**before, "data_digest": settings["data_digest"]}
        _refuse_other(folder, before, settings)
        local_paths.write_local(folder, settings)
        return True
    others = set(tf.io.gfile.listdir(folder)) - {LOCK} if tf.io.gfile.isdir(folder) else ()
    if others:
        raise RunError(
            f"`run`={folder} holds {min(others)} but no run.json, so it is not a run; choose a new folder or empty it."
        )
    record = {"format": FORMAT, "version": VERSION, "settings": local_paths.hide_paths(settings)}
    write_json(join_path(folder, "run.json"), {**record, SEAL: compute_seal(record, SEAL)})
    local_paths.write_local(folder, settings)
    return False


def read_run(folder: str, needed: tuple[str, ...] = ()) -> RunRecord:
    """Returns the content of a run's run.json, all of which was checked.

    Args:
        folder: of the run.
        needed: settings that must be there, besides those that every reader needs.

    Raises:
        RunError: the folder is not a run, it is one of another version, or a setting is not what it must be.
    """
    if not tf.io.gfile.exists(join_path(folder, "run.json")):
        raise RunError(f"`run`={folder} is not a run: it has no run.json; give the `run` of fgseg_tf.train.")
    record = read_json(join_path(folder, "run.json"), REMEDY)
    if not isinstance(record, dict) or record.get("format") != FORMAT or record.get("version") != VERSION:
        raise RunError(f"{join_path(folder, 'run.json')} is not of a run of this version; train again.")
    note = Note(record, join_path(folder, "run.json"), FETCH, RunError)
    note.allow_only(("format", "version", "settings", SEAL))
    run_checks.check_settings(note.take_note("settings"), needed)
    note.check_seal(SEAL)
    return cast(RunRecord, record)


def checkpoint_folder(folder: str) -> str:
    """Returns the folder of a run's checkpoints."""
    return join_path(folder, "checkpoints")


def has_checkpoint(folder: str) -> bool:
    """Returns whether there is a checkpoint to resume from."""
    return bool(tf.io.gfile.glob(join_path(checkpoint_folder(folder), "ckpt-*.index")))


def last_stage_side(settings: RunSettings) -> int:
    """Returns the shorter side in pixels of the last stage, where a run is at its best; 0 for the data's own."""
    return int(settings["stages"][-1].split()[0].partition("@")[2])


def save_network(folder: str, network: keras.Model) -> None:
    """Writes the trained network of a run: its weights, and the same as Keras files networks."""
    write_atomic(join_path(folder, WEIGHTS), weights.pack_arrays(network, halve=False))
    # Keras writes to local disks only.
    with tempfile.TemporaryDirectory() as local:
        written = os.path.join(local, FOR_KERAS)
        network.save(written)
        with replace_file(join_path(folder, FOR_KERAS)) as part:
            tf.io.gfile.copy(written, part, overwrite=True)


def load_network(folder: str) -> keras.Model:
    """Returns the trained network of a finished run, in float32.

    It is built from the name in run.json and given the numbers of the run. What a file says of the network's
    construction is never followed, since that could be any code.

    Raises:
        RunError: the folder is not a run, its training is not finished, or its weights do not fit.
        FileError: the file of its weights is damaged.
    """
    name = read_run(folder)["settings"]["network"]
    if name not in networks.NAMES:
        raise RunError(
            f"{join_path(folder, 'run.json')}: network is none of {', '.join(networks.NAMES)}, which this version "
            f"knows; {REMEDY}."
        )
    network = networks.build(name)
    path = join_path(folder, WEIGHTS)
    if tf.io.gfile.exists(path):
        arrays = weights.load_arrays(path, network, REMEDY)
    else:  # a run of before there was such a file
        path = join_path(folder, FOR_KERAS)
        if not tf.io.gfile.exists(path):
            raise RunError(f"the run in {folder} is not finished (no {WEIGHTS}); start its training again to go on.")
        arrays = read_keras_arrays(path, network, REMEDY)
    weights.set_arrays(network, arrays, path)
    return network


def read_history(folder: str) -> list[HistoryRow]:
    """Returns the rows of history.json, one for each finished epoch; none before the first.

    Raises:
        RunError: it is not what it must be.
    """
    path = join_path(folder, "history.json")
    if not tf.io.gfile.exists(path):
        return []
    rows = read_json(path, REMEDY)
    for row in Note({"rows": rows}, path, FETCH, RunError).take_notes("rows"):
        run_checks.check_row(row)
    return cast(list[HistoryRow], rows)


def find_data(folder: str, settings: RunSettings) -> dict[str, Any]:
    """Returns what `reopen_data` needs to open, on this machine, what a run was trained on.

    Raises:
        RunError: it is not known where that is.
    """
    data = local_paths.find_data(folder, settings["data"])
    if "shards" in data and not tf.io.gfile.isdir(data["shards"]):
        raise RunError(
            f"the run in {folder} was trained on the data set {name_file(data['shards'])}, which is not where it was; "
            "give its folder as `data`."
        )
    return data


def complete_recipe(settings: RunSettings) -> RunSettings:
    """Returns settings whose description of the data set has every key, also those that older versions did not know."""
    data = settings.get("data")
    if not isinstance(data, dict) or "recipe" not in data:
        return settings
    return {**settings, "data": {"recipe": DatasetConfig.from_dict(data["recipe"]).to_dict()}}


def _refuse_other(folder: str, began: RunSettings, starts: RunSettings) -> None:
    before, now = local_paths.hide_paths(began), local_paths.hide_paths(starts)
    if before.get("data_digest") and before.get("data_digest") == now.get("data_digest"):
        # The same data set, by whatever name.
        for settings in (before, now):
            settings["data"] = _leave_out_folders(settings.get("data", {}))
    for key in sorted(before.keys() | now.keys()):
        old, new = before.get(key), now.get(key)
        if old != new:
            raise RunError(
                f"`run`={folder} was begun with {key} {_shorten(old)} and is now started with {_shorten(new)}; "
                "start it as before, or choose a new `run`."
            )


def _leave_out_folders(data: dict[str, Any]) -> dict[str, Any]:
    if "shards" in data:
        return {}
    left = {key: value for key, value in data.get("recipe", {}).items() if key not in ("backgrounds", "foregrounds")}
    return {"recipe": left}


def _shorten(value) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 160 else f"{text[:157]}..."
