"""Writes the trained network as a SavedModel for TF Serving, the next version in a folder of them.

    fgseg export --run=runs/mine --output=serving_models/mine
    fgseg export --output=serving_models/base
    fgseg export --run=runs/mine --output=elsewhere --format=tflite_int8 --format=onnx
    fgseg export --camera=cameras/hall --output=serving_models/hall

`python -m fgseg_tf.export` does the same. Without --run, it takes weights that come with the package. With --camera,
what is written has the background of that camera and its depth inside, and takes frames alone. A version appears only
if it predicts as the Keras network does. Exit status 1, with one sentence, when something is wrong.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import re
from typing import TypedDict

import keras
import numpy as np
import tensorflow as tf
from absl import flags

from data_pipelines.compositing.depth_labels import DEPTH_SCALE
from data_pipelines.config import DatasetConfig, PlacementConfig, SourcesConfig
from data_pipelines.runtime.cli import run_command
from data_pipelines.runtime.files import join_path, write_json
from data_pipelines.runtime.locks import lock_folder
from data_pipelines.runtime.notes import name_file
from fgseg_tf.calibration.camera_folder import CameraSetup, read_camera
from fgseg_tf.data.base import Data
from fgseg_tf.data.composite_data import CompositeData
from fgseg_tf.data.exposures import Capture
from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.inference.segmenter import Segmenter, working_size
from fgseg_tf.model import weights
from fgseg_tf.runs import run_folder
from fgseg_tf.runs.trained import load_object_depth, load_trained
from fgseg_tf.serving import (
    camera_files,
    camera_model,
    lite_formats,
    parity,
    saved_model,
    server_config,
    versions,
    warmup,
)

SAVED_MODEL = "saved_model"

_RUN = flags.DEFINE_string("run", None, "Folder of a finished training; without it, weights of the package.")
_WEIGHTS = flags.DEFINE_enum(
    "weights", "base", list(weights.PACKAGED), "Which of those: base is better, small is faster."
)
_CAMERA = flags.DEFINE_string(
    "camera", None, "Folder of a camera that fgseg calibrate wrote: its background goes into what is written."
)
_OBJECT_DEPTH = flags.DEFINE_string(
    "object_depth", None, "Folder of a finished run of --network=object_depth; else that of the package."
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the versions; local or gs://.", required=True)
_FORMAT = flags.DEFINE_multi_enum(
    "format", [SAVED_MODEL], [SAVED_MODEL, *lite_formats.TOLERANCES], "What to write; several times."
)
_VERSION = flags.DEFINE_integer("version", 0, "Number of this version; 0 for the next one.", lower_bound=0)
_NAME = flags.DEFINE_string("name", server_config.NAME, "That clients ask for.")
_SIZE = flags.DEFINE_integer(
    "size", None, "Longer side, pixels, at which the network looks. Without it, as trained.", lower_bound=32
)
_WARMUP = flags.DEFINE_bool("warmup", True, "Requests that the server makes to itself when it loads this version.")
_FILE_SIZE = flags.DEFINE_string(
    "file_size",
    None,
    "HEIGHTxWIDTH of the pictures that a LiteRT or ONNX file takes. Without it, a square, as trained; with --camera "
    "those of the camera.",
)
_DATA = flags.DEFINE_string(
    "data", None, "Shards whose pictures LiteRT is calibrated on, and files are checked with; else drawn ones."
)

CALIBRATED_ON, CHECKED_ON = 100, 16  # examples
DRAWN = 32  # pixels of the shorter side that examples have at least


class CameraFacts(TypedDict):
    """What model.json says of the camera whose background is inside.

    Keys:
        height, width: Of its pictures, pixels.
        trust: How the depth of its background came to be known, a key of `camera_folder.TRUST`.
    """

    height: int
    width: int
    trust: str


class ModelFacts(TypedDict):
    """What model.json, in assets.extra of a version, says of it.

    Keys:
        weights: Folder of the run, or which weights of the package.
        network: Name of the architecture.
        side: Pixels of the longer side at which the network looks.
        name: That the model is served under.
        version: Its number.
        depth_unit: "metre".
        depth_scale: Codes of a depth PNG for each unit.
        parity: Largest difference to the Keras network, of a mask or a code of depth.
        camera: Whose frames it takes; None where a request has a background.
    """

    weights: str
    network: str
    side: int
    name: str
    version: int
    depth_unit: str
    depth_scale: float
    parity: float
    camera: CameraFacts | None


def export() -> None:
    """Writes every format that the flags ask for."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", _NAME.value):
        raise ValueError(f"--name={_NAME.value} is not a name of letters, digits, _ . and -.")
    setup = read_camera(_CAMERA.value) if _CAMERA.value else None
    if setup and not setup.is_metric:
        print(f"The depth of {_CAMERA.value} is a guess, and so are distances: the network's own depth is written.")
    network, side, origin = load_trained(_RUN.value, _WEIGHTS.value)
    placing = load_object_depth(_OBJECT_DEPTH.value) if _OBJECT_DEPTH.value else None
    settings = (
        run_folder.read_run(_RUN.value, ("capture",))["settings"]
        if _RUN.value
        else weights.read_cards()[_WEIGHTS.value]["settings"]
    )
    side = _SIZE.value or side
    kinds = list(dict.fromkeys(_FORMAT.value))
    others = [kind for kind in kinds if kind != SAVED_MODEL]
    size = parse_file_size(setup.background.shape[:2] if setup else (side, side))
    # What is wrong with a size is said before anything is written.
    file_setup = camera_files.resize_setup(setup, size) if setup else None
    with lock_folder(_OUTPUT.value):
        versions.remove_unfinished(_OUTPUT.value)
        if SAVED_MODEL in kinds:
            export_saved_model(network, side, origin, settings["network"], setup, placing)
        if others and file_setup:
            export_camera_files(others, Segmenter(network, side, placing), file_setup)
        elif others:
            export_files(others, network, size, Capture(**settings["capture"]))


