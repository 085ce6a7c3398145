"""Optimizers, and their one piece that differs between the two stacks: LAMB is in Keras 3, and in tensorflow-addons."""

import warnings
from dataclasses import dataclass

import keras

OPTIMIZERS = ("adamw", "lamb", "sgd")
KERAS_3 = hasattr(keras, "ops")
EPSILON = 1e-6  # of LAMB, as published and in tensorflow-addons; Keras 3 has 1e-7


@dataclass(frozen=True)
class Optimization:
    """How weights are changed. The defaults are those of the flags.

    Attributes:
        optimizer: one of OPTIMIZERS.
        weight_decay: the share of each weight that a step takes off, once multiplied by the rate, with any optimizer.
        warmup: share of a stage's steps in which the rate rises from 0; after it, it falls as a cosine to 0.
        clip: the largest norm of all gradients together; 0 for no limit.
        average: how much of the running average of the weights is kept in a step; 0 for no average.
        weighting: between the losses of the two branches: fixed or learned.
    """

    optimizer: str = "adamw"
    weight_decay: float = 1e-2
    warmup: float = 0.05
    clip: float = 1.0
    average: float = 0.998
    weighting: str = "fixed"

    def __post_init__(self):
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"`optimizer`={self.optimizer} is not one; take {', '.join(OPTIMIZERS)}.")
        if self.weighting not in ("fixed", "learned"):
            raise ValueError(f"`weighting`={self.weighting} is not a way to weight losses; take fixed or learned.")
        for flag in ("warmup", "average"):
            if not 0 <= getattr(self, flag) < 1:
                raise ValueError(f"`{flag}`={getattr(self, flag)} is not a share from 0 to under 1.")
        for flag in ("weight_decay", "clip"):
            if not 0 <= getattr(self, flag) < float("inf"):
                raise ValueError(f"`{flag}`={getattr(self, flag)} is negative or not a number; 0 turns it off.")


def make_optimizer(options: Optimization, rate: float, steps: int) -> keras.optimizers.Optimizer:
    """Returns a Keras optimizer, not yet built, whose rate follows the schedule of a stage of `steps` steps."""
    warmup = round(options.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else rate, max(1, steps - warmup), warmup_target=rate if warmup else None, warmup_steps=warmup
    )
    if options.optimizer == "lamb":
        return make_lamb(schedule, options.weight_decay)
    if options.optimizer == "sgd":
        return keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=options.weight_decay or None)
    return keras.optimizers.AdamW(schedule, weight_decay=options.weight_decay)


def make_lamb(
    learning_rate: float | keras.optimizers.schedules.LearningRateSchedule, weight_decay: float
) -> keras.optimizers.Optimizer:
    """Returns LAMB, the same on both stacks, as published: weight decay is part of the step whose length is adapted.

    As any Keras 3 optimizer it has `build`, `iterations` and `apply_gradients`,
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
        # In every run it prints eight lines about its end of life, which this stack exists for.
        warnings.simplefilter("ignore", UserWarning)
        import tensorflow_addons

    class Lamb(tensorflow_addons.optimizers.LAMB):
        """An optimizer of Keras before 2.11, which makes its variables when it is first used."""

        def build(self, variables):
            self._create_all_weights(variables)

    return Lamb(learning_rate, weight_decay=weight_decay, epsilon=EPSILON)
