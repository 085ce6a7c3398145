"""fgseg calibrate and fgseg predict --camera as their users run them."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from repository import ROOT
from tiny_network import write_network

from data_pipelines.demo import sequence as demo_sequence
from data_pipelines.runtime.locks import lock_folder
from fgseg_tf.calibration import camera_folder
from fgseg_tf.calibration.inverse_fit import KnownDistance

SIZE = HEIGHT, WIDTH = (60, 80)
SCENE = (100, 4, HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A background and its depth in millimetres, frames with their depth, and a network as an ONNX file."""
    folder = tmp_path_factory.mktemp("desk")
    Image.fromarray(demo_sequence.draw_background(*SCENE)).save(folder / "empty.png")
    Image.fromarray(millimetres(demo_sequence.draw_background_depth(*SCENE))).save(folder / "depth.png")
    (folder / "frames").mkdir()
    for number, frame in enumerate(demo_sequence.draw_frames(*SCENE, 3)):
        Image.fromarray(frame.picture).save(folder / "frames" / f"f{number}.png")
        np.savez(folder / f"f{number}.npz", truth=frame.truth, depth=frame.depth)
    return folder


def millimetres(metres: np.ndarray) -> np.ndarray:
    return (metres * 1000).round().clip(0, 65535).astype(np.uint16)


def run(command: str, *flags: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "fgseg_tf", command, *flags], cwd=ROOT, capture_output=True, text=True, timeout=600
    )


def run_each(commands: list[list[str]]) -> list[str]:
    """Returns how each of many calls of the command ends, all in one process: "" or the sentence that refuses."""
    code = """if True:
        import json, sys
        from fgseg_tf.commands import calibrate
        from absl import flags
        from data_pipelines.runtime import cli, errors
        ends = []
        for command in json.loads(sys.argv[1]):
            flags.FLAGS.unparse_flags()
            for name in flags.FLAGS:
                flags.FLAGS[name].unparse()
            try:
                flags.FLAGS(["calibrate", *command])
                calibrate.calibrate()
                ends.append("")
            except (flags.Error, *errors.REFUSALS) as error:
                ends.append(cli.spell_flags(errors.describe_error(error)))
        print("ENDS" + json.dumps(ends))
    """
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(commands)], cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.partition("ENDS")[2])


def test_from_a_depth_picture_to_metres_of_objects(desk):
    camera, output = desk / "cameras" / "hall", desk / "out"
    flags = [f"--background={desk}/empty.png", f"--background_depth={desk}/depth.png"]
    done = run("calibrate", *flags, "--background_depth_kind=millimetres", f"--output={camera}")
    assert done.returncode == 0, done.stderr
    assert (
        "depth of the background: measured, a depth picture in metres; from the depth picture depth.png." in done.stdout
    )
    assert f"Use it: fgseg predict --camera={camera}" in done.stdout
    assert sorted(path.name for path in camera.iterdir()) == [
        "background.png",
        "camera.html",
        "camera.json",
        "depth.png",
    ]
    assert str(desk) not in (camera / "camera.json").read_text() + (camera / "camera.html").read_text()
    background = demo_sequence.draw_background_depth(*SCENE)
    np.testing.assert_allclose(camera_folder.read_camera(str(camera)).depth, background, atol=1 / 256)

    done = run("predict", f"--camera={camera}", f"--frames={desk}/frames", f"--output={output}", "--weights=small")
    assert done.returncode == 0, done.stderr
    assert "metres not" not in done.stdout
    facts = json.loads((output / "predict.json").read_text())
    assert (facts["trust"], facts["depth_from"]) == ("measured", "the depth picture depth.png")
    rows = list(csv.DictReader((output / "objects.csv").open()))
    assert {row["name"] for row in rows} == {"f0", "f1", "f2"}
    for number in range(3):
        depth = np.asarray(Image.open(output / "depth" / f"f{number}.png")) / 256
        mask = np.asarray(Image.open(output / "mask" / f"f{number}.png")) >= 128
        np.testing.assert_allclose(depth[~mask], background[~mask], atol=1 / 200)
        true = np.load(desk / f"f{number}.npz")
        inside = mask & (true["truth"] == 255)
        assert inside.sum() > 50
        off, unmoved = (np.abs(each[inside] / true["depth"][inside] - 1).mean() for each in (depth, background))
        assert off < 0.6 * unmoved
        own = [row for row in rows if row["name"] == f"f{number}"]
        assert [row["order"] for row in own] == [str(order) for order in range(1, len(own) + 1)]
        medians = [float(row["median"]) for row in own]
        assert medians == sorted(medians)
        assert all(row["foot_metres"] for row in own)


