"""Rooms and corridors for the demo sources. The camera is near z = 0, looks along +z; the near floor is free."""

import math
from collections.abc import Callable

import numpy as np

from data_pipelines.demo import furniture as things
from data_pipelines.demo.furniture import Place, cloth, wood
from data_pipelines.demo.noise import Colour, hsv, triple
from data_pipelines.demo.raycast import Camera, Light, Scene
from data_pipelines.demo.solids import Block, Frustum, Ground, Material, Shell, Solid, Thing
from data_pipelines.demo.textures import (
    Floor,
    Panes,
    Patch,
    Plain,
    Planks,
    Sided,
    Stripes,
    Texture,
    Tiles,
    Wainscot,
)

Random = np.random.Generator
Builder = Callable[[Place, Random, float], list[Thing]]
WHITE = (0.74, 0.73, 0.7)


def _wall_paint(rng: Random) -> Colour:
    return hsv(rng.random(), rng.choice([0.02, 0.04, 0.08, 0.14, 0.2, 0.3]), rng.uniform(0.72, 0.95))


def _floor(rng: Random) -> Texture:
    kind = rng.integers(0, 5)
    if kind <= 1:
        return Planks(wood(rng), rng.uniform(0.09, 0.2), rng.uniform(1.0, 2.2), 0.22, along_u=bool(rng.random() < 0.5))
    if kind == 2:
        light = hsv(rng.uniform(0.05, 0.15), rng.uniform(0, 0.2), rng.uniform(0.65, 0.88))
        dark = light if rng.random() < 0.6 else hsv(rng.random(), 0.25, rng.uniform(0.25, 0.5))
        size = rng.uniform(0.3, 0.6)
        return Tiles(light, dark, hsv(0.1, 0.1, 0.5), size, size, variety=0.05)
    if kind == 3:
        return Plain(cloth(rng), 0.13, 0.04, 0.8)
    return Plain(hsv(rng.uniform(0.05, 0.6), rng.uniform(0, 0.15), rng.uniform(0.5, 0.75)), 0.06, 0.08, 1.4)


def _walls(rng: Random, height: float) -> Texture:
    paint = _wall_paint(rng)
    upper: Texture = Plain(paint, 0.015, 0.025)
    if rng.random() < 0.2:
        upper = Stripes(paint, triple(0.88 * c for c in paint), rng.uniform(0.1, 0.3))
    elif rng.random() < 0.12:
        brick = hsv(rng.uniform(0.0, 0.07), rng.uniform(0.1, 0.55), rng.uniform(0.55, 0.85))
        upper = Tiles(brick, brick, hsv(0.1, 0.08, 0.75), 0.22, 0.075, 0.01, 0.5, 0.16)
    lower = Planks(WHITE, 0.12, 9.0, 0.03) if rng.random() < 0.5 else Plain(_wall_paint(rng), 0.015, 0.02)
    return Wainscot(upper, lower, WHITE, float(rng.choice([0, 0, 0.9, 1.1])), height)


def _window(place: Place, rng: Random, width: float, sill: float, height: float) -> list[Thing]:
    below = hsv(rng.uniform(0.2, 0.4), rng.uniform(0.1, 0.45), rng.uniform(0.45, 0.7))
    panes = Material(Panes(width, height, below, int(rng.integers(1, 4))), glow=0.85)
    frame = Material(Plain(WHITE, 0.01, 0.0))
    parts: list[Thing] = [
        place.block(0, -0.01, (width / 2, 0.01), height, panes, base=sill),
        place.block(0, -0.07, (width / 2 + 0.1, 0.07), 0.04, frame, base=sill - 0.04),
        place.block(0, -0.025, (width / 2 + 0.06, 0.025), 0.07, frame, base=sill + height),
    ]
    parts += [place.block(x * (width / 2 + 0.03), -0.025, (0.03, 0.025), height, frame, base=sill) for x in (-1, 1)]
    if rng.random() < 0.55:
        colour = cloth(rng)
        curtain = Material(Stripes(colour, triple(0.72 * c for c in colour), 0.11))
        drop = sill + height + 0.12
        for x in (-1, 1):
            parts.append(place.block(x * (width / 2 + 0.18), -0.08, (0.2, 0.04), drop - 0.05, curtain, base=0.05))
        rail = Material(Plain(things.metal(rng)))
        parts.append(place.block(0, -0.09, (width / 2 + 0.45, 0.012), 0.024, rail, base=drop))
    return parts


