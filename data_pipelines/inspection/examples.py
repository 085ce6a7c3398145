"""Composites of a data set, decoded to be looked at."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from data_pipelines.tfrecord import reader, schema, shards
from data_pipelines.tfrecord.manifest import DatasetError
from data_pipelines.tfrecord.reader import RecordLocation, StoredDataset

Change = Callable[[dict], dict]


@dataclass(frozen=True)
class Scenes:
    """All backgrounds. pictures: uint8 [n, h, w, 3]; codes of depth: uint16 [n, h, w, 1]; sources: their files."""

    sources: tuple[str, ...]
    pictures: tf.Tensor
    codes: tf.Tensor


@dataclass(frozen=True)
class Example:
    """Pictures are uint8 [h, w, 3] or [h, w]; metres float32 [h, w], 0 unknown.

    cutouts: (number, whether mirrored) from far to near, none in an empty frame.
    """

    name: str
    index: int
    split: str
    background: int
    background_flipped: bool
    cutouts: tuple[tuple[int, bool], ...]
    bg: np.ndarray
    fg_bg: np.ndarray
    mask: np.ndarray
    metres: np.ndarray


def read_scenes(dataset: StoredDataset) -> Scenes:
    path = dataset.path(shards.BACKGROUNDS)
    about, pictures, codes = schema.read_backgrounds(path, dataset.height, dataset.width)
    sources = tuple(one["source"] for one in about)
    with tf.device("/CPU:0"):
        return Scenes(sources, tf.convert_to_tensor(pictures), tf.convert_to_tensor(codes))


def read(
    dataset: StoredDataset,
    places: Sequence[RecordLocation],
    scenes: Scenes,
    names: Sequence[str] = (),
    change: Change | None = None,
) -> Iterator[Example]:
    """One after the other, in the order of `places`. names: what they must be called, if it was asked for.

    change: done to each first: a dict of `index`, `pictures` uint8 [h, w, 7] (bg, fg_bg, mask) and codes of `depth`
    [h, w, 1].
    """
    for number, (place, serialized) in enumerate(reader.read_records(dataset, places)):
        decoded = schema.decode_composite(schema.parse(serialized, schema.COMPOSITE), scenes.pictures, scenes.codes)
        name = decoded["name"].numpy().decode()
        if names and name != names[number]:
            raise DatasetError(
                f"{dataset.folder} is not in its promised order; to see what is wrong: "
                f"python tools/verify_shards.py {dataset.folder}"
            )
        shown = {"index": decoded["index"], "depth": decoded["depth"]}
        shown["pictures"] = tf.concat([decoded[key] for key in ("bg", "fg_bg", "mask")], -1)
        shown = change(shown) if change else shown
        bg, fg_bg, mask = tf.split(shown["pictures"], [3, 3, 1], -1)
        flipped = (decoded["fg_flipped"].numpy() == 1).tolist()
        yield Example(
            name,
            int(decoded["index"]),
            place.file.split,
            int(decoded["bg_index"]),
            bool(decoded["bg_flipped"] == 1),
            tuple(zip(decoded["fg_index"].numpy().tolist(), flipped, strict=True)),
            bg.numpy(),
            fg_bg.numpy(),
            mask.numpy()[..., 0],
            shown["depth"].numpy()[..., 0].astype(np.float32) / dataset.depth_scale,
        )
