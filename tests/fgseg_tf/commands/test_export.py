"""python -m fgseg_tf.export as its users run it: versions, warm-up, configs, files, and what is refused."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import tensorflow as tf
from repository import ROOT

from data_pipelines.config import DatasetConfig
from data_pipelines.runtime.locks import lock_folder
from fgseg_tf.calibration.camera_folder import GUESSED, write_camera
from fgseg_tf.data.composite_data import CompositeData
from fgseg_tf.inference.segmenter import Segmenter
from fgseg_tf.measures import losses
from fgseg_tf.model import object_depth
from fgseg_tf.model.two_branch import ARCHITECTURES, build
from fgseg_tf.runs import run_folder
from fgseg_tf.serving import parity, server_config, warmup
from fgseg_tf.serving import saved_model as serving
from fgseg_tf.training.options import Training
from fgseg_tf.training.schedule import Stage


def run(*flags):
    command = [sys.executable, "-m", "fgseg_tf.export", *map(str, flags)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)


def refusal(*flags) -> str:
    done = run(*flags)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("export: ")
    return last


@pytest.fixture(scope="module")
def data():
    return CompositeData(
        DatasetConfig.from_dict(
            dict(
                backgrounds_count=4,
                foregrounds_count=4,
                height=32,
                width=32,
                holdout=0.25,
                labels="exact",
                placements=4,
            )
        )
    )


@pytest.fixture(scope="module")
def finished(data, untrained_network, tmp_path_factory) -> Path:
    """A run of `small` that is finished."""
    folder = tmp_path_factory.mktemp("runs") / "small"
    begin(folder, data)
    run_folder.save_network(str(folder), untrained_network)
    return folder


@pytest.fixture(scope="module")
def placing(data, untrained_object_depth, tmp_path_factory) -> Path:
    """A run of the network for the depth of objects that is finished."""
    folder = tmp_path_factory.mktemp("runs") / "object_depth"
    begin(folder, data, object_depth.NAME)
    run_folder.save_network(str(folder), untrained_object_depth)
    return folder


def begin(folder: Path, data, network: str = "small") -> None:
    stage = Stage(2, 32, 8, 1e-3, losses.parse_loss("dice", "mask"), losses.parse_loss("ssim", "depth"))
    run_folder.claim(str(folder), Training((stage,), network=network).run_settings(data))


@pytest.fixture(scope="module")
def exported(finished, placing, tmp_path_factory) -> Path:
    """The folder of a version 1, and what was said."""
    folder = tmp_path_factory.mktemp("models") / "mine"
    done = run(f"--run={finished}", f"--object_depth={placing}", f"--output={folder}", "--name=mine")
    assert done.returncode == 0, done.stderr
    assert f"{folder}/1 is there: off by" in done.stdout
    return folder


@pytest.mark.both_stacks
def test_a_version_and_its_surroundings(exported):
    pytest.importorskip("tensorflow_serving")
    assert {path.name for path in exported.iterdir()} == {"1", "serving"}
    about = json.loads((exported / "1" / "assets.extra" / "model.json").read_text())
    assert about["network"] == "small"
    assert (about["side"], about["version"], about["depth_unit"], about["depth_scale"]) == (32, 1, "metre", 256.0)
    assert 0 < about["parity"] < parity.TOLERANCE


@pytest.mark.both_stacks
def test_warm_up_requests_can_be_replayed(exported):
    pytest.importorskip("tensorflow_serving")
    signatures = tf.saved_model.load(str(exported / "1")).signatures
    replayed = set()
    for name, signature, inputs in warmup.read_requests(str(exported / "1")):
        wanted = signatures[signature].structured_input_signature[1]
        assert name == "mine"
        assert set(inputs) == set(wanted)
        tensors = {key: tf.constant(value, wanted[key].dtype) for key, value in inputs.items()}
        for key, tensor in tensors.items():
            # As a server sends it on: of the type that the signature says, without a cast.
            kind = wanted[key].dtype
            assert kind == tf.string or tf.as_dtype(inputs[key].dtype) == kind
            assert wanted[key].shape.is_compatible_with(tensor.shape)
        answer = signatures[signature](**tensors)
        assert all(len(value) == 1 for value in answer.values())
        replayed.add(signature)
    assert replayed == set(serving.SIGNATURES)


def test_configs_are_what_the_server_reads(exported):
    config = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    from google.protobuf import text_format

    text = (exported / "serving" / "models.config").read_text()
    (model,) = text_format.Parse(text, config.ModelServerConfig()).model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("mine", "/models/mine", "tensorflow")
    compose = (exported / "serving" / "compose.yaml").read_text()
    for file in ("models.config", "batching.config"):
        assert f"/models/mine/serving/{file}" in compose
        assert (exported / "serving" / file).exists()
    assert "..:/models/mine:ro" in compose


def test_the_compose_file_gives_a_server_no_more_than_it_needs(exported):
    yaml = pytest.importorskip("yaml")
    services = yaml.safe_load((exported / "serving" / "compose.yaml").read_text())["services"]
    assert list(services) == ["mine", "mine-batching"]
    for service in services.values():
        assert re.fullmatch(r"tensorflow/serving:\d+\.\d+\.\d+", service["image"])
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        assert service["volumes"] == ["..:/models/mine:ro"]
        assert service["user"] == "65534:65534"
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"] == "8g"
        assert service["pids_limit"] == 1024
        assert service["cpus"] == 4


def test_configs_that_were_changed_are_kept(tmp_path):
    first = server_config.write_server_config(str(tmp_path), "mine")
    assert len(first) == 3
    (tmp_path / "serving" / "models.config").write_text("mine, changed")
    (tmp_path / "serving" / "batching.config").unlink()
    assert server_config.write_server_config(str(tmp_path), "mine") == [f"{tmp_path}/serving/batching.config"]
    assert (tmp_path / "serving" / "models.config").read_text() == "mine, changed"


def test_versions_grow(exported, finished, placing):
    before = {path: path.stat().st_mtime_ns for path in (exported / "1").rglob("*")}
    flags = [f"--run={finished}", f"--object_depth={placing}", f"--output={exported}", "--name=mine", "--version=5"]
    done = run(*flags, "--nowarmup")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in exported.iterdir()} == {"1", "5", "serving"}
    assert not (exported / "5" / "assets.extra" / warmup.FILE).exists()
    assert {path: path.stat().st_mtime_ns for path in (exported / "1").rglob("*")} == before
    with lock_folder(str(exported)):
        assert f"--output={exported} is being written by process {os.getpid()} on " in refusal(
            f"--run={finished}", f"--output={exported}", "--version=5"
        )
    assert "/5 is there, and versions only grow; take 6 or more" in refusal(
        f"--run={finished}", f"--output={exported}", "--version=5"
    )


def test_runs_that_cannot_be_exported(data, finished, tmp_path):
    where = f"--output={tmp_path}/models"
    begin(tmp_path / "begun", data)
    assert "is not finished (no weights.npz); start its training again" in refusal(f"--run={tmp_path}/begun", where)
    assert "is not a run" in refusal(f"--run={tmp_path}/nowhere", where)
    begin(tmp_path / "other", data, "base")
    (tmp_path / "other" / "weights.npz").write_bytes((finished / "weights.npz").read_bytes())
    assert "other/weights.npz does not fit this network: background/000/0 is (3, 3, 12, 16), it takes" in refusal(
        f"--run={tmp_path}/other", where
    )
    assert not (tmp_path / "models").exists()


def test_what_cannot_be_meant(finished, tmp_path):
    where = f"--output={tmp_path}/models"
    assert "--name=a b is not a name" in refusal(f"--run={finished}", where, "--name=a b")
    assert "--file_size=12 is not HEIGHTxWIDTH" in refusal(
        f"--run={finished}", where, "--format=onnx", "--file_size=12"
    )
    done = run(f"--run={finished}", where, "elsewhere")
    assert done.returncode == 1
    assert "'elsewhere' is not a flag" in done.stdout + done.stderr


def test_a_saved_model_that_answers_something_else_is_refused(
    untrained_network, untrained_object_depth, saved_model, monkeypatch
):
    monkeypatch.setattr(parity, "SHAPES", ((1.0, 1.0, 1),))
    with pytest.raises(parity.ParityError, match=r"^serving_default of .* is off by .* it was not made visible"):
        parity.check_saved_model(build(ARCHITECTURES["small"]), 48, 256.0, saved_model, untrained_object_depth)
    # Only what is in its files is wrong: millimetres where the unit is a metre.
    with pytest.raises(parity.ParityError, match=r"^depth_png_bytes of serving_bytes of .* is not the depth"):
        parity.check_saved_model(untrained_network, 48, 1000.0, saved_model, untrained_object_depth)
    # Another network for the depth of objects.
    message = r"^segment_with_known_background of .* is off by .* it was not made visible"
    with pytest.raises(parity.ParityError, match=message):
        parity.check_saved_model(untrained_network, 48, 256.0, saved_model, object_depth.build())


def test_files_for_other_places(finished, tiny_dataset, tmp_path):
    flags = [f"--run={finished}", f"--output={tmp_path}/files", "--file_size=48x64", f"--data={tiny_dataset}"]
    done = run(*flags, "--format=onnx", "--format=tflite_float16")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "files").iterdir()} == {"network.onnx", "float16.tflite"}
    assert "network.onnx: 2," in done.stdout
    assert "pictures of 48x64; off by" in done.stdout


@pytest.fixture(scope="module")
def cameras(room_camera, tmp_path_factory) -> dict[str, Path]:
    """Folders of a camera whose metres hold, and of one whose do not."""
    folder = tmp_path_factory.mktemp("cameras")
    write_camera(str(folder / "hall"), room_camera)
    write_camera(str(folder / "guess"), replace(room_camera, trust=GUESSED))
    return {"hall": folder / "hall", "guess": folder / "guess"}


def test_a_camera_goes_into_what_is_written(
    finished, placing, cameras, untrained_network, untrained_object_depth, tmp_path
):
    flags = [f"--run={finished}", f"--object_depth={placing}", f"--camera={cameras['hall']}"]
    done = run(*flags, f"--output={tmp_path}/hall")
    assert done.returncode == 0, done.stderr
    assert "guess" not in done.stdout
    about = json.loads((tmp_path / "hall/1/assets.extra/model.json").read_text())
    assert about["camera"] == {"height": 48, "width": 64, "trust": "fitted"}
    assert str(cameras["hall"]) not in json.dumps(about)
    replayed = {name: inputs for _, name, inputs in warmup.read_requests(str(tmp_path / "hall/1"))}
    assert {name: set(inputs) for name, inputs in replayed.items()} == {
        "serving_default": {"fg_bg"},
        "serving_float": {"fg_bg"},
        "serving_bytes": {"fg_bg_bytes"},
    }
    frame = replayed["serving_default"]["fg_bg"]
    answer = tf.saved_model.load(str(tmp_path / "hall/1")).signatures["serving_default"](fg_bg=tf.constant(frame))
    segmenter = Segmenter(untrained_network, 32, untrained_object_depth)
    expected = parity.predict_with_cameras([segmenter.camera(cameras["hall"])], frame)
    assert parity.measure_placed_difference(answer, expected) < 1e-5


def test_a_camera_whose_depth_is_guessed(finished, cameras, tmp_path):
    flags = [f"--run={finished}", f"--camera={cameras['guess']}", f"--output={tmp_path}/files", "--file_size=36x48"]
    done = run(*flags, "--format=onnx")
    assert done.returncode == 0, done.stderr
    assert "is a guess, and so are distances: the network's own depth is written" in done.stdout
    assert "pictures of 36x48; off by" in done.stdout
    assert {path.name for path in (tmp_path / "files").iterdir()} == {"network.onnx"}


def test_cameras_that_cannot_be_exported(finished, cameras, tmp_path):
    flags = [f"--run={finished}", f"--output={tmp_path}/models", "--format=saved_model", "--format=onnx"]
    assert f"{finished} is not the folder of a camera: there is no camera.json" in refusal(
        *flags, f"--camera={finished}"
    )
    assert "--file_size=64x48 has other proportions than the camera's 48x64; take 36x48." in refusal(
        *flags, f"--camera={cameras['hall']}", "--file_size=64x48"
    )
    assert not (tmp_path / "models").exists()
