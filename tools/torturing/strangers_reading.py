"""Reads hostile folders in a process that is watched: `python -m torturing.strangers_reading ROOM RESULTS SEED SHARE`.

A line of JSON in RESULTS for each: what it was, and what of it did not hold.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import json
import resource
import shutil
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from data_pipelines.inspection import examples, label_statistics
from data_pipelines.inspection.unpack import unpack_to_folder, unpack_to_zip
from data_pipelines.inspection.verify import verify
from data_pipelines.sources.source_set import load_sources
from data_pipelines.teacher.keras_hub_teacher import load_preset
from data_pipelines.teacher.network import load_teacher
from data_pipelines.teacher.onnx_teacher import load_onnx
from data_pipelines.teacher.weights import read_teacher_npz, write_npz
from data_pipelines.tfrecord import reader
from fgseg_tf.calibration.camera_folder import read_camera
from fgseg_tf.data.open import reopen_data
from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.model import networks
from fgseg_tf.report import dataset_page
from fgseg_tf.report.camera_page import render_camera_page
from fgseg_tf.runs import run_folder
from fgseg_tf.runs.trained import load_trained, load_weights
from torturing import subjects
from torturing.judging import try_out
from torturing.strangers_files import SCRIPT
from torturing.strangers_payloads import Payload, draw_payloads
from torturing.subjects import (
    build_small_teacher,
    export_again,
    read_network,
    read_teacher,
    write_room,
    write_run,
    write_teacher,
)
from torturing.watching import Watch, list_tree, mark_beginning

MOST_MEGABYTES = 1500  # more than before


def make_intact(folder: Path) -> None:
    """Makes an intact folder of each kind."""
    network = networks.build("small")
    write_run(folder / "run", network)
    write_run(folder / "keras_run", network)
    (folder / "keras_run" / run_folder.WEIGHTS).unlink()
    export_again(load_sources(subjects.CONFIG), folder / "data")
    write_room(folder / "camera")
    write_teacher(folder / "teacher" / "nyu.h5")
    write_npz(folder / "teacher" / "weights.npz", build_small_teacher(), "tiny", 10.0)
    (folder / "teacher" / "network.onnx").write_bytes(b"")
    (folder / "preset").mkdir()
    (folder / "preset" / "config.json").write_text("{}")


def read_page(folder: Path, room: Path) -> str:
    """Returns the page of a data set."""
    dataset = reader.open_dataset(str(folder))
    locations = reader.choose_records(dataset, 4)
    backgrounds = examples.read_background_pictures(dataset)
    shown = examples.read_examples(dataset, locations, backgrounds, [], lambda example: example)
    survey = label_statistics.survey_labels(dataset, backgrounds)
    return dataset_page.render_dataset_page(dataset, backgrounds, survey, shown, 0.0)


def read_verified(folder: Path, room: Path) -> None:
    """Refuses a data set as verify does."""
    if problems := verify(str(folder)).problems:
        raise ValueError(f"{folder}: {problems[0]}")


def read_batches(folder: Path, room: Path) -> None:
    """Reads a data set as a training does."""
    data = ShardData(str(folder))
    for _ in data.scoring("train", 4, (subjects.HEIGHT, subjects.WIDTH)):
        pass


def read_run_data(folder: Path, room: Path) -> None:
    """Looks for what a run was trained on, as evaluate does."""
    settings = run_folder.read_run(str(folder))["settings"]
    if "data" in settings:
        reopen_data(run_folder.find_data(str(folder), settings))


def read_h5(folder: Path, room: Path) -> bool:
    """Reads the weights of a teacher; what is no file is refused where the file of a real one would be."""
    path = folder / "nyu.h5"
    if not path.is_file():
        load_teacher(str(path), (64, 64))
    return read_teacher(folder)


Read = Callable[[Path, Path], Any]
READS: dict[str, dict[str, Read]] = {
    "run": {
        "network": lambda folder, room: load_trained(str(folder), ""),
        "start": lambda folder, room: load_weights(str(folder)),
        "history": lambda folder, room: run_folder.read_history(str(folder)),
        "data": read_run_data,
    },
    "keras_run": {"network": lambda folder, room: read_network(folder)},
    "data": {
        "verify": read_verified,
        "unpack": lambda folder, room: unpack_to_folder(str(folder), str(room / "unpacked")),
        "zip": lambda folder, room: unpack_to_zip(str(folder), str(room / "unpacked.zip")),
        "page": read_page,
        "train": read_batches,
    },
    "camera": {"page": lambda folder, room: render_camera_page(read_camera(str(folder)))},
    "teacher": {
        "h5": read_h5,
        "npz": lambda folder, room: read_teacher_npz(folder / "weights.npz", build_small_teacher(), "tiny"),
        "onnx": lambda folder, room: load_onnx(str(folder / "network.onnx"), "imagenet", "nearer", None),
    },
    "preset": {"preset": lambda folder, room: load_preset(f"keras_hub:{folder}", "imagenet")},
}
# What a teacher's file is not for is always refused, by the intact one too.
ONE_OF = {"nyu.h5": "h5", "weights.npz": "npz", "network.onnx": "onnx"}


def try_payload(payload: Payload, room: Path, watch: Watch) -> dict[str, Any]:
    """Plants one payload in a copy of an intact folder, and has it read; returns what came of it."""
    folder = room / payload.kind
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(room / "intact" / payload.kind, folder)
    payload.plant(folder)
    outside = list_tree(room / "outside")
    reads = READS[payload.kind]
    if payload.kind == "teacher":
        reads = {ONE_OF[payload.what.partition(" ")[0].rstrip(":")]: reads[ONE_OF[payload.what.split()[0].rstrip(":")]]}
    failures, refused, began = [], False, time.monotonic()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name, read in reads.items():
        for left in (room / "unpacked", room / "unpacked.zip"):
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        watch.begin()
        trial = try_out(lambda read=read: read(folder, room), (folder.name,))  # type: ignore[misc]
        seen = watch.end()
        refused = refused or bool(trial.refusal)
        failures += [f"{name}: {failure}" for failure in (trial.failure, *seen) if failure]
        if isinstance(trial.result, str) and SCRIPT in trial.result:
            failures.append(f"{name}: its HTML is in the page as it is")
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory) // 1024
    if more > MOST_MEGABYTES:
        failures.append(f"took {more:,} MB more")
    if list_tree(room / "outside") != outside:
        failures.append(f"left {sorted(list_tree(room / 'outside').keys() - outside.keys())} outside")
    if not refused and not payload.may_pass:
        failures.append("nobody refused it")
    row = {"kind": payload.kind, "what": payload.what, "failures": failures, "megabytes": more}
    return row | {"seconds": time.monotonic() - began, "folder": keep_failed(folder, failures)}


def keep_failed(folder: Path, failures: list[str]) -> str:
    """Moves a folder that failed aside; returns where it is."""
    if not failures:
        return str(folder)
    kept = folder.parent / "failed" / f"{folder.name}-{len(list((folder.parent / 'failed').glob('*')))}"
    kept.parent.mkdir(exist_ok=True)
    folder.rename(kept)
    return str(kept)


def main() -> None:
    """Reads all of them."""
    room, results = Path(sys.argv[1]), Path(sys.argv[2])
    (room / "outside").mkdir()
    (room / "outside" / "x.tfrecord").write_bytes(b"")
    make_intact(room / "intact")
    for kind, reads in READS.items():  # what is loaded late is loaded now
        for read in reads.values():
            try_out(lambda read=read, kind=kind: read(room / "intact" / kind, room), ())  # type: ignore[misc]
    watch = Watch(room)
    mark_beginning()
    with results.open("a") as file:
        for payload in draw_payloads(int(sys.argv[3]), float(sys.argv[4])):
            if payload.kind == "preset" and not find_spec("keras_hub"):
                continue  # or each would be refused for that, unread
            row = try_payload(payload, room, watch)
            watch.end()
            file.write(json.dumps(row) + "\n")
            file.flush()


if __name__ == "__main__":
    main()
