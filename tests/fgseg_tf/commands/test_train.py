"""`python -m fgseg_tf.train` as its users type it: real processes, real files, real refusals."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

from fgseg_tf.runs.run_folder import RunError
from fgseg_tf.runs.trained import load_object_depth, load_trained

# That of the depth of objects needs larger pictures, and has a test of its own.
FLAGFILES = sorted(
    set((ROOT / "fgseg_tf" / "flagfiles").glob("*.flags")) - {ROOT / "fgseg_tf/flagfiles/object_depth.flags"}
)
# What makes any schedule one of seconds on pictures of 48 x 64.
SHRUNKEN_SIDES = {"64": "32", "96": "40"}


def train(*flags: str, fails: bool = False) -> subprocess.CompletedProcess:
    done = subprocess.run(
        [sys.executable, "-m", "fgseg_tf.train", *flags], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert (done.returncode != 0) == fails, done.stderr[-3000:]
    return done


def shrunken(flagfile: Path, folder: Path, more: str = "--validate=4") -> Path:
    """The same flags with one epoch a stage, at sizes that fit, of the small network; and `more` flags."""
    text = flagfile.read_text()
    text = re.sub(r"\b\d+@(\d+)", lambda found: f"1@{SHRUNKEN_SIDES.get(found[1], '48')}", text)
    copy = folder / flagfile.name
    copy.write_text(f"{text}\n--network=small\n--start=\n--examples_per_epoch=8\n--batch=4\n{more}\n")
    return copy


def check_run(run: Path, flagfile: Path, dataset: str) -> None:
    """Checks that a run of a flag file has trained all of its stages, and left what a run leaves."""
    stages = json.loads((run / "run.json").read_text())["settings"]["stages"]
    history = json.loads((run / "history.json").read_text())
    assert [row["stage"] for row in history] == list(range(1, len(stages) + 1))
    (wanted,) = re.findall(r"^--stages=(.*)", flagfile.read_text(), re.MULTILINE)
    assert len(stages) == wanted.count("@")
    assert {"run.json", "run.flags", "checkpoints", "history.json", "logs", "model.keras"} <= {
        path.name for path in run.iterdir()
    }
    # Without where it is on this machine, which only local.json says.
    assert f"--data={Path(dataset).name}\n" in (run / "run.flags").read_text()
    named = {path.name for path in run.iterdir() if path.is_file() and dataset.encode() in path.read_bytes()}
    assert named == {"local.json"}


@pytest.mark.both_stacks
def test_a_flagfile_trains_as_it_is_typed(tiny_dataset, tmp_path):
    flagfile, run = ROOT / "fgseg_tf" / "flagfiles" / "quickstart.flags", tmp_path / "run"
    done = train(f"--flagfile={shrunken(flagfile, tmp_path)}", f"--data={tiny_dataset}", f"--run={run}")
    check_run(run, flagfile, tiny_dataset)
    assert (
        done.stdout.splitlines()[-1] == f"{run}/model.keras is trained; next: python -m fgseg_tf.evaluate --run={run}"
    )


@pytest.fixture(scope="module")
def runs(tiny_dataset, tmp_path_factory) -> Path:
    """The folder of a shallow network's run of every flag file, one after the other in one process.

    What no flag file sets is what is traced fastest: a stage of these takes a quarter of the time of the one above.
    """
    folder, fast = tmp_path_factory.mktemp("runs"), "--optimizer=sgd\n--validate=0"
    assert not any("--optimizer" in flagfile.read_text() for flagfile in FLAGFILES)
    commands = [
        [f"--flagfile={shrunken(flagfile, folder, fast)}", f"--data={tiny_dataset}", f"--run={folder / flagfile.stem}"]
        for flagfile in FLAGFILES
    ]
    code = "import json, sys, shallow_training; shallow_training.train_each(json.loads(sys.argv[1]))"
    done = subprocess.run([sys.executable, "-c", code, json.dumps(commands)], cwd=ROOT, capture_output=True, text=True)
    (folder / "errors.txt").write_text(done.stderr)
    return folder


@pytest.mark.parametrize("flagfile", FLAGFILES, ids=[path.stem for path in FLAGFILES])
def test_every_flagfile_trains(flagfile, runs, tiny_dataset):
    """Shrunken, and all of its stages."""
    run = runs / flagfile.stem
    assert (run / "model.keras").exists(), (runs / "errors.txt").read_text()[-3000:]
    check_run(run, flagfile, tiny_dataset)


def test_the_published_schedule_is_that():
    text = (ROOT / "fgseg_tf/flagfiles/published.flags").read_text()
    (stages,) = re.findall(r"^--stages=(.*)", text, re.MULTILINE)
    stages = [stage.split(maxsplit=1) for stage in stages.split(";")]
    assert [stage[0] for stage in stages] == ["10@64", "2@96", "1@192"] * 2
    assert {stage[1] for stage in stages[:3]} == {"depth_loss=dice"}
    assert {stage[1] for stage in stages[3:]} == {"freeze=stem+background+joint+mask"}
    assert "--mask_loss=dice\n" in text
    assert "--depth_loss=ssim\n" in text


def test_on_the_fly_nothing_but_the_run_is_written(tmp_path):
    run = tmp_path / "run"
    flags = ["--data=demo", "--backgrounds_count=3", "--foregrounds_count=3", "--placements=2", "--image_size=48x64"]
    flags += ["--holdout=0.3", "--network=small", "--stages=1@32", "--batch=4", "--validate=4"]
    train(*flags, f"--run={run}")
    settings = json.loads((run / "run.json").read_text())["settings"]
    assert settings["data"]["recipe"]["labels"] == settings["labels"] == "exact"
    assert settings["image_size"] == [48, 64]
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


OBJECT_DEPTH = ["--recipe=object_depth", "--backgrounds_count=3", "--foregrounds_count=3", "--holdout=0.3"]
OBJECT_DEPTH += ["--placements=2", "--stages=1@32", "--examples_per_epoch=8", "--batch=4", "--optimizer=sgd"]


@pytest.mark.both_stacks
def test_the_depth_of_objects_is_learned_by_its_recipe(tmp_path):
    run = tmp_path / "run"
    done = train(*OBJECT_DEPTH, "--image_size=64x96", "--validate=4", f"--run={run}")
    assert "object_depth: 3" in done.stdout  # hundreds of thousands of parameters
    (row,) = json.loads((run / "history.json").read_text())
    assert {"depth_l1_loss", "depth_relative_loss", "depth_gradient_loss", "depth_abs_rel"} < set(row)
    assert "mask_iou" not in row
    network = load_object_depth(str(run))
    assert set(network.output) == {"depth"}
    with pytest.raises(RunError, match="is of the depth of objects, which needs masks; give it as `object_depth`"):
        load_trained(str(run), "base")
    refused = train(*OBJECT_DEPTH, "--image_size=48x96", f"--run={tmp_path}/b", fails=True)
    assert refused.stderr.splitlines()[-1] == (
        "train: object_depth learns from parts of pictures: for 1@32 they must be 64x128 or larger, and are 48x96; "
        "take a smaller stage or a larger --image_size."
    )


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--data=DATA", "--stages=1@32;oops"], "'oops' at character 6 is not EPOCHS@SIZE"),
        (["--data=DATA", "--backgrounds=x", "--foregrounds=y"], "are two sources of data; give one of them"),
        ([], "say what to train on: --data=DIR, --data=demo, or --backgrounds=DIR --foregrounds=DIR"),
        (["--data=/nowhere/at/all"], "There is no data set in /nowhere/at/all"),
        (["--data=DATA", "--stages=1@32", "--batch=1000"], "fewer than a batch of 1000"),
    ],
)
def test_refusals_are_one_sentence(flags, said, tiny_dataset, tmp_path):
    run = tmp_path / "run"
    done = train(*(flag.replace("DATA", tiny_dataset) for flag in flags), f"--run={run}", fails=True)
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("train: ")
    assert said in last
    assert "Traceback" not in done.stderr
    assert not run.exists()
