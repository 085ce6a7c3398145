"""Versions of a model side by side, as TF Serving watches for them: `DIR/1`, `DIR/2` and so on.

A version appears whole or not at all, is never changed, and its number is larger than all before it. (A local rename is
one step; on gs:// and the like it is a copy, during which a server may see part of a version.)
"""

import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from data_pipelines.runtime.files import is_local, join_path, sync_folder, sync_tree

UNFINISHED = ".unfinished-"  # TF Serving ignores what is not a number
_UNFINISHED_NAME = re.compile(rf"{re.escape(UNFINISHED)}\d+-[0-9a-f]{{8}}")


class VersionError(ValueError):
    """A version cannot be written; the message says which, why and what to do."""


def list_versions(folder: str) -> list[int]:
    """Returns the numbers of the versions that are there, ascending."""
    if not tf.io.gfile.isdir(folder):
        return []
    names = (name.rstrip("/") for name in tf.io.gfile.listdir(folder))
    return sorted(int(name) for name in names if name.isdecimal())


def choose_version(folder: str, version: int) -> int:
    """Returns the number of the version to write: the next one for 0, or that one.

    Raises:
        VersionError: It is not larger than all that are there.
    """
    last = max(list_versions(folder), default=0)
    if version and version <= last:
        raise VersionError(
            f"`version`={version}: {join_path(folder, str(last))} is there, and versions only grow; take {last + 1} or "
            "more."
        )
    return version or last + 1


def remove_unfinished(folder: str) -> None:
    """Removes what exports that were killed left half written in a folder, which is locked.

    Elsewhere than on local disks, which have locks, somebody may be writing it.
    """
    if not is_local(folder):
        return
    for name in tf.io.gfile.listdir(folder):
        if _UNFINISHED_NAME.fullmatch(name.rstrip("/")):
            tf.io.gfile.rmtree(join_path(folder, name))


@contextmanager
def new_version(folder: str, version: int) -> Iterator[str]:
    """Yields a folder to write into; it becomes `folder/version` at the end, and is removed if anything fails."""
    tf.io.gfile.makedirs(folder)
    unfinished = join_path(folder, f"{UNFINISHED}{version}-{uuid.uuid4().hex[:8]}")
    tf.io.gfile.makedirs(unfinished)
    try:
        yield unfinished
        final = join_path(folder, str(version))
        try:
            sync_tree(unfinished)
            tf.io.gfile.rename(unfinished, final)
            sync_folder(folder)
        except tf.errors.OpError as error:
            if not tf.io.gfile.exists(final):
                raise
            raise VersionError(f"{final} was written by somebody else meanwhile; export again.") from error
    except BaseException:
        if tf.io.gfile.exists(unfinished):
            tf.io.gfile.rmtree(unfinished)
        raise
