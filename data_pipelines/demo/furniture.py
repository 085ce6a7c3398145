"""Things that stand in the demo scenes, built from solids.

Every builder takes a `Place` (where it stands and which way it is turned) and a random generator, and returns a list of
solids. In a Place's own frame x runs to the right, z away from whoever stands in front of it; so local -z is the front.
"""

import math
from dataclasses import dataclass

import numpy as np

from data_pipelines.demo.exteriors import Facade, Foliage
from data_pipelines.demo.noise import Colour, hsv, triple
from data_pipelines.demo.solids import Block, Ellipsoid, Frustum, Material, Thing
from data_pipelines.demo.textures import Books, Painting, Panels, Plain, Planks, Sided

Random = np.random.Generator


@dataclass(frozen=True)
class Place:
    """A frame on the ground at (x, z), turned by `yaw` radians."""

    x: float
    z: float
    yaw: float = 0.0

    def at(self, x: float, z: float, yaw: float = 0.0) -> "Place":
        """Returns the place at a point of this frame, turned by `yaw` radians more."""
        s, c = math.sin(self.yaw), math.cos(self.yaw)
        return Place(self.x + c * x + s * z, self.z - s * x + c * z, self.yaw + yaw)

    def block(
        self,
        x: float,
        z: float,
        half: tuple[float, float],
        height: float,
        material: Material,
        base: float = 0.0,
        yaw: float = 0.0,
        top: tuple[float, float] | None = None,
    ) -> Block:
        """Returns a box, or one that tapers to `top`, at a point of this frame; `half` is along its x and z."""
        place = self.at(x, z)
        return Block(place.x, place.z, half, height, material, base, self.yaw + yaw, top)

    def frustum(
        self,
        x: float,
        z: float,
        radius: float,
        height: float,
        material: Material,
        base: float = 0.0,
        top: float | None = None,
    ) -> Frustum:
        """Returns an upright cylinder, or one that tapers to the radius `top`, at a point of this frame."""
        place = self.at(x, z)
        return Frustum(place.x, place.z, radius, height, material, base, top)

    def ellipsoid(
        self, x: float, y: float, z: float, radii: tuple[float, float, float], material: Material, ragged: float = 0.0
    ) -> Ellipsoid:
        """Returns an ellipsoid centred at a point of this frame; `ragged` 0..1 eats noise into its outline."""
        place = self.at(x, z)
        return Ellipsoid(place.x, y, place.z, radii, material, self.yaw, ragged)


def wood(rng: Random) -> Colour:
    """Picks a colour of wood."""
    return hsv(rng.uniform(0.05, 0.1), rng.uniform(0.3, 0.62), rng.uniform(0.42, 0.82))


def cloth(rng: Random) -> Colour:
    """Picks a colour that people choose for large soft things: any hue, rarely loud."""
    return hsv(rng.random(), rng.uniform(0.06, 0.5), rng.uniform(0.35, 0.82))


def leaf(rng: Random) -> Colour:
    """Picks a green of leaves."""
    return hsv(rng.uniform(0.19, 0.33), rng.uniform(0.35, 0.6), rng.uniform(0.36, 0.6))


def metal(rng: Random) -> Colour:
    """Picks a grey of metal."""
    return hsv(rng.uniform(0.5, 0.65), rng.uniform(0.0, 0.12), rng.uniform(0.25, 0.75))


def _wooden(colour: Colour) -> Material:
    """Returns planks of a colour as a material."""
    return Material(Planks(colour, width=0.22, length=2.0, variety=0.12, joint=0.003))


def sofa(place: Place, rng: Random, width: float) -> list[Thing]:
    """Builds a sofa with its seats and up to two pillows."""
    fabric = Material(Plain(cloth(rng), 0.07, 0.05, 0.7))
    seat, depth, arm = rng.uniform(0.36, 0.44), 0.88, 0.16
    back = rng.uniform(0.72, 0.95)
    parts: list[Thing] = [
        place.block(0, 0, (width / 2, depth / 2), seat - 0.12, fabric, base=0.06),
        place.block(0, depth / 2 - 0.12, (width / 2, 0.12), back - 0.1, fabric, base=0.1, top=(width / 2 - 0.03, 0.07)),
    ]
    for side in (-1, 1):
        parts.append(place.block(side * (width / 2 - arm / 2), 0, (arm / 2, depth / 2), seat + 0.14, fabric, base=0.05))
    seats = max(1, round((width - 2 * arm) / 0.65))
    each = (width - 2 * arm) / seats
    for i in range(seats):
        x = -width / 2 + arm + each * (i + 0.5)
        half = (each / 2 - 0.008, depth / 2 - 0.13)
        parts.append(place.block(x, -0.12, half, 0.16, fabric, base=seat - 0.06, top=(half[0] - 0.02, half[1] - 0.02)))
    for _ in range(rng.integers(0, 3)):
        pillow = Material(Plain(cloth(rng), 0.06, 0.05, 0.6))
        x = rng.uniform(-0.35, 0.35) * width
        parts.append(place.ellipsoid(x, seat + 0.28, 0.12, (0.22, 0.2, 0.1), pillow))
    return parts


