"""Warps and blurs of pictures, float32 [H, W, C] of static size."""

import tensorflow as tf

BLUR_SIGMA = 1.2


def warp(picture, transform, interpolation: str = "BILINEAR", fill: str = "NEAREST"):
    """Warps a picture, or each of several by its own transform.

    Args:
        picture: [H, W, C], or [N, H, W, C].
        transform: [8], or [N, 8], as of ImageProjectiveTransform: from positions in the result to those in the picture.
        interpolation: BILINEAR or NEAREST.
        fill: what is beyond the edge: NEAREST for the nearest pixel, CONSTANT for 0.
    """
    several = picture.shape.rank == 4
    result = tf.raw_ops.ImageProjectiveTransformV3(
        images=picture if several else picture[None],
        transforms=transform if several else transform[None],
        output_shape=picture.shape[-3:-1],
        fill_value=0.0,
        interpolation=interpolation,
        fill_mode=fill,
    )
    return result if several else result[0]


def blur(picture, amount):
    """Returns picture + amount x (its Gaussian blur - picture); an amount below 0, of all or each channel, sharpens."""
    across = tf.exp(-tf.square(tf.range(-2.0, 3.0)) / (2 * BLUR_SIGMA**2))
    kernel = across[:, None] * across[None]
    kernel = tf.tile((kernel / tf.reduce_sum(kernel))[..., None, None], [1, 1, picture.shape[-1], 1])
    padded = tf.pad(picture, [[2, 2], [2, 2], [0, 0]], "REFLECT")
    smooth = tf.nn.depthwise_conv2d(padded[None], kernel, [1, 1, 1, 1], "VALID")[0]
    return picture + amount * (smooth - picture)


def blur_widely(planes):
    """Returns planes blurred by scaling them to a tenth of their size and back."""
    height, width = planes.shape[-3:-1]
    small = [max(side // 10, 2) for side in (height, width)]
    return tf.image.resize(tf.image.resize(planes, small, "area"), [height, width], "bilinear")


def static_size(picture):
    """Returns height and width as numbers: sizes are static wherever pictures are trained on or scored."""
    return int(picture.shape[0]), int(picture.shape[1])
