"""Furniture and other things for the demo cutouts. They stand on y = 0; z is away from the viewer."""

import math

import numpy as np

from data_pipelines.demo.exteriors import Foliage
from data_pipelines.demo.noise import bars, hsv, paint, triple
from data_pipelines.demo.parts import Frame, Part, turned
from data_pipelines.demo.solids import Material
from data_pipelines.demo.textures import Panels, Plain, Planks, Stripes, Texture
from data_pipelines.demo.vehicles import BLACK, CHROME, car_paint

Random = np.random.Generator


def furniture(rng: Random) -> list[Part]:
    """Draws a piece of furniture, or another thing of about that size: a plant, a suitcase, a traffic cone."""
    kind = str(
        rng.choice(
            ["chair", "chair", "armchair", "stool", "lamp", "plant", "plant", "box", "suitcase", "cone", "cabinet"]
        )
    )
    frame = Frame(turned(rng.uniform(-0.9, 0.9), rng.uniform(0.1, 0.3)))
    {
        "chair": _chair, "armchair": _armchair, "stool": _stool, "lamp": _lamp, "plant": _plant, "box": _box,
        "suitcase": _suitcase, "cone": _cone, "cabinet": _cabinet,
    }[kind](frame, rng)  # fmt: skip
    return frame.parts


def _timber(rng: Random) -> Material:
    return Material(
        Planks(hsv(rng.uniform(0.05, 0.1), rng.uniform(0.3, 0.65), rng.uniform(0.35, 0.85)), 0.3, 3.0, 0.1, 0.0)
    )


def _fabric(rng: Random) -> Texture:
    colour = hsv(rng.random(), rng.uniform(0.1, 0.75), rng.uniform(0.3, 0.85))
    return (
        Plain(colour, 0.08, 0.06, 0.4) if rng.random() < 0.7 else Stripes(colour, triple(0.6 * c for c in colour), 0.07)
    )


def _chair(frame: Frame, rng: Random):
    wood = _timber(rng) if rng.random() < 0.65 else Material(Plain(car_paint(rng)), gloss=0.2)
    seat = wood if rng.random() < 0.5 else Material(_fabric(rng))
    frame.box((0, 0.44, 0), (0.22, 0.022, 0.21), seat)
    for x in (-0.19, 0.19):
        frame.limb((x, 0.43, -0.18), (x * 1.12, 0.015, -0.21), 0.019, 0.014, wood)
        frame.limb((x, 0.43, 0.18), (x * 1.12, 0.015, 0.23), 0.019, 0.014, wood)
        frame.limb((x, 0.44, 0.19), (x, 0.9, 0.26), 0.018, 0.016, wood)
        frame.limb((x * 1.05, 0.22, -0.19), (x * 1.05, 0.22, 0.2), 0.011, 0.011, wood)
    tilt = turned(0, -0.15)
    if rng.random() < 0.5:
        for y in (0.58, 0.7, 0.83):
            frame.box((0, y, 0.19 + 0.15 * (y - 0.44)), (0.19, 0.035, 0.011), wood, tilt)
    else:
        frame.box((0, 0.74, 0.235), (0.2, 0.15, 0.016), seat, tilt)


def _armchair(frame: Frame, rng: Random):
    cloth, wood = Material(_fabric(rng)), _timber(rng)
    frame.box((0, 0.27, 0), (0.36, 0.13, 0.36), cloth)
    frame.ball((0, 0.43, -0.04), (0.3, 0.1, 0.32), cloth)
    frame.limb((-0.2, 0.5, 0.3), (-0.2, 0.85, 0.38), 0.15, 0.12, cloth, 0.8)
    frame.limb((0.2, 0.5, 0.3), (0.2, 0.85, 0.38), 0.15, 0.12, cloth, 0.8)
    frame.limb((-0.18, 0.86, 0.38), (0.18, 0.86, 0.38), 0.12, 0.12, cloth, 0.8)
    frame.limb((0, 0.5, 0.3), (0, 0.85, 0.38), 0.13, 0.12, cloth, 0.8)
    for x in (-0.38, 0.38):
        frame.limb((x, 0.54, -0.3), (x, 0.56, 0.36), 0.085, 0.085, cloth)
        frame.box((x, 0.33, 0.02), (0.065, 0.2, 0.34), cloth)
        for z in (-0.3, 0.3):
            frame.limb((x * 0.85, 0.16, z), (x * 0.9, 0.015, z), 0.025, 0.016, wood)
    if rng.random() < 0.4:
        frame.ball((0.05, 0.62, 0.1), (0.19, 0.17, 0.09), Material(_fabric(rng)))


