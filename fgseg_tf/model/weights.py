"""Weights as plain arrays: how they are taken out of a network and put into one, and those that come with the package.

A .npz file holds the arrays of every layer that has weights under keys such as `joint/007/0`: the part of the network,
the layer's place among those of its part, and the array's place in the layer. Places are used, not layer names, so that
a file still fits when a layer is renamed; grow.py, which matches layers by name, takes the names from the network.

Kernels are stored in float16 (on a real frame, that changed a mask by 0.0002 in the mean, 0.005 at most); the rest,
which is small, in float32.
"""

import hashlib
import io
import json
import os
from collections.abc import Mapping
from typing import Any, TypedDict

import keras
import numpy as np
import tensorflow as tf

from data_pipelines.runtime.array_files import read_npz
from fgseg_tf.model import networks, object_depth
from fgseg_tf.model.two_branch import ARCHITECTURES

FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "weights")
CARDS = "cards.json"
PACKAGED = tuple(ARCHITECTURES)[:2]  # small and base: large would be larger than all the rest of the package
WITH_CARDS = (*PACKAGED, object_depth.NAME)


class Card(TypedDict):
    """What cards.json says of a network that comes with the package.

    Attributes:
        file: name of its .npz file in the same folder.
        sha256: digest of that file.
        side: the longer side in pixels at which the network works best.
        recipe: description of the data set that it was trained on, as `DatasetConfig.from_dict` reads it; None where it
            was trained on shards.
        settings: settings of its training, as in run.json, without the folders of whoever trained it.
    """

    file: str
    sha256: str
    side: int
    recipe: dict | None
    settings: dict


def get_arrays(network: keras.Model) -> dict[str, np.ndarray]:
    """Returns the weights of a network, float32, under the keys of a .npz file."""
    layers = _layers_by_place(network).items()
    return {f"{name}/{n}": value for name, layer in layers for n, value in enumerate(layer.get_weights())}


def set_arrays(network: keras.Model, values: dict[str, np.ndarray], origin: str) -> None:
    """Puts weights into a network.

    Args:
        network: changed in place.
        values: as `get_arrays` returns them, of any float type.
        origin: where the weights come from, for the message when they do not fit.

    Raises:
        ValueError: an array is missing, of another shape, or one too many, or has values that are not finite.
    """
    layers = _layers_by_place(network)
    expected = {name: value.shape for name, value in get_arrays(network).items()}
    given = {name: value.shape for name, value in values.items()}
    if given != expected:
        name = min(name for name in expected.keys() | given.keys() if expected.get(name) != given.get(name))
        raise ValueError(
            f"{origin} does not fit this network: {name} is {given.get(name, 'missing')}, it takes "
            f"{expected.get(name, 'none such')}."
        )
    for name, value in values.items():
        if value.dtype.kind != "f" or not np.isfinite(value).all():
            layer = layers[name.rpartition("/")[0]].name
            raise ValueError(
                f"{origin}: weights of the layer {layer} are not all finite numbers, so they are damaged or their "
                "training went wrong; train again."
            )
    for name, layer in layers.items():
        layer.set_weights([values[f"{name}/{n}"].astype(np.float32) for n in range(len(layer.weights))])


def pack_arrays(network: keras.Model, halve: bool) -> bytes:
    """Returns the weights of a network as the content of a .npz file.

    Args:
        network: whose weights they are.
        halve: whether kernels are stored in float16, and all of it compressed.
    """
    # Any, since one of the names could be allow_pickle, for all that numpy's stubs know.
    stored: dict[str, Any] = {
        name: value.astype(np.float16) if halve and value.ndim > 1 else value
        for name, value in get_arrays(network).items()
    }
    content = io.BytesIO()
    (np.savez_compressed if halve else np.savez)(content, **stored)
    return content.getvalue()


def save_arrays(path: str, network: keras.Model) -> str:
    """Writes the weights of a network to a .npz file; returns the SHA-256 of the file."""
    content = pack_arrays(network, halve=True)
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)
    return hashlib.sha256(content).hexdigest()


def load_arrays(path: str, network: keras.Model, remedy: str, digest: str | None = None) -> dict[str, np.ndarray]:
    """Reads weights from a .npz file.

    Args:
        path: of the file.
        network: that they are for; a file that holds more than it takes is not unpacked.
        remedy: what to do where the file is damaged.
        digest: SHA-256 that the file must have; None for any.

    Raises:
        ValueError: the file is damaged, too large, or of another digest.
    """
    return read_npz(path, 4 * network.count_params(), remedy, digest)


def read_cards() -> dict[str, Card]:
    """Returns the card of each network that comes with the package, by the network's name."""
    with open(os.path.join(FOLDER, CARDS)) as file:
        return json.load(file)


def load_packaged(name: str) -> tuple[keras.Model, int]:
    """Returns a trained network that comes with the package, and the longer side in pixels at which it works best.

    Raises:
        ValueError: no network of this name comes with the package, or its file is damaged.
    """
    cards = read_cards()
    if name not in cards:
        raise ValueError(f"{name} does not come with the package; take {', '.join(cards)}.")
    card = cards[name]
    network = networks.build(name)
    path = os.path.join(FOLDER, card["file"])
    set_arrays(network, load_arrays(path, network, "install fgseg_tf again", card["sha256"]), path)
    return network, card["side"]


def package_network(name: str, network: keras.Model, side: int, settings: Mapping[str, Any]) -> Card:
    """Puts a trained network into the package under a name; returns its card.

    Args:
        name: one of WITH_CARDS.
        network: of the architecture of that name.
        side: the longer side in pixels at which it works best.
        settings: `settings` of the run.json of its training.
    """
    if name not in WITH_CARDS:
        raise ValueError(f"a {name} network does not go into the package: {', '.join(WITH_CARDS)} do.")
    file = f"{name}.npz"
    digest = save_arrays(os.path.join(FOLDER, file), network)
    # Folders on the machine of whoever trained it are of no use to others.
    public = {key: value for key, value in settings.items() if key not in ("data", "start")}
    card = Card(file=file, sha256=digest, side=side, recipe=settings["data"].get("recipe"), settings=public)
    cards = {**read_cards(), name: card}
    with open(os.path.join(FOLDER, CARDS), "w") as target:
        target.write(json.dumps(cards, indent=1, sort_keys=True) + "\n")
    return card


def _layers_by_place(network: keras.Model) -> dict[str, keras.layers.Layer]:
    """Returns the layers that have weights, of all parts, under their part and their place in it."""
    layers: dict[str, keras.layers.Layer] = {}
    for part in networks.list_parts(network):
        with_weights = [layer for layer in part.layers if layer.weights]
        layers |= {f"{part.name}/{place:03d}": layer for place, layer in enumerate(with_weights)}
    return layers
