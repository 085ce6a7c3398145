"""The schema of the shards: one table of features makes the writer and the parser.

Two kinds of records, both tf.train.Example. A data set has one shard of backgrounds, each stored once, and many of
composites that refer to them.

    background   what the camera sees when nobody is there, and its depth
    composite    the same with objects in it

Pictures are JPEG (bg, fg_bg) or PNG (mask 8 bits, depth 16 bits: metres x the manifest's depth_scale, larger is
farther, 0 unknown). The mask and the depth of a composite are stored for a part of the picture:
outside mask_box the mask is 0; outside depth_box, and where the stored depth is 0, the depth is that of the bare
background. `decode_composite` puts them together again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, cast

import numpy as np
import tensorflow as tf

from data_pipelines.compositing.backgrounds import Backgrounds, Layer, pad_to_frame
from data_pipelines.runtime.notes import clean_text
from data_pipelines.runtime.pipelines import disable_tuner

SCHEMA_VERSION = 1
PNG_EFFORT = 3  # of zlib, 0..9: as fast as 1 on masks and smaller


@dataclass(frozen=True)
class Feature:
    """One key of a record.

    Attributes:
        key: its name.
        dtype: tf.string or tf.int64.
        shape: () for one value, (n,) for n of them, None for any number.
        meaning: what the value is.
    """

    key: str
    dtype: tf.DType
    shape: tuple[int, ...] | None
    meaning: str


BACKGROUND = (
    Feature("name", tf.string, (), "such as bg005"),
    Feature("source", tf.string, (), "the file's name, or demo and its number"),
    Feature("bg_index", tf.int64, (), "which background, from 0"),
    Feature("bg", tf.string, (), "JPEG"),
    Feature("depth", tf.string, (), "PNG, 16 bits"),
)
COMPOSITE = (
    Feature("name", tf.string, (), "such as bg005-fg073-flip-p07"),
    Feature("index", tf.int64, (), "the number that everything about it follows from"),
    Feature("bg_index", tf.int64, (), "which background, from 0"),
    Feature("bg_flipped", tf.int64, (), "1: the background is mirrored in fg_bg, and so must be bg and its depth"),
    Feature("fg_index", tf.int64, None, "which cut-outs, from far to near; none in an empty frame"),
    Feature("fg_flipped", tf.int64, None, "1: that cut-out is mirrored"),
    Feature("fg_bg", tf.string, (), "JPEG"),
    Feature("mask", tf.string, (), "PNG, 8 bits, of mask_box"),
    Feature("mask_box", tf.int64, (4,), "top, left, bottom, right"),
    Feature("depth", tf.string, (), "PNG, 16 bits, of depth_box; 0 where the background's depth holds"),
    Feature("depth_box", tf.int64, (4,), "top, left, bottom, right"),
)


class BackgroundRecord(TypedDict):
    """What is stored of a background; the keys are explained in BACKGROUND."""

    name: str
    source: str
    bg_index: int
    bg: bytes
    depth: bytes


class CompositeRecord(TypedDict):
    """What is stored of a composite; the keys are explained in COMPOSITE."""

    name: str
    index: int
    bg_index: int
    bg_flipped: int
    fg_index: list[int]
    fg_flipped: list[int]
    fg_bg: bytes
    mask: bytes
    mask_box: list[int]
    depth: bytes
    depth_box: list[int]


# What `parse` returns: tensors by the keys of a table, scalars or [n]; pictures are still encoded.
ParsedRecord = dict[str, tf.Tensor]


class BackgroundInfo(TypedDict):
    """What a background's record says of it, besides its pictures."""

    name: str
    source: str
    bg_index: int


class RecordError(ValueError):
    """A record does not fit the schema: which feature, and how."""


def serialize(record: BackgroundRecord | CompositeRecord, features: tuple[Feature, ...]) -> bytes:
    """Returns a record as the bytes of a tf.train.Example; the same record gives the same bytes.

    Args:
        record: exactly the table's keys.
        features: the table, BACKGROUND or COMPOSITE.

    Raises:
        RecordError: the record does not fit the table.
    """
    values = cast(Mapping[str, Any], record)
    if values.keys() != {feature.key for feature in features}:
        wrong = sorted(values.keys() ^ {feature.key for feature in features})
        raise RecordError(f"The record and the schema differ in {', '.join(wrong)}.")
    example = tf.train.Example()
    fields = example.features.feature
    for feature in features:
        value = values[feature.key]
        if feature.dtype is tf.string:  # "is": dtypes compare slowly
            fields[feature.key].bytes_list.value.append(value.encode() if isinstance(value, str) else value)
        elif feature.shape == ():
            fields[feature.key].int64_list.value.append(value)
        else:
            if feature.shape is not None and len(value) != feature.shape[0]:
                raise RecordError(f"Feature {feature.key} has {len(value)} values; the schema says {feature.shape[0]}.")
            fields[feature.key].int64_list.value.extend(value)
    # Deterministic, so that the same record is the same bytes.
    return example.SerializeToString(deterministic=True)


