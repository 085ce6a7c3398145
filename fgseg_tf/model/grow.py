"""Initializes a larger network from the weights of a smaller one, so that at first both have the same outputs.

The channels of the smaller network come first in each layer. The other channels are random, and the learned channels
ignore them at first, because the weights between them are 0. A residual block that the smaller network lacks is the
identity at first, because the scale of its last BatchNorm is 0. (Net2Net, by Chen, Goodfellow and Shlens, 2016, copies
channels instead, and tells the copies apart by noise.)

Layers of the two networks are matched by their names, which are the same in every architecture (see two_branch.py).
"""

from dataclasses import astuple
from functools import cache

import keras
import numpy as np

from fgseg_tf.model import weights
from fgseg_tf.model.layers import CHANGE, JOINED, NORMALIZED
from fgseg_tf.model.two_branch import ARCHITECTURES, PARTS, Architecture, build


def initialize_from(network: keras.Model, values: dict[str, np.ndarray], origin: str) -> str | None:
    """Initializes a new network from weights of the same architecture, or of a smaller one.

    Args:
        network: changed in place.
        values: as `weights.get_arrays` returns them.
        origin: where the weights come from, for the message when they do not fit.

    Returns:
        The name of the smaller architecture that the weights are of; None where they are of the network's own.

    Raises:
        ValueError: the weights are of a larger network, or of none that is known.
    """
    learned_name, own_name = _find_architecture(values), _find_architecture(weights.get_arrays(network))
    if learned_name is None or own_name is None or learned_name == own_name:
        weights.set_arrays(network, values, origin)
        return None
    if not _has_room(ARCHITECTURES[own_name], ARCHITECTURES[learned_name]):
        raise ValueError(
            f"{origin} is a {learned_name} network, larger than {own_name}; take `network`={learned_name}, or other "
            "weights."
        )
    learned = build(ARCHITECTURES[learned_name])
    weights.set_arrays(learned, values, origin)
    for part in PARTS:
        _widen(_layers_by_name(network.get_layer(part)), _layers_by_name(learned.get_layer(part)))
    return learned_name


def _find_architecture(values: dict[str, np.ndarray]) -> str | None:
    """Returns the name of the architecture that has weights of these shapes; None where there is none."""
    return next((name for name in ARCHITECTURES if _shapes(values) == _shapes_of(name)), None)


@cache
def _shapes_of(name: str) -> dict[str, tuple]:
    return _shapes(weights.get_arrays(build(ARCHITECTURES[name])))


def _shapes(values: dict[str, np.ndarray]) -> dict[str, tuple]:
    return {name: value.shape for name, value in values.items()}


def _has_room(larger: Architecture, smaller: Architecture) -> bool:
    return bool(np.greater_equal(*(np.concatenate(astuple(each)) for each in (larger, smaller))).all())


def _layers_by_name(part: keras.Model) -> dict[str, keras.layers.Layer]:
    return {layer.name: layer for layer in part.layers}


def _widen(layers: dict[str, keras.layers.Layer], learned: dict[str, keras.layers.Layer]) -> None:
    """Copies the weights of a part of the smaller network into the layers of the same part of the larger one."""
    for name, layer in layers.items():
        arrays = layer.get_weights()
        if not arrays:
            continue
        if name not in learned:
            # The layer is of a residual block that is new.
            if name.endswith(CHANGE + NORMALIZED):
                arrays[0] = np.zeros_like(arrays[0])
        elif isinstance(layer, keras.layers.Conv2D):
            kernel, *bias = learned[name].get_weights()
            arrays[0] = _widen_kernel(arrays[0], _input_widths(layers, name), kernel, _input_widths(learned, name))
            arrays[1:] = [_widen_vector(*both) for both in zip(arrays[1:], bias, strict=True)]
        else:
            arrays = [_widen_vector(*both) for both in zip(arrays, learned[name].get_weights(), strict=True)]
        layer.set_weights(arrays)


def _widen_vector(values: np.ndarray, learned: np.ndarray) -> np.ndarray:
    return np.concatenate([learned, values[len(learned) :]])


def _widen_kernel(kernel: np.ndarray, widths: list[int], learned: np.ndarray, learned_widths: list[int]) -> np.ndarray:
    """Returns a kernel that computes the learned outputs from the learned inputs alone.

    Args:
        kernel: random, [h, w, inputs, outputs].
        widths: channels of the tensors that are concatenated to make the inputs.
        learned: the kernel of the smaller network.
        learned_widths: its `widths`.
    """
    outputs = learned.shape[-1]
    blocks = []
    for random, known in zip(_split(kernel, widths), _split(learned, learned_widths), strict=True):
        block = random.copy()
        block[..., :outputs] = 0
        block[:, :, : known.shape[2], :outputs] = known
        blocks.append(block)
    return np.concatenate(blocks, axis=2)


def _split(kernel: np.ndarray, widths: list[int]) -> list[np.ndarray]:
    return np.split(kernel, np.cumsum(widths)[:-1], axis=2)


def _input_widths(layers: dict[str, keras.layers.Layer], name: str) -> list[int]:
    """Returns the channels of the tensors that a convolution takes, of each before they are concatenated."""
    joined = layers.get(name + JOINED)
    return [tensor.shape[-1] for tensor in (joined.input if joined else [layers[name].input])]
