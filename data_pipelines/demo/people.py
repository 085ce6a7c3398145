"""People for the demo cutouts: a skeleton of limbs, a pose, clothes.

A person's own frame: metres, x to the viewer's right, y up from the ground, z away from the viewer; a person at yaw 0
looks at the viewer. All numbers are for somebody 1.75 m tall, and are scaled.
"""

import math

import numpy as np

from data_pipelines.demo.noise import Colour, hsv, triple
from data_pipelines.demo.parts import Frame, Part, turned
from data_pipelines.demo.textures import Plain, Stripes, Texture, Tiles

Random = np.random.Generator

# From light to dark, display values.
SKINS = ((244, 208, 184), (232, 184, 150), (214, 160, 122), (186, 130, 94), (148, 98, 68), (110, 72, 50), (78, 52, 38))
HAIRS = (
    (24, 20, 18),
    (48, 34, 26),
    (82, 54, 36),
    (120, 80, 44),
    (176, 132, 78),
    (206, 176, 120),
    (140, 60, 32),
    (150, 148, 146),
)


def _linear(display: tuple[int, int, int]) -> Colour:
    """Returns a display colour 0..255 as linear RGB."""
    return triple((c / 255) ** 2.2 for c in display)


def garment_colour(rng: Random) -> Colour:
    """Picks a colour of clothes: black, grey, white, or any hue."""
    if rng.random() < 0.3:  # black, grey, white
        return hsv(0.6, rng.uniform(0, 0.1), rng.uniform(0.15, 0.92))
    return hsv(rng.random(), rng.uniform(0.2, 0.72), rng.uniform(0.3, 0.88))


def _cloth(rng: Random, plain: float = 0.55) -> Texture:
    colour, other = garment_colour(rng), garment_colour(rng)
    kind = rng.random()
    if kind < plain:
        return Plain(colour, 0.06, 0.06, 0.5)
    if kind < plain + 0.22:
        return Stripes(colour, other, rng.uniform(0.03, 0.11), bool(rng.random() < 0.75), 0.05)
    size = rng.uniform(0.04, 0.09)
    return Tiles(
        colour, triple(0.6 * a + 0.4 * b for a, b in zip(colour, other, strict=True)), other, size, size, size * 0.16
    )


def _reach(start, length, swing, out) -> np.ndarray:
    """Returns the end of a bone that hangs from `start`, swung forwards (to -z) and `out` to +x, radians."""
    return np.asarray(start) + length * np.array(
        [math.sin(out), -math.cos(out) * math.cos(swing), -math.cos(out) * math.sin(swing)]
    )


def person(rng: Random) -> list[Part]:
    """Draws somebody of random size, clothes and pose, sometimes with a bag."""
    tall = float(np.clip(rng.normal(1.72, 0.09), 1.5, 1.95))
    build = float(np.clip(rng.normal(1.0, 0.13), 0.8, 1.35))
    woman = rng.random() < 0.5
    yaw = float(rng.choice([0.0, 0.5, -0.5, 1.2, -1.2, math.pi, math.pi - 0.7, math.pi + 0.7])) + rng.normal(0, 0.2)
    body = Frame(turned(yaw, rng.uniform(0.0, 0.14)), tall / 1.75)
    skin = Plain(_linear(SKINS[rng.integers(len(SKINS))]), 0.015, 0.03)
    hair = Plain(_linear(HAIRS[rng.integers(len(HAIRS))]), 0.2, 0.1, 0.35)
    coat = Plain(garment_colour(rng), 0.07, 0.07, 0.6)
    top = _cloth(rng)
    denim = hsv(rng.choice([0.6, 0.62, 0.09, 0.1]), rng.uniform(0.1, 0.6), rng.uniform(0.14, 0.6))
    bottom: Texture = Plain(denim, 0.09, 0.08, 0.4)
    shoe = Plain(garment_colour(rng) if rng.random() < 0.4 else hsv(0.07, 0.3, rng.uniform(0.08, 0.35)), 0.03)
    outfit = str(
        rng.choice(["trousers", "shorts", "skirt", "coat"], p=[0.5, 0.14, 0.2, 0.16] if woman else [0.62, 0.2, 0, 0.18])
    )
    sleeves = outfit == "coat" or rng.random() < 0.55
    jacket = rng.random() < 0.35 and outfit != "coat"

    pose = str(rng.choice(["stand", "walk", "hips", "wave", "phone", "lean"], p=[0.25, 0.4, 0.1, 0.07, 0.1, 0.08]))
    stride = rng.uniform(0.22, 0.44) if pose == "walk" else rng.uniform(-0.05, 0.1)
    if outfit in ("skirt", "coat"):
        stride = min(stride, 0.28)
    if outfit == "skirt":
        bottom = top if rng.random() < 0.5 else _cloth(rng)
    lead = float(rng.choice([-1.0, 1.0]))
    _legs(body, rng, build, stride, lead, pose, outfit, skin, bottom, shoe)
    _torso(body, rng, build, woman, outfit, top, bottom, coat if outfit == "coat" or jacket else None)
    hands = _arms(body, rng, build, stride, lead, pose, sleeves, skin, coat if outfit == "coat" or jacket else top)
    _head(body, rng, woman, skin, hair, build)
    _luggage(body, rng, hands)
    return body.parts