def export_saved_model(
    network: keras.Model,
    side: int,
    origin: str,
    architecture: str,
    setup: CameraSetup | None,
    placing: keras.Model | None,
) -> None:
    """Writes the next version, once it is checked, and the configuration of the server."""
    if _WARMUP.value:
        warmup.import_protos()
    number = versions.choose_version(_OUTPUT.value, _VERSION.value)
    with versions.new_version(_OUTPUT.value, number) as folder:
        worst = write_checked(folder, network, side, setup, placing)
        if _WARMUP.value:
            signatures = tf.saved_model.load(folder).signatures
            requests = (
                warmup.make_camera_requests(signatures, setup.background)
                if setup
                else warmup.make_requests(signatures, side)
            )
            warmup.write_requests(folder, _NAME.value, requests)
        facts: ModelFacts = {
            "weights": name_file(origin),
            "network": architecture,
            "side": side,
            "name": _NAME.value,
            "version": number,
            "depth_unit": "metre",
            "depth_scale": DEPTH_SCALE,
            "parity": worst,
            "camera": describe_camera(setup),
        }
        write_json(join_path(join_path(folder, warmup.FOLDER), "model.json"), facts)
    for path in server_config.write_server_config(_OUTPUT.value, _NAME.value):
        print(f"{path}: new")
    print(f"{_OUTPUT.value}/{number} is there: off by {worst:.1g} from the Keras network, at most {parity.TOLERANCE:g}")


def write_checked(
    folder: str, network: keras.Model, side: int, setup: CameraSetup | None, placing: keras.Model | None
) -> float:
    """Writes a SavedModel, of a camera if there is one; returns how far it is off from the Keras network."""
    asked = "written; now it is asked what the Keras network is asked"
    if setup:
        segmenter = Segmenter(network, side, placing)
        camera_model.save(segmenter, DEPTH_SCALE, setup, folder)
        print(asked, flush=True)
        return parity.check_camera_model(segmenter, DEPTH_SCALE, setup, folder)
    saved_model.save(network, side, DEPTH_SCALE, folder, placing)
    print(asked, flush=True)
    return parity.check_saved_model(network, side, DEPTH_SCALE, folder, placing)


