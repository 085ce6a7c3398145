"""Locks on folders, held by real processes and gone with them."""

import errno
import fcntl
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from data_pipelines.runtime import locks
from data_pipelines.runtime.locks import LOCK, LockedError, lock_folder

# Without TensorFlow, which would take seconds to load: the lock is the system's.
HOLDER = """
import fcntl, os, sys
opened = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(opened, fcntl.LOCK_EX)
os.write(opened, os.fsencode(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


def hold(folder: Path, note: str) -> subprocess.Popen:
    """Starts a process that holds the lock until it is ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(folder / LOCK), note],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    return process


def try_lock(folder: Path) -> None:
    with lock_folder(str(folder), "run"):
        pass


def test_it_says_who_has_the_folder_and_goes_with_a_killed_process(tmp_path):
    note = '{"pid": 7, "host": "here", "command": "train --run=a\\u001b[2J", "since": "2026-01-02 03:04:05 +0000"}'
    with hold(tmp_path, note) as other:
        with pytest.raises(LockedError) as refused:
            try_lock(tmp_path)
        assert str(refused.value) == (
            f"`run`={tmp_path} is being written by process 7 on here since 2026-01-02 03:04:05 +0000 "
            "(train --run=a[2J); wait for it, end it, or choose another `run`."
        )
        other.send_signal(signal.SIGKILL)
        other.wait()
    assert (tmp_path / LOCK).exists()
    try_lock(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("note", ["", "[]", '{"pid": 1}', "\udcff" * 3])
def test_a_note_that_says_nothing(tmp_path, note):
    with hold(tmp_path, note) as other:
        with pytest.raises(LockedError, match="is being written by another process; wait for it"):
            try_lock(tmp_path)
        other.kill()


def test_what_holds_it_is_named_and_the_folder_is_left_as_it_was(tmp_path):
    folder = tmp_path / "a" / "new"
    with lock_folder(str(folder)):
        assert f'"pid": {os.getpid()}' in (folder / LOCK).read_text()
        with pytest.raises(LockedError, match=rf"`run`={folder} is being written by process {os.getpid()} on "):
            try_lock(folder)
    assert not folder.exists()
    with lock_folder(str(folder)):
        (folder / "f").write_text("kept")
    assert [path.name for path in folder.iterdir()] == ["f"]


def test_a_lock_file_that_was_removed_meanwhile_locks_nothing(tmp_path, monkeypatch):
    """Between opening and locking, its holder ended: who comes then must not hold a file that is not in the folder."""
    flock, taken = fcntl.flock, []

    def remove_and_lock(opened, how):
        if not taken:
            os.remove(tmp_path / LOCK)
        taken.append(opened)
        flock(opened, how)

    monkeypatch.setattr(locks.fcntl, "flock", remove_and_lock)
    with lock_folder(str(tmp_path)):
        assert len(taken) == 2
        with pytest.raises(LockedError):
            try_lock(tmp_path)


def test_it_is_not_taken_through_a_link(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / LOCK).symlink_to(precious)
    with pytest.raises(OSError, match=LOCK):
        try_lock(tmp_path)
    assert precious.read_text() == "mine"


def test_where_there_are_no_locks_it_is_said_once(tmp_path, monkeypatch, capsys):
    def refuse(opened, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    for _ in range(2):
        try_lock(tmp_path)
    with lock_folder("ram://bucket/set"):
        pass
    assert capsys.readouterr().err == (
        f"{tmp_path} cannot be locked (No locks available): nothing keeps a second process from writing there; start "
        "only one.\nram://bucket/set is on a store without locks: nothing keeps a second process from writing there; "
        "start only one.\n"
    )
