"""Composites of a data set, decoded to be looked at."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines.compositing.backgrounds import JoinedExample
from data_pipelines.tfrecord import reader, schema, shards
from data_pipelines.tfrecord.manifest import DatasetError
from data_pipelines.tfrecord.reader import RecordLocation, StoredDataset

NAMED = ("name", "index", "bg_index", "fg_index", "fg_flipped")  # what a record says of what it shows
ExampleChange = Callable[[JoinedExample], JoinedExample]


@dataclass(frozen=True)
class BackgroundPictures:
    """All backgrounds of a data set.

    Attributes:
        sources: their files.
        pictures: uint8 [n, h, w, 3].
        codes: of their depth, uint16 [n, h, w, 1].
    """

    sources: tuple[str, ...]
    pictures: tf.Tensor
    codes: tf.Tensor


@dataclass(frozen=True)
class DecodedExample:
    """A composite, decoded.

    Attributes:
        name: such as bg005-fg073-flip-p07.
        index: the number that everything about it follows from.
        split: that it is in.
        background: the number of its background.
        background_flipped: whether the background is mirrored.
        cutouts: (number, whether mirrored) of each, from far to near; none in an empty frame.
        bg: uint8 [h, w, 3].
        fg_bg: uint8 [h, w, 3].
        mask: uint8 [h, w].
        metres: depth, float32 [h, w]; 0 is unknown.
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


def name_composite(dataset: StoredDataset, location: RecordLocation, record: Mapping[str, Any]) -> str:
    """Returns the name of a composite, which is made from its index and never taken from the record.

    Args:
        dataset: that it is in.
        location: of its record.
        record: what the record says, by the keys NAMED, as numpy values.

    Raises:
        DatasetError: the record contradicts its index, or shows what the data set does not have.
    """
    grid, index = dataset.grid, int(record["index"])
    if 0 <= index < grid.size:
        name, cutouts = grid.format_name(index), record["fg_index"]
        shown = ((cutouts >= 0) & (cutouts < grid.foregrounds)).all() and len(cutouts) == len(record["fg_flipped"])
        if bytes(record["name"]) == name.encode() and int(record["bg_index"]) == grid.decode(index)[0] and shown:
            return name
    raise DatasetError(
        f"{dataset.path(location.file.name)}, record {location.number} is not a composite of this data set; to see "
        f"what is wrong: python tools/verify_shards.py {dataset.folder}"
    )


def read_background_pictures(dataset: StoredDataset) -> BackgroundPictures:
    """Reads the backgrounds of a data set, into the memory of the CPU."""
    path = dataset.path(shards.BACKGROUNDS)
    about, pictures, codes = schema.read_backgrounds(path, dataset.height, dataset.width, dataset.grid.backgrounds)
    sources = tuple(one["source"] for one in about)
    with tf.device("/CPU:0"):
        return BackgroundPictures(sources, tf.convert_to_tensor(pictures), tf.convert_to_tensor(codes))


def read_examples(
    dataset: StoredDataset,
    locations: Sequence[RecordLocation],
    backgrounds: BackgroundPictures,
    names: Sequence[str] = (),
    change: ExampleChange | None = None,
) -> Iterator[DecodedExample]:
    """Yields composites one after the other, in the order of `locations`.

    Args:
        dataset: that they are in.
        locations: of their records.
        backgrounds: of the data set.
        names: what they must be called, if it was asked for.
        change: what is done to each first.

    Raises:
        DatasetError: a record cannot be read, or is not the one that is looked for.
    """
    for number, (location, serialized) in enumerate(reader.read_records(dataset, locations)):
        parsed = schema.parse(serialized, schema.COMPOSITE)
        decoded = schema.decode_composite(parsed, backgrounds.pictures, backgrounds.codes)
        name = name_composite(dataset, location, {key: decoded[key].numpy() for key in NAMED})
        if names and name != names[number]:
            raise DatasetError(
                f"{dataset.folder} is not in its promised order; to see what is wrong: "
                f"python tools/verify_shards.py {dataset.folder}"
            )
        shown: JoinedExample = {
            "index": decoded["index"],
            "pictures": tf.concat([decoded["bg"], decoded["fg_bg"], decoded["mask"]], -1),
            "depth": decoded["depth"],
        }
        shown = change(shown) if change else shown
        bg, fg_bg, mask = tf.split(shown["pictures"], [3, 3, 1], -1)
        flipped = (decoded["fg_flipped"].numpy() == 1).tolist()
        yield DecodedExample(
            name,
            int(decoded["index"]),
            location.file.split,
            int(decoded["bg_index"]),
            bool(decoded["bg_flipped"] == 1),
            tuple(zip(decoded["fg_index"].numpy().tolist(), flipped, strict=True)),
            bg.numpy(),
            fg_bg.numpy(),
            mask.numpy()[..., 0],
            shown["depth"].numpy()[..., 0].astype(np.float32) / dataset.depth_scale,
        )
