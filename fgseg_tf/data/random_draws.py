"""Random numbers of one example, from its seed: as many as are asked for, one after the other."""

import tensorflow as tf

FIELDS = 5  # control points a side, of smooth random fields


class Draws:
    """The random numbers of one example, taken one after the other.

    They are drawn all at once: a hundred small ops would take longer.

    Args:
        seed: int [2].
        count: how many numbers are drawn at once.
    """

    def __init__(self, seed, count: int = 96):
        self._seed = tf.cast(seed, tf.int32)
        self._numbers = tf.unstack(tf.random.stateless_uniform([count], self._fold(0)))
        self._fields = 0

    def uniform(self):
        """Returns a number from 0 to 1."""
        return self._numbers.pop()

    def between(self, least, most):
        """Returns a number from `least` to `most`."""
        return least + (most - least) * self.uniform()

    def symmetric(self, count: int | None = None):
        """Returns a number from -1 to 1; with a count, a vector of them."""
        if count is None:
            return 2 * self.uniform() - 1
        return tf.stack([2 * self.uniform() - 1 for _ in range(count)])

    def chance(self, share, strength):
        """Returns 1 in a share of cases, 0 otherwise; the share is reached at half of the greatest strength."""
        return tf.cast(self.uniform() < share * tf.minimum(2 * strength, 1), tf.float32)

    def smooth_fields(self, size, count: int):
        """Returns smooth random fields, float32 [H, W, count], of about -1 to 1."""
        self._fields += 1
        points = tf.random.stateless_uniform([FIELDS, FIELDS, count], self._fold(self._fields), -1, 1)
        return tf.image.resize(points, size, "bicubic")

    def normal(self, shape):
        """Returns normally distributed noise of standard deviation 1."""
        return tf.random.stateless_normal(shape, self._fold(99))

    def _fold(self, number):
        return tf.random.fold_in(self._seed, number)
