"""Files that are none, and names of any bytes; each test ends by itself where a FIFO would be waited for."""

import os
import signal
import socket

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from data_pipelines.runtime import stored_files
from data_pipelines.runtime.stored_files import Refusal, read_bytes
from data_pipelines.sources import image_files


@pytest.fixture(autouse=True)
def not_for_ever():
    signal.alarm(60)  # which ends the process
    yield
    signal.alarm(0)


def refuse(path, said: str, **limits):
    with pytest.raises(Refusal, match=said):
        read_bytes(str(path), **limits)


def test_only_files_are_read(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "fifo.png")
    refuse(tmp_path / "fifo.png", "^is a FIFO, not a file$")
    (tmp_path / "folder.png").mkdir()
    refuse(tmp_path / "folder.png", "^is a folder, not a file$")
    monkeypatch.chdir(tmp_path)  # the name of a socket is short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind("socket.png")
        refuse(tmp_path / "socket.png", "^is a socket, not a file$")
    (tmp_path / "device.png").symlink_to("/dev/zero")
    refuse(tmp_path / "device.png", "^is a device, not a file$")
    (tmp_path / "nowhere.png").symlink_to(tmp_path / "gone.png")
    refuse(tmp_path / "nowhere.png", "^is a link that leads nowhere$")
    (tmp_path / "circle.png").symlink_to(tmp_path / "circle.png")
    refuse(tmp_path / "circle.png", "^(cannot be read|is a link)")
    refuse(tmp_path / "gone.png", "^cannot be read .No such file")
    refuse("ram://gone.png", "^cannot be read")


def test_a_link_to_a_file_is_that_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc" * 1000)
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert read_bytes(str(tmp_path / "b")) == b"abc" * 1000


def test_a_large_file_is_refused_before_it_is_read(tmp_path):
    with open(tmp_path / "a.jpg", "wb") as file:
        file.truncate(2_000_000_000)
    refuse(tmp_path / "a.jpg", "^is too large: 2,000,000,000 bytes, 600,000,000 are allowed$")
    (tmp_path / "b.jpg").write_bytes(b"abcd")
    refuse(tmp_path / "b.jpg", "4 bytes, 3 are allowed", largest=3)
    assert read_bytes(str(tmp_path / "b.jpg"), largest=4) == b"abcd"


def test_what_is_not_on_a_local_disk():
    """By `tf.io.gfile`, as gs:// is, and to the same limits."""
    folder = "ram://stored_files"
    tf.io.gfile.makedirs(folder)
    with tf.io.gfile.GFile(f"{folder}/a.png", "wb") as file:
        file.write(b"abcd")
    assert stored_files.is_folder(folder)
    assert stored_files.is_there(f"{folder}/a.png")
    assert not stored_files.is_there(f"{folder}/b.png")
    assert stored_files.list_names(folder) == ["a.png"]
    assert image_files.list_pictures(folder, "frame") == ([f"{folder}/a.png"], "")
    assert read_bytes(f"{folder}/a.png") == b"abcd"
    refuse(f"{folder}/a.png", "^is too large: 4 bytes, 3 are allowed$", largest=3)


def test_names_that_are_not_utf8(tmp_path):
    picture = np.full((9, 8, 3), 50, np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    strange = os.path.join(os.fsencode(tmp_path), b"caf\xe9.png")
    with open(strange, "wb") as file:
        file.write((tmp_path / "a.png").read_bytes())
    assert sorted(stored_files.list_names(str(tmp_path))) == ["a.png", "caf\udce9.png"]
    paths, _ = image_files.list_pictures(str(tmp_path), "frame")
    assert len(paths) == 2
    for path in paths:
        np.testing.assert_array_equal(image_files.read_picture(path), picture)
    with open(strange, "wb") as file:
        file.write(b"no picture")
    with pytest.raises(image_files.SourceError) as caught:
        image_files.read_picture(os.fsdecode(strange))
    assert str(caught.value).startswith(f"{tmp_path}/caf\\xe9.png is not a JPEG")