def _legs(body, rng, build, stride, lead, pose, outfit, skin, bottom, shoe):
    thick = 0.5 + 0.5 * build
    bare = outfit in ("shorts", "skirt")
    spread = rng.uniform(0.02, 0.1) if pose != "walk" else 0.02
    for side in (-1, 1):
        forward = stride * side * lead
        bend = max(0.06, -forward * 1.3) if pose == "walk" else 0.04
        hip = np.array([0.085 * side, 0.93, 0.0])
        knee = _reach(hip, 0.43, forward, spread * side)
        ankle = _reach(knee, 0.42, forward - bend, spread * side * 0.6)
        tip = 0.55 * min(0.0, forward) if pose == "walk" else 0.0
        toe = ankle + np.array([0.035 * side, -0.035 + 0.12 * tip, -0.17])
        heel = ankle + np.array([0, -0.03, 0.025])
        width = 1.12 if outfit in ("trousers", "coat") else 1.0
        lower = skin if bare else bottom
        body.limb(hip, knee, 0.086 * thick * width, 0.06 * thick * width, skin if bare else bottom)
        if outfit == "shorts":
            body.limb(hip, hip + 0.72 * (knee - hip), 0.094 * thick, 0.084 * thick, bottom, cut=True)
            body.limb(hip, hip + 0.3 * (knee - hip), 0.094 * thick, 0.09 * thick, bottom)
        body.limb(knee, ankle, 0.058 * thick * width, (0.038 if bare else 0.05) * thick * width, lower)
        body.limb(heel, toe, 0.042, 0.034, shoe)
        body.limb(np.add(ankle, (0, 0.03, 0)), heel, 0.04, 0.04, shoe)


def _torso(body, rng, build, woman, outfit, top, bottom, coat):
    waist = build * (0.86 if woman else 0.97)
    shoulders = 0.155 if woman else 0.178
    for side in (-1, 1):
        body.limb((0.07 * side, 0.93, 0), (0.06 * side * waist, 1.08, 0), 0.105 * build, 0.1 * waist, bottom, 0.95)
        body.limb(
            (0.062 * side * waist, 1.06, 0),
            (0.085 * side, 1.34, 0),
            0.106 * waist,
            0.1 * (0.4 + 0.6 * build),
            top,
            0.95,
        )
    body.limb((-shoulders, 1.415, 0.01), (shoulders, 1.415, 0.01), 0.06, 0.06, top)
    body.limb((0, 1.3, 0), (0, 1.43, 0.005), 0.13, 0.07, top, 0.8)
    if woman:
        for side in (-1, 1):
            body.ball((0.06 * side, 1.27, -0.06), (0.07, 0.07, 0.05), coat or top)
    elif build > 1.12:
        body.ball((0, 1.1, -0.035), (0.14 * build, 0.17, 0.115 * build), top)
    if outfit == "skirt":
        hem, flare = rng.uniform(0.35, 0.7), rng.uniform(0.2, 0.28)
        body.limb((0, 0.99, 0), (0, hem, 0), 0.175 * build, flare * (0.5 + 0.5 * build), bottom, cut=True)
    if coat is not None:
        hem = rng.uniform(0.45, 0.68) if outfit == "coat" else 0.9
        for side in (-1, 1):  # open at the front
            chest = 0.115 * (0.4 + 0.6 * build)
            body.limb((0.06 * side, 1.06, 0.012), (0.085 * side, 1.35, 0.012), 0.122 * waist, chest, coat, 0.96)
            body.limb(
                (0.06 * side, 1.1, 0.012),
                (0.085 * side, hem, 0.012),
                0.13 * waist,
                0.15 * max(build, 1.0),
                coat,
                cut=True,
            )
        body.limb((-shoulders, 1.42, 0.012), (shoulders, 1.42, 0.012), 0.068, 0.068, coat)
        body.limb((0, 1.0, 0.045), (0, 1.41, 0.045), 0.1 * build, 0.085, coat, 0.95)
        body.limb((0, 1.02, -0.085 * build), (0, 1.36, -0.09), 0.038, 0.05, top, 0.9)


