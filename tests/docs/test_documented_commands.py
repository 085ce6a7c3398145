"""Runs what README.md and docs/ show: see `documented_commands` for which blocks are run and which are checked only.

Each distinct command is run once, as it is written, with a few more flags at its end that make it small.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import documented_commands as documented
import keras
import pytest
from PIL import Image

from data_pipelines.sources.source_set import draw_sources

ROOT = documented.ROOT
# Commands that need the network, a server or an hour, and where else they are tried.
NOT_RUN = {
    "tools/quickstart": "five minutes",
    "tools/check": "runs this test",
    "python3 -m venv": "tools/check makes one",
    ". .venv": "likewise",
    "pip install": "tools/check does; test_wheel.py from a wheel",
    "TF_CONFIG=": "needs machines of these names; test_distribution.py starts two workers by it",
    "python tools/compare_training.py": "an hour; test_training_comparison.py compares two small ones",
    "docker compose": "needs docker; its tests read what it starts",
    "echo": "needs a server; test_client.py asks one by REST",
    "fgseg calibrate --background=empty.jpg --teacher": "needs a network; test_calibrate.py asks a small one",
}
# What replaces a folder of the reader's.
PLACEHOLDERS = {
    "--backgrounds=DIR": "--backgrounds=backgrounds",
    "--foregrounds=DIR": "--foregrounds=foregrounds",
    "--footage=DIR": "--footage=footage",
    "--data=DIR": "--data=out",
}
TRAINING = "--network=small --optimizer=sgd --stages=1@32 --batch=4 --examples_per_epoch=8 --validate=4"
# Flags for the end of a command that begins like this. Flags that come last win.
SMALL = {
    "fgseg make-data --recipe=tiny": "--limit=100",
    "fgseg make-data --recipe=recommended": "--image_size=64",
    "fgseg train --recipe=photographs_camera": f"{TRAINING} --image_size=48x64 --start=small",
    "fgseg train": TRAINING,
    "fgseg evaluate-footage": "--nobaselines",
    "fgseg evaluate": "--count=4 --batch=4 --ladder=4",
    "fgseg export --run=runs/mine --output=files": "--file_size=32x48",
    "python tools/draw_sequence.py": "--height=48 --width=64",
    "python tools/walkthrough.py": "--image_size=48x64 --count=2",
}
# The pages show how to use a data set or a run before how to make it.
FIRST = ("fgseg calibrate", "fgseg make-data", "fgseg train", "fgseg export")


def list_commands_to_run() -> list[str]:
    commands = (command for command in documented.list_commands("sh") if not command.startswith(tuple(NOT_RUN)))
    return sorted(commands, key=lambda command: [not command.startswith(start) for start in FIRST])


def make_small(command: str) -> str:
    more = next((more for start, more in SMALL.items() if command.startswith(start)), "")
    for placeholder, ours in PLACEHOLDERS.items():
        command = command.replace(placeholder, ours)
    python = shlex.quote(sys.executable)
    return re.sub(r"^fgseg ", f"{python} -m fgseg_tf ", re.sub(r"^python ", f"{python} ", f"{command} {more}"))


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A folder as a reader has it: the repository, pictures, a camera."""
    folder = tmp_path_factory.mktemp("desk")
    for name in ("tools", "fgseg_tf", "data_pipelines"):
        (folder / name).symlink_to(ROOT / name)
    sources = draw_sources(0, 12, 12, 64, 64)
    for name, pictures in (("backgrounds", sources.backgrounds), ("foregrounds", sources.foregrounds)):
        (folder / name).mkdir()
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / name / f"{number}.png")
    draw = "tools/draw_sequence.py --output=footage/street --frames=6 --height=48 --width=64"
    subprocess.run([sys.executable, *draw.split()], cwd=folder, check=True, capture_output=True, timeout=900)
    shutil.copytree(folder / "footage/street/input", folder / "frames")
    Image.open(folder / "footage/street/background/bg.png").save(folder / "empty.jpg", quality=95)
    shutil.copy(folder / "footage/street/background/depth.png", folder / "empty_depth.png")
    Image.open(min((folder / "frames").iterdir())).save(folder / "frame.jpg", quality=95)
    return folder


