"""Frames and empty scenes from real files."""

import os
import re
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data_pipelines.runtime.files import name_part
from fgseg_tf.inference import frames

HEIGHT, WIDTH = 10, 14


class Quiet:
    def __init__(self, title, total, what): ...
    def __enter__(self):
        return self

    def __exit__(self, *_): ...
    def add(self, done): ...


def save(folder, name: str, picture: np.ndarray) -> str:
    path = folder / name
    Image.fromarray(picture).save(path)
    return str(path)


def grain(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def test_frames_come_in_natural_order_and_bad_ones_are_named(tmp_path):
    for number in (10, 9, 1):
        save(tmp_path, f"f{number}.png", grain(number))
    (tmp_path / "f2.png").write_bytes(b"not a picture")
    (tmp_path / "notes.txt").write_text("x")
    paths = frames.find_frames(str(tmp_path))
    assert [path.rpartition("/")[2] for path in paths] == ["f1.png", "f2.png", "f9.png", "f10.png"]
    bad = []
    found = list(frames.read_frames(paths, (HEIGHT, WIDTH), bad.append))
    assert [frame.name for frame in found] == ["f1", "f9", "f10"]
    for frame, number in zip(found, (1, 9, 10), strict=True):
        np.testing.assert_array_equal(frame.picture, grain(number))
    assert len(bad) == 1
    assert bad[0].startswith(f"{tmp_path}/f2.png is not a JPEG, PNG, WebP or BMP picture")


def test_one_frame(tmp_path):
    path = save(tmp_path, "only.png", grain(1))
    assert frames.find_frames(path) == [path]


def test_the_median_is_the_scene_that_most_frames_show(tmp_path):
    scene = grain(0)
    for number in range(7):
        picture = scene.copy()
        picture[number : number + 3] = 255 * (number % 2)  # somebody who passes
        save(tmp_path, f"{number}.png", picture)
    paths = frames.find_frames(str(tmp_path))
    for where in ("median", f"median:{tmp_path}"):
        np.testing.assert_array_equal(frames.read_background(where, paths, Quiet), scene)
    (tmp_path / "0.png").write_bytes(b"")
    np.testing.assert_array_equal(frames.read_background("median", paths, Quiet), scene)


def test_a_picture_as_background(tmp_path):
    path = save(tmp_path, "empty.png", grain(5))
    np.testing.assert_array_equal(frames.read_background(path, [], Quiet), grain(5))


def refused(said: str, call, *arguments):
    with pytest.raises(ValueError, match=said) as caught:
        call(*arguments)
    assert "\n" not in str(caught.value)


def test_what_is_refused(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    refused("there are no frames in .*other: looked for .jpg", frames.find_frames, str(other))
    (other / "clip.MP4").write_bytes(b"")
    advice = "clip.MP4 is a video; take the frames out of it first: mkdir frames && ffmpeg -i .* frames/%06d.png"
    refused(advice, frames.find_frames, str(other))
    refused(advice, frames.find_frames, str(other / "clip.MP4"))
    refused(advice, frames.read_background, str(other / "clip.MP4"), [], Quiet)
    refused("There is no folder .*/missing", frames.find_frames, str(tmp_path / "missing"))
    refused("missing.png cannot be read", frames.read_background, str(tmp_path / "missing.png"), [], Quiet)
    refused("is a folder: give a picture, or `background`=median:", frames.read_background, str(other), [], Quiet)
    one = save(tmp_path, "a.png", grain(1))
    refused(
        "`background`=median of 1 frames would show whoever is in them", frames.read_background, "median", [one], Quiet
    )
    save(tmp_path, "a.jpg", grain(1))
    refused(re.escape("a.jpg and a.png would get one output's name"), frames.find_frames, str(tmp_path))


def test_frames_of_another_size(tmp_path):
    path = save(tmp_path, "a.png", grain(1, 10, 20))
    said = r"a\.png is of 20 x 10 pixels, the background of 14 x 10: are they of one camera\? `resize`"
    refused(said, list, frames.read_frames([path], (HEIGHT, WIDTH), print))
    paths = [save(tmp_path, f"b{n}.png", grain(n)) for n in range(6)]
    refused("frames before it of 14 x 10: a median needs", frames.read_background, "median", [*paths, path], Quiet)


def test_a_name_that_outputs_cannot_have_becomes_one_that_they_can(tmp_path):
    plain = ["a", "kitchen 7 é 猫", "shot at 1.02\u202fPM", "x" * 219]
    assert [frames.name_output(f"{tmp_path}/{name}.jpg") for name in plain] == plain
    odd = ["x" * 220, "x" * 250 + "y", "é" * 125, "a\nb", "a\x1bb", "a\x1b[2Jb", os.fsdecode(b"caf\xe9"), "caf\udcea"]
    names = [frames.name_output(f"{tmp_path}/{name}.jpg") for name in odd]
    assert len(set(names)) == len(odd)
    for name, before in zip(names, odd, strict=True):
        assert name.isprintable()
        assert len(name.encode()) < 200
        assert name[:3] == before[:3].replace("\n", "_").replace("\x1b", "_")
        Path(name_part(f"{tmp_path}/{name}.png")).write_bytes(b"")
    said = frames.describe_renamed([f"{tmp_path}/{name}.jpg" for name in (*plain, "a\nb")])
    assert said == [f"{tmp_path}/a\\nb.jpg has a name that its outputs cannot have: they are called {names[3]}"]


def test_a_folder_that_a_stranger_filled(tmp_path):
    """What is no file or has a name of any bytes stops no other frame; a FIFO would be waited for without end."""
    signal.alarm(60)  # which ends the process
    for name in ("a.png", "x" * 250 + ".png", "new\nline.png"):
        save(tmp_path, name, grain(1))
    os.rename(os.fsencode(tmp_path / "a.png"), os.path.join(os.fsencode(tmp_path), b"caf\xe9.png"))
    os.mkfifo(tmp_path / "0fifo.png")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "nowhere.png").symlink_to("gone")
    paths = frames.find_frames(str(tmp_path))
    np.testing.assert_array_equal(frames.read_first(paths), grain(1))
    bad: list[str] = []
    found = list(frames.read_frames(paths, (HEIGHT, WIDTH), bad.append))
    signal.alarm(0)
    assert [name[:5] for name in sorted(frame.name for frame in found)] == ["caf_-", "new_l", "xxxxx"]
    assert sorted(bad) == [
        f"{tmp_path}/0fifo.png is a FIFO, not a file",
        f"{tmp_path}/folder.jpg is a folder, not a file",
        f"{tmp_path}/nowhere.png is a link that leads nowhere",
    ]
