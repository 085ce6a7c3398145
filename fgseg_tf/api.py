"""The functions of the Python API; `import fgseg_tf` offers them."""

import os

import tensorflow as tf

from data_pipelines.config import DatasetConfig
from fgseg_tf.data.base import Data
from fgseg_tf.data.composite_data import CompositeData
from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.inference.segmenter import Segmenter
from fgseg_tf.model.weights import PACKAGED
from fgseg_tf.runs.trained import load_object_depth, load_trained

DEMO = "demo"
LEAST_SIZE = 32  # pixels


def load(
    weights: str | os.PathLike = "base", size: int | None = None, object_depth: str | os.PathLike | None = None
) -> Segmenter:
    """Loads a trained network.

    Args:
        weights: "base" (better) or "small" (faster), which come with the package; or the folder of a finished run.
        size: pixels of the longer side at which the network looks; None for the size that it was trained at. A larger
            one sees smaller objects and takes longer. Frames are never enlarged for it.
        object_depth: the folder of a finished run of `--network=object_depth`, for cameras whose background's depth is
            known; None for what comes with the package.

    Returns:
        The network, for any number of cameras.

    Raises:
        ValueError: there is no such network, or the run is not finished.

    Examples:
        A box in front of a plain wall:

        >>> import numpy as np
        >>> import fgseg_tf
        >>> bg = np.full((96, 128, 3), 150, np.uint8)
        >>> frame = bg.copy()
        >>> frame[30:80, 50:80] = (180, 40, 30)
        >>> result = fgseg_tf.load("small").camera(bg).segment(frame)
        >>> result.mask.shape, result.mask.dtype
        ((96, 128), dtype('float32'))
        >>> bool(result.mask[55, 65] > 0.5), bool(result.mask[10, 10] < 0.5)
        (True, True)
    """
    name = os.fspath(weights)
    if size is not None and size < LEAST_SIZE:
        raise ValueError(f"`size`={size} is too small; take {LEAST_SIZE} or more.")
    is_packaged = name in PACKAGED
    if not is_packaged and not tf.io.gfile.isdir(name):
        raise ValueError(
            f"{name!r} is not a network of the package ({', '.join(PACKAGED)}) and not the folder of a run."
        )
    network, trained_size, _ = load_trained(None if is_packaged else name, name)
    placing = None if object_depth is None else load_object_depth(os.fspath(object_depth))
    return Segmenter(network, size or trained_size, placing)


def open_data(source: str | os.PathLike | DatasetConfig) -> Data:
    """Opens examples for training and scoring, as tf.data.

    Args:
        source: the folder of a data set that `fgseg make-data` wrote; or "demo" for composites of demo sources, made on
            the fly; or a description of composites that are made on the fly.

    Returns:
        The data set: its splits and counts, and tf.data streams of batches.

    Raises:
        ValueError: there is no data set, or it is not whole.

    Examples:
        >>> import fgseg_tf
        >>> sources = fgseg_tf.SourcesConfig(backgrounds_count=3, foregrounds_count=3)
        >>> config = fgseg_tf.DatasetConfig(sources, height=48, width=64, labels="exact", holdout=0.34)
        >>> data = fgseg_tf.open_data(config)
        >>> list(data.counts)
        ['train', 'seen_both', 'unseen_fg', 'unseen_bg', 'unseen_both']
        >>> batch = next(iter(data.scoring("unseen_both", 4, (48, 64))))
        >>> {name: tuple(batch[name].shape) for name in ("bg", "mask", "depth")}
        {'bg': (4, 48, 64, 3), 'mask': (4, 48, 64, 1), 'depth': (4, 48, 64, 1)}
    """
    if isinstance(source, DatasetConfig):
        return CompositeData(source)
    if source == DEMO:
        return CompositeData(DatasetConfig(labels="exact"))
    return ShardData(os.fspath(source))
