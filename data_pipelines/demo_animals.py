"""Animals for the demo cut-outs. In their own frame they look along +x, stand on y = 0, and z is away from the viewer."""

import math

import numpy as np

from data_pipelines.demo_canvas import Ball, Limb, Part, turned
from data_pipelines.demo_raycast import Material
from data_pipelines.demo_textures import Colour, Plain, Stripes, Surface, Texture, cloud, grain, hsv, paint

Random = np.random.Generator


class Coat:
    """Fur: fine streaks along the body, and patches of a second colour over `share` of it."""

    def __init__(self, colour: Colour, patch: Colour, share: float, span: float):
        self.colour, self.patch, self.share, self.span = colour, patch, share, span

    def __call__(self, s: Surface) -> np.ndarray:
        shade = 1 + 0.12 * grain(s.u * 3, s.v, self.span * 0.5, 0.6) + 0.06 * grain(s.u, s.v, self.span * 0.3)
        colour = np.asarray(self.colour, np.float32) * np.maximum(shade, 0.2)[:, None]
        if self.share:
            level = cloud(s.u * 0.8 + 3.3, s.v * 0.8 + 1.7, self.span * 4, 0.0) + (self.share - 0.5) * 3
            colour = paint(colour, np.asarray(self.patch, np.float32) * shade[:, None], np.clip(level * 8, 0, 1))
        return colour


class _Frame:
    def __init__(self, view: np.ndarray):
        self.view, self.parts = view, []

    def limb(self, a, b, ra, rb, texture, flat=1.0):
        a, b = self.view @ np.asarray(a, float), self.view @ np.asarray(b, float)
        self.parts.append(Limb(a, b, (ra, rb), Material(texture), flat))

    def ball(self, centre, radii, texture, roll=0.0):
        place = self.view @ np.asarray(centre, float)
        self.parts.append(Ball(place, radii, self.view @ turned(0, 0, roll), Material(texture)))


def _fur(rng: Random, names: str) -> Colour:
    hue, saturation, value = {
        "brown": (0.07, rng.uniform(0.4, 0.65), rng.uniform(0.3, 0.6)),
        "sand": (0.1, rng.uniform(0.25, 0.5), rng.uniform(0.65, 0.88)),
        "black": (0.07, 0.2, rng.uniform(0.12, 0.2)),
        "white": (0.1, 0.07, rng.uniform(0.85, 0.95)),
        "grey": (0.6, 0.05, rng.uniform(0.4, 0.65)),
        "ginger": (0.065, rng.uniform(0.6, 0.75), rng.uniform(0.65, 0.8)),
    }[str(rng.choice(names.split()))]
    return hsv(hue, saturation, value)


def _view(rng: Random) -> np.ndarray:
    """From the side, walking to the left or to the right, turned somewhat towards the viewer or away."""
    return turned(float(rng.choice([0.0, math.pi])) + rng.uniform(-0.65, 0.65), rng.uniform(0.03, 0.16))


def animal(rng: Random) -> list[Part]:
    kind = str(rng.choice(["dog", "dog", "cat", "horse", "cow", "sheep", "bird"]))
    return {"dog": _dog, "cat": _cat, "horse": _horse, "cow": _cow, "sheep": _sheep, "bird": _bird}[kind](rng)


