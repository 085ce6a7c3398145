"""What happens before TensorFlow is loaded: its remarks stay off the screen, and the user's settings are kept."""

import os
import subprocess
import sys

import pytest
from repository import ROOT

from data_pipelines.runtime import startup

REMARKS = (
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n",
    "I0000 00:00:1764156336.143210    4242 port.cc:153] oneDNN custom operations are on.\n",
    "2026-11-26 19:25:36.143210: I tensorflow/core/platform/cpu_feature_guard.cc:210] optimized\n",
    "E0000 00:00:1764156336.143210    4242 cuda_dnn.cc:8579] Unable to register cuDNN factory\n",
    "2026-11-26 19:25:36.143210: E external/local_xla/xla/stream_executor/cuda/cuda_fft.cc:467] Unable to register\n",
    "2026-11-26 19:25:36.143210: W tensorflow/compiler/tf2tensorrt/utils/py_utils.cc:38] TF-TRT Warning: no TensorRT\n",
)
OTHERS = (
    "2026-11-26 19:25:36.143210: E tensorflow/core/framework/op_kernel.cc:1842] something is broken\n",
    "Traceback (most recent call last):\n",
    "ImportError: libstdc++.so.6: version `GLIBCXX_3.4.29' not found\n",
    "\n",
    "a line without an end",
)


@pytest.mark.parametrize("line", REMARKS)
def test_remarks_are_taken_away(line):
    assert startup.remove_remarks(line) == ""


def test_everything_else_is_kept_as_it_is():
    assert startup.remove_remarks("".join(OTHERS)) == "".join(OTHERS)
    mixed = "".join(remark + other for remark, other in zip(REMARKS, OTHERS, strict=False))
    assert startup.remove_remarks(mixed) == "".join(OTHERS)


def test_the_environment_of_the_user_wins(monkeypatch):
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    monkeypatch.setenv("MALLOC_MMAP_MAX_", "65536")
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    startup.set_environment()
    assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == "0"
    assert os.environ["MALLOC_MMAP_MAX_"] == "65536"
    assert os.environ["TF_ENABLE_ONEDNN_OPTS"] == "1"
    assert os.environ["MALLOC_TRIM_THRESHOLD_"] == "-1"


@pytest.mark.both_stacks
def test_nothing_is_said_on_standard_error():
    names = {*startup.ENVIRONMENT, *startup.ALLOCATOR}
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from data_pipelines.runtime import startup; import sys; print('tensorflow' in sys.modules)",
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in names},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "True", "")
