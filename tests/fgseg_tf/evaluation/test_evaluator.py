"""Evaluation on real shards, with networks whose scores can be told without it."""

import json
from contextlib import nullcontext

import keras
import numpy as np
import pytest

from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.evaluation import baselines, evaluator
from fgseg_tf.evaluation import severity_ladder as ladder
from fgseg_tf.evaluation.example_picker import ExamplePicker
from fgseg_tf.inference.object_placing import ObjectPlacer
from fgseg_tf.model import object_depth
from fgseg_tf.model.depth_code import LOG_RANGE, decode_depth
from fgseg_tf.runs import run_folder
from fgseg_tf.runs.local_paths import hide_data

pytestmark = pytest.mark.both_stacks

SIZE = (48, 64)
SETTINGS = {"depth_unit": "metre", "image_size": [48, 64], "stages": ["2@32 rate=0.1", "1@40 rate=0.01 batch=4"]}


class Quiet(nullcontext):
    """Takes progress and says nothing."""

    def __init__(self, title, total, what):
        super().__init__(self)

    def add(self, done):
        pass


def constant(mask: float, code: float) -> keras.Model:
    """A network that answers the same everywhere."""
    pictures = {name: keras.Input((None, None, 3), name=name) for name in ("bg", "fg_bg")}
    nothing = keras.layers.Conv2D(1, 1, kernel_initializer="zeros", use_bias=False)(pictures["fg_bg"])
    outputs = {"mask": keras.layers.Rescaling(1.0, mask)(nothing), "depth": keras.layers.Rescaling(1.0, code)(nothing)}
    return keras.Model(pictures, outputs)


def scored(network, data, batch=16, count=0, with_baselines=True, size=SIZE, ladder=0, both_ways=False, placer=None):
    return evaluator.evaluate(network, data, size, batch, count, with_baselines, ladder, Quiet, both_ways, placer)


@pytest.fixture(scope="module")
def data(tiny_dataset):
    return ShardData(tiny_dataset)


@pytest.fixture(scope="module")
def found(data):
    """Of a network that sees nobody, and everything at one distance."""
    return scored(constant(0.25, 0.5), data)


def everything(data, split) -> dict:
    (batch,) = data.scoring(split, data.counts[split], SIZE)
    return {key: value.numpy() for key, value in batch.items()}


def test_the_scores_are_those_of_numpy(data, found):
    metres = float(decode_depth(0.5))
    assert list(found.scores["splits"]) == ["seen_both", "unseen_fg", "unseen_bg", "unseen_both"]
    for split, scores in found.scores["splits"].items():
        true = everything(data, split)
        nobody = (true["mask"] < 0.5).all(axis=(1, 2, 3))
        assert scores["examples"] == data.counts[split] == len(nobody)
        network = scores["network"]
        assert network["mask/iou"] == pytest.approx(nobody.mean())
        assert network["mask/alpha_error"] == pytest.approx(np.abs(true["mask"] - 0.25).mean(), rel=1e-5)
        assert network["mask/false_positive_rate"] == (0.0 if nobody.any() else None)
        abs_rel = (np.abs(metres - true["depth"]) / true["depth"]).mean()
        assert network["depth/abs_rel"] == pytest.approx(abs_rel, rel=1e-4)
        over_std = np.sqrt(np.square(metres - true["depth"]).mean()) / true["depth"].std()
        assert network["depth/pooled_rmse_over_std"] == pytest.approx(over_std, rel=1e-3)


def test_baselines_stand_beside_it(data, found):
    tuned = baselines.tune_baselines(data.scoring("train", 64, SIZE, min(64, data.counts["train"])))
    true = everything(data, "unseen_both")
    scores = found.scores["splits"]["unseen_both"]
    assert set(scores) == {"examples", "network", "difference", "mog2", "knn", "background_depth"}
    for name, baseline in tuned.items():
        answer, mask = baseline(true["bg"], true["fg_bg"]) > 0, true["mask"] >= 0.5
        both, either = ((a.sum(axis=(1, 2, 3))) for a in (answer & mask, answer | mask))
        assert scores[name]["mask/iou"] == pytest.approx(np.where(either, both / np.maximum(either, 1), 1).mean())
        assert scores[name]["mask/iou"] > 0.5
        assert not any(key.startswith("depth") for key in scores[name])
        assert found.scores["thresholds"][name]["threshold"] == baseline.threshold
    empty = scores["background_depth"]
    assert not any(key.startswith("mask") for key in empty)
    error = (np.abs(true["bg_depth"] - true["depth"]) / true["depth"]).mean()
    assert empty["depth/abs_rel"] == pytest.approx(error, rel=1e-4)
    assert empty["depth_object/abs_rel"] > 10 * empty["depth_scenery/abs_rel"]


