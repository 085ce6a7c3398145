"""Versions: they only grow, and appear whole or not at all."""

from pathlib import Path

import pytest

from fgseg_tf.serving import versions


def test_the_next_one(tmp_path):
    folder = str(tmp_path / "models")
    assert versions.choose_version(folder, 0) == 1
    assert versions.choose_version(folder, 20261121) == 20261121
    for name in ("2", "10", "serving", ".unfinished-11-ab"):
        (tmp_path / "models" / name).mkdir(parents=True)
    assert versions.list_versions(folder) == [2, 10]
    assert versions.choose_version(folder, 0) == 11
    assert versions.choose_version(folder, 12) == 12
    for number in (1, 2, 10):
        with pytest.raises(versions.VersionError, match=rf"^`version`={number}: .*/10 is there.*take 11 or more"):
            versions.choose_version(folder, number)


def test_whole(tmp_path):
    with versions.new_version(str(tmp_path), 3) as where:
        assert versions.list_versions(str(tmp_path)) == [], "a server would load half of it"
        Path(where, "saved_model.pb").write_text("all of it")
    assert (tmp_path / "3" / "saved_model.pb").read_text() == "all of it"
    assert [path.name for path in tmp_path.iterdir()] == ["3"]


def test_what_killed_exports_left_is_removed(tmp_path):
    for name in (".unfinished-3-0123abcd", ".unfinished-mine", "2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").write_text("half")
    versions.remove_unfinished(str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {".unfinished-mine", "2"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_not_at_all(tmp_path, error):
    def interrupted():
        with versions.new_version(str(tmp_path), 3) as where:
            Path(where, "saved_model.pb").write_text("half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_somebody_was_faster(tmp_path):
    def overtaken():
        with versions.new_version(str(tmp_path), 3):
            (tmp_path / "3").mkdir()
            (tmp_path / "3" / "saved_model.pb").write_text("theirs")

    with pytest.raises(versions.VersionError, match=r"/3 was written by somebody else meanwhile; export again"):
        overtaken()
    assert (tmp_path / "3" / "saved_model.pb").read_text() == "theirs"
    assert [path.name for path in tmp_path.iterdir()] == ["3"]
