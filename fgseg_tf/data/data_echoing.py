"""Data echoing: each composite is shown several times, because CPUs often make them slower than a GPU takes them.

A window of composites is made while the one before it is shown, every composite of it so many times, in an order that
is a function of the seed and of the window's number. Started at any batch, the stream goes on as if it had never
stopped.
"""

from dataclasses import dataclass

import tensorflow as tf

WINDOW = 1024  # composites, about; three such windows are in memory: 1.4 GB of examples of 224 px


@dataclass(frozen=True)
class Echo:
    """Repeats composites, window by window.

    Attributes:
        times: how often each composite is shown.
        batch: examples in a batch.
        seed: int [2], of the order.
    """

    times: int
    batch: int
    seed: tf.Tensor

    @property
    def window(self) -> int:
        """Composites in a window, a multiple of the batch."""
        return max(1, WINDOW // self.batch) * self.batch

    def composites_before(self, first: int) -> int:
        """Returns the number of composites before the window that holds example number `first`."""
        return first // (self.window * self.times) * self.window

    def batches(self, composites: tf.data.Dataset, first: int) -> tf.data.Dataset:
        """Returns batches from example number `first` on.

        Args:
            composites: endless dicts of tensors of static shape, from number `composites_before(first)` on.
            first: number of the first example.
        """
        examples = self.window * self.times

        def shown(number, window):
            order = tf.random.experimental.stateless_shuffle(
                tf.range(examples), tf.random.fold_in(self.seed, tf.cast(number, tf.int32))
            )
            rows = tf.reshape(order % self.window, [examples // self.batch, self.batch])
            return tf.data.Dataset.from_tensor_slices(rows).map(
                lambda row: {key: tf.gather(value, row) for key, value in window.items()}
            )

        windows = composites.batch(self.window, drop_remainder=True).prefetch(1).enumerate(first // examples)
        return windows.flat_map(shown).skip(first % examples // self.batch)