def test_depth_as_a_camera_knows_it(data):
    """A network that shows the true mask, and objects that are placed half as far away as what they hide."""
    placer = ObjectPlacer(object_depth.build())
    placer.network = lambda given, training: {"depth": given["bg_depth"] - np.float32(np.log(2) / LOG_RANGE)}
    scores = scored(constant(0.9, 0.5), data, count=6, with_baselines=False, placer=placer)
    true = {key: value[:6] for key, value in everything(data, "unseen_both").items()}
    known = scores.scores["splits"]["unseen_both"]["known_background"]
    assert not any(key.startswith("mask") for key in known)
    # Everything is called foreground.
    error = (np.abs(true["bg_depth"] / 2 - true["depth"]) / true["depth"]).mean()
    assert known["depth/abs_rel"] == pytest.approx(error, rel=1e-2)


def test_the_batch_does_not_matter(data, found):
    again = scored(constant(0.25, 0.5), data, batch=5, with_baselines=False)
    for split, scores in found.scores["splits"].items():
        for name, value in scores["network"].items():
            same = value if value is None else pytest.approx(value, rel=1e-5)
            assert again.scores["splits"][split]["network"][name] == same, (split, name)


def test_fewer_examples_another_size_no_baselines(data):
    few = scored(constant(0.9, 0.5), data, count=3, with_baselines=False, size=(33, 44))
    assert few.scores["image_size"] == [33, 44]
    assert few.scores["thresholds"] == {}
    assert not few.scores["both_ways"]
    for split, scores in few.scores["splits"].items():
        assert scores["examples"] == min(3, data.counts[split])
        assert set(scores) == {"examples", "network"}


def slanted(turned: bool) -> keras.Model:
    """A network that answers more to the right (turned: to the left) the brighter the frame is there."""
    pictures = {name: keras.Input((None, None, 3), name=name) for name in ("bg", "fg_bg")}
    look = keras.layers.Conv2D(1, (1, 5), padding="same", use_bias=False)
    seen = look(pictures["fg_bg"])
    taps = np.repeat(np.array([0.0, 0.02, 0.05, 0.1, 0.2])[None, :, None, None], 3, axis=2)
    look.set_weights([taps[:, ::-1] if turned else taps])
    halved = keras.layers.Rescaling(0.5, 0.1)(seen)
    return keras.Model(pictures, {"mask": seen, "depth": halved})


def test_looking_both_ways(data):
    frame = everything(data, "unseen_both")["fg_bg"]
    pictures = {"bg": frame, "fg_bg": frame}
    answers = [slanted(turned)(pictures) for turned in (False, True)]
    # What one answers to a mirror image, is what the other answers, mirrored.
    expected = {key: (answers[0][key] + answers[1][key]).numpy() / 2 for key in answers[0]}
    assert np.abs(answers[0]["mask"] - answers[1]["mask"]).max() > 0.05
    found = scored(slanted(False), data, with_baselines=False, ladder=1000, both_ways=True).scores
    true = everything(data, "unseen_both")
    ious = mask_ious(true["mask"], expected["mask"])
    assert found["splits"]["unseen_both"]["network"]["mask/iou"] == pytest.approx(ious.mean(), rel=1e-4)
    metres = decode_depth(expected["depth"]).numpy()
    known = true["depth"] > 0
    errors = [np.mean(np.abs(m - t)[k] / t[k]) for m, t, k in zip(metres, true["depth"], known, strict=True)]
    assert found["splits"]["unseen_both"]["network"]["depth/abs_rel"] == pytest.approx(np.mean(errors), rel=1e-3)
    # Nothing differs at severity 0, so the ladder begins with the same answers; frames with nobody do not count there.
    somebody = (true["mask"] >= 0.5).any(axis=(1, 2, 3))
    assert found["ladder"][0]["network"]["mask/iou"] == pytest.approx(ious[somebody].mean(), rel=1e-4)
    assert found["both_ways"]


def mask_ious(true: np.ndarray, found: np.ndarray) -> np.ndarray:
    pairs = zip(true >= 0.5, found >= 0.5, strict=True)
    return np.array([(a & b).sum() / (a | b).sum() if (a | b).any() else 1.0 for a, b in pairs])


def test_the_ladder_is_of_the_hardest_split(data, found, monkeypatch):
    monkeypatch.setattr(ladder, "LADDER", (0,))
    mask = everything(data, "unseen_both")["mask"] >= 0.5
    somebody = mask.any(axis=(1, 2, 3))
    # As many as there are, and fewer.
    for wanted, taken in ((1000, len(mask)), (3, 3)):
        climbed = scored(constant(0.9, 0.5), data, count=2, with_baselines=False, ladder=wanted)
        (step,) = climbed.scores["ladder"]
        assert step["examples"] == taken
        # It sees somebody everywhere; what is scored are frames in which there is somebody.
        shares = mask[:taken].mean(axis=(1, 2, 3))[somebody[:taken]]
        assert step["network"]["mask/iou"] == pytest.approx(shares.mean(), rel=1e-5)
        assert step["network"]["mask/false_positive_rate"] == 1
        assert climbed.scores["splits"]["unseen_both"]["examples"] == 2
        assert climbed.scores["seconds"]["ladder"] > 0
    assert found.scores["ladder"] == []


