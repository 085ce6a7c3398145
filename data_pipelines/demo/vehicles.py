"""Vehicles for the demo cutouts. In their own frame they point along +x, stand on y = 0; z is away from the viewer."""

import math

import numpy as np

from data_pipelines.demo.noise import Colour, between, hsv, paint, triple
from data_pipelines.demo.parts import Frame, Part, turned
from data_pipelines.demo.solids import Material
from data_pipelines.demo.textures import SIDE_Z, Painting, Plain, Surface, Tiles

Random = np.random.Generator
BLACK = Material(Plain((0.018, 0.018, 0.02), 0.05, 0.05))
GLASS = Material(Plain((0.016, 0.02, 0.024), 0, 0.3, 1.5), gloss=0.45)
CHROME = Material(Plain((0.5, 0.5, 0.52), 0.01, 0), gloss=0.7)


def car_paint(rng: Random) -> Colour:
    """Picks a colour of cars: often grey, black or white."""
    if rng.random() < 0.45:
        return hsv(0.6, rng.uniform(0, 0.08), float(rng.choice([0.14, 0.35, 0.6, 0.8, 0.93])))
    return hsv(
        float(rng.choice([0.0, 0.02, 0.1, 0.3, 0.42, 0.56, 0.6, 0.66])), rng.uniform(0.5, 0.85), rng.uniform(0.35, 0.85)
    )


def _road_view(rng: Random, most: float) -> np.ndarray:
    """Returns a rotation: from the side, turned by up to `most` radians towards the viewer or away."""
    return turned(float(rng.choice([0.0, math.pi])) + rng.uniform(-most, most), rng.uniform(0.05, 0.14))


def vehicle(rng: Random) -> list[Part]:
    """Draws a car, a van, a bicycle or a motorbike."""
    kind = str(rng.choice(["car", "car", "van", "bicycle", "motorbike"]))
    return {"car": _car, "van": _van, "bicycle": _bicycle, "motorbike": _motorbike}[kind](rng)


