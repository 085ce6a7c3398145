"""The benchmark runs and prints what it compares; what the figures are is not for a test."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_export_is_measured_beside_its_peers(tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            "tools/benchmark.py",
            "export",
            "--side=48",
            "--count=800",
            "--rounds=1",
            f"--json={tmp_path}/figures.json",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "figures.json").read_text())["rows"]
    assert [row["what"].split(":")[0].split(",")[0] for row in rows] == [
        "ours",
        "a Pillow loop on all cores",
        "our encoders alone",
    ]
    assert all(row["what"] in done.stdout and row["median"] > 0 for row in rows)
