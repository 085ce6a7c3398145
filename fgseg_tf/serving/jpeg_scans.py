"""Counts the scans of a JPEG file in a graph, because a file of some kilobytes can have thousands.

The whole picture is decoded anew for each. A progressive JPEG has about 10.
"""

import tensorflow as tf

MOST_SCANS = 100
MOST_SEGMENTS = 2000  # before a file counts as one of too many scans; a map of depth in them takes some hundreds
SCAN, END, START = 0xDA, 0xD9, 0xD8


def has_few_scans(data: tf.Tensor) -> tf.Tensor:
    """Returns whether a JPEG has at most MOST_SCANS, bool [].

    Args:
        data: Bytes of the file.
    """
    codes = tf.io.decode_raw(data, tf.uint8)
    # In what is coded these two bytes do not follow each other. They may where no decoder looks: in a segment of
    # something else, or in a film behind the picture. So only where there are many, the file is walked through.
    at_most = tf.reduce_sum(tf.cast((codes[:-1] == 0xFF) & (codes[1:] == SCAN), tf.int32))
    return tf.cond(at_most <= MOST_SCANS, lambda: True, lambda: _walk(codes))


def _walk(codes: tf.Tensor) -> tf.Tensor:
    """Returns the same after going from segment to segment, as decoders do."""
    codes = tf.cast(tf.pad(codes, [[0, 4]]), tf.int32)
    following = codes[1:]
    # Not restarts, which are part of a scan.
    is_marker = (codes[:-1] == 0xFF) & (following != 0) & (following != 0xFF) & (following // 8 != 0xD0 // 8)
    markers = tf.concat([tf.where(is_marker)[:, 0], [tf.size(codes, tf.int64) - 2]], 0)

    def goes_on(place, scans, segments):
        return (place >= 0) & (scans <= MOST_SCANS) & (segments <= MOST_SEGMENTS)

    def step(place, scans, segments):
        number = tf.searchsorted(markers, place[None])[0]
        marker = tf.gather(markers, tf.minimum(number, tf.size(markers) - 1))
        kind, high, low = tf.unstack(codes[marker + 1 : marker + 4], 3)
        length = tf.where(kind == START, 0, 256 * high + low)
        # Behind the last one come zeros, which are no segment either.
        ends = (kind == END) | ((length < 2) & (kind != START)) | (number >= tf.size(markers) - 1)
        onwards = tf.where(ends, tf.constant(-1, tf.int64), marker + 2 + tf.cast(length, tf.int64))
        return onwards, scans + tf.cast(kind == SCAN, tf.int32), segments + 1

    _, scans, segments = tf.while_loop(goes_on, step, (tf.constant(0, tf.int64), 0, 0))
    return (scans <= MOST_SCANS) & (segments <= MOST_SEGMENTS)
