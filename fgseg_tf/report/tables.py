"""Tables of scores in the report, the best of each line marked in more than colour."""

from html import escape

from fgseg_tf.evaluation import score_table


def render_table(caption: str, head: str, rows: list[str]) -> str:
    """Returns a table that scrolls by itself where it is too wide. head, rows: rows of HTML."""
    # A box that scrolls must be reachable by keyboard.
    return (
        f'<div class=scroll tabindex=0 role=region aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def render_comparison(caption: str, corner: str, lines: dict[str, score_table.Line]) -> str:
    """Returns a table with a column for each of what was compared.

    Args:
        caption: Of the table.
        corner: Heading of the labels; may be empty.
        lines: By label, all of the same columns.
    """
    columns = list(next(iter(lines.values())).values)
    rows = [
        f"<tr><th scope=row>{escape(label)}</th>{''.join(render_cell(line, column) for column in columns)}</tr>"
        for label, line in lines.items()
    ]
    left = f"<th scope=col>{escape(corner)}</th>" if corner else "<td></td>"
    heads = "".join(f"<th scope=col>{escape(score_table.COLUMNS[column])}</th>" for column in columns)
    return render_table(caption, f"<tr>{left}{heads}</tr>", rows)


def render_cell(line: score_table.Line, column: str) -> str:
    """Returns a number as a cell of a table, marked if it is the best of its line."""
    shown = line.format(column)
    return f"<td class=best><b>{shown}</b><span> best</span></td>" if column in line.best else f"<td>{shown}</td>"
