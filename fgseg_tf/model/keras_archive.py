"""Reads the arrays of a `model.keras` file, and nothing else of it.

Keras rebuilds a network from the description in such a file, and that description can name any function of any module:
with Keras 2.15 a stranger's file runs commands. So the network is built here, from its architecture's name, and only
numbers are taken: those of the HDF5 file inside, in which Keras files the weights of a layer under the layer's kind and
its number among those of its kind in the same part.
"""

import io
import math

import h5py
import keras
import numpy as np

from data_pipelines.runtime.array_files import open_archive, read_member
from data_pipelines.runtime.hdf5_files import DAMAGES, find_dataset
from fgseg_tf.model import networks

MEMBER = "model.weights.h5"
GROUPS = {keras.layers.Conv2D: "conv2d", keras.layers.BatchNormalization: "batch_normalization"}
# Of what the arrays take, that the file may have: its tree of names, and what Keras writes beside it.
ROOM = 8 << 20


def read_keras_arrays(path: str, network: keras.Model, remedy: str) -> dict[str, np.ndarray]:
    """Returns the weights in a file that Keras saved, under the keys of `weights.get_arrays`.

    Args:
        path: of the .keras file.
        network: of the architecture that the file should be of.
        remedy: what to do where the file is damaged or of another architecture.

    Raises:
        FileError: it is.
    """
    shapes = [weight.shape for weight in network.weights]
    most_bytes = 4 * sum(math.prod(shape) for shape in shapes) + ROOM
    with open_archive(path, most_bytes, remedy) as archive:
        content = io.BytesIO(read_member(archive, MEMBER))
        try:
            with h5py.File(content, "r") as file:
                return {
                    f"{part}/{place:03d}/{number}": _read_array(file, f"{group}/vars/{number}", tuple(weight.shape))
                    for part, place, layer, group in _list_layers(network)
                    for number, weight in enumerate(layer.weights)
                }
        except DAMAGES as error:
            raise ValueError(f"{MEMBER}: {error}") from error


def _list_layers(network: keras.Model):
    """Yields part, place among its layers with weights, layer, and the layer's group in the file."""
    for number, part in enumerate(networks.list_parts(network)):
        within = f"layers/{_number_name('functional', number)}/layers"
        counts = dict.fromkeys(GROUPS, 0)
        for place, layer in enumerate(layer for layer in part.layers if layer.weights):
            kind = type(layer)
            yield part.name, place, layer, f"{within}/{_number_name(GROUPS[kind], counts[kind])}"
            counts[kind] += 1


def _number_name(name: str, number: int) -> str:
    return f"{name}_{number}" if number else name


def _read_array(file: h5py.File, path: str, shape: tuple[int, ...]) -> np.ndarray:
    dataset = find_dataset(file, path)
    if dataset.shape != shape:
        raise ValueError(f"{path} is of the shape {list(dataset.shape)}, and the network's weights of {list(shape)}")
    return dataset[()].astype(np.float32)
