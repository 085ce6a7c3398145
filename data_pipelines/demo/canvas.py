"""Draws a cutout from its parts, the nearest in front, with a relief that is defined at every pixel.

`draw(parts, height, light)` gives
  picture  uint8 [height, w, 4], straight alpha, area-averaged from about three samples a pixel each way, trimmed
  relief   float32 [height, w], metres behind (+) or before (-) the place where the lowest part touches the ground
  metres   the height of the picture
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_pipelines.demo.parts import Part
from data_pipelines.demo.textures import Surface

LARGEST = 900_000  # samples; cutouts wider than that have two samples a pixel each way, not three


@dataclass(frozen=True)
class StudioLight:
    """The light that a cutout is drawn in: a key light towards `key`, and light from above and below."""

    key: tuple[float, float, float]  # towards the light; z < 0 is on the viewer's side
    strength: float = 0.85
    above: tuple[float, float, float] = (0.42, 0.44, 0.48)
    below: tuple[float, float, float] = (0.2, 0.19, 0.17)
    warmth: float = 0.0


def draw(parts: Sequence[Part], height: int, light: StudioLight) -> tuple[np.ndarray, np.ndarray, float]:
    """Draws parts as a picture with alpha, and their relief.

    Args:
      parts: in view space, of one thing.
      height: of the picture, pixels.
      light: that the parts are lit by.

    Returns:
      picture: uint8 [height, w, 4], straight alpha, trimmed to what is drawn.
      relief: float32 [height, w], metres behind (+) or before (-) the place where the lowest part touches the ground.
      metres: the height of the picture.
    """
    bounds = np.array([part.bounds() for part in parts])
    left, right, low, high = bounds[:, 0].min(), bounds[:, 1].max(), bounds[:, 2].min(), bounds[:, 3].max()
    samples = 3 if 9 * height**2 * (right - left) / (high - low) < LARGEST else 2
    scale = samples * height / (high - low)
    rows, columns = samples * height, max(1, math.ceil((right - left) * scale))
    x = (left + (np.arange(columns) + 0.5) / scale).astype(np.float32)
    y = (high - (np.arange(rows) + 0.5) / scale).astype(np.float32)
    z = np.full((rows, columns), np.inf, np.float32)
    owner = np.full((rows, columns), -1, np.int16)
    for index, part in enumerate(parts):
        x0, x1, y0, y1 = bounds[index]
        window = (
            slice(max(int((high - y1) * scale) - 1, 0), int((high - y0) * scale) + 2),
            slice(max(int((x0 - left) * scale) - 1, 0), int((x1 - left) * scale) + 2),
        )
        depth = part.depth(x[None, window[1]], y[window[0], None])
        nearer = depth < z[window]
        np.copyto(z[window], depth, where=nearer, casting="same_kind")
        owner[window][nearer] = index

    covered = owner >= 0
    seen_rows, seen_columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    trim = slice(seen_rows[0], seen_rows[-1] + 1), slice(seen_columns[0], seen_columns[-1] + 1)
    x, y, z, owner, covered = x[trim[1]], y[trim[0]], z[trim], owner[trim], covered[trim]
    z -= np.float32(np.median(z[-max(1, rows // 40) :][covered[-max(1, rows // 40) :]]))
    colour = _shade(parts, x, y, z, owner, scale, light, float(np.median(z[covered])))
    return (*_reduce(colour, z, covered, height), z.shape[0] / scale)


def _shade(parts, x, y, z, owner, scale, light: StudioLight, middle: float) -> np.ndarray:
    """Colours the parts: float32 [rows, columns, 3], display values, 0 where nothing is drawn."""
    flat = owner.ravel()
    order = np.argsort(flat, kind="stable")
    edges = np.searchsorted(flat[order], np.arange(len(parts) + 1))
    order = order[edges[0] :]
    edges = edges - edges[0]
    row, column = order // len(x), order % len(x)
    px, py = x[column], y[row]
    albedo, normal = np.empty((order.size, 3), np.float32), np.empty((3, order.size), np.float32)
    gloss, glow = np.zeros(order.size, np.float32), np.zeros(order.size, np.float32)
    for index, part in enumerate(parts):
        mine = slice(edges[index], edges[index + 1])
        if mine.start == mine.stop:
            continue
        # The relief was shifted; parts know only their own place, and it is the normal and u, v that are wanted.
        true_z = part.depth(px[mine], py[mine])
        bulge = part.surface(px[mine], py[mine], true_z)
        for i in range(3):
            normal[i][mine] = bulge.normal[i]
        blur = np.full(true_z.shape, 1 / scale, np.float32)
        albedo[mine] = part.material.texture(Surface(bulge.u, bulge.v, blur, bulge.face))
        gloss[mine], glow[mine] = part.material.gloss, part.material.glow
    key = np.asarray(light.key, float) / np.linalg.norm(light.key)
    open_, lit = _screen_shadows(z, scale, key)
    open_, lit = open_.ravel()[order], lit.ravel()[order]
    up = 0.5 + 0.5 * normal[1]
    direct = np.maximum(key[0].item() * normal[0] + key[1].item() * normal[1] + key[2].item() * normal[2], 0) * lit
    rim = np.square(1 + normal[2]) * (0.12 * open_)
    above, below = up * open_, (1 - up) * open_
    result = albedo
    for channel, warmth in enumerate((1 + light.warmth, 1.0, 1 - light.warmth)):
        falls = light.strength * warmth * direct + light.above[channel] * above + light.below[channel] * below + rim
        result[:, channel] *= falls * (1 - glow) + 1.4 * glow
    shiny = np.flatnonzero(gloss)
    if shiny.size:
        nx, ny, nz = normal[:, shiny]
        mirror_y = -2 * nz * ny
        share = gloss[shiny] * (0.1 + 0.9 * (1 - np.abs(nz)) ** 3)
        sky = np.clip(mirror_y * 3 + 0.4, 0, 1) * (0.75 + 0.25 * mirror_y)
        half = np.array([key[0], key[1], key[2] - 1]) / np.linalg.norm([key[0], key[1], key[2] - 1])
        spark = np.clip(half[0].item() * nx + half[1].item() * ny + half[2].item() * nz, 0, 1) ** 50
        shine = share * sky + gloss[shiny] * spark * lit[shiny] * 0.7
        result[shiny] = result[shiny] * (1 - share)[:, None] + shine[:, None]
    picture = np.zeros((*z.shape, 3), np.float32)
    code = np.sqrt(np.clip(result, 0, 4)) * np.float32(2047.5)
    picture.reshape(-1, 3)[order] = _curve()[code.astype(np.int16)]
    return picture


@functools.cache
def _curve() -> np.ndarray:
    """Returns display values, float32 [4096], of linear light 0..4 coded as 4095 * sqrt(light / 4); a soft shoulder."""
    light = 1.45 * 4 * np.square(np.arange(4096) / 4095)
    toned = np.clip(light * (1 + light / 6) / (1 + light) * 1.12, 0, 1)
    return (toned**0.46).astype(np.float32)


def _screen_shadows(z: np.ndarray, scale: float, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns how open places are to their surroundings, and their share of key light: float32 [rows, columns] each."""
    rows, columns = z.shape
    size = rows / scale
    pad = max(2, int(0.16 * rows))
    wide = np.full((rows + 2 * pad, columns + 2 * pad), np.inf, np.float32)
    wide[pad:-pad, pad:-pad] = z

    def beside(right: float, up: float) -> np.ndarray:
        r, c = pad - round(up), pad + round(right)
        return wide[r : r + rows, c : c + columns]

    here = np.where(np.isfinite(z), z, 0)
    hidden = np.zeros_like(here)
    for reach in (0.012, 0.035):
        for angle in np.arange(6) * (2 * math.pi / 6) + 0.3:
            step = reach * rows
            over = here - beside(step * math.cos(angle), step * math.sin(angle))
            hidden += np.clip(over / np.float32(reach * size) - 0.6, 0, 1) * (over < 0.16 * size)
    open_ = 1 - 0.085 * np.minimum(hidden, 8)
    blocked = np.zeros_like(here)
    for step in (0.02, 0.035, 0.055, 0.08, 0.11, 0.145):
        metres = step * size
        line = here + np.float32(key[2] * metres)
        over = line - beside(step * rows * key[0], step * rows * key[1])
        blocked = np.maximum(
            blocked, np.clip((over - 0.006 * size) * np.float32(60 / size), 0, 1) * (over < 0.2 * size)
        )
    return open_, 1 - 0.75 * blocked


