"""Makes a trained network faster for inference, and splits it so that a background is encoded only once.

Batch-norm folding: in a finished network BatchNorm is a factor and an offset for each channel, which the convolution
before it can apply as well; Keras 3 takes a pass over every array for each of the two.

Split: a convolution of several concatenated arrays is a sum of convolutions, one of each array. The convolutions of
background features are computed together with the background, and only their sums are added when a frame comes.

Upsampling: a convolution of an array that was doubled in size reads every value twice or more. As a transposed
convolution of the small array it takes 4 products instead of 9.

New layers are named after the layers that they replace: the names that Keras would choose count what was built in this
process, and a network that was read from a file may have the same ones.

Only keras is imported. Outputs are those of the original network, except for the order in which numbers are added.
"""

import keras
import numpy as np

from fgseg_tf.model.two_branch import PARTS, assemble

DOUBLINGS = 3  # the last ones of the five in a branch: nothing is gained by replacing the earlier ones
MULTIPLE = 2**DOUBLINGS  # pixels; sides that are multiples of it need no cropping after these doublings


def fold_batch_norm(network: keras.Model) -> keras.Model:
    """Returns a copy of the network without BatchNorm, made of the same parts.

    The copy is for inference: it normalises nothing, so it cannot be trained further.

    Raises:
        ValueError: a BatchNorm does not follow a convolution without a bias.
    """
    return assemble(_fold_parts(network))


def split_background_half(network: keras.Model) -> tuple[keras.Model, keras.Model]:
    """Returns a folded copy of the network in two halves, so that a fixed camera's background is encoded only once.

    Heights and widths must be multiples of MULTIPLE.

    Returns:
        The background half, from `bg` to a list of features, and the frame half, from a dict to a dict with `mask` and
        `depth`. The frame half takes the frame under "fg_bg" and the features, in the order of the list, under
        "features_0", "features_1" and so on.
    """
    stem, background, joint, mask, depth = _fold_parts(network).values()
    mask, depth = _double_by_transposed(mask), _double_by_transposed(depth)
    bg, fg_bg = keras.Input((None, None, 3), name="bg"), keras.Input((None, None, 3), name="fg_bg")
    of_bg = stem(bg)
    handover = _Handover()
    scales = _run_partly_known(joint, stem(fg_bg), [*of_bg, *background(of_bg[-1])], handover)
    inputs = {"fg_bg": fg_bg, **{feature.name: feature for feature in handover.features}}
    outputs = {"mask": mask(scales), "depth": depth(scales)}
    return (
        keras.Model(bg, handover.tensors, name="background_features"),
        keras.Model(inputs, outputs, name="segment_with_background"),
    )


class _Handover:
    """The features that the background half passes to the frame half: its outputs, and the other half's inputs."""

    def __init__(self):
        self.tensors, self.features = [], []

    def pass_on(self, tensor):
        """Returns the input of the frame half that stands for a tensor of the background half."""
        for known, feature in zip(self.tensors, self.features, strict=True):
            if known is tensor:
                return feature
        self.tensors.append(tensor)
        self.features.append(keras.Input(tuple(tensor.shape[1:]), name=f"features_{len(self.features)}"))
        return self.features[-1]


def _run_partly_known(joint: keras.Model, new: list, known: list, handover: _Handover) -> list:
    """Returns the outputs of the joint encoder in the graph of the frame half.

    The layers are called again, each in the graph of its inputs: those that only need the background in the background
    half, all others in the frame half.

    Args:
        joint: the joint encoder.
        new: its inputs that depend on the frame, which come first among its inputs.
        known: its inputs that depend on the background alone.
        handover: collects the tensors that the frame half needs of the background half.
    """
    sources = {layer.name: _input_names(layer) for layer in joint.layers}
    names = [tensor._keras_history[0].name for tensor in joint.inputs]
    values = dict(zip(names, [*new, *known], strict=True))
    before = set(names[len(new) :])
    joined = {}  # name of a concatenation of both kinds -> names of what it joins
    for layer in joint.layers:
        if layer.name in values:
            continue
        taken = sources[layer.name]
        if all(name in before for name in taken):
            before.add(layer.name)
            values[layer.name] = layer(_unwrap_single([values[name] for name in taken]))
        elif isinstance(layer, keras.layers.Concatenate) and before & set(taken):
            joined[layer.name] = taken
        elif taken[0] in joined:
            values[layer.name] = _split_convolution(layer, joined[taken[0]], values, before, handover)
        else:
            tensors = [handover.pass_on(values[name]) if name in before else values[name] for name in taken]
            values[layer.name] = layer(_unwrap_single(tensors))
    return [values[tensor._keras_history[0].name] for tensor in joint.outputs]


def _split_convolution(layer, joined: list[str], values: dict, before: set[str], handover: _Handover):
    """Splits a convolution of concatenated tensors; returns the sum of the two parts, in the frame half."""
    kernel, bias = layer.get_weights()
    ends = np.cumsum([values[name].shape[-1] for name in joined])
    slices = dict(zip(joined, np.split(kernel, ends[:-1], axis=2), strict=True))

    def part(names: list[str], with_bias: bool):
        tensors = [values[name] for name in names]
        own_name = f"{layer.name}_{'known' if with_bias else 'new'}"
        convolution = keras.layers.Conv2D.from_config(layer.get_config() | {"name": own_name, "use_bias": with_bias})
        if len(tensors) > 1:
            tensors = [keras.layers.Concatenate(name=f"{own_name}_joined")(tensors)]
        result = convolution(tensors[0])
        own = np.concatenate([slices[name] for name in names], axis=2)
        convolution.set_weights([own, bias] if with_bias else [own])
        return result

    known = part([name for name in joined if name in before], with_bias=True)
    new = part([name for name in joined if name not in before], with_bias=False)
    return keras.layers.Add(name=f"{layer.name}_sum")([new, handover.pass_on(known)])