def make_parse_spec(features: tuple[Feature, ...]) -> dict[str, Any]:
    """Returns what tf.io.parse_example takes. Nothing has a default: a missing feature is an error, no empty picture.

    Only an empty list, of shape None, is stored as nothing, so that its lack is not noticed here.
    """
    return {
        feature.key: tf.io.RaggedFeature(feature.dtype)
        if feature.shape is None
        else tf.io.FixedLenFeature(feature.shape, feature.dtype)
        for feature in features
    }


def parse(serialized: bytes | tf.Tensor, features: tuple[Feature, ...]) -> ParsedRecord:
    """Returns the tensors of one serialized record (a scalar string) by key; pictures are still encoded.

    Args:
        serialized: the record.
        features: the table, or those rows of it that are wanted.
    """
    return tf.io.parse_single_example(serialized, make_parse_spec(features))


def encode_picture(picture: np.ndarray | tf.Tensor, quality: int) -> tf.Tensor:
    """Encodes uint8 [height, width, 3] as JPEG."""
    return tf.io.encode_jpeg(picture, quality=quality)


def encode_labels(labels: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Encodes uint8 or uint16 [height, width, 1] as PNG, without loss."""
    return tf.io.encode_png(labels, compression=PNG_EFFORT)


def decode_background(parsed: ParsedRecord, height: int, width: int) -> ParsedRecord:
    """Decodes `bg`, uint8 [height, width, 3], and `depth`, codes, uint16 [height, width, 1]; the other keys stay."""
    bg = tf.io.decode_jpeg(parsed["bg"], channels=3, dct_method="INTEGER_ACCURATE")
    depth = tf.io.decode_png(parsed["depth"], channels=1, dtype=tf.uint16)
    return {
        **parsed,
        "bg": tf.ensure_shape(bg, [height, width, 3]),
        "depth": tf.ensure_shape(depth, [height, width, 1]),
    }


def decode_composite(
    parsed: ParsedRecord, backgrounds: tf.Tensor, background_depths: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Decodes a parsed composite and adds its background.

    Args:
        parsed: what `parse` returns.
        backgrounds: uint8 [n, height, width, 3], in the order of bg_index.
        background_depths: uint16 [n, height, width, 1], codes, likewise.

    Returns:
        The keys of `Example`, and the other keys of the record.
    """
    _, height, width, _ = backgrounds.shape
    example = Backgrounds(backgrounds, background_depths).complete(decode_layer(parsed, height, width))
    return cast(dict[str, tf.Tensor], example)


def decode_layer(parsed: ParsedRecord, height: int, width: int) -> Layer:
    """Decodes a parsed composite to all that it holds itself, at full size; the other keys of the record stay."""
    fg_bg = tf.io.decode_jpeg(parsed["fg_bg"], channels=3, dct_method="INTEGER_ACCURATE")
    mask = tf.io.decode_png(parsed["mask"], channels=1)
    patch = tf.io.decode_png(parsed["depth"], channels=1, dtype=tf.uint16)
    layer: Any = {
        **parsed,
        "fg_bg": tf.ensure_shape(fg_bg, [height, width, 3]),
        "mask": pad_to_frame(mask, parsed["mask_box"], height, width),
        "depth": pad_to_frame(patch, parsed["depth_box"], height, width),
    }
    return layer


def read_backgrounds(
    path: str, height: int, width: int, promised: int | None = None
) -> tuple[list[BackgroundInfo], np.ndarray, np.ndarray]:
    """Reads the shard of backgrounds.

    Args:
        path: of the shard.
        height: of the data set's pictures.
        width: of the data set's pictures.
        promised: how many there must be; None for any number.

    Returns:
        By bg_index: what the records say, `bg` as uint8 [n, height, width, 3], and codes of depth as uint16
        [n, height, width, 1].

    Raises:
        RecordError: there is none, or they are not as many, or not in order.
    """
    serialized = disable_tuner(tf.data.TFRecordDataset(path))
    # Counted first, so that thousands of backgrounds are not held twice.
    count = int(serialized.reduce(np.int64(0), lambda counted, _: counted + 1))
    if not count:
        raise RecordError(f"{path} holds no backgrounds.")
    # Before memory is asked for: who writes records of nothing may write many.
    if promised is not None and count != promised:
        raise RecordError(f"{path} holds {count:,} backgrounds, its data set has {promised:,}.")
    about: list[BackgroundInfo] = []
    pictures, depths = np.empty([count, height, width, 3], np.uint8), np.empty([count, height, width, 1], np.uint16)
    decoded = serialized.map(
        lambda record: decode_background(parse(record, BACKGROUND), height, width), num_parallel_calls=tf.data.AUTOTUNE
    )
    for number, background in enumerate(disable_tuner(decoded).as_numpy_iterator()):
        if background["bg_index"] != number:
            raise RecordError(f"{path}: record {number} has bg_index {background['bg_index']}; they must be in order.")
        about.append(
            {
                "name": clean_text(background["name"].decode(errors="replace")),
                "source": clean_text(background["source"].decode(errors="replace")),
                "bg_index": number,
            }
        )
        pictures[number], depths[number] = background["bg"], background["depth"]
    return about, pictures, depths
