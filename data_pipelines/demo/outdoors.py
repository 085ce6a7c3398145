"""Streets and open land for the demo sources. The camera is near z = 0, looks along +z; the near ground is free."""

import math
from dataclasses import replace

import numpy as np

from data_pipelines.demo import furniture as things
from data_pipelines.demo.exteriors import Facade, Meadow, Roadway
from data_pipelines.demo.furniture import Place
from data_pipelines.demo.noise import Colour, hsv, triple
from data_pipelines.demo.raycast import Camera, Light, Scene, Sky
from data_pipelines.demo.solids import Block, Ellipsoid, Frustum, Ground, Material, Solid, Thing
from data_pipelines.demo.textures import Floor, Patch, Plain, Planks, Sided, Stripes, Texture, Tiles

Random = np.random.Generator


def _weather(rng: Random, ridges: int) -> tuple[Light, Sky, float]:
    """Picks sun, sky and haze that belong together: clear, bright cloud, overcast, or a low warm sun."""
    kind = rng.choice(["clear", "clear", "bright", "overcast", "low"])
    side = rng.choice([-1.0, 1.0])
    rise = {"clear": 0.95, "bright": 0.9, "overcast": 1.6, "low": 0.5}[str(kind)] * rng.uniform(0.8, 1.25)
    # From behind the camera or from the side, so that what is seen is lit.
    sun = np.array([side * rng.uniform(0.35, 1.0), rise, -rng.uniform(0.1, 0.8)])
    sun /= np.linalg.norm(sun)
    strength, softness, cover = {
        "clear": (2.1, 0.012, 0.22),
        "bright": (1.5, 0.05, 0.5),
        "overcast": (0.45, 0.25, 1.05),
        "low": (2.2, 0.015, 0.35),
    }[str(kind)]
    warm = {"clear": 0.06, "bright": 0.03, "overcast": 0.0, "low": 0.3}[str(kind)]
    colour = strength * np.array([1.0, 1 - 0.5 * warm, 1 - warm])
    if kind == "overcast":
        zenith, horizon = hsv(0.6, 0.07, 0.8), hsv(0.6, 0.03, 0.93)
        above, below = np.array([0.72, 0.74, 0.78]), np.array([0.3, 0.29, 0.28])
    else:
        zenith = hsv(rng.uniform(0.57, 0.62), rng.uniform(0.5, 0.75), rng.uniform(0.55, 0.8))
        horizon = hsv(0.09 if kind == "low" else 0.57, 0.3 if kind == "low" else 0.2, 0.92)
        above, below = np.array([0.42, 0.48, 0.58]), np.array([0.24, 0.22, 0.2])
    layers = []
    for i in range(ridges):
        far = 1 - i / max(ridges, 1)
        green = np.array(hsv(rng.uniform(0.24, 0.4), rng.uniform(0.25, 0.45), rng.uniform(0.35, 0.5)))
        tone = green + (np.array(horizon) * 0.75 - green) * (0.25 + 0.55 * far)
        layers.append((0.02 + 0.075 * far * rng.uniform(0.6, 1.4), 0.02 + 0.02 * far, rng.uniform(5, 16), tuple(tone)))
    cover = float(np.clip(cover + rng.normal(0, 0.12), 0, 1.1))
    sky = Sky(zenith, horizon, cover, (0.98, 0.97, 0.96), tuple(layers), rng.uniform(0, 60))
    light = Light(tuple(colour), tuple(above), tuple(below), triple(float(c) for c in sun), None, softness)
    return light, sky, rng.uniform(0.0008, 0.0035)


def _develop(rng: Random) -> dict:
    """Picks exposure and white balance: cameras differ."""
    warm = rng.normal(0, 0.03)
    return {"brightness": float(rng.uniform(0.9, 1.25)), "white_balance": (1 + warm, 1.0, 1 - warm)}


