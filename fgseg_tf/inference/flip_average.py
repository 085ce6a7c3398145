"""Test-time flip averaging: predictions for a picture and for its mirror image differ where the network is not sure."""

import tensorflow as tf


def concat_flipped(pictures: tf.Tensor) -> tf.Tensor:
    """Returns the pictures, and after them their mirror images: [B, H, W, C] -> [2 B, H, W, C]."""
    return tf.concat([pictures, pictures[:, :, ::-1]], 0)


def average_flipped(predictions: tf.Tensor) -> tf.Tensor:
    """Returns the mean of both predictions, those for mirror images flipped back: [2 B, H, W, C] -> [B, H, W, C].

    Args:
        predictions: For what `concat_flipped` returns.
    """
    plain, flipped = tf.split(predictions, 2)
    return (plain + flipped[:, :, ::-1]) / 2
