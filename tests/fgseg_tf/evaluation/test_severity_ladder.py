"""The ladder on real shards, with answers whose scores can be told without it."""

from contextlib import nullcontext

import numpy as np
import pytest

from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.evaluation import baselines, severity_ladder

pytestmark = pytest.mark.both_stacks

SIZE = (48, 64)
SPLIT, COUNT = "unseen_bg", 18  # of 24


class Counted(nullcontext):
    """Takes progress, and remembers what it was told."""

    told = ()

    def __init__(self, title, total, what):
        super().__init__(self)
        Counted.told += ([title, total, what, 0],)

    def add(self, done):
        Counted.told[-1][3] += done


def everywhere(value: float):
    """An answer that is the same everywhere."""
    return lambda bg, fg_bg: np.full((*fg_bg.shape[:3], 1), value, np.float32)


def evaluate_ladder(data, answer, with_baselines=False) -> list[dict]:
    return severity_ladder.evaluate_ladder(answer, data, SPLIT, SIZE, 7, COUNT, with_baselines, Counted)


@pytest.fixture(scope="module")
def data(tiny_dataset) -> ShardData:
    return ShardData(tiny_dataset)


@pytest.fixture(scope="module", autouse=True)
def ends():
    """Both ends of the ladder are enough here; the test of the command climbs all of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(severity_ladder, "LADDER", (0, 4))
        yield


@pytest.fixture(scope="module")
def true(data) -> dict:
    """What is photographed, and which of it has somebody in it."""
    (batch,) = data.scoring(SPLIT, COUNT, SIZE, COUNT)
    values = {key: value.numpy() for key, value in batch.items()}
    return {**values, "somebody": (values["mask"] >= 0.5).any(axis=(1, 2, 3))}


@pytest.fixture(scope="module")
def compared(data) -> tuple[list[dict], list[dict]]:
    """(the ladder of somebody who sees nobody, with baselines; what they were tuned to, in turn)."""
    tune, tuned = baselines.tune_baselines, []

    def remembered(batches):
        tuned.append(tune(batches))
        return tuned[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(baselines, "tune_baselines", remembered)
        return evaluate_ladder(data, everywhere(0.0), with_baselines=True), tuned


def test_who_sees_nobody_finds_nothing_and_has_no_false_alarms(compared, true):
    steps, _ = compared
    # Empty frames, of which these examples have some too, would be an IoU of 1 each.
    assert 0 < true["somebody"].sum() < COUNT
    assert [(step["severity"], step["examples"]) for step in steps] == [(0, COUNT), (4, COUNT)]
    for step in steps:
        assert step["network"] == dict.fromkeys(severity_ladder.NAMES, 0.0)


def test_who_sees_somebody_everywhere(data, true):
    Counted.told = ()
    steps = evaluate_ladder(data, everywhere(1.0))
    assert [set(step) for step in steps] == [{"severity", "split", "examples", "network"}] * 2
    assert [step["network"]["mask/false_positive_rate"] for step in steps] == [1.0, 1.0]
    # At severity 0 the examples are as they are; at 4 the camera has moved a little, and labels with it.
    shares = (true["mask"] >= 0.5).mean(axis=(1, 2, 3))[true["somebody"]]
    assert steps[0]["network"]["mask/iou"] == pytest.approx(shares.mean(), rel=1e-5)
    assert steps[0]["network"]["mask/pooled_iou"] == pytest.approx(shares.mean(), rel=1e-5)
    assert steps[1]["network"]["mask/iou"] == pytest.approx(shares.mean(), rel=0.1)
    assert steps[1]["network"]["mask/iou"] != steps[0]["network"]["mask/iou"]
    # Every example twice: as it is, and with nobody in it.
    assert list(Counted.told) == [[f"severity {severity}", 2 * COUNT, "examples", 2 * COUNT] for severity in (0, 4)]


def test_at_severity_0_baselines_score_as_they_do_on_the_examples_themselves(compared, data, true):
    (lowest, _), (tuned, _) = compared
    plain = baselines.tune_baselines(
        data.scoring("train", 16, SIZE, min(baselines.TUNING_EXAMPLES, data.counts["train"]))
    )
    assert tuned == plain
    for name, baseline in plain.items():
        answer, mask = baseline(true["bg"], true["fg_bg"]) >= 0.5, true["mask"] >= 0.5
        both, either = (found[true["somebody"]].sum(axis=(1, 2, 3)) for found in (answer & mask, answer | mask))
        assert lowest[name]["mask/iou"] == pytest.approx((both / either).mean(), rel=1e-5)
        # A frame with nobody in it is the empty scene again.
        assert lowest[name]["mask/false_positive_rate"] == 0
        assert set(lowest[name]) == set(severity_ladder.NAMES)


def test_baselines_are_tuned_at_each_severity_anew(compared):
    (lowest, highest), (plain, tuned) = compared
    # Where more differs that is nobody, more has to differ.
    assert tuned["difference"].threshold > plain["difference"].threshold
    assert tuned["mog2"].threshold > plain["mog2"].threshold
    for name in plain:
        assert highest[name]["mask/iou"] < lowest[name]["mask/iou"] - 0.2, name
        assert highest[name]["mask/false_positive_rate"] > 0, name