def _arms(body, rng, build, stride, lead, pose, sleeves, skin, cloth) -> list[np.ndarray]:
    """Adds two arms as the pose wants them, and returns where the hands are."""
    thick, hands = 0.55 + 0.45 * build, []
    for side in (-1, 1):
        shoulder = np.array([0.2 * side, 1.405, 0.01])
        out, swing = rng.uniform(0.1, 0.2) + 0.12 * (build - 1), rng.uniform(-0.1, 0.15)
        if pose == "walk":
            swing = -stride * side * lead * 0.9
        bend, turn = rng.uniform(0.1, 0.4), -0.02
        if pose == "hips" or (pose == "lean" and side > 0):
            out, swing, bend, turn = 0.75, -0.25, 0.5, -1.35
        elif pose == "wave" and side > 0:
            out, swing, bend, turn = 1.5, 0.2, 0.3, 2.6
        elif pose == "phone" and side > 0:
            out, swing, bend, turn = 0.15, 0.35, 1.75, -0.25
        elbow = _reach(shoulder, 0.28, swing, out * side)
        wrist = _reach(elbow, 0.24, swing + bend, (out + turn) * side)
        cuff = elbow if sleeves else shoulder + 0.6 * (elbow - shoulder)
        body.limb(shoulder, cuff, 0.05 * thick, 0.042 * thick, cloth)
        if sleeves:
            body.limb(elbow, wrist, 0.041 * thick, 0.034 * thick, cloth)
        else:
            body.limb(cuff, elbow, 0.037 * thick, 0.036 * thick, skin)
            body.limb(elbow, wrist, 0.036 * thick, 0.026 * thick, skin)
        hand = wrist + (wrist - elbow) / 0.24 * 0.075
        body.limb(wrist, hand, 0.028, 0.03, skin)
        hands.append(hand)
    return hands


def _head(body, rng, woman, skin, hair, build):
    body.limb((0, 1.4, 0.005), (0, 1.54, 0.0), 0.052 * (0.6 + 0.4 * build), 0.05, skin)
    body.ball((0, 1.635, -0.005), (0.074, 0.11, 0.094), skin)
    body.ball((0, 1.575, -0.03), (0.055, 0.05, 0.055), skin)
    dark, lips = (
        Plain((0.02, 0.016, 0.014), 0, 0),
        Plain(triple(c * f for c, f in zip(skin.colour, (0.75, 0.42, 0.42), strict=True)), 0, 0),
    )
    for side in (-1, 1):
        body.ball((0.03 * side, 1.645, -0.085), (0.013, 0.008, 0.01), dark)
        body.ball((0.031 * side, 1.667, -0.083), (0.018, 0.005, 0.01), hair)
        body.ball((0.075 * side, 1.63, 0.005), (0.012, 0.028, 0.02), skin)
    body.ball((0, 1.62, -0.1), (0.013, 0.022, 0.018), skin)
    body.ball((0, 1.578, -0.082), (0.022, 0.007, 0.008), lips)
    style = rng.random()
    if style > 0.06:  # a few are bald
        body.ball((0, 1.672, 0.02), (0.086, 0.084, 0.098), hair)
        body.ball((0, 1.635, 0.045), (0.084, 0.09, 0.072), hair)
    if woman and style > 0.35:
        length = rng.uniform(0.1, 0.32)
        for side in (-1, 1):
            body.limb((0.05 * side, 1.66, 0.035), (0.055 * side, 1.6 - length, 0.055), 0.055, 0.04, hair, 0.9)
        body.limb((0, 1.65, 0.06), (0, 1.58 - length, 0.08), 0.06, 0.05, hair, 0.8)
    elif woman and style > 0.2:
        body.ball((0, 1.7, 0.12), (0.05, 0.05, 0.05), hair)
    elif not woman and style > 0.7:
        body.ball((0, 1.568, -0.04), (0.058, 0.048, 0.058), hair)
    if rng.random() < 0.16:
        cap = Plain(garment_colour(rng), 0.05)
        body.ball((0, 1.705, 0.005), (0.092, 0.065, 0.106), cap)
        body.ball((0, 1.69, -0.11), (0.07, 0.01, 0.07), cap)


def _luggage(body, rng, hands):
    kind = rng.random()
    fabric = Plain(garment_colour(rng), 0.06, 0.06, 0.4)
    if kind < 0.16:  # a backpack
        body.ball((0, 1.22, 0.2), (0.135, 0.2, 0.085), fabric)
        body.ball((0, 1.14, 0.265), (0.1, 0.09, 0.05), fabric)
        for side in (-1, 1):
            body.limb((0.1 * side, 1.44, 0.04), (0.105 * side, 1.2, -0.105), 0.02, 0.02, fabric)
    elif kind < 0.3:  # a bag in the hand
        x, y, z = hands[0]
        low = max(y - 0.42, 0.1)
        half = rng.uniform(0.1, 0.17)
        outline = [(-half, 0), (half, 0), (half * 0.9, 0.28), (-half * 0.9, 0.28)]
        body.slab(outline, 0.06, fabric, (x, low, z), turned(rng.uniform(-1, 1)))
        for side in (-1, 1):
            body.limb((x + side * 0.06, low + 0.27, z), (x, y, z), 0.008, 0.008, fabric)
    elif kind < 0.4:  # a bag across the shoulder
        body.limb((-0.13, 1.45, -0.06), (0.16, 0.98, -0.1), 0.014, 0.014, fabric)
        body.ball((0.22, 0.92, 0.0), (0.05, 0.13, 0.15), fabric)