def armchair(place: Place, rng: Random, width: float) -> list[Thing]:
    """Builds a sofa of one seat."""
    return sofa(place, rng, min(width, 0.9))


def table(place: Place, rng: Random, width: float, height: float = 0.74, depth: float = 0.8) -> list[Thing]:
    """Builds a table on one or four legs, with a few things on it."""
    top = _wooden(wood(rng))
    parts: list[Thing] = [place.block(0, 0, (width / 2, depth / 2), 0.04, top, base=height - 0.04)]
    if rng.random() < 0.25:
        parts.append(place.frustum(0, 0, 0.05, height - 0.04, top))
        parts.append(place.frustum(0, 0, 0.3, 0.03, top))
    else:
        for x in (-1, 1):
            for z in (-1, 1):
                leg = place.block(x * (width / 2 - 0.07), z * (depth / 2 - 0.07), (0.03, 0.03), height - 0.04, top)
                parts.append(leg)
    return parts + on_top(place, rng, width * 0.7, height, depth * 0.5)


def on_top(place: Place, rng: Random, width: float, level: float, depth: float = 0.3) -> list[Thing]:
    """Builds a few things on a surface at height `level`: books, a vase, a bowl, a box."""
    parts: list[Thing] = []
    for slot in np.linspace(-0.4, 0.4, max(1, int(width / 0.4))):
        kind, x, z = rng.integers(0, 6), float(slot) * width, rng.uniform(-0.3, 0.3) * depth
        material = Material(Plain(cloth(rng), 0.03, 0.03))
        if kind == 0:
            for i in range(rng.integers(1, 4)):
                half = (rng.uniform(0.08, 0.12), rng.uniform(0.1, 0.14))
                book = Material(Plain(cloth(rng)))
                parts.append(place.block(x, z, half, 0.035, book, base=level + 0.035 * i, yaw=rng.uniform(-0.4, 0.4)))
        elif kind == 1:
            parts.append(place.frustum(x, z, 0.06, rng.uniform(0.15, 0.3), material, base=level, top=0.04))
            parts.append(
                place.ellipsoid(x, level + 0.38, z, (0.14, 0.15, 0.14), Material(Foliage(leaf(rng), 0.7)), 0.6)
            )
        elif kind == 2:
            parts.append(place.frustum(x, z, 0.07, 0.09, material, base=level, top=0.14))
        elif kind == 3:
            parts.append(place.block(x, z, (0.12, 0.09), 0.16, material, base=level, yaw=rng.uniform(-0.4, 0.4)))
    return parts


def chair(place: Place, rng: Random, width: float = 0.45) -> list[Thing]:
    """Builds a chair of one size; it ignores `width`, which the builders of furniture for a wall share."""
    frame = _wooden(wood(rng)) if rng.random() < 0.6 else Material(Plain(metal(rng)))
    seat = frame if rng.random() < 0.5 else Material(Plain(cloth(rng), 0.05))
    parts: list[Thing] = [
        place.block(0, 0, (0.22, 0.22), 0.05, seat, base=0.42),
        place.block(0, 0.2, (0.21, 0.02), 0.32, seat, base=0.6),
    ]
    for x in (-0.19, 0.19):
        parts.append(place.block(x, -0.19, (0.018, 0.018), 0.42, frame))
        parts.append(place.block(x, 0.2, (0.018, 0.018), 0.9, frame))
    return parts


def bookshelf(place: Place, rng: Random, width: float) -> list[Thing]:
    """Builds a shelf full of books."""
    colour, height = wood(rng), rng.uniform(1.6, 2.2)
    side = _wooden(colour)
    books = Material(Sided(Books(colour, rng.uniform(0.3, 0.4), int(rng.integers(100))), Plain(colour)))
    parts: list[Thing] = [place.block(0, 0.03, (width / 2 - 0.03, 0.13), height - 0.05, books)]
    parts += [place.block(x * (width / 2 - 0.02), 0, (0.02, 0.17), height, side) for x in (-1, 1)]
    parts.append(place.block(0, 0, (width / 2, 0.17), 0.04, side, base=height - 0.04))
    return parts


