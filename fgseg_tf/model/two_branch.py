"""The two-branch network: `bg` and `fg_bg` in, `mask` and `depth` out.

    bg    -> stem --+-> background --+
                    |                |
    fg_bg -> stem --+----------------+-> joint --+-> mask branch  -> mask
                                                 +-> depth branch -> depth

`bg`, `fg_bg`: [B, H, W, 3] in [0, 1]. `mask`: [B, H, W, 1], the probability of foreground. `depth`: [B, H, W, 1], the
code of `coding.py`. Both outputs are float32 in [0, 1], whatever the precision inside. Any height and width: sides are
halved rounding up, and doubled and cropped to what they were.

The stem, shared by the two pictures, works at full and at half size; the joint encoder starts from what it says of both
and from the distance between the two, and takes in, at each scale, what the background encoder saw. All that depends on
`bg` alone can be computed once for a fixed camera: `inference.cut` gives the two halves.

The five parts are models inside the model, named as in PARTS; a part is frozen with `network.get_layer(part).trainable
= False`. Layers that have weights are named for what they are, which is the same in every architecture:
`joint_8_block1_first`. Only keras is imported, so this runs on every Keras backend.
"""

from dataclasses import dataclass

import keras

PARTS = ("stem", "background", "joint", "mask", "depth")
# Ends of names: of what joins the inputs of a convolution, of what follows it, of the last one in a residual block.
JOINED, NORMALIZED, CHANGE = "_joined", "_normalized", "_change"
# Keras 2 has no `ops`; the shape of a tensor is all that is needed of them.
_shape = keras.ops.shape if hasattr(keras, "ops") else keras.backend.shape


