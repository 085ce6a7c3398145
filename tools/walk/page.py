"""The walk as one page: what each step tells, its numbers and its pictures, everything inside, from 320 px wide on."""

from fgseg_tf.report import tables
from fgseg_tf.report.figures import Legend, encode_data_url
from fgseg_tf.report.html import Html, html, read_static, render_page
from walk.panels import Panel, Step

# Pictures of one height, so long as two are beside one another on a telephone.
STYLE = """
.walk { display: flex; flex-wrap: wrap; gap: 16px 12px; margin: 14px 0; align-items: start; }
.walk figure { width: max(110px, calc(205px * var(--shape))); max-width: calc(50% - 6px); }
.walk img { display: block; width: 100%; height: auto; border-radius: 2px; background: var(--box); }
.where { font: .875rem/1.5 ui-monospace, monospace; color: var(--faint); overflow-wrap: anywhere; max-width: none; }
.walk-table th, .walk-table td { text-align: left; }
.walk-table td:last-child { white-space: normal; min-width: 9em; }
"""


def page(title: str, lead: str, steps: list[Step]) -> Html:
    """Returns the page of all steps, in order."""
    links = [html('<a href="#{0}">{1} {0}</a>', step.name, number) for number, step in enumerate(steps, 1)]
    head = html("<header><h1>{}</h1><p class=lead>{}</p><nav aria-label=Steps>{}</nav></header>", title, lead, links)
    sections = [_section(number, step) for number, step in enumerate(steps, 1)]
    return render_page(title, [head, *sections], Html(read_static("report.css") + Html(STYLE)))


def _section(number: int, step: Step) -> Html:
    where = ", ".join(source_files(step))
    return html(
        "<section id={}><h2>{} {}</h2><p class=where>{}</p>{}{}{}<div class=walk>{}</div></section>",
        step.name,
        number,
        step.title,
        where,
        [html("<p>{}</p>", line) for line in step.lines],
        _table(step),
        Legend(*step.scale).render() if step.scale else "",
        [_figure(panel) for panel in step.panels],
    )


def source_files(step: Step) -> list[str]:
    """Returns the files of a step, such as data_pipelines/sources/cutout_cleanup.py."""
    return [f"{module.__name__.replace('.', '/')}.py" for module in step.modules]


def _table(step: Step) -> Html:
    if not step.table:
        return html("")
    head, *rows = step.table
    heads = html("<tr>{}</tr>", [html("<th scope=col>{}</th>", text) for text in head])
    lines = [
        html("<tr><th scope=row>{}</th>{}</tr>", first, [html("<td>{}</td>", text) for text in rest])
        for first, *rest in rows
    ]
    return html("<div class=walk-table>{}</div>", tables.render_table(step.caption, heads, lines))


def _figure(panel: Panel) -> Html:
    height, width = panel.picture.shape[:2]
    return html(
        '<figure style="--shape: {shape:.3f}">'
        '<img src="{source}" width={width} height={height} alt="{name}" loading=lazy>'
        "<figcaption><b>{name}</b> {note}</figcaption></figure>",
        shape=width / height,
        source=encode_data_url(panel.picture),
        width=width,
        height=height,
        name=panel.name,
        note=panel.note,
    )
