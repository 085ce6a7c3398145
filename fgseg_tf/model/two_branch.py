"""The two-branch network: `bg` and `fg_bg` in, `mask` and `depth` out.

    bg    -> stem --+-> background --+
                    |                |
    fg_bg -> stem --+----------------+-> joint --+-> mask branch  -> mask
                                                 +-> depth branch -> depth

`bg`, `fg_bg`: [B, H, W, 3] in [0, 1]. `mask`: [B, H, W, 1], the probability of foreground. `depth`: [B, H, W, 1], the
code of depth_code.py. Both outputs are float32 in [0, 1], whatever the precision inside. Height and width are free:
sides are halved rounding up, and doubled and cropped to what they were.

The stem is shared by the two pictures and works at full and at half size. The joint encoder starts from the stem's
features of both pictures and from the absolute difference of the two, and at each scale it takes in the features of the
background encoder. Everything that depends on `bg` alone can be computed once for a fixed camera: see
`fold.split_background_half`.

The five parts are models inside the model, named as in PARTS; a part is frozen with `network.get_layer(part).trainable
= False`. Layers that have weights have names that are the same in every architecture, such as `joint_8_block1_first`;
grow.py relies on them. Only keras is imported, so this runs on every Keras backend.
"""

from dataclasses import dataclass

import keras

from fgseg_tf.model.layers import Layers, computing_in

PARTS = ("stem", "background", "joint", "mask", "depth")
# Keras 2 has no `ops`; the shape of a tensor is all that is needed of them.
_shape = keras.ops.shape if hasattr(keras, "ops") else keras.backend.shape


@dataclass(frozen=True)
class Architecture:
    """The numbers of channels of a network's layers.

    Attributes:
        stem: channels at the picture's size and at half of it.
        background: channels of the background encoder at 1/4, 1/8, 1/16 and 1/32 of the size.
        joint: channels of the joint encoder at the same scales.
        blocks: residual blocks of the joint encoder at the same scales; the background encoder has one at each.
        mask: channels of the mask branch at 1/16, 1/8, 1/4, 1/2 and full size.
        depth: channels of the depth branch at the same scales.
    """

    stem: tuple[int, int]
    background: tuple[int, int, int, int]
    joint: tuple[int, int, int, int]
    blocks: tuple[int, int, int, int]
    mask: tuple[int, int, int, int, int]
    depth: tuple[int, int, int, int, int]


ARCHITECTURES = {
    "small": Architecture(
        stem=(8, 12),
        background=(16, 24, 40, 56),
        joint=(20, 28, 40, 56),
        blocks=(1, 1, 1, 1),
        mask=(32, 24, 16, 10, 8),
        depth=(40, 28, 16, 10, 8),
    ),
    "base": Architecture(
        stem=(8, 16),
        background=(28, 48, 72, 104),
        joint=(28, 48, 72, 104),
        blocks=(1, 1, 1, 1),
        mask=(56, 40, 24, 16, 8),
        depth=(72, 48, 24, 16, 8),
    ),
    "large": Architecture(
        stem=(16, 32),
        background=(64, 112, 168, 208),
        joint=(64, 112, 168, 208),
        blocks=(1, 1, 2, 2),
        mask=(128, 88, 56, 32, 16),
        depth=(160, 112, 56, 32, 16),
    ),
}


def build(architecture: Architecture, synchronized: bool = False, precision: str = "float32") -> keras.Model:
    """Builds a network with random weights.

    Args:
        architecture: the numbers of channels, one of ARCHITECTURES.
        synchronized: whether BatchNorm takes its statistics over all replicas instead of each over its own; then
            training on n replicas equals training on one. It costs time, so leave it out where there is one.
        precision: what layers compute in: float32, mixed_bfloat16 or mixed_float16. Weights are always float32.
    """
    with computing_in(precision):
        return assemble(
            {part: build_part(Layers(part, synchronized), architecture) for part, build_part in _BUILDERS.items()}
        )


def assemble(parts: dict[str, keras.Model]) -> keras.Model:
    """Returns the network that is made of these parts, whose keys are those of PARTS."""
    bg, fg_bg = keras.Input((None, None, 3), name="bg"), keras.Input((None, None, 3), name="fg_bg")
    outputs = run_parts(parts, bg, fg_bg)
    branches = {name: outputs[name] for name in ("mask", "depth")}
    return keras.Model({"bg": bg, "fg_bg": fg_bg}, branches, name="two_branch")


def run_parts(parts: dict[str, keras.Model], bg, fg_bg) -> dict:
    """Runs two pictures through the parts of a network.

    Returns:
        The output of each part under its name. `mask` and `depth` are tensors; the others are lists, from the largest
        scale to the smallest. Under `stem` there are the features of both pictures, the frame's first.
    """
    stem, background, joint, mask, depth = (parts[name] for name in PARTS)
    of_bg, of_fg_bg = stem(bg), stem(fg_bg)
    of_background = background(of_bg[-1])
    scales = joint([*of_fg_bg, *of_bg, *of_background])
    return {
        "stem": [*of_fg_bg, *of_bg],
        "background": of_background,
        "joint": scales,
        "mask": mask(scales),
        "depth": depth(scales),
    }


