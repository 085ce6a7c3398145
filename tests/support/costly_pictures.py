"""Small files of pictures that cost much to decode, as a stranger would make them."""

import io
import struct
import zlib

import numpy as np
from PIL import Image


def make_jpeg_of_many_scans(scans: int, width: int, height: int) -> bytes:
    """Returns a progressive JPEG whose last scan is there again and again."""
    written = io.BytesIO()
    Image.new("L", (width, height), 90).save(written, "JPEG", progressive=True)
    data = written.getvalue()
    last = data.rindex(b"\xff\xda")
    return data[:last] + data[last:-2] * scans + data[-2:]


def make_grey_png(width: int, height: int, levels: bytes = b"\x12\x34") -> bytes:
    """Returns a PNG of 16-bit grey, every pixel the same."""
    header = struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0)
    row = b"\0" + levels * width
    squeeze = zlib.compressobj(1)
    body = b"".join(squeeze.compress(row) for _ in range(height)) + squeeze.flush()
    return b"\x89PNG\r\n\x1a\n" + make_chunk(b"IHDR", header) + make_chunk(b"IDAT", body) + make_chunk(b"IEND", b"")


def make_chunk(kind: bytes, body: bytes) -> bytes:
    """Returns a chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def make_seeds() -> dict[str, bytes]:
    """Returns a small picture of every kind by a name with its ending, also of kinds that are not read."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 4)).astype(np.uint8)
    colours, deep = Image.fromarray(noise[..., :3]), Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
    pictures = {
        "plain.jpg": (colours, "JPEG", {}),
        "progressive.jpg": (colours, "JPEG", {"progressive": True}),
        "colours.png": (Image.fromarray(noise), "PNG", {}),
        "deep.png": (deep, "PNG", {}),
        "palette.png": (colours.quantize(16), "PNG", {}),
        "moving.png": (colours, "PNG", {"save_all": True, "append_images": [colours.rotate(90)]}),
        "lossless.webp": (colours, "WEBP", {"lossless": True}),
        "moving.webp": (colours, "WEBP", {"save_all": True, "append_images": [colours.rotate(90)]}),
        "colours.bmp": (colours, "BMP", {}),
        "deep.tiff": (deep, "TIFF", {}),
        "squeezed.tiff": (Image.fromarray(noise[..., 0].astype(np.float32)), "TIFF", {"compression": "tiff_lzw"}),
        "palette.gif": (colours.quantize(16), "GIF", {}),
    }
    made = {}
    for name, (picture, kind, options) in pictures.items():
        written = io.BytesIO()
        picture.save(written, kind, **options)
        made[name] = written.getvalue()
    written = io.BytesIO()
    np.save(written, noise[..., 0].astype(np.float32) + 1)
    return {**made, "floats.npy": written.getvalue()}


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Returns a file with bytes changed, cut off, put in twice, or numbers of its header made large."""
    changed = bytearray(data)
    kind = rng.integers(0, 5)
    for _ in range(int(rng.integers(1, 9))):
        place = int(rng.integers(0, len(changed)))
        if kind == 0:
            changed[place] = rng.integers(0, 256)
        elif kind == 1:
            changed[place:place] = changed[place : place + int(rng.integers(1, 60))]
        elif kind == 2:
            place = int(rng.integers(0, min(len(changed), 64)))
            changed[place] = rng.integers(0, 256)
        elif kind == 3:
            place = int(rng.integers(0, max(1, len(changed) - 4)))
            changed[place : place + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\1\0\0"])
    return bytes(changed[: rng.integers(1, len(changed) + 1)] if kind == 4 else changed)
