"""report.html: the results of an evaluation, one file to read, on a phone too.

Everything is inside: style, pictures, curves. No scripts, nothing fetched. Headings in order, tables and figures with
names, everything reachable by keyboard; whatever is wider than the screen scrolls in a box of its own.
"""

import json

from data_pipelines.runtime.files import join_path, write_atomic
from fgseg_tf.evaluation import score_table
from fgseg_tf.evaluation.evaluator import Evaluation
from fgseg_tf.evaluation.scores import Scores, SplitScores, get_column
from fgseg_tf.report import charts, figures, ladder_section, tables
from fgseg_tf.report.html import Html, capitalize, html, join, read_static, render_page, render_section
from fgseg_tf.runs.run_folder import HistoryRow, RunSettings

OTHER_DATA = (
    "these are not the data of the training: seen and unseen are as these divide them, and what they hold out may have "
    "been learned from."
)
PLACES = {"mask": "mask", **score_table.PLACES}
OVERVIEW = (("mask", "iou"), ("depth", "abs_rel"), ("depth", "delta1"), ("depth_object", "abs_rel"))
KINDS = {
    "typical": ("Typical cases", "Frames around the median IoU."),
    "worst_mask": ("Worst masks", "Of frames with somebody in them, the lowest IoU."),
    "worst_empty": ("Worst false alarms", "Frames with nobody in them in which most was called foreground."),
    "worst_depth": ("Worst depth", "The highest AbsRel."),
}


def render_report(settings: RunSettings, flags: str, history: list[HistoryRow], evaluation: Evaluation) -> Html:
    """Returns the page.

    Args:
        settings: Of the run, as in run.json.
        flags: Text of run.flags; may be empty.
        history: Rows of history.json.
        evaluation: Of the run.
    """
    scores = evaluation.scores
    hardest = list(scores["splits"])[-1]
    sections = [
        _header(settings, evaluation, hardest),
        render_section("scores", "Scores", _overview(scores) + _splits(scores, hardest) + _thresholds(scores)),
        *_ladder(scores, hardest),
        render_section("training", "Training", _training(settings, history)),
        *_cases(evaluation, hardest),
        render_section("run", "What was run", _run(settings, flags, scores)),
    ]
    return render_page(_title(settings), sections, read_static("report.css"))


def write_report(folder: str, text: str) -> None:
    """Writes report.html, whole or not at all."""
    write_atomic(join_path(folder, "report.html"), text)


def summarize(split: str, scores: SplitScores) -> list[str]:
    """Returns sentences that say how good a network is, from its scores on a split."""
    told = [f"On {score_table.SPLITS.get(split, split)} ({scores['examples']:,} examples):"]
    mask = {row.row.name: row for row in score_table.make_lines(scores, "mask")}
    depth = {row.row.name: row for row in score_table.make_lines(scores, "depth")}
    if "iou" in mask:
        told.append(f"the mask overlaps the truth by {_share(mask['iou'].values['network'])} (IoU, mean of images)")
        others = {name: value for name, value in mask["iou"].values.items() if name != "network" and value is not None}
        if others:
            best = max(others, key=lambda name: others[name])
            told[-1] += f"; the best that needs no training, {_called(best)}, by {_share(others[best])}"
        told[-1] += "."
    if "abs_rel" in depth:
        told.append(
            f"Depth is off by {_share(depth['abs_rel'].values['network'])} of the distance on average, and within a "
            f"quarter of it on {_share(depth['delta1'].values['network'])} of pixels."
        )
    on_objects = scores["network"].get("depth_object/abs_rel")
    if on_objects is not None:
        told.append(f"On objects it is off by {_share(on_objects)}")
        known, alone = (
            (get_column(scores, column) or {}).get("depth_object/abs_rel")
            for column in ("known_background", "background_depth")
        )
        if known is not None:
            told[-1] += f"; by a camera that knows the depth of its background, by {_share(known)}"
        told[-1] += "." if alone is None else f"; the true depth of what they hide is off by {_share(alone)}."
    return told


