"""Sections of the page of a data set that are about all of it: what its manifest says, and the results of a survey."""

from typing import cast

import numpy as np
from PIL import Image

from data_pipelines.inspection.depth_colors import apply_colormap
from data_pipelines.inspection.label_statistics import Survey
from data_pipelines.tfrecord.reader import StoredDataset
from data_pipelines.tfrecord.statistics import MeanAndDeviation, MeansAndDeviations
from fgseg_tf.report import histograms, tables
from fgseg_tf.report.figures import BANDS, encode_data_url, format_percent, render_color_bar
from fgseg_tf.report.histograms import Histogram
from fgseg_tf.report.html import Html, capitalize, html

HEAT_SIDE = 128  # pixels, the longer side of the heat map
BY_SOURCE = {"backgrounds", "foregrounds", "physical_height", "field_of_view"}  # options with a value for each
CHANNELS = "red, green, blue"


def find_depth_range(survey: Survey, scale: float, beyond: float = 0.0) -> tuple[float, float]:
    """Returns the nearest and the farthest depth. beyond: share of pixels that may be nearer, and farther."""
    passed = np.cumsum(survey.object_codes[1:] + survey.background_codes[1:])
    if not passed[-1]:
        return 1.0, 10.0
    near = np.searchsorted(passed, passed[-1] * beyond, side="right") + 1
    far = np.searchsorted(passed, passed[-1] * (1 - beyond)) + 1
    return float(near / scale), float(max(far, near * 1.01) / scale)


def render_measured(dataset: StoredDataset, survey: Survey) -> Html:
    """Returns histograms and the heat map, of the examples that were surveyed."""
    seen, total, unit = len(survey.shares), dataset.manifest["records"], dataset.unit
    which = f"all {total:,} composites."
    if seen < total:
        which = f"{seen:,} of the {total:,} composites, from every file in proportion."
    ends = find_depth_range(survey, dataset.depth_scale)
    shares = Histogram("Mask", "share of the picture", "%", "composites", *histograms.count_shares(survey.shares))
    panels = [histograms.draw_histogram(shares, _shares_in_words(survey.shares))]
    for name, codes in (("objects", survey.object_codes), ("scenery", survey.background_codes)):
        counted = histograms.count_codes(codes, dataset.depth_scale, *ends)
        drawn = Histogram(f"Depth of {name}", "depth", unit, "pixels", *counted, logarithmic=True)
        panels.append(histograms.draw_histogram(drawn, _depth_in_words(codes, dataset.depth_scale, unit)))
    panels.append(_heat_map(survey.covered))
    return html("<p>Of {}</p><div class=panels>{}</div>", which, panels)


def render_splits(dataset: StoredDataset) -> Html:
    """Returns a table of the splits."""
    total = dataset.manifest["records"]
    rows = []
    for name, split in dataset.manifest["splits"].items():
        mask, depth = split["statistics"]["mask"], split["statistics"]["depth"]
        cells = (
            f"{split['records']:,}",
            _percent(split["records"] / total),
            f"{len(split['backgrounds']):,}",
            f"{len(split['foregrounds']):,}",
            _size(split["bytes"]),
            _percent(mask["mean"]),
            f"{depth['mean']:.3g} {dataset.unit}",
        )
        rows.append(_row(name, cells))
    heads = ("composites", "share", "backgrounds", "cut-outs", "size", "mean mask", "mean depth")
    return tables.render_table("Composites by split", _head(heads), rows)


def render_pixel_statistics(dataset: StoredDataset) -> Html:
    """Returns a table of means and standard deviations."""
    rows = []
    statistics = cast(dict[str, MeanAndDeviation | MeansAndDeviations], dataset.manifest["statistics"])
    for key, summary in statistics.items():
        unit = f", {dataset.unit}" if key == "depth" else ", 0 to 1"
        label = f"{key}: {CHANNELS}{unit}" if isinstance(summary["mean"], list) else f"{key}{unit}"
        rows.append(_row(label, (_numbers(summary["mean"]), _numbers(summary["std"]))))
    return tables.render_table("Pixels of all composites", _head(("mean", "standard deviation")), rows)


