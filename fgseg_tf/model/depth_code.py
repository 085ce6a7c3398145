"""The network's own coding of depth: metres <-> a code in [0, 1], and back.

The code is the logarithm of the depth, between the nearest and the farthest that a record can hold: a step in it is the
same share of the distance near by and far away (1 % of the code is 7 % of the distance). It is bounded, so that a
sigmoid can say it and SSIM knows its range, and the same for every picture, so that nothing of the distance is lost.
"""

import math

import tensorflow as tf

NEAREST, FARTHEST = 0.25, 256.0  # metres; anything beyond is coded as these
_RANGE = math.log(FARTHEST / NEAREST)


def encode_depth(metres: tf.Tensor) -> tf.Tensor:
    """float32 metres -> code; 0, unknown, becomes 0, which also NEAREST has: keep `metres > 0` beside it."""
    return tf.math.log(tf.clip_by_value(metres, NEAREST, FARTHEST) / NEAREST) / _RANGE


def decode_depth(code: tf.Tensor) -> tf.Tensor:
    """Code -> float32 metres, from NEAREST to FARTHEST."""
    return NEAREST * tf.exp(_RANGE * tf.cast(code, tf.float32))
