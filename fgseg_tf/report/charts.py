"""Charts of a training as inline SVG: a panel for each thing that was measured, over the examples seen.

Each panel has one line, named by its heading, so that no colour has to be told from another. Stages have a line of
their own each: their losses are seldom the same. Colours are those of the page (`currentColor` and the class names).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fgseg_tf.report.html import Html, html, join

WIDTH, HEIGHT = 320, 156  # of a panel, in its own units
LEFT, RIGHT, TOP, BOTTOM = 44, 312, 20, 132  # of what is plotted in it
# Of a row of history.json: key, heading, which way is better.
PANELS = (
    ("loss", "training loss", "lower is better"),
    ("mask", "training loss of the mask", "lower is better"),
    ("depth", "training loss of depth", "lower is better"),
    ("mask_iou", "mask IoU, unseen examples", "higher is better"),
    ("depth_delta_1", "depth δ < 1.25, unseen examples", "higher is better"),
    ("depth_abs_rel", "depth AbsRel, unseen examples", "lower is better"),
)


@dataclass(frozen=True)
class Scale:
    """Maps values to places along a side of a panel, linearly.

    Attributes:
        low: The value at `start`.
        high: The value at `end`.
        start: A place, in the panel's units.
        end: Likewise.
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Returns where a value is drawn."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def draw_panels(history: Sequence[Mapping[str, Any]]) -> Html:
    """Returns a panel for all that any epoch has measured. history: history.json."""
    drawn = []
    for key, heading, better in PANELS:
        rows = [row for row in history if isinstance(row.get(key), int | float) and math.isfinite(row[key])]
        if rows:
            drawn.append(
                html(
                    '<figure class="panel"><figcaption>{} <small>{}</small></figcaption>{}</figure>',
                    heading,
                    better,
                    _draw_panel(key, heading, rows, history),
                )
            )
    return join(drawn, "\n")


def _draw_panel(
    key: str, heading: str, rows: Sequence[Mapping[str, Any]], history: Sequence[Mapping[str, Any]]
) -> Html:
    values = [row[key] for row in rows]
    across = Scale(0, max(row["seen"] for row in history) or 1, LEFT, RIGHT)
    marks = choose_ticks(min(values), max(values))
    up = Scale(marks[0], marks[-1], BOTTOM, TOP)
    text = f"{heading}: from {values[0]:.4g} to {values[-1]:.4g} in {len(values)} epochs"
    parts = [html('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">', WIDTH, HEIGHT, text)]
    for mark in marks:
        parts.append(draw_grid_line(up(mark), LEFT, RIGHT, mark))
    for mark in choose_ticks(0, across.high, 3):
        if mark <= across.high:
            parts.append(draw_label(across(mark), HEIGHT - 6, abbreviate(mark)))
    stages = sorted({row["stage"] for row in history})
    for stage in stages:
        # Where it begins: where the one before it ended.
        begins = max((row["seen"] for row in history if row["stage"] < stage), default=0)
        if begins:
            x = across(begins)
            parts.append(html('<line class="stage" x1="{0:.1f}" x2="{0:.1f}" y1="4" y2="{1}"/>', x, BOTTOM))
        if len(stages) > 1:
            parts.append(html('<text class="stage" x="{:.1f}" y="11">stage {}</text>', across(begins) + 4, stage))
        of_stage = [row for row in rows if row["stage"] == stage]
        points = " ".join(f"{across(row['seen']):.1f},{up(row[key]):.1f}" for row in of_stage)
        if len(of_stage) > 1:
            parts.append(html('<polyline points="{}"/>', points))
        for row in of_stage:
            note = f"stage {stage}, epoch {row['epoch']}, {row['seen']:,} examples: {row[key]:.4g}"
            parts.append(draw_dot(across(row["seen"]), up(row[key]), note))
    return html("{}</svg>", parts)


def draw_grid_line(y: float, left: float, right: float, mark: float) -> Html:
    """Returns a line across a panel, and to its left what it is at."""
    return html(
        '<line class="grid" x1="{0}" x2="{1}" y1="{2:.1f}" y2="{2:.1f}"/>'
        '<text x="{3}" y="{4:.1f}" text-anchor="end">{5:g}</text>',
        left,
        right,
        y,
        left - 6,
        y + 4,
        mark,
    )


def draw_label(x: float, y: float, text: str) -> Html:
    """Returns a text whose middle is at a place."""
    return html('<text x="{:.1f}" y="{}" text-anchor="middle">{}</text>', x, y, text)


def draw_dot(x: float, y: float, note: str) -> Html:
    """Returns a dot that tells a note when it is pointed at."""
    return html('<circle cx="{:.1f}" cy="{:.1f}" r="2.5"><title>{}</title></circle>', x, y, note)


def choose_ticks(low: float, high: float, wanted: int = 4) -> list[float]:
    """Returns round numbers, about as many as wanted, the first not over `low` and the last not under `high`."""
    span = (high - low) or abs(high) or 1.0
    rough = span / wanted
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first = math.floor(low / step + 1e-9)
    last = max(math.ceil(high / step - 1e-9), first + 1)
    return [round(number * step, 12) for number in range(first, last + 1)]


def abbreviate(count: float) -> str:
    """Returns a count in few letters: 12000 -> 12k."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if count >= size:
            return f"{count / size:g}{letter}"
    return f"{count:g}"
