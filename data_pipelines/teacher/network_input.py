"""What is given to a network of somebody else's, and what is taken from it: shared by all that ask one."""

import numpy as np
from PIL import Image

MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)


def resize_picture(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a picture, float32 [h, w, 3] from 0 to 255, stretched to a network's input."""
    height, width = size
    return np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)).astype(np.float32)


def scale_values(picture: np.ndarray, input_range: str) -> np.ndarray:
    """Returns a picture of 0 to 255 in the range that a network wants, one of `config.TEACHER_RANGES`."""
    if input_range == "255":
        return picture
    share = picture / np.float32(255)
    return (share - MEAN) / DEVIATION if input_range == "imagenet" else share


def check_map(output: np.ndarray, name: str, input_range: str) -> np.ndarray:
    """Returns a network's output for one picture as a map, float64 [h, w].

    Raises:
        ValueError: it is no map, or the same value everywhere.
    """
    squeezed = np.squeeze(output)
    if squeezed.ndim != 2 or min(squeezed.shape) < 8:
        raise ValueError(f"{name} returns {list(squeezed.shape)} for one picture; a map [height, width] is needed.")
    if not np.isfinite(squeezed).any() or np.nanmax(squeezed) == np.nanmin(squeezed):
        raise ValueError(f"{name} returns the same value everywhere; is the range of its input {input_range}?")
    return squeezed.astype(np.float64)
