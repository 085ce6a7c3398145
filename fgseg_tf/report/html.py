"""The frame of a page that is one file: style and script inside, nothing fetched."""

from collections.abc import Sequence
from html import escape


def page(title: str, sections: Sequence[str], style: str, script: str = "") -> str:
    """sections: HTML. script: run when all of the page is there."""
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


def section(where: str, title: str, body: str) -> str:
    return f"<section id={where}><h2>{escape(title)}</h2>\n{body}</section>"


def capital(text: str) -> str:
    return text[0].upper() + text[1:]
