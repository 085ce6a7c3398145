"""The files of a run's checkpoints: which there are, whether they are whole, and which of them go.

    ckpt-1280.index, ckpt-1280.data-...   TensorFlow's, after 1 280 examples
    ckpt-1280.json                        their sizes and digests, written when they are on the disk
    checkpoint                            TensorFlow's list of them, made anew where it is lost

A checkpoint of an earlier version, or of a training that was killed at that moment, has no digests; TensorFlow's own
checksums say whether it is whole.
"""

import re
import time

import numpy as np
import tensorflow as tf

from data_pipelines.runtime.files import (
    FileError,
    join_path,
    measure_file,
    read_json,
    remove_if_there,
    sync_file,
    sync_folder,
    write_atomic,
    write_json,
)

NAME, STATE = "ckpt", "checkpoint"  # both as TensorFlow's manager calls them
_OF_CHECKPOINT = re.compile(rf"{NAME}-(\d{{1,18}})\.(index|json|data-\d{{5}}-of-\d{{5}})")
# Weights by their names in a checkpoint; Keras 3 calls those that learn after the optimizer. What the optimizer keeps
# of its own may overflow, and recover.
_WEIGHTS = ("network/", "averages/", "optimizer/_trainable_variables/")


class CheckpointError(ValueError):
    """A training cannot go on from its checkpoints: which, why, and what to do."""


def path_of(folder: str, seen: int) -> str:
    """Returns the path of a checkpoint, without an ending, as TensorFlow wants it."""
    return join_path(folder, f"{NAME}-{seen}")


def list_checkpoints(folder: str) -> list[int]:
    """Returns after how many examples there is a checkpoint, whole or not, ascending."""
    return sorted(number for number, names in _list_files(folder).items() if f"{NAME}-{number}.index" in names)


def choose_good(folder: str) -> tuple[list[int], dict[int, str]]:
    """Looks for the newest checkpoint that is whole.

    Returns:
        It and all that are older, ascending, [] where none is whole; and the newer ones, with what is wrong with each.
    """
    damaged: dict[int, str] = {}
    there = list_checkpoints(folder)
    while there:
        if why := find_damage(folder, there[-1]):
            damaged[there.pop()] = why
        else:
            break
    return there, damaged


def find_damage(folder: str, seen: int) -> str:
    """Returns what is wrong with a checkpoint, "" where it is whole."""
    if tf.io.gfile.exists(_digest_path(folder, seen)):
        try:
            digests = read_json(_digest_path(folder, seen), "begin anew")
        except FileError:
            digests = None
        if not isinstance(digests, dict) or not digests:
            return "its digests cannot be read"
        names = _list_files(folder)[seen]
        for name, digest in digests.items():
            if name not in names:
                return "a file of it is missing"
            if list(measure_file(join_path(folder, name))) != digest:
                return "its content is not what was saved"
    return _find_damage_inside(path_of(folder, seen))


def write_state(folder: str, good: list[int]) -> None:
    """Writes TensorFlow's list of checkpoints anew: it may be lost, damaged, or name a damaged checkpoint."""
    lines = [f'model_checkpoint_path: "{NAME}-{good[-1]}"']
    lines += [f'all_model_checkpoint_paths: "{NAME}-{number}"' for number in good]
    # Without a time for each, TensorFlow's manager forgets them.
    lines += [f"all_model_checkpoint_timestamps: {time.time():.3f}"] * len(good)
    write_atomic(join_path(folder, STATE), "\n".join(lines) + "\n")


def finish(folder: str, seen: int) -> None:
    """Sees that a checkpoint that was saved is on the disk, and writes its digests."""
    names = sorted(_list_files(folder)[seen])
    for name in [*names, STATE]:
        sync_file(join_path(folder, name))
    sync_folder(folder)
    write_json(_digest_path(folder, seen), {name: measure_file(join_path(folder, name)) for name in names})


def remove_digests(folder: str, seen: int) -> None:
    """Removes the digests of a checkpoint, where it has some."""
    remove_if_there(_digest_path(folder, seen))


def remove_all_but(folder: str, kept: list[str]) -> None:
    """Removes every file of checkpoints but those of some, given by their paths; [] removes all."""
    numbers = {int(path.rpartition("-")[2]) for path in kept}
    for number, names in _list_files(folder).items():
        if number not in numbers:
            for name in names:
                remove_if_there(join_path(folder, name))
    if not kept:
        remove_if_there(join_path(folder, STATE))


def _find_damage_inside(path: str) -> str:
    try:
        reader = tf.train.load_checkpoint(path)
        names = list(reader.get_variable_to_shape_map())
        values = {name: reader.get_tensor(name) for name in names}
    except Exception:  # TensorFlow raises what it comes upon, IndexError too, and what it says helps nobody
        return "it cannot be read"
    of_network = [value for name, value in values.items() if name.startswith(_WEIGHTS)]
    if not of_network:
        return "there is no network in it"
    if not all(np.isfinite(value).all() for value in of_network if np.issubdtype(value.dtype, np.floating)):
        return "its weights are not numbers"
    return ""


def _list_files(folder: str) -> dict[int, set[str]]:
    """Returns the names of the files of each checkpoint, by its number."""
    found: dict[int, set[str]] = {}
    for name in tf.io.gfile.listdir(folder) if tf.io.gfile.isdir(folder) else ():
        if match := _OF_CHECKPOINT.fullmatch(name):
            found.setdefault(int(match[1]), set()).add(name)
    return found


def _digest_path(folder: str, seen: int) -> str:
    return path_of(folder, seen) + ".json"
