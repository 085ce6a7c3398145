"""A training as a process of its own, and the stage that most tests of it train."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tensorflow as tf
from repository import ROOT

from fgseg_tf.measures import losses
from fgseg_tf.training.schedule import Stage

PATIENCE = 900  # seconds; a busy machine takes minutes
USUAL = Stage(1, 32, 2, 0.01, losses.parse_loss("dice", "mask"), losses.parse_loss("l1", "depth"))


class Command:
    """`python -m fgseg_tf.train` of a shallow network: a process that ends with the context if not before."""

    def __init__(self, folder: Path, *flags: str, **environment: str):
        self._checkpoints = str(folder / "checkpoints")
        # Not a pipe, which would fill while nobody reads it.
        self._output = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [sys.executable, "-m", "shallow_training", "--network=small", "--optimizer=sgd", f"--run={folder}", *flags],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=self._output,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._output.close()

    def said(self) -> str:
        self._output.seek(0)
        return self._output.read()

    def reach(self, seen: int) -> None:
        """Waits for a checkpoint after so many examples; leaving the context then is a SIGKILL right after it."""
        end = time.monotonic() + PATIENCE
        while int((tf.train.latest_checkpoint(self._checkpoints) or "-0").rpartition("-")[2]) < seen:
            assert self.process.poll() is None, self.said()[-3000:]
            assert time.monotonic() < end, self.said()[-3000:]
            time.sleep(0.02)

    def end(self) -> str:
        """Waits for it; answers what it said."""
        assert self.process.wait(PATIENCE) == 0, self.said()[-3000:]
        return self.said()
