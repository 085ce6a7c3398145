"""What the README says to type works: every command of its blocks is run as it stands there, with a few more flags
behind that make it small; commands in its sentences name flags that exist.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import pytest
import readme
from absl import flags
from PIL import Image

from data_pipelines.sources import from_demo

ROOT = readme.ROOT
# What needs the network, a server or an hour, and where else it is tried.
NOT_RUN = {
    "tools/quickstart": "ten minutes",
    "tools/check": "runs this test",
    "python3 -m venv": "tools/check makes one",
    ". .venv": "likewise",
    "pip install": "tools/check does; test_wheel.py from a wheel",
    "TF_CONFIG=": "wants machines of these names; test_distribution.py starts two workers by it",
    "python tools/compare_training.py": "an hour; test_comparison.py compares two small ones",
    "docker compose": "wants docker; test_serving.py reads what it starts",
    "echo": "wants a server; test_serving_client.py asks one by REST",
}
# What stands for a folder or a file of the reader's.
THEIRS = {
    "--backgrounds=DIR": "--backgrounds=backgrounds",
    "--foregrounds=DIR": "--foregrounds=foregrounds",
    "--footage=DIR": "--footage=footage",
    "--data=DIR": "--data=rows",
    "show_records.py DIR": "show_records.py out",
    "[": "",
    "]": "",
}
FEW = "--backgrounds_count=12 --foregrounds_count=12"
SHORT = "--network=small --stages=1@32 --batch=4 --examples_per_epoch=8 --validate=4"
# Flags that come last win.
SMALL = {
    "export_tfrecords.py --flagfile=data_pipelines/flagfiles/tiny": "--limit=100",
    "export_tfrecords.py --flagfile=data_pipelines/flagfiles/recommended": "--image_size=64",
    "export_tfrecords.py": f"{FEW} --limit=150 --image_size=48x64 --holdout=0.3",
    "fgseg_tf.train --flagfile=fgseg_tf/flagfiles/camera": f"{SHORT} {FEW} --image_size=48",
    "--start=base": f"{SHORT} --image_size=48x64 --start=small",
    "fgseg_tf.train --flagfile=fgseg_tf/flagfiles/photographs_camera": f"{SHORT} --image_size=48x64 --start=small",
    "fgseg_tf.train --flagfile=fgseg_tf/flagfiles/photographs": f"{SHORT} --image_size=48x64",
    "fgseg_tf.train": SHORT,
    "fgseg_tf.evaluate --run=runs/rows --data=fresh": "--size=48 --count=4 --batch=4",
    "fgseg_tf.evaluate": "--count=4 --batch=4 --ladder=4",
    "fgseg_tf.export --run=runs/mine --output=files": "--file_size=32x48",
    "evaluate_footage.py": "--nobaselines",
}
MAKES = ("tools/export_tfrecords.py", "fgseg_tf.train --flagfile", "")


def stage(command: str) -> tuple:
    """The README shows how to use a run before how to make one."""
    return next(number for number, made_by in enumerate(MAKES) if made_by in command), "--start=" in command


def run_here() -> list[str]:
    return sorted((command for command in readme.commands() if not command.startswith(tuple(NOT_RUN))), key=stage)


def shrunken(command: str) -> str:
    for theirs, ours in THEIRS.items():
        command = command.replace(theirs, ours)
    more = next((more for start, more in SMALL.items() if start in command), "")
    return f"{command} {more}".replace("python ", f"{shlex.quote(sys.executable)} ", 1)


@pytest.fixture(scope="module")
def desk(tmp_path_factory) -> Path:
    """A folder as a reader would have it: the repository, pictures, a camera."""
    folder = tmp_path_factory.mktemp("desk")
    for name in ("tools", "fgseg_tf", "data_pipelines"):
        (folder / name).symlink_to(ROOT / name)
    (folder / "docs").mkdir()
    sources = from_demo(0, 12, 12, 64, 64)
    for name, pictures in (("backgrounds", sources.backgrounds), ("foregrounds", sources.foregrounds)):
        (folder / name).mkdir()
        for number, picture in enumerate(pictures):
            Image.fromarray(picture).save(folder / name / f"{number}.png")
    draw = [
        sys.executable,
        "tools/draw_sequence.py",
        "--output=footage/street",
        "--frames=6",
        "--height=48",
        "--width=64",
    ]
    subprocess.run(draw, cwd=folder, check=True, capture_output=True, timeout=900)
    shutil.copytree(folder / "footage/street/input", folder / "frames")
    Image.open(folder / "footage/street/background/bg.png").save(folder / "empty.jpg", quality=95)
    return folder


@pytest.fixture(scope="module")
def server(desk):
    import stand_in_server

    with stand_in_server.running({"fgseg": str(desk / "models/fgseg/1")}) as addresses:
        yield addresses


@pytest.mark.skipif(
    keras.__version__ < "3", reason="the README is of the default stack; the commands' own tests run here"
)
@pytest.mark.parametrize("command", run_here())
def test_a_command(desk, request, command):
    typed = shrunken(command)
    if "query_serving" in typed:
        rest, grpc = request.getfixturevalue("server")
        typed += f" --server={grpc if 'grpc://' in typed else rest}"
        shutil.rmtree(desk / "answers", ignore_errors=True)
    said = subprocess.run(
        typed,
        shell=True,
        executable="/bin/bash",
        cwd=desk,
        capture_output=True,
        text=True,
        timeout=900,
        env=environment(),
    )
    assert said.returncode == 0, f"{typed}\n{said.stdout}\n{said.stderr}"
    for output in re.findall(r"--(?:output|sheet|run|html|unpack|zip)=(\S+)", typed):
        assert (desk / output).exists(), f"{typed}\nmade no {output}"


def environment() -> dict:
    return os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}


@pytest.mark.skipif(keras.__version__ < "3", reason="likewise")
def test_the_python_block(desk):
    (text,) = (block.text for block in readme.blocks() if block.language == "python")
    text += "print(sorted(next(iter(dataset))))"
    said = subprocess.run([sys.executable, "-c", text], cwd=desk, capture_output=True, text=True, timeout=900)
    assert said.returncode == 0, said.stderr
    assert {"'bg'", "'fg_bg'", "'mask'", "'depth'"} <= set(re.findall(r"'\w+'", said.stdout))


def test_nothing_is_left_out_without_a_reason():
    assert len(run_here()) > 20
    for start in NOT_RUN:
        assert any(command.startswith(start) for command in readme.commands()), f"the README has no {start} any more"


@pytest.mark.parametrize("command", sorted({*readme.commands(), *readme.in_sentences()}))
def test_flags_exist(command):
    words = command.split()
    if words[0] in ("train", "predict", "read", "serve"):
        words[0] = "tools/benchmark.py"
    if words[0] == "python":
        words = words[1:]
    name = words[1].replace(".", "/") + ".py" if words[0] == "-m" else words[0]
    if not name.endswith(".py"):
        return
    text = (ROOT / name).read_text()
    known = set(re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", text)) | set(flags.FLAGS) | {"help", "flagfile"}
    known |= {f"no{flag}" for flag in known}
    for flag in re.findall(r"--(\w+)", command):
        assert flag in known, f"{name} has no --{flag}"
