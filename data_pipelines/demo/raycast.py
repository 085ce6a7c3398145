"""Ray casting for the demo sources: camera, light, scene; exact z-depth; shadows.

A ray is `origin + t * direction` with directions scaled so that **t is the z-depth** (metres along the optical axis,
not along the ray).

  cast(scene, height, width) -> t       float32 [height, width], z-depth at pixel centres, inf where there is only sky
                                owner   int16 [height, width], index into scene.solids, -1 for sky
scene.solids[0] is always the ground plane. Each solid is tried only within the rectangle that it can cover.
"""

import math
from dataclasses import dataclass

import numpy as np

from data_pipelines.demo.noise import Colour
from data_pipelines.demo.solids import Shell, Solid, Vector


@dataclass(frozen=True)
class Camera:
    """A camera at (x, height, z) that looks along +z turned right by `yaw` and down by `pitch` (degrees); no roll."""

    height: float
    pitch: float = 0.0
    field_of_view: float = 60.0  # vertical, degrees
    yaw: float = 0.0
    x: float = 0.0
    z: float = 0.0

    @property
    def origin(self) -> tuple[float, float, float]:
        """Where the camera is: x, y, z, metres."""
        return self.x, self.height, self.z

    @property
    def slope(self) -> float:
        """Half the picture's height at depth 1."""
        return math.tan(math.radians(self.field_of_view) / 2)

    @property
    def axes(self) -> tuple[tuple, tuple, tuple]:
        """Unit vectors to the right, up and forward in the picture."""
        s, c = math.sin(math.radians(self.yaw)), math.cos(math.radians(self.yaw))
        sp, cp = math.sin(math.radians(self.pitch)), math.cos(math.radians(self.pitch))
        return (c, 0.0, -s), (s * sp, cp, c * sp), (s * cp, -sp, c * cp)

    def directions(self, across: np.ndarray, down: np.ndarray) -> Vector:
        """Returns the rays through image-plane places at depth 1: `across` to the right, `down` downwards."""
        right, up, forward = self.axes
        return tuple((across * right[i] + (forward[i] - down * up[i])).astype(np.float32) for i in range(3))

    def rays(self, height: int, width: int) -> Vector:
        """Returns the directions through the pixel centres, a triple of float32 [height, width]."""
        down = (((np.arange(height) + 0.5) / height) * 2 - 1) * self.slope
        across = (((np.arange(width) + 0.5) / width) * 2 - 1) * self.slope * width / height
        return self.directions(across[None, :], down[:, None])

    def seen(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Projects world points [N, 3]: returns across and down (image plane at depth 1), and z-depth."""
        right, up, forward = (np.asarray(axis) for axis in self.axes)
        offset = np.asarray(points) - np.asarray(self.origin)
        z = offset @ forward
        with np.errstate(divide="ignore", invalid="ignore"):
            return offset @ right / z, -(offset @ up) / z, z


@dataclass(frozen=True)
class Light:
    """One light that casts shadows, and light from all around.

    `direction` points towards a far light (the sun), or `position` says where a lamp is: one of the two.
    """

    colour: Colour
    above: Colour  # ambient light on what faces up
    below: Colour  # ambient light on what faces down
    direction: tuple[float, float, float] | None = None
    position: tuple[float, float, float] | None = None
    softness: float = 0.03  # radians for a far light, metres for a lamp
    pools: tuple[float, float] = (1.0, 0.0)  # lamps along z: their spacing, and how much the light dips between them


@dataclass(frozen=True)
class Sky:
    """What is above the horizon: a gradient, clouds, and ridges of far hills or roofs, the nearest last."""

    zenith: Colour
    horizon: Colour
    cloud_cover: float = 0.4  # 0 clear, 1 overcast
    cloud_colour: Colour = (1.0, 1.0, 1.0)
    ridges: tuple[
        tuple[float, float, float, Colour], ...
    ] = ()  # height and roughness (tangent), width (radians), colour
    place: float = 0.0  # which part of the noise it shows


@dataclass(frozen=True)
class Scene:
    """Everything that a camera can see, independent of resolution. `solids[0]` is the ground."""

    kind: str
    camera: Camera
    solids: tuple[Solid, ...]
    light: Light
    sky: Sky | None = None
    haze: float = 0.0  # share of the view lost per metre, towards the horizon's colour
    brightness: float = 1.0
    white_balance: tuple[float, float, float] = (1.0, 1.0, 1.0)
    shell: Shell | None = None


def _window(camera: Camera, solid: Solid, height: int, width: int) -> tuple[slice, slice] | None:
    """Returns the rows and columns that a solid can cover, None where it is wholly out of sight."""
    corners = solid.corners()
    if corners is None:
        return slice(0, height), slice(0, width)
    across, down, z = camera.seen(corners)
    if (z < 0.05).all():
        return None
    if (z < 0.05).any():
        return slice(0, height), slice(0, width)
    half = camera.slope
    rows = (np.array([down.min(), down.max()]) / half + 1) * height / 2
    columns = (np.array([across.min(), across.max()]) / (half * width / height) + 1) * width / 2
    top, bottom = max(int(rows[0]) - 1, 0), min(int(rows[1]) + 2, height)
    left, right = max(int(columns[0]) - 1, 0), min(int(columns[1]) + 2, width)
    return None if top >= bottom or left >= right else (slice(top, bottom), slice(left, right))


def cast(scene: Scene, height: int, width: int, rays: Vector | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Finds what the rays of a scene's camera meet first.

    Args:
      scene: to look at.
      height: of the result.
      width: of the result.
      rays: float32 [height, width] directions, a triple; those through the pixel centres by default.

    Returns:
      t: float32 [height, width], z-depth, metres, inf where there is only sky.
      owner: int16 [height, width], index into scene.solids, -1 for sky.
    """
    rays = scene.camera.rays(height, width) if rays is None else rays
    t = np.full((height, width), np.inf, np.float32)
    owner = np.full((height, width), -1, np.int16)
    with np.errstate(all="ignore"):
        for index, solid in enumerate(scene.solids):
            window = _window(scene.camera, solid, height, width)
            if window is None:
                continue
            distance = solid.hit(scene.camera.origin, tuple(d[window] for d in rays))
            nearer = distance < t[window]
            np.copyto(t[window], distance, where=nearer, casting="same_kind")
            owner[window][nearer] = index
    return t, owner


def shaded(scene: Scene, points: Vector, towards: Vector, wanted: np.ndarray) -> np.ndarray:
    """Tests where something stands between a point and the light.

    Only solids whose shadow can reach a point are tried against it: both are compared in two coordinates across the
    light's rays first.

    Args:
      scene: whose solids throw shadows.
      points: a triple of float32 [N], metres.
      towards: a triple of float32 [N], the vector from each point to its light, of any length for a far light,
        ending at the lamp for a near one.
      wanted: bool [N], which points to test.

    Returns:
      bool [N], False where not wanted.
    """
    light = scene.light
    shadow = np.zeros(wanted.shape, bool)
    where = np.flatnonzero(wanted)
    x, y, z = (axis[where] for axis in points)
    towards = tuple(axis[where] for axis in towards)
    if light.direction is not None:
        lx, ly, lz = light.direction
        a, b = x - y * (lx / ly), z - y * (lz / ly)  # where the ray to the light meets y = 0
    else:
        assert light.position is not None  # one of the two
        px, py, pz = light.position
        drop = np.maximum(py - y, 1e-2)
        a, b = (x - px) / drop, (z - pz) / drop
    # Sorted along b in narrow bands, so that a solid looks only at the points of its own bands.
    low, high = float(b.min(initial=0)), float(b.max(initial=0))
    band = 30000 / max(high - low, 1e-6)
    key = ((b - low) * band).astype(np.int16)
    order = np.argsort(key, kind="stable")
    key, where, x, y, z, a, b = (values[order] for values in (key, where, x, y, z, a, b))
    towards = tuple(axis[order] for axis in towards)
    dark = np.zeros(where.shape, bool)
    with np.errstate(all="ignore"):
        for solid in scene.solids:
            corners = solid.corners()
            if corners is None or solid.material.glow > 0.3:
                continue
            if light.direction is not None:
                ca, cb = corners[:, 0] - corners[:, 1] * (lx / ly), corners[:, 2] - corners[:, 1] * (lz / ly)
                slack = light.softness * corners[:, 1].max() / ly**2 + 1e-3
            else:
                below = py - corners[:, 1]
                if below.min() < 0.05:
                    ca, cb = np.array([-np.inf, np.inf]), np.array([low, high])
                    slack = 0.0
                else:
                    ca, cb = (corners[:, 0] - px) / below, (corners[:, 2] - pz) / below
                    slack = light.softness / below.min() + 1e-3
            bands = np.clip((np.array([cb.min() - slack, cb.max() + slack]) - low) * band, -1, 30001).astype(np.int16)
            mine = slice(np.searchsorted(key, bands[0]), np.searchsorted(key, bands[1], "right"))
            candidates = (a[mine] > ca.min() - slack) & (a[mine] < ca.max() + slack)
            candidates &= ~dark[mine] & (y[mine] < corners[:, 1].max())
            which = np.flatnonzero(candidates) + mine.start
            if which.size == 0:
                continue
            t = solid.hit((x[which], y[which], z[which]), tuple(part[which] for part in towards))
            dark[which] = t < (np.inf if light.direction is not None else 1.0)
    shadow[where] = dark
    return shadow
