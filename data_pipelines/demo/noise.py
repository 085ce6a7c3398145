"""Noise and line patterns in metres, from which the textures of the demo sources are made.

They take float32 arrays of places on a surface, metres, and return float32 arrays of the same shape. They are functions
of the place alone, so perspective is right and a picture of any size shows the same thing. Lines are box-filtered
analytically over `blur` (how wide a pixel is there, metres): that costs less than more samples, and does not shimmer.
"""

import colorsys
import functools
from collections.abc import Iterable
from typing import TypeVar

import numpy as np

TILE = 512  # texels; a power of two, so that wrapping is a bit mask
Colour = tuple[float, float, float]  # linear RGB
T = TypeVar("T")


def triple(values: Iterable[T]) -> tuple[T, T, T]:
    """Returns three values as a tuple of length three, which `tuple` of an iterable does not say to a type checker."""
    first, second, third = values
    return first, second, third


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Returns a display colour (hue in turns) as linear RGB."""
    return triple(float(c**2.2) for c in colorsys.hsv_to_rgb(hue % 1.0, saturation, value))


@functools.cache
def _tile(roughness: float) -> np.ndarray:
    """Returns periodic noise, float32 [TILE, TILE], mean 0, deviation 1: a sum of lattices, so no FFT to differ."""
    rng = np.random.Generator(np.random.Philox(key=20240229))
    total = np.zeros((TILE, TILE))
    for octave in range(2 if roughness < 0.7 else 5, 10):  # rough noise has no broad patches: weave, grit, grass
        size = 2**octave
        lattice = rng.standard_normal((size, size))
        place = np.arange(TILE) * (size / TILE)
        low = place.astype(int)
        share = place - low
        share = share * share * (3 - 2 * share)
        high = (low + 1) % size
        rows = lattice[low] * (1 - share)[:, None] + lattice[high] * share[:, None]
        total += (rows[:, low] * (1 - share) + rows[:, high] * share) * size ** -(1 - roughness)
    total -= total.mean()
    return np.clip(total / total.std(), -3, 3).astype(np.float32)


@functools.cache
def _dice() -> np.ndarray:
    """Returns 4096 fixed uniform numbers in [0, 1)."""
    return np.random.Generator(np.random.Philox(key=7)).random(4096).astype(np.float32)


def grain(u: np.ndarray, v: np.ndarray, span: float, roughness: float = 0.6) -> np.ndarray:
    """Returns noise that repeats every `span` metres, nearest texel: for detail about as fine as a pixel."""
    scale = np.float32(TILE / span)
    column = (u * scale).astype(np.int32) & (TILE - 1)
    row = (v * scale).astype(np.int32) & (TILE - 1)
    return _tile(roughness).ravel()[row * TILE + column]


def cloud(u: np.ndarray, v: np.ndarray, span: float, roughness: float = 0.1) -> np.ndarray:
    """Returns noise that repeats every `span` metres, interpolated: for patches much wider than a pixel."""
    scale = np.float32(TILE / span)
    x, y = u * scale, v * scale
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    left, upper = x0.astype(np.int32) & (TILE - 1), y0.astype(np.int32) & (TILE - 1)
    right, lower = (left + 1) & (TILE - 1), ((upper + 1) & (TILE - 1)) * TILE
    upper = upper * TILE
    flat = _tile(roughness).ravel()
    above = flat[upper + left] * (1 - fx) + flat[upper + right] * fx
    below = flat[lower + left] * (1 - fx) + flat[lower + right] * fx
    return above * (1 - fy) + below * fy


def dice(i: np.ndarray, j: np.ndarray, salt: int = 0) -> np.ndarray:
    """Returns a fixed uniform number in [0, 1) for every cell (i, j) of a pattern; `salt` gives another set."""
    i, j = i.astype(np.int64), j.astype(np.int64)
    mixed = i * 73856093 ^ j * 19349663 ^ (salt + 1) * 83492791
    return _dice()[(mixed ^ mixed >> 11) & 4095]


def bars(place: np.ndarray, period: float, width: float, blur: np.ndarray) -> np.ndarray:
    """Returns 1 on [0, width) of every period, else 0, averaged exactly over a window as wide as `blur`."""

    def integral(x):
        turns = np.floor(x / period)
        return turns * width + np.minimum(x - turns * period, width)

    blur = np.maximum(blur, 1e-4)
    return (integral(place + blur / 2) - integral(place - blur / 2)) / blur


def between(place: np.ndarray, low: float, high: float, blur: np.ndarray) -> np.ndarray:
    """Returns 1 on [low, high], else 0, with edges as soft as a pixel is wide."""
    blur = np.maximum(blur, 1e-4)
    return np.clip((place - low) / blur + 0.5, 0, 1) * np.clip((high - place) / blur + 0.5, 0, 1)


def paint(base: np.ndarray, colour: Colour | np.ndarray, share: np.ndarray) -> np.ndarray:
    """Lays `colour` over `base` [N, 3] with opacity `share` [N]."""
    return base + (np.asarray(colour, np.float32) - base) * share[:, None]
