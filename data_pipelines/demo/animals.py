"""Animals for the demo cutouts. In their own frame they look along +x, stand on y = 0; z is away from the viewer."""

import math

import numpy as np

from data_pipelines.demo.noise import Colour, hsv, triple
from data_pipelines.demo.parts import Frame, Part, turned
from data_pipelines.demo.textures import Coat, Plain, Stripes, Texture

Random = np.random.Generator


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
    """Returns a rotation: from the side, walking left or right, turned somewhat towards the viewer or away."""
    return turned(float(rng.choice([0.0, math.pi])) + rng.uniform(-0.65, 0.65), rng.uniform(0.03, 0.16))


def animal(rng: Random) -> list[Part]:
    """Draws a dog, cat, horse, cow, sheep or bird."""
    kind = str(rng.choice(["dog", "dog", "cat", "horse", "cow", "sheep", "bird"]))
    return {"dog": _dog, "cat": _cat, "horse": _horse, "cow": _cow, "sheep": _sheep, "bird": _bird}[kind](rng)


def _quadruped(rng, frame, coat, hoof, length, back, chest, belly, leg, stride, shin=None):
    """Adds a body and four legs: `back` is the height of the spine, `chest`, `belly` and `leg` are radii."""
    front, rear = length / 2, -length / 2
    level = back - chest
    frame.limb((rear, back - belly, 0), (front, level, 0), belly, chest, coat, 0.85)
    frame.ball((rear * 0.96, back - belly * 1.02, 0), (belly * 1.15, belly * 1.12, belly * 0.95), coat)
    frame.ball((front * 0.98, level - chest * 0.08, 0), (chest * 1.02, chest * 1.12, chest * 0.86), coat)
    phase = rng.uniform(0, 2 * math.pi)
    for number, (x, top, side) in enumerate(
        (
            (front * 0.92, level, -1),
            (front * 0.92, level, 1),
            (rear * 0.95, back - belly, -1),
            (rear * 0.95, back - belly, 1),
        )
    ):
        swing = stride * math.sin(phase + (0, math.pi, math.pi * 1.15, 0.15)[number])
        z = side * 0.55 * (chest if number < 2 else belly)
        hind = number >= 2
        knee = (x + 0.5 * top * math.sin(swing) + (0.07 * top if hind else 0), top * 0.48, z)
        lift = max(0.0, -swing) * 0.12 * top
        foot = (
            x + 0.95 * top * math.sin(swing * (1.0 if swing > 0 else 1.25)) - (0.04 * top if hind else 0),
            leg * 0.9 + lift,
            z,
        )
        frame.limb((x, top, z * 0.9), knee, leg * (2.4 if hind else 1.9), leg * 1.15, coat)
        frame.limb(knee, foot, leg * 1.15, leg * 0.8, shin or coat)
        frame.limb(foot, (foot[0] + leg * 1.1, max(foot[1] - leg * 0.1, leg * 0.8), z), leg * 0.95, leg * 0.85, hoof)


def _face(frame, x, y, eye, spread, snout, dark):
    """Adds two eyes and the tip of the snout."""
    for side in (-1, 1):
        frame.ball((x, y, side * spread), (eye, eye, eye), dark)
    frame.ball(snout, (eye * 1.5, eye * 1.3, eye * 1.5), dark)


DARK = Plain((0.015, 0.012, 0.012), 0, 0)


