"""How demo scenes are varied while the small teacher learns, so that shapes matter more than colours."""

import numpy as np
import tensorflow as tf

from data_pipelines.demo.sources import MAX_DEPTH
from data_pipelines.teacher.scenes import CODES_PER_METRE


def crop_randomly(pictures: tf.Tensor, codes: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Takes a random part of each scene, stretches it to the full size, and mirrors half of them.

    What a longer lens would show is labelled as what it looks like, a nearer thing: the same picture must not have two
    depths.

    Args:
        pictures: uint8 [B, H, W, 3].
        codes: depth codes, uint16 [B, H, W].

    Returns:
        Pictures, float32 [B, H, W, 3] in [0, 1], and metres, float32 [B, H/2, W/2].
    """
    batch, height, width, _ = pictures.shape

    def uniform(low, high):
        return tf.random.uniform((batch,), low, high)

    # Most look like whole scenes; some come nearer than scenes do.
    tall = tf.where(uniform(0, 1) < 0.75, uniform(0.8, 1.0), uniform(0.45, 0.8))
    wide = tall * uniform(0.75, 1.0)
    top, left = uniform(0, 1) * (1 - tall), uniform(0, 1) * (1 - wide)
    mirrored = uniform(0, 1) < 0.5

    def crop(images, rows, columns, method):
        # Pixel centres; crop_and_resize wants the first and the last of them, as shares of (length - 1).
        y = [(top * height + tall * height * (i + 0.5) / rows - 0.5) / (height - 1) for i in (0, rows - 1)]
        x = [(left * width + wide * width * (i + 0.5) / columns - 0.5) / (width - 1) for i in (0, columns - 1)]
        first, last = tf.where(mirrored, x[1], x[0]), tf.where(mirrored, x[0], x[1])
        boxes = tf.clip_by_value(tf.stack([y[0], first, y[1], last], axis=1), 0, 1)
        return tf.image.crop_and_resize(images, boxes, tf.range(batch), (rows, columns), method)

    metres = tf.cast(codes, tf.float32)[..., tf.newaxis] / CODES_PER_METRE
    metres = crop(metres, height // 2, width // 2, "nearest")[..., 0]
    metres = tf.where(metres < MAX_DEPTH, metres * tall[:, tf.newaxis, tf.newaxis], metres)
    return crop(tf.cast(pictures, tf.float32) / 255, height, width, "bilinear"), metres


def vary_colors(x: tf.Tensor) -> tf.Tensor:
    """Varies the colours of float32 [B, H, W, 3] in [0, 1] beyond those of the scenes.

    So shapes matter more than colours, and shapes are what real pictures have in common with the scenes.
    """
    batch, height, width, _ = x.shape

    def uniform(low, high, *shape):
        return tf.random.uniform((batch, *shape), low, high)

    x = tf.pow(tf.maximum(x, 1e-4), tf.exp(uniform(-0.5, 0.5, 1, 1, 1)))
    # Saturation (sometimes none), hue and white balance in one 3 x 3 matrix.
    grey = tf.constant([[0.299, 0.587, 0.114]] * 3)
    saturation = tf.where(uniform(0, 1, 1, 1) < 0.1, 0.0, uniform(0.3, 1.5, 1, 1))
    angle = uniform(-0.4, 0.4, 1, 1)
    cross = tf.constant([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    hue = tf.eye(3) + tf.sin(angle) * cross + (1 - tf.cos(angle)) * (cross @ cross)
    balance = tf.exp(uniform(-0.15, 0.15, 3, 1))
    x = tf.einsum("bhwc,bdc->bhwd", x, balance * (hue @ (saturation * tf.eye(3) + (1 - saturation) * grey)))
    contrast, brightness = tf.exp(uniform(-0.4, 0.4, 1, 1, 1)), uniform(-0.15, 0.15, 1, 1, 1)
    mean = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)
    x = (x - mean) * contrast + mean + brightness
    mean += brightness
    # A random filter shared by the batch, mixed into half of the pictures: other textures, edges where they were.
    filtered = tf.nn.conv2d(x - mean, tf.random.normal((3, 3, 3, 3)), 1, "SAME")
    filtered *= tf.math.reduce_std(x - mean) / (tf.math.reduce_std(filtered) + 1e-3)
    share = tf.where(uniform(0, 1, 1, 1, 1) < 0.5, 0.0, uniform(0, 1, 1, 1, 1))
    x += share * (filtered + mean - x)
    # Blur, or sharpening where the share is negative; light that falls off to one side; noise.
    x += uniform(-0.5, 1.0, 1, 1, 1) * (tf.nn.avg_pool2d(x, 3, 1, "SAME") - x)
    x *= 1 + uniform(-0.4, 0.4, 1, 1, 1) * tf.linspace(-1.0, 1.0, height)[:, tf.newaxis, tf.newaxis]
    x *= 1 + uniform(-0.4, 0.4, 1, 1, 1) * tf.linspace(-1.0, 1.0, width)[:, tf.newaxis]
    x += tf.random.normal(tf.shape(x)) * tf.square(uniform(0, 0.25, 1, 1, 1))
    return tf.clip_by_value(x, 0, 1)
