"""Trainings side by side: what is read from the file, what the table says, and the tool with real trainings."""

import subprocess
import sys

import pytest
from repository import ROOT

from fgseg_tf.evaluation import training_comparison
from fgseg_tf.evaluation.training_comparison import Variant

TEXT = """# remarks
--network=small
--stages='1@32; 1@36'

dice             --mask_loss=dice
dice+bce, L1     --mask_loss=dice+bce --depth_loss=l1
"""
EVERYONE = ("--network=small", "--stages=1@32; 1@36")


def test_read():
    assert training_comparison.parse_variants(TEXT, "file") == (
        Variant("dice", (*EVERYONE, "--mask_loss=dice")),
        Variant("dice+bce, L1", (*EVERYONE, "--mask_loss=dice+bce", "--depth_loss=l1")),
    )
    assert [variant.folder for variant in training_comparison.parse_variants(TEXT, "file")] == ["dice", "dice-bce-l1"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("dice\n", "line 1 of file, 'dice', has no flags"),
        ("\na --stages='1@32; 1@36\n", "line 2 of file, .* has an open quote"),
        ("a --rate=1\n", "of trainings, file names 1; two at least"),
        ("", "file names 0"),
        ("dice, l1 --rate=1\ndice+L1 --rate=2\n", r"'dice, l1' in file is no name, or that of two"),
        ("++ --rate=1\na --rate=2\n", r"'\+\+' in file is no name"),
    ],
)
def test_what_cannot_be_read(text, complaint):
    with pytest.raises(ValueError, match=complaint):
        training_comparison.parse_variants(text, "file")


@pytest.mark.parametrize("name", ["losses", "schedules"])
def test_the_files_that_are_there(name):
    assert len(training_comparison.parse_variants((ROOT / "tools" / f"{name}.txt").read_text(), name)) >= 4


def scores(*values):
    return {"splits": {"test": {"network": dict(zip(training_comparison.SHOWN, values, strict=True))}}}


def test_table():
    found = {"a": [scores(0.9, 0.5, 0.1, 0.2, 0.3), scores(0.8, 0.5, 0.1, 0.2, 0.3), scores(0.4, 0.5, 0.1, 0.2, 0.3)]}
    lines = training_comparison.format_comparison(found, "test").splitlines()
    assert lines[0].startswith("| test, 3 seeds | mask IoU | boundary F |")
    assert lines[2] == "| a | 0.700 ± 0.300 | 0.500 ± 0.000 | 0.100 ± 0.000 | 0.200 ± 0.000 | 0.300 ± 0.000 |"
    assert (
        training_comparison.format_comparison({"a": [scores(*[0.25] * 5)]}, "test")
        .splitlines()[2]
        .startswith("| a | 0.250 | 0.250 |")
    )


def compare(text, where, data, *flags):
    (where / "variants.txt").write_text(text)
    command = [sys.executable, str(ROOT / "tools" / "compare_training.py"), f"--variants={where}/variants.txt"]
    command += [f"--data={data}", f"--output={where}/out", "--seeds=1", "--count=4", *flags]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=900)
    return done.returncode, done.stdout, done.stderr


def test_two_trainings(tiny_dataset, tmp_path):
    text = "--network=small --stages=1@32 --examples_per_epoch=8 --batch=4 --validate=0 --optimizer=sgd\n"
    text += "slow --rate=1e-5\nfast --rate=1e-2\n"
    status, said, errors = compare(text, tmp_path, tiny_dataset)
    assert status == 0, errors
    table = (tmp_path / "out" / "table.md").read_text()
    assert said.endswith(table)
    assert [line.split(" |")[0] for line in table.splitlines()[2:]] == ["| slow", "| fast"]
    networks = [(tmp_path / "out" / f"{name}-0" / "model.keras") for name in ("slow", "fast")]
    before = [network.stat().st_mtime_ns for network in networks]
    # What is finished is not done again, nor taken for something else.
    assert compare(text, tmp_path, tiny_dataset)[:2] == (0, said)
    assert [network.stat().st_mtime_ns for network in networks] == before
    for other, *more in ((text.replace("1e-2", "1e-1"),), (text, "--count=5"), (text, "--data=demo")):
        status, _, errors = compare(other, tmp_path, tiny_dataset, *more)
        assert status == 1
        assert "was begun with other flags" in errors


def test_a_training_that_fails_is_named(tiny_dataset, tmp_path):
    status, _, errors = compare("a --mask_loss=dize\nb --rate=1\n", tmp_path, tiny_dataset)
    assert status == 1
    assert "dize" in errors
    assert "compare_training: train --run=" in errors
    assert "ended with exit status 1; see above" in errors
