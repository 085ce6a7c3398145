"""Footage with hand-made masks: what belongs together, what is counted, and the tool that prints it."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from repository import ROOT

from data_pipelines.runtime.files import join_path, write_json
from fgseg_tf.calibration.camera_folder import MEASURED, CameraSetup, write_camera
from fgseg_tf.evaluation import footage
from fgseg_tf.evaluation.footage import PixelCounts

HEIGHT, WIDTH = 24, 32


def save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """`street`: three frames, two of them with masks, with depth; `moving`: a frame with depth alone."""
    made = tmp_path_factory.mktemp("footage")
    scene = np.random.default_rng(0).integers(60, 120, (HEIGHT, WIDTH, 3), np.uint8)
    save(made / "street" / "background" / "bg.png", scene)
    save(made / "street" / "background" / "depth.png", np.full((HEIGHT, WIDTH), 4000, np.uint16))
    for number in (7, 8, 12):
        frame, truth = scene.copy(), np.zeros((HEIGHT, WIDTH), np.uint8)
        frame[4:16, number : number + 8] = 250
        truth[4:16, number : number + 8] = 255
        truth[16:18, number : number + 8] = 50
        truth[3:4, number : number + 8] = 170
        save(made / "street" / "input" / f"in{number:06d}.png", frame)
        if number != 8:
            save(made / "street" / "groundtruth" / f"gt{number:06d}.png", truth)
        save(made / "street" / "depth" / f"{number}.png", np.full((HEIGHT, WIDTH), 3000, np.uint16))
    save(made / "moving" / "rgb" / "1.png", scene)
    save(made / "moving" / "depth" / "1.png", np.full((HEIGHT, WIDTH), 2000, np.uint16))
    (made / "notes").mkdir()
    return made


def test_what_belongs_together(folder):
    moving, street = footage.find_sequences(str(folder))
    assert (street.name, moving.name) == ("street", "moving")
    assert street.background.endswith("street/background/bg.png")
    names = [[where and where.rpartition("/")[2] for where in row] for row in street.frames]
    assert names == [
        ["in000007.png", "gt000007.png", "7.png"],
        ["in000008.png", None, "8.png"],
        ["in000012.png", "gt000012.png", "12.png"],
    ]
    assert street.masked
    assert moving.background is None
    assert not moving.masked
    assert footage.find_sequences(str(folder / "street")) == [street]
    (bg, frame, truth, millimetres), *_ = footage.read_pictures(street)
    assert bg.shape == frame.shape == (HEIGHT, WIDTH, 3)
    assert set(np.unique(truth)) == {0, 50, 170, 255}
    assert (millimetres == 3000).all()


def test_counting():
    truth = np.array([[255, 255, 255, 0, 0], [50, 50, 85, 170, 255]], np.uint8)
    found = np.array([[1, 1, 0, 1, 0], [1, 0, 1, 0, 1]], bool)
    counts = PixelCounts()
    counts.add(found, truth)
    # A shadow that is found is a false alarm; what is left out is not counted at all.
    assert (counts.hit, counts.alarm, counts.missed) == (3, 2, 1)
    assert counts.precision == 0.6
    assert counts.recall == 0.75
    assert counts.f == pytest.approx(2 / 3)
    counts.add(found, truth)
    assert (counts.hit, counts.f) == (6, pytest.approx(2 / 3))


def test_scores_of_depth():
    millimetres = np.array([[1000, 2000, 4000, 0]], np.uint16)
    metres = np.array([[2.0, 4.0, 8.0, 77.0]])
    found = footage.score_depth(metres, millimetres)
    assert found["abs_rel"] == 1
    assert found["rmse"] == pytest.approx(np.sqrt((1 + 4 + 16) / 3))
    assert found["delta1"] == 0
    # Twice as far everywhere: with the right median nothing is wrong.
    assert (found["scaled_abs_rel"], found["scaled_rmse"], found["scaled_delta1"]) == (0, 0, 1)
    assert footage.score_depth(metres, 0 * millimetres) is None


def test_the_best_threshold_is_found(folder):
    (street,) = footage.find_sequences(str(folder / "street"))
    best = footage.tune_baselines([street])
    assert set(best) == {"difference", "mog2", "knn"}
    counts = PixelCounts()
    for bg, frame, truth, _ in footage.read_pictures(street):
        if truth is not None:
            counts.add(best["difference"](bg, frame), truth)
    assert counts.f == 1


def test_masks_that_lie_beside_what_they_show(folder, tmp_path):
    """As a sensor's do that looks from further right and from above: all of it stands 2 to the left and 1 down."""
    (street,) = footage.find_sequences(str(folder / "street"))
    shutil.copytree(folder / "street", tmp_path / "street")
    for number in (7, 12):
        where = tmp_path / "street" / "groundtruth" / f"gt{number:06d}.png"
        truth = np.asarray(Image.open(where))
        beside = np.zeros_like(truth)
        beside[1:, :-2] = truth[:-1, 2:]
        save(where, beside)
    (moved,) = footage.find_sequences(str(tmp_path / "street"))
    difference = footage.tune_baselines([street])["difference"]
    assert not footage.align_masks(street, difference).offset
    found = footage.align_masks(moved, difference)
    assert (found.offset.down, found.offset.right, found.offset.f) == (-1, 2, 1)
    # 8 x 12 pixels, of which 6 x 11 lie over one another.
    assert found.offset.f_unmoved == pytest.approx(2 * 66 / (2 * 66 + 30 + 24))
    # Where nothing came from, nothing is said; the rest is what it was.
    for as_it_was, back in zip(footage.read_pictures(street), footage.read_pictures(found), strict=True):
        truth, millimetres = back[2:]
        assert (millimetres[:-1, 2:] == 3000).all()
        assert not millimetres[-1].any()
        assert not millimetres[:, :2].any()
        if truth is not None:
            np.testing.assert_array_equal(truth[:-1, 2:], as_it_was[2][:-1, 2:])
            assert np.isin(truth[-1], footage.LEFT_OUT).all()
            assert np.isin(truth[:, :2], footage.LEFT_OUT).all()


