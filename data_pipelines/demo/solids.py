"""The solids that demo scenes are built of: where a ray meets them, and what they look like there.

World: metres, x to the right, y up with the ground at 0, z forward. Every solid has
  hit(origin, direction) -> t     float32, the first t > NEAREST where origin + t * direction is on it, inf where none
  corners() -> [8, 3] or None     a box around it; None where it is everywhere
  surface(x, y, z) -> Hit         for points on it: unit normal, place on the surface, face
and those that can stand on the ground
  away(x, z)                      distance in plan from their base, metres
Origins and directions are triples of floats or of float32 arrays; arrays of one call have shapes that broadcast.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipelines.demo.noise import grain
from data_pipelines.demo.textures import BOTTOM, SIDE_X, SIDE_Z, TOP, Texture

NEAREST = 1e-3  # metres; hits nearer than this are the ray's own start
Vector = tuple  # three floats, or three float32 arrays of one shape


class Hit(NamedTuple):
    """What a solid looks like at points on it: unit normal, place on the surface, which face."""

    normal: tuple[np.ndarray, np.ndarray, np.ndarray]
    u: np.ndarray
    v: np.ndarray
    face: np.ndarray


@dataclass(frozen=True)
class Material:
    """How a surface looks: its texture, the share of the colour that glows, how much it mirrors the sky."""

    texture: Texture
    glow: float = 0.0  # share of the colour that shines by itself: lamps, windows seen from inside
    gloss: float = 0.0


def _turn(x, z, yaw: float):
    """Turns world offsets into the frame of a solid that is turned by `yaw` radians."""
    if yaw == 0.0:
        return x, z
    s, c = math.sin(yaw), math.cos(yaw)
    return c * x - s * z, s * x + c * z


def _turn_back(x, z, yaw: float):
    """Turns offsets in the frame of a solid that is turned by `yaw` radians into world offsets."""
    return _turn(x, z, -yaw)


def _box_corners(x, y0, y1, z, half_x, half_z, yaw) -> np.ndarray:
    """Returns the corners, [8, 3], of a box turned by `yaw` radians."""
    corners = []
    for dx in (-half_x, half_x):
        for dz in (-half_z, half_z):
            wx, wz = _turn_back(dx, dz, yaw)
            corners += [(x + wx, y0, z + wz), (x + wx, y1, z + wz)]
    return np.array(corners)


@dataclass(frozen=True)
class Ground:
    """The plane y = 0."""

    material: Material

    def hit(self, origin: Vector, direction: Vector) -> np.ndarray:
        """Returns the t at which rays meet the plane, inf where they do not."""
        t = -origin[1] / direction[1]
        return np.where(t > NEAREST, t, np.inf)

    def corners(self) -> None:
        """Returns None: the plane has no box around it."""
        return None

    def surface(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Hit:
        """Returns the upward normal, and x, z as the place on the plane."""
        zero = np.zeros_like(x)
        return Hit((zero, zero + 1, zero), x, z, np.full(x.shape, TOP, np.int8))


@dataclass(frozen=True)
class Shell:
    """A room seen from inside: walls and a ceiling (the ground is its floor)."""

    x: tuple[float, float]
    z: tuple[float, float]
    height: float
    material: Material

    def hit(self, origin: Vector, direction: Vector) -> np.ndarray:
        """Returns the t at which rays meet the first wall or the ceiling."""
        dx, dy, dz = direction
        t_x = (np.where(dx > 0, self.x[1], self.x[0]) - origin[0]) / dx
        t_z = (np.where(dz > 0, self.z[1], self.z[0]) - origin[2]) / dz
        t_y = np.where(dy > 0, (self.height - origin[1]) / dy, np.inf)
        # A ray along a wall never meets it; division by zero says so with either sign.
        t_x, t_z = (np.where(np.isfinite(t), t, np.inf) for t in (t_x, t_z))
        return np.minimum(np.minimum(t_x, t_z), t_y).astype(np.float32)

    def corners(self) -> None:
        """Returns None: the camera is inside, so the room has no box around it."""
        return None

    def surface(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Hit:
        """Returns the inward normal and the place on the wall or ceiling that is nearest to each point."""
        gaps = np.stack([self.height - y, x - self.x[0], self.x[1] - x, z - self.z[0], self.z[1] - z])
        wall = np.abs(gaps).argmin(0)
        pick = lambda values: np.array(values, np.float32)[wall]  # noqa: E731
        normal = pick([0, 1, -1, 0, 0]), pick([-1, 0, 0, 0, 0]), pick([0, 0, 0, 1, -1])
        face = np.array([TOP, SIDE_X, SIDE_X, SIDE_Z, SIDE_Z], np.int8)[wall]
        return Hit(normal, np.where(face == SIDE_X, z, x), np.where(face == TOP, z, y), face)


@dataclass(frozen=True)
class Block:
    """A box on (x, base, z) turned by `yaw` radians, or one that tapers to a smaller top: roofs, car cabins, wedges."""

    x: float
    z: float
    half: tuple[float, float]  # of the base, along the local x and z
    height: float
    material: Material
    base: float = 0.0
    yaw: float = 0.0
    top: tuple[float, float] | None = None  # half sizes of the top; None for a plain box

    @property
    def _leans(self) -> tuple[float, float]:
        top = self.top or self.half
        return (self.half[0] - top[0]) / self.height, (self.half[1] - top[1]) / self.height

    def hit(self, origin: Vector, direction: Vector) -> np.ndarray:
        """Returns the t at which rays enter the block, inf where they miss."""
        oy, dy = origin[1] - self.base, direction[1]
        ox, oz = _turn(origin[0] - self.x, origin[2] - self.z, self.yaw)
        dx, dz = _turn(direction[0], direction[2], self.yaw)
        inverse = 1 / dy
        a, b = -oy * inverse, (self.height - oy) * inverse
        near, far = np.minimum(a, b), np.maximum(a, b)
        for o, d, half, lean in ((ox, dx, self.half[0], self._leans[0]), (oz, dz, self.half[1], self._leans[1])):
            if lean == 0.0:
                inverse = 1 / d
                a, b = (-half - o) * inverse, (half - o) * inverse
                near, far = np.maximum(near, np.minimum(a, b)), np.minimum(far, np.maximum(a, b))
                continue
            for sign in (1, -1):  # the plane sign * x + lean * y = half
                speed = sign * d + lean * dy
                t = (half - lean * oy - sign * o) / speed
                near = np.maximum(near, np.where(speed < 0, t, -np.inf))
                far = np.minimum(far, np.where(speed >= 0, t, np.inf))
        return np.where((near <= far) & (near > NEAREST), near, np.inf)

    def corners(self) -> np.ndarray:
        """Returns the corners, [8, 3], of the box around the block."""
        top = self.top or self.half
        half = max(self.half[0], top[0]), max(self.half[1], top[1])
        return _box_corners(self.x, self.base, self.base + self.height, self.z, *half, self.yaw)

    def surface(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Hit:
        """Returns the normal, place and face of the side that is nearest to each point."""
        y = y - self.base
        lx, lz = _turn(x - self.x, z - self.z, self.yaw)
        lean_x, lean_z = self._leans
        gaps = [self.height - y, y]
        for place, half, lean in ((lx, self.half[0], lean_x), (lz, self.half[1], lean_z)):
            scale = 1 / math.hypot(1, lean)
            gaps += [(half - lean * y - place) * scale, (half - lean * y + place) * scale]
        side = np.abs(np.stack(gaps)).argmin(0)
        nx, nz = 1 / math.hypot(1, lean_x), 1 / math.hypot(1, lean_z)
        normals: list[tuple[float, float, float]] = [(0, 1, 0), (0, -1, 0)]
        normals += [(nx, lean_x * nx, 0), (-nx, lean_x * nx, 0)]
        normals += [(0, lean_z * nz, nz), (0, lean_z * nz, -nz)]
        turned = [(*_turn_back(n[0], n[2], self.yaw), n[1]) for n in normals]
        normal = np.array([(n[0], n[2], n[1]) for n in turned], np.float32)[side]
        face = np.array([TOP, BOTTOM, SIDE_X, SIDE_X, SIDE_Z, SIDE_Z], np.int8)[side]
        u = np.where(face == SIDE_X, lz, lx)
        return Hit((normal[:, 0], normal[:, 1], normal[:, 2]), u, np.where(face <= BOTTOM, lz, y), face)

    def away(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Returns the distance in plan from the base, metres, 0 within it."""
        lx, lz = _turn(x - self.x, z - self.z, self.yaw)
        return np.hypot(np.maximum(np.abs(lx) - self.half[0], 0), np.maximum(np.abs(lz) - self.half[1], 0))