def cabinet(place: Place, rng: Random, width: float, tall: bool | None = None) -> list[Thing]:
    """Builds a cupboard, or a low cabinet with a screen or a few things on it."""
    tall = rng.random() < 0.4 if tall is None else tall
    height = rng.uniform(1.8, 2.15) if tall else rng.uniform(0.7, 1.0)
    colour = wood(rng) if rng.random() < 0.7 else cloth(rng)
    rows = 1 if tall else int(rng.integers(1, 4))
    front = Panels(colour, width, height, columns=max(1, round(width / 0.55)), rows=rows)
    parts: list[Thing] = [
        place.block(0, 0, (width / 2, 0.24), height - 0.06, Material(Sided(front, Plain(colour))), base=0.06),
        place.block(0, 0.02, (width / 2 - 0.03, 0.2), 0.06, Material(Plain((0.03, 0.03, 0.03)))),
    ]
    if not tall and rng.random() < 0.4 and width > 1.1:
        half = min(width * 0.4, 0.65)
        screen = Material(Plain((0.012, 0.013, 0.016), 0, 0.3), gloss=0.5)
        parts.append(place.block(0, 0, (half, 0.025), half * 1.12, screen, base=height + 0.05))
        parts.append(place.block(0, 0, (0.2, 0.08), 0.05, screen, base=height))
        return parts
    return parts if tall else parts + on_top(place, rng, width * 0.8, height)


def bed(place: Place, rng: Random, width: float) -> list[Thing]:
    """Builds a bed with its head against the back of the place."""
    frame, cover, linen = _wooden(wood(rng)), Material(Plain(cloth(rng), 0.06, 0.06)), Material(Plain((0.7, 0.7, 0.68)))
    width = min(width, 1.7)
    parts: list[Thing] = [
        place.block(0, 0, (width / 2, 1.0), 0.3, frame, base=0.05),
        place.block(0, 0.98, (width / 2 + 0.03, 0.03), rng.uniform(0.8, 1.2), frame),
        place.block(0, 0, (width / 2 - 0.02, 0.95), 0.2, linen, base=0.33),
        place.block(0, -0.3, (width / 2 + 0.02, 0.7), 0.27, cover, base=0.3, top=(width / 2 - 0.02, 0.68)),
    ]
    for x in (-0.25, 0.25):
        parts.append(place.ellipsoid(x * width, 0.6, 0.68, (width * 0.2, 0.1, 0.2), linen))
    return parts


def desk(place: Place, rng: Random, width: float) -> list[Thing]:
    """Builds a desk with drawers, a screen, a keyboard and a chair."""
    width = min(width, 1.6)
    top, dark = _wooden(wood(rng)), Material(Plain((0.02, 0.02, 0.025), 0.02, 0.1), gloss=0.3)
    parts: list[Thing] = [place.block(0, 0, (width / 2, 0.35), 0.04, top, base=0.7)]
    parts.append(place.block(width / 2 - 0.22, 0, (0.2, 0.32), 0.7, top))
    parts += [place.block(-width / 2 + 0.05, z, (0.025, 0.025), 0.7, top) for z in (-0.3, 0.3)]
    screen = Material(Plain(hsv(rng.uniform(0.5, 0.7), 0.4, 0.6), 0, 0.3), glow=0.25)
    parts.append(place.block(-0.1, 0.16, (0.28, 0.02), 0.34, screen, base=0.86))
    parts.append(place.block(-0.1, 0.19, (0.03, 0.02), 0.2, dark, base=0.74))
    parts.append(place.block(-0.1, -0.12, (0.22, 0.07), 0.02, dark, base=0.74))
    return parts + chair(place.at(-0.15, -0.62, math.pi + rng.uniform(-0.5, 0.5)), rng)


def plant(place: Place, rng: Random, width: float = 0.6) -> list[Thing]:
    """Builds a plant in a pot."""
    pot = Material(Plain(hsv(rng.uniform(0.02, 0.12), rng.uniform(0.05, 0.6), rng.uniform(0.4, 0.85))))
    green, height = Material(Foliage(leaf(rng), 1.0)), rng.uniform(0.9, 1.9)
    spread = min(width / 2, rng.uniform(0.25, 0.42))
    parts: list[Thing] = [
        place.frustum(0, 0, 0.13, 0.32, pot, top=0.18),
        place.frustum(0, 0, 0.025, height * 0.6, _wooden(wood(rng))),
    ]
    for i in range(4):
        turn = i * 2.4 + rng.uniform(0, 1)
        size = spread * rng.uniform(0.55, 0.85)
        away = spread * rng.uniform(0.2, 0.6)
        level = 0.32 + (height - 0.32) * (0.35 + 0.18 * i)
        radii = (size, size * rng.uniform(0.6, 0.9), size)
        parts.append(place.ellipsoid(away * math.cos(turn), level, away * math.sin(turn), radii, green, 0.75))
    return parts


