"""What a training says of itself while it runs, for TensorBoard: scalars, and some pictures after each epoch."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from data_pipelines.inspection.depth_colors import color_depth

PICTURES_SHARE = 0.01  # of an epoch's time that pictures may take
NOT_SCALARS = ("stage", "epoch", "seen", "seconds")


class Logs:
    """Writes into folder/logs; a folder of None writes nothing. A context, so that the last lines are written too."""

    def __init__(self, folder: str | None):
        self._writer = None if folder is None else tf.summary.create_file_writer(f"{folder}/logs")
        self._pictures_cost = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._writer:
            self._writer.close()

    def write_epoch(self, row: dict, seen: int) -> None:
        """row: what was measured in an epoch, by name."""
        if not self._writer:
            return
        with self._writer.as_default(step=seen):
            for name, value in row.items():
                if name not in NOT_SCALARS:
                    tf.summary.scalar(name, value)
            tf.summary.scalar("examples_per_second", row["examples"] / row["seconds"])
        self._writer.flush()

    def write_pictures(self, make: Callable[[], dict], seen: int, epoch_seconds: float) -> None:
        """make: a function that answers a batch as in `grid`; not called while pictures would cost too much time."""
        if not self._writer or self._pictures_cost > PICTURES_SHARE * epoch_seconds:
            # What it cost once is forgiven bit by bit, so that long trainings of short epochs have pictures too.
            self._pictures_cost -= PICTURES_SHARE * epoch_seconds
            return
        began = time.monotonic()
        with self._writer.as_default(step=seen):
            tf.summary.image("bg, fg_bg, mask, predicted, depth, predicted", make_grid(make())[np.newaxis])
        self._pictures_cost = time.monotonic() - began


def make_grid(batch: dict) -> np.ndarray:
    """uint8 [rows * H, 6 * W, 3]: an example a row, of bg, fg_bg, mask, predicted_mask, depth, predicted_depth."""
    arrays = {key: np.asarray(value) for key, value in batch.items()}
    known = arrays["depth"][arrays["depth"] > 0]
    near, far = (known.min(), known.max()) if known.size else (1.0, 10.0)
    columns = [arrays[key] * 255 for key in ("bg", "fg_bg")]
    columns += [np.repeat(arrays[key] * 255, 3, axis=-1) for key in ("mask", "predicted_mask")]
    columns += [color_depth(arrays[key][..., 0], near, far) for key in ("depth", "predicted_depth")]
    return np.concatenate(np.concatenate(columns, axis=2), axis=0).round().astype(np.uint8)
