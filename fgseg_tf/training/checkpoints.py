"""Where a training goes on: its position, and checkpoints of everything that changes.

A checkpoint is made between two steps and named by the number of examples seen. The optimizer is in it only within a
stage, because each stage begins with a new one.
"""

import math
import tempfile

import keras
import tensorflow as tf

from fgseg_tf.training.learner import Learner

KEPT = 3


class DivergedError(ValueError):
    """Losses or weights are not numbers any more."""


class Checkpoints:
    """stage, step: the position, int64 variables: which stage, and how many of its steps are done.

    Make it in the strategy's scope. writes: whether this process, of several workers, is the one whose checkpoints
    count. All must save together; the others write where nobody looks.
    """

    def __init__(self, folder: str, learner: Learner, writes: bool):
        self.folder, self._learner = folder, learner
        self._elsewhere = None if writes else tempfile.TemporaryDirectory()
        self.stage, self.step = (
            tf.Variable(0, dtype=tf.int64, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
            for _ in range(2)
        )

    def restore(self) -> None:
        """Position, network and all, as of the latest checkpoint; as they are where there is none."""
        latest = tf.train.latest_checkpoint(self.folder)
        if latest:
            self._all().restore(latest).expect_partial()

    def restore_optimizer(self, optimizer: keras.optimizers.Optimizer) -> None:
        """And the optimizer, when the latest checkpoint is from within a stage."""
        if self.step.numpy():
            latest = tf.train.latest_checkpoint(self.folder)
            self._all(optimizer).restore(latest).assert_existing_objects_matched()

    def save(self, optimizer: keras.optimizers.Optimizer | None = None) -> None:
        """optimizer: that of the stage which goes on; None between two stages. A network gone wrong is not saved."""
        self.check_weights()
        folder = self.folder if self._elsewhere is None else self._elsewhere.name
        manager = tf.train.CheckpointManager(self._all(optimizer), folder, max_to_keep=KEPT)
        manager.save(checkpoint_number=int(self._learner.examples_seen.numpy()))

    def check_weights(self) -> None:
        if not math.isfinite(self._learner.weights_norm()):
            raise DivergedError(f"after step {self.step.numpy()} the weights are not numbers any more")

    def latest(self) -> str:
        """For a message: where the latest one is, or that there is none."""
        return tf.train.latest_checkpoint(self.folder) or ""

    def _all(self, optimizer=None) -> tf.train.Checkpoint:
        tracked = {"stage": self.stage, "step": self.step, **self._learner.checkpoint_items()}
        return tf.train.Checkpoint(**tracked, **({} if optimizer is None else {"optimizer": optimizer}))
