"""One writer at a time in a folder: a lock that a process holds while it writes there, and that goes with the process.

The system holds the lock on the file `.lock` in the folder, so it is gone with the process however that ends, and a
file that a killed process left behind locks nothing. What is in the file is only for people: who has the folder, and
since when. Names that begin with a dot belong to no data set, run, camera or model here.

Object stores such as gs:// have no locks, nor have some network drives and systems other than POSIX: there the work
goes on after one remark. To refuse would lock out who always starts one process only; and two at once do not write into
each other's files, since every file that is being written has a name of its own (`files.name_part`).
"""

import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator

from data_pipelines.runtime.files import is_local, make_folder, remove_parts

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
_LONGEST = 200  # characters of what is shown from the file
_remarked: set[str] = set()


class LockedError(ValueError):
    """Another process is writing in a folder: which folder, which process, what to do."""


@contextlib.contextmanager
def lock_folder(folder: str, setting: str = "output") -> Iterator[None]:
    """Holds the lock of a folder, which is made where it is missing, until the context ends.

    What killed processes left half written there is removed first.

    Args:
        folder: that is written.
        setting: name of the setting that chose it, for the message.

    Raises:
        LockedError: another process, or another part of this one, holds it.
        ValueError: the path is that of a file.
    """
    if not is_local(folder) or fcntl is None:
        _remark(folder, "has no locks" if is_local(folder) else "is on a store without locks")
        yield
        return
    is_new = not os.path.isdir(folder)
    if is_new and os.path.exists(folder):
        raise ValueError(f"`{setting}`={folder} is a file; name a folder.")
    make_folder(folder)
    path = os.path.join(folder, LOCK)
    try:
        opened = _acquire(path, setting)
    except OSError as error:
        # EROFS, EACCES and the like are about the folder, and would end the work anyway.
        if error.filename is not None:
            raise
        _remark(folder, f"cannot be locked ({error.strerror})")
        yield
        return
    try:
        remove_parts(folder)
        yield
    finally:
        # While the lock is held: whoever opened the file before sees that it is not the one in the folder any more.
        with contextlib.suppress(OSError):
            os.remove(path)
        os.close(opened)
        if is_new:
            with contextlib.suppress(OSError):  # something was written, as a rule
                os.rmdir(folder)


def _acquire(path: str, setting: str) -> int:
    """Returns the open file that holds the lock."""
    while True:
        # Not through a link: a folder from elsewhere could have one to a file that matters.
        opened = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_the_file_at(opened, path):
                os.ftruncate(opened, 0)
                os.write(opened, json.dumps(_describe_process()).encode())
                return opened
            os.close(opened)  # its holder ended between the two calls, and removed it
        except BlockingIOError:
            holder = _describe_holder(opened)
            os.close(opened)
            raise LockedError(
                f"`{setting}`={os.path.dirname(path)} is being written by {holder}; wait for it, end it, or choose "
                f"another `{setting}`."
            ) from None
        except BaseException:
            os.close(opened)
            raise


def _is_the_file_at(opened: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(opened), os.stat(path))
    except FileNotFoundError:
        return False


def _describe_process() -> dict[str, object]:
    command = " ".join([os.path.basename(sys.argv[0]), *sys.argv[1:]])
    since = time.strftime("%Y-%m-%d %H:%M:%S %z")
    return {"pid": os.getpid(), "host": socket.gethostname(), "command": command, "since": since}


def _describe_holder(opened: int) -> str:
    try:
        note = json.loads(os.pread(opened, 1 << 16, 0))
        text = f"process {note['pid']} on {note['host']} since {note['since']} ({note['command']})"
    except (ValueError, KeyError, TypeError):  # between the lock and the note, or somebody else's file
        return "another process"
    shown = "".join(character for character in text if character.isprintable())
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 4]} ...)"


def _remark(folder: str, why: str) -> None:
    if folder not in _remarked:
        _remarked.add(folder)
        print(f"{folder} {why}: nothing keeps a second process from writing there; start only one.", file=sys.stderr)