def _along(wall: str, x: float, z: float, s: float) -> Place:
    """Returns a place on a wall, its front towards the room: `s` is z on the side walls, x on the far one."""
    if wall == "left":
        return Place(-x, s, -math.pi / 2)
    if wall == "right":
        return Place(x, s, math.pi / 2)
    return Place(s, z, 0.0)


def _furnish(wall: str, start: float, end: float, x: float, z: float, rng: Random, height: float, windows: bool):
    """Builds furniture and wall hangings side by side along one wall from `start` to `end`."""
    parts: list[Thing] = []
    paint = _wall_paint(rng)
    s = start + rng.uniform(0.05, 0.3)
    while end - s > 0.5:
        room_left = end - s
        menu: list[tuple[Builder | None, float, float]] = [
            (things.plant, 0.7, 0.3),
            (things.floor_lamp, 0.5, 0.25),
            (things.boxes, 0.7, 0.3),
            (things.bin_, 0.4, 0.25),
        ]
        if room_left > 1.1:
            menu += [(things.armchair, 1.0, 0.5), (things.cabinet, rng.uniform(0.8, 1.1), 0.26), (None, 1.1, 0.0)]
            menu += [(things.bookshelf, rng.uniform(0.8, 1.1), 0.2)] * 2
        if room_left > 1.7:
            menu += [(things.cabinet, rng.uniform(1.2, 1.7), 0.26), (things.desk, 1.5, 0.38)]
            menu += [(things.bookshelf, 1.6, 0.2), (things.radiator, 1.2, 0.08)]
        if room_left > 2.3:
            menu += [(things.sofa, rng.uniform(1.7, 2.2), 0.48)] * 3 + [(things.bed, 1.8, 1.08)]
        builder, width, depth = menu[rng.integers(len(menu))]
        place = _along(wall, x, z, s + width / 2)
        if builder is None:
            parts += things.door(place, rng, paint, WHITE, 0.88)
        else:
            parts += builder(place.at(0, -depth - 0.02), rng, width - 0.06)
            low = builder not in (things.bookshelf, things.plant, things.floor_lamp) and width > 0.9
            if low and not any(p.corners()[:, 1].max() > 1.25 for p in parts[-6:]):
                if windows and width > 1.15 and rng.random() < 0.6:
                    parts += _window(place, rng, width - 0.5, 1.0, min(1.3, height - 1.35))
                elif rng.random() < 0.75:
                    w, h = rng.uniform(0.4, min(1.0, width * 0.7)), rng.uniform(0.4, 0.7)
                    parts += things.picture(place, rng, 1.65, w, h)
        s += width + rng.uniform(0.05, 0.5)
    return parts


def _develop(rng: Random) -> dict:
    """Picks exposure and white balance: cameras differ."""
    warm = rng.normal(0, 0.045)
    return {
        "brightness": float(rng.uniform(0.85, 1.2)),
        "white_balance": (1 + warm, 1.0, 1 - warm),
    }


