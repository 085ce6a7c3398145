"""Histograms as inline SVG; pointing at a bar shows its number."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from fgseg_tf.report.charts import LEFT, RIGHT, WIDTH, Scale, choose_ticks

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


def draw_histogram(histogram: Histogram, summary: str) -> str:
    """Returns the panel of a histogram. summary: what to take from it, in words."""
    caption = f"<figcaption>{escape(histogram.heading)} <small>{escape(summary)}</small></figcaption>"
    total = sum(histogram.counts)
    if not total:
        return f'<figure class="panel">{caption}</figure>'
    shares = [100 * count / total for count in histogram.counts]
    heights = choose_ticks(0, max(shares))
    up = Scale(0, heights[-1], BOTTOM, TOP)
    label = escape(f"{histogram.heading}: {summary}")
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">']
    for mark in heights:
        y = up(mark)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{mark:g}</text>')
    across, marks = _across(histogram)
    for mark in marks:
        parts.append(f'<text x="{across(mark):.1f}" y="{BOTTOM + 16}" text-anchor="middle">{mark:.3g}</text>')
    axis = escape(f"{histogram.axis}, {histogram.unit}")
    parts.append(f'<text x="0" y="11">% of {total:,} {escape(histogram.counted)}</text>')
    parts.append(f'<text x="{(LEFT + RIGHT) / 2:.0f}" y="{HEIGHT - 6}" text-anchor="middle">{axis}</text>')
    for start, end, count, share in zip(
        histogram.edges[:-1], histogram.edges[1:], histogram.counts, shares, strict=True
    ):
        title = escape(f"{start:.3g} to {end:.3g} {histogram.unit}: {count:,} {histogram.counted}, {share:.2g} %")
        left, width = across(start), across(end) - across(start) - BETWEEN
        parts.append(
            f'<rect class="column" x="{left:.1f}" width="{width:.1f}" y="{up(share):.1f}" '
            f'height="{BOTTOM - up(share):.1f}"><title>{title}</title></rect>'
        )
    return f'<figure class="panel">{caption}{"".join(parts)}</svg></figure>'


def _across(histogram: Histogram) -> tuple[Callable[[float], float], list[float]]:
    """Returns the scale from values to places across, and the values to name."""
    first, last = histogram.edges[0], histogram.edges[-1]
    if not histogram.logarithmic:
        return Scale(first, last, LEFT, RIGHT), choose_ticks(first, last)
    scale = Scale(math.log(first), math.log(last), LEFT, RIGHT)
    marks = [mark for mark in MARKS if first <= mark <= last]
    return lambda value: scale(math.log(value)), marks if len(marks) > 1 else [first, last]
