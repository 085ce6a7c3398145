"""tools/torture.py: nothing that is not its own is deleted, no part hides another, and its short form holds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT
from torturing.outcome import Chamber, Outcome
from torturing.running import NOTE, describe_outcome, prepare_folder, run_part

PARTS = ("kills", "damages", "pictures", "strangers", "serving")


def run(*flags):
    command = [sys.executable, "tools/torture.py", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def chamber(tmp_path) -> Chamber:
    return Chamber(tmp_path / "chamber", seed=0, share=0.02)


@pytest.fixture
def write_part(tmp_path, monkeypatch):
    """Returns a function that writes a part's module and returns its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name: str, body: str) -> str:
        monkeypatch.delitem(sys.modules, name, raising=False)
        (tmp_path / f"{name}.py").write_text(f"from torturing.outcome import Outcome\n\n\n{body}\n")
        return name

    return write


def test_a_folder_of_something_else_is_refused_and_left_as_it_is(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.jpg").write_bytes(b"precious")
    status, output, said = run(f"--output={tmp_path}", "--only=damages")
    assert status == 1
    assert output == ""
    (line,) = said.splitlines()
    assert str(tmp_path) in line
    assert "--output" in line
    assert (tmp_path / "photos" / "one.jpg").read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["photos"]


def test_an_earlier_torture_is_emptied_but_what_its_links_point_at_stays(tmp_path):
    mine, folder = tmp_path / "mine", tmp_path / "torture"
    mine.mkdir()
    (mine / "kept.txt").write_text("mine")
    prepare_folder(folder, {"seed": 1})
    (folder / "part").mkdir()
    (folder / "part" / "link").symlink_to(mine)
    (folder / "link").symlink_to(mine)
    prepare_folder(folder, {"seed": 2})
    assert [path.name for path in folder.iterdir()] == [NOTE]
    assert '"seed": 2' in (folder / NOTE).read_text()
    assert (mine / "kept.txt").read_text() == "mine"


def test_a_link_or_a_file_is_no_folder_to_empty(tmp_path):
    prepare_folder(tmp_path / "torture", {})
    (tmp_path / "link").symlink_to(tmp_path / "torture")
    (tmp_path / "file").write_text("mine")
    for name in ("link", "file"):
        with pytest.raises(ValueError, match=f"{name} is a link or a file: give `output` a folder"):
            prepare_folder(tmp_path / name, {})
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("error", ["RuntimeError", "SystemExit"])
def test_a_part_that_breaks_is_a_row_after_those_it_had(chamber, write_part, error):
    body = f"def run(chamber):\n    yield Outcome('before', 3)\n    raise {error}('by itself')"
    name = write_part(f"{error}_part", body)
    before, broken = run_part(name, chamber)
    assert (before.what, before.tried) == ("before", 3)
    assert broken.what == f"{name}, to its end"
    (failure,) = broken.failures
    assert failure.startswith(f"{error}: by itself")
    assert "by itself" in (chamber.folder / "kept" / "traceback.txt").read_text()


def test_a_part_that_is_not_there_is_a_row(chamber):
    (missing,) = run_part("torturing.no_such_part", chamber)
    assert "ModuleNotFoundError" in missing.failures[0]


def test_a_part_may_return_its_rows_at_once(chamber, write_part):
    name = write_part("returns", "def run(chamber):\n    return [Outcome('one', chamber.count(100))]")
    assert [(row.what, row.tried, row.failures) for row in run_part(name, chamber)] == [("one", 2, [])]


def test_a_row_is_one_row_whatever_is_in_it():
    row = describe_outcome(Outcome("a | b\nc", 1_000, ["no", "no"], "9 s"))
    assert row == r"| a \| b c | 1,000 | 998 | 9 s |"
    assert len(re.findall(r"(?<!\\)\|", row)) == 5


def test_of_each_trial_there_is_at_least_one(chamber):
    assert [chamber.count(full) for full in (1, 10, 100, 1000)] == [1, 1, 2, 20]


def test_links_and_pipes_are_kept_as_what_they_are(chamber, tmp_path):
    folder, mine = tmp_path / "hostile", tmp_path / "mine"
    folder.mkdir()
    mine.mkdir()
    (mine / "secret").write_text("mine")
    os.mkfifo(folder / "pipe")
    (folder / "link").symlink_to(mine)
    (folder / "zeros").symlink_to("/dev/zero")
    (folder / "real").write_bytes(b"real")
    kept = chamber.keep(folder, "hostile")
    assert sorted(path.name for path in kept.iterdir()) == ["link", "pipe", "real", "zeros"]
    assert (kept / "pipe").is_fifo()
    assert os.readlink(kept / "link") == str(mine)
    assert os.readlink(kept / "zeros") == "/dev/zero"
    assert (kept / "real").read_bytes() == b"real"
    alone = chamber.keep(folder / "link", "alone")
    assert alone.is_symlink(), "or somebody's files were copied through it"
    assert chamber.keep(folder / "pipe", "pipe").is_fifo()


def test_nothing_that_was_kept_is_overwritten(chamber, tmp_path):
    file = tmp_path / "mutant.jpg"
    kept: list[Path] = []
    for content in (b"one", b"two", b"three"):
        file.write_bytes(content)
        kept.append(chamber.keep(file, "mutant.jpg"))
    assert [path.read_bytes() for path in kept] == [b"one", b"two", b"three"]


@pytest.mark.parametrize("part", PARTS)
def test_the_short_form_holds(tmp_path, part):
    # Of kills, the export's alone: those of training and predict have tests of their own.
    share = "--share=0.01" if part == "kills" else "--short"
    status, table, said = run(f"--output={tmp_path / 'torture'}", f"--only={part}", share)
    assert status == 0, said
    rows = re.findall(r"^\| [^|]+ \| ([\d,]+) \| ([\d,]+) \|", table, re.MULTILINE)
    assert rows, "or nothing was tried"
    assert all(tried == held != "0" for tried, held in rows), table