@pytest.fixture(scope="module")
def server(desk):
    import stand_in_server

    folders = {name: str(desk / "models" / name / "1") for name in ("fgseg", "hall")}
    with stand_in_server.running(folders) as addresses:
        yield addresses


default_stack = pytest.mark.skipif(
    keras.__version__ < "3", reason="the pages are of the default stack; the commands' own tests run here"
)


@default_stack
@pytest.mark.parametrize("command", list_commands_to_run())
def test_command_runs(desk, request, command):
    typed = make_small(command)
    if command.startswith("fgseg query"):
        rest, grpc = request.getfixturevalue("server")
        typed += f" --server={grpc if 'grpc://' in typed else rest}"
        shutil.rmtree(desk / "predictions", ignore_errors=True)
    result = subprocess.run(
        ["/bin/bash", "-c", typed], cwd=desk, capture_output=True, text=True, timeout=900, env=quiet_environment()
    )
    assert result.returncode == 0, f"{typed}\n{result.stdout}\n{result.stderr}"
    for output in re.findall(r"--(?:output|sheet|run|html|unpack|zip)=(\S+)", typed):
        assert (desk / output).exists(), f"{typed}\nmade no {output}"


@default_stack
@pytest.mark.parametrize("block", documented.read_blocks("python"), ids=lambda block: block.page)
def test_python_block_runs(desk, block):
    result = subprocess.run(
        [sys.executable, "-c", block.text],
        cwd=desk,
        capture_output=True,
        text=True,
        timeout=900,
        env=quiet_environment(),
    )
    assert result.returncode == 0, f"{block.page}\n{block.text}\n{result.stderr}"


def quiet_environment() -> dict:
    return os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}


def test_commands_are_left_out_for_a_reason_only():
    assert len(list_commands_to_run()) > 20
    assert len(documented.read_blocks("python")) > 2
    for start in NOT_RUN:
        assert any(command.startswith(start) for command in documented.list_commands("sh")), f"no page has {start}"
    for start in SMALL:
        assert any(command.startswith(start) for command in list_commands_to_run()), f"no page has {start}"


@pytest.mark.parametrize(
    "command", sorted({*documented.list_commands("sh", "bash"), *documented.list_commands_in_sentences()})
)
def test_flags_exist(command):
    for path in re.findall(r"--(?:flagfile|variants)=(\S+)", command):
        assert path == "FILE" or (ROOT / path).exists(), f"there is no {path}"
    program = documented.find_program(command)
    for recipe in re.findall(r"--recipe=(\w+)", command):
        folder = {"make-data": "data_pipelines", "train": "fgseg_tf"}[program or ""]
        assert recipe == "NAME" or (ROOT / folder / "flagfiles" / f"{recipe}.flags").exists(), f"no recipe {recipe}"
        command = command.replace(f"--recipe={recipe}", "")
    if not program:
        return
    known = documented.find_flags(program)
    assert known, f"there is no program {program}"
    known |= documented.find_common_flags()
    known |= {f"no{flag}" for flag in known}
    for flag in re.findall(r"--(\w+)", command):
        assert flag in known, f"{program} has no --{flag}"


def read_reference() -> dict[str, set[str]]:
    """Returns for each command the flags that the reference lists."""
    listed: dict[str, set[str]] = {}
    for section in re.split(r"^## ", documented.REFERENCE.read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        cells = " ".join(re.findall(r"^\| (`--.*?) \|", text, re.MULTILINE))
        for program in re.findall(r"`fgseg ([a-z-]+)`", heading):
            listed.setdefault(program, set()).update(re.findall(r"--(\w+)", cells))
    return listed


@pytest.mark.parametrize("program", sorted(read_reference()))
def test_reference_lists_every_flag(program):
    assert read_reference()[program] == documented.find_flags(program)


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_links_of_pages_outside_docs_exist(page):
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / page).read_text()):
        assert (ROOT / link).exists(), f"{page} links to {link}"


def test_pages_build_without_warnings(tmp_path):
    for name in ("mkdocs", "material", "mkdocstrings"):
        pytest.importorskip(name, reason="pip install '.[docs]'")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", f"--site-dir={tmp_path / 'site'}"]
    result = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
