"""JPEG and PNG files in graphs, decoded and encoded; and the description of the object in a frame."""

import tensorflow as tf

from fgseg_tf.serving.jpeg_scans import MOST_SCANS, has_few_scans

LARGEST = 40_000_000  # pixels; an 8K frame has 33 million
# Pixels of all frames of a request. Eight of 4K have 66 million, which batching.config puts together.
LARGEST_REQUEST = 80_000_000
FOREGROUND = 0.5
PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
HEADER = 24  # bytes of a PNG, with its width and height

# What serving_bytes returns for one frame.
FRAME_SPECS = {
    "mask_png_bytes": tf.TensorSpec([], tf.string),
    "depth_png_bytes": tf.TensorSpec([], tf.string),
    "share": tf.TensorSpec([], tf.float32),
    "box": tf.TensorSpec([4], tf.int32),
    "nearest": tf.TensorSpec([], tf.float32),
    "median": tf.TensorSpec([], tf.float32),
    "similarity": tf.TensorSpec([], tf.float32),
}


def check(condition: tf.Tensor, text: str, *values: tf.Tensor) -> tf.Operation:
    """Returns an op that fails, as InvalidArgument, with that text, where the condition does not hold."""
    return tf.debugging.Assert(condition, [tf.strings.format(text, values) if values else text])


def require(checks: list, *tensors: tf.Tensor) -> tuple[tf.Tensor, ...]:
    """Returns the same tensors once the checks are done, or something else might fail first with a worse text."""
    with tf.control_dependencies(checks):
        return tuple(tf.identity(tensor) for tensor in tensors)


def decode_picture(data: tf.Tensor, name: str) -> tf.Tensor:
    """Returns a picture, uint8 [H, W, 3].

    Its size and its scans are read before anything is decoded, because a small file can hold a huge picture, or the
    same one a thousand times.

    Args:
        data: Bytes of a JPEG or PNG file.
        name: Of the input, for errors.
    """
    # Of a file that is none nothing else is asked.
    (data,) = require([count_pixels(data, name)], data)
    few = tf.cond(tf.strings.substr(data, 0, len(JPEG)) == JPEG, lambda: has_few_scans(data), lambda: True)
    sentence = f"{name} has more than {MOST_SCANS} scans, usual are 10: save it as a plain JPEG"
    (data,) = require([check(few, sentence)], data)
    return tf.ensure_shape(tf.io.decode_image(data, channels=3, expand_animations=False), [None, None, 3])


def count_pixels(data: tf.Tensor, name: str) -> tf.Tensor:
    """Returns how many pixels a picture has by its header, int64 []: from 1 to LARGEST.

    Args:
        data: Bytes of a JPEG or PNG file.
        name: Of the input, for errors.
    """
    header = tf.io.decode_raw(tf.strings.substr(data, 0, tf.minimum(tf.strings.length(data), HEADER)), tf.uint8)
    header = tf.cast(tf.pad(header, [[0, HEADER - tf.size(header)]]), tf.int32)
    is_png, is_jpeg = _begins(header, PNG), _begins(header, JPEG)
    data, header = require([check(is_png | is_jpeg, f"{name} is not a JPEG or PNG file")], data, header)
    size = tf.cond(is_png, lambda: _png_size(header), lambda: _jpeg_size(data))
    pixels = tf.reduce_prod(tf.cast(size, tf.int64))
    fits = (pixels > 0) & (pixels <= LARGEST)
    (pixels,) = require([check(fits, f"{name} has {{}} pixels; up to {LARGEST} are looked at", pixels)], pixels)
    return pixels


def encode_mask_png(mask: tf.Tensor) -> tf.Tensor:
    """Returns a mask, [H, W, 1], 0 to 1, as a PNG, 0 to 255."""
    return tf.io.encode_png(tf.cast(tf.round(mask * 255), tf.uint8))


def encode_depth_png(depth: tf.Tensor, scale: float) -> tf.Tensor:
    """Returns depth, [H, W, 1], as a PNG of 16 bits, `scale` codes for each unit."""
    return tf.io.encode_png(tf.cast(tf.round(tf.minimum(depth * scale, 65535.0)), tf.uint16))


def encode_results(results: dict, scale: float) -> dict:
    """Returns what serving_bytes does for a frame.

    Args:
        results: mask, depth and similarity of a batch of one frame.
        scale: Codes of a depth PNG for each metre.
    """
    mask, depth = results["mask"][0], results["depth"][0]
    return {
        "mask_png_bytes": encode_mask_png(mask),
        "depth_png_bytes": encode_depth_png(depth, scale),
        **describe_object(mask, depth),
        "similarity": results["similarity"][0],
    }


def describe_object(mask: tf.Tensor, depth: tf.Tensor) -> dict:
    """Describes all foreground of a frame together.

    Args:
        mask: [H, W, 1], 0 to 1.
        depth: [H, W, 1].

    Returns:
        share: Of the picture, 0 to 1.
        box: int32, top, left, bottom, right in pixels, the last two exclusive.
        nearest, median: Depth, in its unit.
        All of them are 0 where there is no foreground.
    """
    inside = mask[..., 0] >= FOREGROUND
    rows, columns = tf.reduce_any(inside, 1), tf.reduce_any(inside, 0)
    ends = [_first(rows), _first(columns), _after_last(rows), _after_last(columns)]
    distances = tf.sort(tf.boolean_mask(depth[..., 0], inside))
    count = tf.size(distances)
    nearest_and_median = tf.cond(count > 0, lambda: tf.gather(distances, [0, (count - 1) // 2]), lambda: tf.zeros([2]))
    return {
        "share": tf.reduce_mean(tf.cast(inside, tf.float32)),
        "box": tf.where(count > 0, tf.cast(tf.stack(ends), tf.int32), 0),
        "nearest": nearest_and_median[0],
        "median": nearest_and_median[1],
    }


def _first(line):
    return tf.argmax(tf.cast(line, tf.int32))


def _after_last(line):
    return tf.size(line, tf.int64) - tf.argmax(tf.cast(line[::-1], tf.int32))


def _begins(header, magic: bytes):
    return tf.reduce_all(header[: len(magic)] == list(magic))


def _png_size(header):
    """Height and width, 4 bytes each, the width first."""
    sides = tf.cast(tf.reshape(header[16:24], [2, 4]), tf.int64)
    width, height = tf.unstack(tf.reduce_sum(sides * [256**3, 256**2, 256, 1], 1))
    # A side that no picture has, not a product that is more than 64 bits hold.
    return tf.minimum(tf.stack([height, width]), LARGEST + 1)


def _jpeg_size(data):
    return tf.cast(tf.io.extract_jpeg_shape(data)[:2], tf.int64)
