"""What is brought to the disk, and what gets its name, in the order in which it happens: on real files."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorflow as tf


@contextlib.contextmanager
def record_disk_calls(folder: Path) -> Iterator[list[tuple[str, str]]]:
    """Yields a list of ("sync", path) and ("rename", target) that grows; paths are relative to the folder."""
    calls: list[tuple[str, str]] = []
    fsync, rename = os.fsync, tf.io.gfile.rename

    def record_sync(opened):
        calls.append(("sync", os.path.relpath(os.readlink(f"/proc/self/fd/{opened}"), folder)))
        fsync(opened)

    def record_rename(source, target, overwrite=False):
        calls.append(("rename", os.path.relpath(target, folder)))
        rename(source, target, overwrite=overwrite)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", record_sync)
        patch.setattr(tf.io.gfile, "rename", record_rename)
        yield calls
