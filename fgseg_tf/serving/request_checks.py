"""What can be wrong with the pictures of a request, each an InvalidArgument that says what and what to do."""

import tensorflow as tf

from fgseg_tf.serving.request_images import LARGEST, LARGEST_REQUEST, check, count_pixels, require

# Of a request. The network looks at the smallest ones too: at 192 pixels each takes 10 MB meanwhile, so that as many
# take what LARGEST_REQUEST pixels do.
MOST_FRAMES = 256


def check_some(count: tf.Tensor, what: str) -> tf.Operation:
    """Returns a check that a count of `what` is not 0."""
    return check(count > 0, f"there are no {what}: give one or more")


def check_amount(pictures: tf.Tensor, name: str, what: str = "frames") -> list[tf.Operation]:
    """Returns checks that there is something to look at in pictures of a shape, and not too much.

    Args:
        pictures: int32 [4].
        name: Of the input, for the sentences.
        what: They are.
    """
    count, height, width = tf.unstack(tf.cast(pictures, tf.int64)[:3])
    pixels = height * width
    return [
        check_some(count, what),
        check(pixels > 0, "pictures have no pixels"),
        check(pixels <= LARGEST, f"{name} has {{}} pixels; up to {LARGEST} are looked at", pixels),
        *_check_total(count, count * pixels, what),
    ]


def check_files(files: tf.Tensor, name: str) -> list[tf.Operation]:
    """Returns checks that there are files to look at, and not too much in all of them together.

    Args:
        files: Bytes of a JPEG or PNG each, string [B].
        name: Of the input, for the sentences.
    """
    count = tf.size(files, tf.int64)
    # Of more than that no header is read.
    (files,) = require([check_some(count, "frames"), *_check_total(count, tf.zeros_like(count), "frames")], files)
    pixels = tf.map_fn(lambda file: count_pixels(file, name), files, fn_output_signature=tf.int64)
    return _check_total(count, tf.reduce_sum(pixels), "frames")


def _check_total(count: tf.Tensor, pixels: tf.Tensor, what: str) -> list[tf.Operation]:
    most = f"{MOST_FRAMES} are looked at in a request: send fewer at once"
    fewer = f"{LARGEST_REQUEST} are looked at in a request: send fewer at once"
    return [
        check(count <= MOST_FRAMES, f"there are {{}} {what}; up to {most}", count),
        check(pixels <= LARGEST_REQUEST, f"all {what} have {{}} pixels together; up to {fewer}", pixels),
    ]


def check_one_camera(bg: tf.Tensor, fg_bg: tf.Tensor) -> list[tf.Operation]:
    """Returns checks that two shapes, int32 [4], are of backgrounds and frames of one camera."""
    sizes = [bg[2], bg[1], fg_bg[2], fg_bg[1]]
    sentence = "bg is {} x {} pixels and fg_bg {} x {}: make them one size"
    return [
        check(tf.reduce_all(bg[1:3] == fg_bg[1:3]), sentence, *sizes),
        check_enough(bg[0], fg_bg[0]),
        *check_amount(fg_bg, "fg_bg"),
    ]


def check_enough(backgrounds: tf.Tensor, frames: tf.Tensor) -> tf.Operation:
    """Returns a check that there is one background, or one for each frame; both are counts."""
    sentence = "there are {} backgrounds and {} frames: give one background, or one for each frame"
    return check((backgrounds == frames) | (backgrounds == 1), sentence, backgrounds, frames)


def check_floats(pictures: tf.Tensor, name: str, other: str) -> tf.Operation:
    """Returns a check that pictures are from 0 to 1.

    Args:
        pictures: float32 [B, H, W, 3].
        name: Of the input, for the sentence.
        other: The signature that takes uint8.
    """
    # A sum is not finite if anything in it is not; the least and the most promise nothing of what is not a number.
    finite = tf.math.is_finite(tf.reduce_sum(pictures))
    inside = finite & (tf.reduce_min(pictures) >= 0) & (tf.reduce_max(pictures) <= 1)
    return check(inside, f"{name} has values that are not from 0 to 1: divide by 255, or send uint8 to {other}")


def check_camera_size(fg_bg: tf.Tensor, size: tuple[int, int]) -> tf.Operation:
    """Returns a check that frames of a shape, int32 [4], have the height and width of the camera."""
    height, width = size
    sentence = (
        f"pictures of this camera are {width} x {height} pixels and fg_bg is {{}} x {{}}: send its frames as they are"
    )
    return check(tf.reduce_all(fg_bg[1:3] == size), sentence, fg_bg[2], fg_bg[1])


def check_background_depth(bg: tf.Tensor, bg_depth: tf.Tensor) -> list[tf.Operation]:
    """Returns checks that depth is of these backgrounds.

    Args:
        bg: uint8 [B, H, W, 3].
        bg_depth: float32 [B, H, W, 1], metres, 0 unknown.
    """
    of_bg, of_depth = tf.shape(bg), tf.shape(bg_depth)
    sizes = [of_bg[2], of_bg[1], of_depth[2], of_depth[1]]
    # Put so that it is false of what is not a number.
    inside = tf.reduce_all((bg_depth >= 0) & (bg_depth < float("inf")))
    first = [
        *check_amount(of_bg, "bg", "backgrounds"),
        check(
            of_bg[0] == of_depth[0],
            "there are {} backgrounds and {} depths of backgrounds: give one for each",
            of_bg[0],
            of_depth[0],
        ),
    ]
    (bg_depth,) = require(first, bg_depth)  # of no depths there is none that is unknown
    known = tf.reduce_any(bg_depth > 0, [1, 2, 3])
    return [
        *first,
        check(
            tf.reduce_all(of_bg[1:3] == of_depth[1:3]),
            "bg is {} x {} pixels and bg_depth {} x {}: make them one size (depth by the nearest pixel)",
            *sizes,
        ),
        check(inside, "bg_depth has values that are negative or not finite: give metres, and 0 where they are unknown"),
        check(
            tf.reduce_all(known),
            "bg_depth of background {} is unknown everywhere: give metres where you know them, or use "
            "encode_background, which needs none",
            tf.argmin(tf.cast(known, tf.int32)),
        ),
    ]


def check_finite(values: dict[str, tf.Tensor], source: str) -> list[tf.Operation]:
    """Returns checks that what a signature returned before, by name, is still numbers."""
    sentence = f"has values that are not finite: give what {source} returned"
    return [
        check(tf.math.is_finite(tf.reduce_sum(value)), f"{name} {sentence}")
        for name, value in values.items()
        if value.dtype.is_floating
    ]
