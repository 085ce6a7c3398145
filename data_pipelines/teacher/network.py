"""The teacher: a network that estimates from one picture how far away everything in it is.

`load_teacher("small", (192, 256))` or `load_teacher("nyu.h5", (480, 640))` returns a `Teacher`, whose network takes
pictures as float32 `[B, H, W, 3]`, RGB in [0, 1], and returns float32 `[B, H/2, W/2, 1]` at half their size:
**max_depth / depth**, which is 1 at `max_depth` metres and larger nearer by. `compositing.depth_labels` turns that into
metres.

The architecture is that of "High Quality Monocular Depth Estimation via Transfer Learning" (Alhashim and Wonka, 2018),
written from the paper: a DenseNet without its top, a 1x1 convolution, four upsampling blocks with skip connections,
a 3x3 convolution. One design (`DepthNetwork`) gives both the paper's network, for which weights are published
(`DENSENET169`, 42.6 million parameters), and one for CPUs, whose weights come with this package (`SMALL`).

Only keras, numpy and h5py are imported, so this runs on every Keras backend; sizes are static.
"""

import hashlib
import os
from dataclasses import dataclass, replace
from pathlib import Path

import keras
import numpy as np

from data_pipelines.teacher import weights as teacher_weights

SMALL_WEIGHTS = Path(__file__).parents[1] / "weights" / "teacher_small.npz"
# Of Keras's own DenseNet: with Keras's default of 1e-3, published weights give other numbers.
BATCH_NORM_EPSILON = 1.001e-5
SMALL_SIZE, PUBLISHED_SIZE = (192, 256), (480, 640)
# Metres at which the published networks return 1, by the data set in the file's name.
PUBLISHED_MAX_DEPTH = {"nyu": 10.0, "kitti": 80.0}


@dataclass(frozen=True)
class DepthNetwork:
    """What makes one network of this design different from another.

    Attributes:
        stem_filters: channels of the first convolution, at half the picture's size.
        growth: channels that each dense layer adds.
        blocks: dense layers at 1/4, 1/8, 1/16 and 1/32 of the picture's size.
        bottleneck: channels of the decoder's first convolution; each of its four blocks halves them.
        leaky_convolutions: how many of the two convolutions in an upsampling block end in a LeakyReLU. The published
            weights were trained with 1 (the second), although the code published beside them has 2.
        exponential: True where the last convolution gives the logarithm of the output, which is then always positive.
    """

    stem_filters: int
    growth: int
    blocks: tuple[int, int, int, int]
    bottleneck: int
    leaky_convolutions: int = 1
    exponential: bool = False


DENSENET169 = DepthNetwork(stem_filters=64, growth=32, blocks=(6, 12, 32, 32), bottleneck=1664)
SMALL = DepthNetwork(
    stem_filters=32, growth=24, blocks=(2, 4, 10, 14), bottleneck=256, leaky_convolutions=2, exponential=True
)


@dataclass(frozen=True)
class Teacher:
    """A network with its weights.

    Attributes:
        network: float32 [B, H, W, 3] in [0, 1] -> float32 [B, H/2, W/2, 1], max_depth / depth.
        input_size: (H, W), multiples of 32.
        max_depth: metres; depths beyond it were unknown in training.
    """

    network: keras.Model
    input_size: tuple[int, int]
    max_depth: float


def load_teacher(weights: str, input_size: tuple[int, int], max_depth: float | None = None) -> Teacher:
    """Builds the network that a weight file is for, and loads the weights into it.

    Args:
        weights: "small" for the weights that come with this package, which know the demo scenes only (for photographs
            they are no better than one depth everywhere); a local `.h5` file as DenseDepth publishes them (a whole
            Keras 2 model or its weights only); or a local `.npz` file from tools/train_teacher.py.
        input_size: (height, width) of the pictures, multiples of 32. Weights fit any size, but are most accurate at
            their own: see `default_input_size`.
        max_depth: metres. None takes what a `.npz` file says, or 10 and 80 for `.h5` files with "nyu" or "kitti" in
            their names. A wrong one scales all depths.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file does not fit, or a size or depth is not one that it can have.
    """
    path = _path(weights)
    _check_input_size(input_size)
    if path.suffix == ".npz":
        network = build_network(SMALL, input_size)
        stored = teacher_weights.read_teacher_npz(path, network, repr(SMALL))
        if max_depth not in (None, stored.max_depth):
            raise ValueError(
                f"`teacher_max_depth`={max_depth}, but {path} was trained with {stored.max_depth}; leave it out."
            )
        teacher_weights.assign_weights(network, stored, path)
        assert stored.max_depth is not None  # only .h5 files lack it
        return Teacher(network, input_size, stored.max_depth)
    if max_depth is None:
        max_depth = _published_max_depth(path)
    with teacher_weights.open_h5(path) as stored:
        network = build_network(_published_network(stored, path), input_size)
        teacher_weights.assign_weights(network, stored, path)
    return Teacher(network, input_size, float(max_depth))


