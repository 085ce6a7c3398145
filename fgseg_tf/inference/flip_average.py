"""Looking twice: at a picture and at its mirror image, whose answers differ where the network is not sure."""

import tensorflow as tf


def with_mirrored(pictures: tf.Tensor) -> tf.Tensor:
    """[B, H, W, C] -> [2 B, H, W, C]: the pictures, and after them their mirror images."""
    return tf.concat([pictures, pictures[:, :, ::-1]], 0)


def merged(answers: tf.Tensor) -> tf.Tensor:
    """[2 B, H, W, C], answers to `with_mirrored` -> [B, H, W, C]: the mean of both, each turned the right way."""
    plain, mirrored = tf.split(answers, 2)
    return (plain + mirrored[:, :, ::-1]) / 2