def _dog(rng: Random) -> list[Part]:
    frame = Frame(_view(rng), rng.uniform(0.62, 1.1))
    first = _fur(rng, "brown sand black white grey ginger")
    coat = Coat(first, _fur(rng, "white black brown"), rng.choice([0.0, 0.0, 0.3, 0.45]), 0.5)
    back, length = 0.55, rng.uniform(0.42, 0.56)
    plump = rng.uniform(0.85, 1.2)
    _quadruped(rng, frame, coat, coat, length, back, 0.125 * plump, 0.1 * plump, 0.024, rng.uniform(0, 0.45))
    head = np.array([length / 2 + 0.15, back + rng.uniform(0.02, 0.14), 0])
    frame.limb((length / 2 - 0.02, back - 0.09, 0), head, 0.1, 0.07, coat)
    frame.ball(head, (0.092, 0.08, 0.078), coat)
    snout = rng.uniform(0.09, 0.15)
    nose = np.add(head, (0.07 + snout, -0.035, 0))
    frame.limb(np.add(head, (0.05, -0.025, 0)), nose, 0.048, 0.034, coat)
    _face(frame, head[0] + 0.06, head[1] + 0.025, 0.013, 0.052, np.add(nose, (0.028, 0.012, 0)), DARK)
    drop = rng.random() < 0.6
    for side in (-1, 1):
        root = np.add(head, (-0.02, 0.055, side * 0.06))
        tip = root + (np.array([0.0, -0.1, side * 0.03]) if drop else np.array([-0.01, 0.085, side * 0.005]))
        frame.limb(root, tip, 0.034, (0.026 if drop else 0.006), coat, 0.5)
    bend = rng.uniform(-0.5, 1.2)
    root = np.array([-length / 2 - 0.08, back - 0.05, 0])
    middle = root + 0.14 * np.array([-math.cos(bend), math.sin(bend), 0])
    frame.limb(root, middle, 0.03, 0.024, coat)
    frame.limb(middle, middle + 0.13 * np.array([-math.cos(bend + 0.6), math.sin(bend + 0.6), 0.1]), 0.024, 0.012, coat)
    if rng.random() < 0.5:
        collar = Plain(hsv(rng.random(), 0.8, 0.7))
        shoulders = np.array([length / 2 - 0.02, back - 0.09, 0])
        low, high = (shoulders + (head - shoulders) * share for share in (0.52, 0.66))
        frame.limb(low, high, 0.092, 0.087, collar, cut=True)
    return frame.parts


def _cat(rng: Random) -> list[Part]:
    frame = Frame(_view(rng), rng.uniform(0.85, 1.1))
    first = _fur(rng, "ginger grey black white sand brown")
    coat: Texture = Coat(first, _fur(rng, "white black"), rng.choice([0.0, 0.3, 0.5]), 0.3)
    if rng.random() < 0.4:
        coat = Stripes(first, triple(0.45 * c for c in first), 0.035, True, 0.12)
    back, length = 0.25, 0.3
    _quadruped(rng, frame, coat, coat, length, back, 0.062, 0.064, 0.014, rng.uniform(0, 0.4))
    head = np.array([length / 2 + 0.075, back + 0.03, 0])
    frame.limb((length / 2, back - 0.05, 0), head, 0.052, 0.04, coat)
    frame.ball(head, (0.052, 0.05, 0.055), coat)
    frame.ball(np.add(head, (0.038, -0.015, 0)), (0.026, 0.022, 0.03), coat)
    _face(frame, head[0] + 0.042, head[1] + 0.012, 0.009, 0.026, np.add(head, (0.064, -0.008, 0)), DARK)
    for side in (-1, 1):
        root = np.add(head, (-0.008, 0.035, side * 0.032))
        frame.limb(root, root + np.array([0, 0.042, side * 0.006]), 0.022, 0.003, coat, 0.6)
    root = np.array([-length / 2 - 0.04, back - 0.03, 0])
    up = rng.uniform(0.2, 1.4)
    middle = root + 0.14 * np.array([-math.cos(up), math.sin(up), 0])
    frame.limb(root, middle, 0.018, 0.016, coat)
    frame.limb(middle, middle + 0.12 * np.array([-math.cos(up + 0.5), math.sin(up + 0.5), 0.1]), 0.016, 0.011, coat)
    return frame.parts


