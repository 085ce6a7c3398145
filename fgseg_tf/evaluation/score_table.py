"""Which scores are shown, under which labels, and which way is better; and the tables of them on a terminal."""

from collections.abc import Sequence
from dataclasses import dataclass

from fgseg_tf.evaluation.scores import LadderStep, Scores, SplitScores, get_column


@dataclass(frozen=True)
class Row:
    """How a metric is shown.

    Attributes:
        name: Of the metric, without its place (`mask`, `depth`, ...).
        label: What it is called.
        higher: Whether higher is better.
        digits: After the point.
    """

    name: str
    label: str
    higher: bool
    digits: int = 3


MASK_ROWS = (
    Row("iou", "IoU, mean of images", True),
    Row("pooled_iou", "IoU, all pixels", True),
    Row("dice", "Dice", True),
    Row("boundary_f", "boundary F", True),
    Row("alpha_error", "error of alpha", False, 4),
    Row("false_positive_rate", "false alarms if empty", False, 5),
)
DEPTH_ROWS = (
    Row("abs_rel", "AbsRel", False),
    Row("rmse", "RMSE, metres", False, 2),
    Row("pooled_rmse", "RMSE, pooled, metres", False, 2),
    Row("pooled_rmse_over_std", "RMSE / std of labels", False),
    Row("log10", "log10", False),
    Row("delta1", "δ < 1.25", True),
    Row("delta2", "δ < 1.25²", True),
    Row("delta3", "δ < 1.25³", True),
    Row("ssim", "SSIM", True),
)
PLACES = {
    "depth": "depth",
    "depth_object": "depth of objects",
    "depth_ring": "depth near outlines (5 px)",
    "depth_scenery": "depth of scenery",
}
COLUMNS = {
    "network": "network",
    "difference": "difference",
    "mog2": "MOG2",
    "knn": "KNN",
    "known_background": "scene known",
    "background_depth": "empty scene",
}
MASK_COLUMNS, DEPTH_COLUMNS = (
    ("network", "difference", "mog2", "knn"),
    ("network", "known_background", "background_depth"),
)
SPLITS = {
    "seen_both": "seen backgrounds, seen cut-outs",
    "unseen_fg": "seen backgrounds, unseen cut-outs",
    "unseen_bg": "unseen backgrounds, seen cut-outs",
    "unseen_both": "unseen backgrounds, unseen cut-outs",
    "test": "composites at random, of pictures also seen in training",
}
# They are given what the network has to predict; so they are compared, and may be the best, on objects only.
BACKGROUND_DEPTH_NOTE = (
    "The empty scene is its true depth, as if nobody were there: a rival on objects only. Where the scene is known, a "
    "calibrated camera places what the network segmented before that depth."
)
COMPARED = ("mask", "depth_object")
# What a terminal shows: place, names of its rows, and what the place is called there.
BRIEF = (
    ("mask", ("iou", "pooled_iou", "boundary_f", "alpha_error", "false_positive_rate"), "mask"),
    ("depth", ("abs_rel", "pooled_rmse_over_std", "delta1"), "depth"),
    ("depth_object", ("abs_rel", "delta1"), "objects"),
    ("depth_ring", ("abs_rel",), "outlines"),
    ("depth_scenery", ("abs_rel",), "scenery"),
)
# What the ladder shows.
LADDER_ROWS = tuple(row for row in MASK_ROWS if row.name in ("iou", "boundary_f", "false_positive_rate"))
BEST = "*"
INDENT, NARROWEST, GAP = 12, 7, 2  # characters: of names of places, of a column, between two


