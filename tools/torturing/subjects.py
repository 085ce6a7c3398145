"""What is damaged: small folders of every kind that the program reads back, and how what was read is compared.

Each `read` returns something that is equal for equal content, or refuses. What a file says of itself can be checked
only where it has a digest; `read` returns of other files what does not depend on it.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import h5py
import keras
import numpy as np

from data_pipelines.config import DatasetConfig, PlacementConfig, SourcesConfig
from data_pipelines.inspection.unpack import unpack_to_folder
from data_pipelines.inspection.verify import verify
from data_pipelines.runtime.errors import REFUSALS
from data_pipelines.runtime.files import write_json
from data_pipelines.sources.source_set import Sources, load_sources
from data_pipelines.teacher import weights as teacher_weights
from data_pipelines.tfrecord import export
from data_pipelines.tfrecord.manifest_checks import SEAL, seal
from fgseg_tf.calibration.camera_folder import COMPUTED, CameraSetup, read_camera, write_camera
from fgseg_tf.model import networks, weights
from fgseg_tf.model.keras_archive import read_keras_arrays
from fgseg_tf.runs import run_folder
from fgseg_tf.runs.trained import load_trained
from fgseg_tf.training.checkpoints import Checkpoints
from fgseg_tf.training.learner import Learner
from fgseg_tf.training.optimizers import Optimization

HEIGHT, WIDTH = 48, 64
CONFIG = DatasetConfig(
    SourcesConfig(backgrounds_count=4, foregrounds_count=3),
    height=HEIGHT,
    width=WIDTH,
    labels="exact",
    holdout=0.3,
    placement=PlacementConfig(places=1),
)
SETTINGS = {"network": "small", "image_size": [HEIGHT, WIDTH], "stages": ["1@24"], "precision": "float32", "seed": 0}
HISTORY = [{"stage": 1, "epoch": epoch, "seen": 32 * epoch, "loss": 0.5 / epoch} for epoch in (1, 2)]


@dataclass(frozen=True)
class Subject:
    """Something that is damaged.

    Attributes:
        what: it is, in the plural.
        folder: an undamaged one, of which copies are damaged.
        files: patterns of those that are.
        full: how often, in all of the torture.
        read: takes the folder, returns what is in it or refuses.
        allowed: what may be read besides what was there, such as an earlier checkpoint; equal content for equal place.
        seal: makes the digest inside a file of JSON right again after a value was changed.
        json_alone: whether values of JSON are changed, and nothing else.
    """

    what: str
    folder: Path
    files: tuple[str, ...]
    full: int
    read: Callable[[Path], Any]
    allowed: tuple[Any, ...] = ()
    seal: Callable[[Any], Any] = lambda value: value
    json_alone: bool = False


def make_subjects(folder: Path) -> list[Subject]:
    """Makes one of each in a folder."""
    sources = load_sources(CONFIG)
    data, unfinished = folder / "data", folder / "unfinished"
    export_again(sources, data)
    export_unfinished(sources, unfinished)
    run, keras_run, notes = folder / "run", folder / "keras_run", folder / "notes"
    network = networks.build("small")
    for place in (run, keras_run, notes):
        write_run(place, network)
    (keras_run / run_folder.WEIGHTS).unlink()
    camera, teacher, checkpoints = folder / "camera", folder / "teacher", folder / "checkpoints"
    write_room(camera)
    write_teacher(teacher / "nyu.h5")
    restore, places = save_checkpoints(checkpoints)
    whole = hash_files(data)
    return [
        Subject("shards and backgrounds of a data set", data, ("*.tfrecord",), 250, read_data),
        Subject("manifests", data, ("manifest.json",), 150, read_data),
        Subject("manifests, values", data, ("manifest.json",), 150, read_data, seal=seal_again, json_alone=True),
        Subject(
            "notes and shards of an unfinished data set",
            unfinished,
            ("progress/*", "*.tfrecord"),
            100,
            lambda place: finish_export(sources, place),
            (whole,),
        ),
        Subject("checkpoints", checkpoints, ("*",), 100, restore, places),
        Subject("weights.npz", run, ("weights.npz",), 60, read_network),
        Subject("model.keras of a run of before", keras_run, ("model.keras",), 60, read_network),
        Subject("run.json and history.json, values", notes, ("*.json",), 80, read_notes, json_alone=True),
        Subject("run.json and history.json", notes, ("*.json",), 50, read_notes),
        Subject("camera folders", camera, ("*",), 100, read_room),
        Subject("camera.json, values", camera, ("camera.json",), 60, read_room, json_alone=True),
        Subject("a teacher's .h5, which has no digests", teacher, ("*.h5",), 40, read_teacher),
    ]


def export_again(sources: Sources, folder: Path) -> None:
    """Makes the data set, or what is missing of it."""
    export.export_dataset(
        sources, CONFIG, str(folder), load_teacher=export_without_teacher, teacher_identity={}, shard_count=2
    )


def export_without_teacher():
    """Raises AssertionError: labels are exact, and no teacher is asked."""
    raise AssertionError("a teacher was asked")


def export_unfinished(sources: Sources, folder: Path) -> None:
    """Makes all of the data set but its manifest, as a kill at the end leaves it."""

    class Killed(Exception):
        pass

    with mock.patch.object(export, "write_manifest", side_effect=Killed):
        try:
            export_again(sources, folder)
        except Killed:
            return
    raise AssertionError("the export does not end with its manifest")


def finish_export(sources: Sources, folder: Path) -> str:
    """Goes on with an unfinished data set; returns the digest of all its files."""
    export_again(sources, folder)
    return hash_files(folder)


def hash_files(folder: Path) -> str:
    """Returns a digest of all files of a folder and their names; locks are left out."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")):
        digest.update(f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()


def read_data(folder: Path) -> str:
    """Returns the digest of everything in a data set, unpacked; refuses as verify does where that finds something.

    What reads without verifying must not read anything else either.
    """
    try:
        verdict = verify(str(folder))
        problem = verdict.problems[0] if verdict.problems else ""
    except ValueError as error:
        problem = str(error)
    with tempfile.TemporaryDirectory() as unpacked:
        try:
            unpack_to_folder(str(folder), unpacked)
        except REFUSALS:
            if not problem:
                raise
        else:
            return hash_files(Path(unpacked))
    raise ValueError(f"{folder}: {problem}")


def seal_again(manifest: Any) -> Any:
    """Returns a manifest with the digest of what it says."""
    return {**manifest, SEAL: seal(manifest)}


def write_run(folder: Path, network: keras.Model) -> None:
    """Writes a finished run."""
    run_folder.claim(str(folder), SETTINGS)  # type: ignore[arg-type]
    run_folder.save_network(str(folder), network)
    write_json(str(folder / "history.json"), HISTORY)


def hash_arrays(arrays: dict[str, np.ndarray]) -> str:
    """Returns a digest of arrays by name."""
    digest = hashlib.sha256()
    for name, value in sorted(arrays.items()):
        digest.update(f"{name} {value.shape} {value.dtype}".encode() + np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def read_network(folder: Path) -> str:
    """Returns the digest of the network of a run."""
    network = networks.build("small")
    npz = folder / run_folder.WEIGHTS
    if npz.exists():
        return hash_arrays(weights.load_arrays(str(npz), network, run_folder.REMEDY))
    return hash_arrays(read_keras_arrays(str(folder / run_folder.FOR_KERAS), network, run_folder.REMEDY))


def read_notes(folder: Path) -> str:
    """Returns the digest of the network that a run's notes lead to; its history must be usable."""
    for row in run_folder.read_history(str(folder)):
        f"{row['stage']:d} {row['epoch']:d} {row['seen']:d} {row.get('loss', 0.0):g}"
    trained = load_trained(str(folder), "")
    f"{trained.side:d}"
    return hash_arrays(weights.get_arrays(trained.network))


def write_room(folder: Path) -> None:
    """Writes the folder of a camera."""
    rng = np.random.default_rng(0)
    depth = np.linspace(1, 9, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    picture = rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    write_camera(str(folder), CameraSetup(picture, depth, COMPUTED, "drawn", fov=60.0, camera_height=2.5, tilt=20.0))


def read_room(folder: Path) -> str:
    """Returns the digest of the background of a camera and its depth."""
    setup = read_camera(str(folder))
    return hash_arrays({"background": setup.background, "depth": setup.depth})


def build_small_teacher() -> keras.Model:
    """Returns a network of the layers of which a teacher is made."""
    picture = keras.Input((8, 8, 3), name="picture")
    x = keras.layers.Conv2D(16, 3, use_bias=False, name="conv1_conv")(picture)
    x = keras.layers.BatchNormalization(name="conv1_bn")(x)
    return keras.Model(picture, keras.layers.Conv2D(1, 3, name="conv3")(x))


def write_teacher(path: Path) -> None:
    """Writes such a network's weights as Keras 2 does."""
    path.parent.mkdir(parents=True)
    names = {keras.layers.BatchNormalization: ("gamma", "beta", "moving_mean", "moving_variance")}
    with h5py.File(path, "w") as file:
        layers = [layer for layer in build_small_teacher().layers if layer.weights]
        file.attrs["layer_names"] = [layer.name.encode() for layer in layers]
        for layer in layers:
            group = file.create_group(layer.name)
            known = names.get(type(layer), ("kernel", "bias"))
            stored = [f"{layer.name}/{name}:0" for name in known[: len(layer.weights)]]
            group.attrs["weight_names"] = [name.encode() for name in stored]
            for name, value in zip(stored, layer.get_weights(), strict=True):
                group.create_dataset(name, data=value)


def read_teacher(folder: Path) -> bool:
    """Returns whether the numbers of a teacher could be read; which they are, nobody knows."""
    path = folder / "nyu.h5"
    network = build_small_teacher()
    with teacher_weights.open_h5(path) as stored:
        teacher_weights.assign_weights(network, stored, path)
    return all(np.isfinite(value).all() for value in network.get_weights())


def save_checkpoints(folder: Path) -> tuple[Callable[[Path], Any], tuple[Any, ...]]:
    """Saves three checkpoints; returns what restores the newest that is whole, and what each of them restores."""
    learner = Learner(networks.build("small"), Optimization(), float16=False)
    places = []

    def describe() -> tuple[int, str]:
        values = {str(number): np.asarray(variable) for number, variable in enumerate(learner.network.get_weights())}
        return int(learner.examples_seen.numpy()), hash_arrays(values)

    first = learner.network.get_weights()
    for number in (1, 2, 3):
        learner.examples_seen.assign(32 * number)
        learner.network.set_weights([value + number for value in first])
        Checkpoints(str(folder), learner, writes=True).save()
        places.append(describe())

    def restore(place: Path) -> tuple[int, str]:
        checkpoints = Checkpoints(str(place), learner, writes=True)
        checkpoints.restore(checkpoints.choose(lambda line: None))
        return describe()

    return restore, tuple(places)


def copy_of(subject: Subject, to: Path) -> Path:
    """Returns a copy of a subject's folder, in place of the one before, under the same name."""
    place = to / subject.folder.name
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(subject.folder, place)
    return place


def is_json(path: Path) -> bool:
    """Whether a file holds JSON."""
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True
