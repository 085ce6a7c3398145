"""One training step on all replicas: it changes the network, the running average, the optimizer and the loss scale.

A step on n replicas equals the step on one: losses and gradients are means over the whole batch, however it was divided
among them. In float16 a step whose gradients overflow changes nothing but the loss scale.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from fgseg_tf.data.base import Batch
from fgseg_tf.model.depth_code import encode_depth
from fgseg_tf.training.learner import Learner
from fgseg_tf.training.schedule import Stage

SCALE_GROWS_AFTER = 2000  # steps without overflow


def select_inputs(network: keras.Model, batch: Batch) -> dict[str, tf.Tensor]:
    """Returns what a network takes of a batch, by the names of its inputs."""
    given: dict[str, tf.Tensor] = {key: batch[key] for key in ("bg", "fg_bg", "mask")}
    if "bg_depth" in network.input:
        given["bg_depth"] = encode_depth(batch["bg_depth"])
    return {name: given[name] for name in network.input}


def make_targets(batch: Batch) -> dict[str, tuple[tf.Tensor, tf.Tensor | None]]:
    """Returns the target of each branch and where it is known (None: everywhere), as losses take the two."""
    known = tf.cast(batch["depth"] > 0, tf.float32)
    return {"mask": (batch["mask"], None), "depth": (encode_depth(batch["depth"]), known)}


def make_step(
    learner: Learner,
    stage: Stage,
    optimizer: keras.optimizers.Optimizer,
    strategy: tf.distribute.Strategy,
    jit_compile: bool = False,
) -> Callable:
    """Returns a function of one (distributed) batch that trains and returns a dict of float32 scalars.

    The scalars are `loss`, what is minimised; `mask` and `depth`, the losses of the branches that learn;
    `mask_dice_loss` and so on, not weighted, where a branch has several losses; `gradient_norm`, before clipping. In
    float16 also `loss_scale`, and `left_out`: 1 for a step whose gradients overflowed, whose gradient_norm is then 0.

    Args:
        learner: is changed by every step.
        stage: its losses, and what is frozen.
        optimizer: built for `learner.trainable_variables(stage)` in the strategy's scope.
        strategy: the replicas.
        jit_compile: whether gradients are compiled by XLA; for one replica only, because TensorFlow cannot compile the
            communication between the replicas of one process.
    """
    replicas = strategy.num_replicas_in_sync
    variables = learner.trainable_variables(stage)
    gradients = _make_gradients(learner, stage, variables, replicas)
    if jit_compile:
        gradients = tf.function(gradients, jit_compile=True, autograph=False)
    apply = _make_apply(learner, optimizer, variables, replicas)

    # Nothing in it is for autograph, which would take a sixth of the time of the first step.
    @tf.function(autograph=False)
    def step(batch):
        # Read before BatchNorm's statistics change.
        before = strategy.run(lambda: [tf.identity(value) for value in learner.statistics]) if learner.float16 else ()
        shown, replica_gradients = strategy.run(gradients, (batch,))
        shown = {name: strategy.reduce("SUM", value, axis=None) for name, value in shown.items()}
        if learner.float16:
            return {**shown, **_apply_if_finite(learner, strategy, apply, replica_gradients, before)}
        return {**shown, "gradient_norm": strategy.reduce("MEAN", strategy.run(apply, (replica_gradients,)), axis=None)}

    return step


def _make_gradients(learner: Learner, stage: Stage, variables: list, replicas: int) -> Callable:
    network, weighting = learner.network, learner.weighting_for(stage)
    learning = [branch for branch in stage.branches if branch in network.output]

    def gradients(batch):
        """Of this replica's part of the mean over the whole batch; sums over replicas are the whole's."""
        local = tf.cast(tf.shape(batch["bg"])[0], tf.float32)
        count = local if replicas == 1 else _sum_of_replicas(local)
        wanted_of, losses_of = make_targets(batch), {"mask": stage.mask_loss, "depth": stage.depth_loss}
        branches: dict[str, tf.Tensor] = {}
        shown: dict[str, tf.Tensor] = {}
        with tf.GradientTape() as tape:
            predicted = network(select_inputs(network, batch), training=True)
            for branch in learning:
                target, known = wanted_of[branch]
                terms = losses_of[branch].compute_terms(target, predicted[branch], known)
                branches[branch] = losses_of[branch].add_terms(terms)
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

    def apply(gradients):
        """Changes weights and running average by the gradients of all replicas; returns the norm of the gradients."""
        gradients = [gradient / learner.scale for gradient in gradients] if learner.float16 else gradients
        if replicas > 1:
            gradients = _sum_of_replicas(gradients)
        norm = tf.linalg.global_norm(gradients)
        if options.clip:
            gradients, _ = tf.clip_by_global_norm(gradients, options.clip, norm)
        # The optimizer adds up what the replicas give it, which here is the same already.
        optimizer.apply_gradients(
            [(gradient / replicas, variable) for gradient, variable in zip(gradients, variables, strict=True)]
        )
        if options.average:
            steps = tf.cast(optimizer.iterations, tf.float32)
            # At first an average of few weights is better than one that still holds the initial ones.
            keep = tf.minimum(options.average, (1 + steps) / (10 + steps))
            for average, variable in zip(learner.averages, learner.variables, strict=True):
                average.assign(keep * average + (1 - keep) * tf.convert_to_tensor(variable))
        return norm

    return apply


def _apply_if_finite(learner: Learner, strategy, apply: Callable, gradients, before) -> dict:
    """Applies gradients unless some overflowed, as they sometimes do in float16; then scales the loss down."""
    overflows = strategy.run(
        lambda gradients: tf.reduce_sum([tf.reduce_sum(tf.cast(~tf.math.is_finite(g), tf.float32)) for g in gradients]),
        (gradients,),
    )

    def applied():
        norm = strategy.reduce("MEAN", strategy.run(apply, (gradients,)), axis=None)
        grown = learner.since_overflow >= SCALE_GROWS_AFTER - 1
        learner.scale.assign(tf.where(grown, learner.scale * 2, learner.scale))
        learner.since_overflow.assign(tf.where(grown, tf.constant(0, tf.int64), learner.since_overflow + 1))
        return norm

    def put_back(values):
        for variable, value in zip(learner.statistics, values, strict=True):
            variable.assign(value)

    def left_out():
        # Not only weights are kept: an overflow in the forward pass would stay in the statistics for ever.
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
