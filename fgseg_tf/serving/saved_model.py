"""The SavedModel: pictures in, masks and depth out, with nothing else for a client to know.

    serving_default   bg, fg_bg: uint8 [B, H, W, 3]
                      -> mask [B, H, W, 1], 0 to 1; depth [B, H, W, 1]; similarity [B]
    serving_float     the same for float32 pictures from 0 to 1
    serving_bytes     bg_bytes, fg_bg_bytes: [B], each a JPEG or PNG file; sizes may differ from pair to pair
                      -> mask_png_bytes, depth_png_bytes; share, box, nearest, median of the object; similarity
    encode_background        bg: uint8 [B, H, W, 3] -> what is computed of it
    segment_with_background  fg_bg, and all that encode_background returns -> as serving_default

Everything has the size of the frame, whatever the size at which the network looks. One background (a batch of 1) will
do for many frames. Depth is in metres, larger is farther; as PNG it is 16 bits, `depth_scale` codes a metre.
What is wrong with a request is an InvalidArgument that says what and what to do.
"""

import keras
import tensorflow as tf

from fgseg_tf.inference import upsampling
from fgseg_tf.inference.segmenter import Segmenter, resize_to_working_size
from fgseg_tf.model.depth_code import decode_depth
from fgseg_tf.serving import request_images
from fgseg_tf.serving.request_images import check, require

DEFAULT, FLOAT, BYTES, ENCODE, SEGMENT = (
    "serving_default",
    "serving_float",
    "serving_bytes",
    "encode_background",
    "segment_with_background",
)
SIGNATURES = (DEFAULT, FLOAT, BYTES, ENCODE, SEGMENT)


def save(network: keras.Model, side: int, depth_scale: float, folder: str) -> None:
    """Writes a SavedModel.

    Args:
        network: A network of `model.two_branch`.
        side: Pixels of the longer side at working size.
        depth_scale: Codes of a depth PNG for each metre.
        folder: To write into.
    """
    module, signatures = build(network, side, depth_scale)
    tf.saved_model.save(module, folder, signatures)


def build(network: keras.Model, side: int, depth_scale: float) -> tuple[tf.Module, dict]:
    """Returns what is saved: a module that holds the weights, and nothing of Keras; and its signatures by name."""
    segmenter = Segmenter(network, side)

    def segment(encoded, frame):
        small_mask, code, similarity = segmenter.segment(encoded, resize_to_working_size(frame, side))
        mask = upsampling.upsample_mask(small_mask, tf.shape(frame)[1:3])
        depth = decode_depth(upsampling.upsample_depth(code, small_mask, mask))
        return {"mask": mask, "depth": depth, "similarity": similarity}

    def predict(bg, fg_bg):
        bg, fg_bg = require(_of_one_camera(tf.shape(bg), tf.shape(fg_bg)), bg, fg_bg)
        return segment(segmenter.encode_background(resize_to_working_size(bg, side)), fg_bg)

    def predict_floats(bg, fg_bg):
        return predict(*require([_are_floats(bg, "bg"), _are_floats(fg_bg, "fg_bg")], bg, fg_bg))

    def predict_bytes(bg_bytes, fg_bg_bytes):
        count = tf.size(fg_bg_bytes)
        bg_bytes, fg_bg_bytes = require([_enough(tf.size(bg_bytes), count)], bg_bytes, fg_bg_bytes)

        def one(files):
            bg, fg_bg = (
                request_images.decode_picture(files[0], "bg_bytes"),
                request_images.decode_picture(files[1], "fg_bg_bytes"),
            )
            result = {key: value[0] for key, value in predict(bg[None], fg_bg[None]).items()}
            return {
                "mask_png_bytes": request_images.encode_mask_png(result["mask"]),
                "depth_png_bytes": request_images.encode_depth_png(result["depth"], depth_scale),
                **request_images.describe_object(result["mask"], result["depth"]),
                "similarity": result["similarity"],
            }

        files = tf.broadcast_to(bg_bytes, [count]), fg_bg_bytes
        return tf.map_fn(one, files, fn_output_signature=request_images.FRAME_SPECS, parallel_iterations=2)

    def encode_background(bg):
        size = tf.shape(bg)
        return {
            **segmenter.encode_background(resize_to_working_size(bg, side)),
            "bg_size": tf.tile(size[None, 1:3], [size[0], 1]),
        }

    def segment_with_background(fg_bg, **encoded):
        bg_size = encoded.pop("bg_size")
        counts = tf.stack([tf.shape(value)[0] for value in encoded.values()])
        # All of one size, since they came as one batch, unless two batches were put together.
        of_one_call = tf.reduce_all(counts == tf.shape(bg_size)[0]) & tf.reduce_all(bg_size == bg_size[:1])
        (bg_size,) = require(
            [check(of_one_call, f"give all that one call of {ENCODE} returned, and only that")], bg_size
        )
        bg_shape = tf.concat([tf.shape(bg_size)[:1], bg_size[0]], 0)
        (fg_bg,) = require(_of_one_camera(bg_shape, tf.shape(fg_bg)), fg_bg)
        return segment(encoded, fg_bg)

    pictures, floats = tf.TensorSpec([None, None, None, 3], tf.uint8), tf.TensorSpec([None, None, None, 3])
    files = tf.TensorSpec([None], tf.string)
    encode = _signature(encode_background, bg=pictures)
    encoded = {name: tf.TensorSpec(output.shape, output.dtype) for name, output in encode.structured_outputs.items()}
    signatures = {
        DEFAULT: _signature(predict, bg=pictures, fg_bg=pictures),
        FLOAT: _signature(predict_floats, bg=floats, fg_bg=floats),
        BYTES: _signature(predict_bytes, bg_bytes=files, fg_bg_bytes=files),
        ENCODE: encode,
        SEGMENT: _signature(segment_with_background, fg_bg=pictures, **encoded),
    }
    return hold_weights(*segmenter.halves), signatures


def hold_weights(*networks: keras.Model) -> tf.Module:
    """Returns a module that holds the weights of networks and nothing else of Keras."""
    module = tf.Module()
    variables = [variable for network in networks for variable in network.variables]
    module.weights = [variable if isinstance(variable, tf.Variable) else variable.value for variable in variables]
    return module


def _signature(function, **inputs: tf.TensorSpec):
    """The inputs have the names that they are given under."""
    named = {name: tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()}
    return tf.function(function).get_concrete_function(**named)


def _of_one_camera(bg, fg_bg) -> list:
    """Checks of two shapes."""
    sizes = [bg[2], bg[1], fg_bg[2], fg_bg[1]]
    sentence = "bg is {} x {} pixels and fg_bg {} x {}: make them one size"
    return [
        check(tf.reduce_all(bg[1:3] == fg_bg[1:3]), sentence, *sizes),
        check(tf.reduce_all(fg_bg[1:3] > 0), "pictures have no pixels"),
        _enough(bg[0], fg_bg[0]),
    ]


def _enough(backgrounds, frames):
    sentence = "there are {} backgrounds and {} frames: give one background, or one for each frame"
    return check((backgrounds == frames) | (backgrounds == 1), sentence, backgrounds, frames)


def _are_floats(pictures, name: str):
    # Put so that it is false of what is not a number.
    inside = (tf.reduce_min(pictures) >= 0) & (tf.reduce_max(pictures) <= 1)
    return check(inside, f"{name} has values that are not from 0 to 1: divide by 255, or send uint8 to {DEFAULT}")
