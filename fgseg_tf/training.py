"""The story of a training: stage after stage over `strategy.run`, resumable at any moment.

    claim the run's folder -> for each stage: freeze, optimizer, step -> epochs: train, score a little, checkpoint
    -> the averaged network as model.keras

What comes after a kill is what would have come without it: the order of examples is a function of how many were seen,
and a checkpoint holds everything else that changes.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace

import keras
import numpy as np
import tensorflow as tf

from fgseg_tf import metrics, run_folder
from fgseg_tf.coding import decode_depth
from fgseg_tf.dataset import Data, Order
from fgseg_tf.logs import Logs
from fgseg_tf.model import ARCHITECTURES, build
from fgseg_tf.stages import Stage
from fgseg_tf.steps import Learner, Optimization, make_optimizer, make_step

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
LOOKED_AT_EVERY = 20  # steps between two looks at the losses: each look waits for the device
KEPT_CHECKPOINTS = 3
VALIDATED = ("mask_iou", "depth_abs_rel", "depth_delta_1")


class DivergedError(ValueError):
    """The loss is not a number any more."""


@dataclass(frozen=True)
class Training:
    """A whole training. The defaults are those of the flags.

    examples_per_epoch: 0 for all of the training split. validate: examples scored after each epoch; 0 for none.
    checkpoint_minutes: between checkpoints within an epoch; there is one after each epoch.
    """

    stages: tuple[Stage, ...]
    network: str = "base"
    examples_per_epoch: int = 0
    optimization: Optimization = field(default_factory=Optimization)
    precision: str = "float32"
    jit_compile: bool = False
    seed: int = 0
    deterministic: bool = False
    mirror: bool = True
    validate: int = 256
    checkpoint_minutes: float = 5.0

    def __post_init__(self):
        if self.network not in ARCHITECTURES:
            raise ValueError(f"--network={self.network} is not a size; take {', '.join(ARCHITECTURES)}.")
        if self.precision not in PRECISIONS:
            raise ValueError(f"--precision={self.precision} is not one; take {', '.join(PRECISIONS)}.")
        for flag in ("examples_per_epoch", "validate", "seed"):
            if getattr(self, flag) < 0:
                raise ValueError(f"--{flag}={getattr(self, flag)} is negative.")

    def settings(self, data: Data) -> dict:
        """What decides the outcome, for run.json: a run goes on only with the same."""
        said = asdict(replace(self, stages=()))
        said |= said.pop("optimization")
        del said["checkpoint_minutes"], said["validate"]
        said["stages"] = [str(stage) for stage in self.stages]
        said |= {"data": data.description, "data_digest": data.digest}
        said |= {"depth_unit": data.depth_unit, "image_size": [data.height, data.width], "labels": data.labels}
        return said


def train(
    training: Training, data: Data, folder: str, strategy: tf.distribute.Strategy, progress: Callable, say: Callable
) -> keras.Model:
    """Trains in the folder, or goes on there, and answers the trained network.

    progress: makes what counts the examples of an epoch: progress(title, total, "examples"), a context with `add`.
    say: prints a line. Only the chief of several workers writes and prints.
    """
    check(training, data, strategy)
    run_folder.claim(folder, training.settings(data))
    keras.utils.set_random_seed(training.seed)
    if training.deterministic:
        tf.config.experimental.enable_op_determinism()
    keras.mixed_precision.set_global_policy(training.precision)
    try:
        return _Run(training, data, folder, strategy, progress, say).run()
    finally:
        keras.mixed_precision.set_global_policy("float32")


def check(training: Training, data: Data, strategy: tf.distribute.Strategy) -> None:
    """Refuses, before anything expensive, what could not be trained to its end."""
    replicas = strategy.num_replicas_in_sync
    for stage in training.stages:
        data.scaled(stage.side)
        if stage.batch % replicas:
            raise ValueError(
                f"a batch of {stage.batch} cannot be dealt out to {replicas} replicas; take a multiple of {replicas}."
            )
        steps_per_epoch(training, stage, data)


def steps_per_epoch(training: Training, stage: Stage, data: Data) -> int:
    examples = training.examples_per_epoch or data.counts["train"]
    if examples < stage.batch:
        raise ValueError(
            f"an epoch has {examples} examples, fewer than a batch of {stage.batch}; take a smaller --batch or more data."
        )
    return examples // stage.batch


class _Run:
    """Everything that the epochs of one training share."""

    def __init__(self, training, data, folder, strategy, progress, say):
        self.training, self.data, self.folder, self.strategy = training, data, folder, strategy
        self.worker = _worker(strategy)
        self.alone, self.chief = self.worker is None, self.worker in (None, 0)
        self.progress, self.say = progress, say if self.chief else (lambda line: None)
        with strategy.scope():
            network = build(ARCHITECTURES[training.network], synchronized=strategy.num_replicas_in_sync > 1)
            self.learner = Learner(network, training.optimization, training.precision == "mixed_float16")
            # Position: which stage, and how many of its steps are done.
            self.stage, self.step = (
                tf.Variable(0, dtype=tf.int64, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
                for _ in range(2)
            )
        # What is scored and saved: the running average, on one device.
        self.shown = build(ARCHITECTURES[training.network])
        self.history = []

    def run(self) -> keras.Model:
        self.say(
            f"{self.training.network}: {self.learner.network.count_params():,} parameters, "
            f"{self.data.counts['train']:,} training examples of {self.data.height}x{self.data.width}, "
            f"{self.strategy.num_replicas_in_sync} replica(s)"
        )
        latest = tf.train.latest_checkpoint(run_folder.path(self.folder, "checkpoints"))
        first = int(tf.train.load_variable(latest, "stage/.ATTRIBUTES/VARIABLE_VALUE")) if latest else 0
        if latest and first == len(self.training.stages):
            self._manager(None).checkpoint.restore(latest).expect_partial()
        with Logs(self.folder if self.chief else None) as logs:
            for number in range(first, len(self.training.stages)):
                self._run_stage(number, latest if number == first else None, logs)
        self.learner.show_average(self.shown)
        if self.chief:
            run_folder.save_network(self.folder, self.shown)
        return self.shown

    def _run_stage(self, number: int, latest: str | None, logs: Logs) -> None:
        training, learner, stage = self.training, self.learner, self.training.stages[number]
        epoch_steps = steps_per_epoch(training, stage, self.data)
        learner.freeze(stage.freeze)
        with self.strategy.scope():
            optimizer = make_optimizer(training.optimization, stage.rate, stage.epochs * epoch_steps)
            optimizer.build(learner.trainable())
        manager = self._manager(optimizer)
        if latest:
            manager.checkpoint.restore(latest).assert_existing_objects_matched()
            self.history = [row for row in run_folder.read_history(self.folder) if row["seen"] <= int(learner.seen)]
        if int(self.stage) != number:
            raise AssertionError(f"stage {number} begins with a checkpoint of stage {int(self.stage)}")
        size = self.data.scaled(stage.side)
        title = f"stage {number + 1}/{len(training.stages)}"
        self.say(f"{title}: {stage}, {size[0]}x{size[1]} pixels, {epoch_steps} steps an epoch")
        step = make_step(learner, stage, optimizer, self.strategy, training.jit_compile)
        batches = iter(self._batches(stage, size))
        while int(self.step) < stage.epochs * epoch_steps:
            epoch = int(self.step) // epoch_steps
            began = time.monotonic()
            row = self._run_epoch(
                stage, (epoch + 1) * epoch_steps, step, batches, manager, f"{title} epoch {epoch + 1}"
            )
            seconds = time.monotonic() - began
            row |= {"seconds": round(seconds, 2), **self._validate(size)}
            row |= {"stage": number + 1, "epoch": epoch + 1, "seen": int(learner.seen)}
            self._note(row, logs)
            if training.validate:
                logs.pictures(lambda: self._some_pictures(size), int(learner.seen), seconds)
            if epoch + 1 == stage.epochs:
                self.stage.assign(number + 1)
                self.step.assign(0)
            manager.save()
            if int(self.stage) > number:
                return

    def _note(self, row: dict, logs: Logs) -> None:
        """An epoch is over: says so, everywhere."""
        self.history.append(row)
        told = ("loss", "mask", "depth", "mask_iou", "depth_abs_rel", "depth_delta_1")
        self.say("  " + "  ".join(f"{name} {row[name]:.4f}" for name in told if name in row))
        logs.epoch(row, row["seen"])
        if self.chief:
            run_folder.write_json(self.folder, "history.json", self.history)

    def _run_epoch(self, stage, last_step: int, step, batches, manager, title) -> dict:
        """Trains up to a step of the stage; answers the means of what the steps said."""
        waiting, sums, done = [], {}, 0
        saved = time.monotonic()
        with self.progress(title, last_step * stage.batch, "examples") as progress:
            progress.already(int(self.step) * stage.batch)
            for number in range(int(self.step), last_step):
                waiting.append(step(next(batches)))
                if len(waiting) < LOOKED_AT_EVERY and number + 1 < last_step:
                    continue
                self._look(waiting, number + 1 - len(waiting), title)
                for shown in waiting:
                    for name, value in shown.items():
                        sums[name] = sums.get(name, 0.0) + float(value)
                self.step.assign(number + 1)
                self.learner.seen.assign_add(len(waiting) * stage.batch)
                progress.add(len(waiting) * stage.batch)
                done += len(waiting)
                waiting = []
                # Several workers save together, so not by the clock.
                due = time.monotonic() - saved > 60 * self.training.checkpoint_minutes
                if due and self.alone and number + 1 < last_step:
                    manager.save()
                    saved = time.monotonic()
        return {"examples": done * stage.batch, **{name: value / done for name, value in sums.items()}}

    def _look(self, waiting: list[dict], first: int, title: str) -> None:
        for number, shown in enumerate(waiting, start=first):
            if not math.isfinite(float(shown["loss"])):
                raise DivergedError(
                    f"{title}: the loss of step {number + 1} of this stage is {float(shown['loss'])}; the last good "
                    f"checkpoint is kept in {self._checkpoints()}. Take a lower --rate (or rate= in --stages), a --clip, "
                    "or --precision=float32."
                )

    def _batches(self, stage: Stage, size: tuple[int, int]):
        order = Order(
            self.training.seed,
            int(self.learner.seen),
            self.training.deterministic or self.strategy.num_replicas_in_sync > 1,
        )

        def of_worker(context: tf.distribute.InputContext):
            mine = replace(order, worker=context.input_pipeline_id, workers=context.num_input_pipelines)
            return self.data.training(
                context.get_per_replica_batch_size(stage.batch), size, mine, mirror=self.training.mirror
            )

        return self.strategy.distribute_datasets_from_function(of_worker)

    def _validate(self, size: tuple[int, int]) -> dict:
        """Scores of the averaged network on some examples of the last, hardest, split."""
        if not self.training.validate:
            return {}
        self.learner.show_average(self.shown)
        split = self._hardest_split()
        count = min(self.training.validate, self.data.counts[split])
        rows = []
        for batch in self.data.scoring(split, self.training.stages[0].batch, size, count):
            rows.append([value.numpy() for value in self._quick_scores(batch)])
        values = [np.concatenate(column) for column in zip(*rows, strict=True)]
        return {name: float(value.mean()) for name, value in zip(VALIDATED, values, strict=True)}

    @tf.function(reduce_retracing=True)
    def _quick_scores(self, batch):
        predicted = self.shown({"bg": batch["bg"], "fg_bg": batch["fg_bg"]}, training=False)
        metres = decode_depth(predicted["depth"])
        iou, _ = metrics.iou(batch["mask"], predicted["mask"])
        abs_rel, _ = metrics.abs_rel(batch["depth"], metres)
        delta, _ = metrics.delta(batch["depth"], metres)
        return iou, abs_rel, delta

    def _some_pictures(self, size) -> dict:
        split = self._hardest_split()
        batch = next(iter(self.data.scoring(split, 4, size, 4)))
        predicted = self.shown({"bg": batch["bg"], "fg_bg": batch["fg_bg"]}, training=False)
        return {**batch, "predicted_mask": predicted["mask"], "predicted_depth": decode_depth(predicted["depth"])}

    def _hardest_split(self) -> str:
        return self.data.test_splits[-1] if self.data.test_splits else "train"

    def _manager(self, optimizer) -> tf.train.CheckpointManager:
        tracked = {"stage": self.stage, "step": self.step, **self.learner.checkpointed()}
        if optimizer is not None:
            tracked["optimizer"] = optimizer
        checkpoint = tf.train.Checkpoint(**tracked)
        return tf.train.CheckpointManager(checkpoint, self._checkpoints(), max_to_keep=KEPT_CHECKPOINTS)

    def _checkpoints(self) -> str:
        """Where to write; all read the chief's, but two must not write the same file."""
        folder = run_folder.path(self.folder, "checkpoints")
        return folder if self.chief else run_folder.path(folder, f"worker_{self.worker}")


def _worker(strategy: tf.distribute.Strategy) -> int | None:
    """Which of several workers this is, 0 the chief; None where there is only one."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) or resolver is None:
        return None
    chiefs = len(resolver.cluster_spec().as_dict().get("chief", []))
    return 0 if resolver.task_type == "chief" else chiefs + resolver.task_id
