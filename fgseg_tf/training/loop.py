"""The training loop: stage after stage over `strategy.run`, resumable at any moment.

    lock and claim the run's folder -> the newest whole checkpoint -> for each stage: freeze, optimizer, step
    -> epochs: train, validate, checkpoint
    -> the averaged network as model.keras

A training that is killed and resumed gives the same network as one that was not: the order of examples is a function of
how many were seen, and a checkpoint holds everything else that changes. Only history.json shows the difference: for an
epoch that was resumed, it holds means over the steps after the resumption. Asked to stop (`runtime.signals`), a
training saves a checkpoint after the step under way; of several workers, all do so together.
"""

import contextlib
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

import keras
import numpy as np
import tensorflow as tf

from data_pipelines.runtime.files import join_path, write_json
from data_pipelines.runtime.progress import ProgressFactory
from data_pipelines.runtime.signals import Request, describe_stop, postpone
from fgseg_tf.data.base import Data, Order
from fgseg_tf.data.object_examples import ENLARGED, choose_view, keep_objects, vary_knowledge
from fgseg_tf.measures import metrics
from fgseg_tf.model import networks, object_depth, weights
from fgseg_tf.model.depth_code import decode_depth
from fgseg_tf.runs import run_folder
from fgseg_tf.runs.run_folder import HistoryRow
from fgseg_tf.training import distribution
from fgseg_tf.training.checkpoints import Checkpoints, DivergedError
from fgseg_tf.training.claim import choose_checkpoint, claim_run, load_first_weights
from fgseg_tf.training.learner import Learner
from fgseg_tf.training.optimizers import make_optimizer
from fgseg_tf.training.options import Training
from fgseg_tf.training.schedule import Stage
from fgseg_tf.training.step import make_step, select_inputs
from fgseg_tf.training.tensorboard import Logs

STEPS_BETWEEN_CHECKS = 20  # of the losses: reading them waits for the device
VALIDATED = ("mask_iou", "depth_abs_rel", "depth_delta_1")
PRINTED = ("loss", "mask", "depth", *VALIDATED)  # of each epoch


def train(
    training: Training,
    data: Data,
    folder: str,
    strategy: tf.distribute.Strategy,
    progress: ProgressFactory,
    say: Callable[[str], object],
    restart: bool = False,
) -> keras.Model:
    """Trains a network in a run's folder, or resumes there.

    Only the chief of several workers writes and prints.

    Args:
        training: the options.
        data: what is trained and validated on.
        folder: of the run; a new one, or one that was begun with the same settings.
        strategy: the devices that train together, as `distribution.make_strategy` returns it.
        progress: makes the reporter that counts the examples of an epoch.
        say: prints a line.
        restart: throws the run's checkpoints away and begins anew.

    Returns:
        The trained network, the running average of the weights, in float32.

    Raises:
        ValueError: the options, the data and the devices do not fit together.
        RunError: the folder holds another run, or something else.
        LockedError: another process is training there.
        CheckpointError: the run has checkpoints, and none of them is whole.
        DivergedError: a loss, a gradient or a weight is not a number any more.
    """
    check_training(training, data, strategy)
    # First: some of the first weights may be random, and every worker must draw the same.
    keras.utils.set_random_seed(training.seed)
    first, grown_from = load_first_weights(training, folder, restart)
    with contextlib.ExitStack() as held:
        if distribution.worker_number(strategy) is not None:
            held.enter_context(postpone())  # or the other workers would wait for one that has gone
        claim_run(folder, training.run_settings(data), data.earlier_digests, strategy, restart, held)
        if training.deterministic:
            tf.config.experimental.enable_op_determinism()
        run = _TrainingRun(training, data, folder, strategy, first, progress, say)
        if grown_from:
            run.say(f"{training.network} begins with the outputs of a {grown_from} network, and with room for more")
        return run.run()


def check_training(training: Training, data: Data, strategy: tf.distribute.Strategy) -> None:
    """Raises ValueError, before anything expensive is done, where a training could not reach its end."""
    replicas = strategy.num_replicas_in_sync
    if training.jit_compile and replicas > 1:
        raise ValueError(
            f"`jit_compile` is for one replica, and here are {replicas}; leave it out (a TPU compiles anyway)."
        )
    for stage in training.stages:
        height, width = data.scaled_size(stage.side)
        if training.network == object_depth.NAME:
            _check_object_stage(stage, (height * ENLARGED, width * ENLARGED), data)
        if stage.batch % replicas:
            raise ValueError(
                f"a batch of {stage.batch} cannot be dealt out to {replicas} replicas; take a multiple of {replicas}."
            )
        steps_per_epoch(training, stage, data)


