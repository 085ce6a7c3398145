"""The section of the ladder: a table for each score of masks by severity.

For some scores there is a chart too, as inline SVG, to see where lines cross.
No line has to be told from another by its colour: each baseline has dashes of its own, every line its name at its end.
"""

from collections.abc import Sequence
from html import escape
from itertools import accumulate

from fgseg_tf.data.exposures import SEVEREST
from fgseg_tf.evaluation import score_table
from fgseg_tf.evaluation.scores import LadderStep
from fgseg_tf.report import tables
from fgseg_tf.report.charts import Scale, choose_ticks

WIDTH, HEIGHT = 320, 184  # of a panel, in its own units
LEFT, RIGHT, TOP, BOTTOM = 32, 232, 12, 152  # of what is plotted in it; names of lines are to its right
NAMES, GAP = 246, 13  # where names begin, and how far apart they are
PANELS = ("iou", "boundary_f")


def render_ladder(steps: Sequence[LadderStep]) -> str:
    """Returns the section's content. steps: `ladder` of metrics.json, not empty."""
    blocks = []
    for row in score_table.LADDER_ROWS:
        lines = score_table.make_ladder_lines(steps, row)
        title = row.label[0].upper() + row.label[1:]
        panel = _draw_panel(title, row, lines) if row.name in PANELS else ""
        by_severity = {str(step["severity"]): line for step, line in lines}
        table = tables.render_comparison(title, "severity", by_severity)
        blocks.append(f"<div class=rung>{panel}{table}</div>")
    return f"<div class=rungs>{''.join(blocks)}</div>"


def spread_apart(wanted: list[float]) -> list[float]:
    """Returns places down a panel, ascending: those wanted, pushed apart until they are GAP apart, and all inside."""
    # Less one GAP for each that is above, they are far enough apart if they do not fall.
    level = [place - GAP * number for number, place in enumerate(wanted)]
    highest = accumulate(level, max)
    lowest = reversed(list(accumulate(reversed(level), min)))
    room = BOTTOM - GAP * (len(wanted) - 1)
    return [
        min(max((high + low) / 2, TOP), room) + GAP * number
        for number, (high, low) in enumerate(zip(highest, lowest, strict=True))
    ]


def _draw_panel(title: str, row: score_table.Row, lines: list[tuple[LadderStep, score_table.Line]]) -> str:
    across, up = Scale(0, SEVEREST, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    columns = list(lines[0][1].values)
    told = "; ".join(
        f"{score_table.COLUMNS[column]} {', '.join(line.format(column) for _, line in lines)}" for column in columns
    )
    severities = ", ".join(str(step["severity"]) for step, _ in lines)
    label = f"{title}, at severities {severities}: {told}"
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(label)}">']
    for mark in choose_ticks(0, 1, 5):
        y = up(mark)
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{mark:g}</text>')
    for step, _ in lines:
        x = across(step["severity"])
        parts.append(f'<text x="{x:.1f}" y="{BOTTOM + 16}" text-anchor="middle">{step["severity"]}</text>')
    parts.append(f'<text x="{(LEFT + RIGHT) / 2:.1f}" y="{HEIGHT - 3}" text-anchor="middle">severity</text>')
    points = {
        column: [
            (across(step["severity"]), up(value), f"severity {step['severity']}: {line.format(column)}")
            for step, line in lines
            if (value := line.values[column]) is not None
        ]
        for column in columns
    }
    ends = {column: of_line[-1] for column, of_line in points.items() if of_line}
    by_end = sorted(ends, key=lambda column: ends[column][1])
    names = dict(zip(by_end, spread_apart([ends[column][1] for column in by_end]), strict=True))
    # The network last, and so over the others.
    parts += [_draw_line(column, points[column], names[column]) for column in reversed(columns) if column in ends]
    better = "higher is better" if row.higher else "lower is better"
    return (
        f'<figure class="panel"><figcaption>{escape(title)} <small>{better}</small></figcaption>'
        f"{''.join(parts)}</svg></figure>"
    )


def _draw_line(column: str, points: list[tuple[float, float, str]], name: float) -> str:
    """points: x, y and what is said of them. name: how far down it is named."""
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    called = escape(score_table.COLUMNS[column])
    x, y, _ = points[-1]
    kind = "accent" if column == "network" else f"rival {column}"
    return (
        f'<g class="{kind}"><polyline points="{drawn}"/>'
        + "".join(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5"><title>{called}, {escape(label)}</title></circle>'
            for x, y, label in points
        )
        + f'<line x1="{x + 3:.1f}" x2="{NAMES - 3}" y1="{y:.1f}" y2="{name:.1f}"/>'
        + f'<text x="{NAMES}" y="{name + 4:.1f}">{called}</text></g>'
    )
