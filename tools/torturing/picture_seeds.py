"""Small pictures of every kind, and what damage makes of them."""

import io

import numpy as np
from PIL import Image


def make_seeds() -> dict[str, bytes]:
    """Returns a small picture of every kind by a name with its ending."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 28, 4)).astype(np.uint8)
    colours, deep = Image.fromarray(noise[..., :3]), Image.fromarray(noise[..., 0].astype(np.uint16) * 257)
    kinds: tuple[tuple[str, Image.Image, dict], ...] = (
        ("plain.jpg", colours, {}),
        ("progressive.jpg", colours, {"progressive": True}),
        ("clear.png", Image.fromarray(noise), {}),
        ("deep.png", deep, {}),
        ("palette.png", colours.quantize(16), {}),
        ("lossless.webp", colours, {"lossless": True}),
        ("colours.bmp", colours, {}),
        ("deep.tiff", deep, {}),
        ("palette.gif", colours.quantize(16), {}),
    )
    made = {}
    for name, picture, options in kinds:
        written = io.BytesIO()
        picture.save(
            written, {"jpg": "JPEG", "tiff": "TIFF"}.get(name[-3:], name.rpartition(".")[2].upper()), **options
        )
        made[name] = written.getvalue()
    return made


def mutate(data: bytes, rng: np.random.Generator) -> bytes:
    """Returns a file with bytes changed, cut off, put in twice, or numbers of its header made large."""
    changed = bytearray(data)
    kind = rng.integers(5)
    if kind == 0:
        return bytes(changed[: rng.integers(1, len(changed) + 1)])
    for _ in range(int(rng.integers(1, 9))):
        place = int(rng.integers(min(len(changed), 64) if kind == 1 else len(changed)))
        if kind <= 2:
            changed[place] = rng.integers(256)
        elif kind == 3:
            changed[place:place] = changed[place : place + int(rng.integers(1, 60))]
        else:
            changed[place : place + 4] = rng.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\1\0\0"])
    return bytes(changed)