def room(rng: Random) -> Scene:
    """Builds a furnished room, lit by a lamp or from the side of a window."""
    x, depth, height = rng.uniform(2.1, 3.6), rng.uniform(5.0, 8.5), rng.uniform(2.45, 3.2)
    walls = _walls(rng, height)
    shell = Shell((-x, x), (0.0, depth), height, Material(Sided(walls, Plain(WHITE, 0.01, 0.02))))
    patches = []
    if rng.random() < 0.7:
        a, b = cloth(rng), cloth(rng)
        cover = (
            Plain(a, 0.12, 0.05, 0.9)
            if rng.random() < 0.4
            else Stripes(a, b, rng.uniform(0.15, 0.6), bool(rng.random() < 0.5), 0.1)
        )
        half = rng.uniform(0.9, 1.5), rng.uniform(0.7, 1.3)
        where = rng.uniform(-0.6, 0.6), depth * rng.uniform(0.4, 0.6)
        patches.append(Patch(cover, where, half, rng.uniform(-0.2, 0.2), bool(rng.random() < 0.25), cloth(rng)))
    ground = Ground(Material(Floor(_floor(rng), tuple(patches))))
    solids: list[Solid] = [ground, shell]
    window_wall = rng.choice(["left", "right", "far", "none"], p=[0.3, 0.3, 0.25, 0.15])
    solids += _furnish("far", -x + 0.1, x - 0.1, x, depth, rng, height, window_wall == "far")
    for wall in ("left", "right"):
        solids += _furnish(wall, 2.4 + rng.uniform(0, 0.8), depth - 1.3, x, depth, rng, height, window_wall == wall)
    if x > 2.6 and depth > 6 and rng.random() < 0.6:
        middle = Place(rng.uniform(-0.5, 0.5) * x, depth * rng.uniform(0.58, 0.66), rng.uniform(-0.3, 0.3))
        if rng.random() < 0.5:
            solids += things.table(middle, rng, rng.uniform(1.0, 1.4))
            for dx, dz, turn in ((0.3, -0.62, math.pi), (-0.35, -0.6, math.pi), (0.1, 0.65, 0.0)):
                solids += things.chair(middle.at(dx, dz, turn + rng.uniform(-0.3, 0.3)), rng)
        else:
            solids += things.table(middle, rng, rng.uniform(0.8, 1.1), 0.42, 0.6)

    bounce = np.array(hsv(0.09, rng.uniform(0.02, 0.12), 1.0))
    if window_wall in ("left", "right"):
        side = -1 if window_wall == "left" else 1
        position = (side * (x - 0.35), height - 0.8, depth * rng.uniform(0.35, 0.55))
        colour = np.array([1.25, 1.25, 1.3])
        softness = 0.45
    else:
        position = (rng.uniform(-0.4, 0.4) * x, height - 0.32, depth * rng.uniform(0.3, 0.5))
        colour = np.array(hsv(0.1, rng.uniform(0.03, 0.25), 1.0)) * 1.3
        softness = 0.22
        lamp = Material(Plain((1.0, 0.93, 0.8), 0, 0), glow=0.8)
        solids.append(Frustum(position[0], position[2], 0.22, 0.22, lamp, height - 0.4, rng.uniform(0.1, 0.2)))
        solids.append(
            Block(position[0], position[2], (0.01, 0.01), 0.2, Material(Plain((0.1, 0.1, 0.1))), height - 0.2)
        )
    camera_height = rng.uniform(1.35, height - 0.35)
    camera_x = rng.uniform(-0.5, 0.5) * x
    camera = Camera(
        camera_height,
        pitch=rng.uniform(4, 9) + 9 * (camera_height - 1.2),
        field_of_view=rng.uniform(50, 74),
        yaw=-math.degrees(math.atan2(camera_x, depth * 0.7)) + rng.uniform(-9, 9),
        x=camera_x,
        z=0.25,
    )
    light = Light(tuple(colour), tuple(0.34 * bounce), tuple(0.3 * bounce * (1, 0.96, 0.9)), None, position, softness)
    return Scene("room", camera, tuple(solids), light, shell=shell, **_develop(rng))


def _ceiling_lamps(rng: Random, length: float, height: float, x: float, spacing: float) -> list[Thing]:
    glow = Material(Plain((1.0, 0.98, 0.92), 0, 0), glow=1.0)
    long = rng.random() < 0.6
    half = (0.09, min(0.6, spacing * 0.3)) if long else (0.28, 0.28)
    lanes = (0.0,) if x < 1.4 or rng.random() < 0.6 else (-x * 0.5, x * 0.5)
    count = int((length - 0.8) / spacing) + 1
    return [Block(lane, 0.6 + i * spacing, half, 0.05, glow, height - 0.05) for i in range(count) for lane in lanes]


