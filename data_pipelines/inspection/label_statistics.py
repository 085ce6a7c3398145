"""What the examples of a data set are like: how much of a picture is foreground, where, and how far away.

Examples are streamed in batches and only counted, so memory does not grow with their number.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from data_pipelines.inspection.examples import BackgroundPictures
from data_pipelines.runtime.errors import describe_error
from data_pipelines.runtime.pipelines import disable_tuner
from data_pipelines.runtime.progress import Progress
from data_pipelines.tfrecord import reader, schema
from data_pipelines.tfrecord.manifest import DatasetError
from data_pipelines.tfrecord.reader import StoredDataset

MOST = 20_000  # examples that are looked at
BATCH = 16
ACROSS = 128  # about as many pixels of a picture's longer side have their depth counted
OBJECT = 128  # of a mask: at least half of the pixel is covered
CODES = 1 << 16


@dataclass(frozen=True)
class Survey:
    """What the labels of examples are like.

    Attributes:
        shares: float64 [n], what part of each picture is foreground.
        covered: float64 [h, w], the mean mask, 0..1.
        object_codes: int64 [65536], how many pixels of objects have each code of depth; 0 is unknown.
        background_codes: the same of all other pixels.
    """

    shares: np.ndarray
    covered: np.ndarray
    object_codes: np.ndarray
    background_codes: np.ndarray


class Tally:
    """Adds batches up to a Survey of pictures of one size."""

    def __init__(self, height: int, width: int):
        self._shares: list[np.ndarray] = []
        self._covered = np.zeros((height, width))
        self._codes = np.zeros((2, CODES), np.int64)
        self._step = max(1, max(height, width) // ACROSS)

    def add(self, masks: np.ndarray, codes: np.ndarray) -> None:
        """Adds a batch. masks: uint8 [n, h, w]; codes: of depth, uint16 [n, h, w]."""
        self._shares.append(masks.mean((1, 2)) / 255)
        self._covered += masks.sum(0) / 255
        thin = np.s_[:, :: self._step, :: self._step]
        inside, codes = masks[thin] >= OBJECT, codes[thin]
        for number, part in enumerate((inside, ~inside)):
            self._codes[number] += np.bincount(codes[part], minlength=CODES)

    def survey(self) -> Survey:
        """Returns what was counted."""
        shares = np.concatenate([np.zeros(0), *self._shares])
        return Survey(shares, self._covered / max(1, len(shares)), *self._codes)


def survey_labels(dataset: StoredDataset, backgrounds: BackgroundPictures, most: int = MOST) -> Survey:
    """Counts over all examples, or over `most` of them, from every shard in proportion.

    Raises:
        DatasetError: a file cannot be read.
    """
    chosen = reader.choose_in_proportion(dataset, most)
    tally = Tally(dataset.height, dataset.width)

    def decode_labels(serialized):
        parsed = schema.parse(serialized, schema.COMPOSITE)
        # The graph leaves out fg_bg, which is the dearest to decode.
        decoded = schema.decode_composite(parsed, backgrounds.pictures, backgrounds.codes)
        return decoded["mask"][..., 0], decoded["depth"][..., 0]

    paths, counts = [dataset.path(file.name) for file, _ in chosen], [count for _, count in chosen]
    stored = tf.data.Dataset.from_tensor_slices((paths, tf.constant(counts, tf.int64)))
    stored = stored.flat_map(lambda path, count: tf.data.TFRecordDataset(path).take(count))
    batches = stored.map(decode_labels, num_parallel_calls=tf.data.AUTOTUNE).batch(BATCH).prefetch(2)
    try:
        with Progress("surveying", sum(counts), "records") as progress:
            for masks, codes in disable_tuner(batches).as_numpy_iterator():
                tally.add(masks, codes)
                progress.add(len(masks))
    except tf.errors.OpError as error:
        raise DatasetError(
            f"{dataset.folder} cannot be read ({describe_error(error)}); to see what is wrong: "
            f"python tools/verify_shards.py {dataset.folder}"
        ) from error
    return tally.survey()
