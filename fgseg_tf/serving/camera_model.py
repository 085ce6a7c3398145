"""The SavedModel of one camera: its background is inside, and requests are frames alone.

    serving_default   fg_bg: uint8 [B, H, W, 3], of the camera's size
                      -> mask [B, H, W, 1], 0 to 1; depth [B, H, W, 1]; similarity [B]
    serving_float     the same for float32 pictures from 0 to 1
    serving_bytes     fg_bg_bytes: [B], each a JPEG or PNG file
                      -> mask_png_bytes, depth_png_bytes; share, box, nearest, median of the object; similarity

What is computed of a background once is computed before it is written. Depth is as `inference.segmenter.Camera` returns
it: before a background whose metres hold, metres; else the network's own guess.
"""

import tensorflow as tf

from fgseg_tf.calibration.camera_folder import CameraSetup
from fgseg_tf.inference.segmenter import Segmenter
from fgseg_tf.serving import request_images
from fgseg_tf.serving.request_checks import check_amount, check_camera_size, check_files, check_floats
from fgseg_tf.serving.request_images import require
from fgseg_tf.serving.saved_model import (
    BYTES,
    DEFAULT,
    FLOAT,
    FLOATS,
    PICTURE_FILES,
    PICTURES,
    hold_weights,
    make_signature,
    segment_frames,
)

SIGNATURES = (DEFAULT, FLOAT, BYTES)


def save(segmenter: Segmenter, depth_scale: float, setup: CameraSetup, folder: str) -> None:
    """Writes a SavedModel.

    Args:
        segmenter: Holds the networks.
        depth_scale: Codes of a depth PNG for each metre.
        setup: The camera.
        folder: To write into.
    """
    module, signatures = build(segmenter, depth_scale, setup)
    tf.saved_model.save(module, folder, signatures)


def build(segmenter: Segmenter, depth_scale: float, setup: CameraSetup) -> tuple[tf.Module, dict]:
    """Returns what is saved: a module that holds weights and the background, and its signatures by name."""
    camera = segmenter.camera(setup)
    # Variables, because a graph with constants of megabytes is slow to load, and may have no more than two gigabytes.
    encoded = {key: tf.Variable(value, trainable=False) for key, value in camera.encoded.items()}
    known = {key: tf.Variable(value, trainable=False) for key, value in (camera.known or {}).items()}

    def predict(fg_bg):
        shape = tf.shape(fg_bg)
        (fg_bg,) = require([check_camera_size(shape, camera.size), *check_amount(shape, "fg_bg")], fg_bg)
        background, depth = (
            {key: tf.convert_to_tensor(value) for key, value in variables.items()} for variables in (encoded, known)
        )
        return segment_frames(segmenter, background, fg_bg, depth or None)  # type: ignore[arg-type]

    def predict_floats(fg_bg):
        return predict(*require([check_floats(fg_bg, "fg_bg", DEFAULT)], fg_bg))

    def predict_bytes(fg_bg_bytes):
        def one(file):
            frame = request_images.decode_picture(file, "fg_bg_bytes")
            return request_images.encode_results(predict(frame[None]), depth_scale)

        (fg_bg_bytes,) = require(check_files(fg_bg_bytes, "fg_bg_bytes"), fg_bg_bytes)
        return tf.map_fn(one, fg_bg_bytes, fn_output_signature=request_images.FRAME_SPECS, parallel_iterations=2)

    signatures = {
        # Of any size, so that another one than the camera's is refused by a sentence.
        DEFAULT: make_signature(predict, fg_bg=PICTURES),
        FLOAT: make_signature(predict_floats, fg_bg=FLOATS),
        BYTES: make_signature(predict_bytes, fg_bg_bytes=PICTURE_FILES),
    }
    networks = [segmenter.halves[1], *([segmenter.placer.network] if known else [])]
    module = hold_weights(*networks)
    module.background = [*encoded.values(), *known.values()]
    return module, signatures
