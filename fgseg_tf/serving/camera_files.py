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
from fgseg_tf.model.depth_code import decode_depth, encode_depth
from fgseg_tf.serving import lite_formats
from fgseg_tf.serving.saved_model import hold_weights

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
    return lite_formats.convert_function(kind, _build_function(segmenter, camera), hold_weights(*networks), inputs)


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


def _build_function(segmenter: Segmenter, camera: Camera) -> Callable:
    height, width = (int(length) for length in camera.size)
    working = tuple(working_size(tf.constant([height, width]), segmenter.side).numpy().tolist())
    encoded = {key: np.asarray(value) for key, value in camera.encoded.items()}
    known = {key: np.asarray(value) for key, value in (camera.known or {}).items()}

    def place(fg_bg, mask, full):
        background: KnownBackground = {key: tf.constant(known[key]) for key in KEYS}  # type: ignore[assignment, misc]
        looked_at = known["placing_code"].shape[1:3]
        placer = ObjectPlacer(segmenter.placer.network, lambda pictures, _: _resize_by_area(pictures, looked_at))
        return placer.place(background, fg_bg, mask, full)

    @tf.function(input_signature=[tf.TensorSpec([1, height, width, 3], tf.float32, "fg_bg")])
    def predict(fg_bg):
        small = _resize_by_area(fg_bg, working)
        mask, code, _ = segmenter.segment({key: tf.constant(value) for key, value in encoded.items()}, small)
        full = upsampling.upsample_mask(mask, (height, width))
        depth = place(small, mask, full) if known else decode_depth(upsampling.upsample_depth(code, mask, full))
        return {"mask": full, "depth": depth}

    return predict


def _resize_by_area(pictures: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Resizes as TensorFlow does by "area", by two products of matrices, which every format has.

    Args:
        pictures: [1, H, W, C] of known shape.
        size: Height and width to come to.
    """
    _, height, width, channels = pictures.shape
    if (height, width) == tuple(size):
        return pictures
    rows, columns = _make_area_weights(height, size[0]), _make_area_weights(width, size[1])
    lines = tf.matmul(rows, tf.reshape(pictures, [height, width * channels]))
    turned = tf.transpose(tf.reshape(lines, [size[0], width, channels]), [1, 0, 2])
    lines = tf.matmul(columns, tf.reshape(turned, [width, size[0] * channels]))
    return tf.transpose(tf.reshape(lines, [size[1], size[0], channels]), [1, 0, 2])[None]


def _make_area_weights(before: int, after: int) -> np.ndarray:
    """Returns how much of each of `after` pixels each of `before` covers, float32 [after, before]."""
    edges = np.arange(after + 1) * (before / after)
    pixels = np.arange(before)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return (np.maximum(overlap, 0) * (after / before)).astype(np.float32)


class _Inputs:
    """Frames as inputs of a file, each made when it is asked for: as floats they take four times the memory."""

    def __init__(self, frames: Sequence[np.ndarray]):
        self._frames = frames

    def __iter__(self) -> Iterator[dict]:
        return ({"fg_bg": _as_input(frame)} for frame in self._frames)


def _as_input(frame: np.ndarray) -> np.ndarray:
    return frame[None].astype(np.float32) / 255
