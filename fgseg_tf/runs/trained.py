"""The network that a command uses: of a finished run, or one that comes with the package."""

import keras
import numpy as np

from fgseg_tf.model import weights
from fgseg_tf.model.two_branch import ARCHITECTURES, build
from fgseg_tf.runs import run_folder


def load_trained(run: str | None, name: str) -> tuple[keras.Model, int, str]:
    """The network of a run, or else the one of the package; the longer side it looks at best; and where it is from."""
    if not run:
        return *weights.load_packaged(name), f"{name}, of the package"
    settings = run_folder.read_run(run)["settings"]
    height, width = settings["image_size"]
    shorter = run_folder.last_stage_side(settings) or min(height, width)
    network = run_folder.load_network(run)
    if settings["precision"] != "float32":
        # What was learned in 16 bits is used in 32, so that it answers the same wherever it runs.
        whole = build(ARCHITECTURES[settings["network"]])
        weights.set_arrays(whole, weights.get_arrays(network), run)
        network = whole
    return network, round(shorter * max(height, width) / min(height, width)), run


def check_architecture(network: keras.Model, name: str, origin: str) -> None:
    """Refuses a network that is not of the architecture that its run says."""
    expected = {key: value.shape for key, value in weights.get_arrays(build(ARCHITECTURES[name])).items()}
    try:
        found = {key: value.shape for key, value in weights.get_arrays(network).items()}
    except ValueError:  # Keras's, of a part that is not there
        found = {}
    if found != expected:
        raise ValueError(f"{origin} is not of the architecture {name} of this version of fgseg_tf; train it again.")


def load_weights(origin: str) -> dict[str, np.ndarray]:
    """Of a network that comes with the package, by its name, or of a finished run, by its folder."""
    if origin in weights.PACKAGED:
        return weights.get_arrays(weights.load_packaged(origin)[0])
    return weights.get_arrays(run_folder.load_network(origin))
