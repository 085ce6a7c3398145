"""The folder of a camera: read as it was written, and not believed where it was not."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fgseg_tf.calibration.camera_folder import (
    FITTED,
    NOTE,
    SEAL,
    CameraSetup,
    is_camera_folder,
    read_camera,
    write_camera,
)
from fgseg_tf.calibration.inverse_fit import KnownDistance

SETUP = CameraSetup(
    background=np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8),
    depth=np.linspace(0.5, 20, 960, dtype=np.float32).reshape(24, 40),
    trust=FITTED,
    source="the network some.onnx",
    error=0.07,
    fov=65.0,
    points=(KnownDistance(3, 20, 4.5), KnownDistance(39, 23, 2.0)),
    fitted=((4.4, True), (3.1, False)),
)


@pytest.fixture
def folder(tmp_path) -> str:
    setup = replace(SETUP, depth=np.where(np.arange(960).reshape(24, 40) % 7, SETUP.depth, 0))
    write_camera(str(tmp_path / "hall"), setup)
    return str(tmp_path / "hall")


def test_what_is_read_is_what_was_written(folder):
    again = read_camera(folder)
    np.testing.assert_array_equal(again.background, SETUP.background)
    assert (again.depth[0, ::7] == 0).all()
    known = again.depth > 0
    assert known.mean() == pytest.approx(6 / 7, abs=0.01)
    np.testing.assert_allclose(again.depth[known], SETUP.depth[known], atol=1 / 512)
    for name in ("trust", "source", "error", "fov", "camera_height", "tilt", "roll", "points", "fitted"):
        assert getattr(again, name) == getattr(SETUP, name), name


def test_no_path_of_the_machine_is_in_it(folder, tmp_path):
    assert str(tmp_path) not in Path(folder, "camera.json").read_text()
    assert is_camera_folder(folder)
    assert not is_camera_folder(str(tmp_path))


def test_written_again_it_is_replaced_and_nothing_else_is(folder, tmp_path):
    write_camera(folder, replace(SETUP, source="another"))
    assert read_camera(folder).source == "another"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("mine")
    with pytest.raises(ValueError, match="holds files that are not of a camera; name a new folder"):
        write_camera(str(tmp_path / "mine"), SETUP)
    with pytest.raises(ValueError, match=r"letter\.txt is a file; name a folder"):
        write_camera(str(tmp_path / "mine" / "letter.txt"), SETUP)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": 2}, "version is not 1"),
        ({"version": True}, "version is not a whole number"),
        ({"trust": "sure"}, "trust is none of measured, fitted, computed, guessed"),
        ({"source": 7}, "source is not a text"),
        ({"error": "much"}, "error is not a number"),
        ({"fov": 1e9}, "fov is not from 1 to 179"),
        ({"fov": 10**400}, "fov is not from 1 to 179"),
        ({"fov": float("inf")}, "fov is not from 1 to 179"),
        ({"fov": float("nan")}, "fov is not a number"),
        ({"depth_scale": 0}, "depth_scale is not from 1 to 65535"),
        ({"height": 25}, "are not of 25 x 40 pixels"),
        ({"points": [{"column": -1}]}, r"points\[0\]\.column is not from 0 to 39"),
        ({"points": [7]}, r"points\[0\] is not an object of keys and values"),
        ({"points": None}, "points is missing"),
        ({"sha256": {"background.png": "0", "depth.png": "0"}}, "is not the file that camera.json was written with"),
        ({"sha256": []}, "sha256 is not an object of keys and values"),
    ],
)
def test_notes_that_are_not_believed(folder, change, sentence):
    path = Path(folder, "camera.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ValueError, match=f"{sentence}.*; calibrate again"):
        read_camera(folder)


@pytest.mark.parametrize("text", ["", "[]", "7", "{", '{"version": NaN}'])
def test_notes_that_are_none(folder, text):
    Path(folder, "camera.json").write_text(text)
    with pytest.raises(ValueError, match="calibrate again"):
        read_camera(folder)


def test_another_picture_is_noticed(folder):
    with open(f"{folder}/depth.png", "ab") as file:
        file.write(b"\0")
    with pytest.raises(ValueError, match=r"depth\.png is not the file that camera\.json was written with"):
        read_camera(folder)


def test_a_missing_picture(folder):
    Path(folder, "depth.png").unlink()
    with pytest.raises(ValueError, match=r"depth\.png cannot be read .*; calibrate again"):
        read_camera(folder)


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n\x1a\n cut", (np.zeros((24, 40), np.uint8)), (np.zeros((24, 40, 3), np.uint8))]
)
def test_a_picture_that_was_made_to_fit_its_digest(folder, content):
    """Whoever hands over a camera can write digests too."""
    depth = Path(folder, "depth.png")
    if isinstance(content, bytes):
        depth.write_bytes(content)
    else:
        Image.fromarray(content).save(depth)
    note = json.loads(Path(folder, "camera.json").read_text())
    note["sha256"]["depth.png"] = hashlib.sha256(depth.read_bytes()).hexdigest()
    Path(folder, "camera.json").write_text(json.dumps(note))
    with pytest.raises(ValueError, match=r"depth\.png (is not a PNG|is damaged|has colours)"):
        read_camera(folder)


def test_no_camera(tmp_path):
    with pytest.raises(ValueError, match=r"is not the folder of a camera: there is no camera\.json; `fgseg calibrate`"):
        read_camera(str(tmp_path))


WRONG = [[[]], "x\x1b[2J", None, float("nan"), 1e400, -1, 10**300, True, {"a": [{}]}]


def test_whatever_is_wrong_in_a_note_is_one_sentence(folder):
    """Every value, one after the other, is of a wrong kind."""
    path = Path(folder, "camera.json")
    before, may_lack = json.loads(path.read_text()), {"error", "fov", "camera_height", "tilt", "roll"}
    keys = [key for key in before if key != "known"]
    for key in keys:
        for wrong in WRONG:
            if wrong is None and key in may_lack:
                continue
            if key in ("tilt", "roll") and wrong == -1:  # as a camera may be held
                continue
            path.write_text(json.dumps({**before, key: wrong}))
            with pytest.raises(ValueError, match=rf"camera\.json: {key}.* .*; calibrate again\.$") as raised:
                read_camera(folder)
            assert str(raised.value).isprintable(), (key, wrong)
    for key, wrong in (("column", 1.5), ("row", None), ("metres", "far"), ("fitted", float("nan")), ("used", 1)):
        path.write_text(json.dumps({**before, "points": [{**before["points"][0], key: wrong}]}))
        with pytest.raises(ValueError, match=rf"camera\.json: points\[0\]\.{key} is"):
            read_camera(folder)


@pytest.mark.parametrize("content", ["[" * 100_000, '{"version": ' + "1" * 5000 + "}"])
def test_a_note_that_would_end_the_reader(folder, content):
    Path(folder, "camera.json").write_text(content)
    with pytest.raises(
        ValueError, match=r"camera\.json (is nested too deeply|cannot be read as JSON).*calibrate again"
    ):
        read_camera(folder)


def test_a_note_that_was_changed_is_seen_by_its_seal(folder):
    note = json.loads(Path(folder, NOTE).read_text())
    for key, value in (("depth_scale", 512), ("fov", 61), ("camera_height", 3.0), ("known", 0.5)):
        Path(folder, NOTE).write_text(json.dumps({**note, key: value}))
        with pytest.raises(ValueError, match=r"camera\.json: seal is of something else: the file is damaged"):
            read_camera(folder)
    # One of before there were seals is read.
    Path(folder, NOTE).write_text(json.dumps({key: value for key, value in note.items() if key != SEAL}))
    assert read_camera(folder).source == SETUP.source
