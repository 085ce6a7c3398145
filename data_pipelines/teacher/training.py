"""Trains the small teacher: one loop, resumable, that keeps the weights that score best on unseen scenes."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from data_pipelines.demo.sources import MAX_DEPTH
from data_pipelines.teacher import network as teacher_network
from data_pipelines.teacher import weights as teacher_weights
from data_pipelines.teacher.augmentation import crop_randomly, vary_colors
from data_pipelines.teacher.scenes import CODES_PER_METRE, load_scenes

CHOSEN_BY = "demo"  # the set, and abs_rel the score, by which weights are kept

# By name: pictures, uint8 [n, h, w, 3], and depth codes, uint16 [n, h, w].
ScoredSets = Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class TeacherTraining:
    """How a teacher is trained.

    Attributes:
        work: folder for checkpoints.
        output: the .npz file to write.
        start: one to begin with, or "".
        size: (height, width) of the pictures.
        seed: of the scenes and of their order.
        scenes: how many to train on.
        steps: of the optimizer in all; the learning rate ends at 0 there. 0 only scores.
        batch_size: pictures in a step.
        learning_rate: at its highest.
        report_every: steps between scores.
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


def train(
    settings: TeacherTraining, rendering: Sequence[Future], scored: ScoredSets, say: Callable[[str], None]
) -> None:
    """Trains, or goes on where an earlier run of the same work folder stopped.

    Args:
        settings: how.
        rendering: futures of the scenes' files, from `start_rendering`; training begins with those that are there.
        scored: what to report on; the set CHOSEN_BY decides which weights are kept.
        say: takes a line, as print does.
    """
    network, averaged = (teacher_network.build_network(teacher_network.SMALL, settings.size) for _ in range(2))
    # The logarithm of the output begins at that of a usual depth, 4 metres.
    network.get_layer("conv3").bias.assign([np.log(MAX_DEPTH / 4)])
    if settings.start:
        start = Path(settings.start)
        stored = teacher_weights.read_teacher_npz(start, network, repr(teacher_network.SMALL))
        teacher_weights.assign_weights(network, stored, start)
    averaged.set_weights(network.get_weights())
    warmup = settings.steps // 20
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, settings.steps - warmup), warmup_target=settings.learning_rate, warmup_steps=warmup
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-2, global_clipnorm=1.0)
    step, best = tf.Variable(0, dtype=tf.int64), tf.Variable(np.inf)
    checkpoint = tf.train.Checkpoint(network=network, averaged=averaged, optimizer=optimizer, step=step, best=best)
    manager = tf.train.CheckpointManager(
        checkpoint, str(settings.work / "checkpoints_{}x{}".format(*settings.size)), max_to_keep=2
    )
    manager.restore_or_initialize()
    if int(step) >= settings.steps:
        report(int(step), averaged, scored, say)
        return

    @tf.function(reduce_retracing=True)
    def update(pictures, codes):
        pictures, metres = crop_randomly(pictures, codes)
        pictures = vary_colors(pictures)
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

    pictures, codes = load_scenes(rendering[:1])
    losses, began = [], time.time()
    while int(step) < settings.steps:
        if int(step) % 100 == 0 and len(pictures) < settings.scenes:
            pictures, codes = load_scenes([future for future in rendering if future.done()] or rendering[:1])
        chosen = np.random.default_rng([settings.seed, int(step)]).integers(len(pictures), size=settings.batch_size)
        losses.append(float(update(pictures[chosen], codes[chosen])))
        if int(step) % 100 == 0:
            rate = len(losses) / (time.time() - began)
            say(f"step {int(step)} loss {np.mean(losses):.4f}, {rate:.2f} steps/s, {len(pictures)} scenes")
            losses, began = [], time.time()
        if int(step) % settings.report_every == 0 or int(step) == settings.steps:
            error = report(int(step), averaged, scored, say)
            if error < float(best):
                best.assign(error)
                settings.output.parent.mkdir(parents=True, exist_ok=True)
                part = settings.output.with_suffix(".part.npz")
                teacher_weights.write_npz(part, averaged, repr(teacher_network.SMALL), MAX_DEPTH)
                os.replace(part, settings.output)
            manager.save()
            began = time.time()


def report(step: int, network: keras.Model, scored: ScoredSets, say: Callable[[str], None]) -> float:
    """Says the scores on each set, and returns the one to choose by."""
    scores = {name: score_network(network, *pictures_and_codes) for name, pictures_and_codes in scored.items()}
    for name, values in scores.items():
        say(f"step {step} {name} {json.dumps(values)}")
    return scores[CHOSEN_BY]["abs_rel"]


def log_depth_loss(predicted: tf.Tensor, target: tf.Tensor) -> tf.Tensor:
    """Returns the L1 loss of log(max_depth / depth) and of its slopes at four scales.

    The first makes relative errors small, the slopes make edges sharp.
    """
    error = (predicted - target)[..., tf.newaxis]
    loss = tf.reduce_mean(tf.abs(error))
    for _ in range(4):
        loss += 0.5 * tf.reduce_mean(tf.abs(error[:, 1:] - error[:, :-1]))
        loss += 0.5 * tf.reduce_mean(tf.abs(error[:, :, 1:] - error[:, :, :-1]))
        error = tf.nn.avg_pool2d(error, 2, 2, "VALID")
    return loss


def score_network(network: keras.Model, pictures: np.ndarray, codes: np.ndarray) -> dict[str, float]:
    """Returns means over pictures of the usual depth errors, as they are and after scaling to the true median.

    `flat_abs_rel` is that of the true median everywhere, to see what a scaled prediction is worth.
    """
    rows = []
    for first in range(0, len(pictures), 20):
        output = np.array(network(pictures[first : first + 20].astype("float32") / 255, training=False))[..., 0]
        for metres, code in zip(MAX_DEPTH / np.clip(output, 1, 100), codes[first : first + 20], strict=True):
            true = code[1::2, 1::2] / CODES_PER_METRE
            predicted, true = metres[true > 0], true[true > 0]
            scaled = predicted * np.median(true) / np.median(predicted)
            flat, *_ = depth_errors(np.median(true), true)
            rows.append([*depth_errors(predicted, true), *depth_errors(scaled, true), flat])
    names = ["abs_rel", "rmse", "delta_1.25", "scaled_abs_rel", "scaled_rmse", "scaled_delta_1.25", "flat_abs_rel"]
    return dict(zip(names, np.mean(rows, axis=0).round(4).tolist(), strict=True))


def depth_errors(predicted: np.ndarray | np.floating, true: np.ndarray) -> tuple[float, float, float]:
    """Returns abs_rel, rmse and the share of pixels within a factor of 1.25."""
    ratio = np.maximum(predicted / true, true / predicted)
    return np.mean(np.abs(predicted - true) / true), np.sqrt(np.mean((predicted - true) ** 2)), np.mean(ratio < 1.25)