@dataclass(frozen=True)
class Line:
    """A row with its numbers.

    Attributes:
        row: The metric.
        values: Column -> number, or None where there was nothing to measure.
        compared: Whether the best of its columns is marked.
    """

    row: Row
    values: dict[str, float | None]
    compared: bool

    def format(self, column: str) -> str:
        """Returns the number of a column as it is shown."""
        value = self.values[column]
        return "–" if value is None else f"{value:.{self.row.digits}f}"

    @property
    def best(self) -> set[str]:
        """The columns whose number, as it is shown, is the best; none where nothing is compared or all are the same."""
        known = {column: float(self.format(column)) for column, value in self.values.items() if value is not None}
        if len(known) < 2 or not self.compared:
            return set()
        goal = (max if self.row.higher else min)(known.values())
        columns = {column for column, value in known.items() if value == goal}
        return columns if len(columns) < len(known) else set()


def make_lines(split: SplitScores, place: str) -> list[Line]:
    """Returns the rows of a place (`mask`, or a key of PLACES) that were measured in a split."""
    rows, names = (MASK_ROWS, MASK_COLUMNS) if place == "mask" else (DEPTH_ROWS, DEPTH_COLUMNS)
    columns = {name: column for name in names if (column := get_column(split, name)) is not None}
    lines = []
    for row in rows:
        values = {name: column.get(f"{place}/{row.name}") for name, column in columns.items()}
        if any(value is not None for value in values.values()):
            lines.append(Line(row, values, place in COMPARED))
    return lines


def format_scores(scores: Scores) -> str:
    """Returns the scores for a terminal: a block for each split, the hardest last, where eyes are."""
    blocks = [_format_split(name, split) for name, split in scores["splits"].items()]
    return "\n\n".join("\n".join(block) for block in blocks)


def format_ladder(steps: Sequence[LadderStep]) -> str:
    """Returns the scores of masks by severity, for a terminal. steps: `ladder` of metrics.json, not empty."""
    columns = [column for column in MASK_COLUMNS if column in steps[0]]
    left = max(len(row.label) for row in LADDER_ROWS) + 4
    text = [f"the ladder: masks where two exposures differ, from 0 (not) to 4 (badly); {_describe_examples(steps[0])}"]
    for row in LADDER_ROWS:
        heads = "".join(f"{COLUMNS[column]:>{_width(column) - 1}} " for column in columns)
        text.append(f"  {row.label}".ljust(left) + heads.rstrip())
        text += [
            f"{step['severity']:>{left - 1}} " + "".join(_format_cell(line, column) for column in columns).rstrip()
            for step, line in make_ladder_lines(steps, row)
        ]
    return "\n".join(text)


def _describe_examples(step: LadderStep) -> str:
    return f"{step['split']}, {step['examples']} examples"


def make_ladder_lines(steps: Sequence[LadderStep], row: Row) -> list[tuple[LadderStep, Line]]:
    """Returns the severities, each with the line of one metric."""
    lines = []
    for step in steps:
        columns = {name: column for name in MASK_COLUMNS if (column := get_column(step, name)) is not None}
        values = {name: column[f"mask/{row.name}"] for name, column in columns.items()}
        lines.append((step, Line(row, values, compared=True)))
    return lines


def _format_split(name: str, split: SplitScores) -> list[str]:
    columns = [column for column in COLUMNS if column in split]
    groups = [
        (title, [line for line in make_lines(split, place) if line.row.name in names]) for place, names, title in BRIEF
    ]
    left = max(len(line.row.label) for _, group in groups for line in group) + INDENT
    # A space for the mark behind each number.
    heads = "".join(f"{COLUMNS[column]:>{_width(column) - 1}} " for column in columns)
    block = [f"{name}: {SPLITS.get(name, name)}; {split['examples']:,} examples", " " * left + heads.rstrip()]
    for title, group in groups:
        for line in group:
            label = f"  {title if line is group[0] else ''}".ljust(INDENT) + line.row.label
            block.append(label.ljust(left) + "".join(_format_cell(line, column) for column in columns).rstrip())
    return block


def _format_cell(line: Line, column: str) -> str:
    if column not in line.values:
        return " " * _width(column)
    return f"{line.format(column):>{_width(column) - 1}}{BEST if column in line.best else ' '}"


def _width(column: str) -> int:
    return max(len(COLUMNS[column]) + 1, NARROWEST) + GAP
