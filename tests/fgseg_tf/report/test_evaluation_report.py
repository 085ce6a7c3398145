"""The report as a reader's browser gets it, and what a terminal shows, from scores made up to be recognised."""

import base64
import io
import re
from itertools import pairwise
from xml.etree import ElementTree

import browser
import numpy as np
import pytest
from PIL import Image
from reader import Reader

from fgseg_tf.evaluation import score_table
from fgseg_tf.evaluation.evaluator import Evaluation
from fgseg_tf.evaluation.example_picker import Case
from fgseg_tf.report import charts, ladder_section
from fgseg_tf.report import evaluation_report as report
from fgseg_tf.report.figures import Legend
from fgseg_tf.report.html import read_static

HEIGHT, WIDTH = 6, 8


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
        "both_ways": True,
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


def climbed(*columns: str) -> list[dict]:
    """Boundary F is half of IoU; false alarms rise, and have nowhere been measured for MOG2."""
    names = ("mask/iou", "mask/boundary_f", "mask/false_positive_rate")
    steps = []
    for severity in range(5):
        ious = {column: RUNGS[column](severity) for column in columns}
        found = {
            column: dict(zip(names, (iou, iou / 2, None if column == "mog2" else severity / 100), strict=True))
            for column, iou in ious.items()
        }
        steps.append({"severity": severity, "split": "unseen_both", "examples": 48, **found})
    return steps


def row(stage: int, epoch: int, seen: int, **measured) -> dict:
    return {"stage": stage, "epoch": epoch, "seen": seen, "seconds": 30.0, **measured}


SETTINGS = {"network": "base", "stages": ["1@32 mask_loss=dice", "1@64 mask_loss=bce"], "seed": 4711}
HISTORY = [row(1, 1, 100, loss=0.9, mask_iou=0.25), row(1, 2, 200, loss=0.4), row(2, 1, 300, loss=0.3, mask_iou=0.75)]
CASES = {"typical": [case("bg000-fg001-p02")], "worst_mask": [case("<b>bold", None)], "worst_empty": []}
# Mean IoU at severity s.
RUNGS = {
    "network": lambda s: 1 - s / 8,
    "difference": lambda s: 1 - s / 4,
    "mog2": lambda s: 0.5,
    "knn": lambda s: 0.25 + s / 16,
}
SCORES = scores(seen_both=split(20, 0.6011), unseen_both=split(40, 0.8123))


@pytest.fixture(scope="module")
def page() -> str:
    return report.render_report(SETTINGS, "--network=base\n--run=a<b\n", HISTORY, Evaluation(SCORES, CASES))


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
    assert f"{HEIGHT}x{WIDTH} pixels, both ways" in text
    assert "over 26 of 255 in any channel, then a median over 3 px" in text
    assert "mask IoU 0.753" in text
    assert "<b>bold" in text  # as text, not as bold
    assert "Worst false alarms" not in text  # there were none


def test_the_headline_in_words():
    said = " ".join(report.summarize("unseen_both", split(40, 0.8123))).replace("\N{NO-BREAK SPACE}", " ")
    assert said == (
        "On unseen backgrounds, unseen cut-outs (40 examples): the mask overlaps the truth by 81.2 % (IoU, mean of "
        "images); the best that needs no training, a tuned difference, by 50.0 %. Depth is off by 12.3 % of the "
        "distance on average, and within a quarter of it on 87.7 % of pixels. On objects it is off by 20.0 %; the true "
        "depth of what they hide is off by 45.0 %."
    )


def test_the_best_is_marked_in_more_than_colour(page):
    assert "<td class=best><b>0.812</b><span> best</span></td>" in page
    lines = {line.row.name: line for line in score_table.make_lines(split(1, 0.4996), "mask")}
    # By what is shown: 0.4996 is 0.500, as two baselines have.
    assert lines["iou"].best == {"network", "difference", "mog2"}
    # Whoever is told the scenery's depth is no rival there.
    assert [line.best for line in score_table.make_lines(SCORES["splits"]["seen_both"], "depth")] == [set()] * 3
    (on_objects,) = score_table.make_lines(SCORES["splits"]["seen_both"], "depth_object")
    assert on_objects.best == {"network"}
    # What was not measured has no line.
    assert "false_positive_rate" not in lines


