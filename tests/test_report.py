"""The report as a reader's browser gets it, and what a terminal shows, from scores made up to be recognised."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from fgseg_tf import curves, report, score_table
from fgseg_tf.cases import Case
from fgseg_tf.evaluation import Evaluation
from fgseg_tf.report_pictures import Legend

HEIGHT, WIDTH = 6, 8
VOID = {"meta", "img", "br"}


def split(examples: int, iou: float, difference: float | None = 0.5) -> dict:
    found = {"examples": examples, "network": {"mask/iou": iou, "depth/abs_rel": 0.123, "depth/delta1": 0.877}}
    found["network"] |= {"mask/false_positive_rate": None, "depth_object/abs_rel": 0.2, "depth/rmse": 1.5}
    if difference is not None:
        found |= {name: {"mask/iou": difference} for name in ("difference", "mog2")} | {"knn": {"mask/iou": 0.25}}
        found["background_depth"] = {"depth/abs_rel": 0.05, "depth_object/abs_rel": 0.45}
    return found


def scores(**splits) -> dict:
    threshold = {"kind": "any", "threshold": 36}
    return {
        "data": {"shards": "gs://bucket/<data>"},
        "digest": "d1ge57",
        "labels": "exact",
        "depth_unit": "metre",
        "image_size": [HEIGHT, WIDTH],
        "parameters": 1234567,
        "splits": splits,
        "thresholds": {"difference": {"threshold": 0.1, "median": 3}, "mog2": threshold, "knn": threshold},
        "seconds": {"all": 100.0},
    }


def case(name: str, abs_rel: float | None = 0.3) -> Case:
    rng = np.random.default_rng(len(name))
    pictures = {key: rng.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8) for key in ("bg", "fg_bg")}
    pictures |= {key: np.uint8(255) * (rng.random((HEIGHT, WIDTH)) < 0.5) for key in ("mask", "predicted_mask")}
    pictures |= {key: rng.uniform(2, 20, (HEIGHT, WIDTH)).astype(np.float16) for key in ("depth", "predicted_depth")}
    return Case(name, 0.7531, abs_rel, pictures)


def row(stage: int, epoch: int, seen: int, **measured) -> dict:
    return {"stage": stage, "epoch": epoch, "seen": seen, "seconds": 30.0, **measured}


SETTINGS = {"network": "base", "stages": ["1@32 mask_loss=dice", "1@64 mask_loss=bce"], "seed": 4711}
HISTORY = [row(1, 1, 100, loss=0.9, mask_iou=0.25), row(1, 2, 200, loss=0.4), row(2, 1, 300, loss=0.3, mask_iou=0.75)]
CASES = {"typical": [case("bg000-fg001-p02")], "worst_mask": [case("<b>bold", None)], "worst_empty": []}
SCORES = scores(seen_both=split(20, 0.6011), unseen_both=split(40, 0.8123))


class Reader(HTMLParser):
    """Reads a page, and fails where a tag is not closed by its own."""

    def __init__(self, page: str):
        super().__init__()
        self.open, self.tags, self.words = [], [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)

    def attributes(self, tag: str) -> list[dict]:
        return [attributes for found, attributes in self.tags if found == tag]


@pytest.fixture(scope="module")
def page() -> str:
    return report.page(SETTINGS, "--network=base\n--run=a<b\n", HISTORY, Evaluation(SCORES, CASES))


def test_it_is_whole_and_needs_nothing_else(page):
    reader = Reader(page)
    assert page.startswith("<!DOCTYPE html>")
    assert not reader.attributes("script")
    for tag, attributes in reader.tags:
        for key in ("src", "href"):
            assert attributes.get(key, "#").startswith(("#", "data:image/")), tag
    assert "url(" not in page
    assert "@import" not in page
    assert "http" not in page
    # Links lead to where something is.
    targets = {attributes["id"] for _, attributes in reader.tags if "id" in attributes}
    assert {attributes["href"][1:] for attributes in reader.attributes("a")} <= targets


def test_every_picture_decodes(page):
    pictures = Reader(page).attributes("img")
    assert len(pictures) == 2 * 6
    for attributes in pictures:
        data = base64.b64decode(attributes["src"].partition(",")[2], validate=True)
        assert Image.open(io.BytesIO(data)).convert("RGB").size == (WIDTH, HEIGHT)
        assert (attributes["width"], attributes["height"]) == (str(WIDTH), str(HEIGHT))
        assert attributes["alt"]


def test_masks_are_as_they_were(page):
    masks = [image["src"] for image in Reader(page).attributes("img") if image["alt"] == "mask of bg000-fg001-p02"]
    shown = Image.open(io.BytesIO(base64.b64decode(masks[0].partition(",")[2])))
    np.testing.assert_array_equal(np.asarray(shown), CASES["typical"][0].pictures["mask"])


def test_it_says_what_was_measured_and_what_was_run(page):
    text = Reader(page).text
    for number in ("0.812", "0.601", "0.500", "0.250", "0.123", "0.877", "1.50"):
        assert number in text, number
    for words in ("unseen backgrounds, unseen cut-outs", "d1ge57", "--run=a<b", "gs://bucket/<data>", "4711"):
        assert words in text, words
    assert "1,234,567 parameters" in text
    assert "over 26 of 255 in any channel, then a median over 3 px" in text
    assert "mask IoU 0.753" in text
    assert "<b>bold" in text  # as text, not as bold
    assert "Worst false alarms" not in text  # there were none


def test_the_headline_in_words():
    said = " ".join(report.headline("unseen_both", split(40, 0.8123))).replace("\N{NO-BREAK SPACE}", " ")
    assert said == (
        "On unseen backgrounds, unseen cut-outs (40 examples): the mask overlaps the truth by 81.2 % (IoU, mean of "
        "images); the best that needs no training, a tuned difference, by 50.0 %. Depth is off by 12.3 % of the "
        "distance on average, and within a quarter of it on 87.7 % of pixels. On objects it is off by 20.0 %; the true "
        "depth of what they hide is off by 45.0 %."
    )


def test_the_best_is_marked_in_more_than_colour(page):
    assert "<td class=best><b>0.812</b><span> best</span></td>" in page
    lines = {line.row.name: line for line in score_table.lines(split(1, 0.4996), "mask")}
    # By what is shown: 0.4996 is 0.500, as two baselines have.
    assert lines["iou"].best == {"network", "difference", "mog2"}
    # Whoever is told the scenery's depth is no rival there.
    assert [line.best for line in score_table.lines(SCORES["splits"]["seen_both"], "depth")] == [set()] * 3
    (on_objects,) = score_table.lines(SCORES["splits"]["seen_both"], "depth_object")
    assert on_objects.best == {"network"}
    # What was not measured has no line.
    assert "false_positive_rate" not in lines


def test_notes_on_data_that_tell_less():
    other = {**scores(test=split(9, 0.9)), "trained_on_these_data": False}
    text = Reader(report.page(SETTINGS, "", [], Evaluation(other, {}))).text
    assert report.OTHER_DATA in text
    assert "test pictures were seen in training" in text
    alone = {**scores(seen_both=split(9, 0.9, None)), "thresholds": {}}
    assert "Without baselines" in Reader(report.page(SETTINGS, "", [], Evaluation(alone, {}))).text


def test_the_terminal():
    said = score_table.terminal(SCORES).splitlines()
    assert said[:5] == [
        "seen_both: seen backgrounds, seen cut-outs; 20 examples",
        "                                 network   difference     MOG2      KNN   empty scene",
        "  mask      IoU, mean of images    0.601*       0.500    0.500    0.250",
        "  depth     AbsRel                 0.123                                        0.050",
        "            δ < 1.25               0.877                                            –",
    ]
    assert said[-1].split() == ["objects", "AbsRel", "0.200*", "0.450"]
    assert max(len(line) for line in said) <= 100


def test_ticks_are_round_and_hold_everything():
    assert curves.ticks(0.1, 0.9) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert curves.ticks(0, 250, 3) == [0, 100, 200, 300]
    assert curves.ticks(-0.3, 0.3) == [-0.4, -0.2, 0, 0.2, 0.4]
    assert curves.ticks(2.0, 2.0) == [2.0, 2.5]
    assert curves.ticks(0.0, 0.0)[0] == 0


def test_curves():
    drawn = curves.panels(HISTORY)
    reader = Reader(drawn)
    # Only what was measured; each of its points is there, and a line for the stage that has two.
    assert [attributes["aria-label"] for attributes in reader.attributes("svg")] == [
        "training loss: from 0.9 to 0.3 in 3 epochs",
        "mask IoU, unseen examples: from 0.25 to 0.75 in 2 epochs",
    ]
    assert len(reader.attributes("circle")) == 3 + 2
    (line,) = reader.attributes("polyline")
    # Examples 100 and 200 of 300 across 44 .. 312; losses on a scale of 0.2 .. 1, downwards from 132 to 20.
    assert line["points"] == "133.3,34.0 222.7,104.0"
    assert "stage 2, epoch 1, 300 examples: 0.75" in reader.text
    assert curves.panels([]) == ""
    assert curves.panels([row(1, 1, 5, loss=float("nan"))]) == ""


def test_the_legend_spans_what_is_shown():
    shown = case("one")
    shown.pictures["depth"][0, 0] = 0  # unknown
    legend = Legend.of({"typical": [shown]})
    known = shown.pictures["depth"][shown.pictures["depth"] > 0]
    assert (legend.near, legend.far) == (known.min(), known.max())
    marks = [word for word in Reader(legend.drawn()).words if word[0].isdigit()]
    assert marks == [f"{mark:g}" for mark in (2, 5, 10, 20) if legend.near <= mark <= legend.far]
    assert Legend.of({}).far > Legend.of({}).near
