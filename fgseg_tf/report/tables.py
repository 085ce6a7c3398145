"""Tables of scores in the report, the best of each line marked in more than colour."""

from collections.abc import Iterable

from fgseg_tf.evaluation import score_table
from fgseg_tf.report.html import Html, html


def render_table(caption: str, head: Html, rows: Iterable[Html]) -> Html:
    """Returns a table that scrolls by itself where it is too wide. head, rows: rows of HTML."""
    # A box that scrolls must be reachable by keyboard.
    return html(
        '<div class=scroll tabindex=0 role=region aria-label="{caption}"><table>'
        "<caption>{caption}</caption><thead>{head}</thead><tbody>{rows}</tbody></table></div>",
        caption=caption,
        head=head,
        rows=rows,
    )


def render_comparison(caption: str, corner: str, lines: dict[str, score_table.Line]) -> Html:
    """Returns a table with a column for each of what was compared.

    Args:
        caption: Of the table.
        corner: Heading of the labels; may be empty.
        lines: By label, all of the same columns.
    """
    columns = list(next(iter(lines.values())).values)
    rows = [
        html("<tr><th scope=row>{}</th>{}</tr>", label, [render_cell(line, column) for column in columns])
        for label, line in lines.items()
    ]
    left = html("<th scope=col>{}</th>", corner) if corner else html("<td></td>")
    heads = [html("<th scope=col>{}</th>", score_table.COLUMNS[column]) for column in columns]
    return render_table(caption, html("<tr>{}{}</tr>", left, heads), rows)


def render_cell(line: score_table.Line, column: str) -> Html:
    """Returns a number as a cell of a table, marked if it is the best of its line."""
    shown = line.format(column)
    is_best = column in line.best
    return html("<td class=best><b>{}</b><span> best</span></td>" if is_best else "<td>{}</td>", shown)
