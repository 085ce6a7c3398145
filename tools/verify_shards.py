"""Verifies a data set: the command `fgseg verify-data`, for those who have a clone."""

from fgseg_tf.commands.verify_data import main

if __name__ == "__main__":
    main()
