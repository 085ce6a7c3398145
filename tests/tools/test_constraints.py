"""The exact versions of constraints/ are those that setup.cfg asks for, on every Python, each with a digest."""

import configparser
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement
from repository import ROOT

PYTHONS = {"default": ("3.10", "3.11", "3.12", "3.13"), "addons": ("3.10", "3.11")}
PYTHONS["quickstart"] = PYTHONS["default"]
WRITTEN = re.findall(r"^write (\w+) ([\w,]+)", (ROOT / "tools" / "renew_constraints").read_text(), re.MULTILINE)


def read_wanted(extras: list[str]) -> list[Requirement]:
    """Returns what setup.cfg asks for."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    lines = config["options"]["install_requires"].splitlines()
    for extra in extras:
        lines += config["options.extras_require"][extra].splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def read_exact(name: str) -> list[Requirement]:
    """Returns the exact versions of a file of constraints."""
    text = (ROOT / "constraints" / f"{name}.txt").read_text()
    return [Requirement(line.split("\\")[0]) for line in text.splitlines() if re.match(r"\w", line)]


def test_every_file_is_written_by_the_tool():
    assert {name for name, _ in WRITTEN} == set(PYTHONS)
    assert {path.stem for path in (ROOT / "constraints").glob("*.txt")} == set(PYTHONS)


@pytest.mark.parametrize(("name", "extras"), WRITTEN)
def test_what_setup_cfg_asks_for_is_there_once(name, extras):
    exact = read_exact(name)
    assert len(exact) > 30
    for python in PYTHONS[name]:
        about = {"python_version": python, "python_full_version": f"{python}.5"}
        versions: dict[str, list[str]] = {}
        for one in exact:
            if one.marker is None or one.marker.evaluate(about):
                versions.setdefault(one.name.lower(), []).append(str(one.specifier).removeprefix("=="))
        assert [package for package, found in versions.items() if len(found) > 1] == []
        for wanted in read_wanted(extras.split(",")):
            if wanted.marker is None or wanted.marker.evaluate(about):
                (version,) = versions[wanted.name.lower().replace("_", "-")]
                assert wanted.specifier.contains(version), f"{wanted} has {version} on Python {python}"


@pytest.mark.parametrize("name", PYTHONS)
def test_every_version_has_a_digest_and_no_address(name):
    text = (ROOT / "constraints" / f"{name}.txt").read_text()
    entries = re.split(r"\n(?=\w)", text.strip())
    assert all(re.match(r"[\w.-]+(\[\w+\])?==\S+", entry) for entry in entries)
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", entry) for entry in entries)
    assert "://" not in text
    assert "/" not in re.sub(r"\s*#.*", "", text)


@pytest.mark.both_stacks
def test_tensorboard_of_either_stack_starts():
    done = subprocess.run(
        [sys.executable, "-m", "tensorboard.main", "--version"], capture_output=True, text=True, check=False
    )
    assert re.match(r"\d+\.\d+", done.stdout), done.stderr
