"""Checks that what is exported predicts as the network that was trained, on pictures of several sizes and batches.

What knows the depth of a background is compared with the cameras of `inference.segmenter`, which Python has for it.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from fgseg_tf.calibration.camera_folder import MEASURED, CameraSetup
from fgseg_tf.inference import upsampling
from fgseg_tf.inference.objects import FOREGROUND
from fgseg_tf.inference.segmenter import Camera, Segmenter, resize_to_working_size
from fgseg_tf.model.depth_code import decode_depth, encode_depth
from fgseg_tf.serving import camera_model, saved_model

TOLERANCE = 1e-5  # of masks, and of depth's code: 0.007 % of the distance
# Height, width, batch; and one that is larger than the network looks at.
SHAPES = ((1.0, 1.0, 1), (0.7, 1.0, 3), (1.0, 0.55, 2), (1.5, 2.1, 1))


class ParityError(ValueError):
    """What is exported predicts something else."""


def make_pairs(side: int, shapes: Sequence[tuple[float, float, int]] = SHAPES) -> list[dict]:
    """Returns pairs to compare on: soft colours, and in the frame a disc of others.

    Args:
        side: The unit of `shapes`, pixels.
        shapes: (height, width, batch) of each pair, the first two in units of `side`.

    Returns:
        bg and fg_bg, uint8 [B, H, W, 3], of each.
    """
    rng = np.random.default_rng(0)
    made = []
    for high, wide, batch in shapes:
        height, width = max(2, round(high * side)), max(2, round(wide * side))
        coarse = rng.uniform(0, 255, (batch, 5, 5, 3)).astype(np.float32)
        scene = tf.image.resize(coarse, (height, width), "bicubic").numpy() + rng.normal(0, 4, (1, height, width, 3))
        made.append({"bg": _levels(scene), "fg_bg": _levels(_draw_disc(scene, rng))})
    return made


def make_depths(bg: np.ndarray) -> np.ndarray:
    """Returns depths for backgrounds of `make_pairs`, float32 [B, H, W, 1], metres: a floor before a wall, with a hole.

    Each of a batch is of another room.
    """
    count, height, width = bg.shape[:3]
    walls = 4.0 + np.arange(count)[:, None, None, None]
    floor = 2.0 / (np.arange(1, height + 1) / height)[None, :, None, None]
    depths = np.minimum(walls, floor) * np.linspace(1, 1.2, width)[None, None, :, None]
    depths[:, height // 4 : height // 2, width // 3 : width // 2] = 0
    return depths.astype(np.float32)


def draw_frames(bg: np.ndarray, count: int) -> np.ndarray:
    """Returns frames of a camera, uint8 [count, H, W, 3]: its background, uint8 [H, W, 3], and a disc in each."""
    rng = np.random.default_rng(1)
    return _levels(_draw_disc(np.repeat(bg[None].astype(np.float64), count, 0), rng))


def _draw_disc(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns pictures [B, H, W, 3] with a disc of another colour in each, and the noise of a camera."""
    batch, height, width = scene.shape[:3]
    down, across = np.mgrid[0:height, 0:width]
    distance = np.hypot((down - 0.6 * height) / height, (across - 0.4 * width) / width)
    alpha = np.clip((0.25 - distance) * 40, 0, 1)[None, ..., None]
    colour = rng.uniform(0, 255, (batch, 1, 1, 3))
    return scene * (1 - alpha) + (colour + rng.normal(0, 20, scene.shape)) * alpha + rng.normal(0, 2, scene.shape)


def predict_with_keras(network: keras.Model, side: int, pair: dict) -> dict:
    """Returns mask and depth, float32 [B, H, W, 1], of the Keras network itself."""
    small = {name: resize_to_working_size(tf.constant(picture), side) for name, picture in pair.items()}
    predicted = network(small, training=False)
    mask, code = (tf.cast(predicted[name], tf.float32) for name in ("mask", "depth"))
    full = upsampling.upsample_mask(mask, pair["fg_bg"].shape[1:3])
    depth = decode_depth(upsampling.upsample_depth(code, mask, full))
    return {"mask": full.numpy(), "depth": depth.numpy()}


def predict_with_cameras(cameras: Sequence[Camera], frames: np.ndarray) -> dict:
    """Returns what cameras of Python do, one for each frame: mask and depth [B, H, W, 1], similarity [B]."""
    results = [camera.segment(frame) for camera, frame in zip(cameras, frames, strict=True)]
    planes = {name: np.stack([getattr(each, name) for each in results])[..., None] for name in ("mask", "depth")}
    return {**planes, "similarity": np.array([each.similarity for each in results], np.float32)}


def measure_difference(predicted: dict, expected: dict) -> float:
    """Returns the largest difference of a mask, or of a code of depth."""
    codes = (encode_depth(each["depth"]).numpy() for each in (predicted, expected))
    largest = [np.abs(np.asarray(predicted["mask"]) - expected["mask"]).max(), np.abs(np.subtract(*codes)).max()]
    return float(np.max(largest)) if np.isfinite(largest).all() else float("inf")


def measure_placed_difference(predicted: dict, expected: dict) -> float:
    """Returns the largest difference of mask, code of depth or similarity where depth may step at outlines.

    Where the mask says neither, a last digit of it decides between the depth of an object and that behind it: depth is
    compared where masks are further than TOLERANCE from FOREGROUND.
    """
    decided = find_decided(expected["mask"])
    unknown = np.asarray(predicted["depth"]) == 0
    if (unknown != (np.asarray(expected["depth"]) == 0))[decided].any():
        return float("inf")
    # Where nothing is decided the mask alone is compared.
    depth = np.where(decided, predicted["depth"], expected["depth"])
    apart = np.abs(np.asarray(predicted["similarity"]) - expected["similarity"]).max()
    return max(measure_difference({"mask": predicted["mask"], "depth": depth}, expected), float(apart))