def _quadruped(rng, frame, coat, hoof, length, back, chest, belly, leg, stride, shin=None):
    """Body and four legs: `back` is how high the spine is, `chest` and `belly` radii, `leg` its radius."""
    front, rear = length / 2, -length / 2
    level = back - chest
    frame.limb((rear, back - belly, 0), (front, level, 0), belly, chest, coat, 0.85)
    frame.ball((rear * 0.96, back - belly * 1.02, 0), (belly * 1.15, belly * 1.12, belly * 0.95), coat)
    frame.ball((front * 0.98, level - chest * 0.08, 0), (chest * 1.02, chest * 1.12, chest * 0.86), coat)
    phase = rng.uniform(0, 2 * math.pi)
    for number, (x, top, side) in enumerate(
        ((front * 0.92, level, -1), (front * 0.92, level, 1), (rear * 0.95, back - belly, -1), (rear * 0.95, back - belly, 1))
    ):
        swing = stride * math.sin(phase + (0, math.pi, math.pi * 1.15, 0.15)[number])
        z = side * 0.55 * (chest if number < 2 else belly)
        hind = number >= 2
        knee = (x + 0.5 * top * math.sin(swing) + (0.07 * top if hind else 0), top * 0.48, z)
        lift = max(0.0, -swing) * 0.12 * top
        foot = (x + 0.95 * top * math.sin(swing * (1.0 if swing > 0 else 1.25)) - (0.04 * top if hind else 0), leg * 0.9 + lift, z)
        frame.limb((x, top, z * 0.9), knee, leg * (2.4 if hind else 1.9), leg * 1.15, coat)
        frame.limb(knee, foot, leg * 1.15, leg * 0.8, shin or coat)
        frame.limb(foot, (foot[0] + leg * 1.1, max(foot[1] - leg * 0.1, leg * 0.8), z), leg * 0.95, leg * 0.85, hoof)


def _face(frame, x, y, eye, spread, snout, dark):
    for side in (-1, 1):
        frame.ball((x, y, side * spread), (eye, eye, eye), dark)
    frame.ball(snout, (eye * 1.5, eye * 1.3, eye * 1.5), dark)


DARK = Plain((0.015, 0.012, 0.012), 0, 0)


def _dog(rng: Random) -> list[Part]:
    frame, size = _Frame(_view(rng)), rng.uniform(0.62, 1.1)
    first = _fur(rng, "brown sand black white grey ginger")
    coat = Coat(first, _fur(rng, "white black brown"), rng.choice([0.0, 0.0, 0.3, 0.45]), 0.5)
    back, length = 0.55 * size, rng.uniform(0.42, 0.56) * size
    plump = rng.uniform(0.85, 1.2)
    _quadruped(rng, frame, coat, coat, length, back, 0.125 * size * plump, 0.1 * size * plump, 0.024 * size, rng.uniform(0, 0.45))
    head = np.array([length / 2 + 0.15 * size, back + rng.uniform(0.02, 0.14) * size, 0])
    frame.limb((length / 2 - 0.02, back - 0.09 * size, 0), head, 0.1 * size, 0.07 * size, coat)
    frame.ball(head, (0.092 * size, 0.08 * size, 0.078 * size), coat)
    snout = rng.uniform(0.09, 0.15) * size
    nose = head + (0.07 * size + snout, -0.035 * size, 0)
    frame.limb(head + (0.05 * size, -0.025 * size, 0), nose, 0.048 * size, 0.034 * size, coat)
    _face(frame, head[0] + 0.06 * size, head[1] + 0.025 * size, 0.013 * size, 0.052 * size, nose + (0.028 * size, 0.012 * size, 0), DARK)
    drop = rng.random() < 0.6
    for side in (-1, 1):
        root = head + (-0.02 * size, 0.055 * size, side * 0.06 * size)
        tip = root + (np.array([0.0, -0.1, side * 0.03]) if drop else np.array([-0.01, 0.085, side * 0.005])) * size
        frame.limb(root, tip, 0.034 * size, (0.026 if drop else 0.006) * size, coat, 0.5)
    bend = rng.uniform(-0.5, 1.2)
    root = np.array([-length / 2 - 0.08 * size, back - 0.05 * size, 0])
    middle = root + 0.14 * size * np.array([-math.cos(bend), math.sin(bend), 0])
    frame.limb(root, middle, 0.03 * size, 0.024 * size, coat)
    frame.limb(middle, middle + 0.13 * size * np.array([-math.cos(bend + 0.6), math.sin(bend + 0.6), 0.1]), 0.024 * size, 0.012 * size, coat)
    if rng.random() < 0.5:
        collar = Plain(hsv(rng.random(), 0.8, 0.7))
        shoulders = np.array([length / 2 - 0.02, back - 0.09 * size, 0])
        low, high = (shoulders + (head - shoulders) * share for share in (0.52, 0.66))
        frame.parts.append(Limb(frame.view @ low, frame.view @ high, (0.092 * size, 0.087 * size), Material(collar), cut=True))
    return frame.parts