def _wall(rng: Random) -> tuple[Texture, Colour]:
    """Picks the texture of an outer wall and a colour for its trim."""
    kind = rng.integers(0, 4)
    if kind == 0:
        brick = hsv(rng.uniform(0.0, 0.08), rng.uniform(0.3, 0.6), rng.uniform(0.45, 0.75))
        return Tiles(brick, brick, hsv(0.1, 0.1, 0.65), 0.24, 0.08, 0.012, 0.5, 0.16), hsv(0.1, 0.05, 0.8)
    if kind == 1:
        stone = hsv(rng.uniform(0.06, 0.14), rng.uniform(0.08, 0.25), rng.uniform(0.6, 0.85))
        joint, trim = triple(0.6 * c for c in stone), triple(0.85 * c for c in stone)
        return Tiles(stone, stone, joint, 0.9, 0.42, 0.015, 0.5, 0.1), trim
    hue = rng.choice([0.03, 0.08, 0.11, 0.14, 0.3, 0.55, 0.6])
    paint = hsv(float(hue), rng.uniform(0.1, 0.55), rng.uniform(0.6, 0.92))
    return Plain(paint, 0.02, 0.05, 3.0), hsv(0.1, 0.03, rng.uniform(0.75, 0.92))


def _house(x: float, z: float, half_x: float, bays: int, rng: Random) -> list[Block]:
    """Builds a house of a row, its front the face towards x = 0."""
    bay, storey = rng.uniform(2.0, 2.7), rng.uniform(2.9, 3.5)
    half_z = bays * bay / 2
    floors = int(rng.integers(2, 6))
    wall, trim = _wall(rng)
    glass = hsv(0.58, rng.uniform(0.1, 0.35), rng.uniform(0.4, 0.62))
    front = Facade(
        wall,
        trim,
        glass,
        storey,
        bay,
        (rng.uniform(0.9, 1.3), rng.uniform(1.3, 1.75)),
        rng.uniform(0, 0.2),
        bool(rng.random() < 0.45),
        int(rng.integers(1000)),
    )
    height = floors * storey + 0.3
    roof_colour = hsv(rng.choice([0.02, 0.05, 0.6]), rng.uniform(0.1, 0.5), rng.uniform(0.3, 0.55))
    roof = Tiles(roof_colour, roof_colour, triple(0.5 * c for c in roof_colour), 0.3, 0.35, 0.02, 0.5, 0.15)
    parts = [Block(x, z, (half_x, half_z), height, Material(Sided(front, Plain(roof_colour))))]
    cornice = Material(Plain(trim))
    parts.append(Block(x, z, (half_x + 0.18, half_z), 0.25, cornice, height))
    if rng.random() < 0.6:
        parts.append(
            Block(x, z, (half_x + 0.1, half_z), rng.uniform(1.5, 3.2), Material(roof), height + 0.25, top=(0.3, half_z))
        )
    edge = x - math.copysign(half_x, x)
    toward = -math.copysign(1, x)
    if front.shop and rng.random() < 0.8:
        a, b = hsv(rng.random(), 0.6, 0.7), (0.75, 0.73, 0.68)
        awning = Material(Stripes(a, b, 0.5) if rng.random() < 0.6 else Plain(a))
        parts.append(Block(edge + toward * 0.5, z, (0.5, half_z * 0.8), 0.45, awning, 2.55, top=(0.08, half_z * 0.8)))
    elif rng.random() < 0.4:
        rail = Material(Plain((0.08, 0.08, 0.09)))
        for i in range(bays):
            place_z = z - half_z + (i + 0.5) * bay
            parts.append(Block(edge + toward * 0.35, place_z, (0.35, 0.75), 0.12, cornice, storey + 0.5))
            parts.append(Block(edge + toward * 0.67, place_z, (0.02, 0.75), 0.85, rail, storey + 0.62))
    return parts


