"""The schema: what is written comes back, what is wrong is named, and a composite is put together again by hand."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.tfrecord import schema
from data_pipelines.tfrecord.schema import BACKGROUND, COMPOSITE, RecordError, decode_composite, parse, serialize

pytestmark = pytest.mark.both_stacks

HEIGHT, WIDTH = 5, 7
random = np.random.default_rng(2)
BACKGROUNDS = random.integers(0, 256, (3, HEIGHT, WIDTH, 3), np.uint8)
DEPTHS = random.integers(1, 65536, (3, HEIGHT, WIDTH, 1)).astype(np.uint16)
FG_BG = random.integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
MASK = random.integers(0, 256, (2, 3, 1), np.uint8)
PATCH = np.array([[[0], [300]], [[65535], [0]], [[1], [77]]], np.uint16)


def background(number=1):
    return {
        "name": f"bg{number:03d}",
        "source": "rooms/café.jpg",
        "bg_index": number,
        "bg": schema.encode_picture(BACKGROUNDS[number], 90).numpy(),
        "depth": schema.encode_labels(DEPTHS[number]).numpy(),
    }


def composite(**changes):
    record = {
        "name": "bg001-fg002-p00",
        "index": 400_000_000_000,
        "bg_index": 1,
        "bg_flipped": 0,
        "fg_index": [2, 0, 5],
        "fg_flipped": [0, 1, 1],
        "fg_bg": schema.encode_picture(FG_BG, 90).numpy(),
        "mask": schema.encode_labels(MASK).numpy(),
        "mask_box": [1, 3, 3, 6],
        "depth": schema.encode_labels(PATCH).numpy(),
        "depth_box": [0, 5, 3, 7],
    }
    return record | changes


KINDS = pytest.mark.parametrize(
    ("record", "features"),
    [
        (background(), BACKGROUND),
        (composite(), COMPOSITE),
        (composite(fg_index=[], fg_flipped=[]), COMPOSITE),
        (composite(fg_index=[3], fg_flipped=[1], bg_flipped=1), COMPOSITE),
    ],
    ids=["background", "three", "nobody", "one"],
)


def as_record(parsed):
    """What `serialize` takes, from what `parse` gives."""
    values = {key: value.numpy() for key, value in parsed.items()}
    return {key: value if isinstance(value, bytes) else value.tolist() for key, value in values.items()}


@KINDS
def test_round_trip(record, features):
    serialized = serialize(record, features)
    parsed = parse(serialized, features)
    assert parsed.keys() == record.keys()
    for feature in features:
        assert parsed[feature.key].dtype == feature.dtype
        expected = record[feature.key]
        expected = expected.encode() if isinstance(expected, str) else expected
        assert as_record(parsed)[feature.key] == expected
    assert serialize(as_record(parsed), features) == serialized


@KINDS
def test_the_same_record_is_the_same_bytes(record, features):
    backwards = dict(reversed(record.items()))
    assert serialize(backwards, features) == serialize(record, features)


@KINDS
def test_parsed_in_a_graph_as_eagerly(record, features):
    serialized = serialize(record, features)
    dataset = tf.data.Dataset.from_tensors(serialized).map(lambda one: parse(one, features))
    assert as_record(next(iter(dataset))) == as_record(parse(serialized, features))


def test_bytes_on_disk():
    # By another reader than ours.
    example = tf.train.Example.FromString(serialize(composite(), COMPOSITE))
    fields = example.features.feature
    assert set(fields) == {feature.key for feature in COMPOSITE}
    assert list(fields["name"].bytes_list.value) == [b"bg001-fg002-p00"]
    assert list(fields["fg_index"].int64_list.value) == [2, 0, 5]
    assert list(fields["mask_box"].int64_list.value) == [1, 3, 3, 6]


@pytest.mark.parametrize("features", [BACKGROUND, COMPOSITE], ids=["background", "composite"])
def test_what_is_missing_or_too_much_is_named(features):
    whole = background() if features is BACKGROUND else composite()
    for key in whole:
        with pytest.raises(RecordError, match=rf"differ in {key}\.$"):
            serialize({k: v for k, v in whole.items() if k != key}, features)
    with pytest.raises(RecordError, match=r"differ in bgg\.$"):
        serialize(whole | {"bgg": b""}, features)


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, 3, 4, 5], []])
def test_a_list_of_the_wrong_length_is_named(box):
    with pytest.raises(RecordError, match=f"mask_box has {len(box)} values; the schema says 4"):
        serialize(composite(mask_box=box), COMPOSITE)


@pytest.mark.parametrize(
    ("features", "key"),
    [(table, feature.key) for table in (BACKGROUND, COMPOSITE) for feature in table if feature.shape is not None],
)
def test_a_missing_feature_is_an_error_and_not_a_default(features, key):
    whole = background() if features is BACKGROUND else composite()
    example = tf.train.Example.FromString(serialize(whole, features))
    del example.features.feature[key]
    with pytest.raises(tf.errors.InvalidArgumentError, match=key):
        parse(example.SerializeToString(), features)


def test_a_feature_of_the_wrong_kind_is_an_error():
    example = tf.train.Example.FromString(serialize(composite(), COMPOSITE))
    example.features.feature["mask"].int64_list.value.append(3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="mask"):
        parse(example.SerializeToString(), COMPOSITE)


def test_labels_are_lossless():
    every = np.arange(65536, dtype=np.uint32).astype(np.uint16).reshape(256, 256, 1)
    png = schema.encode_labels(every)
    np.testing.assert_array_equal(tf.io.decode_png(png, dtype=tf.uint16), every)
    png = schema.encode_labels(MASK)
    np.testing.assert_array_equal(tf.io.decode_png(png), MASK)


def test_jpeg_quality_counts():
    noise = random.integers(0, 256, (32, 48, 3), np.uint8)
    assert len(schema.encode_picture(noise, 30).numpy()) < len(schema.encode_picture(noise, 95).numpy())


def test_decode_background():
    decoded = schema.decode_background(parse(serialize(background(2), BACKGROUND), BACKGROUND), HEIGHT, WIDTH)
    np.testing.assert_array_equal(decoded["depth"], DEPTHS[2])
    assert decoded["bg"].shape == (HEIGHT, WIDTH, 3)
    assert decoded["name"] == b"bg002"
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        schema.decode_background(parse(serialize(background(2), BACKGROUND), BACKGROUND), HEIGHT, WIDTH + 1)


def decode(record):
    return decode_composite(
        parse(serialize(record, COMPOSITE), COMPOSITE), tf.constant(BACKGROUNDS), tf.constant(DEPTHS)
    )


@pytest.mark.parametrize("flipped", [0, 1])
def test_decode_composite_by_hand(flipped):
    record = composite(bg_flipped=flipped)
    mirror = slice(None, None, -1) if flipped else slice(None)
    mask = np.zeros([HEIGHT, WIDTH, 1], np.uint8)
    mask[1:3, 3:6] = MASK
    depth = DEPTHS[1][:, mirror].copy()
    depth[0, 6], depth[1, 5], depth[2, 5], depth[2, 6] = 300, 65535, 1, 77
    picture = tf.io.decode_jpeg(record["fg_bg"], dct_method="INTEGER_ACCURATE")

    eager = decode(record)
    dataset = tf.data.Dataset.from_tensors(serialize(record, COMPOSITE)).map(
        lambda one: decode_composite(parse(one, COMPOSITE), tf.constant(BACKGROUNDS), tf.constant(DEPTHS))
    )
    shapes = {key: tuple(dataset.element_spec[key].shape) for key in ("bg", "fg_bg", "mask", "depth")}
    assert shapes == {
        "bg": (HEIGHT, WIDTH, 3),
        "fg_bg": (HEIGHT, WIDTH, 3),
        "mask": (HEIGHT, WIDTH, 1),
        "depth": (HEIGHT, WIDTH, 1),
    }
    for decoded in (eager, next(iter(dataset))):
        for key, expected in (("bg", BACKGROUNDS[1][:, mirror]), ("fg_bg", picture), ("mask", mask), ("depth", depth)):
            assert decoded[key].dtype == expected.dtype
            np.testing.assert_array_equal(decoded[key], expected, err_msg=key)
        assert decoded["index"] == 400_000_000_000
        assert decoded["fg_index"].numpy().tolist() == [2, 0, 5]


@pytest.mark.parametrize(
    "boxes",
    [
        {"mask_box": [1, 3, 3, 7]},
        {"mask_box": [1, 3, 4, 6]},
        {"mask_box": [1, 5, 3, 8]},
        {"mask_box": [-1, 3, 1, 6]},
        {"depth_box": [0, 5, 2, 7]},
        {"depth_box": [3, 5, 6, 7]},
    ],
)
def test_a_wrong_box_is_an_error(boxes):
    record = composite(**boxes)
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError)):
        decode(record)
    dataset = tf.data.Dataset.from_tensors(serialize(record, COMPOSITE)).map(
        lambda one: decode_composite(parse(one, COMPOSITE), tf.constant(BACKGROUNDS), tf.constant(DEPTHS))
    )
    with pytest.raises(tf.errors.InvalidArgumentError):
        next(iter(dataset))


def write_shard(path, numbers):
    with tf.io.TFRecordWriter(str(path)) as writer:
        for number in numbers:
            writer.write(serialize(background(number), BACKGROUND))
    return str(path)


def test_read_backgrounds(tmp_path):
    about, pictures, depths = schema.read_backgrounds(write_shard(tmp_path / "b", range(3)), HEIGHT, WIDTH)
    assert [one["name"] for one in about] == ["bg000", "bg001", "bg002"]
    assert about[1] == {"name": "bg001", "source": "rooms/café.jpg", "bg_index": 1}
    assert pictures.shape == (3, HEIGHT, WIDTH, 3)
    np.testing.assert_array_equal(depths, DEPTHS)
    np.testing.assert_array_equal(
        pictures[2], tf.io.decode_jpeg(background(2)["bg"], dct_method="INTEGER_ACCURATE").numpy()
    )


def test_backgrounds_are_found_by_their_number_so_they_must_be_in_order(tmp_path):
    with pytest.raises(RecordError, match="record 1 has bg_index 2; they must be in order"):
        schema.read_backgrounds(write_shard(tmp_path / "b", [0, 2, 1]), HEIGHT, WIDTH)


def test_no_backgrounds(tmp_path):
    with pytest.raises(RecordError, match="holds no backgrounds"):
        schema.read_backgrounds(write_shard(tmp_path / "b", []), HEIGHT, WIDTH)
