"""Whole files, local or on gs://: what is written appears under its name at once, or not at all.

Every path goes through `tf.io.gfile`. On local disks the content of a file is on the disk before it gets its name, and
its name is there before anything else is done: a power cut loses nothing that was finished. Object stores see to that
themselves.
"""

import contextlib
import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

PART = ".part"  # ends the name of a file that is still being written
ADDED_BY_PART = 32  # bytes, at most, that `name_part` puts behind a name
_PART_NAME = re.compile(r".+\.(\d{1,9})-[0-9a-f]{8}\.part", re.DOTALL)  # as `name_part` makes it
MOST_BYTES = 32 << 20  # of JSON: in memory it takes up to forty times as much
LONGEST_WHOLE = 500  # digits
DEEPEST = 40  # lists and objects inside of one another


class FileError(ValueError):
    """A file does not hold what it should: what, where, what to do."""


def join_path(folder: str, *names: str) -> str:
    """Returns the path of a file in a folder, with "/" on every system, as `tf.io.gfile` wants it."""
    return "/".join([folder.rstrip("/"), *names])


def is_local(path: str) -> bool:
    """Returns whether a path is on a file system of this machine, which can lock, append and sync."""
    return "://" not in path


def name_part(path: str) -> str:
    """Returns a name for a file that is still being written, which no other process and no other call writes to."""
    return f"{path}.{os.getpid()}-{uuid.uuid4().hex[:8]}{PART}"


def remove_parts(folder: str) -> None:
    """Removes what processes that were killed left half written in a folder.

    What a process of this machine is writing stays. From another machine nobody else may be writing there.
    """
    if not tf.io.gfile.isdir(folder):
        return
    for name in tf.io.gfile.listdir(folder):
        match = _PART_NAME.fullmatch(name)
        if match and not _is_alive(int(match[1])):
            remove_if_there(join_path(folder, name))


def _is_alive(process: int) -> bool:
    if os.name != "posix":  # where asking is ending
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # somebody else's
        return True
    return True


def remove_if_there(path: str) -> None:
    """Removes a file, which may have gone already."""
    with contextlib.suppress(tf.errors.NotFoundError):
        tf.io.gfile.remove(path)


def measure_file(path: str) -> tuple[int, str]:
    """Returns (bytes, sha256) of a file."""
    digest, size = hashlib.sha256(), 0
    with tf.io.gfile.GFile(path, "rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def make_folder(folder: str) -> None:
    """Makes a folder and those above it, where they are missing, so that they outlast a power cut."""
    if not is_local(folder):
        tf.io.gfile.makedirs(folder)
        return
    missing = []
    while folder and not tf.io.gfile.isdir(folder):
        missing.append(folder)
        folder = folder.rstrip("/").rpartition("/")[0]
    if missing:
        tf.io.gfile.makedirs(missing[0])
        for made in reversed(missing):
            sync_folder(os.path.dirname(made.rstrip("/")))


def sync_file(path: str) -> None:
    """Waits until what was written to a file is on the disk."""
    if is_local(path):
        _sync(path)


def sync_folder(folder: str) -> None:
    """Waits until the names in a folder are on the disk."""
    if is_local(folder) and os.name == "posix":
        _sync(folder or ".")


def sync_tree(folder: str) -> None:
    """Waits until everything in a folder is on the disk."""
    if not is_local(folder):
        return
    for place, _, names in os.walk(folder):
        for name in names:
            _sync(os.path.join(place, name))
        sync_folder(place)


def _sync(path: str) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def rename_whole(part: str, path: str) -> None:
    """Gives a file that is written to its end its name: first its content is on the disk, then its name."""
    sync_file(part)
    tf.io.gfile.rename(part, path, overwrite=True)
    sync_folder(os.path.dirname(path))


@contextlib.contextmanager
def replace_file(path: str, sync: bool = True) -> Iterator[str]:
    """Yields the path to write to; what was written there replaces `path` when the context ends without an error.

    Args:
        path: of the file.
        sync: whether to wait until it is on the disk; without, whoever writes many files syncs them together.
    """
    if "/" in path:
        make_folder(path.rsplit("/", 1)[0])
    part = name_part(path)
    try:
        yield part
        if sync:
            rename_whole(part, path)
        else:
            tf.io.gfile.rename(part, path, overwrite=True)
    except BaseException:
        remove_if_there(part)
        raise


def write_atomic(path: str, content: bytes | str, sync: bool = True) -> None:
    """Writes a file that appears whole. sync: as of `replace_file`."""
    with (
        replace_file(path, sync) as part,
        tf.io.gfile.GFile(part, "w" if isinstance(content, str) else "wb") as file,
    ):
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
