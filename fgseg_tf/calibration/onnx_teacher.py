"""Any network of relative or metric depth as an ONNX file, asked once for a background.

ONNX files do not say what they want. Layout and size are read from the shape of the input; the range of values and
whether larger is nearer are said by the user.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image

RANGES = ("imagenet", "one", "255")
POLARITIES = ("nearer", "farther")
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
USUAL_SIDE = 518  # of networks that take any size: Depth Anything's own


@dataclass(frozen=True)
class OnnxInput:
    """What a network wants to be given.

    Attributes:
        name: of the input.
        channels_first: [1, 3, H, W] instead of [1, H, W, 3].
        size: height and width.
    """

    name: str
    channels_first: bool
    size: tuple[int, int]


def predict_relative_depth(
    path: str, picture: np.ndarray, values: str, size: tuple[int, int] | None
) -> tuple[np.ndarray, str]:
    """Asks a network for the depth of a picture.

    Args:
        path: of a local ONNX file.
        picture: uint8 [H, W, 3].
        values: one of RANGES: what the network's input is scaled to.
        size: height and width of the input; None for what the file says.

    Returns:
        What it returns, float64 [h, w], and a phrase that says how it was asked.

    Raises:
        ValueError: it is no ONNX file, wants something else than a picture, or returns something else than a map.
    """
    session = _open(path)
    wanted = describe_input(session.get_inputs(), path, size)
    height, width = wanted.size
    resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
    small: np.ndarray = np.asarray(resized).astype(np.float32)
    if values != "255":
        small = small / 255
    if values == "imagenet":
        small = (small - MEAN) / DEVIATION
    given = small.transpose(2, 0, 1)[None] if wanted.channels_first else small[None]
    try:
        output = np.squeeze(session.run(None, {wanted.name: given.astype(np.float32)})[0])
    except Exception as error:  # onnxruntime raises classes of its own for each kind of failure
        raise ValueError(f"{path} fails on a picture of {height} x {width}: {_first_line(error)}") from error
    if output.ndim != 2 or min(output.shape) < 8:
        raise ValueError(f"{path} returns {list(output.shape)} for one picture; a map [height, width] is needed.")
    if not np.isfinite(output).any() or np.nanmax(output) == np.nanmin(output):
        raise ValueError(f"{path} returns the same value everywhere; is the range of its input {values}?")
    layout = "channels first" if wanted.channels_first else "channels last"
    return output.astype(np.float64), f"{height} x {width}, {layout}, input range {values}"


def stretch(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a map at the size of the picture that it is of, whose proportions the network's input may lack.

    What lies beside an unknown value, NaN, is unknown too.
    """
    height, width = size
    known = np.isfinite(values)
    planes = [np.where(known, values, 0), known]
    stretched, share = (
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)).astype(
            np.float64
        )
        for plane in planes
    )
    return np.where(share > 1 - 1e-6, stretched, np.nan)


def describe_input(inputs: list, path: str, size: tuple[int, int] | None) -> OnnxInput:
    """Returns what a network wants, from the inputs of its session.

    Raises:
        ValueError: it has other inputs than one picture, or takes another size only.
    """
    shapes = [list(each.shape) for each in inputs]
    if len(inputs) != 1 or len(shapes[0]) != 4 or 3 not in (shapes[0][1], shapes[0][3]):
        raise ValueError(
            f"{path} takes inputs of {shapes}; one picture, [1, 3, height, width] or [1, height, width, 3]."
        )
    channels_first = shapes[0][1] == 3
    own = shapes[0][2:] if channels_first else shapes[0][1:3]
    fixed = tuple(own) if all(isinstance(length, int) and length > 0 for length in own) else None
    if fixed and size and fixed != size:
        raise ValueError(f"{path} takes pictures of {fixed[0]}x{fixed[1]} only; leave out `teacher_size`.")
    return OnnxInput(inputs[0].name, channels_first, fixed or size or (USUAL_SIDE, USUAL_SIDE))


def _open(path: str):
    try:
        import onnxruntime
    except ImportError as error:
        raise ValueError(f"{path} is run by onnxruntime: pip install 'fgseg_tf[calibration]'.") from error
    try:
        return onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise ValueError(f"{path} is not an ONNX network that can be run: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
