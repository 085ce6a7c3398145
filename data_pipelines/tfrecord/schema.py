"""The schema of the shards: one table of features makes the writer and the parser.

Two kinds of records, both tf.train.Example. A data set has one shard of backgrounds, each stored once, and many of
composites that refer to them.

    background   what the camera sees when nobody is there, and its depth
    composite    the same with objects in it

Pictures are JPEG (bg, fg_bg) or PNG (mask 8 bits, depth 16 bits: metres x the manifest's depth_scale, larger is
farther, 0 unknown). The mask and the depth of a composite are stored for the part of the picture that is not scenery:
outside mask_box the mask is 0; outside depth_box, and where the stored depth is 0, the depth is that of the bare
background. `decode_composite` puts them together again.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypedDict, cast

import numpy as np
import tensorflow as tf

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


def decode_composite(parsed: dict, backgrounds: tf.Tensor, background_depths: tf.Tensor) -> dict:
    """A parsed composite -> what `Scenery.complete` answers.

    backgrounds: uint8 [n, h, w, 3]; background_depths: uint16 [n, h, w, 1], codes; in the order of bg_index.
    """
    _, height, width, _ = backgrounds.shape
    return Scenery(backgrounds, background_depths).complete(decode_layer(parsed, height, width))


def decode_layer(parsed: dict, height: int, width: int) -> dict:
    """A parsed composite -> all that it holds itself, at full size: fg_bg uint8 [height, width, 3], mask uint8
    [height, width, 1], depth uint16 [height, width, 1], 0 where it is the background's; the other keys stay.
    """
    fg_bg = tf.io.decode_jpeg(parsed["fg_bg"], channels=3, dct_method="INTEGER_ACCURATE")
    mask = tf.io.decode_png(parsed["mask"], channels=1)
    patch = tf.io.decode_png(parsed["depth"], channels=1, dtype=tf.uint16)
    return {
        **parsed,
        "fg_bg": tf.ensure_shape(fg_bg, [height, width, 3]),
        "mask": in_full(mask, parsed["mask_box"], height, width),
        "depth": in_full(patch, parsed["depth_box"], height, width),
    }


@dataclass(frozen=True)
class Scenery:
    """All bare backgrounds of a data set: uint8 [n, h, w, 3], and codes of their depth, uint16 [n, h, w, 1]."""

    pictures: tf.Tensor
    codes: tf.Tensor

    def complete(self, layer: dict) -> dict:
        """One layer, or a batch of them -> the same with its bg uint8 [.., h, w, 3], depth codes uint16 [.., h, w, 1]
        everywhere, and bg_depth, those of the empty scene.
        """
        scenery = self.behind(layer, self.codes)
        depth = tf.where(layer["depth"] > 0, layer["depth"], scenery)
        return {**layer, "bg": self.behind(layer, self.pictures), "depth": depth, "bg_depth": scenery}

    @staticmethod
    def behind(layer: dict, backgrounds: tf.Tensor) -> tf.Tensor:
        """backgrounds [n, h, w, c] -> [.., h, w, c], the one behind a layer, or those behind a batch of them."""
        found = tf.gather(backgrounds, layer["bg_index"])
        flipped = tf.cast(layer["bg_flipped"], tf.bool)
        turned = Scenery.mirrored if flipped.shape.rank else lambda picture, _: tf.reverse(picture, [-2])
        # Mostly there is nothing to mirror.
        return tf.cond(tf.reduce_any(flipped), lambda: turned(found, flipped), lambda: found)

    @staticmethod
    def mirrored(pictures: tf.Tensor, which: tf.Tensor) -> tf.Tensor:
        """pictures [n, h, w, c], of which those that `which`, bool [n], says come left to right."""
        _, height, width, channels = pictures.shape
        count = tf.shape(pictures)[0]
        # tf.reverse has a fast way for three dimensions.
        one_tall_picture = tf.reshape(pictures, [count * height, width, channels])
        turned = tf.reshape(tf.reverse(one_tall_picture, [1]), tf.shape(pictures))
        # Whole pictures are chosen: to choose pixel by pixel takes longer than to decode them.
        chosen = tf.range(count) + count * tf.cast(which, tf.int32)
        return tf.ensure_shape(tf.gather(tf.concat([pictures, turned], 0), chosen), pictures.shape)


def in_full(patch: tf.Tensor, box: tf.Tensor, height: int, width: int) -> tf.Tensor:
    """A patch [h, w, 1] of the box (top, left, bottom, right), with zeros around it: [height, width, 1]."""
    begin_and_end = tf.reshape(tf.cast(box, tf.int32), [2, 2])
    around = tf.transpose(begin_and_end * [[1], [-1]] + [[0, 0], [height, width]])
    # Two dimensions: with the third, tf.pad takes several times as long. Of this shape only if the patch is the box's.
    full = tf.ensure_shape(tf.pad(patch[..., 0], around), [height, width])
    return full[..., None]


def read_backgrounds(path: str, height: int, width: int) -> tuple[list[BackgroundInfo], np.ndarray, np.ndarray]:
    """Reads the shard of backgrounds.

    Args:
        path: of the shard.
        height: of the data set's pictures.
        width: of the data set's pictures.

    Returns:
        By bg_index: what the records say, `bg` as uint8 [n, height, width, 3], and codes of depth as uint16
        [n, height, width, 1].

    Raises:
        RecordError: there is none, or they are not in order.
    """
    serialized = tf.data.TFRecordDataset(path)
    # Counted first, so that thousands of backgrounds are not held twice.
    count = int(serialized.reduce(np.int64(0), lambda counted, _: counted + 1))
    if not count:
        raise RecordError(f"{path} holds no backgrounds.")
    about: list[BackgroundInfo] = []
    pictures, depths = np.empty([count, height, width, 3], np.uint8), np.empty([count, height, width, 1], np.uint16)
    decoded = serialized.map(
        lambda record: decode_background(parse(record, BACKGROUND), height, width), num_parallel_calls=tf.data.AUTOTUNE
    )
    for number, background in enumerate(decoded.as_numpy_iterator()):
        if background["bg_index"] != number:
            raise RecordError(f"{path}: record {number} has bg_index {background['bg_index']}; they must be in order.")
        about.append(
            {
                "name": background["name"].decode(),
                "source": background["source"].decode(),
                "bg_index": number,
            }
        )
        pictures[number], depths[number] = background["bg"], background["depth"]
    return about, pictures, depths
