"""How a command runs, and how it ends when something is wrong: one sentence on standard error, and exit status 1."""

import sys
from collections.abc import Callable
from pathlib import Path

import tensorflow as tf
from absl import app, logging

from data_pipelines.refusals import REFUSALS, sentence


def command(work: Callable[[], str | None], hint: str) -> None:
    """Runs a command that takes flags only. `work` answers what in the end was left undone, if anything was.

    hint: how to give what people give without a flag. With --verbosity=1 refusals keep their traceback, as defects do
    anyway, and TensorFlow its remarks.
    """

    def main(argv):
        if argv[1:]:
            raise app.UsageError(f"{argv[1]!r} is not a flag; {hint}.")
        if not logging.level_debug():  # what savers say of themselves is not for us
            logging.set_verbosity(logging.WARNING)
            tf.get_logger().setLevel("WARNING")
        name = Path(sys.argv[0]).stem
        try:
            left = work()
        except REFUSALS as error:
            if logging.level_debug():
                raise
            sys.exit(f"{name}: {sentence(error)}")
        if left:
            sys.exit(f"{name}: {left}")

    app.run(main)