def _cat(rng: Random) -> list[Part]:
    frame, size = _Frame(_view(rng)), rng.uniform(0.85, 1.1)
    first = _fur(rng, "ginger grey black white sand brown")
    coat: Texture = Coat(first, _fur(rng, "white black"), rng.choice([0.0, 0.3, 0.5]), 0.3)
    if rng.random() < 0.4:
        coat = Stripes(first, tuple(0.45 * c for c in first), 0.035, True, 0.12)
    back, length = 0.25 * size, 0.3 * size
    _quadruped(rng, frame, coat, coat, length, back, 0.062 * size, 0.064 * size, 0.014 * size, rng.uniform(0, 0.4))
    head = np.array([length / 2 + 0.075 * size, back + 0.03 * size, 0])
    frame.limb((length / 2, back - 0.05 * size, 0), head, 0.052 * size, 0.04 * size, coat)
    frame.ball(head, (0.052 * size, 0.05 * size, 0.055 * size), coat)
    frame.ball(head + (0.038 * size, -0.015 * size, 0), (0.026 * size, 0.022 * size, 0.03 * size), coat)
    _face(frame, head[0] + 0.042 * size, head[1] + 0.012 * size, 0.009 * size, 0.026 * size, head + (0.064 * size, -0.008 * size, 0), DARK)
    for side in (-1, 1):
        root = head + (-0.008 * size, 0.035 * size, side * 0.032 * size)
        frame.limb(root, root + np.array([0, 0.042, side * 0.006]) * size, 0.022 * size, 0.003 * size, coat, 0.6)
    root = np.array([-length / 2 - 0.04 * size, back - 0.03 * size, 0])
    up = rng.uniform(0.2, 1.4)
    middle = root + 0.14 * size * np.array([-math.cos(up), math.sin(up), 0])
    frame.limb(root, middle, 0.018 * size, 0.016 * size, coat)
    frame.limb(middle, middle + 0.12 * size * np.array([-math.cos(up + 0.5), math.sin(up + 0.5), 0.1]), 0.016 * size, 0.011 * size, coat)
    return frame.parts


def _horse(rng: Random) -> list[Part]:
    frame, size = _Frame(_view(rng)), rng.uniform(0.85, 1.05)
    first = _fur(rng, "brown brown ginger black white grey sand")
    coat = Coat(first, _fur(rng, "white"), rng.choice([0.0, 0.0, 0.0, 0.35]), 1.2)
    mane = Plain(tuple(0.35 * c for c in first) if rng.random() < 0.7 else _fur(rng, "sand white"), 0.2, 0.1, 0.3)
    hoof = Plain((0.05, 0.045, 0.04))
    back, length = 1.5 * size, 1.05 * size
    _quadruped(rng, frame, coat, hoof, length, back, 0.28 * size, 0.25 * size, 0.05 * size, rng.uniform(0.02, 0.4))
    poll = np.array([length / 2 + 0.52 * size, back + rng.uniform(0.15, 0.42) * size, 0])
    withers = np.array([length / 2 - 0.02, back - 0.22 * size, 0])
    frame.limb(withers, poll, 0.23 * size, 0.11 * size, coat, 0.7)
    nose = poll + np.array([0.32, -0.36, 0]) * size
    frame.limb(poll + np.array([0.02, -0.04, 0]) * size, nose, 0.12 * size, 0.075 * size, coat, 0.8)
    _face(frame, poll[0] + 0.1 * size, poll[1] - 0.07 * size, 0.022 * size, 0.085 * size, nose + (0.05 * size, -0.02 * size, 0), DARK)
    for side in (-1, 1):
        root = poll + np.array([-0.02, 0.07, side * 0.06]) * size
        frame.limb(root, root + np.array([0.02, 0.13, side * 0.02]) * size, 0.035 * size, 0.008 * size, coat)
    for share in np.linspace(0.15, 1, 7):
        top = withers + (poll - withers) * share + np.array([-0.17 + 0.08 * share, 0.13, 0]) * size
        frame.limb(top, top + np.array([-0.03, -0.16, -0.06]) * size, 0.05 * size, 0.03 * size, mane)
    root = np.array([-length / 2 - 0.24 * size, back - 0.14 * size, 0])
    frame.limb(root, root + np.array([-0.12, -0.22, 0]) * size, 0.05 * size, 0.07 * size, mane)
    frame.limb(root + np.array([-0.12, -0.22, 0]) * size, root + np.array([-0.12, -0.75, 0]) * size, 0.07 * size, 0.03 * size, mane)
    return frame.parts