@dataclass(frozen=True)
class Architecture:
    """Numbers of channels.

    stem: at the picture's size and half of it. background, joint: at 1/4, 1/8, 1/16 and 1/32. blocks: residual blocks
    of the joint encoder at each of those; the background encoder has one. mask, depth: of the branches, from 1/16 back
    to full size.
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
    """The network, with random weights.

    synchronized: BatchNorm takes its statistics over all replicas instead of each over its own; then training on n
        replicas is training on one. It costs time, so leave it out where there is one.
    precision: what layers work in: float32, mixed_bfloat16 or mixed_float16. Weights are float32 always.
    """
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(precision)
    try:
        return assemble(
            {part: build_part(_Layers(part, synchronized), architecture) for part, build_part in _BUILDERS.items()}
        )
    finally:
        keras.mixed_precision.set_global_policy(before)


def assemble(parts: dict[str, keras.Model]) -> keras.Model:
    """The network of these parts, which are named as in PARTS."""
    bg, fg_bg = keras.Input((None, None, 3), name="bg"), keras.Input((None, None, 3), name="fg_bg")
    outputs_of = run_parts(parts, bg, fg_bg)
    return keras.Model(
        {"bg": bg, "fg_bg": fg_bg}, {name: outputs_of[name] for name in ("mask", "depth")}, name="two_branch"
    )


def run_parts(parts: dict[str, keras.Model], bg, fg_bg) -> dict:
    """What each part says of two pictures, by its name: mask and depth a tensor, the others a list, from the largest
    scale to the smallest; the stem of both pictures, the frame first.
    """
    stem, background, joint, mask, depth = (parts[name] for name in PARTS)
    of_bg, of_fg_bg = stem(bg), stem(fg_bg)
    scenery = background(of_bg[-1])
    scales = joint([*of_fg_bg, *of_bg, *scenery])
    return {
        "stem": [*of_fg_bg, *of_bg],
        "background": scenery,
        "joint": scales,
        "mask": mask(scales),
        "depth": depth(scales),
    }


def _stem(make: "_Layers", architecture: Architecture) -> keras.Model:
    picture = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(2.0, offset=-1.0)(picture)
    full = make.convolution(x, architecture.stem[0], "1")
    half = make.convolution(full, architecture.stem[1], "2", strides=2)
    return keras.Model(picture, [full, half], name="stem")


def _background(make: "_Layers", architecture: Architecture) -> keras.Model:
    half = x = keras.Input((None, None, architecture.stem[1]))
    outputs = []
    for scale, channels in zip(_ENCODED, architecture.background, strict=True):
        x = make.convolution(x, channels, f"{scale}_halved", strides=2)
        x = make.residual(x, channels, f"{scale}_block1")
        outputs.append(x)
    return keras.Model(half, outputs, name="background")


def _joint(make: "_Layers", architecture: Architecture) -> keras.Model:
    """Features of both pictures and of the background encoder -> what the branches see, from full size to 1/32."""
    frame = [keras.Input((None, None, channels)) for channels in architecture.stem]
    empty = [keras.Input((None, None, channels)) for channels in architecture.stem]
    scenery = [keras.Input((None, None, channels)) for channels in architecture.background]
    outputs = []
    for scale, of_frame, of_empty, channels in zip((1, 2), frame, empty, architecture.stem, strict=True):
        x = make.convolution([of_frame, of_empty, Distance()([of_frame, of_empty])], channels, f"{scale}")
        outputs.append(x)
    halvings = zip(_ENCODED, scenery, architecture.joint, architecture.blocks, strict=True)
    for scale, of_scenery, channels, blocks in halvings:
        x = make.convolution(x, channels, f"{scale}_halved", strides=2)
        x = make.convolution([x, of_scenery], channels, f"{scale}_beside_scenery")
        for block in range(blocks):
            x = make.residual(x, channels, f"{scale}_block{block + 1}")
        outputs.append(x)
    # How light and how large everything is, over the whole picture: the last scale alone does not see that far.
    everywhere = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    everywhere = keras.layers.Conv2D(channels, 1, activation="relu", name="joint_everywhere")(everywhere)
    gates = keras.layers.Conv2D(channels, 1, activation="sigmoid", name="joint_gates")(everywhere)
    outputs[-1] = keras.layers.Multiply()([x, gates])
    return keras.Model([*frame, *empty, *scenery], outputs, name="joint")


def _branch(make: "_Layers", architecture: Architecture) -> keras.Model:
    """From 1/32 back to full size: double, take in what was seen at that size, convolve."""
    inputs = [keras.Input((None, None, channels)) for channels in (*architecture.stem, *architecture.joint)]
    *skips, x = inputs
    for scale, skip, channels in zip(_DECODED, reversed(skips), getattr(architecture, make.part), strict=True):
        x = keras.layers.UpSampling2D(2, interpolation="nearest")(x)
        x = make.convolution([CroppedTo()([x, skip]), skip], channels, f"{scale}")
    x = keras.layers.Conv2D(1, 3, padding="same", name=f"{make.part}_answer")(x)
    # In float32 also where all else is in 16 bits: near 0 and 1 there would be few values left.
    return keras.Model(inputs, keras.layers.Activation("sigmoid", dtype="float32")(x), name=make.part)


_BUILDERS = {"stem": _stem, "background": _background, "joint": _joint, "mask": _branch, "depth": _branch}
_ENCODED, _DECODED = (4, 8, 16, 32), (16, 8, 4, 2, 1)  # scales: 4 is a quarter of the picture's height and width


@dataclass(frozen=True)
class _Layers:
    """Layers of one part, named after it."""

    part: str
    synchronized: bool

    def convolution(self, x, channels: int, name: str, strides: int = 1, activation: str | None = "relu"):
        """x: a tensor, or a list of such, which are joined."""
        name = f"{self.part}_{name}"
        if isinstance(x, list):
            x = keras.layers.Concatenate(name=f"{name}{JOINED}")(x)
        x = keras.layers.Conv2D(
            channels, 3, strides=strides, padding="same", use_bias=False, kernel_initializer="he_normal", name=name
        )(x)
        # With Keras's usual 0.99, statistics lag behind the weights for most of a short stage.
        normalized = keras.layers.BatchNormalization(
            momentum=0.95, synchronized=self.synchronized, name=f"{name}{NORMALIZED}"
        )
        x = normalized(x)
        return keras.layers.Activation(activation)(x) if activation else x

    def residual(self, x, channels: int, name: str):
        change = self.convolution(x, channels, f"{name}_first")
        change = self.convolution(change, channels, f"{name}{CHANGE}", activation=None)
        return keras.layers.Activation("relu")(keras.layers.Add()([x, change]))


@keras.saving.register_keras_serializable(package="fgseg_tf")
class Distance(keras.layers.Layer):
    """|a - b| of [a, b]."""

    def call(self, inputs):
        one, other = inputs
        return abs(one - other)

    def compute_output_shape(self, input_shape: list[tuple]) -> tuple:
        return input_shape[0]


@keras.saving.register_keras_serializable(package="fgseg_tf")
class CroppedTo(keras.layers.Layer):
    """Of [x, like], x cut at its lower and right edge to the height and width of `like`."""

    def call(self, inputs):
        x, like = inputs
        shape = _shape(like)  # a tensor on Keras 2, which cannot be unpacked
        return x[:, : shape[1], : shape[2]]

    def compute_output_shape(self, input_shape: list[tuple]) -> tuple:
        x, like = input_shape
        return (*like[:3], x[3])
