"""The SavedModel: pictures in, masks and depth out, with nothing else for a client to know.

    serving_default   bg, fg_bg: uint8 [B, H, W, 3]
                      -> mask [B, H, W, 1], 0 to 1; depth [B, H, W, 1]; similarity [B]
    serving_float     the same for float32 pictures from 0 to 1
    serving_bytes     bg_bytes, fg_bg_bytes: [B], each a JPEG or PNG file; sizes may differ from pair to pair
                      -> mask_png_bytes, depth_png_bytes; share, box, nearest, median of the object; similarity
    encode_background        bg: uint8 [B, H, W, 3] -> what is computed of it
    segment_with_background  fg_bg, and all that encode_background returns -> as serving_default
    encode_known_background  bg, and bg_depth: float32 [B, H, W, 1], metres, 0 unknown -> what is computed of both
    segment_with_known_background  fg_bg, and all that encode_known_background returns -> as serving_default

The last two are for backgrounds whose depth is known, with which metres hold: depth is that of the background outside
objects, and on objects what the network of `model.object_depth` says. They are signatures of their own because the
inputs of a signature cannot be left out.

Everything has the size of the frame, whatever the size at which the network looks. One background (a batch of 1) will
do for many frames. Depth is in metres, larger is farther; as PNG it is 16 bits, `depth_scale` codes a metre.
What is wrong with a request is an InvalidArgument that says what and what to do. So is what is too much: a picture of
more than request_images.LARGEST pixels, frames of more than LARGEST_REQUEST together, more than MOST_FRAMES of them.
"""

from collections.abc import Callable

import keras
import tensorflow as tf

from fgseg_tf.inference import scene_match, upsampling
from fgseg_tf.inference.object_placing import KEYS, KnownBackground, fill_unknown, find_size
from fgseg_tf.inference.segmenter import EncodedBackground, Segmenter, resize_to_working_size, working_size
from fgseg_tf.model.depth_code import decode_depth
from fgseg_tf.serving import request_images
from fgseg_tf.serving.request_checks import (
    check_amount,
    check_background_depth,
    check_enough,
    check_files,
    check_finite,
    check_floats,
    check_one_camera,
    check_some,
)
from fgseg_tf.serving.request_images import check, require

DEFAULT, FLOAT, BYTES, ENCODE, SEGMENT, ENCODE_KNOWN, SEGMENT_KNOWN = (
    "serving_default",
    "serving_float",
    "serving_bytes",
    "encode_background",
    "segment_with_background",
    "encode_known_background",
    "segment_with_known_background",
)
SIGNATURES = (DEFAULT, FLOAT, BYTES, ENCODE, SEGMENT, ENCODE_KNOWN, SEGMENT_KNOWN)
PICTURES, FLOATS = tf.TensorSpec([None, None, None, 3], tf.uint8), tf.TensorSpec([None, None, None, 3])
METRES, PICTURE_FILES = tf.TensorSpec([None, None, None, 1]), tf.TensorSpec([None], tf.string)


def save(
    network: keras.Model, side: int, depth_scale: float, folder: str, object_depth: keras.Model | None = None
) -> None:
    """Writes a SavedModel.

    Args:
        network: A network of `model.two_branch`.
        side: Pixels of the longer side at working size.
        depth_scale: Codes of a depth PNG for each metre.
        folder: To write into.
        object_depth: A network of `model.object_depth`; None for the one that comes with the package.
    """
    module, signatures = build(network, side, depth_scale, object_depth)
    tf.saved_model.save(module, folder, signatures)


