"""Trains the small teacher: one loop, resumable, that keeps the weights that score best on unseen scenes."""

import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from data_pipelines.demo.sources import MAX_DEPTH
from data_pipelines.teacher import network as teacher
from data_pipelines.teacher import weights as teacher_weights
from data_pipelines.teacher.augmentation import cut_out_parts, recoloured
from data_pipelines.teacher.scenes import CODES_PER_METRE, wait_for

CHOSEN_BY = "demo"  # the set, and abs_rel the score, by which weights are kept


@dataclass(frozen=True)
class Recipe:
    """work: folder for checkpoints. output: the .npz file to write. start: one to begin with, or "".

    steps: in all; the learning rate ends at 0 there. 0: only scores.
    """

    work: Path
    output: Path
    start: str
    size: tuple[int, int]
    seed: int
    scenes: int
    steps: int
    batch_size: int
    learning_rate: float
    report_every: int


def train(recipe: Recipe, rendering: Sequence[Future], scored: dict, say: Callable) -> None:
    """rendering: futures of the scenes' files, from `start_rendering`; what is there is learned from while more comes.

    scored: name -> (pictures, codes); say: takes a line, as print does.
    """
    network, averaged = (teacher.build(teacher.SMALL, recipe.size) for _ in range(2))
    # The answer's logarithm begins at that of a usual depth, 4 metres.
    network.get_layer("conv3").bias.assign([np.log(MAX_DEPTH / 4)])
    if recipe.start:
        start = Path(recipe.start)
        stored = teacher_weights.read_npz(start, expected_network=repr(teacher.SMALL))
        teacher_weights.assign(network, stored, start)
    averaged.set_weights(network.get_weights())
    warmup = recipe.steps // 20
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, recipe.steps - warmup), warmup_target=recipe.learning_rate, warmup_steps=warmup
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-2, global_clipnorm=1.0)
    step, best = tf.Variable(0, dtype=tf.int64), tf.Variable(np.inf)
    checkpoint = tf.train.Checkpoint(network=network, averaged=averaged, optimizer=optimizer, step=step, best=best)
    manager = tf.train.CheckpointManager(
        checkpoint, str(recipe.work / "checkpoints_{}x{}".format(*recipe.size)), max_to_keep=2
    )
    manager.restore_or_initialize()
    if int(step) >= recipe.steps:
        report(int(step), averaged, scored, say)
        return

    @tf.function(reduce_retracing=True)
    def update(pictures, codes):
        pictures, metres = cut_out_parts(pictures, codes)
        pictures = recoloured(pictures)
        target = tf.math.log(MAX_DEPTH / tf.clip_by_value(metres, MAX_DEPTH / 100, MAX_DEPTH))
        with tf.GradientTape() as tape:
            loss = log_depth_loss(tf.math.log(network(pictures, training=True)[..., 0]), target)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        keep = tf.minimum(0.998, (1 + tf.cast(step, tf.float32)) / (10 + tf.cast(step, tf.float32)))
        for average, now in zip(averaged.weights, network.weights, strict=True):
            average.assign(keep * average + (1 - keep) * now)
        step.assign_add(1)
        return loss

    pictures, codes = wait_for(rendering[:1])
    losses, began = [], time.time()
    while int(step) < recipe.steps:
        if int(step) % 100 == 0 and len(pictures) < recipe.scenes:
            pictures, codes = wait_for([future for future in rendering if future.done()] or rendering[:1])
        chosen = np.random.default_rng([recipe.seed, int(step)]).integers(len(pictures), size=recipe.batch_size)
        losses.append(float(update(pictures[chosen], codes[chosen])))
        if int(step) % 100 == 0:
            rate = len(losses) / (time.time() - began)
            say(f"step {int(step)} loss {np.mean(losses):.4f}, {rate:.2f} steps/s, {len(pictures)} scenes")
            losses, began = [], time.time()
        if int(step) % recipe.report_every == 0 or int(step) == recipe.steps:
            error = report(int(step), averaged, scored, say)
            if error < float(best):
                best.assign(error)
                recipe.output.parent.mkdir(parents=True, exist_ok=True)
                part = recipe.output.with_suffix(".part.npz")
                teacher_weights.write_npz(part, averaged, repr(teacher.SMALL), MAX_DEPTH)
                os.replace(part, recipe.output)
            manager.save()
            began = time.time()


def report(step: int, network: keras.Model, scored: dict, say: Callable) -> float:
    """Says the scores on each set, and answers the one to choose by."""
    found = {name: scores(network, *pictures_and_codes) for name, pictures_and_codes in scored.items()}
    for name, values in found.items():
        say(f"step {step} {name} {json.dumps(values)}")
    return found[CHOSEN_BY]["abs_rel"]


def log_depth_loss(predicted: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """L1 of log(max_depth / depth), for small relative errors, and of its slopes at four scales, for sharp edges."""
    error = (predicted - target)[..., tf.newaxis]
    loss = tf.reduce_mean(tf.abs(error))
    for _ in range(4):
        loss += 0.5 * tf.reduce_mean(tf.abs(error[:, 1:] - error[:, :-1]))
        loss += 0.5 * tf.reduce_mean(tf.abs(error[:, :, 1:] - error[:, :, :-1]))
        error = tf.nn.avg_pool2d(error, 2, 2, "VALID")
    return loss


def scores(network: keras.Model, pictures: np.ndarray, codes: np.ndarray) -> dict[str, float]:
    """Mean over pictures of the usual depth errors, as they are and after scaling each picture to the true median.

    flat_abs_rel: of an answer that is the true median everywhere, to see what a scaled one is worth.
    """
    rows = []
    for first in range(0, len(pictures), 20):
        answer = np.array(network(pictures[first : first + 20].astype("float32") / 255, training=False))[..., 0]
        for predicted, code in zip(MAX_DEPTH / np.clip(answer, 1, 100), codes[first : first + 20], strict=True):
            true = code[1::2, 1::2] / CODES_PER_METRE
            predicted, true = predicted[true > 0], true[true > 0]
            scaled = predicted * np.median(true) / np.median(predicted)
            flat, *_ = errors(np.median(true), true)
            rows.append([*errors(predicted, true), *errors(scaled, true), flat])
    names = ["abs_rel", "rmse", "delta_1.25", "scaled_abs_rel", "scaled_rmse", "scaled_delta_1.25", "flat_abs_rel"]
    return dict(zip(names, np.mean(rows, axis=0).round(4).tolist(), strict=True))


def errors(predicted: np.ndarray | np.floating, true: np.ndarray) -> tuple[float, float, float]:
    ratio = np.maximum(predicted / true, true / predicted)
    return np.mean(np.abs(predicted - true) / true), np.sqrt(np.mean((predicted - true) ** 2)), np.mean(ratio < 1.25)
