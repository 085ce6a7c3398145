"""How pipelines of tf.data run."""

import tensorflow as tf


def disable_tuner(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """Returns a dataset that tf.data does not tune while it runs; what is AUTOTUNE takes all processors.

    The tuner sleeps for longer and longer, up to a minute. An iterator that ends meanwhile should wake it, but in about
    one of three cases the call is missed (seen with TensorFlow 2.15 and 2.21), and the iterator then waits until the
    tuner wakes by itself: about as long again as it has lived.
    """
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.with_options(options)
