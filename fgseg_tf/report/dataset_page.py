"""A page to browse a data set: one file that fetches nothing.

It shows some composites, which can be filtered and enlarged, and statistics of all of them.

Filters are a native <select> each, and their state is the fragment of the URL, `#split=train&background=bg005`, so that
a view can be linked to. What the script needs to know of a composite are data attributes with the same names.
"""

from collections import Counter
from collections.abc import Iterable

import numpy as np
from PIL import Image

from data_pipelines.compositing.splits import format_background
from data_pipelines.inspection.examples import BackgroundPictures, DecodedExample
from data_pipelines.inspection.label_statistics import Survey
from data_pipelines.runtime.notes import name_file
from data_pipelines.tfrecord.reader import StoredDataset
from fgseg_tf.report import dataset_statistics as statistics
from fgseg_tf.report.figures import Legend, encode_data_url, format_percent
from fgseg_tf.report.html import Html, html, read_static, render_page, render_section

USUAL_COUNT = 60
LONGEST = 224  # pixels, the longer side of a picture on the page
BEYOND = 0.001  # share of pixels at either end that are coloured as the end: a few would take up half of the colours
OBJECT = 128  # of a mask: at least half of the pixel is covered
NOBODY = "nobody"  # for a cut-out, where there is none
FILTERS = {"split": "Split", "background": "Background", "cutout": "Cut-out", "flipped": "Cut-out mirrored"}


def render_dataset_page(
    dataset: StoredDataset,
    backgrounds: BackgroundPictures,
    survey: Survey,
    examples: Iterable[DecodedExample],
    severity: float = 0,
) -> Html:
    """examples: shown one after the other. severity: of what was done to them first, by `capture`."""
    ends = statistics.find_depth_range(survey, dataset.depth_scale, BEYOND)
    legend = Legend(*ends, "metres" if dataset.unit == "m" else dataset.unit)
    cards = []
    counts: dict[str, Counter[str]] = {name: Counter() for name in FILTERS}
    for example in examples:
        facets = _facets(dataset, example)
        for name, values in facets.items():
            counts[name].update(values)
        cards.append(_card(dataset, backgrounds, example, facets, legend))
    title, *lines = dataset.title()
    sections = [
        _header(title, lines),
        render_section("composites", "Composites", _composites(dataset, cards, counts, legend, severity)),
        render_section("statistics", "What they are like", statistics.render_measured(dataset, survey)),
        render_section(
            "splits", "Splits", statistics.render_splits(dataset) + statistics.render_pixel_statistics(dataset)
        ),
        render_section("recipe", "How it was made", statistics.render_recipe(dataset)),
        _dialog(),
    ]
    return render_page(
        title,
        sections,
        read_static("report.css", "dataset_page.css"),
        read_static("dataset_page.js"),
    )


def _facets(dataset: StoredDataset, example: DecodedExample) -> dict[str, list[str]]:
    """The values of the filters that a composite is shown for."""
    *_, flipped, _ = dataset.grid.decode(example.index)
    return {
        "split": [example.split],
        "background": [_background(example)],
        "cutout": list(dict.fromkeys(_cutout(number) for number, _ in example.cutouts)) or [NOBODY],
        "flipped": ["yes" if flipped and example.cutouts else "no"],
    }


def _header(title: str, lines: list[str]) -> Html:
    links = {
        "composites": "composites",
        "statistics": "what they are like",
        "splits": "splits",
        "recipe": "how it was made",
    }
    return html(
        "<header><h1>{}</h1>\n<p class=lead>{}</p><nav aria-label=Contents>{}</nav></header>",
        title,
        "; ".join(lines),
        [html('<a href="#{}">{}</a>', where, name) for where, name in links.items()],
    )


def _composites(
    dataset: StoredDataset, cards: list[Html], counts: dict[str, Counter], legend: Legend, severity: float
) -> Html:
    sentence = f"{len(cards):,} of {dataset.manifest['records']:,}. Choose one to see it larger."
    if severity:
        sentence += f" Each is shown as two exposures that differ with a severity of {severity:g}, from 0 to 4."
    return html(
        "<p>{sentence}</p>{legend}"
        "<form class=filters aria-label=Filters autocomplete=off hidden>{selects}"
        "<p class=count role=status aria-live=polite>{count} of {count} shown</p>"
        "<button type=button class=everything hidden>Show all</button></form>"
        "<div class=none hidden><p>No composite on this page is all of that.</p>"
        "<button type=button>Show all</button></div>"
        "<ol class=cards>{cards}</ol>",
        sentence=sentence,
        legend=legend.render(),
        selects=[_select(name, label, counts[name]) for name, label in FILTERS.items()],
        count=len(cards),
        cards=cards,
    )


