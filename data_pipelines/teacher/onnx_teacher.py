"""Any network of relative or metric depth as an ONNX file.

ONNX files do not say what they want. Layout and size are read from the shape of the input; the range of values and
whether larger is nearer are said by the user.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_pipelines.runtime.files import is_regular
from data_pipelines.runtime.onnx_runtime import import_onnxruntime
from data_pipelines.teacher.network_input import check_map, resize_picture, scale_values
from data_pipelines.teacher.relative_teacher import RelativeTeacher

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


def load_onnx(path: str, input_range: str, polarity: str, size: tuple[int, int] | None) -> RelativeTeacher:
    """Loads a network that is asked for the depth of pictures.

    Args:
        path: of a local ONNX file.
        input_range: one of `config.TEACHER_RANGES`: what the network's input is scaled to.
        polarity: whether larger values of its output are "nearer" or "farther".
        size: height and width of the input; None for what the file says.

    Raises:
        ValueError: it is no ONNX file, or wants something else than a picture.
    """
    session = _open(path)
    wanted = describe_input(session.get_inputs(), path, size)
    height, width = wanted.size

    def ask(picture: np.ndarray) -> np.ndarray:
        small = scale_values(resize_picture(picture, wanted.size), input_range)
        given = small.transpose(2, 0, 1)[None] if wanted.channels_first else small[None]
        try:
            output = session.run(None, {wanted.name: given.astype(np.float32)})[0]
        except Exception as error:  # onnxruntime raises classes of its own for each kind of failure
            raise ValueError(f"{path} fails on a picture of {height} x {width}: {_first_line(error)}") from error
        values = check_map(output, path, input_range)
        return values if polarity == "nearer" else np.where(values > 0, 1 / np.maximum(values, 1e-9), np.nan)

    layout = "channels first" if wanted.channels_first else "channels last"
    return RelativeTeacher(
        name=path.rpartition("/")[2],
        description=f"{height} x {width}, {layout}, input range {input_range}; its larger values are {polarity}",
        digest=hashlib.sha256(Path(os.path.expanduser(path)).read_bytes()).hexdigest(),
        ask=ask,
    )


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
        onnxruntime = import_onnxruntime()
    except ImportError as error:
        raise ValueError(f"{path} is run by onnxruntime: pip install 'fgseg_tf[calibration]'.") from error
    given = os.path.expanduser(path)
    if os.path.exists(given) and not is_regular(given):  # a FIFO would be waited for without end
        raise ValueError(f"{path} is not a regular file; give the ONNX file itself.")
    try:
        return onnxruntime.InferenceSession(given, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise ValueError(f"{path} is not an ONNX network that can be run: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]
