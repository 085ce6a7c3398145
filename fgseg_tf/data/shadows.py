"""The shadows that objects in a frame throw on what is behind and below them."""

import tensorflow as tf

from fgseg_tf.data.random_draws import Draws
from fgseg_tf.data.warping import blur_widely, static_size, warp

SHADOWS, SHADOW = 0.7, 0.75  # share of frames, darkness
CONTACT = 0.6
MOST_OBJECTS = 3  # that throw a shadow of their own


def compute_shadows(mask, strength, draws: Draws):
    """Returns the light that shadows leave, factors [H, W, 3] from 0 to 1.

    Objects throw shadows on the floor or on a wall, and each has a dark line where it stands.

    Args:
        mask: float32 [H, W, 1], of static shape.
        strength: from 0 to 1.
        draws: where random numbers are taken from.
    """
    height, width = (tf.cast(side, tf.float32) for side in static_size(mask))
    objects = _separate_objects(mask)
    inside = objects > 0.5
    rows, columns = (tf.cast(tf.reduce_any(inside, axis), tf.float32) for axis in (2, 1))
    bases = tf.reduce_max(rows * tf.range(height), 1)
    tall, wide = tf.reduce_max(tf.reduce_sum(rows, 1)), tf.reduce_max(tf.reduce_sum(columns, 1))
    # Floor: height above the base becomes a way across the floor, up or down the picture. Wall: only shifted. One sun.
    squash = draws.between(0.15, 0.8) * tf.sign(draws.symmetric())
    lean = 1.5 * draws.symmetric()
    none, one = tf.zeros_like(bases), tf.ones_like(bases)
    floor = [one, one * lean / squash, -lean * bases / squash, none, one / squash, bases * (1 - 1 / squash), none, none]
    right, down = draws.symmetric() * (0.1 * width + 0.3 * wide), draws.symmetric() * 0.15 * tall
    wall = [one, none, one * right, none, one, one * down, none, none]
    transforms = tf.where(draws.uniform() < 0.65, tf.stack(floor, 1), tf.stack(wall, 1))
    shadow = _strongest(warp(objects[..., None], transforms, "BILINEAR", "CONSTANT")[..., 0])
    shadow += (blur_widely(shadow) - shadow) * draws.uniform()
    from_base = (tf.range(height) - bases[:, None]) / tf.maximum(0.06 * tall, 1.0)
    foot = tf.exp(-tf.square(from_base))[..., None]
    contact = _strongest(blur_widely(objects[..., None])[..., 0] * foot) * CONTACT * draws.chance(SHADOWS, strength)
    # Skies light shadows, and they are blue.
    tint = 1 - 0.15 * draws.uniform() * tf.constant([0.0, 0.4, 1.0])
    darkness = SHADOW * draws.uniform() * tf.minimum(1.5 * strength, 1) * draws.chance(SHADOWS, strength)
    return (1 - darkness * shadow * tint) * (1 - tf.minimum(1.5 * strength, 1) * contact)


def _separate_objects(mask):
    """Returns masks [MOST_OBJECTS, H, W] of objects side by side, so that each throws its shadow from its own foot.

    They are separated where a whole column of the picture is empty; where there are more, the rest share the last mask.
    """
    occupied = tf.reduce_any(mask[..., 0] > 0, 0)
    begins = occupied & ~tf.concat([[False], occupied[:-1]], 0)
    number = tf.minimum(tf.cumsum(tf.cast(begins, tf.int32)), MOST_OBJECTS) - 1
    mine = tf.cast(number == tf.range(MOST_OBJECTS)[:, None], tf.float32)
    return mine[:, None] * mask[..., 0]


def _strongest(planes):
    """Returns the strongest of planes [N, H, W] as [H, W, 1]: one shadow within another is no darker."""
    return tf.reduce_max(planes, 0)[..., None]
