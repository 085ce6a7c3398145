"""tools/export_tfrecords.py as its users run it: what it refuses, in one sentence and before it writes anything."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from repository import ROOT
from tiny_network import write_network

from data_pipelines.config import DatasetConfig
from data_pipelines.tfrecord.background_shard import read_background_depth


def run(*flags):
    done = subprocess.run(
        [sys.executable, "tools/export_tfrecords.py", *flags], cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Backgrounds (one of them cut short) and cut-outs of a user, and a folder with nothing in it."""
    root = tmp_path_factory.mktemp("with a space")
    for name in ("backgrounds", "foregrounds", "empty"):
        (root / name).mkdir()
    rng = np.random.default_rng(0)
    for number in range(4):
        noise = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        noise.resize((80, 60), Image.Resampling.BICUBIC).save(root / "backgrounds" / f"{number}.jpg")
        cutout = Image.fromarray(rng.integers(0, 256, (9, 5, 3), dtype=np.uint8)).resize((25, 45)).convert("RGBA")
        alpha = np.zeros((45, 25), np.uint8)
        alpha[3:42, 3 + number : 22] = 255
        cutout.putalpha(Image.fromarray(alpha))
        cutout.save(root / "foregrounds" / f"{number}.png")
    whole = (root / "backgrounds" / "0.jpg").read_bytes()
    (root / "backgrounds" / "short.jpg").write_bytes(whole[: len(whole) // 2])
    return root


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--image_size=31"], "--image_size=31x31 is too small; take 32 or more a side."),
        (["--object_size=0.1,1.2"], "which cannot stand in it whole; lower it to 1 or less"),
        (["--teacher_weights={root}/foregrounds/0.png"], "0.png"),
        (["--backgrounds={root}/nowhere", "--foregrounds={root}/foregrounds"], "There is no folder {root}/nowhere"),
        (["--backgrounds={root}/empty", "--foregrounds={root}/foregrounds"], "{root}/empty holds no usable background"),
        (["--backgrounds={root}/backgrounds"], "--backgrounds=DIR and --foregrounds=DIR go together"),
        (["--backgrounds={root}/backgrounds", "--foregrounds={root}/foregrounds"], "short.jpg is damaged or cut short"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_written(folders, tmp_path, flags, sentence):
    status, _, errors = run(*(flag.format(root=folders) for flag in flags), f"--output={tmp_path}/out")
    assert status == 1
    assert sentence.format(root=folders) in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "out").exists()


def test_own_pictures_with_the_packaged_teacher(folders, tmp_path):
    status, said, errors = run(
        f"--backgrounds={folders}/backgrounds",
        f"--foregrounds={folders}/foregrounds",
        f"--output={tmp_path}/out",
        "--flagfile=data_pipelines/flagfiles/recommended.flags",
        "--image_size=48x64",
        "--placements=2",
        "--holdout=0.25",
        "--skip_bad",
    )
    assert status == 0, errors
    assert "64 composites" in said
    assert "left out 1 picture:" in said
    assert Image.open(tmp_path / "out" / "sheet.png").size[0] > 200
    # No folder of this machine is in what is passed on.
    for path in (tmp_path / "out").iterdir():
        assert not re.search(rf"{tmp_path.parent}|{folders}".encode(), path.read_bytes()), path.name
    # The flags that it kept make the same set again.
    flags = [f"--backgrounds={folders}/backgrounds", f"--foregrounds={folders}/foregrounds"]
    status, _, errors = run(f"--flagfile={tmp_path}/out/export.flags", *flags, f"--output={tmp_path}/again")
    assert status == 0, errors
    for shard in (tmp_path / "out").glob("*.tfrecord"):
        assert (tmp_path / "again" / shard.name).read_bytes() == shard.read_bytes()


def test_a_network_of_relative_depth_and_the_height_of_the_camera(folders, tmp_path):
    pytest.importorskip("onnxruntime", reason="pip install '.[calibration]'")
    network, output = tmp_path / "ramp.onnx", tmp_path / "out"
    write_network(network, True, (24, 48))
    flags = [
        f"--backgrounds={folders}/backgrounds",
        f"--foregrounds={folders}/foregrounds",
        f"--output={output}",
        "--image_size=48x64",
        "--placements=2",
        "--holdout=0.25",
        "--skip_bad",
        f"--teacher_weights={network}",
    ]
    status, _, errors = run(*flags)
    assert status == 1
    assert f"--teacher_weights={network} knows near and far, but no metres; give the height" in errors
    for others, sentence in (
        (["--labels=teacher"], "--labels=teacher needs a teacher of metres"),
        (["--compare_labels=3"], "--compare_labels needs a teacher of metres"),
        (["--teacher_polarity=farther"], "no background gets metres; "),
    ):
        status, _, errors = run(*flags, "--teacher_camera_height=2", *others)
        assert (status, sentence in errors) == (1, True), errors
    assert not output.exists()

    status, _, errors = run(*flags, "--teacher_camera_height=2")
    assert status == 0, errors
    codes = read_background_depth(DatasetConfig(height=48, width=64), str(output))
    # The map is 0.1 to 1 down the 24 rows of the network, two of the picture to one of them, 0.55 in the middle.
    focal = 24 / np.tan(np.radians(55 / 2))
    scale = 2 * np.hypot(0.9 / 23 / 2 * focal, 0.55)
    rows = np.array([10, 20, 30, 40])
    expected = scale / (0.1 + 0.9 * ((rows + 0.5) / 2 - 0.5) / 23)
    np.testing.assert_allclose(codes[:, rows, 7] / 256, np.tile(expected, (4, 1)), rtol=0.01)
    teacher = json.loads((output / "manifest.json").read_text())["options"]["teacher"]
    assert (teacher["camera_height"], len(teacher["sha256"])) == (2, 64)
    assert teacher["asked_as"] == "24 x 48, channels first, input range imagenet; its larger values are nearer"


@pytest.mark.parametrize("flagfile", ["full", "rows"])
def test_large_flagfiles_shrunken(flagfile, tmp_path):
    status, said, errors = run(
        f"--flagfile=data_pipelines/flagfiles/{flagfile}.flags",
        "--backgrounds_count=4",
        "--foregrounds_count=4",
        "--image_size=48",
        "--holdout=0.25",
        "--limit=12",
        f"--output={tmp_path}/out",
    )
    assert status == 0, errors
    assert "12 composites" in said
    # 4 x 4 x 2 x 20, as 100 x 100 x 2 x 20 is 400 000.
    assert '"places": 20' in (tmp_path / "out" / "manifest.json").read_text()