class Bodywork:
    """Painted sheet metal with upright door gaps at `gaps` (u) between two heights, and a darker sill."""

    def __init__(self, colour: Colour, gaps: tuple[float, ...], low: float, high: float):
        self.colour, self.gaps, self.low, self.high = colour, gaps, low, high

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of metal, gaps, handles and sill at the points of a surface, float32 [N, 3]."""
        colour = Plain(self.colour, 0.008, 0.02, 3.0)(s)
        side = s.face == SIDE_Z
        line = between(s.v, -9, 0.33, s.blur) * 0.45
        for gap in self.gaps:
            line = np.maximum(
                line, between(s.u, gap - 0.008, gap + 0.008, s.blur) * between(s.v, self.low, self.high, s.blur)
            )
            handle = between(s.u, gap + 0.08, gap + 0.24, s.blur) * between(
                s.v, self.high - 0.12, self.high - 0.085, s.blur
            )
            line = np.maximum(line, handle * 0.7)
        return paint(colour, triple(0.12 * c for c in self.colour), line * side)


def _wheels(frame: Frame, places: tuple[float, ...], radius: float, half_track: float):
    """Adds pairs of wheels at the x of `places`: tyres flush with the body, dark arches behind them."""
    for x in places:
        for side in (-1, 1):
            z = side * (half_track - 0.1)
            frame.disc((x, radius * 1.03, z), radius * 1.13, 0.112, BLACK)
            frame.disc((x, radius, z), radius, 0.125, Material(Plain((0.022, 0.022, 0.023), 0.1, 0)))
            frame.disc((x, radius, z), radius * 0.66, 0.129, CHROME)
            frame.disc((x, radius, z), radius * 0.56, 0.131, Material(Plain((0.06, 0.06, 0.065))))
            for spoke in range(5):
                a = spoke * 2 * math.pi / 5 + x
                tip = (x + radius * 0.6 * math.cos(a), radius * (1 + 0.6 * math.sin(a)), z + side * 0.12)
                frame.limb((x, radius, z + side * 0.125), tip, radius * 0.11, radius * 0.1, CHROME, 0.3)


def _car(rng: Random) -> list[Part]:
    frame = Frame(_road_view(rng, 0.85))
    length, tall, half = rng.uniform(3.7, 4.6), rng.uniform(1.4, 1.55), 0.86
    h, belt, radius = length / 2, rng.uniform(0.86, 0.94), 0.315
    hatch = rng.random() < 0.55
    colour = car_paint(rng)
    front_axle, rear_axle = h - 0.78, -h + (0.68 if hatch else 0.85)
    body = Material(Bodywork(colour, (0.55, -0.45), 0.3, belt), gloss=0.75)
    nose = rng.uniform(0.7, 0.8)
    bonnet = h * rng.uniform(0.34, 0.44)  # where the windscreen starts
    tail_end = [(-h + 0.06, belt + 0.02 * hatch), (-h, belt - 0.16), (-h, 0.42), (-h + 0.12, 0.2)]
    front_end = [(h - 0.2, 0.2), (h, 0.38), (h, 0.58), (h - 0.08, nose), (bonnet, belt)]
    frame.slab(tail_end + front_end, half + 0.025, body, lean=0.03)
    roof_front, roof_rear = bonnet - rng.uniform(0.6, 0.75), (-h + 0.38) if hatch else (-h + 1.05)
    tail = (-h + 0.05) if hatch else (-h + 0.5)
    lean = 0.34
    # The greenhouse: glass first, then the roof and pillars a little proud of it.
    cabin = [(tail, belt - 0.01), (bonnet, belt - 0.01), (roof_front, tall), (roof_rear, tall)]
    frame.slab([(x, y - belt) for x, y in cabin], half - 0.002, GLASS, (0, belt, 0), lean=lean)
    skin = Material(Plain(colour, 0.008, 0.02), gloss=0.75)
    roof = [
        (roof_rear - 0.1, tall - 0.07),
        (roof_front + 0.06, tall - 0.07),
        (roof_front - 0.04, tall + 0.015),
        (roof_rear + 0.03, tall + 0.015),
    ]
    frame.slab([(x, y - belt) for x, y in roof], half + 0.006, skin, (0, belt, 0), lean=lean)
    middle = (roof_front + roof_rear) / 2 + rng.uniform(-0.1, 0.1)

    for x0, x1, width in (
        (bonnet, roof_front, 0.045),
        (middle, middle, 0.04),
        (tail + 0.06, roof_rear, 0.1 if hatch else 0.07),
    ):
        for side in (-1, 1):
            y0, y1 = (
                np.array([x, y, side * (half - 0.002 - lean * (y - belt))]) for x, y in ((x0, belt), (x1, tall - 0.04))
            )
            frame.limb(y0, y1, width, width * 0.8, skin if width > 0.042 else BLACK, 0.4)
    _wheels(frame, (front_axle, rear_axle), radius, half + 0.01)
    for side in (-1, 1):
        frame.ball(
            (h - 0.1, 0.62, side * 0.6),
            (0.12, 0.085, 0.2),
            Material(Plain((0.8, 0.8, 0.78), 0, 0), glow=0.25, gloss=0.6),
        )
        frame.ball(
            (-h + 0.06, belt - 0.13, side * 0.66),
            (0.09, 0.1, 0.16),
            Material(Plain((0.55, 0.02, 0.02), 0, 0), 0.2, 0.5),
        )
        frame.ball((bonnet - 0.12, belt + 0.07, side * (half + 0.09)), (0.08, 0.065, 0.09), skin)
    frame.box((h - 0.01, 0.36, 0), (0.03, 0.07, 0.55), BLACK)
    frame.box((h - 0.0, 0.47, 0), (0.035, 0.05, 0.25), Material(Plain((0.72, 0.72, 0.68), 0.02, 0)))
    frame.box((-h + 0.0, 0.55, 0), (0.03, 0.055, 0.25), Material(Plain((0.72, 0.7, 0.55), 0.02, 0)))
    frame.box((-h + 0.03, 0.3, 0), (0.05, 0.06, 0.7), BLACK)
    return frame.parts


def _van(rng: Random) -> list[Part]:
    frame = Frame(_road_view(rng, 0.8))
    length, tall, half, belt, radius = rng.uniform(4.6, 5.4), rng.uniform(1.9, 2.3), 0.95, 1.12, 0.34
    h = length / 2
    colour = car_paint(rng)
    skin = Material(Bodywork(colour, (h - 1.75, h - 2.9), 0.32, tall - 0.2), gloss=0.6)
    frame.slab([(-h, 0.3), (h - 0.15, 0.22), (h, 0.4), (h - 0.02, 0.85), (h - 0.25, belt), (-h, belt)], half, skin)
    top = [(-h, belt - 0.01), (h - 0.27, belt - 0.01), (h - 0.95, tall), (-h + 0.06, tall)]
    frame.slab([(x, y - belt) for x, y in top], half, skin, (0, belt, 0), lean=0.06)
    # Windscreen and door windows, a centimetre proud.
    screen = [(h - 0.85, belt + 0.04), (h - 0.26, belt + 0.04), (h - 0.82, tall - 0.16), (h - 0.95, tall - 0.16)]
    frame.slab([(x + 0.012, y - belt) for x, y in screen], half - 0.1, GLASS, (0, belt, 0), lean=0.06)
    window = [(h - 1.65, belt + 0.05), (h - 0.5, belt + 0.05), (h - 0.98, tall - 0.2), (h - 1.65, tall - 0.2)]
    frame.slab([(x, y - belt) for x, y in window], half + 0.008, GLASS, (0, belt, 0), lean=0.06)
    if rng.random() < 0.5:
        for x0, x1 in ((h - 2.85, h - 1.85), (-h + 0.2, h - 3.0)):
            glass = [(x0, 0.06), (x1, 0.06), (x1, tall - belt - 0.2), (x0, tall - belt - 0.2)]
            frame.slab(glass, half + 0.008, GLASS, (0, belt, 0), lean=0.06)
    else:
        sign = Material(Painting((colour, car_paint(rng), car_paint(rng)), 1.4, 0.5, colour, rng.uniform(0, 30)))
        frame.slab(
            [(-0.7, 0), (0.7, 0), (0.7, 0.5), (-0.7, 0.5)], half + 0.006, sign, (-h + 1.4, belt - 0.02, 0), lean=0.06
        )
    _wheels(frame, (h - 0.85, -h + 0.95), radius, half + 0.015)
    for side in (-1, 1):
        frame.ball((h - 0.08, 0.75, side * 0.68), (0.1, 0.12, 0.16), Material(Plain((0.8, 0.8, 0.78), 0, 0), 0.25, 0.6))
        frame.box(
            (-h - 0.005, 0.95, side * 0.84), (0.02, 0.25, 0.07), Material(Plain((0.5, 0.02, 0.02), 0, 0), 0.2, 0.4)
        )
        frame.ball((h - 0.6, belt + 0.16, side * (half + 0.12)), (0.07, 0.13, 0.09), BLACK)
    frame.box((h + 0.0, 0.38, 0), (0.03, 0.1, 0.8), BLACK)
    frame.box((-h, 0.36, 0), (0.04, 0.07, 0.85), BLACK)
    return frame.parts


def _bicycle(rng: Random) -> list[Part]:
    frame = Frame(_road_view(rng, 0.6))
    tube = Material(Plain(car_paint(rng), 0.01, 0), gloss=0.5)
    radius, reach = 0.34, 0.52
    rear, front = np.array([-reach, radius, 0]), np.array([reach, radius, 0])
    for centre in (rear, front):
        frame.ring(centre, radius - 0.018, 0.018, BLACK)
        frame.ring(centre, radius - 0.045, 0.011, CHROME)
        for a in np.arange(14) * (2 * math.pi / 14):
            frame.limb(
                centre, centre + (radius - 0.05) * np.array([math.cos(a), math.sin(a), 0]), 0.0022, 0.0022, CHROME
            )
        frame.limb(centre - (0, 0, 0.05), np.add(centre, (0, 0, 0.05)), 0.02, 0.02, CHROME)
        for a in np.linspace(0.5, 2.4, 6):  # a mudguard over the upper part
            start, end = (centre + (radius + 0.025) * np.array([math.cos(b), math.sin(b), 0]) for b in (a, a + 0.4))
            frame.limb(start, end, 0.014, 0.014, tube)
    crank, seat, head = np.array([-0.06, 0.29, 0]), np.array([-0.22, 0.8, 0]), np.array([0.34, 0.86, 0])
    low_head = np.array([0.38, 0.7, 0])
    step_through = rng.random() < 0.4
    frame.limb(crank, seat, 0.018, 0.017, tube)
    frame.limb(crank, low_head, 0.02, 0.02, tube)
    frame.limb(
        seat * 0.95 + crank * 0.05 if not step_through else crank + (seat - crank) * 0.45,
        np.add(low_head, (0, 0.05, 0)),
        0.017,
        0.017,
        tube,
    )
    frame.limb(low_head, head, 0.022, 0.022, tube)
    for side in (-1, 1):
        z = (0, 0, 0.045 * side)
        frame.limb(low_head + z, front + z, 0.014, 0.011, tube)
        frame.limb(crank + z, rear + z, 0.011, 0.01, tube)
        frame.limb(crank + (seat - crank) * 0.85 + z, rear + z, 0.01, 0.009, tube)
        pedal = crank + np.array([0.12 * side, -0.11 * side, 0.11 * side])
        frame.limb(crank, pedal - (0, 0, 0.03 * side), 0.011, 0.01, CHROME)
        frame.box(pedal, (0.045, 0.012, 0.04), BLACK)
        grip = head + np.array([-0.1, 0.16, 0.27 * side])
        frame.limb(np.add(head, (0.02, 0.14, 0)), np.add(grip, (0.06, 0, -0.04 * side)), 0.011, 0.011, CHROME)
        frame.limb(np.add(grip, (0.06, 0, -0.04 * side)), grip, 0.016, 0.016, BLACK)
    frame.disc(np.add(crank, (0, 0, -0.03)), 0.085, 0.004, CHROME)
    frame.limb(head, np.add(head, (0.02, 0.14, 0)), 0.014, 0.014, CHROME)
    frame.limb(seat, np.add(seat, (-0.03, 0.13, 0)), 0.012, 0.012, CHROME)
    frame.limb(np.add(seat, (-0.14, 0.155, 0)), np.add(seat, (0.13, 0.15, 0)), 0.045, 0.02, BLACK, 1.2)
    if rng.random() < 0.45:
        wicker = Material(Tiles(hsv(0.09, 0.5, 0.65), hsv(0.09, 0.5, 0.5), hsv(0.09, 0.5, 0.3), 0.04, 0.025, 0.006))
        frame.slab([(-0.12, 0), (0.12, 0), (0.15, 0.22), (-0.15, 0.22)], 0.14, wicker, np.add(head, (0.2, -0.08, 0)))
    if rng.random() < 0.5:
        frame.limb(np.add(rear, (-0.1, 0.4, 0)), np.add(rear, (0.3, 0.41, 0)), 0.012, 0.012, BLACK)
        frame.limb(np.add(rear, (-0.08, 0.4, 0)), rear, 0.007, 0.007, BLACK)
    return frame.parts


def _motorbike(rng: Random) -> list[Part]:
    frame = Frame(_road_view(rng, 0.65))
    skin = Material(Plain(car_paint(rng), 0.01, 0.02), gloss=0.8)
    leather = Material(Plain(hsv(0.06, rng.uniform(0, 0.5), rng.uniform(0.1, 0.3)), 0.05))
    engine = Material(Tiles((0.2, 0.2, 0.21), (0.2, 0.2, 0.21), (0.03, 0.03, 0.03), 0.4, 0.035, 0.012), gloss=0.4)
    radius = 0.31
    rear, front = np.array([-0.66, radius, 0]), np.array([0.7, radius, 0])
    for centre in (rear, front):
        frame.ring(centre, radius - 0.055, 0.058, BLACK)
        frame.disc(centre, radius * 0.55, 0.03, Material(Plain((0.05, 0.05, 0.055))))
        for a in np.arange(7) * (2 * math.pi / 7):
            tip = centre + (radius - 0.1) * np.array([math.cos(a), math.sin(a), 0])
            frame.limb(centre - (0, 0, 0.035), tip - (0, 0, 0.035), 0.018, 0.014, CHROME)
    head = np.array([0.42, 0.88, 0])
    for side in (-1, 1):
        z = np.array([0, 0, 0.09 * side])
        frame.limb(front + z, head + z, 0.026, 0.03, CHROME)
        frame.limb(rear + z, np.array([-0.12, 0.38, 0]) + z, 0.026, 0.03, BLACK)
        frame.limb(rear + z + (0.05, 0.03, 0), np.array([-0.42, 0.7, 0]) + z, 0.026, 0.026, CHROME)
        grip = head + np.array([-0.16, 0.16, 0.34 * side])
        frame.limb(np.add(head, (0, 0.1, 0)), grip, 0.013, 0.013, CHROME)
        frame.limb(grip, np.add(grip, (-0.05, -0.01, 0.09 * side)), 0.02, 0.02, BLACK)
        frame.limb(np.add(grip, (0.1, 0.02, 0)), np.add(grip, (0.12, 0.16, 0.02 * side)), 0.006, 0.006, BLACK)
        frame.ball(np.add(grip, (0.12, 0.18, 0.02 * side)), (0.02, 0.04, 0.06), CHROME)
    frame.slab([(-0.14, 0.24), (0.2, 0.22), (0.26, 0.45), (0.12, 0.64), (-0.12, 0.62)], 0.13, engine)
    frame.disc((-0.02, 0.38, -0.12), 0.12, 0.05, CHROME)
    frame.limb((0.2, 0.5, -0.14), (0.22, 0.28, -0.15), 0.03, 0.03, CHROME)
    frame.limb((0.2, 0.27, -0.15), (-0.35, 0.27, -0.16), 0.03, 0.035, CHROME)
    frame.limb((-0.35, 0.27, -0.16), (-0.85, 0.34, -0.17), 0.05, 0.06, CHROME)
    frame.ball((0.16, 0.79, 0), (0.3, 0.145, 0.15), skin)
    frame.limb((-0.12, 0.74, 0), (-0.5, 0.79, 0), 0.1, 0.075, leather, 1.3)
    frame.limb((-0.5, 0.74, 0), (-0.82, 0.78, 0), 0.085, 0.05, skin, 1.2)
    frame.ball((-0.87, 0.76, 0), (0.035, 0.045, 0.06), Material(Plain((0.55, 0.02, 0.02), 0, 0), 0.25, 0.4))
    frame.ball((0.53, 0.87, 0), (0.1, 0.1, 0.1), CHROME)
    frame.ball((0.6, 0.87, 0), (0.05, 0.085, 0.085), Material(Plain((0.85, 0.85, 0.8), 0, 0), 0.3, 0.5))
    for a in np.linspace(0.6, 2.2, 6):
        start, end = (front + (radius + 0.03) * np.array([math.cos(b), math.sin(b), 0]) for b in (a, a + 0.3))
        frame.limb(start, end, 0.05, 0.05, skin)
    if rng.random() < 0.4:
        frame.slab([(-0.1, 0), (0.05, 0), (-0.12, 0.34), (-0.16, 0.34)], 0.18, GLASS, np.add(head, (0.14, 0.08, 0)))
    return frame.parts
