"""The frame of a page that is one file: style and script inside, nothing fetched."""

from collections.abc import Sequence
from html import escape
from importlib.resources import files


def render_page(title: str, sections: Sequence[str], style: str, script: str = "") -> str:
    """Returns a whole page.

    Args:
        title: Of the page, as text.
        sections: Its content, as HTML.
        style: CSS, as `read_static` returns it.
        script: JavaScript that runs when all of the page is there.
    """
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(sections)
        + "\n</main>\n"
        + (f"<script>{script}</script>\n" if script else "")
        + "</body>\n</html>\n"
    )


def read_static(*names: str) -> str:
    """Returns files of `static/`, one after the other, each beginning on a line of its own."""
    folder = files("fgseg_tf.report").joinpath("static")
    return "".join("\n" + folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def render_section(where: str, title: str, body: str) -> str:
    """Returns a section with a heading. where: its name in the URL's fragment. title: text. body: HTML."""
    return f"<section id={where}><h2>{escape(title)}</h2>\n{body}</section>"


def capitalize(text: str) -> str:
    """Returns the text with its first letter as a capital; the others stay as they are, unlike in str.capitalize."""
    return text[0].upper() + text[1:]
