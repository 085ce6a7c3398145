"""Simulates two exposures of one camera: two pictures of the same scene are never the same.

A composite's `fg_bg` is its `bg` outside the object, to the last bit; a second exposure never is. `Capture.change`
makes two exposures of a composite, seeded, in tf ops, so that the same code trains a network and measures how much it
bears. An example is a `JoinedExample`.

    scene      between the two: shadows of the object, leaves and screens, light that wandered, seams, things moved
    objects    no object in the frame, or one in the background that has left since
    camera     one of the two is shifted, turned and zoomed a little; labels follow the frame
    exposure   gain, contrast, gamma, white balance, light over the picture, vignette, blur or sharpening, noise, JPEG

The severity is one number from 0 (no difference) to 4. The amounts below are those at 4 and grow linearly with it; the
share of examples in which something happens at all reaches its full value at 2. What both exposures share (a dark room,
a grey camera) is simulated as well: networks should not mind it.
"""

from dataclasses import dataclass
from typing import cast

import tensorflow as tf

from data_pipelines.compositing.backgrounds import JoinedExample
from fgseg_tf.data.random_draws import Draws
from fgseg_tf.data.shadows import compute_shadows
from fgseg_tf.data.warping import blur, static_size, warp

SEVEREST = 4
LADDER = tuple(range(SEVEREST + 1))

# Of both exposures, and of each by itself: natural logarithms of factors, either way.
SHARED_GAIN, OWN_GAIN = 0.5, 0.22
SHARED_GAMMA, OWN_GAMMA = 0.4, 0.15
SHARED_BALANCE, OWN_BALANCE = 0.2, 0.08
OWN_CONTRAST = 0.15
GREY = 0.15  # share of cameras that lose colour, more or less of it
OFFSET = 0.04
LIGHT = 0.22  # of a smooth field over the picture, logarithm
VIGNETTE = 0.35  # darker in the corners
BLUR, SHARPENING = 1.0, 0.6  # of the difference to a Gaussian of BLUR_SIGMA pixels
READ_NOISE, SHOT_NOISE = 0.03, 0.03  # standard deviations: everywhere, and at white
WORST_JPEG = 25  # quality
SHIFT, TURN, ZOOM = 0.012, 0.012, 0.012  # of the shorter side; radians; of 1

STIR, STIRRED = 0.6, 0.02  # leaves: share of frames, distance of the shorter side
GLOW, GLOWING = 0.5, 0.6  # screens, spots of light: share of frames, logarithm
SEAM, SEAMED = 0.4, 0.12  # patches of the scene pasted back: share of frames, logarithm
MOVED = 0.06  # share of frames in which a small thing stands elsewhere


@dataclass(frozen=True)
class Capture:
    """How much two exposures differ: the severity is drawn evenly for each example, from least to most.

    Attributes:
        least: least severity, from 0 (no difference) to SEVEREST.
        most: most of it.
        nobody: share of examples whose object is taken away.
        ghosts: share of examples whose background shows an object that has left since.
    """

    least: float = 0.0
    most: float = 0.0
    nobody: float = 0.0
    ghosts: float = 0.0

    def __post_init__(self):
        if not 0 <= self.least <= self.most <= SEVEREST:
            raise ValueError(
                f"a severity from {self.least:g} to {self.most:g} is not on the ladder; it goes from 0 to {SEVEREST}."
            )
        if not (self.nobody >= 0 and self.ghosts >= 0 and self.nobody + self.ghosts <= 1):
            raise ValueError(f"nobody={self.nobody:g} and ghosts={self.ghosts:g} are not shares of all examples.")

    def __bool__(self):
        """Returns whether anything would change."""
        return self.most > 0 or self.nobody > 0 or self.ghosts > 0

    def change(self, example: JoinedExample, seed: tf.Tensor) -> JoinedExample:
        """Returns two exposures of an example; `seed` is int32 or int64 [2], another one for each example."""
        return simulate_exposures(example, seed, self.least, self.most, self.nobody, self.ghosts) if self else example


