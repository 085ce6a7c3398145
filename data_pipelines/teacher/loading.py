"""Loads the teacher that a name is of, whichever kind it is."""

from data_pipelines.config import KERAS_HUB, TeacherConfig
from data_pipelines.teacher import network
from data_pipelines.teacher.keras_hub_teacher import load_preset
from data_pipelines.teacher.onnx_teacher import load_onnx
from data_pipelines.teacher.relative_teacher import RelativeTeacher


def load_described_teacher(config: TeacherConfig) -> network.Teacher | RelativeTeacher:
    """Loads the teacher that the description of a data set names.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it cannot be loaded.
    """
    if config.is_relative:
        return load_relative_teacher(config.weights, config.range, config.polarity, config.size)
    return network.load_teacher(
        config.weights, config.size or network.default_input_size(config.weights), config.max_depth
    )


def load_relative_teacher(
    weights: str, input_range: str = "imagenet", polarity: str = "nearer", size: tuple[int, int] | None = None
) -> RelativeTeacher:
    """Loads the network that a name is of.

    Args:
        weights: path of a local ONNX file, or `keras_hub:` and a folder or the name of a preset.
        input_range: one of `config.TEACHER_RANGES`: what the input of an ONNX file is scaled to.
        polarity: "nearer" where larger values of an ONNX file's output are nearer, or "farther".
        size: height and width of an ONNX file's input; None for what the file says.

    Raises:
        ValueError: it cannot be loaded, or wants something else than a picture.
    """
    if weights.startswith(KERAS_HUB):
        if polarity != "nearer" or size:
            given = "teacher_size" if size else "teacher_polarity"
            raise ValueError(f"`{given}` is for ONNX files; {weights} says itself what it takes: leave it out.")
        return load_preset(weights, input_range)
    return load_onnx(weights, input_range, polarity, size)
