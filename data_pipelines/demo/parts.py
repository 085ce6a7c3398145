"""The parts that demo cutouts are drawn from, seen from far away (parallel rays).

View space: metres, x right, y up, z away from the viewer. Every part has
  bounds() -> left, right, low, high      the rectangle that it covers
  depth(x, y) -> z                        float32, inf where it is not
  surface(x, y, z) -> Bulge               for places on it: unit normal, place on the surface, face
A `Frame` collects parts that are given in a thing's own space, turned into view space.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data_pipelines.demo.noise import grain, triple
from data_pipelines.demo.solids import Material
from data_pipelines.demo.textures import BOTTOM, SIDE_X, SIDE_Z, TOP, Texture

Point = np.ndarray | Sequence[float]  # x, y, z, metres
Look = Material | Texture


def turned(yaw: float, tilt: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Returns a rotation [3, 3], radians: `roll` in the picture's plane, then `yaw` about the vertical, then `tilt`."""
    cr, sr, cy, sy, ct, st = (f(angle) for angle in (roll, yaw, tilt) for f in (math.cos, math.sin))
    in_plane = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1.0]])
    about = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    down = np.array([[1, 0, 0], [0, ct, st], [0, -st, ct]])
    return down @ about @ in_plane


@dataclass(frozen=True)
class Bulge:
    """What a part looks like at points on it: unit normal, place on the surface (metres), which face."""

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
        """Returns the left, right, low and high edge of what the limb covers, metres."""
        (ra, rb), a, b = self.radius, self.a, self.b
        return (
            min(a[0] - ra, b[0] - rb), max(a[0] + ra, b[0] + rb), min(a[1] - ra, b[1] - rb), max(a[1] + ra, b[1] + rb)
        )  # fmt: skip

    def _along(self, x, y):
        """Returns the share of the way along the limb, also clipped to 0..1, dx, dy from its axis, and its radius."""
        ax, ay, bx, by = float(self.a[0]), float(self.a[1]), float(self.b[0]), float(self.b[1])
        length2 = max((bx - ax) ** 2 + (by - ay) ** 2, 1e-8)
        share = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / length2
        clipped = np.clip(share, 0, 1)
        dx, dy = x - (ax + clipped * (bx - ax)), y - (ay + clipped * (by - ay))
        return share, clipped, dx, dy, self.radius[0] + clipped * (self.radius[1] - self.radius[0])

    def depth(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Returns the z of the limb's front at places in the picture, inf beside it."""
        share, clipped, dx, dy, radius = self._along(x, y)
        inside = radius * radius - dx * dx - dy * dy
        if self.cut:
            inside = np.where((share < 0) | (share > 1), -1, inside)
        z = float(self.a[2]) + clipped * float(self.b[2] - self.a[2])
        return np.where(inside > 0, z - self.flat * np.sqrt(np.maximum(inside, 0)), np.inf)

    def surface(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Bulge:
        """Returns the normal, and the way around and along the limb, at places on it."""
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
        """The matrix A of the ellipsoid d' A d = 1, in view space."""
        return self.frame @ np.diag(1 / np.square(self.radii)) @ self.frame.T

    def bounds(self) -> tuple[float, float, float, float]:
        """Returns the left, right, low and high edge of what the ellipsoid covers, metres."""
        reach = np.sqrt(np.square(self.frame * np.asarray(self.radii)).sum(1))
        x, y = self.centre[:2]
        return x - reach[0], x + reach[0], y - reach[1], y + reach[1]

    def depth(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Returns the z of the ellipsoid's front at places in the picture, inf beside it."""
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

    def surface(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Bulge:
        """Returns the unit normal at places on the ellipsoid, and longitude and latitude as lengths in metres."""
        m, f = self._form.tolist(), self.frame.tolist()
        d = x - float(self.centre[0]), y - float(self.centre[1]), z - float(self.centre[2])
        n = [m[i][0] * d[0] + m[i][1] * d[1] + m[i][2] * d[2] for i in range(3)]
        scale = 1 / np.maximum(np.sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]), 1e-6)
        u, v, w = (f[0][i] * d[0] + f[1][i] * d[1] + f[2][i] * d[2] for i in range(3))
        u, v = np.arctan2(u, -w) * self.radii[0], np.arcsin(np.clip(v / self.radii[1], -1, 1)) * self.radii[1]
        return Bulge(triple(part * scale for part in n), u, v, np.full(x.shape, SIDE_Z, np.int8))


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
        """Returns outward normals in view space, offsets, and which face each plane is."""
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
        """Returns the left, right, low and high edge of what the slab covers, metres."""
        corners = []
        for x, y in self.outline:
            z = self.half - self.lean * y
            corners += [(x, y, z), (x, y, -z)]
        seen = np.array(corners) @ self.frame.T + self.origin
        return seen[:, 0].min(), seen[:, 0].max(), seen[:, 1].min(), seen[:, 1].max()

    def depth(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Returns the z where rays enter the slab at places in the picture, inf beside it."""
        near = np.full(np.broadcast(x, y).shape, -np.inf, np.float32)
        far: np.ndarray | np.floating = np.float32(np.inf)
        for (nx, ny, nz), offset in zip(*(part.tolist() for part in self._planes()[:2]), strict=True):
            rest = offset - nx * x - ny * y
            if abs(nz) < 1e-6:
                far = np.where(rest >= 0, far, -np.inf)
            elif nz < 0:
                near = np.maximum(near, rest / nz)
            else:
                far = np.minimum(far, rest / nz)
        return np.where(near < far, near, np.inf)

    def surface(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Bulge:
        """Returns the normal, place and face of the plane that is nearest to each place."""
        normals, offsets, faces = self._planes()
        front = np.flatnonzero(normals[:, 2] < -1e-6)
        gaps = [
            np.abs(float(offsets[i]) - sum(float(n) * p for n, p in zip(normals[i], (x, y, z), strict=True)))
            for i in front
        ]
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
        """Returns the left, right, low and high edge of what the ring covers, metres."""
        reach = self.radius * np.sqrt(np.square(self.frame[:, :2]).sum(1)) + self.tube
        x, y = self.centre[:2]
        return x - reach[0], x + reach[0], y - reach[1], y + reach[1]

    def _local(self, x, y):
        """Returns places in the ring's own plane, their z relative to its centre, and their distance from it."""
        f = self.frame.tolist()
        dx, dy = x - float(self.centre[0]), y - float(self.centre[1])
        dz = -(f[0][2] * dx + f[1][2] * dy) / f[2][2]
        lx, ly = (f[0][i] * dx + f[1][i] * dy + f[2][i] * dz for i in range(2))
        away = np.maximum(np.hypot(lx, ly), 1e-6)
        return lx, ly, dz, away

    def depth(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Returns the z of the ring's front at places in the picture, inf beside it."""
        _, _, dz, away = self._local(x, y)
        inside = self.tube**2 - np.square(away - self.radius)
        return np.where(inside > 0, float(self.centre[2]) + dz - np.sqrt(np.maximum(inside, 0)), np.inf)

    def surface(self, x: np.ndarray, y: np.ndarray, z: np.ndarray) -> Bulge:
        """Returns the normal, and the way around and across the tube, at places on the ring."""
        lx, ly, _, away = self._local(x, y)
        bend = np.clip((away - self.radius) / self.tube, -1, 1)
        f = self.frame.tolist()
        out = lx / away * bend, ly / away * bend, -np.sqrt(1 - bend * bend)
        normal = triple(f[i][0] * out[0] + f[i][1] * out[1] + f[i][2] * out[2] for i in range(3))
        return Bulge(normal, np.arctan2(ly, lx) * self.radius, away, np.full(x.shape, SIDE_Z, np.int8))


Part = Limb | Ball | Slab | Ring


class Frame:
    """Collects the parts of one thing, given in its own space: `scale` times as large, turned by `view` [3, 3]."""

    def __init__(self, view: np.ndarray, scale: float = 1.0):
        self.view, self.scale = view, scale
        self.parts: list[Part] = []

    def place(self, point: Point) -> np.ndarray:
        """Returns a point of the thing's own space in view space."""
        return self.view @ (np.asarray(point, float) * self.scale)

    def limb(self, a: Point, b: Point, ra: float, rb: float, look: Look, flat: float = 1.0, cut: bool = False) -> None:
        """Adds a tapered capsule from `a` to `b`; `flat` and `cut` are as in `Limb`."""
        radius = ra * self.scale, rb * self.scale
        self.parts.append(Limb(self.place(a), self.place(b), radius, _material(look), flat, cut))

    def ball(self, centre: Point, radii: tuple[float, float, float], look: Look, ragged: float = 0.0) -> None:
        """Adds an ellipsoid with half axes `radii`; `ragged` is as in `Ball`."""
        radii = triple(r * self.scale for r in radii)
        self.parts.append(Ball(self.place(centre), radii, self.view, _material(look), ragged))

    def slab(
        self,
        outline: Sequence[tuple[float, float]],
        half: float,
        look: Look,
        origin: Point = (0, 0, 0),
        turn: np.ndarray | None = None,
        lean: float = 0.0,
    ) -> None:
        """Adds a flat body with a convex outline.

        Args:
          outline: [(x, y), ...], counter-clockwise, metres.
          half: half its thickness along z.
          look: material or texture.
          origin: where (0, 0) of the outline goes, at the middle of the thickness.
          turn: rotation [3, 3] before that of the frame.
          lean: how far its front and back each lean in, metres per metre upwards.
        """
        outline = [(x * self.scale, y * self.scale) for x, y in outline]
        frame = self.view if turn is None else self.view @ turn
        self.parts.append(Slab(outline, half * self.scale, self.place(origin), frame, _material(look), lean))

    def box(self, centre: Point, half: tuple[float, float, float], look: Look, turn: np.ndarray | None = None) -> None:
        """Adds a box around `centre` with half sizes `half` (x, y, z)."""
        x, y, z = half
        self.slab([(-x, -y), (x, -y), (x, y), (-x, y)], z, look, centre, turn)

    def disc(self, centre: Point, radius: float, half: float, look: Look) -> None:
        """Adds a disc that faces along z, `half` thick each way; it is a polygon of 22 sides."""
        outline = [(radius * math.cos(a), radius * math.sin(a)) for a in np.arange(22) * (2 * math.pi / 22)]
        self.slab(outline, half, look, centre)

    def ring(self, centre: Point, radius: float, tube: float, look: Look) -> None:
        """Adds a hoop that faces along z; `tube` is the radius of its tube."""
        ring = Ring(self.place(centre), radius * self.scale, tube * self.scale, self.view, _material(look))
        self.parts.append(ring)


def _material(look: Look) -> Material:
    """Returns a material as it is, and a texture as a material without glow and gloss."""
    return look if isinstance(look, Material) else Material(look)