def floor_lamp(place: Place, rng: Random, width: float = 0.4) -> list[Thing]:
    """Builds a lamp of one size on a pole, its shade glowing; it ignores `width`."""
    pole, shade = Material(Plain(metal(rng))), Material(Plain(hsv(0.11, rng.uniform(0.1, 0.4), 0.95)), glow=0.55)
    height = rng.uniform(1.4, 1.75)
    return [
        place.frustum(0, 0, 0.14, 0.03, pole),
        place.frustum(0, 0, 0.015, height, pole),
        place.frustum(0, 0, 0.22, 0.26, shade, base=height - 0.05, top=0.13),
    ]


def boxes(place: Place, rng: Random, width: float = 0.8) -> list[Thing]:
    """Builds a stack of one to three cardboard boxes."""
    card = Material(Plain(hsv(0.09, rng.uniform(0.35, 0.5), rng.uniform(0.6, 0.75)), 0.03, 0.06))
    parts: list[Thing] = []
    level = 0.0
    for _ in range(rng.integers(1, 4)):
        half, height = (rng.uniform(0.18, min(0.32, width / 2)), rng.uniform(0.15, 0.25)), rng.uniform(0.25, 0.45)
        parts.append(
            place.block(rng.uniform(-0.05, 0.05), 0, half, height, card, base=level, yaw=rng.uniform(-0.25, 0.25))
        )
        level += height
    return parts


def bin_(place: Place, rng: Random, width: float = 0.4) -> list[Thing]:
    """Builds a round bin of one size; it ignores `width`."""
    body = Material(Plain(hsv(rng.random(), rng.uniform(0, 0.6), rng.uniform(0.25, 0.7))))
    rim = Material(Plain((0.03, 0.03, 0.03)))
    return [place.frustum(0, 0, 0.15, 0.6, body, top=0.19), place.frustum(0, 0, 0.2, 0.05, rim, base=0.6)]


def bench(place: Place, rng: Random, width: float = 1.5) -> list[Thing]:
    """Builds a bench of slats with a back."""
    seat, legs = _wooden(wood(rng)), Material(Plain(metal(rng)))
    parts: list[Thing] = [place.block(0, z, (width / 2, 0.06), 0.04, seat, base=0.42) for z in (-0.15, 0.0, 0.15)]
    parts += [place.block(0, 0.22, (width / 2, 0.02), 0.1, seat, base=level) for level in (0.58, 0.74)]
    for x in (-1, 1):
        parts.append(place.block(x * (width / 2 - 0.15), 0, (0.03, 0.19), 0.42, legs))
        parts.append(place.block(x * (width / 2 - 0.15), 0.24, (0.025, 0.02), 0.86, legs))
    return parts


def radiator(place: Place, rng: Random, width: float) -> list[Thing]:
    """Builds a radiator for a wall."""
    white = Material(Panels((0.72, 0.71, 0.68), width, 0.6, columns=max(3, int(width / 0.08)), rows=1, handles=False))
    return [place.block(0, 0, (width / 2, 0.06), 0.55, white, base=0.12)]


def picture(place: Place, rng: Random, level: float, width: float, height: float) -> list[Thing]:
    """Builds a picture, 3 cm thick, on the wall at the place, its middle at height `level`."""
    colours = triple(hsv(rng.random(), rng.uniform(0.15, 0.75), rng.uniform(0.3, 0.95)) for _ in range(3))
    frame = hsv(0.09, rng.uniform(0, 0.5), rng.uniform(0.1, 0.8))
    art = Material(Painting(colours, width, height, frame, rng.uniform(0, 50)))
    return [place.block(0, -0.015, (width / 2, 0.015), height, art, base=level - height / 2)]


def door(place: Place, rng: Random, colour: Colour, trim: Colour, width: float = 0.9) -> list[Thing]:
    """Builds a door in its frame on the wall at the place."""
    leaf_, frame = Material(Panels(colour, width, 2.05, 1, int(rng.integers(1, 4)))), Material(Plain(trim))
    parts: list[Thing] = [place.block(0, -0.015, (width / 2, 0.015), 2.05, leaf_)]
    parts += [place.block(x * (width / 2 + 0.05), -0.03, (0.05, 0.03), 2.15, frame) for x in (-1, 1)]
    parts.append(place.block(0, -0.03, (width / 2, 0.03), 0.1, frame, base=2.05))
    return parts


