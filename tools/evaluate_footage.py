"""Scores sequences of real cameras: the command `fgseg evaluate-footage`, for those who have a clone."""

from fgseg_tf.commands.evaluate_footage import main

if __name__ == "__main__":
    main()