def _stem(make: Layers, architecture: Architecture) -> keras.Model:
    picture = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(2.0, offset=-1.0)(picture)
    full = make.convolution(x, architecture.stem[0], "1")
    half = make.convolution(full, architecture.stem[1], "2", strides=2)
    return keras.Model(picture, [full, half], name="stem")


def _background(make: Layers, architecture: Architecture) -> keras.Model:
    half = x = keras.Input((None, None, architecture.stem[1]))
    outputs = []
    for scale, channels in zip(_ENCODED, architecture.background, strict=True):
        x = make.convolution(x, channels, f"{scale}_halved", strides=2)
        x = make.residual(x, channels, f"{scale}_block1")
        outputs.append(x)
    return keras.Model(half, outputs, name="background")


def _joint(make: Layers, architecture: Architecture) -> keras.Model:
    """Builds the joint encoder: features of both pictures and of the background encoder -> features at six scales."""
    frame = [keras.Input((None, None, channels)) for channels in architecture.stem]
    empty = [keras.Input((None, None, channels)) for channels in architecture.stem]
    background = [keras.Input((None, None, channels)) for channels in architecture.background]
    outputs = []
    for scale, of_frame, of_empty, channels in zip((1, 2), frame, empty, architecture.stem, strict=True):
        x = make.convolution([of_frame, of_empty, Distance()([of_frame, of_empty])], channels, f"{scale}")
        outputs.append(x)
    halvings = zip(_ENCODED, background, architecture.joint, architecture.blocks, strict=True)
    for scale, of_background, channels, blocks in halvings:
        x = make.convolution(x, channels, f"{scale}_halved", strides=2)
        x = make.convolution([x, of_background], channels, f"{scale}_beside_scenery")
        for block in range(blocks):
            x = make.residual(x, channels, f"{scale}_block{block + 1}")
        outputs.append(x)
    # Channel gates from averages over the whole picture: brightness and size of everything, which lie beyond the
    # receptive field of the last scale.
    everywhere = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    everywhere = keras.layers.Conv2D(channels, 1, activation="relu", name="joint_everywhere")(everywhere)
    gates = keras.layers.Conv2D(channels, 1, activation="sigmoid", name="joint_gates")(everywhere)
    outputs[-1] = keras.layers.Multiply()([x, gates])
    return keras.Model([*frame, *empty, *background], outputs, name="joint")


def _branch(make: Layers, architecture: Architecture) -> keras.Model:
    """Builds a branch, from 1/32 back to full size: double, concatenate the features of that size, convolve."""
    inputs = [keras.Input((None, None, channels)) for channels in (*architecture.stem, *architecture.joint)]
    *skips, x = inputs
    for scale, skip, channels in zip(_DECODED, reversed(skips), getattr(architecture, make.part), strict=True):
        x = keras.layers.UpSampling2D(2, interpolation="nearest")(x)
        x = make.convolution([CroppedTo()([x, skip]), skip], channels, f"{scale}")
    x = keras.layers.Conv2D(1, 3, padding="same", name=f"{make.part}_answer")(x)
    # In float32 even where everything else is in 16 bits, which have few values near 0 and 1.
    return keras.Model(inputs, keras.layers.Activation("sigmoid", dtype="float32")(x), name=make.part)


_BUILDERS = {"stem": _stem, "background": _background, "joint": _joint, "mask": _branch, "depth": _branch}
_ENCODED, _DECODED = (4, 8, 16, 32), (16, 8, 4, 2, 1)  # scales: 4 is a quarter of the picture's height and width


@keras.saving.register_keras_serializable(package="fgseg_tf")
class Distance(keras.layers.Layer):
    """Computes |a - b| of [a, b]."""

    def call(self, inputs):
        """Returns |a - b|."""
        one, other = inputs
        return abs(one - other)

    def compute_output_shape(self, input_shape: list[tuple]) -> tuple:
        """Returns the shape of what `call` returns."""
        return input_shape[0]


@keras.saving.register_keras_serializable(package="fgseg_tf")
class CroppedTo(keras.layers.Layer):
    """Crops x, of [x, like], at its lower and right edge to the height and width of `like`."""

    def call(self, inputs):
        """Returns x, cropped."""
        x, like = inputs
        shape = _shape(like)  # a tensor on Keras 2, which cannot be unpacked
        return x[:, : shape[1], : shape[2]]

    def compute_output_shape(self, input_shape: list[tuple]) -> tuple:
        """Returns the shape of what `call` returns."""
        x, like = input_shape
        return (*like[:3], x[3])
