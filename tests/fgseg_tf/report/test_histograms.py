"""Histograms: what is in which bar, and where it is drawn."""

import re
from xml.etree import ElementTree

import numpy as np

from fgseg_tf.report import histograms
from fgseg_tf.report.histograms import Histogram


def drawing(histogram: Histogram) -> ElementTree.Element:
    return ElementTree.fromstring(re.findall("<svg.*</svg>", histograms.draw_histogram(histogram, "a < b"))[0])


def test_shares_by_hand():
    # Up to 50 %: ticks at 0, 20, 40, 60, so 24 bars of 2.5 %; nobody is left out.
    edges, counts = histograms.count_shares(np.array([0, 0.01, 0.024, 0.026, 0.5]))
    assert edges[:3] == [0, 2.5, 5]
    assert edges[-1] == 60
    assert {number: count for number, count in enumerate(counts) if count} == {0: 2, 1: 1, 20: 1}
    assert sum(histograms.count_shares(np.zeros(3))[1]) == 0


def test_codes_by_hand():
    codes = np.zeros(1 << 16, np.int64)
    # 0.5 to 2048 metres in 24 bars, each twice as far as two before: bar n from 0.5 x 2^(n/2).
    codes[[0, 1, 3, 5, 4096]] = 99, 10, 20, 30, 40
    edges, counts = histograms.count_codes(codes, 2, 0.5, 2048)
    np.testing.assert_allclose(edges[:4], [0.5, 0.5 * 2**0.5, 1, 2**0.5])
    assert {number: count for number, count in enumerate(counts) if count} == {0: 10, 3: 20, 4: 30, 23: 40}


def test_bars_are_where_they_should_be():
    svg = drawing(Histogram("Mask", "share", "%", "composites", [0, 10, 20], [1, 3]))
    assert svg.get("aria-label") == "Mask: a < b"
    low, high = svg.findall("rect")
    # 0 .. 20 across 44 .. 312 with 1 between bars; 25 and 75 of 0 .. 80 up from 140 to 24.
    assert [(bar.get("x"), bar.get("width")) for bar in (low, high)] == [("44.0", "133.0"), ("178.0", "133.0")]
    assert [(bar.get("y"), bar.get("height")) for bar in (low, high)] == [("103.8", "36.2"), ("31.2", "108.8")]
    assert high.find("title").text == "10 to 20 %: 3 composites, 75 %"
    texts = [text.text for text in svg.findall("text")]
    assert texts == ["0", "20", "40", "60", "80", "0", "5", "10", "15", "20", "% of 4 composites", "share, %"]


def test_a_logarithmic_axis():
    svg = drawing(Histogram("Depth", "depth", "m", "pixels", [0.5, 5, 50], [2, 2], logarithmic=True))
    # Ten times as far is half-way, 178; 1 is at log 2 of log 100.
    assert [bar.get("x") for bar in svg.findall("rect")] == ["44.0", "178.0"]
    marks = {text.text: text.get("x") for text in svg.findall("text") if text.get("y") == "156"}
    assert list(marks) == ["0.5", "1", "2", "5", "10", "20", "50"]
    assert marks["1"] == "84.3"
    assert marks["5"] == "178.0"
    # A narrow one has its ends named.
    svg = drawing(Histogram("Depth", "depth", "m", "pixels", [3, 3.02, 3.04], [2, 2], logarithmic=True))
    assert [text.text for text in svg.findall("text") if text.get("y") == "156"] == ["3", "3.04"]


def test_nothing_to_draw_is_still_said():
    drawn = histograms.draw_histogram(
        Histogram("Mask", "share", "%", "composites", [0, 1], [0]), "nobody in any of them"
    )
    assert "<svg" not in drawn
    assert "nobody in any of them" in drawn
