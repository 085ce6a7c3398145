"""python -m fgseg_tf.predict as its users run it, with a network that was not trained."""

import csv
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from predict_each import PREDICT_EACH
from repository import ROOT

from data_pipelines.config import DatasetConfig
from data_pipelines.runtime.locks import lock_folder
from fgseg_tf.data.composite_data import CompositeData
from fgseg_tf.inference import prediction_files, scene_match
from fgseg_tf.inference.prediction_files import FrameRow
from fgseg_tf.inference.prediction_tables import Predicted, PredictionTables, can_go_on
from fgseg_tf.inference.segmenter import Result, Segmenter
from fgseg_tf.measures import losses
from fgseg_tf.model.two_branch import ARCHITECTURES, build
from fgseg_tf.runs import run_folder
from fgseg_tf.training.options import Training
from fgseg_tf.training.schedule import Stage

HEIGHT, WIDTH = 40, 56


def run(*flags):
    command = [sys.executable, "-m", "fgseg_tf.predict", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    return done.returncode, done.stdout, done.stderr


def scene(seed: int) -> np.ndarray:
    blocks = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 4, WIDTH // 4, 3))
    return np.kron(blocks, np.ones((4, 4, 1))).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A finished run, an empty scene, and frames: five good ones of it and one that cannot be read."""
    made = tmp_path_factory.mktemp("predict")
    data = CompositeData(
        DatasetConfig.from_dict(
            dict(
                backgrounds_count=4,
                foregrounds_count=4,
                height=36,
                width=48,
                holdout=0.25,
                labels="exact",
                placements=4,
            )
        )
    )
    stage = Stage(2, 32, 8, 1e-3, losses.parse_loss("dice", "mask"), losses.parse_loss("ssim", "depth"))
    run_folder.claim(str(made / "run"), Training((stage,), network="small").run_settings(data))
    run_folder.save_network(str(made / "run"), build(ARCHITECTURES["small"]))
    (made / "frames").mkdir()
    Image.fromarray(scene(0)).save(made / "empty.png")
    for number in range(5):
        frame = scene(0)
        frame[4 : 20 + number, 8 : 12 + 4 * number] = scene(1)[4 : 20 + number, 8 : 12 + 4 * number]
        Image.fromarray(frame).save(made / "frames" / f"f{number}.png")
    (made / "frames" / "f2b.jpg").write_bytes(b"\xff\xd8 cut short")
    return made


@pytest.fixture(scope="module")
def strange(folder) -> Path:
    """Frames as a stranger leaves them: with names of any bytes, and one that is no file."""
    made = folder / "strange"
    made.mkdir()
    frame = (folder / "frames" / "f0.png").read_bytes()
    for name in (b"f0.png", b"x" * 250 + b".png", b"caf\xe9.png", b"a\x1b[2J\nb.png"):
        with open(os.path.join(os.fsencode(made), name), "wb") as file:
            file.write(frame)
    os.mkfifo(made / "fifo.png")
    return made


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


@pytest.mark.both_stacks
def test_a_folder_of_frames(folder):
    where = folder / "answers"
    status, said, errors = run(
        f"--background={folder}/empty.png", f"--frames={folder}/frames", f"--output={where}", f"--run={folder}/run"
    )
    assert status == 1
    assert f"skipped: {folder}/frames/f2b.jpg is" in errors
    assert "predict: 1 frame(s) could not be read, named above; all others are done." in errors
    assert "Traceback" not in errors
    assert f"5 frames are in {where}: mask, depth, overlay, frames.csv" in said
    names = [f"f{number}" for number in range(5)]
    for kind, ending in (("mask", "png"), ("depth", "png"), ("overlay", "jpg")):
        assert sorted(path.name for path in (where / kind).iterdir()) == [f"{name}.{ending}" for name in names]
    facts = json.loads((where / "predict.json").read_text())
    assert facts["side"] == 43  # 32 the shorter, in the shape of 36 x 48
    assert facts["both_ways"] is False
    # The same as from inside.
    camera = Segmenter(run_folder.load_network(str(folder / "run")), 43).camera(scene(0))
    for name in names:
        answer = camera.segment(picture(folder / "frames" / f"{name}.png"))
        mask, depth = picture(where / "mask" / f"{name}.png"), picture(where / "depth" / f"{name}.png")
        assert mask.shape == depth.shape == (HEIGHT, WIDTH)
        assert np.abs(mask / 255 - answer.mask).max() < 0.01
        np.testing.assert_allclose(depth.astype(float) / facts["depth_scale"], answer.depth, rtol=0.01, atol=0.004)
        assert picture(where / "overlay" / f"{name}.jpg").shape == (HEIGHT, WIDTH, 3)
    with open(where / "frames.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == names
    doubted = any(float(row["similarity"]) < scene_match.SAME_SCENE for row in rows)
    assert doubted == ("warning: the background" in errors)


def test_a_folder_that_a_stranger_filled(folder, strange):
    where = folder / "of strange"
    status, said, errors = run(
        f"--background={folder}/empty.png", f"--frames={strange}", f"--output={where}", f"--run={folder}/run"
    )
    assert status == 1
    assert f"skipped: {strange}/fifo.png is a FIFO, not a file" in errors
    assert "predict: 1 frame(s) could not be read, named above; all others are done." in errors
    assert f"4 frames are in {where}" in said
    assert f"{strange}/caf\\xe9.png has a name that its outputs cannot have: they are called caf_-" in errors
    assert f"{strange}/a\\x1b[2J\\nb.png has a name that its outputs cannot have" in errors
    assert all(line.isprintable() for line in (said + errors).split("\n"))
    rows = list(csv.DictReader((where / "frames.csv").read_text(encoding="utf-8").split("\n")))
    names = {row["name"] for row in rows}
    assert len(names) == 4
    assert "f0" in names
    assert names == {path.stem for path in (where / "overlay").iterdir()}
    objects = csv.DictReader((where / "objects.csv").read_text(encoding="utf-8").split("\n"))
    assert {row["name"] for row in objects} <= names


def test_one_frame_of_another_scene_is_doubted(folder):
    Image.fromarray(scene(7)).save(folder / "other.png")
    status, _, errors = run(
        f"--background={folder}/other.png",
        f"--frames={folder}/frames/f0.png",
        f"--output={folder}/one",
        f"--run={folder}/run",
        "--write=mask",
        "--size=56",
        "--both_ways",
    )
    assert status == 0, errors
    facts = json.loads((folder / "one" / "predict.json").read_text())
    assert (facts["side"], facts["both_ways"]) == (56, True)
    camera = Segmenter(run_folder.load_network(str(folder / "run")), 56).camera(scene(7), both_ways=True)
    answer = camera.segment(picture(folder / "frames" / "f0.png"))
    assert np.abs(picture(folder / "one" / "mask" / "f0.png") / 255 - answer.mask).max() < 0.01
    assert "warning: the background does not seem to belong to f0: similarity 0." in errors
    assert sorted(path.name for path in (folder / "one").iterdir()) == [
        "frames.csv",
        "mask",
        "objects.csv",
        "predict.json",
    ]


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--smooth=1"], "predict: --smooth=1 is not from 0 to below 1."),
        (
            ["--frames=clip.mp4"],
            "predict: clip.mp4 cannot be read (No such file or directory); look at its name",
        ),
    ],
)
def test_what_is_refused(folder, flags, said):
    usual = [f"--background={folder}/empty.png", f"--frames={folder}/frames", f"--output={folder}/no"]
    status, _, errors = run(*usual, *flags)
    assert status == 1
    assert said in errors
    assert "Traceback" not in errors
    assert not (folder / "no").exists()


def test_an_overlay_darkens_the_background_and_outlines_the_object():
    frame = np.full((12, 20, 3), 200, np.uint8)
    mask = np.zeros((12, 20), np.float32)
    mask[4:8, 5:15] = 1
    shown = prediction_files.draw_overlay(frame, mask)
    assert (shown[5, 6] == 200).all()
    assert (shown[0, 0] == 90).all()  # 0.45 of it
    assert (shown[3, 5:15] == prediction_files.OUTLINE).all()
    assert (shown[4:8, 4] == prediction_files.OUTLINE).all()
    np.testing.assert_array_equal(frame, 200)


def test_a_row_tells_the_share_of_foreground():
    mask = np.zeros((4, 5), np.float32)
    mask[0, :2] = 0.5
    assert prediction_files.make_row("a", Result(mask, mask, 0.98765)) == ("a", "0.10000", "0.988")


# Stopped, and started again.


@pytest.fixture(scope="module")
def stopped(folder, tmp_path_factory):
    """Predictions that were killed, stopped and started again: (killed, whole, what was said, lines at the kill)."""
    where = tmp_path_factory.mktemp("stopped")
    (where / "frames").mkdir()
    for number in range(60):
        os.link(folder / "frames" / f"f{number % 5}.png", where / "frames" / f"n{number:02d}.png")
    (where / "frames" / "n03b.jpg").write_bytes(b"\xff\xd8 cut short")
    usual = f"--background={folder}/empty.png --frames={where}/frames --run={folder}/run"

    def start(*arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-c", PREDICT_EACH, *arguments],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    killed, whole = where / "killed", where / "whole"
    with start("0", f"{usual} --output={killed}") as process:
        end = time.monotonic() + 300
        while not (killed / "frames.csv").exists() or (killed / "frames.csv").read_bytes().count(b"\n") < 12:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < end
            time.sleep(0.001)
        process.kill()
        process.wait()
    lines = (killed / "frames.csv").read_text().count("\n") - 1
    assert lines < 55
    with open(killed / "frames.csv", "a") as table, open(killed / "objects.csv", "a") as others:
        table.write("n99,0.")
        others.write("n99,1,0.1")
    with open(killed / "unfinished.jsonl", "a") as note:
        note.write('["n9')
    with lock_folder(str(where / "held")):
        process = start(
            "15",
            f"{usual} --output={killed}",  # is asked to stop after 15 more
            f"{usual} --output={killed}",
            f"{usual} --output={whole}",
            f"{usual} --output={where}/held",
        )
        said, errors = process.communicate(timeout=600)
    assert process.returncode == 0, errors
    return killed, whole, said, lines


def test_killed_and_started_again_it_ends_with_the_same_bytes(stopped):
    killed, whole, said, lines = stopped
    wanted = {path.relative_to(whole): path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    found = {path.relative_to(killed): path.read_bytes() for path in killed.rglob("*") if path.is_file()}
    assert len(wanted) == 60 * 3 + 3
    assert found == wanted
    done = [int(number) for number in re.findall(r"(\d+) of 61 frames were done by an earlier start", said)]
    assert done[0] in (lines, lines + 1)  # the one that cannot be read has no line
    assert done[1] == done[0] + 14  # the frame under way is dropped
    # It is counted once more, though it was looked at before.
    assert said.count("1 frame(s) could not be read, named above") == 2


def test_asked_to_stop_its_tables_are_complete(stopped):
    said = stopped[2]
    match = re.search(r"stopped by SIGTERM after (\d+) frames; start again with the same flags to go on 143\n", said)
    assert match
    # All that it says was done is what the next start finds, where the one that cannot be read is counted too.
    assert f"{int(match[1]) + 1} of 61 frames were done by an earlier start" in said


def test_a_folder_that_another_process_writes_to_is_refused(stopped):
    assert re.search(rf"`output`=.*/held is being written by process {os.getpid()} on ", stopped[2])


@pytest.fixture
def unfinished(stopped, tmp_path) -> tuple[PredictionTables, list[str], Path]:
    """Tables after four frames of a folder, its frames, and the folder."""
    killed, frames = Path(shutil.copytree(stopped[0], tmp_path / "out")), tmp_path / "frames"
    frames.mkdir()
    paths = [str(frames / f"n0{number}.png") for number in range(4)]
    for path in paths:
        Path(path).write_bytes(b"a frame")
    tables = PredictionTables(str(killed), ("mask",))
    tables.begin()
    for path in paths:
        tables.add(Predicted(path, FrameRow(Path(path).stem, "0.5", "0.9"), ()))
    tables.write()
    return tables, paths, killed


def change_a_frame(folder, paths):
    Path(paths[2]).write_bytes(b"another frame")


def lose_a_mask(folder, paths):
    (folder / "mask" / "n02.png").unlink()


def tear_the_note(folder, paths):
    content = (folder / "unfinished.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "unfinished.jsonl").write_bytes(b"".join(content[:2]) + content[2][:-1])


def lie_in_the_note(folder, paths):
    content = (folder / "unfinished.jsonl").read_text().splitlines(keepends=True)
    line = json.loads(content[2])
    content[2] = json.dumps([*line[:4], 10**30, line[5]]) + "\n"
    (folder / "unfinished.jsonl").write_text("".join(content))


def cut_the_table(folder, paths):
    os.truncate(folder / "frames.csv", (folder / "frames.csv").stat().st_size - 20)


@pytest.mark.parametrize(
    "change", [change_a_frame, lose_a_mask, tear_the_note, lie_in_the_note, cut_the_table], ids=lambda one: one.__name__
)
def test_what_is_not_as_it_was_is_done_again(unfinished, change):
    _, paths, folder = unfinished
    change(folder, paths)
    tables = PredictionTables(str(folder), ("mask",))
    tables.go_on(paths)
    assert tables.done == 2
    assert [row.name for row in tables.frames] == ["n00", "n01"]
    assert (folder / "frames.csv").read_text().splitlines()[1:] == ["n00,0.5,0.9", "n01,0.5,0.9"]


def test_tables_are_not_written_through_a_link(unfinished, tmp_path):
    _, paths, folder = unfinished
    precious = tmp_path / "precious"
    precious.write_bytes((folder / "frames.csv").read_bytes())
    (folder / "frames.csv").unlink()
    (folder / "frames.csv").symlink_to(precious)
    before = precious.read_bytes()
    tables = PredictionTables(str(folder), ("mask",))
    tables.go_on(paths)
    assert tables.done == 0
    assert precious.read_bytes() == before


def test_other_settings_begin_anew(stopped, unfinished):
    facts = json.loads((stopped[0] / "predict.json").read_text())
    folder = str(unfinished[2])
    assert can_go_on(folder, facts)
    for other in ({"side": 99}, {"sha256": "0" * 64}, {"write": ["mask"]}, {"smooth": 0.5}, {"frames": "elsewhere"}):
        assert not can_go_on(folder, {**facts, **other})
    PredictionTables.remove_note(folder)
    assert not can_go_on(folder, facts)