def default_input_size(weights: str) -> tuple[int, int]:
    """Returns (height, width) that the weights were trained at, or for published ones were meant for."""
    return SMALL_SIZE if weights == "small" or weights.endswith(".npz") else PUBLISHED_SIZE


def hash_weights(weights: str) -> str:
    """Returns the SHA-256 of the file that `load_teacher` would read, in hexadecimal, as manifests name it."""
    return hashlib.sha256(_path(weights).read_bytes()).hexdigest()


def build_network(design: DepthNetwork, input_size: tuple[int, int]) -> keras.Model:
    """Builds the network, with random weights. Its layers have the published names, with `_` for `/`."""
    _check_input_size(input_size)
    height, width = input_size
    picture = keras.Input((height, width, 3), name="picture")
    x, skips = _encoder(picture, design)

    filters = design.bottleneck
    x = keras.layers.Conv2D(filters, 1, name="conv2")(x)
    for number, skip in enumerate(reversed(skips), start=1):
        filters //= 2
        x = _upsampling_block(x, skip, filters, design.leaky_convolutions, f"up{number}")
    x = keras.layers.Conv2D(1, 3, padding="same", name="conv3")(x)
    if design.exponential:
        x = keras.layers.Activation("exponential", name="exponential")(x)
    return keras.Model(picture, x, name="depth_network")


def _encoder(picture, design: DepthNetwork):
    """Returns the features of a DenseNet without its top, at 1/32 of the size, and the four skips from 1/2 to 1/16."""
    x = keras.layers.ZeroPadding2D(3)(picture)
    x = _convolution(x, design.stem_filters, 7, "conv1_conv", strides=2, padding="valid")
    x = _normalised_relu(x, "conv1_bn", "conv1_relu")
    skips = [x]
    x = keras.layers.ZeroPadding2D(1)(x)
    x = keras.layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    skips.append(x)
    for stage, layers in enumerate(design.blocks, start=2):
        for number in range(1, layers + 1):
            x = _dense_layer(x, design.growth, f"conv{stage}_block{number}")
        if stage == 5:
            break
        x = _normalised_relu(x, f"pool{stage}_bn", f"pool{stage}_relu")
        x = _convolution(x, x.shape[-1] // 2, 1, f"pool{stage}_conv")
        x = keras.layers.AveragePooling2D(2, name=f"pool{stage}_pool")(x)
        if stage < 4:
            skips.append(x)
    return _normalised_relu(x, "bn", "relu"), skips


def _dense_layer(x, growth: int, name: str):
    new = _normalised_relu(x, f"{name}_0_bn", f"{name}_0_relu")
    new = _convolution(new, 4 * growth, 1, f"{name}_1_conv")
    new = _normalised_relu(new, f"{name}_1_bn", f"{name}_1_relu")
    new = _convolution(new, growth, 3, f"{name}_2_conv")
    return keras.layers.Concatenate(name=f"{name}_concat")([x, new])


def _normalised_relu(x, normalisation_name: str, relu_name: str):
    x = keras.layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=normalisation_name)(x)
    return keras.layers.Activation("relu", name=relu_name)(x)


def _convolution(x, filters: int, kernel: int, name: str, strides: int = 1, padding: str = "same"):
    return keras.layers.Conv2D(filters, kernel, strides=strides, padding=padding, use_bias=False, name=name)(x)


def _upsampling_block(x, skip, filters: int, leaky_convolutions: int, name: str):
    x = double_corner_aligned(x)
    x = keras.layers.Concatenate(name=f"{name}_concat")([x, skip])
    x = keras.layers.Conv2D(filters, 3, padding="same", name=f"{name}_convA")(x)
    if leaky_convolutions == 2:
        x = _leaky_relu(x, f"{name}_leakyA")
    x = keras.layers.Conv2D(filters, 3, padding="same", name=f"{name}_convB")(x)
    return _leaky_relu(x, f"{name}_leakyB")