def build(
    network: keras.Model, side: int, depth_scale: float, object_depth: keras.Model | None = None
) -> tuple[tf.Module, dict]:
    """Returns what is saved: a module that holds the weights, and nothing of Keras; and its signatures by name."""
    segmenter = Segmenter(network, side, object_depth)

    def predict(bg, fg_bg):
        bg, fg_bg = require(check_one_camera(tf.shape(bg), tf.shape(fg_bg)), bg, fg_bg)
        return segment_frames(segmenter, segmenter.encode_background(resize_to_working_size(bg, side)), fg_bg)

    def predict_floats(bg, fg_bg):
        checks = [check_floats(bg, "bg", DEFAULT), check_floats(fg_bg, "fg_bg", DEFAULT)]
        return predict(*require(checks, bg, fg_bg))

    def predict_bytes(bg_bytes, fg_bg_bytes):
        count = tf.size(fg_bg_bytes)
        checks = [check_enough(tf.size(bg_bytes), count), *check_files(fg_bg_bytes, "fg_bg_bytes")]
        bg_bytes, fg_bg_bytes = require(checks, bg_bytes, fg_bg_bytes)

        def one(files):
            bg, fg_bg = (
                request_images.decode_picture(files[0], "bg_bytes"),
                request_images.decode_picture(files[1], "fg_bg_bytes"),
            )
            return request_images.encode_results(predict(bg[None], fg_bg[None]), depth_scale)

        files = tf.broadcast_to(bg_bytes, [count]), fg_bg_bytes
        return tf.map_fn(one, files, fn_output_signature=request_images.FRAME_SPECS, parallel_iterations=2)

    signatures = {
        DEFAULT: make_signature(predict, bg=PICTURES, fg_bg=PICTURES),
        FLOAT: make_signature(predict_floats, bg=FLOATS, fg_bg=FLOATS),
        BYTES: make_signature(predict_bytes, bg_bytes=PICTURE_FILES, fg_bg_bytes=PICTURE_FILES),
        **_build_in_two_steps(segmenter),
        **_build_known_in_two_steps(segmenter),
    }
    return hold_weights(*segmenter.halves, segmenter.placer.network), signatures


def segment_frames(
    segmenter: Segmenter, encoded: EncodedBackground, fg_bg: tf.Tensor, known: KnownBackground | None = None
) -> dict[str, tf.Tensor]:
    """Returns mask, depth and similarity of frames, as serving_default does.

    Args:
        segmenter: Holds the networks.
        encoded: Of one background, or of one for each frame.
        fg_bg: Frames, uint8 or float32 [B, H, W, 3].
        known: What is known of the depth of those backgrounds; None where nothing is.
    """
    small = resize_to_working_size(fg_bg, segmenter.side)
    small_mask, code, similarity = segmenter.segment(encoded, small)
    mask = upsampling.upsample_mask(small_mask, tf.shape(fg_bg)[1:3])
    if known is None:
        depth = decode_depth(upsampling.upsample_depth(code, small_mask, mask))
    else:
        depth = segmenter.placer.place(known, small, small_mask, mask)
    return {"mask": mask, "depth": depth, "similarity": similarity}


def _build_in_two_steps(segmenter: Segmenter) -> dict:
    steps = _find_steps(segmenter)

    def encode_background(bg):
        (bg,) = require(check_amount(tf.shape(bg), "bg", "backgrounds"), bg)
        return {**segmenter.encode_background(resize_to_working_size(bg, segmenter.side)), **_note_size(bg)}

    def segment_with_background(fg_bg, **encoded):
        bg_size = encoded.pop("bg_size")
        fg_bg = _require_one_call(ENCODE, bg_size, encoded, fg_bg, segmenter.side, steps)
        return segment_frames(segmenter, encoded, fg_bg)

    encode = make_signature(encode_background, bg=PICTURES)
    segment = make_signature(segment_with_background, fg_bg=PICTURES, **_specs_of_outputs(encode))
    return {ENCODE: encode, SEGMENT: segment}


