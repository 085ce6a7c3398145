"""The network that a command uses: of a finished run, or one that comes with the package."""

from typing import NamedTuple

import keras
import numpy as np

from fgseg_tf.model import networks, weights
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
    settings = run_folder.read_run(run)["settings"]
    height, width = settings["image_size"]
    shorter = run_folder.last_stage_side(settings) or min(height, width)
    network = run_folder.load_network(run)
    if settings["precision"] != "float32":
        # A network that was trained in 16 bits is used in 32, so that its outputs are the same wherever it runs.
        in_float32 = networks.build(settings["network"])
        weights.set_arrays(in_float32, weights.get_arrays(network), run)
        network = in_float32
    return TrainedNetwork(network, round(shorter * max(height, width) / min(height, width)), run)


def check_architecture(network: keras.Model, name: str, origin: str) -> None:
    """Raises ValueError where a network is not of the architecture `name`, which its run says it is of."""
    expected = {key: value.shape for key, value in weights.get_arrays(networks.build(name)).items()}
    actual = {key: value.shape for key, value in weights.get_arrays(network).items()}
    if actual != expected:
        raise ValueError(f"{origin} is not of the architecture {name} of this version of fgseg_tf; train it again.")


def load_weights(origin: str) -> dict[str, np.ndarray]:
    """Returns the weights of a network of the package, by its name, or of a finished run, by its folder.

    They are as `weights.get_arrays` returns them.
    """
    if origin in weights.WITH_CARDS:
        return weights.get_arrays(weights.load_packaged(origin)[0])
    return weights.get_arrays(run_folder.load_network(origin))