def test_what_is_refused(folder, tmp_path):
    for where, said in (
        (tmp_path / "missing", "is not a folder"),
        (folder / "notes", "holds no sequence: looked for NAME/input with NAME/groundtruth"),
    ):
        with pytest.raises(ValueError, match=said):
            footage.find_sequences(str(where))
    save(tmp_path / "s" / "input" / "in1.png", np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    save(tmp_path / "s" / "groundtruth" / "gt2.png", np.zeros((HEIGHT, WIDTH), np.uint8))
    with pytest.raises(ValueError, match=r"no mask or depth in .*/s has the number of a frame"):
        footage.find_sequences(str(tmp_path))


def test_the_tool(folder, tmp_path):
    from fgseg_tf.model.two_branch import ARCHITECTURES, build
    from fgseg_tf.runs import run_folder

    settings = {"image_size": [HEIGHT, WIDTH], "stages": ["1@24"], "network": "small", "precision": "float32"}
    write_json(join_path(str(tmp_path), "run.json"), {"format": "fgseg_tf run", "version": 1, "settings": settings})
    run_folder.save_network(str(tmp_path), build(ARCHITECTURES["small"]))
    command = [sys.executable, "tools/evaluate_footage.py", f"--footage={folder}", f"--run={tmp_path}"]
    command += [f"--sheet={tmp_path}/sheet.png", "--align"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == f"{tmp_path}, looking at 32 pixels"
    assert lines[1].split() == ["precision", "recall", "network", "F", "difference", "F", "mog2", "F", "knn", "F"]
    assert [line.split()[0] for line in lines[2:4]] == ["street", "mean"]
    assert lines[2].split()[4] == "1.000"  # the difference, tuned
    assert [line.split()[0] for line in lines[5:7]] == ["moving", "street"]
    assert Image.open(tmp_path / "sheet.png").size == (4 * 220, 2 * 220)
    # An untrained network answers something else to a mirror image, so the mean of both is not what it answered alone.
    done = subprocess.run([*command[:4], "--both_ways", "--nobaselines"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    both_ways = done.stdout.splitlines()
    assert both_ways[0] == f"{lines[0]}, both ways"
    assert both_ways[5].split()[0] == lines[5].split()[0] == "moving"
    assert both_ways[5:7] != lines[5:7]
    camera = ["fgseg_tf", "evaluate-footage", f"--footage={folder}", f"--camera={tmp_path}", "--nobaselines"]
    done = subprocess.run([sys.executable, "-m", *camera], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "is of one sequence; give as --footage that one, with a background/depth.png." in done.stderr
    # A camera that takes the wall of 4 m for one of 2 m: off by a half, and by that alone.
    setup = CameraSetup(
        np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.full((HEIGHT, WIDTH), 2, np.float32), MEASURED, "a tape"
    )
    write_camera(str(tmp_path / "wall"), setup)
    camera[2:4] = [f"--footage={folder}/street", f"--camera={tmp_path}/wall"]
    done = subprocess.run(
        [sys.executable, "-m", *camera, f"--run={tmp_path}"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert f"{tmp_path}/wall: its background has an AbsRel of 0.500 where it is known, 100% of it" in done.stdout
    assert "as calibrated" in done.stdout
    # Of the sequence whose background has depth: everything and objects, for each way to know it.
    assert lines[7].startswith("depth where that of the background is known, AbsRel of all pixels and of objects:")
    for name in ("nothing known", "background alone", "rule of the foot", "background known", "true mask"):
        assert name in lines[8]
    assert lines[9].split()[0] == "street"
    assert lines[9].count(" / ") == 5


def test_abs_rel_by_hand():
    metres = np.array([[2.0, 4.0, 0.0], [1.0, 3.0, 5.0]])
    millimetres = np.array([[1000, 5000, 4000], [1000, 0, 4000]])
    # Off by 1, 0.2, unknown, 0, unknown, 0.25.
    assert footage.measure_abs_rel(metres, millimetres) == pytest.approx((1 + 0.2 + 0 + 0.25) / 4)
    left = np.array([[True, False, False], [True, False, False]])
    assert footage.measure_abs_rel(metres, millimetres, left) == pytest.approx(0.5)
    assert footage.measure_abs_rel(metres, millimetres, millimetres == 0) is None
