"""LiteRT (TFLite) and ONNX files of one camera, with its background inside.

They take fg_bg: float32 [1, H, W, 3] from 0 to 1, and return mask [1, H, W, 1] from 0 to 1 and depth [1, H, W, 1] in
metres, as `inference.segmenter.Camera` does: the network looks at its working size, and what it computes of the
background is in the file as numbers. Each is compared with that camera on the same frames before it is written.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf

from fgseg_tf.calibration.camera_folder import CameraSetup
from fgseg_tf.calibration.depth_pictures import resize_depth
from fgseg_tf.inference import upsampling
from fgseg_tf.inference.object_placing import KEYS, KnownBackground, ObjectPlacer
from fgseg_tf.inference.objects import FOREGROUND
from fgseg_tf.inference.segmenter import Camera, Segmenter, working_size
from fgseg_tf.inference.upsampling import Resize
from fgseg_tf.model.depth_code import decode_depth, encode_depth
from fgseg_tf.serving import lite_formats
from fgseg_tf.serving.saved_model import hold_weights

# What is known of distances is compared, added and divided in float. In 8 bits the background would have steps of a
# metre, and where no frame of the calibration has an object LiteRT ends the process for a range of nothing. Measured in
# a drawn hall of 240 x 320 with `base` and a network for objects of 128 steps: on objects 0.0009 of the code off, in
# float16 0.0001, and a frame takes half the time of float16.
FLOAT_OPS = (
    *lite_formats.FLOAT_OPS,
    *("ADD", "SUB", "DIV", "LOG", "ABS", "MINIMUM", "MAXIMUM", "EQUAL", "GREATER", "GREATER_EQUAL", "LESS"),
    *("SELECT", "SELECT_V2", "CONCATENATION", "AVERAGE_POOL_2D"),
)
PROPORTIONS = 0.03  # by which a width over a height may differ


def resize_setup(setup: CameraSetup, size: tuple[int, int]) -> CameraSetup:
    """Returns a camera at another height and width: its background by area, its depth by the nearest pixel.

    Raises:
        ValueError: The proportions are others.
    """
    height, width = setup.background.shape[:2]
    if (height, width) == size:
        return setup
    if abs(np.log((size[1] / size[0]) / (width / height))) > PROPORTIONS:
        raise ValueError(
            f"`file_size`={size[0]}x{size[1]} has other proportions than the camera's {height}x{width}; take "
            f"{round(size[1] * height / width)}x{size[1]}."
        )
    background = tf.image.resize(setup.background, size, "area").numpy().round().astype(np.uint8)
    return replace(setup, background=background, depth=resize_depth(setup.depth, size))


def convert(kind: str, segmenter: Segmenter, camera: Camera, calibration: Sequence[np.ndarray]) -> bytes:
    """Returns the content of a file.

    Args:
        kind: A key of `lite_formats.TOLERANCES`.
        segmenter: Holds the networks.
        camera: One of its cameras.
        calibration: Frames as they will be in use, uint8 [H, W, 3]; for int8 only.
    """
    networks = [segmenter.halves[1], *([segmenter.placer.network] if camera.known else [])]
    inputs = _Inputs(calibration)
    predict = _build_function(segmenter, camera, RESIZE[kind])
    return lite_formats.convert_function(kind, predict, hold_weights(*networks), inputs, FLOAT_OPS)


def check(kind: str, content: bytes, camera: Camera, frames: Iterable[np.ndarray]) -> tuple[float, float]:
    """Returns the mean absolute differences of mask and of depth's code to those of the camera.

    Where the depth of the background is known, the second is the larger one of two: of all pixels, and of those that
    both masks call an object, since all others have the depth of the background and would hide what is wrong there.

    Raises:
        ParityError: One is over its tolerance.
    """
    run = lite_formats.open_file(kind, content)
    masks, codes, on_objects = [], [], []
    for frame in frames:
        wanted, result = camera.segment(frame), run({"fg_bg": _as_input(frame)})
        mask, depth = (np.asarray(result[name])[0, ..., 0] for name in lite_formats.NAMES)
        apart = np.abs(encode_depth(depth).numpy() - encode_depth(wanted.depth).numpy())
        masks.append(np.abs(mask - wanted.mask).mean())
        codes.append(apart.mean())
        on_objects.append(apart[(mask >= FOREGROUND) & (wanted.mask >= FOREGROUND)])
    depth_error = float(np.mean(codes))
    if camera.known and (placed := np.concatenate(on_objects)).size:
        depth_error = max(depth_error, float(placed.mean()))
    return lite_formats.require_close(kind, float(np.mean(masks)), depth_error)


def paste_objects(background: np.ndarray, examples: Iterable[dict]) -> list[np.ndarray]:
    """Returns frames of a camera, uint8 [H, W, 3]: the objects of composites before its background.

    Args:
        background: uint8 [H, W, 3].
        examples: fg_bg and mask of composites of any size, float32 [1, h, w, C].
    """
    frames = []
    for example in examples:
        picture, alpha = (
            tf.image.resize(example[name], background.shape[:2], "bilinear").numpy()[0] for name in ("fg_bg", "mask")
        )
        frames.append((background * (1 - alpha) + 255 * picture * alpha).round().clip(0, 255).astype(np.uint8))
    return frames


def _build_function(segmenter: Segmenter, camera: Camera, resize: Resize) -> Callable:
    height, width = (int(length) for length in camera.size)
    working = tuple(working_size(tf.constant([height, width]), segmenter.side).numpy().tolist())
    encoded = {key: np.asarray(value) for key, value in camera.encoded.items()}
    known = {key: np.asarray(value) for key, value in (camera.known or {}).items()}

    def place(fg_bg, mask, full):
        background: KnownBackground = {key: tf.constant(known[key]) for key in KEYS}  # type: ignore[assignment, misc]
        return ObjectPlacer(segmenter.placer.network, resize).place(background, fg_bg, mask, full)

    @tf.function(input_signature=[tf.TensorSpec([1, height, width, 3], tf.float32, "fg_bg")])
    def predict(fg_bg):
        small = resize(fg_bg, working, "area")
        mask, code, _ = segmenter.segment({key: tf.constant(value) for key, value in encoded.items()}, small)
        full = upsampling.upsample_mask(mask, (height, width), resize)
        if known:
            return {"mask": full, "depth": place(small, mask, full)}
        return {"mask": full, "depth": decode_depth(upsampling.upsample_depth(code, mask, full, resize))}

    return predict


def resize_by_products(pictures: tf.Tensor, size: tuple[int, int], method: str) -> tf.Tensor:
    """Resizes as tf.image.resize does, by two products of matrices, which every format has.

    Args:
        pictures: [1, H, W, C], of known shape.
        size: Height and width to come to.
        method: "area" or "bilinear".
    """
    _, height, width, channels = pictures.shape
    if (height, width) == size:
        return pictures
    make = {"area": _make_area_weights, "bilinear": _make_bilinear_weights}[method]
    lines = tf.matmul(make(height, size[0]), tf.reshape(pictures, [height, width * channels]))
    turned = tf.transpose(tf.reshape(lines, [size[0], width, channels]), [1, 0, 2])
    lines = tf.matmul(make(width, size[1]), tf.reshape(turned, [width, size[0] * channels]))
    return tf.transpose(tf.reshape(lines, [size[1], size[0], channels]), [1, 0, 2])[None]


def _resize_for_lite(pictures: tf.Tensor, size: tuple[int, int], method: str) -> tf.Tensor:
    """Resizes by what LiteRT has: it has "bilinear", which takes no time there, but not "area"."""
    return resize_by_products(pictures, size, method) if method == "area" else tf.image.resize(pictures, size, method)


# ONNX has both, but tf2onnx writes factors instead of sizes: 240 pixels, 5/3 times 144, come out as 239.
RESIZE: dict[str, Resize] = {
    "tflite_float16": _resize_for_lite,
    "tflite_int8": _resize_for_lite,
    "onnx": resize_by_products,
}


def _make_area_weights(before: int, after: int) -> np.ndarray:
    """Returns how much of each of `after` pixels each of `before` covers, float32 [after, before]."""
    edges = np.arange(after + 1) * (before / after)
    pixels = np.arange(before)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.maximum(overlap, 0) * (after / before)).astype(np.float32)


def _make_bilinear_weights(before: int, after: int) -> np.ndarray:
    """Returns how much each of `after` pixels takes of each of `before`, float32 [after, before]."""
    centres = np.clip((np.arange(after) + 0.5) * (before / after) - 0.5, 0, before - 1)
    return np.maximum(1 - np.abs(centres[:, None] - np.arange(before)), 0).astype(np.float32)


class _Inputs:
    """Frames as inputs of a file, each made when it is asked for: as floats they take four times the memory."""

    def __init__(self, frames: Sequence[np.ndarray]):
        self._frames = frames

    def __iter__(self) -> Iterator[dict]:
        return ({"fg_bg": _as_input(frame)} for frame in self._frames)


def _as_input(frame: np.ndarray) -> np.ndarray:
    return frame[None].astype(np.float32) / 255