@dataclass(frozen=True)
class Frustum:
    """An upright cylinder, or one whose radius changes evenly from the base to `top`: cones, shades, pots."""

    x: float
    z: float
    radius: float
    height: float
    material: Material
    base: float = 0.0
    top: float | None = None

    @property
    def _slope(self) -> float:
        return 0.0 if self.top is None else (self.top - self.radius) / self.height

    def hit(self, origin: Vector, direction: Vector) -> np.ndarray:
        """Returns the t at which rays meet the mantle or an end, inf where they miss."""
        ox, oy, oz = origin[0] - self.x, origin[1] - self.base, origin[2] - self.z
        dx, dy, dz = direction
        slope = self._slope
        reach, growth = self.radius + slope * oy, slope * dy
        a = dx * dx + dz * dz - growth * growth
        b = ox * dx + oz * dz - reach * growth
        c = ox * ox + oz * oz - reach * reach
        root = np.sqrt(b * b - a * c)  # nan where the ray misses
        best = np.full(np.broadcast(a, c).shape, np.inf, np.float32)
        for t in ((-b - root) / a, (-b + root) / a):
            y = oy + t * dy
            good = (t > NEAREST) & (y >= 0) & (y <= self.height) & (t < best)
            best = np.where(good, t, best)
        top = self.radius if self.top is None else self.top
        for level, radius in ((0.0, self.radius), (self.height, top)):
            t = (level - oy) / dy
            good = (t > NEAREST) & ((ox + t * dx) ** 2 + (oz + t * dz) ** 2 <= radius * radius) & (t < best)
            best = np.where(good, t, best)
        return best

    def corners(self) -> np.ndarray:
        """Returns the corners, [8, 3], of the box around the solid."""
        radius = max(self.radius, self.top or 0.0)
        return _box_corners(self.x, self.base, self.base + self.height, self.z, radius, radius, 0.0)

    def surface(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Hit:
        """Returns the normal, place and face of the mantle or the end that is nearest to each point."""
        y, x, z = y - self.base, x - self.x, z - self.z
        slope = self._slope
        away = np.maximum(np.hypot(x, z), 1e-6)
        gaps = np.stack([self.height - y, y, (self.radius + slope * y - away) / math.hypot(1, slope)])
        side = np.abs(gaps).argmin(0)
        round_, up = side == 2, np.array([1, -1, -slope / math.hypot(1, slope)], np.float32)[side]
        flat = 1 / math.hypot(1, slope)
        normal = np.where(round_, x / away * flat, 0), up, np.where(round_, z / away * flat, 0)
        face = np.array([TOP, BOTTOM, SIDE_Z], np.int8)[side]
        u = np.where(round_, np.arctan2(x, -z) * max(self.radius, 0.05), x)
        return Hit(normal, u, np.where(round_, y, z), face)

    def away(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Returns the distance in plan from the base, metres, 0 within it."""
        return np.maximum(np.hypot(x - self.x, z - self.z) - self.radius, 0)


@dataclass(frozen=True)
class Ellipsoid:
    """An ellipsoid with half axes `radii`, turned by `yaw`; `ragged` 0..1 eats noise into its outline (leaves)."""

    x: float
    y: float
    z: float
    radii: tuple[float, float, float]
    material: Material
    yaw: float = 0.0
    ragged: float = 0.0

    def hit(self, origin: Vector, direction: Vector) -> np.ndarray:
        """Returns the t at which rays enter the ellipsoid, inf where they miss it or its outline is eaten away."""
        rx, ry, rz = self.radii
        ox, oz = _turn(origin[0] - self.x, origin[2] - self.z, self.yaw)
        dx, dz = _turn(direction[0], direction[2], self.yaw)
        ox, oy, oz = ox / rx, (origin[1] - self.y) / ry, oz / rz
        dx, dy, dz = dx / rx, direction[1] / ry, dz / rz
        a = dx * dx + dy * dy + dz * dz
        b = ox * dx + oy * dy + oz * dz
        c = ox * ox + oy * oy + oz * oz - 1
        root = np.sqrt(b * b - a * c)
        t = (-b - root) / a
        good = t > NEAREST
        if self.ragged:
            # How squarely the ray meets the surface: 0 at the outline. Eaten away where that is less than the noise.
            x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
            x, y, z = (np.where(good, value, 0) for value in (x, y, z))
            noise = grain(np.arctan2(x, z) * rx + self.x, y * (1.5 * ry) + self.z, 5.0, 0.55)
            good &= root > self.ragged * np.sqrt(a) * (0.5 + 0.5 * noise)
        return np.where(good, t, np.inf)

    def corners(self) -> np.ndarray:
        """Returns the corners, [8, 3], of the box around the ellipsoid."""
        rx, ry, rz = self.radii
        return _box_corners(self.x, self.y - ry, self.y + ry, self.z, rx, rz, self.yaw)

    def surface(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Hit:
        """Returns the unit normal at each point, and longitude and latitude as lengths in metres."""
        rx, ry, rz = self.radii
        lx, lz = _turn(x - self.x, z - self.z, self.yaw)
        ly = y - self.y
        u, v = np.arctan2(lx, -lz) * rx, np.arcsin(np.clip(ly / ry, -1, 1)) * ry
        nx, ny, nz = lx / rx**2, ly / ry**2, lz / rz**2
        nx, nz = _turn_back(nx, nz, self.yaw)
        scale = 1 / np.maximum(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-9)
        return Hit((nx * scale, ny * scale, nz * scale), u + self.x, v + self.y, np.full(x.shape, SIDE_Z, np.int8))

    def away(self, x: np.ndarray, z: np.ndarray) -> np.ndarray:
        """Returns about how far outside 0.8 of the radii points are in plan, metres, 0 within."""
        lx, lz = _turn(x - self.x, z - self.z, self.yaw)
        rx, _, rz = self.radii
        return np.maximum(np.hypot(lx / rx, lz / rz) - 0.8, 0) * min(rx, rz)


Thing = Block | Frustum | Ellipsoid  # what can stand on the ground
Solid = Ground | Shell | Thing
