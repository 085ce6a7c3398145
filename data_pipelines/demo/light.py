"""Light and exposure for the demo scenes: from what a ray hits to display values.

  photograph(scene, height, width, standing) -> Photograph
`standing` are cutouts that shade the ground; exposure is that of the background without them, as with a camera that is
set once.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from data_pipelines.demo.noise import cloud, paint
from data_pipelines.demo.raycast import Scene, Sky, cast, shaded
from data_pipelines.demo.solids import Ground, Shell
from data_pipelines.demo.textures import Surface

SAMPLES = 2  # colour samples along each side of a pixel


class Photograph(NamedTuple):
    """A lit scene, and what each sample of it shows.

    Attributes:
      display: float32 [height, width, 3], display values 0..1 (gamma coded), one for every sample.
      t: float32 [height, width], z-depth of the background, metres, inf in the sky.
      owner: int16 [height, width], index into scene.solids, -1 in the sky.
    """

    display: np.ndarray
    t: np.ndarray
    owner: np.ndarray


class Standing(NamedTuple):
    """An upright cutout that blocks light: where its base centre is, its size in metres, its alpha [h, w] 0..1."""

    base: tuple[float, float, float]
    width: float
    height: float
    depth: float  # how far its feet are behind the base, on average
    alpha: np.ndarray


def photograph(scene: Scene, height: int, width: int, standing: Sequence[Standing] = ()) -> Photograph:
    """Lights and exposes a scene.

    Args:
      scene: to show.
      height: of the result, samples; there are SAMPLES along each side of a pixel.
      width: of the result, samples.
      standing: cutouts that shade the ground; the exposure does not depend on them, and they are not drawn.
    """
    camera = scene.camera
    rays = camera.rays(height, width)
    t, owner = cast(scene, height, width, rays)
    flat_owner = owner.ravel()
    order = np.argsort(flat_owner, kind="stable")
    bounds = np.searchsorted(flat_owner[order], np.arange(-1, len(scene.solids) + 1))
    sky, order = order[: bounds[1]], order[bounds[1] :]
    bounds = bounds[1:] - bounds[1]
    result = np.empty((height * width, 3), np.float32)
    if sky.size:
        assert scene.sky is not None  # nothing is seen past a shell
        result[sky] = _sky(scene.sky, tuple(ray.ravel()[sky] for ray in rays))

    # Points sorted by owner, so that every solid's are one slice.
    depth = t.ravel()[order]
    direction = tuple(ray.ravel()[order] for ray in rays)
    points = tuple(direction[i] * depth + np.float32(camera.origin[i]) for i in range(3))
    length = np.sqrt(direction[0] ** 2 + direction[1] ** 2 + direction[2] ** 2)
    pixel = depth * np.float32(2 * camera.slope / height)
    albedo = np.empty((order.size, 3), np.float32)
    normal = tuple(np.empty(order.size, np.float32) for _ in range(3))
    glow = np.zeros(order.size, np.float32)
    gloss = np.zeros(order.size, np.float32)
    for index in np.unique(flat_owner[order]):
        part = slice(bounds[index], bounds[index + 1])
        solid = scene.solids[index]
        hit = solid.surface(*(axis[part] for axis in points))
        for i in range(3):
            normal[i][part] = hit.normal[i]
        facing = np.abs(sum(hit.normal[i] * direction[i][part] for i in range(3))) / length[part]
        blur = pixel[part] / np.sqrt(np.maximum(facing, 0.04))
        albedo[part] = solid.material.texture(Surface(hit.u, hit.v, blur, hit.face))
        glow[part] = solid.material.glow
        gloss[part] = solid.material.gloss

    ground = slice(bounds[0], bounds[1])
    direct, ambient, towards = _light(scene, points, normal, order, owner, glow, ground)
    radiance = albedo * ((direct + ambient) * (1 - glow)[:, None] + glow[:, None] * np.float32(1.6))
    if gloss.any() and scene.sky is not None:
        shiny = np.flatnonzero(gloss)
        n = tuple(axis[shiny] for axis in normal)
        d = tuple(axis[shiny] / length[shiny] for axis in direction)
        along = sum(n[i] * d[i] for i in range(3))
        mirror = tuple(d[i] - 2 * along * n[i] for i in range(3))
        share = gloss[shiny] * (0.12 + 0.88 * (1 - np.abs(along)) ** 4) * np.clip(mirror[1] * 4 + 0.6, 0, 1)
        radiance[shiny] = paint(radiance[shiny], (0, 0, 0), share) + _sky(scene.sky, mirror) * share[:, None]
    taken = None
    if standing:
        floor = tuple(axis[ground] for axis in points), tuple(axis[ground] for axis in towards)
        blocked, dim = _card_shadows(scene, *floor, standing)
        taken = albedo[ground] * direct[ground] * blocked[:, None]
        taken += (radiance[ground] - taken) * dim[:, None]
    if scene.haze:
        assert scene.sky is not None  # haze is out of doors
        lost = 1 - np.exp(-np.minimum(depth, 300) * np.float32(scene.haze))
        radiance = paint(radiance, scene.sky.horizon, lost)
        if taken is not None:
            taken *= 1 - lost[ground, None]
    result[order] = radiance
    exposure = _exposure(scene, result.reshape(height, width, 3))
    if taken is not None:
        result[order[ground]] -= taken
    return Photograph(_develop(scene, result.reshape(height, width, 3) * np.float32(exposure)), t, owner)


def _card_shadows(scene: Scene, points, towards, standing: Sequence[Standing]) -> tuple[np.ndarray, np.ndarray]:
    """Returns, for points of the ground, the share of direct and of all light that cutouts take: float32 [N] twice."""
    right, up, forward = scene.camera.axes
    near_light = scene.light.direction is None
    x, y, z = points
    free, bright = np.ones(x.shape, np.float32), np.ones(x.shape, np.float32)
    flat = np.hypot(forward[0], forward[2])
    for card in standing:
        offset = x - card.base[0], y - card.base[1], z - card.base[2]
        # Where the ray to the light goes through the card's plane, in the card's own right and up.
        speed = sum(towards[i] * forward[i] for i in range(3))
        with np.errstate(all="ignore"):
            s = -sum(offset[i] * forward[i] for i in range(3)) / speed
        s = np.where((s > 0) & (s < (1.0 if near_light else 200.0)), s, 0)
        a = sum((offset[i] + s * towards[i]) * right[i] for i in range(3)) / card.width + 0.5
        b = sum((offset[i] + s * towards[i]) * up[i] for i in range(3)) / card.height
        rows, columns = card.alpha.shape
        inside = (s > 0) & (a > 0) & (a < 1) & (b > 0) & (b < 1)
        r = np.where(inside, (1 - b) * rows, 0).astype(np.int32).clip(0, rows - 1)
        c = np.where(inside, a * columns, 0).astype(np.int32).clip(0, columns - 1)
        free *= 1 - card.alpha[r, c] * inside
        # And the dimness right under it, whatever the light.
        across = (offset[0] * right[0] + offset[2] * right[2]) / (0.45 * card.width + 0.05)
        along = (offset[0] * forward[0] + offset[2] * forward[2]) / flat - card.depth
        along = along / (0.2 * card.width + 0.1)
        bright *= 1 - 0.5 * np.exp(-np.minimum(across * across + along * along, 40) * np.float32(1.1))
    return 1 - free, 1 - bright


def _light(scene, points, normal, order, owner, glow, ground):
    """Returns direct and ambient light at points, float32 [N, 3] each, and the vectors to the light, a triple."""
    light, width = scene.light, owner.shape[1]
    x, _, z = points
    # Each of the samples of a pixel sees its own point of the lamp; turned from pixel to pixel, so edges are soft.
    row, column = order // width, order % width
    sample = (row % SAMPLES) * SAMPLES + column % SAMPLES
    row, column = (row // SAMPLES).astype(np.float32), (column // SAMPLES).astype(np.float32)
    turn = 52.9829189 * ((0.06711056 * column + 0.00583715 * row) % 1.0)
    angle = (turn % 1.0 + sample * np.float32(0.25)) * np.float32(2 * np.pi)
    radius = np.sqrt((sample + 0.5) / SAMPLES**2).astype(np.float32) * np.float32(light.softness)
    shift = np.cos(angle) * radius, np.sin(angle) * radius
    if light.direction is not None:
        towards = tuple(np.full(x.shape, part, np.float32) for part in light.direction)
        strength = np.float32(1)
    else:
        towards = tuple(np.float32(light.position[i]) - points[i] for i in range(3))
        distance2 = towards[0] ** 2 + towards[1] ** 2 + towards[2] ** 2
        strength = 9 / (5 + distance2)
    towards = towards[0] + shift[0], towards[1], towards[2] + shift[1]
    length = np.sqrt(towards[0] ** 2 + towards[1] ** 2 + towards[2] ** 2)
    facing = np.maximum((normal[0] * towards[0] + normal[1] * towards[1] + normal[2] * towards[2]) / length, 0)
    lifted = tuple(points[i] + normal[i] * np.float32(4e-3) for i in range(3))
    lit = 1 - shaded(scene, lifted, towards, (facing > 0) & (glow < 0.9)).astype(np.float32)
    if light.softness > 0.02:
        lit = _smoothed(lit, order, owner)
    direct = lit * facing * strength

    up = normal[1] * 0.5 + 0.5
    around = _occlusion(scene, points, normal, ground)
    if light.pools[1]:
        wave = 0.5 + 0.5 * np.cos((z - scene.camera.z) * np.float32(2 * np.pi / light.pools[0]))
        dip = 1 - np.float32(light.pools[1]) * (1 - wave)
        around, direct = around * dip, direct * dip
    above, below = up * around, (1 - up) * around
    ambient = (
        np.asarray(light.below, np.float32) * below[:, None] + np.asarray(light.above, np.float32) * above[:, None]
    )
    return np.asarray(light.colour, np.float32) * direct[:, None], ambient, towards


def _smoothed(lit: np.ndarray, order: np.ndarray, owner: np.ndarray) -> np.ndarray:
    """Averages over neighbours on the same solid: the few samples of a soft shadow would show as grain."""
    image = np.zeros(owner.shape, np.float32)
    image.ravel()[order] = lit
    for _ in range(2):  # across, then down: each pass works on the transposed picture
        total, count = image.copy(), np.ones_like(image)
        for step in (1, 2, 3):
            same = (owner[:, step:] == owner[:, :-step]).astype(np.float32)
            total[:, step:] += image[:, :-step] * same
            count[:, step:] += same
            total[:, :-step] += image[:, step:] * same
            count[:, :-step] += same
        image, owner = np.ascontiguousarray((total / count).T), np.ascontiguousarray(owner.T)
    return image.ravel()[order]


def _occlusion(scene: Scene, points, normal, ground: slice) -> np.ndarray:
    """float32 [N], how much of the light from all around arrives: less near floors, corners and under things."""
    x, y, z = points
    upright = 1 - np.abs(normal[1])
    around = 1 - 0.35 * upright / (1 + np.square(y * np.float32(1 / 0.35)))
    if scene.shell is not None:
        shell = scene.shell
        from_wall = np.float32(1 / (0.13 * shell.height))
        around *= 1 - 0.25 * upright / (1 + np.square((shell.height - y) * from_wall))
        for gap, own in (
            (x - shell.x[0], normal[0]),
            (shell.x[1] - x, normal[0]),
            (z - shell.z[0], normal[2]),
            (shell.z[1] - z, normal[2]),
        ):
            around *= 1 - 0.3 * (1 - np.abs(own)) / (1 + np.square(gap * from_wall))
    gx, gz, floor = x[ground], z[ground], around[ground]
    for solid in scene.solids[1:]:
        if isinstance(solid, Ground | Shell):
            continue
        corners = solid.corners()
        if corners[:, 1].min() > 0.6:
            continue
        lift = float(max(corners[:, 1].min(), 0))
        reach = 0.12 + 0.12 * float(min(corners[:, 1].max(), 2.0)) + lift
        (x0, _, z0), (x1, _, z1) = corners.min(0) - 3 * reach, corners.max(0) + 3 * reach
        near = np.flatnonzero((gx > x0) & (gx < x1) & (gz > z0) & (gz < z1))
        if near.size:
            away = solid.away(gx[near], gz[near])
            floor[near] *= 1 - 0.6 / (1 + 2 * lift) * np.exp(-away / np.float32(reach))
    return around


def _sky(sky: Sky, direction) -> np.ndarray:
    """Returns the light from far away along vectors of any length, float32 [N, 3]."""
    x, y, z = direction
    flat = np.maximum(np.hypot(x, z), 1e-6)
    rise = y / flat
    height = np.clip(rise, 0, None)
    share = np.sqrt(np.clip(height / (1.1 + height), 0, 1)) * 1.25
    colour = paint(np.asarray(sky.horizon, np.float32), sky.zenith, np.clip(share, 0, 1))
    # A flat layer of clouds overhead, so that they crowd towards the horizon.
    far = 1 / (height + 0.12)
    noise = cloud(x / flat * far + sky.place, z / flat * far * 1.6 + sky.place, 14.0, 0.02)
    noise += 0.25 * cloud(x / flat * far * 1.7, z / flat * far * 2.5 + sky.place, 9.0, 0.3)
    cover = np.clip((noise + (sky.cloud_cover - 0.5) * 3.2) * 0.9, 0, 1) ** 1.3 * np.clip(height * 5, 0.05, 0.95)
    tone = 1.0 - 0.22 * np.clip(noise * 0.5, 0, 1)
    colour = colour + (np.asarray(sky.cloud_colour, np.float32) * tone[:, None] - colour) * cover[:, None]
    bearing = np.arctan2(x, z)
    for number, (level, roughness, width, ridge) in enumerate(sky.ridges):
        line = cloud(bearing * np.float32(200 / width), np.full_like(bearing, 7.0 * number + sky.place), 60.0, 0.0)
        line = level + roughness * line
        colour = paint(colour, ridge, np.clip((line - rise) * 300, 0, 1))
    return colour.astype(np.float32)


@functools.cache
def _curve() -> np.ndarray:
    """Returns display values, float32 [8192], of linear light 0..8 coded as 8191 * sqrt(light / 8); a soft shoulder."""
    light = np.square(np.arange(8192) / 8191) * 8
    toned = (light * (1 + light / 12) / (0.85 + light)) ** 1.22  # the power deepens shadows, as film does
    toned = np.clip(toned * 1.25, 0, 1)
    return (np.where(toned < 0.0031308, toned * 12.92, 1.055 * toned ** (1 / 2.4) - 0.055)).astype(np.float32)


def _exposure(scene: Scene, radiance: np.ndarray) -> float:
    """Returns the gain that brings the mean luminance, its highlights clipped, to 0.42 times the scene's brightness."""
    luminance = radiance[::4, ::4] @ np.array([0.25, 0.65, 0.1], np.float32)
    return 0.42 * scene.brightness / float(np.minimum(luminance, 4 * np.median(luminance)).mean() + 1e-3)


def _develop(scene: Scene, exposed: np.ndarray) -> np.ndarray:
    """Turns linear light into display values 0..1: white balance, then the tone curve."""
    grey = exposed @ np.array([0.25, 0.65, 0.1], np.float32)
    balanced = paint(exposed.reshape(-1, 3), grey.reshape(-1, 1), np.array([0.16], np.float32)).reshape(exposed.shape)
    balanced = balanced * np.asarray(scene.white_balance, np.float32)
    code = np.sqrt(np.clip(balanced, 0, 8) * np.float32(1 / 8)) * np.float32(8191)
    return _curve()[code.astype(np.int16)]