def test_notes_on_data_that_tell_less():
    other = {**scores(test=split(9, 0.9)), "trained_on_these_data": False}
    text = Reader(report.render_report(SETTINGS, "", [], Evaluation(other, {}))).text
    assert report.OTHER_DATA in text
    assert "test pictures were seen in training" in text
    alone = {**scores(seen_both=split(9, 0.9, None)), "thresholds": {}}
    assert "Without baselines" in Reader(report.render_report(SETTINGS, "", [], Evaluation(alone, {}))).text


def test_the_terminal():
    said = score_table.format_scores(SCORES).splitlines()
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
    assert charts.choose_ticks(0.1, 0.9) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert charts.choose_ticks(0, 250, 3) == [0, 100, 200, 300]
    assert charts.choose_ticks(-0.3, 0.3) == [-0.4, -0.2, 0, 0.2, 0.4]
    assert charts.choose_ticks(2.0, 2.0) == [2.0, 2.5]
    assert charts.choose_ticks(0.0, 0.0)[0] == 0


def test_curves():
    drawn = charts.draw_panels(HISTORY)
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
    assert charts.draw_panels([]) == ""
    assert charts.draw_panels([row(1, 1, 5, loss=float("nan"))]) == ""


def test_the_legend_spans_what_is_shown():
    shown = case("one")
    shown.pictures["depth"][0, 0] = 0  # unknown
    legend = Legend.from_cases({"typical": [shown]})
    known = shown.pictures["depth"][shown.pictures["depth"] > 0]
    assert (legend.near, legend.far) == (known.min(), known.max())
    marks = [word for word in Reader(legend.render()).words if word[0].isdigit()]
    assert marks == [f"{mark:g}" for mark in (2, 5, 10, 20) if legend.near <= mark <= legend.far]
    assert Legend.from_cases({}).far > Legend.from_cases({}).near


def with_ladder(*columns: str) -> str:
    return report.render_report(SETTINGS, "", HISTORY, Evaluation({**SCORES, "ladder": climbed(*columns)}, {}))


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_in_a_browser_nothing_is_wider_than_the_screen(tmp_path, width):
    evaluation = Evaluation({**SCORES, "ladder": climbed(*RUNGS)}, CASES)
    path = tmp_path / "report.html"
    path.write_text(report.render_report(SETTINGS, "--network=base\n--run=a<b\n", HISTORY, evaluation))
    opened = "for (const details of document.querySelectorAll('details')) details.open = true"
    with browser.started() as tab:
        tab.go(path.as_uri(), width)
        assert tab.ask(browser.WIDTHS) == [width, width]
        tab.ask(opened)
        assert tab.ask(browser.WIDTHS) == [width, width]
        assert tab.console == []


def panels(*columns: str) -> list[ElementTree.Element]:
    """The drawings of the section, which are XML too."""
    return [
        ElementTree.fromstring(svg)
        for svg in re.findall("<svg.*?</svg>", ladder_section.render_ladder(climbed(*columns)))
    ]


