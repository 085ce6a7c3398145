"""Queries a running TF Serving: the command `fgseg query`, for those who have a clone."""

from fgseg_tf.commands.query import main

if __name__ == "__main__":
    main()