def _lamp_post(x: float, z: float, toward: float, rng: Random, colour: Colour) -> list[Thing]:
    post, height = Material(Plain(colour)), rng.uniform(4.5, 6.5)
    lamp = Material(Plain((0.8, 0.8, 0.75)))
    return [
        Frustum(x, z, 0.09, height, post, top=0.05),
        Block(x + toward * 0.5, z, (0.55, 0.03), 0.06, post, height - 0.1),
        Block(x + toward * 0.95, z, (0.28, 0.12), 0.1, lamp, height - 0.16),
    ]


def street(rng: Random) -> Scene:
    """Builds a street with houses on both sides, parked cars, trees and lamp posts."""
    half, pavement = rng.uniform(2.9, 4.6), rng.uniform(2.2, 4.0)
    light, sky, haze = _weather(rng, 1)
    slab = hsv(rng.uniform(0.06, 0.14), rng.uniform(0.03, 0.15), rng.uniform(0.55, 0.75))
    size = rng.uniform(0.35, 0.7)
    other = slab if rng.random() < 0.7 else triple(0.8 * c for c in slab)
    paving = Tiles(slab, other, triple(0.55 * c for c in slab), size, size * rng.choice([1.0, 0.6]), 0.012, 0.5, 0.1)
    asphalt = hsv(rng.uniform(0.05, 0.7), 0.025, rng.uniform(0.36, 0.54))
    crossing = rng.uniform(9, 16) if rng.random() < 0.45 else -100.0
    road = Roadway(
        half,
        asphalt,
        paving,
        triple(1.05 * c for c in slab),
        bool(rng.random() < 0.75),
        bool(rng.random() < 0.3),
        crossing,
    )
    patches = []
    for _ in range(2):
        lid = Plain((0.06, 0.06, 0.062), 0.2, 0, 0.3)
        patches.append(
            Patch(lid, (rng.uniform(-0.7, 0.7) * half, rng.uniform(4, 20)), (0.34, 0.34), 0, True, (0.03, 0.03, 0.03))
        )
    solids: list[Solid] = [Ground(Material(Floor(road, tuple(patches))))]
    front = half + pavement
    for side in (-1, 1):
        z = -8.0 + rng.uniform(-4, 0)
        while z < 88:
            bays = 2 * int(rng.integers(2, 5))
            if rng.random() < 0.08 and z > 8:
                colour = things.leaf(rng)
                solids += things.tree(Place(side * (front + 3), z + 4), rng, rng.uniform(5, 8), colour)
                solids.append(Block(side * (front + 0.2), z + 4, (0.2, 4.0), 1.3, Material(_wall(rng)[0])))
                z += 8.0
                continue
            house = _house(side * (front + 5), 0.0, 5.0, bays, rng)
            depth = house[0].half[1]
            # Beside and behind the camera, awnings and balconies would only get in its way.
            solids += [_moved(part, z + depth) for part in (house if z > 5 else house[:1])]
            z += 2 * depth
    # Something closes the view where the street ends.
    end, _ = _wall(rng)
    solids.append(
        Block(
            rng.uniform(-3, 3),
            97.0,
            (front + 8, 4.0),
            rng.uniform(8, 14),
            Material(Facade(end, slab, hsv(0.58, 0.2, 0.5))),
        )
    )
    for side in (-1, 1):
        if rng.random() < 0.85:
            z = rng.uniform(7, 13)
            while z < 60:
                if not (crossing - 4 < z < crossing + 7):
                    turn = 0.0 if rng.random() < 0.7 else math.pi
                    solids += things.car(Place(side * (half - 1.05), z, turn + rng.normal(0, 0.02)), rng)
                z += rng.uniform(5.2, 6.4) if rng.random() < 0.6 else rng.uniform(9, 22)
    trees, lamps = rng.random() < 0.6, rng.random() < 0.7
    green, post = things.leaf(rng), things.metal(rng)
    spacing = rng.uniform(8, 13)
    for side in (-1, 1):
        z = rng.uniform(6.5, 11)
        number = 0
        while z < 70:
            x = side * (half + 0.6)
            if trees and (number % 2 == 0 or not lamps):
                solids += things.tree(Place(x, z), rng, rng.uniform(4.5, 7.0), green)
            elif lamps:
                solids += _lamp_post(x, z, -side, rng, post)
            elif rng.random() < 0.5 and z < 30:
                solids += things.bench(Place(side * (half + 1.0), z, side * math.pi / 2), rng)
            if rng.random() < 0.35 and z < 30:
                solids += things.bin_(Place(side * (half + 0.5), z + 2), rng)
            if rng.random() < 0.3 and z < 25:
                solids += [
                    Frustum(side * (half + 0.35), z + 3 + i * 1.4, 0.06, 0.9, Material(Plain(post))) for i in range(3)
                ]
            z += spacing
            number += 1
    height = rng.uniform(2.0, 4.2)
    x = rng.choice([-1, 1]) * rng.uniform(0.0, half + pavement * 0.6)
    camera = Camera(
        height,
        pitch=rng.uniform(2, 6) + 3.6 * (height - 1.0),
        field_of_view=rng.uniform(46, 68),
        yaw=-math.degrees(math.atan2(x, 14)) + rng.uniform(-7, 7),
        x=float(x),
        z=0.0,
    )
    return Scene("street", camera, tuple(solids), light, sky, haze, **_develop(rng))