def _header(settings: RunSettings, evaluation: Evaluation, hardest: str) -> Html:
    scores = evaluation.scores
    first, *rest = summarize(hardest, scores["splits"][hardest])
    iou = scores["splits"][hardest]["network"].get("mask/iou")
    delta = scores["splits"][hardest]["network"].get("depth/delta1")
    numbers = [
        html('<div class="figure"><dt>{}</dt><dd>{}</dd></div>', name, "–" if value is None else f"{value:.3f}")
        for name, value in (("mask IoU", iou), ("depth δ < 1.25", delta))
    ]
    notes = []
    # Nothing is unseen where composites were shuffled.
    if hardest == "test":
        notes.append(html("<p class=note>Split at random: test pictures were seen in training.</p>"))
    if not scores.get("trained_on_these_data", True):
        notes.append(html("<p class=note>Note: {}</p>", OTHER_DATA))
    contents = (
        ("scores", "scores", True),
        ("ladder", "ladder", scores.get("ladder")),
        ("training", "training", True),
        ("typical", "pictures", evaluation.cases.get("typical")),
        ("run", "the run", True),
    )
    return html(
        "<header><h1>{}</h1>\n<p class=lead>{}</p>\n<dl class=figures>{}</dl>{}{}"
        "<nav aria-label=Contents>{}</nav></header>",
        _title(settings),
        first,
        numbers,
        [html("<p>{}</p>", capitalize(sentence)) for sentence in rest],
        notes,
        [html('<a href="#{}">{}</a>', where, name) for where, name, there in contents if there],
    )


def _overview(scores: Scores) -> Html:
    """The scores that matter most, splits beside one another: the hardest first, where a phone shows it."""
    splits = dict(reversed(scores["splits"].items()))
    groups = []
    for place, name in OVERVIEW:
        lines = {split: line for split, split_scores in splits.items() for line in _named(split_scores, place, name)}
        columns = {column: None for line in lines.values() for column in line.values}
        rows = []
        for column in columns:
            cells = [
                tables.render_cell(lines[split], column) if split in lines else html("<td>–</td>") for split in splits
            ]
            rows.append(html("<tr><th scope=row>{}</th>{}</tr>", score_table.COLUMNS[column], cells))
        if rows:
            label = next(iter(lines.values())).row.label
            groups.append(
                html(
                    "<tr><th colspan={} scope=rowgroup class=group>{}: {}</th></tr>{}",
                    len(splits) + 1,
                    capitalize(PLACES[place]),
                    label,
                    rows,
                )
            )
    heads = [
        html("<th scope=col>{}<br>{:,}</th>", split.replace("_", " "), split_scores["examples"])
        for split, split_scores in splits.items()
    ]
    return tables.render_table("By split, with numbers of examples", html("<tr><td></td>{}</tr>", heads), groups)


def _named(split_scores: SplitScores, place: str, name: str) -> list[score_table.Line]:
    return [line for line in score_table.make_lines(split_scores, place) if line.row.name == name]


def _splits(scores: Scores, hardest: str) -> Html:
    blocks = []
    for split, split_scores in reversed(scores["splits"].items()):
        title = f"{score_table.SPLITS.get(split, split)}, {split_scores['examples']:,} examples"
        blocks.append(
            html(
                "<details{}><summary>{}</summary><div class=tables>{}</div></details>",
                " open" if split == hardest else "",
                capitalize(title),
                [_scores_table(split_scores, place, name) for place, name in PLACES.items()],
            )
        )
    return join(blocks, "\n")


def _scores_table(split_scores: SplitScores, place: str, caption: str) -> Html:
    lines = score_table.make_lines(split_scores, place)
    if not lines:
        return html("")
    return tables.render_comparison(capitalize(caption), "", {line.row.label: line for line in lines})


