"""The walk as one page: what each step tells, its numbers and its pictures, everything inside, from 320 px wide on."""

from html import escape

from fgseg_tf.report import tables
from fgseg_tf.report.figures import Legend, encode_data_url
from fgseg_tf.report.html import read_static, render_page
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


def page(title: str, lead: str, steps: list[Step]) -> str:
    """Returns the page of all steps, in order."""
    links = "".join(f'<a href="#{step.name}">{number} {escape(step.name)}</a>' for number, step in enumerate(steps, 1))
    head = (
        f"<header><h1>{escape(title)}</h1><p class=lead>{escape(lead)}</p><nav aria-label=Steps>{links}</nav></header>"
    )
    sections = [_section(number, step) for number, step in enumerate(steps, 1)]
    return render_page(title, [head, *sections], read_static("report.css") + STYLE)


def _section(number: int, step: Step) -> str:
    where = ", ".join(source_files(step))
    text = "".join(f"<p>{escape(line)}</p>" for line in step.lines)
    legend = Legend(*step.scale).render() if step.scale else ""
    return (
        f"<section id={step.name}><h2>{number} {escape(step.title)}</h2><p class=where>{escape(where)}</p>{text}"
        f"{_table(step)}{legend}<div class=walk>{''.join(_figure(panel) for panel in step.panels)}</div></section>"
    )


def source_files(step: Step) -> list[str]:
    """Returns the files of a step, such as data_pipelines/sources/cutout_cleanup.py."""
    return [f"{module.__name__.replace('.', '/')}.py" for module in step.modules]


def _table(step: Step) -> str:
    if not step.table:
        return ""
    head, *rows = step.table
    heads = "".join(f"<th scope=col>{escape(text)}</th>" for text in head)
    lines = [
        f"<tr><th scope=row>{escape(first)}</th>{''.join(f'<td>{escape(text)}</td>' for text in rest)}</tr>"
        for first, *rest in rows
    ]
    return f"<div class=walk-table>{tables.render_table(step.caption, f'<tr>{heads}</tr>', lines)}</div>"


def _figure(panel: Panel) -> str:
    height, width = panel.picture.shape[:2]
    name = escape(panel.name)
    return (
        f'<figure style="--shape: {width / height:.3f}">'
        f'<img src="{encode_data_url(panel.picture)}" width={width} height={height} alt="{name}" loading=lazy>'
        f"<figcaption><b>{name}</b> {escape(panel.note)}</figcaption></figure>"
    )
