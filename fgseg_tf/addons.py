"""The few pieces that differ between the two stacks: Keras 3 has them, beside Keras 2.15 tensorflow-addons has them."""

import keras

KERAS_3 = hasattr(keras, "ops")


def lamb(learning_rate, weight_decay: float):
    """LAMB. learning_rate: a number or a schedule."""
    if KERAS_3:
        return keras.optimizers.Lamb(learning_rate, weight_decay=weight_decay, epsilon=1e-6)
    import tensorflow_addons

    return tensorflow_addons.optimizers.LAMB(learning_rate, weight_decay_rate=weight_decay, epsilon=1e-6)
