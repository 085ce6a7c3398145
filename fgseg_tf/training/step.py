"""One step of training, on all replicas, and what it changes: network, running average, optimizer, loss scale.

A step on n replicas is the step on one: losses and gradients are means over the whole batch, however it was dealt out.
In float16 a step whose gradients overflow changes nothing but the loss scale.
"""

from collections.abc import Callable
from dataclasses import dataclass

import keras
import tensorflow as tf

from fgseg_tf.measures import losses
from fgseg_tf.model.depth_code import encode_depth
from fgseg_tf.model.two_branch import PARTS
from fgseg_tf.training import optimizers
from fgseg_tf.training.schedule import Stage

OPTIMIZERS = ("adamw", "lamb", "sgd")
FIRST_SCALE = 2.0**15  # of the loss, in float16
SCALE_GROWS_AFTER = 2000  # steps without overflow
BRANCHES = ("mask", "depth")


@dataclass(frozen=True)
class Optimization:
    """How weights are changed. The defaults are those of the flags.

    weight_decay: the share of each weight that a step takes off, once multiplied by the rate, whatever the optimizer.
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
            raise ValueError(f"`optimizer`={self.optimizer} is not one; take {', '.join(OPTIMIZERS)}.")
        if self.weighting not in ("fixed", "learned"):
            raise ValueError(f"`weighting`={self.weighting} is not a way to weight losses; take fixed or learned.")
        for flag in ("warmup", "average"):
            if not 0 <= getattr(self, flag) < 1:
                raise ValueError(f"--{flag}={getattr(self, flag)} is not a share from 0 to under 1.")
        for flag in ("weight_decay", "clip"):
            if not 0 <= getattr(self, flag) < float("inf"):
                raise ValueError(f"--{flag}={getattr(self, flag)} is negative or not a number; 0 turns it off.")


def make_optimizer(options: Optimization, rate: float, steps: int) -> keras.optimizers.Optimizer:
    """A Keras optimizer, not yet built, whose rate follows the schedule of a stage of so many steps."""
    warmup = round(options.warmup * steps)
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else rate, max(1, steps - warmup), warmup_target=rate if warmup else None, warmup_steps=warmup
    )
    if options.optimizer == "lamb":
        return optimizers.lamb(schedule, options.weight_decay)
    if options.optimizer == "sgd":
        return keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=options.weight_decay or None)
    return keras.optimizers.AdamW(schedule, weight_decay=options.weight_decay)


class Learner:
    """Network and running average: what is carried from stage to stage. Make it in the strategy's scope."""

    def __init__(self, network: keras.Model, options: Optimization, float16: bool):
        self.network, self.options, self.float16 = network, options, float16
        # Kept, because on Keras 2 a model tells its variables in another order when parts of it are frozen.
        self.variables = list(network.variables)
        self.statistics = list(network.non_trainable_variables)
        self.weighting = losses.LearnedWeights(BRANCHES) if options.weighting == "learned" else None
        self.averages = [_variable(variable) for variable in self.variables] if options.average else []
        self.seen = _variable(tf.zeros([], tf.int64))  # examples, in all stages
        self.scale = _variable(FIRST_SCALE if float16 else 1.0)
        self.since_overflow = _variable(tf.zeros([], tf.int64))

    def freeze(self, parts: tuple[str, ...]) -> None:
        for name in PARTS:
            self.network.get_layer(name).trainable = name not in parts

    def weighting_of(self, stage: Stage) -> losses.LearnedWeights | None:
        """None also where only one branch learns: one loss has nothing to be weighed against."""
        return self.weighting if stage.branches == BRANCHES else None

    def trainable(self, stage: Stage) -> list:
        """What the optimizer of a stage is built for; call it when the stage's parts are frozen."""
        weighting = self.weighting_of(stage)
        return [*self.network.trainable_variables, *(weighting.trainable_variables if weighting else [])]

    def checkpointed(self) -> dict:
        tracked = {"network": self.network, "averages": self.averages, "seen": self.seen, "scale": self.scale}
        tracked["since_overflow"] = self.since_overflow
        return tracked if self.weighting is None else {**tracked, "weighting": self.weighting}

    def show_average(self, network: keras.Model) -> None:
        """Fills another network with the running average, or with the weights where there is none."""
        shown = self.averages or self.variables
        network.set_weights([tf.convert_to_tensor(variable).numpy() for variable in shown])

    def norm(self) -> float:
        """Of all weights together; not finite when one is not, or is beyond all use."""
        return float(tf.linalg.global_norm([tf.convert_to_tensor(variable) for variable in self.variables]))


def targets(batch: dict) -> dict:
    """What each branch is to answer to a batch, and where that is known (None: everywhere), as losses take the two."""
    known = tf.cast(batch["depth"] > 0, tf.float32)
    return {"mask": (batch["mask"], None), "depth": (encode_depth(batch["depth"]), known)}


