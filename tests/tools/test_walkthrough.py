"""tools/walkthrough.py as its readers run it: what it tells is true, what it draws is there, what it refuses."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from repository import ROOT

from data_pipelines.config import DatasetConfig
from data_pipelines.tfrecord import reader, schema
from fgseg_tf.data.composite_data import CompositeData
from fgseg_tf.data.exposures import Capture
from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.measures import losses
from fgseg_tf.model import two_branch, weights

HEIGHT, WIDTH = 48, 64
INDEX, NAME = 101, "bg001-fg000-flip-p01"  # ((1 x 2 + 0) x 2 + 1) x 20 + 1
STEPS = ("sources", "placement", "compositing", "depth", "record")
STEPS += ("exposures", "network", "losses", "prediction", "modules")


def run(*flags):
    done = subprocess.run(
        [sys.executable, "tools/walkthrough.py", f"--image_size={HEIGHT}x{WIDTH}", "--count=2", *flags],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=900,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture(scope="module")
def walk(tmp_path_factory) -> tuple[Path, str]:
    """The folder of a walk, into which an earlier one was begun, and what it told, in one line."""
    folder = tmp_path_factory.mktemp("a walk")
    (folder / "walk.json").write_text("{}")
    (folder / "shards").mkdir()
    (folder / "shards" / "manifest.json").write_text("of something else")
    status, said, errors = run(f"--output={folder}", f"--index={INDEX}")
    assert status == 0, errors
    return folder, " ".join(said.split())


def example(folder: Path, **options) -> tuple[dict, str]:
    """The record of the walk as the network gets it, and its split."""
    (place,) = reader.locate(reader.open_dataset(f"{folder}/shards"), [NAME])
    data = ShardData(f"{folder}/shards")
    first = place.file.first + place.number
    (batch,) = data.scoring(place.file.split, 1, (HEIGHT, WIDTH), count=1, first=first, **options)
    assert batch["index"].numpy().tolist() == [INDEX]
    return batch, place.file.split


def test_every_step_is_told_and_drawn(walk):
    folder, said = walk
    assert f"Composite {INDEX} of 160 is {NAME}" in said
    page = (folder / "index.html").read_text()
    for number, name in enumerate(STEPS, 1):
        picture = Image.open(folder / f"{number}_{name}.png")
        assert 700 < picture.width < 1400
        assert 300 < picture.height < 1200
        assert len(np.unique(np.asarray(picture))) > 50, "there is something on it"
        assert f"{folder}/{number}_{name}.png" in said
        assert f"<section id={name}><h2>{number} " in page
    assert page.count("<img ") == page.count('src="data:image/') > 35
    assert "http" not in page
    assert NAME in page
    # Every file that it names is there.
    named = set(re.findall(r"(?:data_pipelines|fgseg_tf)(?:/\w+)+\.py", said))
    assert len(named) > 25
    assert all((ROOT / path).exists() for path in named)


def test_what_it_tells_of_the_record_is_true(walk):
    folder, said = walk
    dataset = reader.open_dataset(f"{folder}/shards")
    (place,) = reader.locate(dataset, [NAME])
    ((_, serialized),) = reader.read_records(dataset, [place])
    parsed = schema.parse(serialized, schema.COMPOSITE)
    assert f"This one is record {place.number} of {place.file.name}" in said
    assert f"It is {len(serialized):,} bytes" in said
    for key in ("fg_bg", "mask", "depth"):
        assert f" {key} {len(parsed[key].numpy()):,} bytes " in said
    assert f" mask_box {parsed['mask_box'].numpy().tolist()} " in said
    # Against the same composite made on the fly, of which nothing was ever written.
    read, split = example(folder)
    fresh = CompositeData(
        DatasetConfig.from_dict(
            dict(backgrounds_count=2, foregrounds_count=2, height=HEIGHT, width=WIDTH, labels="exact", holdout=0.0)
        )
    )
    (made,) = (e for e in fresh.scoring(split, 1, (HEIGHT, WIDTH)) if int(e["index"][0]) == INDEX)
    for key in ("mask", "depth"):
        np.testing.assert_array_equal(read[key], made[key])
    assert "the mask is equal and the depth is equal, to the last bit" in said
    off = np.abs(np.round(255 * (read["fg_bg"] - made["fg_bg"])))
    assert f"fg_bg is off by {off.mean():.2f} levels in the mean and {off.max():.0f} at most" in said


def test_what_it_tells_of_the_answer_is_true(walk):
    folder, said = walk
    batch, _ = example(folder, change=Capture(3, 3).change)
    truth = batch["mask"].numpy()[0, ..., 0] >= 0.5
    found = np.asarray(Image.open(folder / "answers" / "mask" / f"{NAME}.png")) >= 128
    assert found.shape == (HEIGHT, WIDTH)
    overlap = (truth & found).sum() / (truth | found).sum()
    told = float(re.search(r"Mask: IoU (\d\.\d+) with the truth", said)[1])
    assert told == pytest.approx(overlap, abs=0.02)
    network, _ = weights.load_packaged("base")
    answer = network({"bg": batch["bg"], "fg_bg": batch["fg_bg"]}, training=False)
    value, nobody = (float(losses.dice(batch["mask"], mask)[0]) for mask in (answer["mask"], 0 * batch["mask"]))
    shown = re.search(r"mask dice (\S+) (\S+) ", said)
    assert [float(each) for each in shown.groups()] == pytest.approx([value, nobody], abs=2e-4)
    assert f"{network.count_params():,} parameters" in said


def test_what_goes_through_the_parts_is_what_the_network_answers():
    network = two_branch.build(two_branch.ARCHITECTURES["small"])
    pictures = tf.random.stateless_uniform([2, 1, 40, 56, 3], [1, 2])
    said = two_branch.run_parts({part: network.get_layer(part) for part in two_branch.PARTS}, pictures[0], pictures[1])
    answer = network({"bg": pictures[0], "fg_bg": pictures[1]}, training=False)
    for branch in ("mask", "depth"):
        np.testing.assert_allclose(said[branch], answer[branch], atol=1e-6)
    assert [tuple(scale.shape[1:3]) for scale in said["joint"]] == [
        (40, 56),
        (20, 28),
        (10, 14),
        (5, 7),
        (3, 4),
        (2, 2),
    ]


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--index=160"], "walkthrough: --index=160: these pictures make 160 composites, counted from 0."),
        (["--backgrounds=nowhere"], "walkthrough: --backgrounds=DIR and --foregrounds=DIR go together"),
        (["--capture=5"], "walkthrough: a severity from 5 to 5 is not on the ladder"),
    ],
)
def test_what_it_refuses(tmp_path, flags, sentence):
    status, _, errors = run(f"--output={tmp_path}/new", *flags)
    assert status == 1
    assert errors.splitlines()[-1].startswith(sentence)
    assert "Traceback" not in errors
    assert not (tmp_path / "new").exists()


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    status, _, errors = run(f"--output={tmp_path}")
    assert status == 1
    assert errors.splitlines()[-1] == f"walkthrough: --output={tmp_path} holds files that are not of a walk; " + (
        "name a new folder."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
