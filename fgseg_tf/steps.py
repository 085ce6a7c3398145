"""One step of training, on all replicas, and what it changes: network, running average, optimizer, loss scale.

Gradients first, everything else after, so that a step whose gradients are not finite changes no weight.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf

from fgseg_tf import addons, losses
from fgseg_tf.coding import encode_depth
from fgseg_tf.stages import Stage

OPTIMIZERS = ("adamw", "lamb", "sgd")
SCALE_GROWS_AFTER = 2000  # steps without overflow, in float16


@dataclass(frozen=True)
class Optimization:
    """How weights are changed. The defaults are those of the flags.

    warmup: share of a stage's steps in which the rate rises from 0; after it, it falls as a cosine to 0.
    clip: the largest norm of all gradients together; 0 for no limit. average: how much of the running average of the
    weights is kept in a step; 0 for none.
    """

    optimizer: str = "adamw"
    weight_decay: float = 1e-2
    warmup: float = 0.05
    clip: float = 1.0
    average: float = 0.998
    weighting: str = "fixed"  # or learned: between the two branches

    def __post_init__(self):
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"--optimizer={self.optimizer} is not one; take {', '.join(OPTIMIZERS)}.")
        if self.weighting not in ("fixed", "learned"):
            raise ValueError(f"--weighting={self.weighting} is not a way to weight losses; take fixed or learned.")
        for flag in ("warmup", "average"):
            if not 0 <= getattr(self, flag) < 1:
                raise ValueError(f"--{flag}={getattr(self, flag)} is not a share from 0 to under 1.")
        for flag in ("weight_decay", "clip"):
            if not 0 <= getattr(self, flag) < float("inf"):
                raise ValueError(f"--{flag}={getattr(self, flag)} is negative or not a number; 0 turns it off.")


def make_optimizer(options: Optimization, rate: float, steps: int) -> keras.optimizers.Optimizer:
    warmup = round(options.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else rate, max(1, steps - warmup), warmup_target=rate if warmup else None, warmup_steps=warmup
    )
    if options.optimizer == "lamb":
        return addons.lamb(schedule, options.weight_decay)
    if options.optimizer == "sgd":
        return keras.optimizers.SGD(
            schedule, momentum=0.9, nesterov=True, weight_decay=options.weight_decay * rate or None
        )
    return keras.optimizers.AdamW(schedule, weight_decay=options.weight_decay)


class Learner:
    """Network and running average: what is carried from stage to stage."""

    def __init__(self, network: keras.Model, options: Optimization, float16: bool):
        self.network, self.options = network, options
        self.weighting = losses.LearnedWeights(("mask", "depth")) if options.weighting == "learned" else None
        self.averages = [_shadow(variable) for variable in network.variables] if options.average else []
        self.seen = _counter("seen")  # examples, in all stages
        self.scale = tf.Variable(
            2.0**15 if float16 else 1.0, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
        )
        self.since_overflow = _counter("since_overflow")
        self.float16 = float16

    def freeze(self, parts: tuple[str, ...]) -> None:
        for name in ("stem", "background", "joint", "mask", "depth"):
            self.network.get_layer(name).trainable = name not in parts

    def trainable(self) -> list:
        own = [] if self.weighting is None else self.weighting.trainable_variables
        return [*self.network.trainable_variables, *own]

    def checkpointed(self) -> dict:
        tracked = {"network": self.network, "averages": self.averages, "seen": self.seen, "scale": self.scale}
        tracked["since_overflow"] = self.since_overflow
        return tracked if self.weighting is None else {**tracked, "weighting": self.weighting}

    def show_average(self, network: keras.Model) -> None:
        """Fills another network with the running average, or with the weights where there is none."""
        shown = self.averages or self.network.variables
        network.set_weights([variable.numpy() for variable in shown])


def make_step(
    learner: Learner,
    stage: Stage,
    optimizer: keras.optimizers.Optimizer,
    strategy: tf.distribute.Strategy,
    jit_compile: bool,
) -> Callable:
    """A function of one (distributed) batch that trains and answers a dict of float32 scalars: `loss` and its parts."""
    network, options = learner.network, learner.options
    variables = learner.trainable()
    replicas = strategy.num_replicas_in_sync

    def gradients(batch):
        """Of this replica's part of the mean over the whole batch; sums over replicas are the whole's."""
        local = tf.cast(tf.shape(batch["bg"])[0], tf.float32)
        count = local if replicas == 1 else _sum_of_replicas(local)
        known = tf.cast(batch["depth"] > 0, tf.float32)
        with tf.GradientTape() as tape:
            predicted = network({"bg": batch["bg"], "fg_bg": batch["fg_bg"]}, training=True)
            branches, parts = {}, {}
            if "mask" in stage.branches:
                branches["mask"] = stage.mask_loss(batch["mask"], predicted["mask"])
                parts |= stage.mask_loss.parts(batch["mask"], predicted["mask"])
            if "depth" in stage.branches:
                code = encode_depth(batch["depth"])
                branches["depth"] = stage.depth_loss(code, predicted["depth"], known)
            values = sum(branches.values()) if learner.weighting is None else learner.weighting(branches)
            loss = tf.reduce_sum(values) / count
            scaled = loss * learner.scale
        found = tape.gradient(scaled, variables)
        shown = {"loss": loss, **{name: tf.reduce_sum(value) / count for name, value in branches.items()}}
        return shown, found

    def apply(found):
        found = [gradient / learner.scale for gradient in found] if learner.float16 else found
        if replicas > 1:
            found = _sum_of_replicas(found)
        norm = tf.linalg.global_norm(found)
        if options.clip:
            found, _ = tf.clip_by_global_norm(found, options.clip, norm)
        # The optimizer adds up what the replicas give it.
        optimizer.apply_gradients(
            [(gradient / replicas, variable) for gradient, variable in zip(found, variables, strict=True)]
        )
        steps = tf.cast(optimizer.iterations, tf.float32)
        # At first the average of few is nearly all that there is.
        keep = tf.minimum(options.average, (1 + steps) / (10 + steps))
        for average, variable in zip(learner.averages, network.variables, strict=False):
            average.assign(keep * average + (1 - keep) * tf.convert_to_tensor(variable))
        return norm

    compiled = tf.function(gradients, jit_compile=True) if jit_compile else gradients

    @tf.function
    def step(batch):
        shown, found = strategy.run(compiled, (batch,))
        shown = {name: strategy.reduce("SUM", value, axis=None) for name, value in shown.items()}
        if learner.float16:
            _apply_if_finite(learner, strategy, apply, found)
        else:
            shown["gradient_norm"] = strategy.reduce("MEAN", strategy.run(apply, (found,)), axis=None)
        return shown

    return step


def _apply_if_finite(learner: Learner, strategy, apply: Callable, found) -> None:
    """float16 overflows now and then: then the loss is scaled down, and the step left out."""
    overflows = strategy.run(
        lambda gradients: tf.reduce_sum([tf.reduce_sum(tf.cast(~tf.math.is_finite(g), tf.float32)) for g in gradients]),
        (found,),
    )
    finite = strategy.reduce("SUM", overflows, axis=None) == 0

    def applied():
        strategy.run(apply, (found,))
        grown = learner.since_overflow >= SCALE_GROWS_AFTER - 1
        learner.scale.assign(tf.where(grown, learner.scale * 2, learner.scale))
        learner.since_overflow.assign(tf.where(grown, tf.constant(0, tf.int64), learner.since_overflow + 1))
        return True

    def left_out():
        learner.scale.assign(learner.scale / 2)
        learner.since_overflow.assign(0)
        return False

    tf.cond(finite, applied, left_out)


def _sum_of_replicas(value):
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def _shadow(variable) -> tf.Variable:
    return tf.Variable(
        tf.convert_to_tensor(variable), trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
    )


def _counter(name: str) -> tf.Variable:
    return tf.Variable(
        0, dtype=tf.int64, trainable=False, name=name, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
    )
