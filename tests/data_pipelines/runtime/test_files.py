"""Whole files: replaced at once, and JSON that comes back as it was."""

import pytest

from data_pipelines.runtime.files import join_path, read_json, write_json


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
