"""Makes a training set: the command `fgseg make-data`, for those who have a clone."""

from fgseg_tf.commands.make_data import main

if __name__ == "__main__":
    main()
