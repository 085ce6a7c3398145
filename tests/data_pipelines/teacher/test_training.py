"""The teacher's training as its users run it, at a tiny size: it learns, keeps the best, and goes on."""

import subprocess
import sys

import numpy as np
import pytest
from repository import ROOT

from data_pipelines.teacher import network as teacher_network

pytestmark = pytest.mark.both_stacks


def run(work, output, *flags):
    done = subprocess.run(
        [
            sys.executable,
            "tools/train_teacher.py",
            f"--work={work}",
            f"--output={output}",
            "--height=32",
            "--width=64",
            "--scenes=4",
            "--validation_scenes=2",
            "--batch_size=2",
            "--report_every=2",
            *flags,
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout + done.stderr


def test_it_trains_goes_on_and_writes_weights_that_load(tmp_path):
    status, said = run(tmp_path / "work", tmp_path / "small.npz", "--steps=2")
    assert status == 0, said
    assert "step 2 demo" in said
    assert np.isfinite(
        teacher_network.load_teacher(str(tmp_path / "small.npz"), (32, 64)).network.get_layer("conv3").get_weights()[0]
    ).all()
    status, said = run(tmp_path / "work", tmp_path / "small.npz", "--steps=4")
    assert status == 0, said
    # It went on from step 2 instead of beginning again.
    assert "step 4 demo" in said
    assert "step 2 demo" not in said


def test_weights_of_another_network_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", kernel=np.zeros(3))
    status, said = run(tmp_path / "work", tmp_path / "small.npz", "--steps=0", f"--start={tmp_path}/other.npz")
    assert status == 1
    assert "train_teacher: " in said
    assert "other.npz" in said
    assert "Traceback" not in said
