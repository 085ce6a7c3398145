"""Checkpoints of a training: its position, and everything else that changes.

A checkpoint is made between two steps and named by the number of examples seen. It holds the optimizer only within a
stage, because each stage begins with a new one.
"""

import math
import tempfile
from collections.abc import Callable

import keras
import tensorflow as tf

from fgseg_tf.training import checkpoint_files
from fgseg_tf.training.checkpoint_files import CheckpointError
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
        self._latest = ""
        self.stage, self.step = (
            tf.Variable(0, dtype=tf.int64, trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA)
            for _ in range(2)
        )

    def choose(self, say: Callable[[str], object]) -> int:
        """Returns the number of examples after which the newest checkpoint was made that is whole; 0 where none is.

        What is damaged is left where it is until the next checkpoint is saved, and so are those that are newer.

        Args:
            say: is called with a line about each checkpoint that is damaged.

        Raises:
            CheckpointError: there are checkpoints, and all of them are damaged.
        """
        good, damaged = checkpoint_files.choose_good(self.folder)
        for number, why in damaged.items():
            say(f"the checkpoint after {number:,} examples is damaged ({why}): it is passed over")
        if damaged and not good:
            raise CheckpointError(
                f"none of the checkpoints in {self.folder} can be read; put them back from a copy, or begin anew with "
                "`restart`, which throws them away."
            )
        if not good:
            return 0
        checkpoint_files.write_state(self.folder, good)
        return good[-1]

    def restore(self, seen: int) -> None:
        """Restores the position, the network and its average from a checkpoint.

        Args:
            seen: examples after which it was made, as `choose` returns them; 0 for none.

        Raises:
            CheckpointError: it is of another network.
        """
        if not seen:
            return
        self._latest = checkpoint_files.path_of(self.folder, seen)
        try:
            # All that is here is there; what is there besides, the optimizer, is restored when it has been made.
            self._all().restore(self._latest).assert_existing_objects_matched().expect_partial()
        except (AssertionError, ValueError) as error:
            raise CheckpointError(
                f"{self._latest} does not hold what this training has; begin anew with `restart`, which throws the "
                "checkpoints away."
            ) from error

    def restore_optimizer(self, optimizer: keras.optimizers.Optimizer) -> None:
        """Restores the optimizer as well, where the latest checkpoint is from within a stage."""
        if self.step.numpy():
            self._all(optimizer).restore(self._latest).assert_existing_objects_matched()

    def save(self, optimizer: keras.optimizers.Optimizer | None = None) -> None:
        """Saves a checkpoint.

        Args:
            optimizer: that of the stage; None between two stages.

        Raises:
            DivergedError: the weights are not numbers any more; nothing is saved.
        """
        self.check_weights()
        seen = int(self._learner.examples_seen.numpy())
        folder = self.folder if self._elsewhere is None else self._elsewhere.name
        # Not what may have been there under this name before, if this one is not finished.
        checkpoint_files.remove_digests(folder, seen)
        manager = tf.train.CheckpointManager(self._all(optimizer), folder, max_to_keep=KEPT)
        manager.save(checkpoint_number=seen)
        if self._elsewhere is None:
            checkpoint_files.finish(self.folder, seen)
            checkpoint_files.remove_all_but(self.folder, manager.checkpoints)
        self._latest = checkpoint_files.path_of(self.folder, seen)

    def check_weights(self) -> None:
        """Raises DivergedError where the weights are not numbers any more."""
        if not math.isfinite(self._learner.weights_norm()):
            raise DivergedError(f"after step {self.step.numpy()} the weights are not numbers any more")

    def latest(self) -> str:
        """Returns the path of the checkpoint that was saved or restored last, "" where there is none."""
        return self._latest

    def _all(self, optimizer=None) -> tf.train.Checkpoint:
        tracked = {"stage": self.stage, "step": self.step, **self._learner.checkpoint_items()}
        return tf.train.Checkpoint(**tracked, **({} if optimizer is None else {"optimizer": optimizer}))
