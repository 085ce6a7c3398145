"""Depth estimators of KerasHub, such as Depth Anything V2, from a folder or by the name of a preset.

A folder needs no network. A name makes KerasHub download the weights, once; this is said before it happens.
"""

import hashlib
import os

import keras
import numpy as np

from data_pipelines.config import KERAS_HUB
from data_pipelines.runtime.files import join_path, read_json
from data_pipelines.teacher.network_input import check_map, resize_picture, scale_values
from data_pipelines.teacher.relative_teacher import RelativeTeacher

CODE = ("Lambda", "function", "__lambda__", "TorchModuleWrapper", "TFSMLayer", "JaxLayer", "FlaxLayer")


def load_preset(weights: str, input_range: str) -> RelativeTeacher:
    """Loads a depth estimator of KerasHub.

    Args:
        weights: `keras_hub:` and a local folder, the name of a preset, or an address as KerasHub takes it.
        input_range: one of `config.TEACHER_RANGES`: what pictures are scaled to for a preset without preprocessing of
            its own; the others know.

    Raises:
        ValueError: KerasHub is not installed, or there is no such preset, or it is of another task.
    """
    preset = weights.removeprefix(KERAS_HUB)
    estimator = _open(weights, preset)
    size = _read_input_size(estimator, weights)
    own_preprocessing = estimator.preprocessor is not None
    is_metric = estimator.depth_estimation_type == "metric"

    def ask(picture: np.ndarray) -> np.ndarray:
        # Stretched here: the converters of KerasHub cut the sides off a picture that is not square.
        small = resize_picture(picture, size)
        given = small if own_preprocessing else scale_values(small, input_range)
        try:
            output = estimator.predict(given[None], verbose=0)["depths"]
        except Exception as error:  # whatever layers of a stranger's network raise
            raise ValueError(f"{weights} fails on a picture of {size[0]} x {size[1]}: {_first_line(error)}") from error
        values = check_map(output, weights, "what its preprocessing makes of it" if own_preprocessing else input_range)
        return np.where(values > 0, 1 / np.maximum(values, 1e-9), np.nan) if is_metric else values

    digest = hashlib.sha256()
    for array in estimator.get_weights():
        digest.update(np.ascontiguousarray(array).tobytes())
    how = "its own preprocessing" if own_preprocessing else f"input range {input_range}"
    return RelativeTeacher(
        name=preset.rstrip("/").rpartition("/")[2],
        description=f"{size[0]} x {size[1]}, {how}; its larger values are {'farther' if is_metric else 'nearer'}",
        digest=digest.hexdigest(),
        ask=ask,
    )


def _open(weights: str, preset: str):
    if int(keras.__version__.split(".")[0]) < 3:
        raise ValueError(
            f"{weights} needs Keras 3, and this is Keras {keras.__version__}; use the default stack, or an ONNX file."
        )
    folder = os.path.expanduser(preset)
    is_folder = os.path.isdir(folder)
    is_address = "://" in preset
    if not is_folder and not is_address and ("/" in preset or preset.startswith((".", "~"))):
        raise ValueError(f"{weights}: there is no such folder; give one that save_to_preset of KerasHub wrote.")
    if is_folder:
        _check_descriptions(folder, weights)
    try:
        import keras_hub
    except ImportError as error:
        raise ValueError(f"{weights} is run by KerasHub ({error}): pip install 'fgseg_tf[keras-hub]'.") from error
    task = keras_hub.models.DepthEstimator
    if not is_folder and not is_address and preset not in task.presets:
        raise ValueError(
            f"{weights}: KerasHub has no preset of depth of this name, and there is no such folder; take "
            f"{', '.join(task.presets)}, or the folder of a preset."
        )
    if not is_folder:
        print(f"{weights}: KerasHub downloads these weights now, unless it has them from before.", flush=True)
    try:
        return task.from_preset(folder if is_folder else preset)
    except OSError as error:  # no network, or a file that cannot be read
        reason = _first_line(error)
        raise ValueError(
            f"{weights} cannot be read ({reason})."
            if is_folder
            else f"{weights} cannot be downloaded ({reason}); give the folder of a preset instead: {KERAS_HUB}FOLDER."
        ) from error
    except Exception as error:  # what KerasHub, Keras and the hubs raise has no common class
        raise ValueError(
            f"{weights} is not a preset of KerasHub's DepthEstimator that can be loaded: {_first_line(error)}; give "
            "one that was saved from a depth estimator."
        ) from error


def _check_descriptions(folder: str, weights: str) -> None:
    """Raises ValueError where a preset names code of its own: Keras follows whatever module a description names."""
    for name in sorted(os.listdir(folder)):
        if not name.endswith(".json"):
            continue
        waiting = [read_json(join_path(folder, name), "save the preset again")]
        while waiting:
            part = waiting.pop()
            if isinstance(part, dict):
                module = part.get("module")
                known = module is None or str(module).split(".")[0] in ("keras", "keras_hub")
                if not known or str(part.get("class_name")) in CODE:
                    what = f"{str(part.get('class_name'))[:40]} of {str(module)[:40]}"
                    raise ValueError(
                        f"{weights}: {name} names code that is not a layer of Keras or KerasHub ({what}), and is not "
                        "run; give a preset without it."
                    )
            if isinstance(part, dict | list):
                waiting += part.values() if isinstance(part, dict) else part


def _read_input_size(estimator, weights: str) -> tuple[int, int]:
    """Returns height and width of the pictures that an estimator takes."""
    converter = getattr(estimator.preprocessor, "image_converter", None)
    shape = estimator.input_shape
    if shape[-1] != 3:
        raise ValueError(f"{weights} takes {list(shape)}; a picture, [1, height, width, 3], is needed.")
    size = getattr(converter, "image_size", None) or shape[1:3]
    if None in size:
        raise ValueError(f"{weights} does not say what size of pictures it takes; save it with its preprocessor.")
    return int(size[0]), int(size[1])


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200].rstrip(".") if lines else type(error).__name__
