"""Arrays in .npz files and other archives, whoever made them: numbers only, and no more bytes than were expected.

An archive of a few megabytes can unpack to gigabytes, and the header of an array can claim any shape. So nothing is
unpacked before its size is known and within the limit, and no array is made whose bytes are not there.
"""

import hashlib
import io
import math
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from data_pipelines.runtime.files import FileError
from data_pipelines.runtime.stored_files import Refusal, read_bytes

# What the reading of a damaged archive raises: RuntimeError where it says that it is encrypted, NotImplementedError for
# a compression that nobody knows, struct.error and others are ValueError or OSError.
DAMAGES = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError, NotImplementedError, IndexError)
OVERHEAD = 1 << 20  # bytes that an archive may have beside its contents
LARGEST_HEADER = 4096  # bytes of the header of an array


@contextmanager
def open_archive(path: str, most_bytes: int, remedy: str, digest: str | None = None) -> Iterator[zipfile.ZipFile]:
    """Opens a zip archive, and turns whatever is wrong with it, until the context ends, into one sentence.

    Args:
        path: of a regular file, local or on gs://.
        most_bytes: that all of its members together may unpack to.
        remedy: what to do where the file is damaged, such as "train again".
        digest: SHA-256 that the file must have; None for any.

    Raises:
        FileError: it is damaged, too large, not a regular file, or of another digest.
    """
    try:
        content = read_bytes(path, most_bytes + OVERHEAD)
    except Refusal as error:
        raise FileError(f"{path} {error}; {remedy}.") from error
    actual = hashlib.sha256(content).hexdigest()
    if digest not in (None, actual):
        raise FileError(f"{path} is not what it was (SHA-256 {actual[:12]}, not {str(digest)[:12]}); {remedy}.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            total = sum(member.file_size for member in archive.infolist())
            if total > most_bytes:
                raise FileError(
                    f"{path} would unpack to {total:,} bytes, and {most_bytes:,} are expected at most; {remedy}."
                )
            yield archive
    except FileError:
        raise
    except DAMAGES as error:
        raise FileError(f"{path} is damaged, or not such an archive ({_describe(error)}); {remedy}.") from error


def read_member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Returns a member of an archive that `open_archive` opened.

    Raises:
        ValueError: there is none, or it is longer than the archive says.
    """
    try:
        member = archive.getinfo(name)
    except KeyError as error:
        raise ValueError(f"it holds no {name}") from error
    with archive.open(member) as file:
        content = file.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise ValueError(f"{name} is not of the size that the archive says")
    return content


def read_npz(path: str, most_bytes: int, remedy: str, digest: str | None = None) -> dict[str, np.ndarray]:
    """Returns the arrays of a .npz file by name.

    Args:
        path: of the file, local or on gs://.
        most_bytes: of all arrays together; what a few headers take comes on top.
        remedy: what to do where the file is damaged.
        digest: SHA-256 that the file must have; None for any.

    Raises:
        FileError: it is damaged, of another digest, holds more than that, or something else than numbers or text.
    """
    arrays = {}
    with open_archive(path, most_bytes + OVERHEAD, remedy, digest) as archive:
        for name in archive.namelist():
            key = name.removesuffix(".npy")
            if key == name or key in arrays:
                raise ValueError(f"it holds {name[:80]!r}, which is not an array, or twice")
            arrays[key] = _parse_array(read_member(archive, name), key)
    return arrays


def _parse_array(content: bytes, name: str) -> np.ndarray:
    file = io.BytesIO(content)
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    version = np.lib.format.read_magic(file)
    if version not in readers:
        raise ValueError(f"{name[:80]!r} is of an unknown version")
    shape, by_columns, dtype = readers[version](file, max_header_size=LARGEST_HEADER)
    if dtype.hasobject:
        raise ValueError(f"{name[:80]!r} holds objects, which are never read")
    begin = file.tell()
    if any(side < 0 for side in shape) or math.prod(shape) * dtype.itemsize != len(content) - begin:
        raise ValueError(f"{name[:80]!r} has not as many bytes as its header says")
    flat = np.frombuffer(content, dtype, math.prod(shape), begin) if math.prod(shape) else np.zeros(0, dtype)
    return flat.reshape(shape, order="F" if by_columns else "C").copy()


def _describe(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200].rstrip(".") if lines else type(error).__name__