def test_the_ladder_has_a_section_of_its_own(page):
    reader = Reader(with_ladder(*RUNGS))
    sections = [attributes["id"] for attributes in reader.attributes("section")]
    assert sections == ["scores", "ladder", "training", "run"]
    # Only to what is there; without cases there are no pictures.
    assert [attributes["href"] for attributes in reader.attributes("a")] == [f"#{section}" for section in sections]
    said = (
        "48 examples of unseen backgrounds, unseen cut-outs, at severities of what differs between two exposures: from "
        "0, composites as they are, to 4, badly different ones; false alarms are of the same examples with nobody in "
        "the frame."
    )
    assert f"{said} The baselines were tuned at each severity anew." in reader.text
    alone = {**SCORES, "thresholds": {}, "ladder": climbed("network")}
    text = Reader(report.render_report(SETTINGS, "", HISTORY, Evaluation(alone, {}))).text
    assert said in text
    assert "tuned at each severity" not in text
    # Nobody climbed: in `page`, and where --ladder=0 said so.
    for without in (page, report.render_report(SETTINGS, "", HISTORY, Evaluation({**SCORES, "ladder": []}, CASES))):
        targets = [attributes["href"] for attributes in Reader(without).attributes("a")]
        assert targets == ["#scores", "#training", "#typical", "#run"]
        assert "severit" not in Reader(without).text


def test_a_line_of_the_ladder_is_where_it_should_be():
    iou, boundary = panels(*RUNGS)
    assert iou.get("role") == boundary.get("role") == "img"
    assert iou.get("aria-label") == (
        "IoU, mean of images, at severities 0, 1, 2, 3, 4: network 1.000, 0.875, 0.750, 0.625, 0.500; "
        "difference 1.000, 0.750, 0.500, 0.250, 0.000; MOG2 0.500, 0.500, 0.500, 0.500, 0.500; "
        "KNN 0.250, 0.312, 0.375, 0.438, 0.500"
    )
    assert boundary.get("aria-label").startswith("Boundary F, at severities 0, 1, 2, 3, 4: network 0.500, 0.438, ")
    # The network is drawn last, over the others. Severities 0 .. 4 across 32 .. 232, scores 0 .. 1 from 152 up to 12.
    lines = {line.get("class"): line for line in iou.findall("g")}
    assert list(lines) == ["rival knn", "rival mog2", "rival difference", "accent"]
    points = {name: line.find("polyline").get("points") for name, line in lines.items()}
    assert points["accent"] == "32.0,12.0 82.0,29.5 132.0,47.0 182.0,64.5 232.0,82.0"
    assert points["rival difference"] == "32.0,12.0 82.0,47.0 132.0,82.0 182.0,117.0 232.0,152.0"
    assert points["rival mog2"] == "32.0,82.0 82.0,82.0 132.0,82.0 182.0,82.0 232.0,82.0"
    assert points["rival knn"] == "32.0,117.0 82.0,108.2 132.0,99.5 182.0,90.8 232.0,82.0"
    for name, line in lines.items():
        circles = line.findall("circle")
        assert " ".join(f"{circle.get('cx')},{circle.get('cy')}" for circle in circles) == points[name]
        assert len({circle.find("title").text for circle in circles}) == 5
    assert lines["accent"].findall("circle")[3].find("title").text == "network, severity 3: 0.625"
    # Each has dashes of its own.
    for name in ("difference", "mog2", "knn"):
        assert f".{name} polyline {{ stroke-dasharray:" in read_static("report.css")
    # The scale of both, upwards, and the severities.
    for panel in (iou, boundary):
        texts = panel.findall("text")
        assert [mark.text for mark in texts] == ["0", "0.2", "0.4", "0.6", "0.8", "1", *"01234", "severity"]
        assert [float(mark.get("y")) for mark in texts[:6]] == [156, 128, 100, 72, 44, 16]


def test_every_line_of_the_ladder_is_named_at_its_end():
    for columns in (RUNGS, ("network",), ("network", "difference")):
        for panel in panels(*columns):
            names = {line.find("text").text: line for line in panel.findall("g")}
            assert set(names) == {score_table.COLUMNS[column] for column in columns}
            for line in names.values():
                from_end, name = line.find("line"), line.find("text")
                assert from_end.get("y1") == line.findall("circle")[-1].get("cy")
                assert float(name.get("y")) == float(from_end.get("y2")) + 4
            heights = sorted(float(line.find("text").get("y")) for line in names.values())
            assert all(below - above >= ladder_section.GAP for above, below in pairwise(heights))
    # Three lines end at 82, halfway up, and one at 152, the floor.
    ends = {line.find("text").text: line.find("text").get("y") for line in panels(*RUNGS)[0].findall("g")}
    assert ends == {"network": "73.0", "MOG2": "86.0", "KNN": "99.0", "difference": "156.0"}


