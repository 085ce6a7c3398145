"""Whole files, local or on gs://: what is written appears under its name at once, or not at all.

Every path goes through `tf.io.gfile`.
"""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

PART = ".part"  # ends the name of a file that is still being written
MOST_BYTES = 32 << 20  # of JSON: in memory it takes up to forty times as much
LONGEST_WHOLE = 500  # digits
DEEPEST = 40  # lists and objects inside of one another


class FileError(ValueError):
    """A file does not hold what it should: what, where, what to do."""


def join_path(folder: str, *names: str) -> str:
    """Returns the path of a file in a folder, with "/" on every system, as `tf.io.gfile` wants it."""
    return "/".join([folder.rstrip("/"), *names])


@contextlib.contextmanager
def replace_file(path: str) -> Iterator[str]:
    """Yields the path to write to; what was written there replaces `path` when the context ends without an error."""
    if "/" in path:
        tf.io.gfile.makedirs(path.rsplit("/", 1)[0])
    yield path + PART
    tf.io.gfile.rename(path + PART, path, overwrite=True)


def write_atomic(path: str, content: bytes | str) -> None:
    """Writes a file that appears whole."""
    with replace_file(path) as part, tf.io.gfile.GFile(part, "w" if isinstance(content, str) else "wb") as file:
        file.write(content)


def write_json(path: str, value: object) -> None:
    """Writes JSON for people to read too: indented, lists of numbers on one line.

    Raises:
        ValueError: a number is not finite, which JSON does not know.
    """
    text = json.dumps(value, indent=1, allow_nan=False)
    # No string has a line break in it.
    text = re.sub(r"\[\n[\d\s.,e+-]+\]", lambda numbers: " ".join(numbers[0].split()), text)
    write_atomic(path, text + "\n")


def is_regular(path: str) -> bool:
    """Returns whether there is a file whose end can be read to: no folder, and on a local disk no device or pipe."""
    if "://" in path:
        return tf.io.gfile.exists(path) and not tf.io.gfile.isdir(path)
    return os.path.isfile(path)


def read_json(path: str, remedy: str, most: int = MOST_BYTES) -> Any:
    """Reads a JSON file; what is in it is still to be checked, see `notes.Note`.

    Args:
        path: of the file.
        remedy: what else the reader can do but to restore it, such as "train again".
        most: bytes that it may have.

    Raises:
        FileError: it is not JSON, or not text, or too large to be what it should be.
    """
    if tf.io.gfile.exists(path) and not is_regular(path):
        raise FileError(f"{path} is not a regular file; restore it or {remedy}.")
    with tf.io.gfile.GFile(path, "rb") as file:
        text = file.read(most + 1)
    if len(text) > most:
        raise FileError(
            f"{path} has more than {most:,} bytes, too many for what it should hold; restore it or {remedy}."
        )
    try:
        value = json.loads(text, parse_int=_parse_whole)
        # How deep a parser goes differs between versions of Python; who looks at what it returns goes less deep.
        if _is_deep(value):
            raise RecursionError
    except ValueError as error:
        raise FileError(f"{path} cannot be read as JSON ({error}); restore it or {remedy}.") from error
    except RecursionError as error:
        raise FileError(f"{path} is nested too deeply; restore it or {remedy}.") from error
    return value


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        parts = (part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list))
        level = [one for of_part in parts for one in of_part if isinstance(one, dict | list)]
        if not level:
            return False
    return True


def _parse_whole(text: str) -> int:
    if len(text) > LONGEST_WHOLE:
        raise ValueError(f"a whole number of {len(text)} digits")
    return int(text)