def corridor(rng: Random) -> Scene:
    """Builds a corridor with doors, windows, pictures and a row of ceiling lamps."""
    x, length, height = rng.uniform(1.0, 2.1), rng.uniform(14, 42), rng.uniform(2.4, 3.4)
    walls = _walls(rng, height)
    kind = rng.integers(0, 3)
    ceiling: Texture = Plain(WHITE, 0.02, 0.02)
    if kind == 0:
        ceiling = Tiles(WHITE, WHITE, (0.4, 0.4, 0.4), 0.6, 0.6, 0.015, variety=0.02)
    shell = Shell((-x, x), (-0.6, length), height, Material(Sided(walls, ceiling)))
    runner: tuple[Patch, ...] = ()
    if rng.random() < 0.35:
        carpet = Plain(cloth(rng), 0.12, 0.04, 0.9)
        runner = (Patch(carpet, (0.0, length / 2), (x * 0.5, length), border=cloth(rng)),)
    elif rng.random() < 0.4:
        stripe = Plain(hsv(rng.random(), 0.6, 0.7))
        runner = tuple(Patch(stripe, (side * (x - 0.18), length / 2), (0.05, length)) for side in (-1, 1))
    solids: list[Solid] = [Ground(Material(Floor(_floor(rng), runner))), shell]
    trim, paint = (WHITE, wood(rng)) if rng.random() < 0.6 else (hsv(rng.random(), 0.3, 0.4), _wall_paint(rng))
    spacing = rng.uniform(2.4, 4.0)
    pilasters = rng.random() < 0.3
    pier = Material(walls if rng.random() < 0.5 else Plain(trim))
    sides = [("left", rng.uniform(0, 1)), ("right", rng.uniform(0, 1))]
    window_side = str(rng.choice(["left", "right", "none"]))
    for wall, start in sides:
        s = 2.2 + start
        while s < length - 0.8:
            place = _along(wall, x, length, s)
            if wall == window_side:
                solids += _window(place, rng, rng.uniform(1.1, 1.5), 0.95, 1.25)
            elif rng.random() < 0.75:
                solids += things.door(place, rng, paint, trim)
            else:
                solids += things.picture(place, rng, 1.6, rng.uniform(0.5, 1.1), rng.uniform(0.5, 0.8))
            if pilasters:
                pillar = _along(wall, x, length, s + spacing / 2)
                solids.append(pillar.block(0, -0.1, (0.2, 0.1), height, pier))
            if s > 4 and rng.random() < 0.3:
                builder = [things.plant, things.bin_, things.bench, things.boxes][rng.integers(4)]
                depth = 0.3 if builder is things.bench else 0.26
                solids += builder(
                    _along(wall, x, length, s + spacing * 0.3).at(0, -depth), rng, 0.6 if x < 1.4 else 1.0
                )
            s += spacing
    if rng.random() < 0.5:
        pipe = Material(Plain(things.metal(rng), 0.02, 0.05))
        for lane in rng.uniform(-x + 0.15, x - 0.15, 2):
            size = rng.uniform(0.04, 0.12)
            solids.append(Block(float(lane), length / 2, (size, length / 2), 2 * size, pipe, height - 0.08 - 2 * size))
    end = Place(0.0, length)
    if rng.random() < 0.45:
        solids += _window(end, rng, min(1.6, x * 1.4), 0.9, min(1.4, height - 1.2))
    else:
        solids += things.door(end.at(rng.uniform(-0.4, 0.4), 0), rng, paint, trim)
    lamps = rng.uniform(2.2, 4.0)
    solids += _ceiling_lamps(rng, length, height, x, lamps)
    bounce = np.array(hsv(rng.choice([0.1, 0.13, 0.55]), rng.uniform(0.0, 0.12), 1.0))
    tilt = np.array([rng.uniform(-0.12, 0.12), 1.0, rng.uniform(-0.2, 0.2)])
    light = Light(
        tuple(0.75 * bounce),
        tuple(0.42 * bounce),
        tuple(0.4 * bounce),
        tuple(tilt / np.linalg.norm(tilt)),
        None,
        0.16,
        (lamps, rng.uniform(0.1, 0.4)),
    )
    camera_height = rng.uniform(1.5, height - 0.3)
    camera_x = rng.uniform(-0.5, 0.5) * x
    camera = Camera(
        camera_height,
        pitch=rng.uniform(3, 8) + 9 * (camera_height - 1.3),
        field_of_view=rng.uniform(48, 72),
        yaw=-math.degrees(math.atan2(camera_x, 7.0)) + rng.uniform(-5, 5),
        x=camera_x,
        z=0.0,
    )
    return Scene("corridor", camera, tuple(solids), light, shell=shell, **_develop(rng))
