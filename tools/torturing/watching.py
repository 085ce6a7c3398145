"""Watches this process: programs that are started, modules that are imported, files that are written elsewhere.

Python's own audit events see what Python does; where strace is installed, it sees what the libraries in C++ do too.
"""

import os
import re
import shutil
import sys
from pathlib import Path

MARK = "/torture-begins-here"  # is looked for, and never there: divides what strace saw
STARTS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.spawn", "os.startfile")
REACHES = ("socket.connect", "socket.getaddrinfo", "webbrowser.open", "urllib.Request")
# Modules that nothing needs which reads a stranger's files.
ALIEN = ("pydoc", "antigravity", "webbrowser", "telnetlib", "ftplib", "smtplib", "pty", "pdb", "code", "this")
TRACED = "execve,connect,openat,creat,unlink,unlinkat,rename,renameat2,mkdir,mkdirat,symlink,symlinkat"


class Watch:
    """Collects what should not happen. It cannot be taken off again, only told to look away.

    Args:
        allowed: a folder in which files may be written.
    """

    def __init__(self, allowed: Path):
        self._allowed = str(allowed)
        self._before: set[str] = set()
        self.looks = False
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def begin(self) -> None:
        """Looks from now on."""
        self._before = set(sys.modules)
        self.seen, self.looks = [], True

    def end(self) -> list[str]:
        """Looks away; returns what was seen."""
        self.looks = False
        # What importlib loads is no event.
        loaded = sorted(set(ALIEN) & (set(sys.modules) - self._before))
        return [*self.seen, *(f"{name} was loaded" for name in loaded)]

    def _hear(self, event: str, given: tuple) -> None:
        if not self.looks:
            return
        if event in STARTS or event in REACHES:
            self.seen.append(f"{event} {given!r}"[:200])
        elif event == "import" and str(given[0]).partition(".")[0] in ALIEN:
            self.seen.append(f"import of {given[0]}")
        elif event == "open" and isinstance(given[0], str) and self._is_written(*given):
            self.seen.append(f"{given[0]} was opened for writing")

    def _is_written(self, path: str, mode: str | None, flags: int) -> bool:
        writes = any(letter in (mode or "") for letter in "wax+") or flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        return bool(writes) and not is_within(path, self._allowed)


def is_within(path: str, folder: str) -> bool:
    """Whether a path is in a folder, or in one that belongs to nobody."""
    real = os.path.realpath(path)
    return real.startswith((folder + os.sep, "/dev/null", "/dev/shm/", "/proc/self/", "/dev/tty"))


def mark_beginning() -> None:
    """Leaves a mark in what strace sees."""
    os.path.exists(MARK)
    try:
        os.open(MARK, os.O_RDONLY)
    except OSError:
        return


def trace(command: list[str], log: Path) -> list[str]:
    """Returns the command as strace runs it; the command itself where there is no strace."""
    if not shutil.which("strace"):
        return command
    return ["strace", "-f", "-qq", "--seccomp-bpf", "-s", "300", "-e", f"trace={TRACED}", "-o", str(log), *command]


def read_trace(log: Path, allowed: Path) -> list[str]:
    """Returns what strace saw behind the mark that should not have happened."""
    seen = []
    begun = False
    for line in log.read_text(errors="replace").splitlines() if log.exists() else ():
        begun = begun or MARK in line
        if not begun or " = -1 " in line or "resumed>" in line:
            continue
        call = line.split(None, 1)[-1]
        if call.startswith("execve(") or (call.startswith("connect(") and "AF_UNIX" not in call):
            seen.append(call[:200])
        elif not call.startswith(("connect(", "+++", "---")):
            writes = not call.startswith("openat(") or re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TRUNC", call)
            paths = re.findall(r'"([^"]*)"', call)
            # What a link leads to, which comes first, is not written.
            written = paths[-1:] if call.startswith("symlink") else paths
            if writes and any(path.startswith("/") and not is_within(path, str(allowed)) for path in written):
                seen.append(call[:200])
    return seen


def list_tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Returns size and time of everything in a folder, by path."""
    return {
        str(path.relative_to(folder)): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in folder.rglob("*")
    }