def _thresholds(scores: Scores) -> Html:
    thresholds = scores["thresholds"]
    if not thresholds:
        return html("<p class=faint>Without baselines.</p>")
    difference = thresholds["difference"]
    median = f", then a median over {difference['median']} px" if difference["median"] > 1 else ""
    sentence = (
        "Baselines are tuned for the best mean IoU on training examples. difference: over "
        f"{difference['threshold'] * 255:.0f} of 255 in any channel{median}. MOG2 and KNN: OpenCV's, as on a fixed "
        f"camera that has one background; varThreshold {thresholds['mog2']['threshold']}, "
        f"dist2Threshold {thresholds['knn']['threshold']}, shadows are background. "
        f"{score_table.BACKGROUND_DEPTH_NOTE}"
    )
    return html("<p class=faint>{}</p>", sentence)


def _ladder(scores: Scores, hardest: str) -> list[Html]:
    """No section where there is no ladder."""
    steps = scores.get("ladder")
    if not steps:
        return []
    sentence = (
        f"{steps[0]['examples']:,} examples of {score_table.SPLITS.get(hardest, hardest)}, at severities of what "
        "differs between two exposures: from 0, composites as they are, to 4, badly different ones; false alarms are "
        "of the same examples with nobody in the frame."
    )
    if scores["thresholds"]:
        sentence += " The baselines were tuned at each severity anew."
    return [render_section("ladder", "Ladder", html("<p>{}</p>", sentence) + ladder_section.render_ladder(steps))]


def _training(settings: RunSettings, history: list[HistoryRow]) -> Html:
    drawn = charts.draw_panels(history)
    stages = [html("<li>{}</li>", stage) for stage in settings["stages"]]
    seconds = sum(row.get("seconds", 0) for row in history)
    seen = max((row["seen"] for row in history), default=0)
    sentence = html("<p>{:,} examples in {}; across: examples seen.</p>", seen, _duration(seconds))
    return html(
        "{}<div class=panels>{}</div><p>Stages, EPOCHS@SIZE:</p><ol class=stages>{}</ol>",
        sentence if history else "",
        drawn,
        stages,
    )


def _cases(evaluation: Evaluation, hardest: str) -> list[Html]:
    legend = figures.Legend.from_cases(evaluation.cases)
    sections = []
    for kind, (title, sentence) in KINDS.items():
        cases = evaluation.cases.get(kind)
        if cases:
            where = html("<p>{} From {}.</p>", sentence, score_table.SPLITS.get(hardest, hardest))
            body = [figures.render_case(case, legend) for case in cases]
            sections.append(render_section(kind, title, html("{}{}{}", where, legend.render(), body)))
    return sections


def _run(settings: RunSettings, flags: str, scores: Scores) -> Html:
    height, width = scores["image_size"]
    facts = {
        "network": f"{settings['network']}, {scores['parameters']:,} parameters",
        "scored at": f"{height}x{width} pixels" + (", both ways" if scores["both_ways"] else ""),
        "scored on": scores["data"].get("shards") or "composites made on the fly, by the recipe in run.json",
        "data digest": scores["digest"],
        "depth labels": scores["labels"],
        "scoring took": _duration(scores["seconds"]["all"]),
    }
    shown = html('<pre tabindex=0 aria-label="run.flags">{}</pre>', flags.strip()) if flags.strip() else ""
    return html(
        "<dl class=facts>{}</dl>{}<details><summary>Everything that decided the outcome (run.json)</summary>"
        '<pre tabindex=0 aria-label="run.json">{}</pre></details>',
        [html("<dt>{}</dt><dd>{}</dd>", name, str(value)) for name, value in facts.items()],
        shown,
        json.dumps(settings, indent=1),
    )


def _title(settings: RunSettings) -> str:
    return f"Foreground and depth: the {settings['network']} network"


def _called(column: str) -> str:
    return "a tuned difference" if column == "difference" else f"OpenCV's {score_table.COLUMNS[column]}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}\N{NO-BREAK SPACE}%"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
