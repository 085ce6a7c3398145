"""ONNX Runtime sends nothing about the networks that it opens."""

import os
import re
import subprocess
import sys

import pytest
from repository import ROOT

SCRIPT = """
import os, sys
from data_pipelines.runtime.onnx_runtime import import_onnxruntime
assert "onnxruntime" not in sys.modules
import_onnxruntime()
print(os.environ["ORT_DISABLE_TELEMETRY"])
"""


@pytest.mark.parametrize("chosen", [None, "0"])
def test_nothing_is_sent_unless_the_user_wants_it(chosen):
    pytest.importorskip("onnxruntime", reason="pip install '.[onnx]'")
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"ORT_DISABLE_TELEMETRY": chosen} if chosen else {}
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stdout.strip() == (chosen or "1"), done.stderr


def test_nothing_loads_it_by_another_way():
    others = [
        str(path.relative_to(ROOT))
        for package in ("data_pipelines", "fgseg_tf", "tools")
        for path in (ROOT / package).rglob("*.py")
        if re.search(r"^\s*(import|from) onnxruntime", path.read_text(), re.MULTILINE)
    ]
    assert others == ["data_pipelines/runtime/onnx_runtime.py"]
