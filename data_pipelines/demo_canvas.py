"""Draws a cut-out: solids seen from far away (parallel rays), nearest first, with a bulge that is known everywhere.

`draw(parts, height, light)` gives
  picture  uint8 [height, w, 4], straight alpha, area-averaged from about three samples a pixel each way, trimmed
  relief   float32 [height, w], metres behind (+) or before (-) the place where the lowest part touches the ground
  metres   the height of the picture

View space: metres, x right, y up, z away from the viewer. Parts are made in view space: turn them with `turned`.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_pipelines.demo_raycast import Material
from data_pipelines.demo_textures import BOTTOM, SIDE_X, SIDE_Z, TOP, Surface, grain

LARGEST = 900_000  # samples; cut-outs wider than that have two samples a pixel each way, not three


def turned(yaw: float, tilt: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """A rotation [3, 3], radians: `roll` in the picture's plane first, `yaw` about the vertical, `tilt` seen from above."""
    cr, sr, cy, sy, ct, st = (f(angle) for angle in (roll, yaw, tilt) for f in (math.cos, math.sin))
    in_plane = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1.0]])
    about = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    down = np.array([[1, 0, 0], [0, ct, st], [0, -st, ct]])
    return down @ about @ in_plane


@dataclass(frozen=True)
class Bulge:
    """A part at some points: unit normal and place on the surface."""

    normal: tuple[np.ndarray, np.ndarray, np.ndarray]
    u: np.ndarray
    v: np.ndarray
    face: np.ndarray


@dataclass(frozen=True)
class Limb:
    """A tapered capsule from a to b; `flat` < 1 is thinner from front to back, `cut` has no round ends (skirts)."""

    a: np.ndarray
    b: np.ndarray
    radius: tuple[float, float]
    material: Material
    flat: float = 1.0
    cut: bool = False

    def bounds(self) -> tuple[float, float, float, float]:
        (ra, rb), a, b = self.radius, self.a, self.b
        return (
            min(a[0] - ra, b[0] - rb), max(a[0] + ra, b[0] + rb), min(a[1] - ra, b[1] - rb), max(a[1] + ra, b[1] + rb)
        )  # fmt: skip

    def _along(self, x, y):
        ax, ay, bx, by = float(self.a[0]), float(self.a[1]), float(self.b[0]), float(self.b[1])
        length2 = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-8)
        share = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length2
        clipped = np.clip(share, 0, 1)
        dx, dy = x - (ax + clipped * (bx - ax)), y - (ay + clipped * (by - ay))
        return share, clipped, dx, dy, self.radius[0] + clipped * (self.radius[1] - self.radius[0])

    def depth(self, x, y):
        share, clipped, dx, dy, radius = self._along(x, y)
        inside = radius * radius - dx * dx - dy * dy
        if self.cut:
            inside = np.where((share < 0) | (share > 1), -1, inside)
        z = float(self.a[2]) + clipped * float(self.b[2] - self.a[2])
        return np.where(inside > 0, z - self.flat * np.sqrt(np.maximum(inside, 0)), np.inf)

    def surface(self, x, y, z) -> Bulge:
        _, clipped, dx, dy, radius = self._along(x, y)
        depth = np.sqrt(np.maximum(radius * radius - dx * dx - dy * dy, 0)) / self.flat
        scale = 1 / np.maximum(np.sqrt(dx * dx + dy * dy + depth * depth), 1e-6)
        side = self.b - self.a
        length = max(float(np.linalg.norm(side)), 1e-4)
        across = (dx * float(side[1]) - dy * float(side[0])) / length
        around = radius * np.arcsin(np.clip(across / radius, -1, 1))
        return Bulge(
            (dx * scale, dy * scale, -depth * scale), around, clipped * length, np.full(x.shape, SIDE_Z, np.int8)
        )