def _stool(frame: Frame, rng: Random):
    wood, high = _timber(rng), rng.uniform(0.45, 0.72)
    top = Material(_fabric(rng)) if rng.random() < 0.5 else wood
    frame.ball((0, high, 0), (0.19, 0.04, 0.19), top)
    for i in range(4):
        a = i * math.pi / 2 + 0.6
        c, s = math.cos(a), math.sin(a)
        frame.limb((0.12 * c, high, 0.12 * s), (0.2 * c, 0.015, 0.2 * s), 0.019, 0.014, wood)
        b = a + math.pi / 2
        r = 0.165
        frame.limb((r * c, high * 0.4, r * s), (r * math.cos(b), high * 0.4, r * math.sin(b)), 0.01, 0.01, wood)


def _lamp(frame: Frame, rng: Random):
    pole, high = Material(Plain(car_paint(rng)), gloss=0.5), rng.uniform(1.35, 1.75)
    shade = Material(Plain(hsv(0.11, rng.uniform(0.1, 0.45), 0.95), 0.02, 0.02), glow=0.5)
    frame.ball((0, 0.02, 0), (0.15, 0.03, 0.15), pole)
    frame.limb((0, 0.02, 0), (0, high, 0), 0.012, 0.012, pole)
    frame.limb((0, high, 0), (0, high - 0.3, 0), rng.uniform(0.1, 0.15), rng.uniform(0.19, 0.24), shade, cut=True)


def _plant(frame: Frame, rng: Random):
    pot = Material(
        Plain(hsv(rng.uniform(0.01, 0.12), rng.uniform(0.05, 0.65), rng.uniform(0.4, 0.9)), 0.04), gloss=0.15
    )
    leaf = hsv(rng.uniform(0.22, 0.36), rng.uniform(0.45, 0.75), rng.uniform(0.35, 0.6))
    high = rng.uniform(0.7, 1.6)
    frame.limb((0, 0.0, 0), (0, 0.3, 0), 0.13, 0.18, pot, cut=True)
    frame.ball((0, 0.005, 0), (0.13, 0.03, 0.13), pot)
    frame.ball((0, 0.3, 0), (0.175, 0.03, 0.175), Material(Plain((0.04, 0.025, 0.015), 0.2)))
    if rng.random() < 0.55:  # long leaves
        for _ in range(26):
            a, out, up = rng.uniform(0, 2 * math.pi), rng.uniform(0.08, 0.4), rng.uniform(0.5, 1.0) * (high - 0.3)
            colour = Material(Plain(triple(c * rng.uniform(0.65, 1.3) for c in leaf), 0.08, 0.05, 0.3), gloss=0.25)
            d = np.array([math.cos(a), 0, math.sin(a)])
            root, bend = np.array([0, 0.3, 0]) + 0.04 * d, np.array([0, 0.3 + up * 0.75, 0]) + out * 0.55 * d
            frame.limb(root, bend, 0.012, 0.03, colour, 0.5)
            frame.limb(bend, np.array([0, 0.3 + up * rng.uniform(0.8, 1.0), 0]) + out * d, 0.03, 0.003, colour, 0.5)
    else:
        frame.limb((0, 0.3, 0), (0.02, high * 0.6, 0), 0.022, 0.015, _timber(rng))
        for i in range(14):
            a, size = rng.uniform(0, 2 * math.pi), rng.uniform(0.11, 0.18)
            y = (0.52 + 0.42 * i / 13) * high
            colour = Material(Foliage(triple(c * rng.uniform(0.7, 1.3) for c in leaf), 0.5))
            away = rng.uniform(0.05, 0.22)
            frame.ball((away * math.cos(a), y, away * math.sin(a)), (size, size * 0.85, size), colour, 0.3)


