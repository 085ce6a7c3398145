"""The layers that networks are made of: convolutions with BatchNorm, and residual blocks of them.

Layers that have weights are named after the part that they are in, such as `joint_8_block1_first`.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import keras

# Endings of layer names: of the layer that concatenates the inputs of a convolution, of the BatchNorm that follows it,
# and of the last convolution in a residual block.
JOINED, NORMALIZED, CHANGE = "_joined", "_normalized", "_change"


@dataclass(frozen=True)
class Layers:
    """Adds layers to one part of a network, named after it.

    Attributes:
        part: the part's name, with which the names of its layers begin.
        synchronized: whether BatchNorm takes its statistics over all replicas.
    """

    part: str
    synchronized: bool

    def convolution(self, x, channels: int, name: str, strides: int = 1, activation: str | None = "relu"):
        """Adds a 3 x 3 convolution with BatchNorm; `x` is a tensor, or a list of tensors to concatenate."""
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
        """Adds a residual block of two convolutions."""
        change = self.convolution(x, channels, f"{name}_first")
        change = self.convolution(change, channels, f"{name}{CHANGE}", activation=None)
        return keras.layers.Activation("relu")(keras.layers.Add()([x, change]))


@contextlib.contextmanager
def computing_in(precision: str) -> Iterator[None]:
    """Builds what is made inside with layers that compute in a precision; weights are always float32.

    Args:
        precision: float32, mixed_bfloat16 or mixed_float16.
    """
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(precision)
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)
