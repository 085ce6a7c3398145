"""A run that was never trained, and is as finished as any."""

import keras

from fgseg_tf.runs import run_folder

SETTINGS = {"image_size": [48, 64], "stages": ["1@24"], "precision": "float32"}


def write_finished_run(folder: str, name: str, network: keras.Model) -> None:
    """Writes a finished run of a network, by the name of its architecture."""
    run_folder.claim(folder, {"network": name, **SETTINGS})
    run_folder.save_network(folder, network)