def _leaky_relu(x, name: str):
    # Positional: Keras 2 calls the slope alpha, Keras 3 negative_slope.
    return keras.layers.LeakyReLU(0.2, name=name)(x)


def double_corner_aligned(x):
    """Upsamples [B, h, w, c] to [B, 2h, 2w, c], bilinearly, so that corner pixels stay corner pixels.

    Keras's own UpSampling2D aligns the pictures' edges instead, which would move everything against the published
    weights by up to half a pixel.
    """
    _, height, width, channels = x.shape
    x = keras.layers.Reshape((height, width * channels))(x)
    x = DoubledRows()(x)
    x = keras.layers.Reshape((2 * height, width, channels))(x)
    return DoubledRows()(x)


@keras.saving.register_keras_serializable(package="data_pipelines")
class DoubledRows(keras.layers.Layer):
    """Interpolates [..., n, k] to [..., 2n, k], the first and the last row staying what they are.

    A constant matrix times the input, kept as a weight that is not trained: the one form that Keras 2, Keras 3 and
    each of its backends share, and fast on all of them.
    """

    def build(self, input_shape):
        """Makes the matrix, which is not trained."""
        matrix = make_interpolation_matrix(input_shape[-2])
        self.matrix = self.add_weight(
            name="matrix", shape=matrix.shape, initializer=lambda *_, **__: matrix, trainable=False
        )
        super().build(input_shape)

    def call(self, x):
        """Returns x [..., n, channels] with 2 n rows."""
        return self.matrix @ x


def make_interpolation_matrix(length: int) -> np.ndarray:
    """Returns float32 [2 * length, length]: row i holds the shares of the inputs in output i; each row sums to 1."""
    position = np.arange(2 * length) * (length - 1) / (2 * length - 1)
    distance = np.abs(position[:, np.newaxis] - np.arange(length))
    return np.maximum(1 - distance, 0).astype("float32")


def _path(weights: str) -> Path:
    path = SMALL_WEIGHTS if weights == "small" else Path(os.path.expanduser(weights))
    if path.is_file():
        return path
    if weights == "small":
        raise FileNotFoundError(f"{path} did not come with this installation; tools/train_teacher.py makes it.")
    raise FileNotFoundError(
        f"`teacher_weights`={weights}: there is no such local file; give a downloaded .h5 file (copy it from gs:// "
        'first), or "small".'
    )


def _check_input_size(input_size: tuple[int, int]) -> None:
    for name, length in zip(("height", "width"), input_size, strict=True):
        if length < 32 or length % 32:
            nearest = max(32, 32 * round(length / 32))
            raise ValueError(
                f"`teacher_size`={input_size[0]}x{input_size[1]}: the {name} {length} is not a multiple of 32; "
                f"take {nearest}."
            )


def _published_max_depth(path: Path) -> float:
    named = [metres for word, metres in PUBLISHED_MAX_DEPTH.items() if word in path.name.lower()]
    if len(named) == 1:
        return named[0]
    raise ValueError(
        f"{path}: the name says neither nyu (10 metres) nor kitti (80 metres), so say it (`teacher_max_depth`): "
        "the metres at which this network's output is 1."
    )


def _published_network(stored: teacher_weights.StoredLayers, path: Path) -> DepthNetwork:
    """Returns DENSENET169 in the variant that the file is for; the arrays alone would fit others too."""
    if "bn" not in stored.names or "conv2" not in stored.names:
        raise ValueError(
            f"{path}: has no layers bn and conv2, so it is not DenseDepth's network; take its nyu.h5 or kitti.h5."
        )
    if stored.names.index("conv2") == stored.names.index("bn") + 1:
        raise ValueError(
            f"{path}: conv2 follows bn with no relu between them, as DenseNets in Keras before August 2018 lacked it; "
            "take weights of a later one."
        )
    leaky = sum("leaky" in name for name in stored.names)
    if leaky not in (4, 8):
        raise ValueError(f"{path}: has {leaky} LeakyReLU layers, where DenseDepth has 4 or 8; this is another network.")
    kernel = stored.weights.get("conv2", {}).get("kernel")
    bottleneck = kernel.shape[-1] if kernel is not None and kernel.ndim == 4 else DENSENET169.bottleneck
    return replace(DENSENET169, bottleneck=bottleneck, leaky_convolutions=leaky // 4)
