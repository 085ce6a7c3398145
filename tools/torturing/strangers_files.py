"""Hostile files, as a stranger would make them: archives, HDF5, JSON, links and pipes.

A payload that runs would write a marker beside its folder, or start a program, or import a module; see `watching`.
"""

import base64
import io
import json
import marshal
import os
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

DEEP = 200_000
BOMB = 600_000_000  # bytes that come out
SPARSE = 50_000_000_000
SCRIPT = "<script>alert(1)</script>"


def replace_by_link(path: Path, target: str) -> None:
    """Puts a link in the place of a file."""
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def replace_by_pipe(path: Path) -> None:
    """Puts a FIFO in the place of a file: to open it is to wait without end."""
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def replace_by_folder(path: Path) -> None:
    """Puts a folder in the place of a file."""
    path.unlink(missing_ok=True)
    path.mkdir()


def make_sparse(path: Path) -> None:
    """Makes a file seem to have 50 GB."""
    path.unlink(missing_ok=True)
    with path.open("wb") as file:
        file.truncate(SPARSE)


def nest(path: Path) -> None:
    """Writes JSON so deep that a parser that calls itself runs out of stack."""
    path.write_text("[" * DEEP + "]" * DEEP)


def write_long_number(path: Path) -> None:
    """Writes JSON with a whole number of a million digits."""
    path.write_text('{"format": ' + "9" * 1_000_000 + "}")


def edit_json(path: Path, change: Callable[[Any], object], seal: Callable[[Any], Any] = lambda value: value) -> None:
    """Changes JSON in place."""
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(seal(value)))


def write_bomb(path: Path, member: str = "joint/000/0.npy") -> None:
    """Writes a zip archive of less than a megabyte that holds 600 MB of zeros."""
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive,
        archive.open(member, "w", force_zip64=True) as file,
    ):
        for _ in range(BOMB // 10_000_000):
            file.write(bytes(10_000_000))


def write_lying_bomb(path: Path, member: str) -> None:
    """Writes an archive whose directory says that a member of 60 MB has 100 bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(member, bytes(60_000_000))
    path.write_bytes(content.getvalue().replace(struct.pack("<I", 60_000_000), struct.pack("<I", 100)))


def write_pickle(path: Path) -> None:
    """Writes a .npz file with an array of objects, which numpy would unpickle."""

    class Payload:
        def __reduce__(self):
            return os.system, (f"touch {path.parent.parent}/outside/pickled",)

    np.savez(path, **{"joint/000/0": np.array([Payload()], dtype=object)})  # type: ignore[arg-type]


def write_claiming_npz(path: Path) -> None:
    """Writes a .npz file whose array claims to have a thousand billion numbers."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**12},), }}"
    header = header.ljust(117) + "\n"
    content = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + bytes(64)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("joint/000/0.npy", content)


def change_npz(path: Path, change: Callable[[dict[str, np.ndarray]], object]) -> None:
    """Changes the arrays of a .npz file."""
    with np.load(path) as stored:
        arrays = dict(stored)
    change(arrays)
    np.savez(path, **arrays)  # type: ignore[arg-type]


def encrypt(path: Path) -> None:
    """Makes a zip archive say that its members are encrypted."""
    content = bytearray(path.read_bytes())
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := content.find(mark, start + 1)) >= 0:
            content[start + place] |= 1
    path.write_bytes(bytes(content))


def describe_function(kind: str, marker: Path) -> dict[str, Any]:
    """Returns the description of a function that does something as soon as it is found or called."""
    named = {"module": "pydoc", "class_name": "function", "config": "pipepager", "registered_name": "pipepager"}
    if kind == "pydoc":
        return named
    if kind == "os":
        return {**named, "module": "os", "config": "popen", "registered_name": "popen"}
    if kind == "import":
        return {**named, "module": "this", "config": "s", "registered_name": "s"}
    source = f"lambda x, cmd: __import__('os').system('touch {marker}') or x"
    code = marshal.dumps(eval(source).__code__)
    text = base64.b64encode(code).decode()
    config = {"code": text, "value": text, "defaults": None, "closure": None}  # as Keras 3 and 2 name it
    return {"class_name": "__lambda__", "config": config}


def describe_network(kind: str, marker: Path) -> dict[str, Any]:
    """Returns the description of a whole network, as Keras files it, with such a function in a layer."""
    picture = keras.Input((None, None, 3))
    network = keras.Model(picture, keras.layers.Lambda(abs, output_shape=(None, None, 3))(picture))
    with tempfile.TemporaryDirectory() as folder:
        network.save(Path(folder) / "network.keras")
        with zipfile.ZipFile(Path(folder) / "network.keras") as archive:
            description = json.loads(archive.read("config.json"))
    given = {"function": describe_function(kind, marker), "arguments": {"cmd": f"touch {marker}"}}
    description["config"]["layers"][1]["config"] |= given
    return description


def plant_code(path: Path, kind: str, marker: Path) -> None:
    """Puts code into the description in a .keras file, and leaves its numbers as they are."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members["config.json"] = json.dumps(describe_network(kind, marker)).encode()
    members["../outside/escaped"] = b"x"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def change_weights(path: Path, change: Callable[[h5py.File], object]) -> None:
    """Changes the HDF5 file in a .keras file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    content = io.BytesIO(members["model.weights.h5"])
    with h5py.File(content, "r+") as file:
        change(file)
    members["model.weights.h5"] = content.getvalue()
    with zipfile.ZipFile(path, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member)


def replace_datasets(file: h5py.File, link: Any) -> None:
    """Puts links into an HDF5 file in place of everything in it."""
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    for name in names:
        del file[name]
        file[name] = link


def store_outside(file: h5py.File, target: str) -> None:
    """Makes every array of an HDF5 file one whose numbers lie in another file."""
    names: dict[str, tuple] = {}
    file.visititems(lambda n, item: names.update({n: item.shape}) if isinstance(item, h5py.Dataset) else None)
    for name, shape in names.items():
        del file[name]
        if shape:
            size = 4 * int(np.prod(shape))
            file.create_dataset(name, shape, "f4", external=[(target, 0, size)])


def store_virtually(file: h5py.File, target: str) -> None:
    """Makes every array of an HDF5 file a view of another file."""
    names: dict[str, tuple] = {}
    file.visititems(lambda n, item: names.update({n: item.shape}) if isinstance(item, h5py.Dataset) else None)
    for name, shape in names.items():
        del file[name]
        if shape:
            layout = h5py.VirtualLayout(shape, "f4")
            layout[...] = h5py.VirtualSource(target, "x", shape)
            file.create_virtual_dataset(name, layout)


def claim_much(file: h5py.File) -> None:
    """Makes every array of an HDF5 file one of many gigabytes, of which nothing is stored."""
    names: list[str] = []
    file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    for name in names:
        del file[name]
        file.create_dataset(name, (200_000, 200_000), "f4", chunks=(1000, 1000), compression="gzip")


def write_png_bomb(path: Path, side: int = 12_000) -> bytes:
    """Writes a PNG of 144 million black pixels in less than a megabyte; returns it."""
    row = bytes(1 + side * 3)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    content = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    path.write_bytes(content)
    return content


def write_h5_network(path: Path, kind: str, marker: Path) -> None:
    """Writes a whole Keras 2 model whose description runs something, as an .h5 file."""
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = json.dumps(describe_network(kind, marker))
        file.attrs["keras_version"] = keras.__version__
