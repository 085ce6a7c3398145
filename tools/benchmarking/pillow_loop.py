"""The plain way to do it, to measure against: a Pillow loop in one process per core, three pictures a composite.

Pastes a scaled cut-out, writes fg_bg as JPEG, the mask as 8-bit PNG and the depth as 16-bit PNG, as the exercise is
usually done. Imports no TensorFlow, so that its processes start fast.
"""

import multiprocessing
import os
import time
from dataclasses import dataclass

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Paste:
    """One composite: pixels of the window, and the depth code of the object."""

    background: int
    foreground: int
    flipped: bool
    left: int
    top: int
    width: int
    height: int
    code: int


class PillowLoop:
    """Workers that hold the pictures; `rate(pastes)` is how many composites a second they write."""

    def __init__(self, backgrounds: np.ndarray, depth_codes: np.ndarray, foregrounds, folder: str, quality: int):
        self._pool = multiprocessing.get_context("spawn").Pool(
            os.cpu_count(), _start_worker, (backgrounds, depth_codes, foregrounds, folder, quality)
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._pool.terminate()

    def rate(self, pastes: list[Paste]) -> float:
        """Returns composites made a second."""
        start = time.perf_counter()
        sum(self._pool.imap_unordered(_write, enumerate(pastes), chunksize=64))
        return len(pastes) / (time.perf_counter() - start)


# What a worker holds: `_receive` fills it in when the worker starts.
pictures: list[Image.Image]
depths: np.ndarray
cutouts: list[Image.Image]
output: str
jpeg_quality: int


def _start_worker(backgrounds, depth_codes, foregrounds, folder, quality):
    global pictures, depths, cutouts, output, jpeg_quality  # noqa: PLW0603 (a worker process has no other place)
    pictures = [Image.fromarray(background) for background in backgrounds]
    depths = depth_codes
    cutouts = [Image.fromarray(foreground) for foreground in foregrounds]
    output, jpeg_quality = folder, quality


def _write(numbered: tuple[int, Paste]) -> int:
    number, paste = numbered
    cutout = cutouts[paste.foreground].resize((paste.width, paste.height), Image.Resampling.BILINEAR)
    if paste.flipped:
        cutout = cutout.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    alpha = cutout.getchannel("A")
    fg_bg = pictures[paste.background].copy()
    fg_bg.paste(cutout, (paste.left, paste.top), alpha)
    mask = Image.new("L", fg_bg.size)
    mask.paste(alpha, (paste.left, paste.top))
    depth = depths[paste.background].copy()
    depth[np.asarray(mask) >= 128] = paste.code
    fg_bg.save(f"{output}/{number}.jpg", quality=jpeg_quality)
    mask.save(f"{output}/{number}_mask.png")
    Image.fromarray(depth).save(f"{output}/{number}_depth.png")
    return 1