def find_decided(mask: np.ndarray) -> np.ndarray:
    """Returns where a mask says object or background whatever its last digits are, bool, of its shape."""
    return np.abs(mask - FOREGROUND) > TOLERANCE


def check_saved_model(
    network: keras.Model, side: int, depth_scale: float, folder: str, object_depth: keras.Model | None = None
) -> float:
    """Loads a SavedModel, runs every signature and returns the largest difference.

    Raises:
        ParityError: A signature is missing, or differs by more than TOLERANCE.
    """
    signatures = _load_signatures(folder, saved_model.SIGNATURES)
    segmenter = Segmenter(network, side, object_depth)
    worst = 0.0
    for pair in make_pairs(side):
        expected = predict_with_keras(network, side, pair)
        for name, predicted in _predict(signatures, pair).items():
            worst = max(worst, _require_close(measure_difference(predicted, expected), name, pair, folder))
        files = {f"{name}_bytes": picture for name, picture in pair.items()}
        _check_files(signatures[saved_model.BYTES], files, expected, depth_scale, folder)
        worst = max(worst, _check_known(signatures, segmenter, pair, folder))
    return worst


def check_camera_model(segmenter: Segmenter, depth_scale: float, setup: CameraSetup, folder: str) -> float:
    """Loads the SavedModel of a camera, runs every signature and returns the largest difference to Python's camera.

    Raises:
        ParityError: A signature is missing, or differs by more than TOLERANCE.
    """
    signatures = _load_signatures(folder, camera_model.SIGNATURES)
    camera = segmenter.camera(setup)
    frames = draw_frames(setup.background, 2)
    expected = predict_with_cameras([camera] * len(frames), frames)
    given = {saved_model.DEFAULT: tf.constant(frames), saved_model.FLOAT: tf.constant(frames, tf.float32) / 255}
    worst = 0.0
    for name, pictures in given.items():
        difference = measure_placed_difference(signatures[name](fg_bg=pictures), expected)
        worst = max(worst, _require_close(difference, name, {"fg_bg": frames}, folder))
    _check_files(signatures[saved_model.BYTES], {"fg_bg_bytes": frames}, expected, depth_scale, folder)
    return worst


def _load_signatures(folder: str, names: Sequence[str]) -> dict[str, Callable]:
    signatures = tf.saved_model.load(folder).signatures
    if missing := set(names) - set(signatures):
        raise ParityError(f"{folder} has no signature {', '.join(sorted(missing))}.")
    return signatures


def _require_close(difference: float, name: str, pair: dict, folder: str) -> float:
    if difference > TOLERANCE:
        shape = " x ".join(str(length) for length in pair["fg_bg"].shape)
        raise ParityError(
            f"{name} of {folder} is off by {difference:.2g} on pictures of {shape} (at most {TOLERANCE:g}): it "
            "was not made visible."
        )
    return difference


def _predict(signatures: dict[str, Callable], pair: dict) -> dict[str, dict]:
    tensors = {name: tf.constant(picture) for name, picture in pair.items()}
    floats = {name: tf.cast(picture, tf.float32) / 255 for name, picture in tensors.items()}
    encoded = signatures[saved_model.ENCODE](bg=tensors["bg"])
    return {
        saved_model.DEFAULT: signatures[saved_model.DEFAULT](**tensors),
        saved_model.FLOAT: signatures[saved_model.FLOAT](**floats),
        saved_model.SEGMENT: signatures[saved_model.SEGMENT](fg_bg=tensors["fg_bg"], **encoded),
    }


def _check_known(signatures: dict[str, Callable], segmenter: Segmenter, pair: dict, folder: str) -> float:
    """Returns the largest difference where the depth of the background is known."""
    depths = make_depths(pair["bg"])
    encoded = signatures[saved_model.ENCODE_KNOWN](bg=tf.constant(pair["bg"]), bg_depth=tf.constant(depths))
    predicted = signatures[saved_model.SEGMENT_KNOWN](fg_bg=tf.constant(pair["fg_bg"]), **encoded)
    setups = [CameraSetup(bg, depth[..., 0], MEASURED, "drawn") for bg, depth in zip(pair["bg"], depths, strict=True)]
    expected = predict_with_cameras([segmenter.camera(setup) for setup in setups], pair["fg_bg"])
    return _require_close(measure_placed_difference(predicted, expected), saved_model.SEGMENT_KNOWN, pair, folder)


def _check_files(signature: Callable, pictures: dict, expected: dict, depth_scale: float, folder: str) -> None:
    """PNGs in, PNGs out: what is in them may differ by one level, where a value lies between two."""
    files = {name: tf.stack([tf.io.encode_png(one) for one in batch]) for name, batch in pictures.items()}
    predicted = signature(**files)
    for name, scale, kind in (("mask", 255.0, tf.uint8), ("depth", depth_scale, tf.uint16)):
        for file, plane, mask in zip(predicted[f"{name}_png_bytes"], expected[name], expected["mask"], strict=True):
            levels = tf.io.decode_png(file, channels=1, dtype=kind).numpy().astype(float)
            # A depth far away has more levels in a step of its code.
            close = np.maximum(1.0, 1e-4 * plane * scale) if name == "depth" else 1.0
            is_close = np.abs(levels - np.minimum(plane * scale, 65535)) <= close
            if name == "depth":
                is_close |= ~find_decided(mask)
            if not is_close.all():
                raise ParityError(f"{name}_png_bytes of {saved_model.BYTES} of {folder} is not the {name}.")


def _levels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
