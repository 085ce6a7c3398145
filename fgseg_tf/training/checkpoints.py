"""Checkpoints of a training: its position, and everything else that changes.

A checkpoint is made between two steps and named by the number of examples seen. It holds the optimizer only within a
stage, because each stage begins with a new one.
"""

import math
import tempfile

import keras
import tensorflow as tf

from fgseg_tf.training.learner import Learner

KEPT = 3


class DivergedError(ValueError):
    """A loss, a gradient or a weight is not a number any more."""


class Checkpoints:
    """Saves and restores checkpoints. Make it in the strategy's scope.

    Attributes:
        folder: where the checkpoints are.
        stage: int64 variable, the number of the stage, from 0.
        step: int64 variable, how many steps of the stage are done.

    Args:
        writes: whether this process is the one, of several workers, whose checkpoints count. All must save together;
            the others write to a temporary folder.
    """

    def __init__(self, folder: str, learner: Learner, writes: bool):
        self.folder, self._learner = folder, learner
        self._elsewhere = None if writes else tempfile.TemporaryDirectory()
        self.stage, self.step = (
            tf.Variable(0, dtype=tf.int64, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
            for _ in range(2)
        )

    def restore(self) -> None:
        """Restores the position, the network and its average from the latest checkpoint, where there is one."""
        latest = tf.train.latest_checkpoint(self.folder)
        if latest:
            self._all().restore(latest).expect_partial()

    def restore_optimizer(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Restores the optimizer as well, where the latest checkpoint is from within a stage."""
        if self.step.numpy():
            latest = tf.train.latest_checkpoint(self.folder)
            self._all(optimizer).restore(latest).assert_existing_objects_matched()

    def save(self, optimizer: keras.optimizers.Optimizer | None = None) -> None:
        """Saves a checkpoint.

        Args:
            optimizer: that of the stage; None between two stages.

        Raises:
            DivergedError: the weights are not numbers any more; nothing is saved.
        """
        self.check_weights()
        folder = self.folder if self._elsewhere is None else self._elsewhere.name
        manager = tf.train.CheckpointManager(self._all(optimizer), folder, max_to_keep=KEPT)
        manager.save(checkpoint_number=int(self._learner.examples_seen.numpy()))

    def check_weights(self) -> None:
        """Raises DivergedError where the weights are not numbers any more."""
        if not math.isfinite(self._learner.weights_norm()):
            raise DivergedError(f"after step {self.step.numpy()} the weights are not numbers any more")

    def latest(self) -> str:
        """Returns the path of the latest checkpoint, "" where there is none."""
        return tf.train.latest_checkpoint(self.folder) or ""

    def _all(self, optimizer=None) -> tf.train.Checkpoint:
        tracked = {"stage": self.stage, "step": self.step, **self._learner.checkpoint_items()}
        return tf.train.Checkpoint(**tracked, **({} if optimizer is None else {"optimizer": optimizer}))