def render_recipe(dataset: StoredDataset) -> Html:
    """Returns what the data set was made by."""
    manifest, options = dataset.manifest, dataset.manifest["options"]
    facts = {
        "composites": f"{manifest['records']:,} in {len(dataset.files)} files, {_size(manifest['bytes'])}",
        "pictures": f"{dataset.height} x {dataset.width} pixels, height x width",
        "backgrounds": f"{dataset.grid.backgrounds:,}",
        "cut-outs": f"{dataset.grid.foregrounds:,}, also mirrored",
        "pictures left out": f"{len(manifest.get('refused_sources', ())):,}",
        "depth": f"{manifest['labels']} labels; unit: {manifest['depth_unit']}, {dataset.depth_scale:g} codes each",
        "seed": options["seed"],
    }
    made_by = {name: _value(value) for name, value in options.items() if name not in BY_SOURCE}
    everything = html("<details><summary>Everything that it was made by</summary>{}</details>", _facts(made_by))
    return _facts(facts) + everything


def _shares_in_words(shares: np.ndarray) -> str:
    somebody = shares[shares > 0]
    nobody = (
        f"{format_percent(1 - len(somebody) / max(1, len(shares)))} have nobody in them"
        if len(somebody) < len(shares)
        else ""
    )
    if not len(somebody):
        return nobody
    half, most = np.quantile(somebody, (0.5, 0.9))
    sentence = f"half cover less than {format_percent(half)}, nine of ten less than {format_percent(most)}"
    return f"{sentence}; {nobody}, and are not counted" if nobody else sentence


def _depth_in_words(codes: np.ndarray, scale: float, unit: str) -> str:
    known = int(codes[1:].sum())
    if not known:
        return "nothing is known of it"
    passed = np.cumsum(codes[1:])
    half, most = (1 + int(np.searchsorted(passed, known * share)) for share in (0.5, 0.9))
    sentence = f"half is nearer than {half / scale:.3g} {unit}, nine tenths than {most / scale:.3g} {unit}"
    return (
        f"{sentence}; of {format_percent(codes[0] / codes.sum())} of the pixels it is unknown" if codes[0] else sentence
    )


def _heat_map(covered: np.ndarray) -> Html:
    height, width = covered.shape
    highest = float(covered.max())
    across, down = (
        float((covered.sum(axis) * (np.arange(side) + 0.5)).sum() / max(covered.sum(), 1e-9) / side)
        for axis, side in ((0, width), (1, height))
    )
    sentence = (
        f"how often a pixel is foreground, up to {format_percent(highest)}; the middle of all foreground is "
        f"{format_percent(across)} from the left and {format_percent(down)} from the top"
    )
    picture = Image.fromarray((covered / max(highest, 1e-9)).astype(np.float32))
    picture.thumbnail((HEAT_SIDE, HEAT_SIDE), Image.Resampling.BOX)
    colours = apply_colormap(1 - np.asarray(picture))
    legend = render_color_bar(
        apply_colormap(1 - np.linspace(0, 1, BANDS)[None])[0],
        {0.0: format_percent(0), 0.5: format_percent(highest / 2), 1.0: format_percent(highest)},
        f"Colours of the heat map, from 0, dark, to {format_percent(highest)}, light",
        "of composites have foreground here",
    )
    return html(
        '<figure class="panel"><figcaption>Where foreground is <small>{}</small></figcaption>'
        '<img class=heat src="{}" width={} height={} alt="{}">{}</figure>',
        sentence,
        encode_data_url(colours),
        width,
        height,
        capitalize(sentence),
        legend,
    )


def _head(names: tuple[str, ...]) -> Html:
    return html("<tr><td></td>{}</tr>", [html("<th scope=col>{}</th>", name) for name in names])


def _row(name: str, cells: tuple[str, ...]) -> Html:
    return html("<tr><th scope=row>{}</th>{}</tr>", name, [html("<td>{}</td>", cell) for cell in cells])


def _facts(facts: dict) -> Html:
    return html("<dl class=facts>{}</dl>", [html("<dt>{}</dt><dd>{}</dd>", name, str(v)) for name, v in facts.items()])


def _percent(share: float) -> str:
    """With as many places as the others of its column."""
    return f"{100 * share:.1f}\N{NO-BREAK SPACE}%"


def _numbers(value: float | list[float]) -> str:
    return ", ".join(f"{one:.3f}" for one in (value if isinstance(value, list) else [value]))


def _value(value) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {one}" for key, one in value.items()) or "none"
    return ", ".join(str(one) for one in value) if isinstance(value, list) else str(value)


def _size(count: int) -> str:
    for unit, name in ((1e9, "GB"), (1e6, "MB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count / 1e3:.0f} kB"