def _select(name: str, label: str, counts: Counter) -> Html:
    # Splits keep their order; the others are numbered, so that bg99 comes before bg100.
    values = counts if name == "split" else sorted(counts, key=lambda value: (len(value), value))
    options = [html("<option value={0}>{0} ({1})</option>", value, counts[value]) for value in values]
    return html('<label>{}<select name={}><option value="">all</option>{}</select></label>', label, name, options)


def _card(
    dataset: StoredDataset,
    backgrounds: BackgroundPictures,
    example: DecodedExample,
    facets: dict[str, list[str]],
    legend: Legend,
) -> Html:
    pictures = {
        "bg": example.bg,
        "fg_bg": example.fg_bg,
        "mask": example.mask,
        "depth": legend.color(example.metres),
    }
    facts = _facts(dataset, backgrounds, example)
    return html(
        "<li class=card{attributes}>"
        '<button type=button aria-haspopup=dialog aria-label="{name}, {split}: larger">'
        "<span class=four>{drawn}</span><span class=called><b>{name}</b><span>{split}</span></span></button>"
        "<dl class=facts hidden>{facts}</dl></li>\n",
        attributes=[html(' data-{}="{}"', facet, " ".join(values)) for facet, values in facets.items()],
        name=example.name,
        split=example.split,
        drawn=[_picture(caption, picture, example.name) for caption, picture in pictures.items()],
        facts=[html("<dt>{}</dt><dd>{}</dd>", label, fact) for label, fact in facts.items()],
    )


def _picture(caption: str, picture: np.ndarray, name: str) -> Html:
    small = Image.fromarray(picture)
    small.thumbnail((LONGEST, LONGEST), Image.Resampling.BOX)
    return html(
        '<span><img src="{source}" width={width} height={height} alt="{caption} of {name}" loading=lazy>'
        "<span>{caption}</span></span>",
        source=encode_data_url(np.asarray(small)),
        width=small.width,
        height=small.height,
        caption=caption,
        name=name,
    )


def _facts(dataset: StoredDataset, backgrounds: BackgroundPictures, example: DecodedExample) -> dict[str, str]:
    *_, place = dataset.grid.decode(example.index)
    source = name_file(backgrounds.sources[example.background])
    facts = {
        "split": example.split,
        "background": f"{_background(example)}{_mirrored(example.background_flipped)}, {source}",
        "cut-outs, from far to near": "; ".join(_cutout_in_words(dataset, *one) for one in example.cutouts) or NOBODY,
        "place": f"{place}, of 0 to {dataset.grid.places - 1}",
    }
    if example.mask.any():
        facts["mask"] = f"{format_percent(float(example.mask.mean()) / 255)} of the picture"
    metres = example.metres[(example.mask >= OBJECT) & (example.metres > 0)]
    if metres.size:
        nearest, half, farthest = np.quantile(metres, (0, 0.5, 1))
        unit = dataset.unit
        facts["depth of objects"] = f"{nearest:.3g} to {farthest:.3g} {unit}, median {half:.3g} {unit}"
    return facts


def _background(example: DecodedExample) -> str:
    return format_background(example.background)


def _cutout(number: int) -> str:
    return f"fg{number:03d}"


def _cutout_in_words(dataset: StoredDataset, number: int, flipped: bool) -> str:
    source = name_file(dataset.manifest["options"]["foregrounds"][number]["source"])
    return f"{_cutout(number)}{_mirrored(flipped)}, {source}"


def _mirrored(flipped: bool) -> str:
    return " mirrored" if flipped else ""


def _dialog() -> Html:
    return html(
        "<dialog aria-labelledby=larger><div class=bar><h3 id=larger aria-live=polite>Larger</h3>"
        "<button type=button class=before>Previous</button><button type=button class=after>Next</button>"
        "<button type=button class=close>Close</button></div>"
        "<div class=inside><div class=large></div><div class=about></div></div></dialog>"
    )