@dataclass(frozen=True)
class Ball:
    """An ellipsoid with half axes `radii` in a frame turned by `frame`; `ragged` 0..1 eats noise into its outline."""

    centre: np.ndarray
    radii: tuple[float, float, float]
    frame: np.ndarray
    material: Material
    ragged: float = 0.0

    @property
    def _form(self) -> np.ndarray:
        return self.frame @ np.diag(1 / np.square(self.radii)) @ self.frame.T

    def bounds(self) -> tuple[float, float, float, float]:
        reach = np.sqrt(np.square(self.frame * np.asarray(self.radii)).sum(1))
        x, y = self.centre[:2]
        return x - reach[0], x + reach[0], y - reach[1], y + reach[1]

    def depth(self, x, y):
        m = self._form.tolist()
        dx, dy = x - float(self.centre[0]), y - float(self.centre[1])
        b = m[0][2] * dx + m[1][2] * dy
        c = m[0][0] * dx * dx + 2 * m[0][1] * dx * dy + m[1][1] * dy * dy - 1
        inside = b * b - m[2][2] * c
        if self.ragged:
            noise = grain(x + float(self.centre[2]), y, 1.3, 0.55)
            inside = inside - self.ragged * m[2][2] * np.square(0.5 + 0.5 * noise)
        root = np.sqrt(np.maximum(inside, 0))
        return np.where(inside > 0, float(self.centre[2]) + (-b - root) / m[2][2], np.inf)

    def surface(self, x, y, z) -> Bulge:
        m, f = self._form.tolist(), self.frame.tolist()
        d = x - float(self.centre[0]), y - float(self.centre[1]), z - float(self.centre[2])
        n = [m[i][0] * d[0] + m[i][1] * d[1] + m[i][2] * d[2] for i in range(3)]
        scale = 1 / np.maximum(np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]), 1e-6)
        u, v, w = (f[0][i] * d[0] + f[1][i] * d[1] + f[2][i] * d[2] for i in range(3))
        u, v = np.arctan2(u, -w) * self.radii[0], np.arcsin(np.clip(v / self.radii[1], -1, 1)) * self.radii[1]
        return Bulge(tuple(part * scale for part in n), u, v, np.full(x.shape, SIDE_Z, np.int8))