def simulate_exposures(
    example: JoinedExample,
    seed: tf.Tensor,
    least: float | tf.Tensor,
    most: float | tf.Tensor,
    nobody: float | tf.Tensor = 0.0,
    ghosts: float | tf.Tensor = 0.0,
) -> JoinedExample:
    """Returns two exposures of an example: `Capture.change` for numbers that may be tensors.

    Args:
        example: with `pictures` and `depth`, of known size, and with or without `bg_depth`.
        seed: int32 or int64 [2].
        least: least severity, from 0 to SEVEREST.
        most: most of it.
        nobody: share of examples whose object is taken away.
        ghosts: share of examples whose background shows an object that has left since.
    """
    draws = Draws(seed)
    strength = draws.between(least / SEVEREST, most / SEVEREST)
    pictures = tf.cast(example["pictures"], tf.float32) / 255
    bg, fg_bg, mask = tf.split(pictures, [3, 3, 1], axis=-1)
    # The object times its alpha: with that, and 1 - mask, it can be composited over any background.
    layer = fg_bg - bg * (1 - mask)
    scene = _change_background(bg, mask, strength, draws)
    kind = draws.uniform()
    present = tf.cast(kind >= nobody, tf.float32)
    ghost = tf.cast(kind >= 1 - ghosts, tf.float32)
    frame = scene * (1 - present * mask) + present * layer
    empty = _add_ghost(bg, layer, mask, ghost)
    planes = {key: value for key, value in dict(example).items() if key in ("depth", "bg_depth")}
    # How far the floor is where the object stood is unknown.
    planes["depth"] = tf.where((present < 1) & (mask > 0), tf.zeros_like(planes["depth"]), planes["depth"])
    empty, frame, planes = _move_camera(empty, tf.concat([frame, present * mask], -1), planes, strength, draws)
    frame, mask = frame[..., :3], frame[..., 3:]
    exposures = _expose(tf.concat([empty, frame], -1), strength, draws)
    mask = tf.cast(tf.round(mask * 255), tf.uint8)
    return cast(JoinedExample, {**example, **planes, "pictures": tf.concat([exposures, mask], -1)})


def _change_background(bg, mask, strength, draws: Draws):
    """Returns the background as it is at the moment of the frame, behind the object."""
    height, width = static_size(bg)
    shorter = tf.cast(tf.minimum(height, width), tf.float32)
    stirring, glowing, seaming, moving = tf.unstack(draws.smooth_fields([height, width], 4), axis=-1)
    scene = bg
    # Leaves, water: some of the picture is a few pixels elsewhere.
    steps, level = (
        tf.round(draws.symmetric(2) * STIRRED * strength * shorter + draws.symmetric(2)),
        draws.uniform() * 0.6,
    )
    scene = _apply_if(
        draws.chance(STIR, strength),
        scene,
        lambda was: _blend(was, _roll(was, steps), _draw_patch(stirring, level, 6.0)),
    )
    # A small thing that stands elsewhere now: what is there was taken from another place.
    away, height_of_spot = draws.symmetric(2) * 0.3 * shorter, draws.between(0.9, 1.05)
    scene = _apply_if(
        draws.chance(MOVED, strength),
        scene,
        lambda was: _blend(was, _roll(was, away), _draw_patch(moving, height_of_spot, 30.0)),
    )
    # Screens, lamps, sunlight through a window, with hard or soft outlines.
    colour = tf.exp(strength * GLOWING * (draws.symmetric() + 0.3 * draws.symmetric(3)))
    edge, steepness = draws.between(0.2, 0.8), tf.exp(draws.between(0.7, 4.0))
    scene = _apply_if(
        draws.chance(GLOW, strength),
        scene,
        lambda was: _blend(was, was * colour, _draw_patch(glowing, edge, steepness)),
    )
    # A piece of the scene pasted back with a seam, in the outline of somebody or of nothing in particular.
    somebody, border, softness = draws.uniform() < 0.5, draws.between(0.3, 0.8), draws.uniform()
    tone = tf.exp(strength * SEAMED * draws.symmetric(3))

    def pasted(was):
        outline = tf.where(somebody, mask[:, ::-1, 0], _draw_patch(seaming, border, 30.0))
        return _blend(was, blur(was, softness) * tone, outline)

    scene = _apply_if(draws.chance(SEAM, strength), scene, pasted)
    return tf.clip_by_value(scene * compute_shadows(mask, strength, draws), 0, 1)


def _add_ghost(bg, layer, mask, ghost):
    """Returns the background, where `ghost` is 1 with the object's mirror image in it: it stood there, and has left."""
    return bg * (1 - ghost * mask[:, ::-1]) + ghost * layer[:, ::-1]


