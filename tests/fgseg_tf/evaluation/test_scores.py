"""metrics.json, as trainings are compared by it."""

import json

import pytest

from fgseg_tf.evaluation.scores import read_scores

SPLIT = {"examples": 4, "network": {"mask/iou": 0.5, "depth/abs_rel": None}}


def test_scores_are_read_back(tmp_path):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps({"splits": {"test": SPLIT}}))
    assert read_scores(str(path), ["mask/iou"])["splits"]["test"] == SPLIT


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ([], "is not an object"),
        ({}, "splits is missing"),
        ({"splits": {}}, "splits is empty"),
        ({"splits": {"test": 7}}, "splits.test is not an object"),
        ({"splits": {"test": {**SPLIT, "examples": "4"}}}, "splits.test.examples is not a whole number"),
        ({"splits": {"test": {**SPLIT, "network": {}}}}, "splits.test.network.mask/iou is missing"),
        (
            {"splits": {"test": {**SPLIT, "network": {"mask/iou": float("nan")}}}},
            "network.mask/iou is not a number",
        ),
    ],
)
def test_what_is_not_believed(tmp_path, scores, said):
    path = tmp_path / "metrics.json"
    path.write_text(json.dumps(scores))
    with pytest.raises(ValueError, match=r"metrics\.json.*; evaluate again\.$") as raised:
        read_scores(str(path), ["mask/iou"])
    assert said in str(raised.value)
