"""Checks that what is exported predicts as the network that was trained, on pictures of several sizes and batches."""

from collections.abc import Callable, Sequence

import keras
import numpy as np
import tensorflow as tf

from fgseg_tf.inference import upsampling
from fgseg_tf.inference.segmenter import resize_to_working_size
from fgseg_tf.model.depth_code import decode_depth, encode_depth
from fgseg_tf.serving import saved_model

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
        down, across = np.mgrid[0:height, 0:width]
        distance = np.hypot((down - 0.6 * height) / height, (across - 0.4 * width) / width)
        alpha = np.clip((0.25 - distance) * 40, 0, 1)[None, ..., None]
        colour = rng.uniform(0, 255, (batch, 1, 1, 3))
        frame = scene * (1 - alpha) + (colour + rng.normal(0, 20, scene.shape)) * alpha + rng.normal(0, 2, scene.shape)
        made.append({"bg": _levels(scene), "fg_bg": _levels(frame)})
    return made


def predict_with_keras(network: keras.Model, side: int, pair: dict) -> dict:
    """Returns mask and depth, float32 [B, H, W, 1], of the Keras network itself."""
    small = {name: resize_to_working_size(tf.constant(picture), side) for name, picture in pair.items()}
    predicted = network(small, training=False)
    mask, code = (tf.cast(predicted[name], tf.float32) for name in ("mask", "depth"))
    full = upsampling.upsample_mask(mask, pair["fg_bg"].shape[1:3])
    depth = decode_depth(upsampling.upsample_depth(code, mask, full))
    return {"mask": full.numpy(), "depth": depth.numpy()}


def measure_difference(predicted: dict, expected: dict) -> float:
    """Returns the largest difference of a mask, or of a code of depth."""
    codes = (encode_depth(each["depth"]).numpy() for each in (predicted, expected))
    largest = [np.abs(np.asarray(predicted["mask"]) - expected["mask"]).max(), np.abs(np.subtract(*codes)).max()]
    return float(np.max(largest)) if np.isfinite(largest).all() else float("inf")


def check_saved_model(network: keras.Model, side: int, depth_scale: float, folder: str) -> float:
    """Loads a SavedModel, runs every signature and returns the largest difference.

    Raises:
        ParityError: A signature is missing, or differs by more than TOLERANCE.
    """
    signatures = tf.saved_model.load(folder).signatures
    missing = set(saved_model.SIGNATURES) - set(signatures)
    if missing:
        raise ParityError(f"{folder} has no signature {', '.join(sorted(missing))}.")
    worst = 0.0
    for pair in make_pairs(side):
        expected = predict_with_keras(network, side, pair)
        for name, predicted in _predict(signatures, pair).items():
            difference = measure_difference(predicted, expected)
            if difference > TOLERANCE:
                shape = " x ".join(str(length) for length in pair["fg_bg"].shape)
                raise ParityError(
                    f"{name} of {folder} is off by {difference:.2g} on pictures of {shape} (at most {TOLERANCE:g}): it "
                    "was not made visible."
                )
            worst = max(worst, difference)
        _check_files(signatures[saved_model.BYTES], pair, expected, depth_scale, folder)
    return worst


def _predict(signatures: dict[str, Callable], pair: dict) -> dict[str, dict]:
    tensors = {name: tf.constant(picture) for name, picture in pair.items()}
    floats = {name: tf.cast(picture, tf.float32) / 255 for name, picture in tensors.items()}
    encoded = signatures[saved_model.ENCODE](bg=tensors["bg"])
    return {
        saved_model.DEFAULT: signatures[saved_model.DEFAULT](**tensors),
        saved_model.FLOAT: signatures[saved_model.FLOAT](**floats),
        saved_model.SEGMENT: signatures[saved_model.SEGMENT](fg_bg=tensors["fg_bg"], **encoded),
    }


def _check_files(signature: Callable, pair: dict, expected: dict, depth_scale: float, folder: str) -> None:
    """PNGs in, PNGs out: what is in them may differ by one level, where a value lies between two."""
    files = {f"{name}_bytes": tf.stack([tf.io.encode_png(one) for one in picture]) for name, picture in pair.items()}
    predicted = signature(**files)
    for name, scale, kind in (("mask", 255.0, tf.uint8), ("depth", depth_scale, tf.uint16)):
        for file, plane in zip(predicted[f"{name}_png_bytes"], expected[name], strict=True):
            levels = tf.io.decode_png(file, channels=1, dtype=kind).numpy().astype(float)
            # A depth far away has more levels in a step of its code.
            close = np.maximum(1.0, 1e-4 * plane * scale) if name == "depth" else 1.0
            if not (np.abs(levels - np.minimum(plane * scale, 65535)) <= close).all():
                raise ParityError(f"{name}_png_bytes of {saved_model.BYTES} of {folder} is not the {name}.")


def _levels(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