def _horse(rng: Random) -> list[Part]:
    frame = Frame(_view(rng), rng.uniform(0.85, 1.05))
    first = _fur(rng, "brown brown ginger black white grey sand")
    coat = Coat(first, _fur(rng, "white"), rng.choice([0.0, 0.0, 0.0, 0.35]), 1.2)
    mane = Plain(triple(0.35 * c for c in first) if rng.random() < 0.7 else _fur(rng, "sand white"), 0.2, 0.1, 0.3)
    hoof = Plain((0.05, 0.045, 0.04))
    back, length = 1.5, 1.05
    _quadruped(rng, frame, coat, hoof, length, back, 0.28, 0.25, 0.05, rng.uniform(0.02, 0.4))
    poll = np.array([length / 2 + 0.52, back + rng.uniform(0.15, 0.42), 0])
    withers = np.array([length / 2 - 0.02, back - 0.22, 0])
    frame.limb(withers, poll, 0.23, 0.11, coat, 0.7)
    nose = poll + np.array([0.32, -0.36, 0])
    frame.limb(poll + np.array([0.02, -0.04, 0]), nose, 0.12, 0.075, coat, 0.8)
    _face(frame, poll[0] + 0.1, poll[1] - 0.07, 0.022, 0.085, np.add(nose, (0.05, -0.02, 0)), DARK)
    for side in (-1, 1):
        root = poll + np.array([-0.02, 0.07, side * 0.06])
        frame.limb(root, root + np.array([0.02, 0.13, side * 0.02]), 0.035, 0.008, coat)
    for share in np.linspace(0.15, 1, 7):
        top = withers + (poll - withers) * share + np.array([-0.17 + 0.08 * share, 0.13, 0])
        frame.limb(top, top + np.array([-0.03, -0.16, -0.06]), 0.05, 0.03, mane)
    root = np.array([-length / 2 - 0.24, back - 0.14, 0])
    frame.limb(root, root + np.array([-0.12, -0.22, 0]), 0.05, 0.07, mane)
    frame.limb(root + np.array([-0.12, -0.22, 0]), root + np.array([-0.12, -0.75, 0]), 0.07, 0.03, mane)
    return frame.parts


def _cow(rng: Random) -> list[Part]:
    frame = Frame(_view(rng), rng.uniform(0.88, 1.05))
    coat = Coat(_fur(rng, "white sand brown"), _fur(rng, "black brown ginger"), rng.choice([0.0, 0.4, 0.5, 0.6]), 1.6)
    pink, horn = Plain(hsv(0.02, 0.3, 0.8)), Plain(hsv(0.12, 0.2, 0.8))
    back, length = 1.35, 1.2
    _quadruped(rng, frame, coat, Plain((0.05, 0.045, 0.04)), length, back, 0.33, 0.35, 0.055, rng.uniform(0.0, 0.25))
    frame.ball((-length * 0.28, back - 0.72, 0), (0.17, 0.13, 0.15), pink)
    head = np.array([length / 2 + 0.48, back - rng.uniform(0.0, 0.3), 0])
    frame.limb((length / 2, back - 0.28, 0), head, 0.24, 0.14, coat, 0.8)
    nose = head + np.array([0.26, -0.24, 0])
    frame.limb(head, nose, 0.14, 0.095, coat, 0.9)
    frame.ball(nose + np.array([0.03, -0.02, 0]), (0.075, 0.08, 0.09), pink)
    _face(frame, head[0] + 0.08, head[1] + 0.01, 0.022, 0.115, np.add(nose, (0.09, 0.0, 0)), DARK)
    for side in (-1, 1):
        root = head + np.array([-0.04, 0.08, side * 0.1])
        frame.limb(root, root + np.array([-0.02, -0.02, side * 0.17]), 0.045, 0.03, coat, 0.7)
        if coat.share < 0.55:
            frame.limb(np.add(root, (0, 0.02, 0)), root + np.array([0.04, 0.17, side * 0.06]), 0.025, 0.008, horn)
    root = np.array([-length / 2 - 0.34, back - 0.2, 0])
    frame.limb(root, root + np.array([-0.05, -0.6, 0]), 0.025, 0.02, coat)
    frame.limb(root + np.array([-0.05, -0.6, 0]), root + np.array([-0.05, -0.75, 0]), 0.045, 0.03, DARK)
    return frame.parts