def car(place: Place, rng: Random) -> list[Thing]:
    """Builds a car along the local z axis, its nose at +z."""
    hue, saturation, value = rng.random(), rng.choice([0.03, 0.08, 0.6, 0.75]), rng.uniform(0.12, 0.85)
    paint = hsv(hue, float(saturation), value)
    length, tall = rng.uniform(3.7, 4.5), rng.uniform(1.42, 1.6)
    body = Material(Plain(paint, 0.01, 0.02), gloss=0.55)
    glass = Material(
        Sided(Facade(Plain((0.02, 0.025, 0.03)), paint, (0.05, 0.06, 0.07), 3.0, 3.0), Plain(paint)), gloss=0.8
    )
    black, rim = Material(Plain((0.015, 0.015, 0.016))), Material(Plain((0.35, 0.36, 0.37)))
    h = length / 2
    parts: list[Thing] = [
        place.block(0, 0, (0.86, h - 0.03), 0.36, body, base=0.24),
        place.block(0, 0, (0.86, h - 0.03), tall * 0.62 - 0.6, body, base=0.6, top=(0.8, h - 0.14)),
        place.block(0, -h * 0.16, (0.76, h * 0.66), tall * 0.38, glass, base=tall * 0.62, top=(0.58, h * 0.42)),
        place.block(0, -h * 0.16, (0.585, h * 0.425), 0.035, body, base=tall - 0.02, top=(0.55, h * 0.39)),
    ]
    for x in (-0.8, 0.8):
        for z in (-h * 0.62, h * 0.64):
            parts.append(place.ellipsoid(x, 0.32, z, (0.11, 0.32, 0.32), black))
            parts.append(place.ellipsoid(x * 1.05, 0.32, z, (0.09, 0.19, 0.19), rim))
    for z, colour in ((-h + 0.03, (0.5, 0.02, 0.02)), (h - 0.03, (0.8, 0.78, 0.7))):
        lamp = Material(Plain(colour, 0, 0), glow=0.2)
        parts += [place.block(x, z, (0.14, 0.025), 0.1, lamp, base=0.58) for x in (-0.66, 0.66)]
        parts.append(place.block(0, z, (0.24, 0.02), 0.11, Material(Plain((0.6, 0.6, 0.5))), base=0.4))
        parts.append(place.block(0, z, (0.84, 0.035), 0.12, black, base=0.26))
    return parts


def tree(place: Place, rng: Random, height: float, colour: Colour, conifer: bool = False) -> list[Thing]:
    """Builds a tree of the colour given: a conifer, or one with a round crown."""
    bark = Material(Plain(hsv(0.08, rng.uniform(0.2, 0.45), rng.uniform(0.28, 0.5)), 0.16, 0.1, 0.9))
    green = Material(Foliage(colour, max(1.2, height * 0.35)))
    parts: list[Thing]
    if conifer:
        parts = [place.frustum(0, 0, height * 0.025 + 0.03, height * 0.3, bark)]
        for i in range(4):
            size = height * (0.2 - 0.042 * i)
            level = height * (0.26 + 0.2 * i)
            parts.append(place.ellipsoid(0, level, 0, (size, height * 0.18, size), green, 0.7))
        return parts
    trunk = height * rng.uniform(0.3, 0.42)
    parts = [place.frustum(0, 0, height * 0.03 + 0.04, trunk * 1.4, bark, top=height * 0.018)]
    spread = height * rng.uniform(0.24, 0.32)
    for i in range(5):
        turn, away = i * 2.4 + rng.uniform(0, 1), spread * (0.55 if i else 0.0)
        size = spread * rng.uniform(0.6, 0.8)
        level = trunk + (height - trunk) * (0.62 if i == 0 else rng.uniform(0.28, 0.62))
        radii = (size, size * rng.uniform(0.75, 0.95), size)
        parts.append(place.ellipsoid(away * math.cos(turn), level, away * math.sin(turn), radii, green, 0.7))
    return parts


def bush(place: Place, rng: Random, size: float, colour: Colour) -> list[Thing]:
    """Builds a bush of two or three clumps."""
    green = Material(Foliage(colour, 1.6))
    parts: list[Thing] = []
    for _ in range(rng.integers(2, 4)):
        r = size * rng.uniform(0.55, 0.8)
        x, z = rng.uniform(-0.5, 0.5, 2) * size
        parts.append(place.ellipsoid(float(x), r * 0.7, float(z), (r, r * 0.85, r), green, 0.65))
    return parts