def _cow(rng: Random) -> list[Part]:
    frame, size = _Frame(_view(rng)), rng.uniform(0.88, 1.05)
    coat = Coat(_fur(rng, "white sand brown"), _fur(rng, "black brown ginger"), rng.choice([0.0, 0.4, 0.5, 0.6]), 1.6)
    pink, horn = Plain(hsv(0.02, 0.3, 0.8)), Plain(hsv(0.12, 0.2, 0.8))
    back, length = 1.35 * size, 1.2 * size
    _quadruped(rng, frame, coat, Plain((0.05, 0.045, 0.04)), length, back, 0.33 * size, 0.35 * size, 0.055 * size, rng.uniform(0.0, 0.25))
    frame.ball((-length * 0.28, back - 0.72 * size, 0), (0.17 * size, 0.13 * size, 0.15 * size), pink)
    head = np.array([length / 2 + 0.48 * size, back - rng.uniform(0.0, 0.3) * size, 0])
    frame.limb((length / 2, back - 0.28 * size, 0), head, 0.24 * size, 0.14 * size, coat, 0.8)
    nose = head + np.array([0.26, -0.24, 0]) * size
    frame.limb(head, nose, 0.14 * size, 0.095 * size, coat, 0.9)
    frame.ball(nose + np.array([0.03, -0.02, 0]) * size, (0.075 * size, 0.08 * size, 0.09 * size), pink)
    _face(frame, head[0] + 0.08 * size, head[1] + 0.01 * size, 0.022 * size, 0.115 * size, nose + (0.09 * size, 0.0, 0), DARK)
    for side in (-1, 1):
        root = head + np.array([-0.04, 0.08, side * 0.1]) * size
        frame.limb(root, root + np.array([-0.02, -0.02, side * 0.17]) * size, 0.045 * size, 0.03 * size, coat, 0.7)
        if coat.share < 0.55:
            frame.limb(root + (0, 0.02, 0), root + np.array([0.04, 0.17, side * 0.06]) * size, 0.025 * size, 0.008 * size, horn)
    root = np.array([-length / 2 - 0.34 * size, back - 0.2 * size, 0])
    frame.limb(root, root + np.array([-0.05, -0.6, 0]) * size, 0.025 * size, 0.02 * size, coat)
    frame.limb(root + np.array([-0.05, -0.6, 0]) * size, root + np.array([-0.05, -0.75, 0]) * size, 0.045 * size, 0.03 * size, DARK)
    return frame.parts