def _double_by_transposed(branch: keras.Model) -> keras.Model:
    """Returns a branch whose last DOUBLINGS are transposed convolutions, for sides that are multiples of MULTIPLE."""
    sources = {layer.name: _input_names(layer) for layer in branch.layers}
    layers = {layer.name: layer for layer in branch.layers}
    # In such a branch: double, crop, concatenate with the features of that size, convolve.
    joins = [layer.name for layer in branch.layers if isinstance(layer, keras.layers.Concatenate)][-DOUBLINGS:]
    skipped = {name for join in joins for name in (join, sources[join][0], sources[sources[join][0]][0])}
    values = {tensor._keras_history[0].name: tensor for tensor in branch.inputs}
    for layer in branch.layers:
        if layer.name in values or layer.name in skipped:
            continue
        taken = sources[layer.name]
        if taken[0] in joins:
            cropped, skip = sources[taken[0]]
            before = sources[layers[sources[cropped][0]].name][0]
            values[layer.name] = _make_transposed(layer, values[before], values[skip])
        else:
            values[layer.name] = layer(_unwrap_single([values[name] for name in taken]))
    outputs = [values[tensor._keras_history[0].name] for tensor in branch.outputs]
    return keras.Model(branch.inputs, _unwrap_single(outputs), name=branch.name)


def _make_transposed(layer, x, skip):
    """Returns what a 3 x 3 convolution gives of `x` doubled and `skip`: x is [B, h, w, c], skip [B, 2h, 2w, d]."""
    kernel, bias = layer.get_weights()
    of_x, of_skip = np.split(kernel, [x.shape[-1]], axis=2)
    # Line i of x is lines 2i and 2i + 1; taps of these that fall on one line of the result are added.
    lines = np.stack([of_x[2], of_x[1] + of_x[2], of_x[0] + of_x[1], of_x[0]])
    both = np.stack([lines[:, 2], lines[:, 1] + lines[:, 2], lines[:, 0] + lines[:, 1], lines[:, 0]], axis=1)
    name = layer.name
    double = keras.layers.Conv2DTranspose(
        layer.filters, 4, strides=2, padding="same", use_bias=False, name=f"{name}_double"
    )
    beside = keras.layers.Conv2D(layer.filters, 3, padding="same", name=f"{name}_beside")
    result = keras.layers.Add(name=f"{name}_sum")([double(x), beside(skip)])
    double.set_weights([both.transpose(0, 1, 3, 2)])
    beside.set_weights([of_skip, bias])
    return result


def _fold_parts(network: keras.Model) -> dict[str, keras.Model]:
    return {name: _fold_part(network.get_layer(name)) for name in PARTS}


def _fold_part(part: keras.Model) -> keras.Model:
    normalizations = {
        _input_names(layer)[0]: layer for layer in part.layers if isinstance(layer, keras.layers.BatchNormalization)
    }
    values: dict[str, keras.KerasTensor] = {}
    for layer in part.layers:
        tensors = [] if isinstance(layer, keras.layers.InputLayer) else [values[name] for name in _input_names(layer)]
        if not tensors:
            values[layer.name] = keras.Input(tuple(layer.output.shape[1:]))
        elif isinstance(layer, keras.layers.BatchNormalization):
            values[layer.name] = tensors[0]
        else:
            after = normalizations.get(layer.name)
            arrays = _merge_batch_norm(layer, after) if after else layer.get_weights()
            copy = type(layer).from_config(layer.get_config() | ({"use_bias": True} if after else {}))
            values[layer.name] = copy(_unwrap_single(tensors))
            copy.set_weights(arrays)
    inputs, outputs = (
        [values[tensor._keras_history[0].name] for tensor in ends] for ends in (part.inputs, part.outputs)
    )
    return keras.Model(_unwrap_single(inputs), _unwrap_single(outputs), name=part.name)


def _merge_batch_norm(convolution, normalization) -> list[np.ndarray]:
    """Returns the kernel and the bias of one convolution that does what the two layers do."""
    if not isinstance(convolution, keras.layers.Conv2D) or convolution.use_bias:
        raise ValueError(f"{normalization.name} follows {convolution.name}, not a convolution without a bias.")
    (kernel,) = convolution.get_weights()
    gamma, beta, mean, variance = (value.astype(np.float64) for value in normalization.get_weights())
    factor = gamma / np.sqrt(variance + normalization.epsilon)
    return [(kernel * factor).astype(np.float32), (beta - mean * factor).astype(np.float32)]


def _input_names(layer) -> list[str]:
    """Returns the names of the layers whose outputs a layer takes."""
    inputs = layer.input if isinstance(layer.input, (list, tuple)) else [layer.input]
    return [tensor._keras_history[0].name for tensor in inputs]


def _unwrap_single(tensors: list):
    """Returns tensors as layers take and give them: one by itself, several as a list."""
    return tensors[0] if len(tensors) == 1 else tensors
