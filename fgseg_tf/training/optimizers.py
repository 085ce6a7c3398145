"""The few pieces that differ between the two stacks: Keras 3 has them, beside Keras 2.15 tensorflow-addons has them."""

import warnings

import keras

KERAS_3 = hasattr(keras, "ops")
EPSILON = 1e-6  # of LAMB, as published and in tensorflow-addons; Keras 3 has 1e-7


def lamb(
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule, weight_decay: float
) -> keras.optimizers.Optimizer:
    """LAMB, the same on both stacks, as published: weight decay is part of the step whose length is adapted.

    learning_rate: a number or a schedule. As any Keras 3 optimizer it has `build`, `iterations` and `apply_gradients`,
    which adds up what the replicas give it.
    """
    return _lamb_of_keras(learning_rate, weight_decay) if KERAS_3 else _lamb_of_addons(learning_rate, weight_decay)


def _lamb_of_keras(learning_rate, weight_decay):
    ops = keras.ops

    class Lamb(keras.optimizers.Lamb):
        """Keras's own `weight_decay` shrinks weights beside LAMB's step, not within it."""

        def update_step(self, gradient, variable, learning_rate):
            number = self._get_variable_index(variable)
            step = ops.cast(self.iterations + 1, variable.dtype)
            for slots, value, keep in (
                (self._momentums, gradient, self.beta_1),
                (self._velocities, ops.square(gradient), self.beta_2),
            ):
                self.assign_add(slots[number], (value - slots[number]) * (1 - keep))
            momentum = self._momentums[number] / (1 - ops.power(self.beta_1, step))
            velocity = self._velocities[number] / (1 - ops.power(self.beta_2, step))
            update = momentum / (ops.sqrt(velocity) + self.epsilon) + weight_decay * variable
            length, wanted = (ops.sqrt(ops.sum(ops.square(value))) for value in (update, variable))
            adapted = ops.where((wanted > 0) & (length > 0), wanted / length, 1.0)
            self.assign_sub(variable, adapted * ops.cast(learning_rate, variable.dtype) * update)

    return Lamb(learning_rate, epsilon=EPSILON)


def _lamb_of_addons(learning_rate, weight_decay):
    with warnings.catch_warnings():
        # Eight lines in every run on its having ended, which this stack is there for.
        warnings.simplefilter("ignore", UserWarning)
        import tensorflow_addons

    class Lamb(tensorflow_addons.optimizers.LAMB):
        """An optimizer of Keras before 2.11, which makes its variables when it is first used."""

        def build(self, variables):
            self._create_all_weights(variables)

    return Lamb(learning_rate, weight_decay=weight_decay, epsilon=EPSILON)
