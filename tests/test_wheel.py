"""What `pip install .` gives has everything, and runs where there is no checkout."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from repository import ROOT


def done(command: list, **options) -> str:
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
    done([sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", f"--wheel-dir={made}", copy])
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


def test_it_runs_without_the_checkout(wheel, tmp_path):
    site = tmp_path / "site packages"
    zipfile.ZipFile(wheel).extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site), "TF_CPP_MIN_LOG_LEVEL": "3"}
    where = "import fgseg_tf.weights as w; print(w.__file__); print(*sorted(w.cards())); w.packaged('base')"
    said = done([sys.executable, "-c", where], cwd=tmp_path, env=environment).splitlines()
    assert said[0].startswith(str(site)), "it is the checkout that ran"
    assert "base" in said[1].split()
    for command in ("train", "evaluate", "predict", "export"):
        result = subprocess.run(
            [sys.executable, "-m", f"fgseg_tf.{command}", "--help"],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert f"fgseg_tf.{command} --" in result.stdout, result.stderr