def describe_camera(setup: CameraSetup | None) -> CameraFacts | None:
    """Returns what model.json says of a camera."""
    if setup is None:
        return None
    height, width = setup.background.shape[:2]
    return {"height": height, "width": width, "trust": setup.trust}


def export_files(kinds: list[str], network: keras.Model, size: tuple[int, int], capture: Capture) -> None:
    """Writes LiteRT and ONNX files, each once it is checked."""
    data = ShardData(_DATA.value) if _DATA.value else draw_examples(size)
    calibration = read_pairs(data, "train", size, CALIBRATED_ON, capture)
    checked = read_pairs(data, data.test_splits[-1], size, CHECKED_ON, capture)
    for kind in kinds:
        content = lite_formats.convert(kind, network, size, calibration)
        errors = lite_formats.check(kind, content, network, checked)
        write_file(kind, content, size, errors, len(checked))


def export_camera_files(kinds: list[str], segmenter: Segmenter, setup: CameraSetup) -> None:
    """Writes LiteRT and ONNX files of a camera, each once it is checked."""
    camera = segmenter.camera(setup)
    # Drawn at the size at which the network looks: at that of a camera it would take minutes.
    height, width = np.maximum(working_size(tf.constant(camera.size), segmenter.side), DRAWN).tolist()
    data = ShardData(_DATA.value) if _DATA.value else draw_examples((height, width))
    calibration, checked = (
        camera_files.paste_objects(setup.background, data.scoring(split, 1, (height, width), count))
        for split, count in (("train", CALIBRATED_ON), (data.test_splits[-1], CHECKED_ON))
    )
    for kind in kinds:
        content = camera_files.convert(kind, segmenter, camera, calibration)
        errors = camera_files.check(kind, content, camera, checked)
        write_file(kind, content, camera.size, errors, len(checked))


def write_file(kind: str, content: bytes, size: tuple[int, int], errors: tuple[float, float], count: int) -> None:
    """Writes a file that was checked on `count` examples, and says how far it is off."""
    mask, depth = errors
    path = lite_formats.write(_OUTPUT.value, kind, content)
    most = "{:g} and {:g}".format(*lite_formats.TOLERANCES[kind])
    print(
        f"{path}: {len(content):,} bytes, pictures of {size[0]}x{size[1]}; off by {mask:.1g} (mask) and "
        f"{depth:.1g} (code of depth) in the mean of {count} examples, at most {most}"
    )


def draw_examples(size: tuple[int, int]) -> Data:
    """Returns composites of demo sources: several objects, some of them cut by the edge."""
    print("drawing pictures to calibrate and check with", flush=True)
    return CompositeData(
        DatasetConfig(
            sources=SourcesConfig(backgrounds_count=48, foregrounds_count=24),
            placement=PlacementConfig("random", max_objects=3, truncation=0.3, object_size=(0.1, 1.2)),
            height=size[0],
            width=size[1],
            labels="exact",
            seed=5,
        )
    )


def read_pairs(data: Data, split: str, size: tuple[int, int], count: int, capture: Capture) -> list[dict]:
    """Returns bg and fg_bg of some examples, as two exposures, float32 [1, H, W, 3] each."""
    examples = data.scoring(split, 1, size, count, capture.change if capture else None)
    return [{name: example[name] for name in ("bg", "fg_bg")} for example in examples]


def parse_file_size(otherwise: tuple[int, int]) -> tuple[int, int]:
    """Returns the height and width that --file_size says, or others where it says nothing."""
    if _FILE_SIZE.value is None:
        return otherwise
    match = re.fullmatch(r"(\d+)x(\d+)", _FILE_SIZE.value)
    if not match or not all(32 <= int(length) <= 4096 for length in match.groups()):
        raise ValueError(f"--file_size={_FILE_SIZE.value} is not HEIGHTxWIDTH in pixels, such as 144x192.")
    return int(match[1]), int(match[2])


def main() -> None:
    """Runs the command."""
    run_command(export, __name__, "folders are given as --run=DIR and --output=DIR")


if __name__ == "__main__":
    main()