def make_step(
    learner: Learner,
    stage: Stage,
    optimizer: keras.optimizers.Optimizer,
    strategy: tf.distribute.Strategy,
    jit_compile: bool = False,
) -> Callable:
    """A function of one (distributed) batch that trains and answers a dict of float32 scalars.

    optimizer: built for `learner.trainable(stage)` in the strategy's scope. jit_compile: gradients are compiled by XLA;
    for one replica only, because TensorFlow cannot compile what the replicas of one process say to each other.

    Answers `loss`, what is minimised; `mask` and `depth`, of the branches that learn; `mask_dice_loss` and so on, not
    weighted, where a branch has several losses; `gradient_norm`, before clipping. In float16 also `loss_scale`, and
    `left_out`: 1 for a step whose gradients overflowed, whose gradient_norm is given as 0.
    """
    replicas = strategy.num_replicas_in_sync
    variables = learner.trainable(stage)
    gradients = _make_gradients(learner, stage, variables, replicas)
    if jit_compile:
        gradients = tf.function(gradients, jit_compile=True)
    apply = _make_apply(learner, optimizer, variables, replicas)

    @tf.function
    def step(batch):
        # Read before BatchNorm's statistics change.
        before = strategy.run(lambda: [tf.identity(value) for value in learner.statistics]) if learner.float16 else ()
        shown, found = strategy.run(gradients, (batch,))
        shown = {name: strategy.reduce("SUM", value, axis=None) for name, value in shown.items()}
        if learner.float16:
            return {**shown, **_apply_if_finite(learner, strategy, apply, found, before)}
        return {**shown, "gradient_norm": strategy.reduce("MEAN", strategy.run(apply, (found,)), axis=None)}

    return step


def _make_gradients(learner: Learner, stage: Stage, variables: list, replicas: int) -> Callable:
    network, weighting = learner.network, learner.weighting_of(stage)

    def gradients(batch):
        """Of this replica's part of the mean over the whole batch; sums over replicas are the whole's."""
        local = tf.cast(tf.shape(batch["bg"])[0], tf.float32)
        count = local if replicas == 1 else _sum_of_replicas(local)
        wanted_of, losses_of = targets(batch), {"mask": stage.mask_loss, "depth": stage.depth_loss}
        branches: dict[str, tf.Tensor] = {}
        shown: dict[str, tf.Tensor] = {}
        with tf.GradientTape() as tape:
            predicted = network({"bg": batch["bg"], "fg_bg": batch["fg_bg"]}, training=True)
            for branch in stage.branches:
                target, known = wanted_of[branch]
                terms = losses_of[branch].parts(target, predicted[branch], known)
                branches[branch] = losses_of[branch].total(terms)
                if len(terms) > 1:
                    shown |= {f"{branch}_{name}_loss": value for name, value in terms.items()}
            values = weighting(branches) if weighting else tf.add_n(list(branches.values()))
            total = tf.reduce_sum(values) / count
            scaled = total * learner.scale
        shown = {name: tf.reduce_sum(value) / count for name, value in {**branches, **shown}.items()}
        return {"loss": total, **shown}, tape.gradient(scaled, variables)

    return gradients


def _make_apply(learner: Learner, optimizer, variables: list, replicas: int) -> Callable:
    options = learner.options

    def apply(found):
        """Changes weights and running average by the gradients of all replicas; answers the norm of these."""
        found = [gradient / learner.scale for gradient in found] if learner.float16 else found
        if replicas > 1:
            found = _sum_of_replicas(found)
        norm = tf.linalg.global_norm(found)
        if options.clip:
            found, _ = tf.clip_by_global_norm(found, options.clip, norm)
        # The optimizer adds up what the replicas give it, which here is the same already.
        optimizer.apply_gradients(
            [(gradient / replicas, variable) for gradient, variable in zip(found, variables, strict=True)]
        )
        if options.average:
            steps = tf.cast(optimizer.iterations, tf.float32)
            # At first the average of few is nearly all that there is.
            keep = tf.minimum(options.average, (1 + steps) / (10 + steps))
            for average, variable in zip(learner.averages, learner.variables, strict=True):
                average.assign(keep * average + (1 - keep) * tf.convert_to_tensor(variable))
        return norm

    return apply


def _apply_if_finite(learner: Learner, strategy, apply: Callable, found, before) -> dict:
    """float16 overflows now and then: then the loss is scaled down, and the step left out."""
    overflows = strategy.run(
        lambda gradients: tf.reduce_sum([tf.reduce_sum(tf.cast(~tf.math.is_finite(g), tf.float32)) for g in gradients]),
        (found,),
    )

    def applied():
        norm = strategy.reduce("MEAN", strategy.run(apply, (found,)), axis=None)
        grown = learner.since_overflow >= SCALE_GROWS_AFTER - 1
        learner.scale.assign(tf.where(grown, learner.scale * 2, learner.scale))
        learner.since_overflow.assign(tf.where(grown, tf.constant(0, tf.int64), learner.since_overflow + 1))
        return norm

    def put_back(values):
        for variable, value in zip(learner.statistics, values, strict=True):
            variable.assign(value)

    def left_out():
        # Not only weights: what overflowed on the way forward would stay in these for ever.
        strategy.run(put_back, (before,))
        learner.scale.assign(learner.scale / 2)
        learner.since_overflow.assign(tf.constant(0, tf.int64))
        return tf.constant(0.0)

    finite = strategy.reduce("SUM", overflows, axis=None) == 0
    norm = tf.cond(finite, applied, left_out)
    scale = tf.convert_to_tensor(learner.scale)
    return {"gradient_norm": norm, "left_out": tf.cast(~finite, tf.float32), "loss_scale": scale}


def _sum_of_replicas(value):
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, value)


def _variable(value) -> tf.Variable:
    """The same on all replicas, because each of them computes the same."""
    return tf.Variable(
        tf.convert_to_tensor(value), trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
    )