def _reduce(colour: np.ndarray, z: np.ndarray, covered: np.ndarray, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Area-averages samples to pixels: premultiplied, then divided again, so that edges do not darken."""
    rows, columns = z.shape
    width = max(1, round(columns * height / rows))
    tops = np.round(np.arange(height) * (rows / height)).astype(int)
    lefts = np.round(np.arange(width) * (columns / width)).astype(int)
    count = np.diff(tops, append=rows)[:, None] * np.diff(lefts, append=columns)[None, :]

    def summed(values):
        return np.add.reduceat(np.add.reduceat(values, tops, 0), lefts, 1)

    solid = covered.astype(np.float32)
    cover = summed(solid)
    total = np.maximum(cover, 1)
    straight = summed(colour) / total[..., None]  # colour is 0 where nothing is drawn: already premultiplied
    picture = np.empty((height, width, 4), np.uint8)
    picture[..., :3] = np.clip(straight * 255 + 0.5, 0, 255)
    picture[..., 3] = cover / count * 255 + 0.5
    mean = summed(np.where(covered, z, 0)) / total
    middle = np.ix_(
        np.minimum(tops + rows // height // 2, rows - 1), np.minimum(lefts + columns // width // 2, columns - 1)
    )
    relief = np.where(covered[middle], z[middle], mean)
    return picture, _filled(relief, cover > 0).astype(np.float32)


def _filled(relief: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fills places where nothing is drawn with the value of the nearest drawn pixel of the row (0 in empty rows)."""
    columns = np.arange(relief.shape[1])[None, :]
    last = np.maximum.accumulate(np.where(known, columns, -1), 1)
    following = np.minimum.accumulate(np.where(known, columns, 10**6)[:, ::-1], 1)[:, ::-1]
    nearest = np.where((last >= 0) & (columns - last <= following - columns), last, following)
    empty = nearest >= 10**6
    return np.where(empty, 0, np.take_along_axis(relief, np.where(empty, 0, nearest), 1))
