"""Files that others hand over: listed and read, whatever they turn out to be.

On local disks the system itself is asked instead of `tf.io.gfile`: only it says what stands under a name before that is
opened (a FIFO would be waited for without end), and takes names that are not UTF-8. Every other path, such as gs://,
goes through `tf.io.gfile`.
"""

import os
import stat

import tensorflow as tf

from data_pipelines.runtime.files import is_local

# 64 million pixels of 8 bytes each, as they are in a PNG of four times 16 bits or an NPY of float64, and a header.
LARGEST_FILE = 600_000_000
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a FIFO"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


class Refusal(Exception):
    """Why one file is refused; whoever catches it adds the path."""


def list_names(folder: str) -> list[str]:
    """Returns the names of what is in a folder, in no order; of bytes that are not UTF-8 as Python has them."""
    return os.listdir(folder) if is_local(folder) else [name for name in tf.io.gfile.listdir(folder) if name]


def is_folder(path: str) -> bool:
    """Whether there is a folder of this name."""
    return os.path.isdir(path) if is_local(path) else tf.io.gfile.isdir(path)


def is_there(path: str) -> bool:
    """Whether there is anything of this name; a link that leads nowhere counts."""
    return os.path.lexists(path) if is_local(path) else tf.io.gfile.exists(path)


def read_bytes(path: str, largest: int = LARGEST_FILE) -> bytes:
    """Reads a file whole.

    Args:
        path: of the file, local or on gs://.
        largest: bytes that it may have.

    Raises:
        Refusal: it cannot be read, is larger, or is no file but a folder, a FIFO, a socket or a device.
    """
    try:
        return _read_local(path, largest) if is_local(path) else _read_remote(path, largest)
    except OSError as error:
        if is_local(path) and os.path.islink(path) and not os.path.exists(path):
            raise Refusal("is a link that leads nowhere") from error
        raise Refusal(f"cannot be read ({error.strerror or error})") from error
    except (tf.errors.OpError, ValueError) as error:
        raise Refusal(f"cannot be read ({error})") from error


def _read_local(path: str, largest: int) -> bytes:
    # Asked before it is opened, because to open a device may do something, and once more of what was opened.
    _require_file(os.stat(path))
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    with open(os.open(path, flags), "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        _require_file(status)
        _require_size(status.st_size, largest)
        # One byte more than it may have: what grows meanwhile is not followed.
        data = file.read(status.st_size + 1) or b""
        while len(data) <= status.st_size and (more := file.read(status.st_size + 1 - len(data))):
            data += more
    return data[: status.st_size] if len(data) > status.st_size else data


def _read_remote(path: str, largest: int) -> bytes:
    with tf.io.gfile.GFile(path, "rb") as file:
        size = file.size()
        _require_size(size, largest)
        return file.read(size)


def _require_file(status: os.stat_result) -> None:
    if stat.S_ISREG(status.st_mode):
        return
    kind = next((kind for is_kind, kind in KINDS if is_kind(status.st_mode)), "something else")
    raise Refusal(f"is {kind}, not a file")


def _require_size(size: int, largest: int) -> None:
    if size > largest:
        raise Refusal(f"is too large: {size:,} bytes, {largest:,} are allowed")