def test_names_are_moved_apart():
    assert ladder_section.spread_apart([20, 60, 73]) == [20, 60, 73]
    assert ladder_section.spread_apart([50, 50]) == [43.5, 56.5]
    assert ladder_section.spread_apart([50, 60, 100]) == [48.5, 61.5, 100]
    # Not out of the panel, which is from 12 to 152.
    assert ladder_section.spread_apart([12, 12, 14]) == [12, 25, 38]
    assert ladder_section.spread_apart([100, 150, 152]) == [100, 139, 152]
    assert ladder_section.spread_apart([]) == []


def test_what_was_not_measured_on_the_ladder_has_no_point():
    steps = climbed("network", "difference")
    steps[4]["network"]["mask/iou"] = None
    for step in steps:
        step["difference"]["mask/iou"] = None
    (line,) = ElementTree.fromstring(re.findall("<svg.*?</svg>", ladder_section.render_ladder(steps))[0]).findall("g")
    assert line.get("class") == "accent"
    assert line.find("polyline").get("points") == "32.0,12.0 82.0,29.5 132.0,47.0 182.0,64.5"
    assert line.find("line").get("y1") == "64.5"


def test_the_numbers_of_the_ladder():
    section = ladder_section.render_ladder(climbed(*RUNGS))
    captions = ["IoU, mean of images", "Boundary F", "False alarms if empty"]
    assert re.findall("<caption>(.*?)</caption>", section) == captions
    heads = ["severity", "network", "difference", "MOG2", "KNN"]
    assert re.findall("<th scope=col>(.*?)</th>", section) == heads * 3
    assert re.findall("<th scope=row>(.*?)</th>", section) == [*"01234"] * 3
    iou, boundary, alarms = section.split("<caption>")[1:]
    best = "<td class=best><b>{}</b><span> best</span></td>"
    assert f"<th scope=row>2</th>{best.format('0.750')}<td>0.500</td><td>0.500</td><td>0.375</td></tr>" in iou
    # Two are the best together.
    assert f"<th scope=row>0</th>{best.format('0.500') * 2}<td>0.250</td><td>0.125</td></tr>" in boundary
    assert "<th scope=row>3</th><td>0.03000</td><td>0.03000</td><td>–</td><td>0.03000</td></tr>" in alarms


def test_the_ladder_on_the_terminal():
    assert score_table.format_ladder(climbed("network", "difference", "mog2")).splitlines() == [
        "the ladder: masks where two exposures differ, from 0 (not) to 4 (badly); unseen_both, 48 examples",
        "  IoU, mean of images      network   difference     MOG2",
        "                       0     1.000*       1.000*   0.500",
        "                       1     0.875*       0.750    0.500",
        "                       2     0.750*       0.500    0.500",
        "                       3     0.625*       0.250    0.500",
        "                       4     0.500*       0.000    0.500*",
        "  boundary F               network   difference     MOG2",
        "                       0     0.500*       0.500*   0.250",
        "                       1     0.438*       0.375    0.250",
        "                       2     0.375*       0.250    0.250",
        "                       3     0.312*       0.125    0.250",
        "                       4     0.250*       0.000    0.250*",
        "  false alarms if empty    network   difference     MOG2",
        "                       0   0.00000      0.00000        –",
        "                       1   0.01000      0.01000        –",
        "                       2   0.02000      0.02000        –",
        "                       3   0.03000      0.03000        –",
        "                       4   0.04000      0.04000        –",
    ]
    assert max(len(line) for line in score_table.format_ladder(climbed(*RUNGS)).splitlines()) <= 100