def _build_known_in_two_steps(segmenter: Segmenter) -> dict:
    placer = segmenter.placer  # loaded now: in a graph weights cannot be
    steps = _find_steps(segmenter)

    def encode_known_background(bg, bg_depth):
        bg, bg_depth = require(check_background_depth(bg, bg_depth), bg, bg_depth)
        small = resize_to_working_size(bg, segmenter.side)
        known = placer.encode(small, fill_unknown(bg_depth), bg_depth > 0)
        return {**segmenter.encode_background(small), **known, **_note_size(bg)}

    def segment_with_known_background(fg_bg, **encoded):
        bg_size = encoded.pop("bg_size")
        fg_bg = _require_one_call(ENCODE_KNOWN, bg_size, encoded, fg_bg, segmenter.side, steps)
        known: KnownBackground = {key: encoded.pop(key) for key in KEYS}  # type: ignore[assignment, misc]
        return segment_frames(segmenter, encoded, fg_bg, known)

    encode = make_signature(encode_known_background, bg=PICTURES, bg_depth=METRES)
    segment = make_signature(segment_with_known_background, fg_bg=PICTURES, **_specs_of_outputs(encode))
    return {ENCODE_KNOWN: encode, SEGMENT_KNOWN: segment}


def _note_size(bg: tf.Tensor) -> dict[str, tf.Tensor]:
    size = tf.shape(bg)
    return {"bg_size": tf.tile(size[None, 1:3], [size[0], 1])}


def _require_one_call(
    source: str, bg_size: tf.Tensor, encoded: dict, fg_bg: tf.Tensor, side: int, steps: dict[str, int]
) -> tf.Tensor:
    """Returns the frames once it is checked that all else is what one call returned, of backgrounds of their size."""
    (bg_size,) = require([check_some(tf.shape(bg_size)[0], "backgrounds")], bg_size)
    bg_shape = tf.concat([tf.shape(bg_size)[:1], bg_size[0]], 0)
    (fg_bg,) = require(check_one_camera(bg_shape, tf.shape(fg_bg)), fg_bg)
    counts = tf.stack([tf.shape(value)[0] for value in encoded.values()])
    # All of one size, since they came as one batch, unless two batches were put together.
    of_one_call = tf.reduce_all(counts == tf.shape(bg_size)[0]) & tf.reduce_all(bg_size == bg_size[:1])
    for name, size in _list_sizes(bg_size[0], side, steps).items():
        if name in encoded:
            of_one_call &= tf.reduce_all(tf.shape(encoded[name])[1:3] == size)
    checks = [check(of_one_call, f"give all that one call of {source} returned, and only that")]
    (fg_bg,) = require([*checks, *check_finite(encoded, source)], fg_bg)
    return fg_bg


def _find_steps(segmenter: Segmenter) -> dict[str, int]:
    """Returns by how many pixels of the working size each of the features of a background is one, by name."""
    side = 1024  # which every step divides
    spec = tf.TensorSpec([1, side, side, 3])
    features = tf.function(lambda bg: segmenter.halves[0](bg, training=False)).get_concrete_function(spec)
    return {f"features_{number}": side // shape[1] for number, shape in enumerate(features.output_shapes)}


def _list_sizes(bg_size: tf.Tensor, side: int, steps: dict[str, int]) -> dict[str, tf.Tensor]:
    """Returns height and width, int32 [2], of what is computed of a background of a size, by name."""
    working, placing = working_size(bg_size, side), find_size(bg_size)
    grey, nearby = scene_match.BACKGROUND_KEYS
    return {
        **{name: -(-working // step) for name, step in steps.items()},
        grey: working,
        nearby: -(-working[::-1] // scene_match.STEP),
        **{"placing_bg": placing, "placing_code": placing, "bg_metres": bg_size, "bg_known": bg_size},
    }


def _specs_of_outputs(signature) -> dict[str, tf.TensorSpec]:
    return {name: tf.TensorSpec(output.shape, output.dtype) for name, output in signature.structured_outputs.items()}


def hold_weights(*networks: keras.Model) -> tf.Module:
    """Returns a module that holds the weights of networks and nothing else of Keras."""
    module = tf.Module()
    variables = [variable for network in networks for variable in network.variables]
    module.weights = [variable if isinstance(variable, tf.Variable) else variable.value for variable in variables]
    return module


def make_signature(function: Callable, **inputs: tf.TensorSpec):
    """Returns the graph of a function, whose inputs have the names that they are given under."""
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()}
    return tf.function(function).get_concrete_function(**named)
