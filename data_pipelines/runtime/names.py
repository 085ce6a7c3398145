"""Names of files as a terminal can show them.

The name of a file may be any bytes but "/" and 0: line breaks that fake a line of a log, sequences that a terminal obeys,
bytes that are no UTF-8. Names that others gave are shown through here.
"""


def show_name(name: str) -> str:
    r"""Returns a name, or a text with names in it, with everything that cannot be printed written as `\x1b`, `\n`."""
    return _escape(name, "")


def escape_controls(text: str) -> str:
    """Returns a text of several lines as `show_name` does, its line breaks kept."""
    return _escape(text, "\n")


def is_utf8(name: str) -> bool:
    """Whether a name, as Python has it from the system, is text that UTF-8 can write."""
    return not any("\ud800" <= letter <= "\udfff" for letter in name)


def _escape(text: str, kept: str) -> str:
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in kept else _write_escaped(letter) for letter in text)


def _write_escaped(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # how Python has a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return letter.encode("unicode_escape").decode() if code < 0xD800 or code > 0xDFFF else f"\\u{code:04x}"
