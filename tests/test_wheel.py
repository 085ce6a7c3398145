"""What `pip install .` gives has everything, and runs where there is no checkout."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from repository import ROOT


def run(command: list, **options) -> str:
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600, **options)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    """Built from a copy, for building writes beside the sources; in a folder with a space in its name."""
    copy = tmp_path_factory.mktemp("a copy")
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    for name in ("data_pipelines", "fgseg_tf"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    made = tmp_path_factory.mktemp("wheel")
    run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={made}", copy])
    (found,) = made.glob("fgseg_tf-*.whl")
    return found


def test_every_file_is_in_it(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        str(path.relative_to(ROOT))
        for package in ("data_pipelines", "fgseg_tf")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {name for name in wanted if name.endswith((".npz", ".flags", ".json"))}, "or nothing was looked for"
    assert wanted <= inside, wanted - inside


def test_the_workshop_is_not_in_it(wheel):
    inside = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in inside} == {"data_pipelines", "fgseg_tf"}


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory) -> Path:
    """A new virtual environment with the wheel, and the packages that it needs from the one that runs the tests.

    The checkout is installed there too, but a folder that is named in a .pth file does not bring its own ones along.
    """
    folder = tmp_path_factory.mktemp("environment") / "an environment"
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "what_it_needs.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    install = [
        sys.executable,
        "-m",
        "pip",
        f"--python={folder / 'bin' / 'python'}",
        "install",
        "--no-deps",
        "--no-index",
    ]
    run([*install, "--ignore-installed", wheel])
    return folder


def test_installed_it_makes_data_trains_predicts_and_exports(environment, tmp_path):
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def fgseg(*arguments: str) -> str:
        return run([environment / "bin" / "fgseg", *arguments], cwd=tmp_path, env=variables)

    python, code = environment / "bin" / "python", "import fgseg_tf; print(fgseg_tf.__file__)"
    where = run([python, "-c", code], cwd=tmp_path, env=variables)
    assert where.startswith(str(environment)), "it is the checkout that runs"
    assert "predict " in fgseg("--help")
    assert (
        "--background"
        in subprocess.run(
            [environment / "bin" / "fgseg", "predict", "--help"], capture_output=True, text=True, env=variables
        ).stdout
    )
    fgseg(
        "make-data",
        "--recipe=tiny",
        "--backgrounds_count=6",
        "--foregrounds_count=6",
        "--image_size=48x64",
        "--holdout=0.3",
        "--limit=40",
        "--output=data",
    )
    assert "is intact" in fgseg("verify-data", "data")
    fgseg("show-data", "data", "--count=2", "--html=page.html")
    small = ["--stages=1@32", "--batch=4", "--examples_per_epoch=8", "--validate=4", "--optimizer=sgd"]
    fgseg("train", "--recipe=tiny", *small, "--data=data", "--run=run")
    for name in ("bg", "frame"):
        picture = np.random.default_rng(len(name)).integers(0, 255, (48, 64, 3), np.uint8)
        Image.fromarray(picture).save(tmp_path / f"{name}.png")
    fgseg("predict", "--background=bg.png", "--frames=frame.png", "--output=masks", "--run=run")
    assert Image.open(tmp_path / "masks" / "mask" / "frame.png").size == (64, 48)
    fgseg("export", "--run=run", "--output=models/mine")
    assert (tmp_path / "models" / "mine" / "1" / "saved_model.pb").exists()
    assert "services:" in (tmp_path / "models" / "mine" / "serving" / "compose.yaml").read_text()
