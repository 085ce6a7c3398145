"""The benchmark runs and prints what it compares; what the figures are is not for a test."""

import json
import subprocess
import sys

import pytest
from repository import ROOT

SMALL = ["--network=small", "--batch=2", "--steps=1", "--side=32"]


def measured(tmp_path, *flags):
    command = [sys.executable, "tools/benchmark.py", *flags, "--rounds=1", f"--json={tmp_path}/figures.json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert all(row["what"] in done.stdout and row["median"] > 0 for row in figures["rows"])
    return figures


def test_export_is_measured_beside_its_peers(tmp_path):
    found = measured(tmp_path, "export", "--side=48", "--count=800")
    assert [row["what"].split(":")[0].split(",")[0] for row in found["rows"]] == [
        "ours",
        "a Pillow loop on all cores",
        "our encoders alone",
    ]


@pytest.mark.parametrize(
    ("what", "rows"),
    [
        ("train", ["ours, small, 514,314 parameters", "plain U-Net"]),
        ("predict", ["ours, small", "ours, without BatchNorm", "ours, on a background seen before", "plain U-Net"]),
        ("serve", ["serving_default", "the bare Keras", "segment_with_background", "encode_background"]),
        ("read", ["training on the data", "training on a constant batch", "reading alone"]),
    ],
)
def test_the_network_is_measured_beside_its_peers(tmp_path, tiny_dataset, what, rows):
    found = measured(
        tmp_path, what, *SMALL, *{"read": [f"--data={tiny_dataset}"], "serve": ["--clients=2"]}.get(what, [])
    )
    for row, name in zip(found["rows"], rows, strict=True):
        assert row["what"].startswith(name)
        assert row["ours_by_it"] > 0
    assert found["rows"][0]["ours_by_it"] == 1
    assert found["side"] == 32


def test_training_is_measured_in_several_ways(tmp_path):
    found = measured(tmp_path, "train", *SMALL, "--bfloat16", "--masks_alone")
    names = [row["what"].removeprefix("ours, small, ") for row in found["rows"]]
    assert names[1:4] == ["in bfloat16", "masks alone", "masks alone in bfloat16"]


def test_reading_needs_something_to_read():
    done = subprocess.run(
        [sys.executable, "tools/benchmark.py", "read"], cwd=ROOT, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 1
    assert "benchmark: read measures shards; say which: --data=DIR." in done.stderr