def _box(frame: Frame, rng: Random):
    card = hsv(0.085, rng.uniform(0.35, 0.5), rng.uniform(0.62, 0.78))
    level = 0.0
    for _ in range(int(rng.integers(1, 4))):
        x, y, z = rng.uniform(0.18, 0.3), rng.uniform(0.12, 0.22), rng.uniform(0.16, 0.26)
        turn = turned(rng.uniform(-0.25, 0.25))
        frame.box((0, level + y, 0), (x, y, z), Material(Plain(card, 0.03, 0.06)), turn)
        frame.box((0, level + y, 0), (x + 0.002, y + 0.002, 0.03), Material(Plain(hsv(0.1, 0.35, 0.82))), turn)
        level += 2 * y


def _suitcase(frame: Frame, rng: Random):
    colour = hsv(rng.random(), rng.uniform(0.3, 0.8), rng.uniform(0.3, 0.85))
    shell, y = Material(Stripes(colour, triple(0.8 * c for c in colour), 0.045), gloss=0.35), rng.uniform(0.26, 0.36)
    x, z = y * 0.68, 0.13
    base = 0.06
    frame.box((0, base + y, 0), (x - 0.03, y, z), shell)
    frame.box((0, base + y, 0), (x, y - 0.03, z), shell)
    for sx in (-1, 1):
        for sy in (-1, 1):
            corner = (sx * (x - 0.03), base + y + sy * (y - 0.03), 0)
            frame.limb(np.add(corner, (0, 0, -z + 0.03)), np.add(corner, (0, 0, z - 0.03)), 0.03, 0.03, shell)
        for sz in (-1, 1):
            frame.ball((sx * (x - 0.05), 0.03, sz * (z - 0.04)), (0.03, 0.03, 0.02), BLACK)
        frame.limb((sx * 0.09, base + 2 * y, 0.08), (sx * 0.09, base + 2 * y + 0.38, 0.08), 0.009, 0.009, CHROME)
    frame.limb((-0.09, base + 2 * y + 0.38, 0.08), (0.09, base + 2 * y + 0.38, 0.08), 0.015, 0.015, BLACK)
    frame.box((0, base + y, 0), (x + 0.003, y + 0.003, 0.008), BLACK)


def _cone(frame: Frame, rng: Random):
    orange = hsv(rng.uniform(0.02, 0.06), 0.9, 0.95)
    high = rng.uniform(0.5, 0.75)
    frame.box((0, 0.02, 0), (0.19, 0.02, 0.19), BLACK)

    def stripes(s):
        white = bars(s.v + 0.05, high * 0.42, high * 0.19, s.blur)
        return paint(Plain(orange, 0.03, 0.03)(s), (0.75, 0.75, 0.75), white)

    frame.limb((0, 0.04, 0), (0, high, 0), 0.14, 0.025, Material(stripes), cut=True)


def _cabinet(frame: Frame, rng: Random):
    width, high = rng.uniform(0.4, 0.9), rng.uniform(0.6, 1.1)
    colour = hsv(rng.uniform(0.05, 0.12), rng.uniform(0.1, 0.6), rng.uniform(0.4, 0.85))
    front = Panels(colour, width, high, 1 if width < 0.6 else 2, int(rng.integers(1, 4)))
    x = width / 2
    frame.slab([(-x, 0), (x, 0), (x, high), (-x, high)], 0.2, Material(front), (0, 0.08, 0))
    frame.box((0, high + 0.095, 0), (x + 0.02, 0.018, 0.22), _timber(rng))
    for sx in (-1, 1):
        for z in (-0.16, 0.16):
            frame.limb((sx * (x - 0.05), 0.09, z), (sx * (x - 0.04), 0.012, z), 0.022, 0.014, BLACK)
