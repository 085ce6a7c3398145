"""Numbers are taken from what Keras saved; nothing that it describes is built."""

import io
import json
import os
import subprocess
import sys
import time
import zipfile

import h5py
import keras
import numpy as np
import pytest

from data_pipelines.runtime.files import FileError
from fgseg_tf.model import networks, weights
from fgseg_tf.model.keras_archive import MEMBER, read_keras_arrays
from fgseg_tf.runs import run_folder
from tests.support.finished_run import write_finished_run
from tests.support.repository import ROOT

pytestmark = pytest.mark.both_stacks


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(3)
    return networks.build("small")


@pytest.fixture
def saved(network, tmp_path):
    """A run of before there were weights.npz files."""
    folder = tmp_path / "run"
    write_finished_run(str(folder), "small", network)
    (folder / "weights.npz").unlink()
    return folder


def change_members(path, change) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def change_arrays(path, change) -> None:
    def change_member(members):
        file = io.BytesIO(members[MEMBER])
        with h5py.File(file, "r+") as opened:
            change(opened)
        members[MEMBER] = file.getvalue()

    change_members(path, change_member)


def test_the_numbers_are_those_that_keras_reads(network, saved):
    found = run_folder.load_network(str(saved))
    by_keras = keras.saving.load_model(saved / "model.keras", compile=False)
    wanted = weights.get_arrays(by_keras)
    assert len(wanted) > 200
    for name, value in weights.get_arrays(found).items():
        np.testing.assert_array_equal(value, wanted[name])
    with pytest.raises(FileError, match=r"of the shape \[3, 3, 8, 12\], and the network's weights of \[3, 3, 8, 16\]"):
        read_keras_arrays(str(saved / "model.keras"), networks.build("base"), "train again")


def write_hostile(path, command: str) -> None:
    """Writes a network whose description names a function that runs a command when the network is built."""
    picture = keras.Input((None, None, 3))
    keras.Model(picture, keras.layers.Lambda(abs, output_shape=(None, None, 3))(picture)).save(path)
    function = {"module": "pydoc", "class_name": "function", "config": "pipepager", "registered_name": "pipepager"}

    def name_function(members):
        config = json.loads(members["config.json"])
        config["config"]["layers"][1]["config"] |= {"function": function, "arguments": {"cmd": command}}
        members["config.json"] = json.dumps(config).encode()

    change_members(path, name_function)


def test_a_description_that_runs_commands_is_not_followed(saved, tmp_path):
    marker, hostile = tmp_path / "marker", tmp_path / "hostile.keras"
    write_hostile(hostile, f"touch {marker}")
    with zipfile.ZipFile(hostile) as archive:
        config = archive.read("config.json")
    change_members(saved / "model.keras", lambda members: members.update({"config.json": config}))
    if keras.__version__.startswith("2."):  # where it is alive, or this test would show nothing
        with pytest.raises(TypeError):
            keras.saving.load_model(hostile, compile=False)
        end = time.monotonic() + 60
        while not marker.exists() and time.monotonic() < end:
            time.sleep(0.05)
        marker.unlink()
    script = (
        "import sys; from fgseg_tf.runs.trained import load_trained; "
        "sys.addaudithook(lambda event, given: event in ('subprocess.Popen', 'os.system', 'os.exec', 'os.posix_spawn') "
        "and print('started', event, given)); "
        "load_trained(sys.argv[1], ''); print('read', 'pydoc' in sys.modules)"
    )
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", script, str(saved)], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.startswith("read "), done.stdout + done.stderr
    assert not marker.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda members: members.pop(MEMBER), f"it holds no {MEMBER}"),
        (lambda members: members.update({MEMBER: members[MEMBER][: len(members[MEMBER]) // 2]}), MEMBER),
        (lambda members: members.update({MEMBER: b""}), MEMBER),
        (lambda members: members.update(more=bytes(1 << 24)), "is too large: .* bytes, .* are allowed"),
    ],
)
def test_an_archive_that_is_damaged(saved, change, said):
    change_members(saved / "model.keras", change)
    with pytest.raises(FileError, match=said) as caught:
        run_folder.load_network(str(saved))
    assert str(caught.value).startswith(f"{saved}/model.keras ")
    assert str(caught.value).endswith("; train again.")


@pytest.mark.parametrize("content", [b"", b"<html>", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_archive(saved, content):
    (saved / "model.keras").write_bytes(content)
    with pytest.raises(FileError, match=r"/model\.keras is damaged, or not such an archive"):
        run_folder.load_network(str(saved))


def test_weights_that_are_not_numbers(network, saved, tmp_path):
    def spoil(file):
        file["layers/functional/layers/conv2d/vars/0"][0, 0, 0, 0] = np.nan

    change_arrays(saved / "model.keras", spoil)
    with pytest.raises(ValueError, match=r"model\.keras: weights of the layer stem_1 are not all finite numbers"):
        run_folder.load_network(str(saved))
    arrays = weights.get_arrays(network)
    arrays["stem/001/2"] = np.full_like(arrays["stem/001/2"], np.inf)
    np.savez(saved / "weights.npz", **arrays)
    with pytest.raises(ValueError, match=r"weights\.npz: weights of the layer stem_1_normalized are not all finite"):
        run_folder.load_network(str(saved))


def test_arrays_of_other_files_are_not_read(saved, tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["a"] = np.zeros((3, 3, 3, 8), "f4")

    def lead_elsewhere(file):
        del file["layers/functional/layers/conv2d/vars/0"]
        file["layers/functional/layers/conv2d/vars/0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "a")

    change_arrays(saved / "model.keras", lead_elsewhere)
    with pytest.raises(FileError, match="it holds no layers/functional/layers/conv2d/vars/0"):
        run_folder.load_network(str(saved))


def test_a_network_that_nobody_knows(saved):
    note = json.loads((saved / "run.json").read_text())
    note["settings"]["network"] = "pydoc"
    (saved / "run.json").write_text(json.dumps(note))
    with pytest.raises(ValueError, match=r"run\.json: settings\.network is none of small, base, large, object_depth"):
        run_folder.load_network(str(saved))