def test_metrics_json_can_hold_it(found, data):
    assert json.loads(json.dumps(found.scores, allow_nan=False)) == found.scores
    assert found.scores["digest"] == data.digest
    # metrics.json is passed on: without where the data were.
    assert found.scores["data"] == hide_data(data.description) != data.description
    assert found.scores["seconds"]["all"] > 0


def test_cases_are_of_the_hardest_split(data, found):
    names = {data.name(int(index)) for index in everything(data, "unseen_both")["index"]}
    for kind in ("typical", "worst_mask", "worst_depth"):
        cases = found.cases[kind]
        assert 0 < len(cases) <= evaluator.CASES
        assert {case.name for case in cases} <= names
        assert len({case.name for case in cases}) == len(cases)
    errors = [case.abs_rel for case in found.cases["worst_depth"]]
    assert errors == sorted(errors, reverse=True)
    assert found.cases["worst_empty"] == []  # it calls nothing foreground


def test_which_cases_are_chosen():
    """Frames 0 .. 9; 4 and 8 have nobody in them. Frame n has IoU n/10 and AbsRel (7n % 10) / 10, 0's is unknown."""
    mask = np.ones((10, 2, 3, 1), np.float32)
    mask[[4, 8]] = 0
    predicted = np.zeros_like(mask)
    predicted[8, 0, 0] = 1  # a false alarm
    picture = np.full((10, 2, 3, 3), 0.2, np.float32)
    batch = {"index": np.arange(10), "bg": picture, "fg_bg": picture, "mask": mask, "depth": 3 * mask}
    errors = np.arange(10) * 7 % 10 / 10
    errors[0] = np.nan
    picker = ExamplePicker(total=10, shown=3)
    for first, last in ((0, 6), (6, 10)):
        part = {key: value[first:last] for key, value in batch.items()}
        answers = {"mask": predicted[first:last], "depth": 3 * mask[first:last]}
        picker.add(part, answers, np.arange(first, last) / 10, errors[first:last], name=lambda index: f"frame {index}")
    chosen = {kind: [int(case.name[-1]) for case in cases] for kind, cases in picker.pick().items()}
    # The median of 0 1 2 3 5 6 7 9 is 4.
    assert set(chosen.pop("typical")) in ({3, 5, 2}, {3, 5, 6})
    assert chosen == {"worst_mask": [0, 1, 2], "worst_empty": [8], "worst_depth": [7, 4, 1]}
    (alarm,) = picker.pick()["worst_empty"]
    assert alarm.pictures["bg"].dtype == np.uint8
    assert alarm.pictures["bg"][0, 0].tolist() == [51, 51, 51]
    assert alarm.pictures["predicted_mask"].tolist() == [[255, 0, 0], [0, 0, 0]]
    worst = picker.pick()["worst_mask"][0]
    assert worst.abs_rel is None
    assert worst.pictures["depth"].tolist() == [[3, 3, 3], [3, 3, 3]]


def test_only_a_sample_of_many_is_kept():
    picker = ExamplePicker(total=500, shown=2)
    picture = np.ones((100, 1, 1, 3), np.float32)
    plane = picture[..., :1]
    for first in range(0, 500, 100):
        batch = {"index": np.arange(first, first + 100), "bg": picture, "fg_bg": picture, "mask": plane, "depth": plane}
        ious = np.arange(first, first + 100) / 500
        picker.add(batch, {"mask": plane, "depth": plane}, ious, np.zeros(100), name=str)
    assert len(picker._sample) == 50
    assert [case.iou for case in picker.pick()["typical"]] == pytest.approx([0.5, 0.5], abs=0.05)


def test_what_cannot_be_compared_is_refused(data):
    evaluator.check_data(SETTINGS, data)
    with pytest.raises(ValueError, match="unit relative, these data are in the unit metre"):
        evaluator.check_data({**SETTINGS, "depth_unit": "relative"}, data)
    other = {**SETTINGS, "image_size": [96, 128]}
    with pytest.raises(ValueError, match=r"of 96x128 pixels, these are of 48x64; .*`any_size`"):
        evaluator.check_data(other, data)
    evaluator.check_data(other, data, any_size=True)


def test_data_without_what_is_needed(tiny_dataset):
    data = ShardData(tiny_dataset)
    data.counts = {"train": 20}
    with pytest.raises(ValueError, match="no test splits"):
        evaluator.check_data(SETTINGS, data)
    data.counts = {"train": 0, "unseen_both": 4}
    with pytest.raises(ValueError, match=r"no training examples .* `nobaselines`"):
        scored(constant(0.0, 0.5), data)


def test_a_network_that_answers_no_numbers_is_refused(data):
    with pytest.raises(ValueError, match="the network's mask is not a number"):
        scored(constant(float("nan"), 0.5), data, count=2, with_baselines=False)


def test_it_is_scored_at_the_size_of_the_last_stage():
    assert run_folder.last_stage_side(SETTINGS) == 40
