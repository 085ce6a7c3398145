"""Tables of scores in the report, the best of each line marked in more than colour."""

from html import escape

from fgseg_tf.evaluation import score_table


def table(caption: str, head: str, rows: list[str]) -> str:
    """head, rows: rows of HTML."""
    # A box that scrolls must be reachable by keyboard.
    return (
        f'<div class=scroll tabindex=0 role=region aria-label="{escape(caption)}"><table>'
        f"<caption>{escape(caption)}</caption><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def by_column(caption: str, corner: str, lines: dict[str, score_table.Line]) -> str:
    """What was compared beside one another. corner: what the labels of the lines are; lines: of the same columns."""
    columns = list(next(iter(lines.values())).values)
    rows = [
        f"<tr><th scope=row>{escape(label)}</th>{''.join(cell(line, column) for column in columns)}</tr>"
        for label, line in lines.items()
    ]
    left = f"<th scope=col>{escape(corner)}</th>" if corner else "<td></td>"
    heads = "".join(f"<th scope=col>{escape(score_table.COLUMNS[column])}</th>" for column in columns)
    return table(caption, f"<tr>{left}{heads}</tr>", rows)


def cell(line: score_table.Line, column: str) -> str:
    shown = line.shown(column)
    return f"<td class=best><b>{shown}</b><span> best</span></td>" if column in line.best else f"<td>{shown}</td>"
