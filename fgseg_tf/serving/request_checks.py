"""What can be wrong with the pictures of a request, each an InvalidArgument that says what and what to do."""

import tensorflow as tf

from fgseg_tf.serving.request_images import check


def check_one_camera(bg: tf.Tensor, fg_bg: tf.Tensor) -> list[tf.Operation]:
    """Returns checks that two shapes, int32 [4], are of backgrounds and frames of one camera."""
    sizes = [bg[2], bg[1], fg_bg[2], fg_bg[1]]
    sentence = "bg is {} x {} pixels and fg_bg {} x {}: make them one size"
    return [
        check(tf.reduce_all(bg[1:3] == fg_bg[1:3]), sentence, *sizes),
        check(tf.reduce_all(fg_bg[1:3] > 0), "pictures have no pixels"),
        check_enough(bg[0], fg_bg[0]),
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
    # Put so that it is false of what is not a number.
    inside = (tf.reduce_min(pictures) >= 0) & (tf.reduce_max(pictures) <= 1)
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
    known = tf.reduce_any(bg_depth > 0, [1, 2, 3])
    return [
        check(
            tf.reduce_all(of_bg[1:3] == of_depth[1:3]),
            "bg is {} x {} pixels and bg_depth {} x {}: make them one size (depth by the nearest pixel)",
            *sizes,
        ),
        check(tf.reduce_all(of_bg[1:3] > 0), "pictures have no pixels"),
        check(
            of_bg[0] == of_depth[0],
            "there are {} backgrounds and {} depths of backgrounds: give one for each",
            of_bg[0],
            of_depth[0],
        ),
        check(inside, "bg_depth has values that are negative or not finite: give metres, and 0 where they are unknown"),
        check(
            tf.reduce_all(known),
            "bg_depth of background {} is unknown everywhere: give metres where you know them, or use "
            "encode_background, which needs none",
            tf.argmin(tf.cast(known, tf.int32)),
        ),
    ]
