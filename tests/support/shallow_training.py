"""`fgseg_tf.train` with the two-branch network of two scales instead of four: half of the layers, of every kind.

Most of a short training goes into tracing each stage, layer by layer, once for the step and once for its scores. Where
a test is about the command and not about the network, this one shows the same.

    python -m shallow_training FLAGS               as python -m fgseg_tf.train FLAGS
    shallow_training.train_each([FLAGS, ...])      one after the other in this process, which loads TensorFlow once
"""

import sys
from collections.abc import Iterable

from fgseg_tf import train

# isort: split

from absl import flags

from data_pipelines.runtime.cli import show_help_of
from fgseg_tf.model import two_branch
from fgseg_tf.model.two_branch import ARCHITECTURES, Architecture


def make_shallow() -> None:
    """Makes `small` a network that works from full size down to an eighth of it, in this process."""
    for name, scales in (("_ENCODED", (4, 8)), ("_DECODED", (4, 2, 1))):
        assert isinstance(getattr(two_branch, name), tuple)
        setattr(two_branch, name, scales)
    ARCHITECTURES["small"] = Architecture(
        stem=(4, 6), background=(8, 8), joint=(8, 8), blocks=(1, 1), mask=(6, 6, 4), depth=(6, 6, 4)
    )


def train_each(commands: Iterable[list[str]]) -> None:
    """Trains by each list of flags; what each prints ends with a line that names its model.keras."""
    make_shallow()
    for command in commands:
        flags.FLAGS.unparse_flags()
        sys.argv = ["train", *command]
        show_help_of("fgseg_tf.train")  # run.flags is made of the flags of the program that runs
        flags.FLAGS(sys.argv)
        train.run()


if __name__ == "__main__":
    make_shallow()
    train.main()