def _move_camera(empty, frame, planes: dict, strength, draws: Draws):
    height, width = (tf.cast(side, tf.float32) for side in static_size(empty))
    shorter = tf.minimum(height, width)
    angle = TURN * strength * draws.symmetric()
    scale = tf.exp(ZOOM * strength * draws.symmetric())
    right, down = tf.unstack(SHIFT * strength * shorter * draws.symmetric(2))
    cosine, sine = tf.cos(angle) * scale, tf.sin(angle) * scale
    x, y = (width - 1) / 2, (height - 1) / 2
    transform = [cosine, -sine, x - cosine * x + sine * y + right, sine, cosine, y - sine * x - cosine * y + down, 0, 0]
    transform = tf.stack([tf.cast(value, tf.float32) for value in transform])

    def frame_moves():
        followed = {
            key: tf.cast(warp(tf.cast(value, tf.float32), transform, "NEAREST"), value.dtype)
            for key, value in planes.items()
        }
        return empty, warp(frame, transform), followed

    return tf.cond(draws.uniform() < 0.5, frame_moves, lambda: (warp(empty, transform), frame, planes))


def _expose(pair, strength, draws: Draws):
    """Returns two pictures, float32 [H, W, 6], as two exposures, uint8."""
    height, width = static_size(pair)

    def factors(shared, own, each: int):
        """Returns exp of a shared number plus one of each exposure's own; each: numbers per exposure, 1 or 3."""
        both = tf.tile(draws.symmetric(each), [6 // each]) if each == 3 else tf.fill([6], draws.symmetric())
        alone = draws.symmetric(6) if each == 3 else tf.repeat(draws.symmetric(2), 3)
        return tf.exp(strength * (shared * both + own * alone))

    # A camera that shows no colour shows none in either picture.
    grey = tf.cast(draws.uniform() < GREY, tf.float32) * draws.uniform() * tf.minimum(2 * strength, 1)
    colours = tf.reshape(pair, [height, width, 2, 3])
    colours += grey * (tf.reduce_mean(colours, -1, keepdims=True) - colours)
    pair = tf.reshape(colours, [height, width, 6])
    # tf.pow takes six times as long.
    x = tf.exp(factors(SHARED_GAMMA, OWN_GAMMA, 1) * tf.math.log(tf.maximum(pair, 1e-4)))
    down, across = tf.linspace(-1.0, 1.0, height)[:, None], tf.linspace(-1.0, 1.0, width)[None]
    corners = (tf.square(down) + tf.square(across))[..., None] / 2
    dark = VIGNETTE * strength * tf.stack([draws.uniform(), draws.uniform()])
    light = tf.exp(LIGHT * strength * draws.smooth_fields([height, width], 2)) * (1 - dark * corners)
    x *= factors(SHARED_GAIN, OWN_GAIN, 1) * factors(SHARED_BALANCE, OWN_BALANCE, 3) * tf.repeat(light, 3, axis=-1)
    x = 0.5 + (x - 0.5) * factors(0, OWN_CONTRAST, 1) + OFFSET * strength * tf.repeat(draws.symmetric(2), 3)
    amounts = tf.stack([draws.between(-SHARPENING, BLUR), draws.between(-SHARPENING, BLUR)]) * strength
    x = tf.clip_by_value(blur(x, tf.repeat(amounts, 3)), 0, 1)
    read, shot = (
        strength * tf.repeat(tf.stack([draws.uniform(), draws.uniform()]), 3) * most
        for most in (READ_NOISE, SHOT_NOISE)
    )
    x += tf.sqrt(tf.square(read) + tf.square(shot) * x) * draws.normal([height, width, 6])
    levels = tf.cast(tf.round(tf.clip_by_value(x, 0, 1) * 255), tf.uint8)
    return tf.concat([_compress_jpeg(picture, strength, draws) for picture in tf.split(levels, 2, axis=-1)], -1)


def _compress_jpeg(levels, strength, draws: Draws):
    quality = tf.cast(tf.round(100 - (100 - WORST_JPEG) * strength * draws.uniform()), tf.int32)

    def compressed():
        decoded = tf.io.decode_jpeg(tf.raw_ops.EncodeJpegVariableQuality(images=levels, quality=quality), channels=3)
        return tf.ensure_shape(decoded, levels.shape)

    return tf.cond(quality < 100, compressed, lambda: levels)


def _draw_patch(field, level, steepness):
    """Returns [H, W] from 0 to 1: where a field is above a level, with an outline of this steepness."""
    return tf.sigmoid(steepness * 4 * (field - level))


def _apply_if(happens, scene, change):
    """Returns the changed scene where `happens` is 1; otherwise, which is mostly so, the change is not computed."""
    return tf.cond(happens > 0, lambda: change(scene), lambda: scene)


def _roll(scene, steps):
    return tf.roll(scene, tf.cast(steps, tf.int32), [0, 1])


def _blend(scene, other, share):
    return scene + share[..., None] * (other - scene)