def _check_object_stage(stage: Stage, read_at: tuple[int, int], data: Data) -> None:
    """Raises ValueError where the network for the depth of objects cannot be trained so."""
    if stage.freeze:
        raise ValueError(f"`freeze`={'+'.join(stage.freeze)}: the parts of {object_depth.NAME} learn together.")
    if read_at[0] > data.height or read_at[1] > data.width:
        raise ValueError(
            f"{object_depth.NAME} learns from parts of pictures: for {stage.epochs}@{stage.side or 0} they must be "
            f"{read_at[0]}x{read_at[1]} or larger, and are {data.height}x{data.width}; take a smaller stage or a "
            "larger `image_size`."
        )


def steps_per_epoch(training: Training, stage: Stage, data: Data) -> int:
    """Returns the number of steps in an epoch of a stage; raises ValueError where it has not even one."""
    examples = training.examples_per_epoch or data.counts["train"]
    if examples < stage.batch:
        raise ValueError(
            f"an epoch has {examples} examples, fewer than a batch of {stage.batch}; take a smaller `batch` or more "
            "data."
        )
    return examples // stage.batch


class _TrainingRun:
    """What the epochs of one training share."""

    def __init__(
        self,
        training: Training,
        data: Data,
        folder: str,
        strategy: tf.distribute.Strategy,
        first: dict | None,
        progress: ProgressFactory,
        say: Callable[[str], object],
    ):
        self.training, self.data, self.folder, self.strategy = training, data, folder, strategy
        self.of_objects = training.network == object_depth.NAME
        self.chief = distribution.worker_number(strategy) in (None, 0)
        self.progress: ProgressFactory = progress if self.chief else cast(ProgressFactory, _NoProgress)
        self.say: Callable[[str], object] = say if self.chief else lambda line: None
        # Holds the running average, on one device, in float32, to be scored and saved.
        self.averaged = networks.build(training.network)
        with strategy.scope():
            synchronized = strategy.num_replicas_in_sync > 1
            network = networks.build(training.network, synchronized, training.precision)
            if first:
                weights.set_arrays(network, first, f"`start`={training.start}")
            self.learner = Learner(network, training.optimization, training.precision == "mixed_float16")
            self.checkpoints = Checkpoints(run_folder.checkpoint_folder(folder), self.learner, writes=self.chief)
        seen = choose_checkpoint(folder, self.checkpoints, strategy, self.say)
        self.checkpoints.restore(seen)
        self.history = [row for row in run_folder.read_history(folder) if row["seen"] <= seen]
        self.saved = time.monotonic()

    def run(self) -> keras.Model:
        """Trains all stages that are left; returns the averaged network."""
        self.say(
            f"{self.training.network}: {self.learner.network.count_params():,} parameters, "
            f"{self.data.counts['train']:,} training examples of {self.data.height}x{self.data.width}, "
            f"{self.strategy.num_replicas_in_sync} replica(s)"
        )
        with describe_stop(self._describe_position), postpone() as stop:
            with Logs(self.folder if self.chief else None) as logs:
                for number in range(int(self.checkpoints.stage.numpy()), len(self.training.stages)):
                    try:
                        self._run_stage(number, logs, stop)
                    except DivergedError as error:
                        raise DivergedError(f"stage {number + 1}: {error}. {self._advice()}") from error
            self.learner.copy_average_to(self.averaged)
            if self.chief:
                run_folder.save_network(self.folder, self.averaged)
        return self.averaged

    def _describe_position(self) -> str:
        seen = int(self.learner.examples_seen.numpy())
        return f" after {seen:,} examples; start again with the same flags to go on"

    def _stop_if_asked(self, stop: Request) -> None:
        """Ends the training, everything of which is saved, where this worker or another one was asked to stop."""
        if distribution.any_worker(self.strategy, stop.is_made()):
            raise stop.make_stop()

    def _run_stage(self, number: int, logs: Logs, stop: Request) -> None:
        training, learner, stage = self.training, self.learner, self.training.stages[number]
        epoch_steps = steps_per_epoch(training, stage, self.data)
        learner.freeze(stage.freeze)
        with self.strategy.scope():
            optimizer = make_optimizer(training.optimization, stage.rate, stage.epochs * epoch_steps)
            optimizer.build(learner.trainable_variables(stage))
        self.checkpoints.restore_optimizer(optimizer)
        size = self.data.scaled_size(stage.side)
        title = f"stage {number + 1}/{len(training.stages)}"
        self.say(f"{title}: {stage}, {size[0]}x{size[1]} pixels, {epoch_steps} steps an epoch")
        step = make_step(learner, stage, optimizer, self.strategy, training.jit_compile)
        batches = iter(self._batches(stage, size))
        for epoch in range(int(self.checkpoints.step.numpy()) // epoch_steps, stage.epochs):
            began = time.monotonic()
            means = self._run_epoch(
                f"{title} epoch {epoch + 1}", stage, (epoch + 1) * epoch_steps, step, batches, optimizer, stop
            )
            seconds = time.monotonic() - began
            place = {"stage": number + 1, "epoch": epoch + 1, "seen": int(learner.examples_seen.numpy())}
            scores = self._validate(size)
            self._record_epoch(cast(HistoryRow, {**means, "seconds": round(seconds, 3), **scores, **place}), logs)
            if training.validate:
                logs.write_pictures(lambda: self._predict_some(size), int(learner.examples_seen.numpy()), seconds)
            if epoch + 1 < stage.epochs:
                self._save(optimizer)
                self._stop_if_asked(stop)
        self.checkpoints.stage.assign(number + 1)
        self.checkpoints.step.assign(0)
        self._save()
        if number + 1 < len(self.training.stages):
            self._stop_if_asked(stop)

    def _run_epoch(
        self, title: str, stage: Stage, last_step: int, step, batches, optimizer, stop: Request
    ) -> dict[str, float]:
        """Trains up to a step of the stage; returns the number of examples and the means of the steps' scalars."""
        waiting: list[dict] = []
        sums: dict[str, float] = {}
        first = int(self.checkpoints.step.numpy())
        # Several workers ask one another only when they look at the losses, which makes them wait for one another too.
        alone = distribution.worker_number(self.strategy) is None
        with self.progress(title, last_step * stage.batch, "examples") as progress:
            progress.add_earlier(first * stage.batch)
            for number in range(first, last_step):
                waiting.append(step(next(batches)))
                stopping = alone and stop.is_made()
                if len(waiting) < STEPS_BETWEEN_CHECKS and number + 1 < last_step and not stopping:
                    continue
                for name, value in self._sum_reports(waiting, number + 1 - len(waiting)).items():
                    sums[name] = sums.get(name, 0.0) + value
                self.checkpoints.step.assign(number + 1)
                self.learner.examples_seen.assign_add(len(waiting) * stage.batch)
                progress.add(len(waiting) * stage.batch)
                waiting = []
                if number + 1 == last_step:
                    break
                due = time.monotonic() - self.saved > 60 * self.training.checkpoint_minutes
                if distribution.any_worker(self.strategy, due or stop.is_made()):
                    self._save(optimizer)
                    self._stop_if_asked(stop)
        self.checkpoints.check_weights()
        done = last_step - first
        return {"examples": done * stage.batch, **{name: value / done for name, value in sums.items()}}

    def _sum_reports(self, waiting: list[dict], first: int) -> dict:
        """Returns the sums of some steps' scalars; `first` is the number of the first step, counted from 0.

        Raises:
            DivergedError: one of them is not a number.
        """
        sums: dict[str, float] = {}
        for number, scalars in enumerate(waiting, start=first + 1):
            values = {name: float(value) for name, value in scalars.items()}
            for name in ("loss", "gradient_norm"):
                if not math.isfinite(values[name]):
                    raise DivergedError(f"the {name.replace('_', ' ')} of step {number} is {values[name]}")
            if values.get("loss_scale", 1) < 1:
                raise DivergedError(f"the gradients of step {number} overflow however the loss is scaled")
            for name, value in values.items():
                sums[name] = sums.get(name, 0.0) + value
        return sums

    def _advice(self) -> str:
        latest = self.checkpoints.latest()
        other = "take a lower `rate` (or rate= in `stages`), a `clip`, or `precision`=float32, and a new `run`."
        if not latest:
            return f"Nothing was kept yet: {other}"
        return f"The last good checkpoint is kept: the same flags go on from {latest}. If they end here again, {other}"

    def _save(self, optimizer=None) -> None:
        self.checkpoints.save(optimizer)
        self.saved = time.monotonic()

    def _record_epoch(self, row: HistoryRow, logs: Logs) -> None:
        """Prints the row of an epoch, and writes it to TensorBoard's logs and to history.json."""
        self.history.append(row)
        values: Mapping[str, Any] = row
        self.say("  " + "  ".join(f"{name} {values[name]:.4f}" for name in PRINTED if name in values))
        logs.write_epoch(row, row["seen"])
        if self.chief:
            write_json(join_path(self.folder, "history.json"), self.history)

    def _batches(self, stage: Stage, size: tuple[int, int]):
        # Several workers share a stream by places in it, so its order must be the same for all.
        deterministic = self.training.deterministic or distribution.worker_number(self.strategy) is not None
        order = Order(self.training.seed, int(self.learner.examples_seen.numpy()), deterministic)

        def make_worker_batches(context: tf.distribute.InputContext):
            mine = replace(order, worker=context.input_pipeline_id, workers=context.num_input_pipelines)
            share = context.get_per_replica_batch_size(stage.batch)
            training, capture = self.training, self.training.capture
            if self.of_objects:
                enlarged = size[0] * ENLARGED, size[1] * ENLARGED

                def change(example, seed):
                    return choose_view(capture.change(example, seed), seed)

                return self.data.training(share, enlarged, mine, training.mirror, change, training.echo, vary_knowledge)
            return self.data.training(
                share, size, mine, training.mirror, capture.change if capture else None, training.echo
            )

        return self.strategy.distribute_datasets_from_function(
            make_worker_batches,
            # What fetches ahead to a device has a tuner of its own (see `disable_tuner`); on CPUs there is nowhere to
            # fetch to.
            tf.distribute.InputOptions(experimental_fetch_to_device=distribution.has_accelerator()),
        )

    def _validate(self, size: tuple[int, int]) -> dict:
        """Returns the scores of the averaged network on some examples of the last and hardest split."""
        if not self.training.validate:
            return {}
        self.learner.copy_average_to(self.averaged)
        split = self._hardest_split()
        count = min(self.training.validate, self.data.counts[split])
        # With the exposures of training, but every example with its object, since objects are scored.
        capture = replace(self.training.capture, nobody=0.0, ghosts=0.0)
        batches = self.data.scoring(
            split, self.training.stages[0].batch, size, count, capture.change if capture else None
        )
        # Of each metric a list of (values, weights), [B] each.
        rows: dict[str, list] = {}
        for batch in batches:
            for name, value in self._quick_scores(keep_objects(batch) if self.of_objects else batch).items():
                rows.setdefault(name, []).append(np.array(value))
        scores = {}
        for name, pairs in rows.items():
            values, weights = np.concatenate(pairs, axis=-1)
            scores[name] = float((values * weights).sum() / max(weights.sum(), 1e-9))
        return scores

    @tf.function(reduce_retracing=True, autograph=False)
    def _quick_scores(self, batch):
        predicted = self.averaged(select_inputs(self.averaged, batch), training=False)
        metres = decode_depth(predicted["depth"])
        scores = {
            "depth_abs_rel": metrics.abs_rel(batch["depth"], metres),
            "depth_delta_1": metrics.delta(batch["depth"], metres),
        }
        if "mask" in predicted:
            scores["mask_iou"] = metrics.iou(batch["mask"], predicted["mask"])
        return scores

    def _predict_some(self, size) -> dict:
        split = self._hardest_split()
        batch = next(iter(self.data.scoring(split, 4, size, 4)))
        predicted = self.averaged(select_inputs(self.averaged, batch), training=False)
        depth = decode_depth(predicted["depth"])
        if self.of_objects:
            depth = tf.where(batch["mask"] >= 0.5, depth, batch["bg_depth"])
        mask = predicted.get("mask", batch["mask"])
        return {**batch, "predicted_mask": mask, "predicted_depth": depth}

    def _hardest_split(self) -> str:
        return self.data.test_splits[-1] if self.data.test_splits else "train"


class _NoProgress(contextlib.nullcontext):
    """A progress reporter that shows nothing."""

    def __init__(self, *_):
        super().__init__(self)

    def add_earlier(self, done: int) -> None: ...

    def add(self, done: int) -> None: ...