def _moved(solid: Block, z: float) -> Block:
    """Returns the block moved along z."""
    return replace(solid, z=solid.z + z)


def _fence(start: Place, length: float, rng: Random, colour: Colour) -> list[Thing]:
    """Builds posts and two rails from `start` along its local x."""
    timber = Material(Planks(colour, 0.1, 3.0, 0.2))
    posts = int(length / 2.2)
    parts: list[Thing] = [start.block(i * 2.2, 0, (0.06, 0.06), 1.15, timber) for i in range(posts + 1)]
    parts += [start.block(posts * 1.1, -0.08, (posts * 1.1, 0.02), 0.11, timber, base=level) for level in (0.45, 0.85)]
    return parts


def land(rng: Random) -> Scene:
    """Builds open land with trees, rocks and far hills, often with a path, a fence or a farm."""
    light, sky, haze = _weather(rng, int(rng.integers(2, 5)))
    hue = rng.uniform(0.18, 0.27)
    grass = hsv(hue, rng.uniform(0.35, 0.58), rng.uniform(0.42, 0.58))
    dry = hsv(rng.uniform(0.11, 0.17), rng.uniform(0.3, 0.5), rng.uniform(0.55, 0.72))
    soil = hsv(rng.uniform(0.06, 0.1), rng.uniform(0.2, 0.4), rng.uniform(0.55, 0.75))
    meadow = Meadow(
        grass,
        dry,
        soil,
        rng.uniform(1.2, 3.0) if rng.random() < 0.8 else 0.0,
        rng.uniform(-2, 2),
        rng.uniform(0.3, 2.2),
        rng.uniform(12, 40),
        rng.uniform(5, 14) if rng.random() < 0.6 else 0.0,
    )
    solids: list[Solid] = [Ground(Material(meadow))]
    colours = [things.leaf(rng) for _ in range(3)]
    if rng.random() < 0.3:
        colours[0] = hsv(rng.uniform(0.05, 0.13), 0.65, 0.65)  # one kind of tree turns early
    conifers = rng.random() < 0.4

    def path(z):
        return meadow.path_offset + meadow.bend * math.sin(z * 2 * math.pi / meadow.bend_length)

    for _ in range(int(rng.integers(5, 12))):
        z = 7 + 55 * rng.random() ** 1.5
        x = rng.uniform(-0.8, 0.8) * (z + 3)
        if abs(x - path(z)) < 2.2:
            x += 4.5 * (1 if x > path(z) else -1)
        solids += things.tree(
            Place(x, z), rng, rng.uniform(4, 9), colours[rng.integers(3)], bool(conifers and rng.random() < 0.6)
        )
    for _ in range(int(rng.integers(3, 9))):
        z = rng.uniform(5, 28)
        x = rng.uniform(-0.8, 0.8) * (z + 1)
        if abs(x - path(z)) > 1.8:
            solids += things.bush(Place(x, z), rng, rng.uniform(0.5, 1.3), colours[rng.integers(3)])
    rock = Material(Plain(hsv(0.09, rng.uniform(0.02, 0.15), rng.uniform(0.5, 0.7)), 0.14, 0.15, 1.1))
    for _ in range(int(rng.integers(0, 6))):
        z = rng.uniform(4.5, 22)
        x = rng.uniform(-0.7, 0.7) * (z + 1)
        if abs(x - path(z)) > 1.4:
            size = rng.uniform(0.2, 0.8)
            radii = (size, size * rng.uniform(0.5, 0.8), size * rng.uniform(0.7, 1.1))
            solids.append(Ellipsoid(x, size * 0.2, z, radii, rock, rng.uniform(0, 3), 0.15))
    if rng.random() < 0.6:
        timber = hsv(0.09, rng.uniform(0.1, 0.35), rng.uniform(0.45, 0.75))
        side = rng.choice([-1.0, 1.0])
        turn = -math.pi / 2 + rng.uniform(-0.25, 0.25) if rng.random() < 0.6 else rng.uniform(-0.2, 0.2)
        start = Place(side * rng.uniform(2.8, 4.5), 5.0, turn) if turn < -1 else Place(-16.0, rng.uniform(11, 20), turn)
        solids += _fence(start, 34.0, rng, timber)
    if rng.random() < 0.45:
        straw = Material(Plain(hsv(0.12, 0.45, 0.75), 0.12, 0.06, 1.0))
        for _ in range(int(rng.integers(2, 5))):
            z = rng.uniform(13, 40)
            solids.append(Frustum(rng.uniform(-0.6, 0.6) * z, z, 0.75, 1.3, straw))
    if rng.random() < 0.5:
        solids += _farm(Place(rng.uniform(-14, 14), rng.uniform(28, 48), rng.uniform(-0.7, 0.7)), rng)
    height = rng.uniform(1.5, 4.0)
    camera = Camera(
        height,
        pitch=rng.uniform(2, 6) + 3.2 * (height - 1.0),
        field_of_view=rng.uniform(46, 68),
        yaw=rng.uniform(-8, 8),
        x=rng.uniform(-0.5, 0.5),
    )
    return Scene("land", camera, tuple(solids), light, sky, haze, **_develop(rng))


def _farm(place: Place, rng: Random) -> list[Thing]:
    """Builds a farmhouse with a roof and a chimney."""
    wall, trim = _wall(rng)
    bay = 2.4
    half = (bay * 2, 3.2)
    front = Material(
        Sided(Facade(wall, trim, hsv(0.58, 0.25, 0.4), 3.0, bay, (1.0, 1.3), 0.0, False, int(rng.integers(99))), wall)
    )
    red = hsv(rng.uniform(0.0, 0.06), rng.uniform(0.3, 0.6), rng.uniform(0.4, 0.6))
    tiles = Material(Tiles(red, red, triple(0.5 * c for c in red), 0.35, 0.4, 0.03, 0.5, 0.14))
    return [
        place.block(0, 0, half, 3.4, front),
        place.block(0, 0, (half[0] + 0.3, half[1] + 0.4), 2.4, tiles, base=3.4, top=(half[0] - 0.2, 0.05)),
        place.block(half[0] * 0.5, 0.6, (0.35, 0.35), 1.3, Material(wall), base=4.9),
    ]
