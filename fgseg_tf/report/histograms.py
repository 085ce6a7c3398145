"""Histograms as inline SVG; pointing at a bar shows its number."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from fgseg_tf.report.charts import LEFT, RIGHT, WIDTH, Scale, choose_ticks, draw_grid_line, draw_label
from fgseg_tf.report.html import Html, html

TOP, BOTTOM, HEIGHT = 24, 140, 178  # of what is plotted, and of the panel, in its own units
BARS, BETWEEN = 24, 1
MARKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200)  # of a logarithmic axis


@dataclass(frozen=True)
class Histogram:
    """What a histogram shows.

    Attributes:
        heading: Of the panel.
        axis: What the edges measure.
        unit: Of the edges.
        counted: What is counted, such as "pixels".
        edges: n + 1 values, ascending.
        counts: n numbers, between the edges.
        logarithmic: Whether the axis is.
    """

    heading: str
    axis: str
    unit: str
    counted: str
    edges: Sequence[float]
    counts: Sequence[int]
    logarithmic: bool = False


def count_shares(shares: np.ndarray) -> tuple[list[float], list[int]]:
    """Returns edges in per cent, from 0 to a round number, and counts. shares: [n], 0 to 1; zeros are left out."""
    percent = 100 * shares[shares > 0]
    edges = np.linspace(0, choose_ticks(0, percent.max(initial=1))[-1], BARS + 1)
    return edges.tolist(), np.histogram(percent, edges)[0].tolist()


def count_codes(codes: np.ndarray, scale: float, near: float, far: float) -> tuple[list[float], list[int]]:
    """Returns edges from near to far, in equal ratios, and counts.

    Args:
        codes: How often each code of depth occurs; code 0, the unknown, is left out.
        scale: Codes for each unit of depth.
        near: The first edge.
        far: The last edge.
    """
    edges = np.geomspace(near, far, BARS + 1)
    counts, _ = np.histogram(np.arange(1, len(codes)) / scale, edges, weights=codes[1:])
    return edges.tolist(), counts.astype(np.int64).tolist()


def draw_histogram(histogram: Histogram, summary: str) -> Html:
    """Returns the panel of a histogram. summary: what to take from it, in words."""
    caption = html("<figcaption>{} <small>{}</small></figcaption>", histogram.heading, summary)
    total = sum(histogram.counts)
    if not total:
        return html('<figure class="panel">{}</figure>', caption)
    shares = [100 * count / total for count in histogram.counts]
    heights = choose_ticks(0, max(shares))
    up = Scale(0, heights[-1], BOTTOM, TOP)
    label = f"{histogram.heading}: {summary}"
    parts = [html('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">', WIDTH, HEIGHT, label)]
    parts += [draw_grid_line(up(mark), LEFT, RIGHT, mark) for mark in heights]
    across, marks = _across(histogram)
    for mark in marks:
        parts.append(draw_label(across(mark), BOTTOM + 16, f"{mark:.3g}"))
    parts.append(html('<text x="0" y="11">% of {:,} {}</text>', total, histogram.counted))
    parts.append(draw_label(round((LEFT + RIGHT) / 2), HEIGHT - 6, f"{histogram.axis}, {histogram.unit}"))
    for start, end, count, share in zip(
        histogram.edges[:-1], histogram.edges[1:], histogram.counts, shares, strict=True
    ):
        title = f"{start:.3g} to {end:.3g} {histogram.unit}: {count:,} {histogram.counted}, {share:.2g} %"
        left, width = across(start), across(end) - across(start) - BETWEEN
        parts.append(
            html(
                '<rect class="column" x="{:.1f}" width="{:.1f}" y="{:.1f}" height="{:.1f}"><title>{}</title></rect>',
                left,
                width,
                up(share),
                BOTTOM - up(share),
                title,
            )
        )
    return html('<figure class="panel">{}{}</svg></figure>', caption, parts)


def _across(histogram: Histogram) -> tuple[Callable[[float], float], list[float]]:
    """Returns the scale from values to places across, and the values to name."""
    first, last = histogram.edges[0], histogram.edges[-1]
    if not histogram.logarithmic:
        return Scale(first, last, LEFT, RIGHT), choose_ticks(first, last)
    scale = Scale(math.log(first), math.log(last), LEFT, RIGHT)
    marks = [mark for mark in MARKS if first <= mark <= last]
    return lambda value: scale(math.log(value)), marks if len(marks) > 1 else [first, last]
