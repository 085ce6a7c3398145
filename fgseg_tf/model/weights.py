"""Weights as plain arrays: the ones that come with the package, and how they are put into a network and taken out.

A .npz file holds, for each part of the network and each of its layers that has weights, in order, their arrays:
`joint/007/0`. Kernels are kept in float16 (on a real frame, that changed a mask by 0.0002 in the mean, 0.005 at most);
the rest, which is small, in float32. Names of layers are of no use: they count what else was built in a process.
"""

import hashlib
import io
import json
import os
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from fgseg_tf.model.two_branch import ARCHITECTURES, PARTS, build

FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "weights")
CARDS = "cards.json"
PACKAGED = tuple(ARCHITECTURES)[:2]  # small and base: large would be larger than all the rest of the package


def get_arrays(network: keras.Model) -> dict[str, np.ndarray]:
    layers = _layers(network).items()
    return {f"{name}/{n}": value for name, layer in layers for n, value in enumerate(layer.get_weights())}


def set_arrays(network: keras.Model, values: dict[str, np.ndarray], origin: str) -> None:
    """origin: where they come from, for what is said when they do not fit."""
    expected = {name: value.shape for name, value in get_arrays(network).items()}
    found = {name: value.shape for name, value in values.items()}
    if found != expected:
        name = min(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise ValueError(
            f"{origin} does not fit this network: {name} is {found.get(name, 'missing')}, it takes "
            f"{expected.get(name, 'none such')}."
        )
    for name, layer in _layers(network).items():
        layer.set_weights([values[f"{name}/{n}"].astype(np.float32) for n in range(len(layer.weights))])


def save_arrays(path: str, network: keras.Model) -> str:
    """Answers the SHA-256 of the file."""
    # Any, since one of the names could be allow_pickle, for all that numpy's stubs know.
    kept: dict[str, Any] = {
        name: value.astype(np.float16) if value.ndim > 1 else value for name, value in get_arrays(network).items()
    }
    content = io.BytesIO()
    np.savez_compressed(content, **kept)
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content.getvalue())
    return hashlib.sha256(content.getvalue()).hexdigest()


def load_arrays(path: str, digest: str | None = None) -> dict[str, np.ndarray]:
    with tf.io.gfile.GFile(path, "rb") as file:
        content = file.read()
    found = hashlib.sha256(content).hexdigest()
    if digest and found != digest:
        raise ValueError(
            f"{path} is not what it was (SHA-256 {found[:12]}, not {digest[:12]}); install fgseg_tf again."
        )
    with np.load(io.BytesIO(content)) as archive:
        return dict(archive)


def read_cards() -> dict:
    """Of each network that comes with the package: file, sha256, the longer side it looks at best, how it was made."""
    with open(os.path.join(FOLDER, CARDS)) as file:
        return json.load(file)


def load_packaged(name: str) -> tuple[keras.Model, int]:
    """A trained network that comes with the package, and the longer side in pixels that it works best at."""
    found = read_cards()
    if name not in found:
        raise ValueError(f"{name} does not come with the package; take {', '.join(found)}.")
    card = found[name]
    network = build(ARCHITECTURES[name])
    path = os.path.join(FOLDER, card["file"])
    set_arrays(network, load_arrays(path, card["sha256"]), path)
    return network, card["side"]


def package_network(name: str, network: keras.Model, side: int, settings: dict) -> dict:
    """Makes this the network of that name in the package; answers its card."""
    if name not in PACKAGED:
        raise ValueError(f"a {name} network does not go into the package: {' and '.join(PACKAGED)} do.")
    file = f"{name}.npz"
    digest = save_arrays(os.path.join(FOLDER, file), network)
    # The folders of the one who trained say nothing to others.
    told = {key: value for key, value in settings.items() if key not in ("data", "start")}
    card = {"file": file, "sha256": digest, "side": side, "recipe": settings["data"].get("recipe"), "settings": told}
    said = {**read_cards(), name: card}
    with open(os.path.join(FOLDER, CARDS), "w") as target:
        target.write(json.dumps(said, indent=1, sort_keys=True) + "\n")
    return card


def _layers(network: keras.Model) -> dict[str, keras.layers.Layer]:
    """Of all parts, those that have weights, by part and place."""
    found: dict[str, keras.layers.Layer] = {}
    for part in PARTS:
        having = [layer for layer in network.get_layer(part).layers if layer.weights]
        found |= {f"{part}/{place:03d}": layer for place, layer in enumerate(having)}
    return found
