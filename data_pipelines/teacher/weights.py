"""Weight files of the teacher: arrays in, arrays out, by layer name.

Two kinds of file, read as arrays only (no code in a file is ever run: no pickle, no model configuration):

- `.h5`: a Keras 2 model or its weights, as DenseDepth is published. Attribute `layer_names`, a group per layer with an
  attribute `weight_names`, datasets such as `conv1/conv/conv1/conv/kernel:0`; below `model_weights` in a whole model.
- `.npz`: what tools/train_teacher.py writes. float16 arrays `conv1_conv/kernel`; `max_depth`, metres; `network`, the
  design as text, so that weights of another design are refused.

Layer names are those of Keras 3, which allows no `/`: `conv1/conv` is `conv1_conv` everywhere but inside a `.h5` file.
Every way in which a file can be wrong is a ValueError that names the file.
"""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from data_pipelines.runtime.array_files import read_npz
from data_pipelines.runtime.hdf5_files import DAMAGES, find_dataset, find_group

# The order of each layer's variables, the same in both Keras versions.
WEIGHT_NAMES = {
    keras.layers.Conv2D: ("kernel", "bias"),
    keras.layers.BatchNormalization: ("gamma", "beta", "moving_mean", "moving_variance"),
}


@dataclass(frozen=True)
class StoredLayers:
    """What a file holds.

    Attributes:
        weights: layer name -> weight name -> array, or HDF5 dataset as long as the file is open.
        names: every layer in the file's order, also those without weights; empty for `.npz`.
        max_depth: metres; None for `.h5`, which does not say.
    """

    weights: Mapping[str, Mapping[str, np.ndarray | h5py.Dataset]]
    names: tuple[str, ...] = field(default=())
    max_depth: float | None = None


@contextlib.contextmanager
def open_h5(path: Path) -> Iterator[StoredLayers]:
    """Yields a Keras 2 file's layers, readable inside the `with` block.

    Raises:
        ValueError: the file is damaged, or not such a file.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(
            f"{path}: not a whole HDF5 file ({error}); download it again, and see that it is the .h5 file itself, "
            "not a web page or an archive."
        ) from error
    with file:
        try:
            layers = _find_layers(file)
        except DAMAGES as error:
            reason = str(error).splitlines() or [type(error).__name__]
            raise ValueError(
                f"{path}: an HDF5 file, but no Keras 2 model ({reason[0][:200]}); a Keras 3 .weights.h5 file does not "
                "fit, DenseDepth's published .h5 files do."
            ) from error
        yield layers


def _find_layers(file: h5py.File) -> StoredLayers:
    """Finds the arrays of every layer; raises one of DAMAGES where the file is not as Keras 2 writes it."""
    root = file
    if "model_weights" in file:
        root = find_group(file, "model_weights")
    if "layer_names" not in root.attrs:
        raise ValueError("it has no layer_names")
    weights, names = {}, []
    for stored_name in map(_text, root.attrs["layer_names"]):
        name = stored_name.replace("/", "_")
        names.append(name)
        datasets = {}
        for stored_weight in map(_text, find_group(root, stored_name).attrs["weight_names"]):
            # "conv1/conv/kernel:0" -> "kernel"; what stands before it is the layer's name again.
            dataset = find_dataset(root, f"{stored_name}/{stored_weight}")
            datasets[stored_weight.split("/")[-1].split(":")[0]] = dataset
        if datasets:
            weights[name] = datasets
    return StoredLayers(weights, tuple(names))


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)


def read_teacher_npz(path: Path, network: keras.Model, design: str) -> StoredLayers:
    """Reads the layers of a file that `write_npz` made.

    Args:
        path: of the file.
        network: that they are for; a file that holds more than it takes is not unpacked.
        design: must be the one that `write_npz` was given.

    Raises:
        ValueError: the file is damaged, or of another design.
    """
    remedy = "make it again with tools/train_teacher.py"
    arrays = read_npz(str(path), 4 * network.count_params(), remedy)
    if not {"network", "max_depth"} <= arrays.keys():
        raise ValueError(f"{path}: has no network or no max_depth, so it is not a teacher's file; {remedy}.")
    stored_design, stored_depth = str(arrays.pop("network")), arrays.pop("max_depth")
    if stored_design != design:
        raise ValueError(f"{path}: was trained for {stored_design[:300]}, but this version has {design}; {remedy}.")
    if stored_depth.dtype.kind != "f" or stored_depth.shape != () or not 0 < stored_depth < 1e4:
        raise ValueError(f"{path}: max_depth is not a number of metres; {remedy}.")
    weights: dict[str, dict[str, np.ndarray]] = {}
    for name, array in arrays.items():
        layer, _, weight = name.rpartition("/")
        weights.setdefault(layer, {})[weight] = array
    return StoredLayers(weights, max_depth=float(stored_depth))


def write_npz(path: Path, network: keras.Model, design: str, max_depth: float) -> None:
    """Writes the weights that training made, at half precision: their own error is far larger."""
    # Any, since one of the names could be allow_pickle, for all that numpy's stubs know.
    arrays: dict[str, Any] = {
        f"{layer.name}/{weight}": np.asarray(array, "float16")
        for layer, weight_names in _layers_with_weights(network)
        for weight, array in zip(weight_names, layer.get_weights(), strict=True)
    }
    np.savez_compressed(path, network=np.array(design), max_depth=np.array(max_depth), **arrays)


def assign_weights(network: keras.Model, stored: StoredLayers, path: Path) -> None:
    """Gives every layer of the network its arrays from the file.

    Raises:
        ValueError: the file does not fit the network, which is then left as it was.
    """
    layers = list(_layers_with_weights(network))
    problems = []
    for layer, weight_names in layers:
        in_file = stored.weights.get(layer.name, {})
        expected = {name: tuple(value.shape) for name, value in zip(weight_names, layer.weights, strict=True)}
        shapes = {name: tuple(value.shape) for name, value in in_file.items()}
        if shapes != expected:
            problems.append(
                f"layer {layer.name} is {_describe_shapes(shapes)} in the file, {_describe_shapes(expected)} here"
            )
    known = {layer.name for layer, _ in layers}
    for name in stored.weights.keys() - known:
        shapes = {weight: tuple(value.shape) for weight, value in stored.weights[name].items()}
        problems.append(f"layer {name} is {_describe_shapes(shapes)} in the file, absent here")
    if problems:
        more = f" (and {len(problems) - 1} more layers that do not fit)" if len(problems) > 1 else ""
        raise ValueError(
            f"{path}: {problems[0]}{more}. The file is for another network; take DenseDepth's nyu.h5 or kitti.h5 "
            '(DenseNet-169), or weights="small".'
        )
    values = [
        [_read_array(stored.weights[layer.name], name, layer.name, path) for name in names] for layer, names in layers
    ]
    for (layer, _), arrays in zip(layers, values, strict=True):
        layer.set_weights(arrays)


def _layers_with_weights(network: keras.Model):
    for layer in network.layers:
        for kind, names in WEIGHT_NAMES.items():
            if isinstance(layer, kind):
                yield layer, names[: len(layer.weights)]


def _describe_shapes(shapes: Mapping[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items()) or "absent"


def _read_array(datasets: Mapping, name: str, layer: str, path: Path) -> np.ndarray:
    try:
        array = np.asarray(datasets[name][()], "float32")
    except OSError as error:
        raise ValueError(f"{path}: layer {layer}: {name} cannot be read ({error}); download the file again.") from error
    if not np.isfinite(array).all():
        raise ValueError(f"{path}: layer {layer}: {name} has values that are not finite; the file is damaged.")
    return array