def test_without_a_camera_metres_are_not_claimed(desk):
    done = run(
        "predict",
        f"--background={desk}/empty.png",
        f"--frames={desk}/frames/f0.png",
        f"--output={desk}/guess",
        "--weights=small",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Near and far in depth can be believed, metres not") == 1
    rows = list(csv.DictReader((desk / "guess" / "objects.csv").open()))
    assert rows
    assert all(row["foot_metres"] == row["nearest"] == row["median"] == row["spread"] == "" for row in rows)


@pytest.mark.parametrize("channels_first", [True, False])
def test_a_network_and_known_distances(desk, channels_first):
    pytest.importorskip("onnxruntime", reason="pip install '.[calibration]'")
    network, camera = desk / "ramp.onnx", desk / "cameras" / f"fitted{channels_first}"
    write_network(network, channels_first, (24, 48))
    # The network's map is 0.1 to 1 from the top row to the last; distances are 1 / (0.5 x map).
    rows = (10, 25, 40, 55)
    known = [(20, row, round(1 / (0.5 * (0.1 + 0.9 * ((row + 0.5) / HEIGHT * 24 - 0.5) / 23)), 3)) for row in rows]
    done = run(
        "calibrate",
        f"--background={desk}/empty.png",
        f"--teacher={network}",
        "--teacher_range=one",
        *(f"--known={column},{row},{metres}" for column, row, metres in known),
        f"--output={camera}",
    )
    assert done.returncode == 0, done.stderr
    layout = "channels first" if channels_first else "channels last"
    assert f"ramp.onnx was asked as 24 x 48, {layout}, input range one; its larger values are nearer." in done.stdout
    setup = camera_folder.read_camera(str(camera))
    assert setup.trust == camera_folder.FITTED
    assert setup.points == tuple(KnownDistance(*point) for point in known)
    for column, row, metres in known:
        assert setup.depth[row, column] == pytest.approx(metres, rel=0.02)


def test_refusals_leave_a_camera_of_before_untouched(desk):
    pytest.importorskip("onnxruntime", reason="pip install '.[calibration]'")
    write_network(desk / "good.onnx", True, (24, 48))
    (desk / "bad.onnx").write_bytes(b"not a network")
    np.save(desk / "negative.npy", -np.ones(SIZE))
    camera = desk / "before"
    usual = [f"--background={desk}/empty.png", f"--output={camera}"]
    floor = ["--camera_height=2", "--fov=60", "--tilt=30"]
    made = [[*usual, *floor], [*usual, "--camera_height=2", "--fov=60", "--horizon=-10.5"]]
    made.append([*usual, *floor, "--known=3,50,3"])
    assert run_each(made) == ["", "", ""]
    before = {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in camera.iterdir()}
    assert set(before) == {"background.png", "camera.html", "camera.json", "depth.png"}
    cases = [
        ([*usual, f"--background_depth={desk}/depth.png"], "depth.png holds whole numbers, which may mean anything"),
        ([*usual, f"--background_depth={desk}/negative.npy"], "negative.npy has negative values"),
        ([*usual, f"--background_depth={desk}/none.png"], "none.png cannot be read"),
        ([*usual, f"--background_depth={desk}/depth.png", "--teacher=small"], "both make the depth of the background"),
        ([*usual, "--background_depth_kind=metres"], "says what --background_depth holds; give that too"),
        ([*usual, *floor, "--fill_holes"], "--fill_holes fills the holes of a --background_depth"),
        ([*usual, *floor, "--known=3,50,30"], "the depth contradicts --known: "),
        (
            [*usual, "--camera_height=2"],
            "--camera_height, --fov and --tilt together; add --fov and --tilt (or --horizon).",
        ),
        (
            [*usual, f"--teacher={desk}/good.onnx", "--camera_height=2", "--fov=60"],
            "the floor follows from --camera_height, --fov and --tilt together; add --tilt (or --horizon).",
        ),
        ([*usual, "--camera_height=2", "--fov=180", "--tilt=3"], "--fov=180 is not a field of view"),
        ([*usual, "--camera_height=2", "--horizon=-3"], "--horizon stands for --tilt, and with --fov says how"),
        (
            [*usual, "--roll=10"],
            "the floor follows from --camera_height, --fov and --tilt together; add --fov and --camera_height and",
        ),
        ([*usual, *floor, "--horizon=-3"], "--horizon stands for --tilt"),
        ([*usual, "--known=1,2"], "--known=1,2 is not COLUMN,ROW,METRES, such as 320,400,2.5"),
        ([*usual, "--known=1,2,0"], "--known=1,2,0 is not COLUMN,ROW,METRES"),
        ([*usual, f"--teacher={desk}/good.onnx", "--known=1,2,3"], "--known has 1 points, and 3 or more are needed"),
        (
            [*usual, f"--teacher={desk}/good.onnx", "--known=90,2,3", "--known=9,20,2", "--known=9,50,1"],
            "--known=90,2,3 is not in the background, whose columns end at 79",
        ),
        ([*usual, f"--teacher={desk}/bad.onnx"], "bad.onnx is not an ONNX network that can be run"),
        ([*usual, f"--teacher={desk}/none.h5"], "there is no such local file"),
        ([f"--background={desk}/none.png", f"--output={camera}", *floor], "none.png cannot be read"),
        ([f"--background={desk}/empty.png", f"--output={desk}/frames", *floor], "holds files that are not of a camera"),
    ]
    # What is written together must not be written by two.
    held = [f"--background={desk}/empty.png", f"--output={desk}/held", *floor]
    cases.append((held, f"--output={desk}/held is being written by process {os.getpid()} on "))
    with lock_folder(str(desk / "held")):
        ends = run_each([command for command, _ in cases])
    assert not (desk / "held").exists()
    for (command, sentence), end in zip(cases, ends, strict=True):
        assert sentence in end, f"{command}: {end}"
        assert "\n" not in end
    assert {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in camera.iterdir()} == before


def test_the_horizon_says_how_the_camera_looks_down(desk):
    flags = ["--camera_height=2", "--fov=60", "--horizon=-10.5", "--roll=60", f"--output={desk}/level"]
    done = run("calibrate", f"--background={desk}/empty.png", *flags)
    assert done.returncode == 0, done.stderr
    assert (
        "computed, the floor that follows from the camera's height, field of view and tilt; from the floor alone"
        in (done.stdout)
    )
    # The middle row is 29.5, and the focal length 40 / tan(30 degrees): the horizon is 40 rows above the middle, and
    # half as far from it straight across.
    setup = camera_folder.read_camera(str(desk / "level"))
    assert setup.tilt == pytest.approx(np.degrees(np.arctan(np.tan(np.radians(30)) / 2)), abs=0.01)
    assert setup.roll == 60


def test_a_preset_of_keras_hub(desk):
    pytest.importorskip("keras_hub", reason="pip install '.[keras-hub]'")
    from tiny_preset import save_depth_preset

    save_depth_preset(desk / "preset")
    flags = [f"--background={desk}/empty.png", f"--teacher=keras_hub:{desk}/preset", f"--output={desk}/kh"]
    done = run("calibrate", *flags)
    assert done.returncode == 0, done.stderr
    assert "preset was asked as 32 x 32, its own preprocessing; its larger values are nearer." in done.stdout
    assert "downloads" not in done.stdout
    setup = camera_folder.read_camera(str(desk / "kh"))
    assert (setup.trust, setup.source) == (camera_folder.GUESSED, "the network preset")
    assert setup.depth.shape == SIZE


def test_presets_that_cannot_be_had_leave_nothing_behind(desk):
    usual = [f"--background={desk}/empty.png", f"--output={desk}/nothing"]
    end, polarity = run_each(
        [
            [*usual, f"--teacher=keras_hub:{desk}/none"],
            [*usual, "--teacher=keras_hub:x", "--teacher_polarity=farther"],
        ]
    )
    assert "there is no such folder; give one that save_to_preset of KerasHub wrote." in end
    assert "--teacher_polarity is for ONNX files" in polarity
    assert not (desk / "nothing").exists()
