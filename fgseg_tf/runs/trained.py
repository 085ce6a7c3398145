"""The network that a command uses: of a finished run, or one that comes with the package."""

from typing import NamedTuple

import keras
import numpy as np

from fgseg_tf.model import object_depth, weights
from fgseg_tf.runs import run_folder


class TrainedNetwork(NamedTuple):
    """A trained network and where it works best.

    Attributes:
        network: in float32.
        side: the longer side in pixels at which it works best: that of the last stage of its training.
        origin: the run's folder, or a sentence that names the network of the package.
    """

    network: keras.Model
    side: int
    origin: str


def load_trained(run: str | None, name: str) -> TrainedNetwork:
    """Returns the network of a finished run, or where no run is given the one that comes with the package by this name.

    Raises:
        RunError: the folder is not a run, or its training is not finished.
        ValueError: no network of this name comes with the package.
    """
    if not run:
        network, side = weights.load_packaged(name)
        return TrainedNetwork(network, side, f"{name}, of the package")
    settings = run_folder.read_run(run, ("precision",))["settings"]
    check_segments(settings, run)
    return TrainedNetwork(run_folder.load_network(run), find_best_side(settings), run)


def find_best_side(settings: run_folder.RunSettings) -> int:
    """Returns the longer side in pixels at which the network of a run works best: that of its last stage."""
    height, width = settings["image_size"]
    shorter = run_folder.last_stage_side(settings) or min(height, width)
    return round(shorter * max(height, width) / min(height, width))


def load_object_depth(run: str | None = None) -> keras.Model:
    """Returns a network for the depth of objects: of a finished run, or where none is given that of the package.

    Raises:
        RunError: the folder is not a run of such a network, or its training is not finished.
    """
    if not run:
        return weights.load_packaged(object_depth.NAME)[0]
    settings = run_folder.read_run(run)["settings"]
    if settings["network"] != object_depth.NAME:
        raise run_folder.RunError(
            f"`object_depth`={run} is of {settings['network']}; give a run of `network`={object_depth.NAME}."
        )
    return run_folder.load_network(run)


def check_segments(settings: run_folder.RunSettings, run: str) -> None:
    """Raises RunError where the network of a run makes no masks."""
    if settings["network"] == object_depth.NAME:
        raise run_folder.RunError(
            f"the run in {run} is of the depth of objects, which needs masks; give it as `object_depth`, and as `run` "
            "one of a network that segments."
        )


def load_weights(origin: str) -> dict[str, np.ndarray]:
    """Returns the weights of a network of the package, by its name, or of a finished run, by its folder.

    They are as `weights.get_arrays` returns them.
    """
    if origin in weights.WITH_CARDS:
        return weights.get_arrays(weights.load_packaged(origin)[0])
    return weights.get_arrays(run_folder.load_network(origin))
