"""How a command runs and ends: a small command of each kind, as a process, and as functions."""

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from absl import flags
from repository import ROOT

from data_pipelines.runtime import cli

COMMAND = '''
    """Counts."""
    from data_pipelines.runtime import startup
    import os, time
    if os.environ.get("SLOW_IMPORT"):
        print("importing", flush=True)
        time.sleep(600)
    from absl import flags
    from data_pipelines.runtime.cli import format_flags, run_command, run_folder_command

    LIMIT = flags.DEFINE_integer("limit", 3, "How many.")
    WAYS = flags.DEFINE_list("ways", ["up", "down"], "Which.")
    LOUD = flags.DEFINE_bool("loud", False, "Whether.")
    NAME = flags.DEFINE_string("name", None, "Whose.")

    def work(folder=None):
        if LIMIT.value < 0:
            raise ValueError(f"`limit`={LIMIT.value} is negative; `other` is not a flag.")
        if LIMIT.value == 4:
            raise KeyError("a defect")
        if LIMIT.value == 6:
            print("begun", flush=True)
            time.sleep(600)
        print(format_flags(), end="")
        if folder:
            print(folder)
            return 1
        return "one was left, see `ways`." if LIMIT.value == 5 else None

    if __name__ == "__main__":
        KIND
'''
PLAIN = 'run_command(work, __name__, "write --limit=3")'
FOLDER = "run_folder_command(work, __name__)"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    for name, kind in (("count", PLAIN), ("look", FOLDER)):
        (folder / f"{name}.py").write_text(textwrap.dedent(COMMAND).replace("KIND", kind))

    def run_one(name: str, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            [sys.executable, f"{name}.py", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=300,
        )

    run_one.folder = folder
    return run_one


def test_a_command_writes_its_flags_as_a_flagfile_reads_them(run):
    first = run("count", "--limit=7", "--ways=left,right", "--loud")
    assert (first.returncode, first.stderr) == (0, "")
    assert set(first.stdout.splitlines()) == {"--limit=7", "--ways=left,right", "--loud"}
    (run.folder / "again.flags").write_text(first.stdout)
    again = run("count", "--flagfile=again.flags")
    assert set(again.stdout.splitlines()) == set(first.stdout.splitlines())


def test_what_is_wrong_is_one_sentence_and_an_exit_status(run):
    refused = run("count", "--limit=-1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "count: --limit=-1 is negative; `other` is not a flag.\n"
    left = run("count", "--limit=5")
    assert (left.returncode, left.stderr) == (1, "count: one was left, see --ways.\n")
    defect = run("count", "--limit=4")
    assert defect.returncode == 1
    assert "Traceback" in defect.stderr
    unknown = run("count", "five")
    assert unknown.returncode == 1
    assert "'five' is not a flag; write --limit=3." in unknown.stdout + unknown.stderr


def test_a_command_for_a_folder_returns_its_own_status_and_2_when_it_cannot_run(run):
    done = run("look", "set")
    assert (done.returncode, done.stdout.splitlines()[-1], done.stderr) == (1, "set", "")
    for arguments, complaint in (
        ((), "look: give one folder: python look.py DIR\n"),
        (("set", "--limit=-1"), "look: --limit=-1 is negative; `other` is not a flag.\n"),
        (("set", "--limit=many"), "look: flag --limit=many: invalid literal"),
    ):
        refused = run("look", *arguments)
        assert (refused.returncode, refused.stdout) == (2, "")
        assert refused.stderr.startswith(complaint)


@pytest.mark.parametrize(
    ("name", "number", "status", "said"),
    [
        ("count", signal.SIGTERM, 143, "count: stopped by SIGTERM\n"),
        ("look", signal.SIGINT, 130, "look: stopped by SIGINT\n"),
        ("import", signal.SIGINT, 130, "\nstopped by SIGINT\n"),
    ],
)
def test_asked_to_stop_it_says_so_in_a_line(run, name, number, status, said):
    """Ctrl-C ended in a traceback, SIGTERM in silence."""
    slow = name == "import"
    arguments = ["count.py"] if slow else [f"{name}.py", *(["set"] if name == "look" else []), "--limit=6"]
    with subprocess.Popen(
        [sys.executable, *arguments],
        cwd=run.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **({"SLOW_IMPORT": "1"} if slow else {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() in ("begun\n", "importing\n")
        process.send_signal(number)
        _, errors = process.communicate(timeout=300)
    assert (process.returncode, errors) == (status, said)


def test_settings_are_spelled_as_flags_where_they_are_some(monkeypatch):
    values = flags.FlagValues()
    flags.DEFINE_integer("limit", 0, "", flag_values=values)
    flags.DEFINE_bool("mirror", True, "", flag_values=values)
    monkeypatch.setattr(flags, "FLAGS", values)
    assert cli.spell_flags("`limit`=5 and `nomirror`, but `size` and limit.") == (
        "--limit=5 and --nomirror, but `size` and limit."
    )


def test_a_recipe_is_a_flagfile_of_the_package(tmp_path):
    for name in ("rows", "mixed"):
        (tmp_path / f"{name}.flags").write_text("--limit=1\n")
    assert cli.expand_recipe(["--seed=1", "--recipe=rows", "x"], tmp_path) == [
        "--seed=1",
        f"--flagfile={tmp_path / 'rows.flags'}",
        "x",
    ]
    for wrong in ("--recipe=cat", "--recipe"):
        with pytest.raises(ValueError, match=r"does not come with the package; take mixed, rows\."):
            cli.expand_recipe([wrong], tmp_path)


@pytest.mark.parametrize("folder", ["data_pipelines", "fgseg_tf"])
def test_the_recipes_of_the_package_are_found(folder):
    recipes = Path(ROOT) / folder / "flagfiles"
    for path in recipes.glob("*.flags"):
        assert cli.expand_recipe([f"--recipe={path.stem}"], recipes) == [f"--flagfile={path}"]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("--backgrounds=/home/somebody/my rooms", "--backgrounds=my rooms"),
        ("--backgrounds=C:\\Users\\somebody\\rooms", "--backgrounds=rooms"),
        ("--teacher_weights=keras_hub:/home/somebody/preset", "--teacher_weights=keras_hub:preset"),
        ("--start=~/runs/first", "--start=first"),
        ("--names=/home/a,/home/b", "--names=a,b"),
        ("--data=pictures/out", None),
        ("--output=gs://bucket/out", None),
        ("--stages=4@64; 2@96 rate=1e-4", None),
        ("--object_size=0.1,1.2", None),
    ],
)
def test_flags_that_are_kept_name_no_folder_of_this_machine(line, shown):
    text = f"--seed=3\n{line}\n"
    kept = f"{cli.HIDDEN}--seed=3\n{shown}\n" if shown else text
    assert cli.hide_folders(text) == kept
    assert cli.hide_folders(kept) == kept
