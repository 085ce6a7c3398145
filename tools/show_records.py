"""Shows what is in a data set: the command `fgseg show-data`, for those who have a clone."""

from fgseg_tf.commands.show_data import main

if __name__ == "__main__":
    main()
