"""python -m fgseg_tf.evaluate as its users run it, on a run whose network was not trained."""

import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

from data_pipelines.config import DatasetConfig
from data_pipelines.runtime.files import join_path, read_json, write_json
from fgseg_tf.data.composite_data import CompositeData
from fgseg_tf.evaluation import score_table
from fgseg_tf.measures import losses
from fgseg_tf.model.two_branch import ARCHITECTURES, build
from fgseg_tf.runs import run_folder
from fgseg_tf.training.options import Training
from fgseg_tf.training.schedule import Stage

STAGE = Stage(2, 32, 8, 1e-3, losses.parse_loss("dice", "mask"), losses.parse_loss("ssim", "depth"))


def run(*flags):
    command = [sys.executable, "-m", "fgseg_tf.evaluate", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def data() -> CompositeData:
    return CompositeData(
        DatasetConfig.from_dict(
            dict(
                backgrounds_count=4,
                foregrounds_count=4,
                height=36,
                width=48,
                holdout=0.25,
                labels="exact",
                placements=4,
            )
        )
    )


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory) -> str:
    folder = str(tmp_path_factory.mktemp("runs") / "finished")
    run_folder.claim(folder, Training((STAGE,), network="small").run_settings(data))
    run_folder.save_network(folder, build(ARCHITECTURES["small"]))
    write_json(join_path(folder, "history.json"), [{"stage": 1, "epoch": 1, "seen": 8, "seconds": 2.0, "loss": 0.5}])
    return folder


def test_a_finished_run_made_on_the_fly(finished, data):
    status, said, errors = run(f"--run={finished}", "--count=6", "--batch=4", "--ladder=4")
    assert status == 0, errors
    metrics = read_json(join_path(finished, "metrics.json"), run_folder.REMEDY)
    assert metrics["digest"] == data.digest
    assert metrics["trained_on_these_data"] is True
    assert metrics["image_size"] == [32, 43]  # as in the only stage
    assert [found["examples"] for found in metrics["splits"].values()] == [
        min(6, data.counts[name]) for name in data.test_splits
    ]
    iou = metrics["splits"]["unseen_both"]["network"]["mask/iou"]
    page = Path(finished, "report.html").read_text()
    for shown in (said, page):
        assert f"{iou:.3f}" in shown
        assert "MOG2" in shown
    assert f"{finished}/report.html" in said
    # The whole ladder, on the terminal and on the page.
    steps = metrics["ladder"]
    assert [(step["severity"], step["examples"]) for step in steps] == [(severity, 4) for severity in range(5)]
    assert score_table.format_ladder(steps) in said
    assert "<section id=ladder>" in page
    assert all(f"severity {step['severity']}: {step['knn']['mask/iou']:.3f}</title>" in page for step in steps)


@pytest.mark.both_stacks
def test_looking_both_ways_is_scored_and_said(finished):
    few = (f"--run={finished}", "--count=4", "--nobaselines", "--ladder=0")
    found = []
    for more in ((), ("--both_ways",)):
        status, said, errors = run(*few, *more)
        assert status == 0, errors
        metrics = read_json(join_path(finished, "metrics.json"), run_folder.REMEDY)
        assert metrics["both_ways"] == bool(more)
        assert ("looking at pictures and at their mirror images" in said) == bool(more)
        assert (", both ways" in Path(finished, "report.html").read_text()) == bool(more)
        found.append(metrics["splits"]["unseen_both"]["network"]["mask/alpha_error"])
    assert abs(found[0] - found[1]) > 1e-6


def test_what_is_refused(finished, tiny_dataset):
    status, said, errors = run(f"--run={finished}", f"--data={tiny_dataset}", "--nobaselines")
    assert (status, said) == (1, "")
    assert (
        "evaluate: the run learned from data of 36x48 pixels, these are of 48x64; give data of 36x48, or --any_size"
        in errors
    )
    assert "Traceback" not in errors
