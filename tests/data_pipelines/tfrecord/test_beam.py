"""The Beam engine makes the same bytes as the local one, and goes on where either stopped."""

import subprocess
import sys

import pytest
from repository import ROOT

pytest.importorskip("apache_beam", reason="apache-beam is not on this stack (it needs a newer protobuf)")

FLAGS = [
    "--flagfile=data_pipelines/flagfiles/tiny.flags",
    "--backgrounds_count=4",
    "--foregrounds_count=4",
    "--image_size=64x96",
    "--holdout=0.25",
    "--shards=3",
]


def export(folder, *flags):
    done = subprocess.run(
        [sys.executable, "tools/export_tfrecords.py", *FLAGS, f"--output={folder}", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stderr
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".tfrecord", ".json")}


def test_both_engines_make_the_same_files(tmp_path):
    local = export(tmp_path / "local")
    assert len(local) > 3
    assert export(tmp_path / "beam", "--engine=beam") == local
