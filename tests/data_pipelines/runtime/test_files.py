"""Whole files: replaced at once, and JSON that comes back as it was."""

import os
import subprocess
from pathlib import Path

import pytest
import tensorflow as tf
from disk_calls import record_disk_calls

from data_pipelines.runtime.files import (
    join_path,
    name_part,
    read_json,
    remove_parts,
    replace_file,
    write_atomic,
    write_json,
)


def test_json_is_replaced_at_once(tmp_path):
    path = tmp_path / "deep" / "er" / "f.json"
    write_json(str(path), {"a": 1})
    before = path.read_bytes()
    with pytest.raises(TypeError):
        write_json(str(path), {"a": object()})
    assert path.read_bytes() == before
    write_json(str(path), {"a": 2})
    assert read_json(str(path), "make it again") == {"a": 2}
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == [path]


@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, -2.5, 1e-30, 10**30], "b": [[1, 2], [3, 4]], "c": [], "d": [True, None], "e": ["1", "2"]},
        {"source": "rooms [1,  2]/café [3\t4]\n[5\n6].jpg", "[1,  2]": "[\n1]"},
        [0.1 + 0.2, {"x": []}],
    ],
)
def test_json_round_trip(tmp_path, value):
    path = str(tmp_path / "f.json")
    write_json(path, value)
    assert read_json(path, "make it again") == value


def test_numbers_are_on_one_line(tmp_path):
    write_json(str(tmp_path / "f.json"), {"size": [224, 300], "mean": [[0.5, 1e-06], [3, 4]]})
    lines = [line.strip() for line in (tmp_path / "f.json").read_text().splitlines()]
    assert '"size": [ 224, 300 ],' in lines
    assert "[ 0.5, 1e-06 ]," in lines


def test_join():
    assert join_path("gs://bucket/set/", "progress", "a.json") == "gs://bucket/set/progress/a.json"
    assert join_path("set", "a") == "set/a"


def test_what_was_not_written_to_its_end_is_removed(tmp_path):
    def write_half():
        with replace_file(str(tmp_path / "f")) as part:
            Path(part).write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert not list(tmp_path.iterdir())


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    with subprocess.Popen(["true"]) as ended:
        pass
    being_written = Path(name_part(str(tmp_path / "f")))
    left = tmp_path / being_written.name.replace(f".{os.getpid()}-", f".{ended.pid}-")
    for path in (left, being_written, tmp_path / "mine.part", tmp_path / "f"):
        path.write_text("")
    remove_parts(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {being_written.name, "mine.part", "f"}


def test_a_store_elsewhere():
    write_atomic("ram://bucket/new/folder/f", "whole")
    with tf.io.gfile.GFile("ram://bucket/new/folder/f") as file:
        assert file.read() == "whole"
    assert tf.io.gfile.listdir("ram://bucket/new/folder") == ["f"]


def test_content_is_on_the_disk_before_its_name_and_the_name_before_anything_else(tmp_path):
    with record_disk_calls(tmp_path) as calls:
        write_atomic(str(tmp_path / "new" / "f"), "whole")
        made, content, named, after = calls
        calls.clear()
        write_atomic(str(tmp_path / "new" / "g"), "whole", sync=False)
    assert made == ("sync", ".")
    assert content[0] == "sync"
    assert content[1].startswith("new/f.")
    assert (named, after) == (("rename", "new/f"), ("sync", "new"))
    assert calls == [("rename", "new/g")]
