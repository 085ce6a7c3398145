"""SSIM of two images of one channel, exact also where the hardware rounds the factors of a product.

It is that of tf.image.ssim with max_val 1, but an image with a side under 11 pixels is filtered by a window as large as
that side, and pixels may be unknown.

Not tf.image.ssim itself, because that filters with convolutions, whose factors a GPU rounds to 11 bits (TF32, which
TensorFlow switches on) and a TPU to 8. In nearly flat areas the variances, differences of large and nearly equal
means, then come out wrong by as much as the constant that is to keep the denominator positive. With such rounding
emulated on a CPU (never measured on a GPU) its gradients were off by up to hundreds of times their size, these by a
hundredth, and by half on pictures that are wholly flat, where they are small.
"""

import tensorflow as tf

SSIM_FILTER, SSIM_SIGMA = 11, 1.5  # pixels, as published
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2  # as published, for values that range over 1
COARSE_BITS = -65536  # of a float32, those that bfloat16 and TF32 keep: sign, exponent, 7 of the mantissa


def compute_ssim(target: tf.Tensor, predicted: tf.Tensor, known: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Computes the SSIM at every position of the filter.

    Args:
        target: float32 [B, H, W, 1], values from 0 to 1.
        predicted: like `target`; equal to it where `known` is 0.
        known: like `target`, 1 where the target is known and 0 elsewhere.

    Returns:
        The SSIM, -1..1, and the share of the window that is known, float32 [B, H', W'] each.
    """
    height, width = tf.unstack(tf.shape(target)[1:3])
    size = tf.minimum(tf.minimum(height, width), SSIM_FILTER)
    rows, columns = _filter_windows(height, size), _filter_windows(width, size)
    # Filtered in two batches, because gradients are only needed of what the prediction is in.
    given = tf.concat([target, known], -1)
    judged = tf.concat([predicted, (tf.square(target) + tf.square(predicted)) / 2, target * predicted], -1)
    given, judged = (_filter(rows, columns, tf.transpose(each, [0, 3, 1, 2])) for each in (given, judged))
    mean_t, weight = tf.unstack(given, axis=1)
    mean_p, mean_square, mean_product = tf.unstack(judged, axis=1)
    both = mean_t * mean_p
    squares = (tf.square(mean_t) + tf.square(mean_p)) / 2
    luminance = (2 * both + SSIM_C1) / (2 * squares + SSIM_C1)
    structure = (2 * (mean_product - both) + SSIM_C2) / (2 * (mean_square - squares) + SSIM_C2)
    return luminance * structure, weight


def _filter_windows(side, size):
    """Returns float32 [side - size + 1, side]: each row holds the Gaussian weights of one position of the filter."""
    offset = tf.range(side)[None] - tf.range(side - size + 1)[:, None]
    from_middle = tf.cast(2 * offset - size + 1, tf.float32) / 2
    weight = tf.exp(-tf.square(from_middle / SSIM_SIGMA) / 2)
    weight = tf.where((offset >= 0) & (offset < size), weight, tf.zeros_like(weight))
    return weight / tf.reduce_sum(weight, axis=1, keepdims=True)


def _filter(rows, columns, channels):
    """Returns rows @ channels @ columns transposed; its gradient is as exact, and the windows have none."""

    @tf.custom_gradient
    def filter_channels(channels):
        def back(upstream):
            return _product(_product(tf.transpose(rows), upstream), columns)

        return _product(_product(rows, channels), tf.transpose(columns)), back

    return filter_channels(channels)


def _product(a, b):
    """Returns a matrix product that stays near float32 where the hardware rounds factors to 8 or 11 bits.

    The coarse part of each factor survives that rounding unchanged; what is rounded is small.
    """
    coarse_a, coarse_b = _round_coarsely(a), _round_coarsely(b)
    return tf.matmul(coarse_a, coarse_b) + tf.matmul(coarse_a, b - coarse_b) + tf.matmul(a - coarse_a, b)


def _round_coarsely(values):
    # Not by casting to bfloat16 and back, which a compiler may take out again.
    return tf.bitcast(tf.bitwise.bitwise_and(tf.bitcast(values, tf.int32), COARSE_BITS), tf.float32)
