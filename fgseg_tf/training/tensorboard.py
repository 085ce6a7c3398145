"""TensorBoard's logs of a training: scalars, and some pictures after each epoch."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from data_pipelines.inspection.depth_colors import color_depth
from fgseg_tf.runs.run_folder import HistoryRow

PICTURES_SHARE = 0.01  # of an epoch's time that pictures may take
NOT_SCALARS = ("stage", "epoch", "seen", "seconds")


class Logs:
    """Writes into folder/logs; with None it writes nothing. Use it as a context manager, so that all is written."""

    def __init__(self, folder: str | None):
        self._writer = None if folder is None else tf.summary.create_file_writer(f"{folder}/logs")
        self._pictures_cost = 0.0

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._writer:
            self._writer.close()

    def write_epoch(self, row: HistoryRow, seen: int) -> None:
        """Writes what was measured in an epoch; `seen` is the number of examples shown since the run began."""
        if not self._writer:
            return
        with self._writer.as_default(step=seen):
            for name, value in row.items():
                if name not in NOT_SCALARS:
                    tf.summary.scalar(name, value)
            tf.summary.scalar("examples_per_second", row["examples"] / row["seconds"])
        self._writer.flush()

    def write_pictures(self, make: Callable[[], dict], seen: int, epoch_seconds: float) -> None:
        """Writes some pictures, unless they would take too large a share of the time.

        Args:
            make: returns a batch as `make_grid` takes it; not called when nothing is written.
            seen: examples shown since the run began.
            epoch_seconds: how long the epoch took.
        """
        if not self._writer or self._pictures_cost > PICTURES_SHARE * epoch_seconds:
            # The cost is forgiven little by little, so that long trainings of short epochs have pictures too.
            self._pictures_cost -= PICTURES_SHARE * epoch_seconds
            return
        began = time.monotonic()
        with self._writer.as_default(step=seen):
            tf.summary.image("bg, fg_bg, mask, predicted, depth, predicted", make_grid(make())[np.newaxis])
        self._pictures_cost = time.monotonic() - began


def make_grid(batch: dict) -> np.ndarray:
    """Returns a picture, uint8 [rows * H, 6 * W, 3], with a row for each example of a batch.

    A row shows `bg`, `fg_bg`, `mask`, `predicted_mask`, `depth` and `predicted_depth`.
    """
    arrays = {key: np.asarray(value) for key, value in batch.items()}
    known = arrays["depth"][arrays["depth"] > 0]
    near, far = (known.min(), known.max()) if known.size else (1.0, 10.0)
    columns = [arrays[key] * 255 for key in ("bg", "fg_bg")]
    columns += [np.repeat(arrays[key] * 255, 3, axis=-1) for key in ("mask", "predicted_mask")]
    columns += [color_depth(arrays[key][..., 0], near, far) for key in ("depth", "predicted_depth")]
    return np.concatenate(np.concatenate(columns, axis=2), axis=0).round().astype(np.uint8)
