"""The network's own code of depth: metres -> a number in [0, 1], and back.

The code is the logarithm of the depth, between the nearest and the farthest that a record can hold: a step in it is the
same share of the distance near by and far away (1 % of the code is 7 % of the distance). It is bounded, so that a
sigmoid can produce it and SSIM knows its range, and the same for every picture, so that no distance is lost.
"""

import math

import tensorflow as tf

NEAREST, FARTHEST = 0.25, 256.0  # metres; depths beyond either are encoded as these
LOG_RANGE = math.log(FARTHEST / NEAREST)


def encode_depth(metres: tf.Tensor) -> tf.Tensor:
    """Encodes metres, float32; unknown depth, 0, gets the code of NEAREST, so keep `metres > 0` beside the result."""
    return tf.math.log(tf.clip_by_value(metres, NEAREST, FARTHEST) / NEAREST) / LOG_RANGE


def decode_depth(code: tf.Tensor) -> tf.Tensor:
    """Decodes a code to metres, float32, from NEAREST to FARTHEST."""
    return NEAREST * tf.exp(LOG_RANGE * tf.cast(code, tf.float32))