@dataclass(frozen=True)
class Slab:
    """A convex outline [(x, y), ...] (counter-clockwise) in its own frame, `half` thick each way along its own z.

    `lean`: its sides come closer by so much a metre upwards.
    """

    outline: Sequence[tuple[float, float]]
    half: float
    origin: np.ndarray
    frame: np.ndarray
    material: Material
    lean: float = 0.0

    def _planes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Outward normals in view space, offsets, and the face that each is."""
        points = np.asarray(self.outline, float)
        edges = np.roll(points, -1, 0) - points
        outward = np.stack([edges[:, 1], -edges[:, 0], np.zeros(len(edges))], 1)
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        offsets = (outward[:, :2] * points).sum(1)
        scale = 1 / math.hypot(1, self.lean)
        sides = np.array([[0, self.lean, -1], [0, self.lean, 1]]) * scale
        normals = np.concatenate([outward, sides]) @ self.frame.T
        offsets = np.concatenate([offsets, [self.half * scale] * 2]) + normals @ self.origin
        faces = np.where(outward[:, 1] > 0.7, TOP, np.where(outward[:, 1] < -0.7, BOTTOM, SIDE_X))
        return normals, offsets, np.concatenate([faces, [SIDE_Z, SIDE_Z]]).astype(np.int8)

    def bounds(self) -> tuple[float, float, float, float]:
        corners = []
        for x, y in self.outline:
            z = self.half - self.lean * y
            corners += [(x, y, z), (x, y, -z)]
        seen = np.array(corners) @ self.frame.T + self.origin
        return seen[:, 0].min(), seen[:, 0].max(), seen[:, 1].min(), seen[:, 1].max()

    def depth(self, x, y):
        near, far = np.full(np.broadcast(x, y).shape, -np.inf, np.float32), np.float32(np.inf)
        for (nx, ny, nz), offset in zip(*(part.tolist() for part in self._planes()[:2]), strict=True):
            rest = offset - nx * x - ny * y
            if abs(nz) < 1e-6:
                far = np.where(rest >= 0, far, -np.inf)
            elif nz < 0:
                near = np.maximum(near, rest / nz)
            else:
                far = np.minimum(far, rest / nz)
        return np.where(near < far, near, np.inf)

    def surface(self, x, y, z) -> Bulge:
        normals, offsets, faces = self._planes()
        front = np.flatnonzero(normals[:, 2] < -1e-6)
        gaps = [np.abs(float(offsets[i]) - sum(float(n) * p for n, p in zip(normals[i], (x, y, z), strict=True))) for i in front]
        which = front[np.stack(gaps).argmin(0)]
        d = [p - float(o) for p, o in zip((x, y, z), self.origin, strict=True)]
        f = self.frame.tolist()
        lx, ly, lz = (f[0][i] * d[0] + f[1][i] * d[1] + f[2][i] * d[2] for i in range(3))
        normal = normals[which].astype(np.float32)
        face = faces[which]
        u = np.where(face == SIDE_X, lz, lx)
        return Bulge((normal[:, 0], normal[:, 1], normal[:, 2]), u, np.where(face <= BOTTOM, lz, ly), face)


@dataclass(frozen=True)
class Ring:
    """A hoop in its own xy plane, seen more or less from the side: wheels."""

    centre: np.ndarray
    radius: float
    tube: float
    frame: np.ndarray
    material: Material

    def bounds(self) -> tuple[float, float, float, float]:
        reach = self.radius * np.sqrt(np.square(self.frame[:, :2]).sum(1)) + self.tube
        x, y = self.centre[:2]
        return x - reach[0], x + reach[0], y - reach[1], y + reach[1]

    def _local(self, x, y):
        f = self.frame.tolist()
        dx, dy = x - float(self.centre[0]), y - float(self.centre[1])
        dz = -(f[0][2] * dx + f[1][2] * dy) / f[2][2]
        lx, ly = (f[0][i] * dx + f[1][i] * dy + f[2][i] * dz for i in range(2))
        away = np.maximum(np.hypot(lx, ly), 1e-6)
        return lx, ly, dz, away

    def depth(self, x, y):
        _, _, dz, away = self._local(x, y)
        inside = self.tube**2 - np.square(away - self.radius)
        return np.where(inside > 0, float(self.centre[2]) + dz - np.sqrt(np.maximum(inside, 0)), np.inf)

    def surface(self, x, y, z) -> Bulge:
        lx, ly, _, away = self._local(x, y)
        bend = np.clip((away - self.radius) / self.tube, -1, 1)
        f = self.frame.tolist()
        out = lx / away * bend, ly / away * bend, -np.sqrt(1 - bend * bend)
        normal = tuple(f[i][0] * out[0] + f[i][1] * out[1] + f[i][2] * out[2] for i in range(3))
        return Bulge(normal, np.arctan2(ly, lx) * self.radius, away, np.full(x.shape, SIDE_Z, np.int8))


Part = Limb | Ball | Slab | Ring


@dataclass(frozen=True)
class StudioLight:
    """What the cut-out was photographed in: a key light towards `key`, and light from above and below."""

    key: tuple[float, float, float]  # towards the light; z < 0 is on the viewer's side
    strength: float = 0.85
    above: tuple[float, float, float] = (0.42, 0.44, 0.48)
    below: tuple[float, float, float] = (0.2, 0.19, 0.17)
    warmth: float = 0.0


def draw(parts: Sequence[Part], height: int, light: StudioLight) -> tuple[np.ndarray, np.ndarray, float]:
    """See the top of this file."""
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
        found = part.depth(x[None, window[1]], y[window[0], None])
        nearer = found < z[window]
        np.copyto(z[window], found, where=nearer, casting="same_kind")
        owner[window][nearer] = index

    covered = owner >= 0
    seen_rows, seen_columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
    trim = slice(seen_rows[0], seen_rows[-1] + 1), slice(seen_columns[0], seen_columns[-1] + 1)
    x, y, z, owner, covered = x[trim[1]], y[trim[0]], z[trim], owner[trim], covered[trim]
    z -= np.float32(np.median(z[-max(1, rows // 40) :][covered[-max(1, rows // 40) :]]))
    colour = _shade(parts, x, y, z, owner, scale, light, float(np.median(z[covered])))
    return (*_reduce(colour, z, covered, height), z.shape[0] / scale)


def _shade(parts, x, y, z, owner, scale, light: StudioLight, middle: float) -> np.ndarray:
    """float32 [rows, columns, 3], display values."""
    flat = owner.ravel()
    order = np.argsort(flat, kind="stable")
    edges = np.searchsorted(flat[order], np.arange(len(parts) + 1))
    order = order[edges[0] :]
    edges = edges - edges[0]
    row, column = order // len(x), order % len(x)
    px, py, pz = x[column], y[row], z.ravel()[order]
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
    """Display value, float32 [4096], of linear light 0..4 coded as 4095 * sqrt(light / 4): a soft shoulder, then gamma."""
    light = 1.45 * 4 * np.square(np.arange(4096) / 4095)
    toned = np.clip(light * (1 + light / 6) / (1 + light) * 1.12, 0, 1)
    return (toned**0.46).astype(np.float32)


def _screen_shadows(z: np.ndarray, scale: float, key: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """float32 [rows, columns] twice: how open a place is to its surroundings, and whether the key light gets there."""
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
        blocked = np.maximum(blocked, np.clip((over - 0.006 * size) * np.float32(60 / size), 0, 1) * (over < 0.2 * size))
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
    middle = np.ix_(np.minimum(tops + rows // height // 2, rows - 1), np.minimum(lefts + columns // width // 2, columns - 1))
    relief = np.where(covered[middle], z[middle], mean)
    return picture, _filled(relief, cover > 0).astype(np.float32)


def _filled(relief: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Where nothing is drawn, the value of the nearest drawn pixel of the row (0 in empty rows)."""
    columns = np.arange(relief.shape[1])[None, :]
    last = np.maximum.accumulate(np.where(known, columns, -1), 1)
    following = np.minimum.accumulate(np.where(known, columns, 10**6)[:, ::-1], 1)[:, ::-1]
    nearest = np.where((last >= 0) & (columns - last <= following - columns), last, following)
    empty = nearest >= 10**6
    return np.where(empty, 0, np.take_along_axis(relief, np.where(empty, 0, nearest), 1))
