"""Names of files as a terminal can show them.

The name of a file may be any bytes but "/" and 0: line breaks that fake a line of a log, sequences that a terminal
obeys, bytes that are not UTF-8. Names that others gave are shown through here.
"""

import unicodedata

# Control characters, halves of pairs (as Python has bytes that are not UTF-8), separators of lines and paragraphs.
UNFIT = {"Cc", "Cs", "Zl", "Zp"}
HIDDEN = UNFIT | {"Cf"}  # and what changes the order of what is shown, or cannot be seen


def show_name(name: str) -> str:
    r"""Returns a name, or a text with names in it, with everything that cannot be seen written as `\x1b`, `\n`."""
    return _escape(name, "")


def escape_controls(text: str) -> str:
    """Returns a text of several lines as `show_name` does, its line breaks kept."""
    return _escape(text, "\n")


def replace_unfit(name: str) -> str:
    """Returns a name with `_` for every character that no name should have: control characters, what is not UTF-8."""
    return name if name.isprintable() else "".join("_" if _is_in(letter, UNFIT) else letter for letter in name)


def _escape(text: str, kept: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        _write_escaped(letter) if _is_in(letter, HIDDEN) and letter not in kept else letter for letter in text
    )


def _is_in(letter: str, categories: set[str]) -> bool:
    return unicodedata.category(letter) in categories


def _write_escaped(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # how Python has a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if 0xD800 <= code <= 0xDFFF else letter.encode("unicode_escape").decode()