def _sheep(rng: Random) -> list[Part]:
    frame = Frame(_view(rng), rng.uniform(0.85, 1.1))
    wool = Plain(hsv(0.11, rng.uniform(0.05, 0.15), rng.uniform(0.75, 0.93)), 0.16, 0.06, 0.25)
    face = Plain((0.03, 0.028, 0.026)) if rng.random() < 0.5 else Plain(hsv(0.09, 0.15, 0.8))
    back, length = 0.72, 0.62
    _quadruped(rng, frame, wool, DARK, length, back - 0.05, 0.17, 0.18, 0.027, rng.uniform(0, 0.3), face)
    for i in range(34):  # the fleece is lumps
        turn, along = i * 2.399, (i + 0.5) / 34 - 0.5
        ring = math.sqrt(max(0.08, 1 - (2.05 * along) ** 2))
        centre = (along * length * 1.35, back - 0.2 + 0.15 * ring * math.sin(turn), 0.13 * ring * math.cos(turn))
        lump = rng.uniform(0.095, 0.125)
        frame.ball(centre, (lump, lump, lump), wool)
    head = np.array([length / 2 + 0.16, back - rng.uniform(0.05, 0.2), 0])
    frame.limb((length / 2, back - 0.14, 0), head, 0.12, 0.08, wool)
    nose = head + np.array([0.13, -0.1, 0])
    frame.limb(head, nose, 0.075, 0.045, face)
    frame.ball(head + np.array([-0.02, 0.06, 0]), (0.075, 0.05, 0.075), wool)
    _face(frame, head[0] + 0.05, head[1] + 0.015, 0.011, 0.06, np.add(nose, (0.035, 0.0, 0)), DARK)
    for side in (-1, 1):
        root = head + np.array([-0.02, 0.03, side * 0.06])
        frame.limb(root, root + np.array([-0.02, -0.02, side * 0.1]), 0.028, 0.016, face)
    return frame.parts


def _bird(rng: Random) -> list[Part]:
    """Draws a hen, a pigeon or a goose: one body, three proportions."""
    kind = str(rng.choice(["hen", "pigeon", "goose"]))
    size, neck = {"hen": (0.26, 0.4), "pigeon": (0.17, 0.35), "goose": (0.42, 0.95)}[kind]
    frame = Frame(_view(rng), size * rng.uniform(0.9, 1.1))
    coat = Coat(
        _fur(rng, "grey" if kind == "pigeon" else "white brown sand ginger"),
        _fur(rng, "black grey white"),
        rng.choice([0.0, 0.3]),
        0.25,
    )
    wing = Plain(triple(0.6 * c for c in coat.colour), 0.16, 0.1, 0.2)
    orange = Plain(hsv(0.08, 0.75, 0.85))
    level = 0.78
    frame.ball((0, level, 0), (0.55, 0.36, 0.34), coat)
    for side in (-1, 1):
        frame.ball((-0.08, level + 0.03, side * 0.26), (0.42, 0.22, 0.12), wing)
        z = side * 0.14
        foot = 0.08 * side
        frame.limb((0, level - 0.25, z), (foot, 0.03, z), 0.045, 0.03, orange)
        frame.limb((foot, 0.03, z), (foot + 0.17, 0.025, z), 0.028, 0.022, orange)
    frame.limb((-0.4, level - 0.02, 0), (-0.82, level + rng.uniform(0.0, 0.4), 0), 0.2, 0.08, wing, 0.6)
    head = np.array([0.52, level + 0.38 + neck, 0])
    frame.limb((0.36, level + 0.1, 0), head, 0.22, 0.11, coat)
    frame.ball(head, (0.15, 0.135, 0.125), coat)
    frame.limb(head + np.array([0.11, -0.02, 0]), head + np.array([0.27, -0.05, 0]), 0.05, 0.015, orange)
    for side in (-1, 1):
        frame.ball(head + np.array([0.07, 0.03, side * 0.1]), (0.028, 0.028, 0.028), DARK)
    if kind == "hen":
        red = Plain(hsv(0.99, 0.8, 0.75))
        for i in range(3):
            frame.ball(head + np.array([-0.08 + 0.08 * i, 0.14 - 0.015 * i, 0]), (0.055, 0.075, 0.02), red)
        frame.ball(head + np.array([0.14, -0.13, 0]), (0.035, 0.06, 0.02), red)
    return frame.parts