def _sheep(rng: Random) -> list[Part]:
    frame, size = _Frame(_view(rng)), rng.uniform(0.85, 1.1)
    wool = Plain(hsv(0.11, rng.uniform(0.05, 0.15), rng.uniform(0.75, 0.93)), 0.16, 0.06, 0.25)
    face = Plain((0.03, 0.028, 0.026)) if rng.random() < 0.5 else Plain(hsv(0.09, 0.15, 0.8))
    back, length = 0.72 * size, 0.62 * size
    _quadruped(rng, frame, wool, DARK, length, back - 0.05 * size, 0.17 * size, 0.18 * size, 0.027 * size, rng.uniform(0, 0.3), face)
    for i in range(34):  # the fleece is lumps
        turn, along = i * 2.399, (i + 0.5) / 34 - 0.5
        ring = math.sqrt(max(0.08, 1 - (2.05 * along) ** 2))
        centre = (along * length * 1.35, back - 0.2 * size + 0.15 * size * ring * math.sin(turn), 0.13 * size * ring * math.cos(turn))
        lump = rng.uniform(0.095, 0.125) * size
        frame.ball(centre, (lump, lump, lump), wool)
    head = np.array([length / 2 + 0.16 * size, back - rng.uniform(0.05, 0.2) * size, 0])
    frame.limb((length / 2, back - 0.14 * size, 0), head, 0.12 * size, 0.08 * size, wool)
    nose = head + np.array([0.13, -0.1, 0]) * size
    frame.limb(head, nose, 0.075 * size, 0.045 * size, face)
    frame.ball(head + np.array([-0.02, 0.06, 0]) * size, (0.075 * size, 0.05 * size, 0.075 * size), wool)
    _face(frame, head[0] + 0.05 * size, head[1] + 0.015 * size, 0.011 * size, 0.06 * size, nose + (0.035 * size, 0.0, 0), DARK)
    for side in (-1, 1):
        root = head + np.array([-0.02, 0.03, side * 0.06]) * size
        frame.limb(root, root + np.array([-0.02, -0.02, side * 0.1]) * size, 0.028 * size, 0.016 * size, face)
    return frame.parts


def _bird(rng: Random) -> list[Part]:
    """A hen, a pigeon or a goose: one body, three proportions."""
    kind = str(rng.choice(["hen", "pigeon", "goose"]))
    frame = _Frame(_view(rng))
    size, neck = {"hen": (0.26, 0.1), "pigeon": (0.17, 0.06), "goose": (0.42, 0.4)}[kind]
    size *= rng.uniform(0.9, 1.1)
    coat = Coat(_fur(rng, "grey" if kind == "pigeon" else "white brown sand ginger"), _fur(rng, "black grey white"), rng.choice([0.0, 0.3]), 0.25)
    wing = Plain(tuple(0.6 * c for c in coat.colour), 0.16, 0.1, 0.2)
    orange = Plain(hsv(0.08, 0.75, 0.85))
    level = 0.78 * size
    frame.ball((0, level, 0), (0.55 * size, 0.36 * size, 0.34 * size), coat, 0.28)
    for side in (-1, 1):
        frame.ball((-0.08 * size, level + 0.03 * size, side * 0.26 * size), (0.42 * size, 0.22 * size, 0.12 * size), wing, 0.2)
        z = side * 0.14 * size
        foot = 0.08 * size * side
        frame.limb((0, level - 0.25 * size, z), (foot, 0.03 * size, z), 0.045 * size, 0.03 * size, orange)
        frame.limb((foot, 0.03 * size, z), (foot + 0.17 * size, 0.025 * size, z), 0.028 * size, 0.022 * size, orange)
    frame.limb((-0.4 * size, level - 0.02 * size, 0), (-0.82 * size, level + rng.uniform(0.0, 0.4) * size, 0), 0.2 * size, 0.08 * size, wing, 0.6)
    head = np.array([0.52 * size, level + 0.38 * size + neck, 0])
    frame.limb((0.36 * size, level + 0.1 * size, 0), head, 0.22 * size, 0.11 * size, coat)
    frame.ball(head, (0.15 * size, 0.135 * size, 0.125 * size), coat)
    frame.limb(head + np.array([0.11, -0.02, 0]) * size, head + np.array([0.27, -0.05, 0]) * size, 0.05 * size, 0.015 * size, orange)
    for side in (-1, 1):
        frame.ball(head + np.array([0.07, 0.03, side * 0.1]) * size, (0.028 * size, 0.028 * size, 0.028 * size), DARK)
    if kind == "hen":
        red = Plain(hsv(0.99, 0.8, 0.75))
        for i in range(3):
            frame.ball(head + np.array([-0.08 + 0.08 * i, 0.14 - 0.015 * i, 0]) * size, (0.055 * size, 0.075 * size, 0.02 * size), red)
        frame.ball(head + np.array([0.14, -0.13, 0]) * size, (0.035 * size, 0.06 * size, 0.02 * size), red)
    return frame.parts
