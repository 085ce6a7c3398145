"""The frame of a page that is one file: style and script inside, nothing fetched.

HTML is made by `html` alone, which escapes whatever is no HTML yet, so that no name out of a file becomes a part of a
page. These few lines do for pages of this size what a template engine would.
"""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Formatter
from typing import Any


class Html(str):
    """Text that is HTML already. Only `html` makes it of what is not known when a page is written."""

    def __add__(self, other: str) -> "Html":
        """Returns both, the other one escaped if it is no HTML."""
        return Html(str.__add__(self, other if isinstance(other, Html) else escape(other)))


class _Escaping(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, Html) and not format_spec:
            return value
        if isinstance(value, str) or not isinstance(value, Iterable):
            return escape(format(value, format_spec))
        return "".join(self.format_field(part, format_spec) for part in value)


def html(template: str, *values: Any, **named: Any) -> Html:
    """Fills values into HTML, as `str.format` does, each of them escaped unless it is `Html` itself.

    Args:
        template: HTML, a text of the program.
        *values: for {}; of a list every part is put in, one behind the other.
        **named: for {name}.
    """
    return Html(_Escaping().vformat(template, values, named))


def join(parts: Iterable[str], between: str = "") -> Html:
    """Returns parts of a page one behind the other, those escaped that are no HTML."""
    return Html(between.join(part if isinstance(part, Html) else escape(part) for part in parts))


def render_page(title: str, sections: Sequence[Html], style: Html, script: Html | None = None) -> Html:
    """Returns a whole page.

    Args:
        title: Of the page, as text.
        sections: Its content.
        style: CSS, as `read_static` returns it.
        script: JavaScript that runs when all of the page is there, likewise.
    """
    return html(
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        "<title>{title}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n"
        "{sections}\n</main>\n{script}</body>\n</html>\n",
        title=title,
        style=style,
        sections=join(sections, "\n"),
        script=html("<script>{}</script>\n", script) if script else "",
    )


def read_static(*names: str) -> Html:
    """Returns files of `static/`, one after the other, each beginning on a line of its own."""
    folder = files("fgseg_tf.report").joinpath("static")
    return Html("".join("\n" + folder.joinpath(name).read_text(encoding="utf-8") for name in names))


def render_section(where: str, title: str, body: Html) -> Html:
    """Returns a section with a heading. where: its name in the URL's fragment. title: text. body: HTML."""
    return html("<section id={}><h2>{}</h2>\n{}</section>", where, title, body)


def capitalize(text: str) -> str:
    """Returns the text with its first letter as a capital; the others stay as they are, unlike in str.capitalize."""
    return text[0].upper() + text[1:]
