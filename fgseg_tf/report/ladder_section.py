"""The section of the ladder: a table for each score of masks by severity.

For some scores there is a chart too, as inline SVG, to see where lines cross.
No line has to be told from another by its colour: each baseline has dashes of its own, every line its name at its end.
"""

from collections.abc import Sequence
from itertools import accumulate

from fgseg_tf.data.exposures import SEVEREST
from fgseg_tf.evaluation import score_table
from fgseg_tf.evaluation.scores import LadderStep
from fgseg_tf.report import tables
from fgseg_tf.report.charts import Scale, choose_ticks, draw_dot, draw_grid_line, draw_label
from fgseg_tf.report.html import Html, html

WIDTH, HEIGHT = 320, 184  # of a panel, in its own units
LEFT, RIGHT, TOP, BOTTOM = 32, 232, 12, 152  # of what is plotted in it; names of lines are to its right
NAMES, GAP = 246, 13  # where names begin, and how far apart they are
PANELS = ("iou", "boundary_f")


def render_ladder(steps: Sequence[LadderStep]) -> Html:
    """Returns the section's content. steps: `ladder` of metrics.json, not empty."""
    blocks = []
    for row in score_table.LADDER_ROWS:
        lines = score_table.make_ladder_lines(steps, row)
        title = row.label[0].upper() + row.label[1:]
        panel = [_draw_panel(title, row, lines)] if row.name in PANELS else []
        by_severity = {str(step["severity"]): line for step, line in lines}
        table = tables.render_comparison(title, "severity", by_severity)
        blocks.append(html("<div class=rung>{}{}</div>", panel, table))
    return html("<div class=rungs>{}</div>", blocks)


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


def _draw_panel(title: str, row: score_table.Row, lines: list[tuple[LadderStep, score_table.Line]]) -> Html:
    across, up = Scale(0, SEVEREST, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    columns = list(lines[0][1].values)
    told = "; ".join(
        f"{score_table.COLUMNS[column]} {', '.join(line.format(column) for _, line in lines)}" for column in columns
    )
    severities = ", ".join(str(step["severity"]) for step, _ in lines)
    label = f"{title}, at severities {severities}: {told}"
    parts = [html('<svg viewBox="0 0 {} {}" role="img" aria-label="{}">', WIDTH, HEIGHT, label)]
    parts += [draw_grid_line(up(mark), LEFT, RIGHT, mark) for mark in choose_ticks(0, 1, 5)]
    for step, _ in lines:
        parts.append(draw_label(across(step["severity"]), BOTTOM + 16, str(step["severity"])))
    parts.append(draw_label((LEFT + RIGHT) / 2, HEIGHT - 3, "severity"))
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
    return html(
        '<figure class="panel"><figcaption>{} <small>{}</small></figcaption>{}</svg></figure>', title, better, parts
    )


def _draw_line(column: str, points: list[tuple[float, float, str]], name: float) -> Html:
    """points: x, y and what is said of them. name: how far down it is named."""
    drawn = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in points)
    called = score_table.COLUMNS[column]
    x, y, _ = points[-1]
    kind = "accent" if column == "network" else f"rival {column}"
    dots = [draw_dot(x, y, f"{called}, {label}") for x, y, label in points]
    pointer = html('<line x1="{:.1f}" x2="{}" y1="{:.1f}" y2="{:.1f}"/>', x + 3, NAMES - 3, y, name)
    text = html('<text x="{}" y="{:.1f}">{}</text>', NAMES, name + 4, called)
    return html('<g class="{}"><polyline points="{}"/>{}{}{}</g>', kind, drawn, dots, pointer, text)
