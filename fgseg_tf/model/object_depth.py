"""The network that says how far away an object is, before a background whose depth is known.

    bg, fg_bg, mask, bg_depth -> clues -> encoder -> decoder -> by how much nearer than the background -> depth

`bg`, `fg_bg`: [B, H, W, 3] in [0, 1]. `mask`: [B, H, W, 1], in [0, 1]. `bg_depth`: [B, H, W, 1], the code of
depth_code.py, without holes. `depth`: [B, H, W, 1], float32, the code of what is there if the mask is right: never
farther than the background. Outside objects it means nothing. Height and width are free.

It learns a logarithm of how many times nearer an object is than what it hides, so it cannot be wrong about the
background. What it learns from: where the object meets the ground, what it hides, how large it is, where the edge of
the picture cuts it.

Both parts are models inside the model, named as in PARTS.
"""

import keras
import tensorflow as tf

from fgseg_tf.model.depth_code import LOG_RANGE
from fgseg_tf.model.layers import Layers, computing_in
from fgseg_tf.model.two_branch import CroppedTo

NAME = "object_depth"
PARTS = ("encoder", "decoder")
CLUES = 13
CHANNELS = (16, 28, 40, 56, 72)  # of the encoder, at the picture's size, a half, a quarter ... of it
DECODED = (48, 36, 24, 16)  # of the decoder, from 1/8 of the size to all of it
MEAN_LOG, DEVIATION_LOG = 2.8, 1.5  # of usual rooms and streets, so that the network's input is about -1 to 1
TALLEST = 4096  # rows that a column is looked down


def build(synchronized: bool = False, precision: str = "float32") -> keras.Model:
    """Builds the network with random weights.

    Args:
        synchronized: whether BatchNorm takes its statistics over all replicas.
        precision: what layers compute in: float32, mixed_bfloat16 or mixed_float16.
    """
    with computing_in(precision):
        pictures = {name: keras.Input((None, None, 3), name=name) for name in ("bg", "fg_bg")}
        maps = {name: keras.Input((None, None, 1), name=name) for name in ("mask", "bg_depth")}
        inputs = {**pictures, **maps}
        # In float32 even where everything else is in 16 bits, which hold two digits of a depth.
        clues = ObjectClues(dtype="float32")([inputs[name] for name in ("bg", "fg_bg", "mask", "bg_depth")])
        scales = _build_encoder(Layers("encoder", synchronized))(clues)
        nearer = _build_decoder(Layers("decoder", synchronized))(scales)
        shift = keras.layers.Rescaling(1 / LOG_RANGE, dtype="float32")(nearer)
        code = keras.layers.Subtract(dtype="float32")([inputs["bg_depth"], shift])
        depth = keras.layers.ReLU(dtype="float32")(code)
    return keras.Model(inputs, {"depth": depth}, name=NAME)


def _build_encoder(make: Layers) -> keras.Model:
    clues = keras.Input((None, None, CLUES))
    x = make.convolution(clues, CHANNELS[0], "1")
    outputs = [x]
    for place, channels in enumerate(CHANNELS[1:], start=1):
        x = make.convolution(x, channels, f"{2**place}_halved", strides=2)
        x = make.residual(x, channels, f"{2**place}_block")
        outputs.append(x)
    # Gates from averages over the whole picture, which lies beyond the receptive field of the last scale.
    everywhere = keras.layers.GlobalAveragePooling2D(keepdims=True)(x)
    everywhere = keras.layers.Conv2D(CHANNELS[-1], 1, activation="relu", name="encoder_everywhere")(everywhere)
    gates = keras.layers.Conv2D(CHANNELS[-1], 1, activation="sigmoid", name="encoder_gates")(everywhere)
    outputs[-1] = keras.layers.Multiply()([x, gates])
    return keras.Model(clues, outputs, name="encoder")


def _build_decoder(make: Layers) -> keras.Model:
    inputs = [keras.Input((None, None, channels)) for channels in CHANNELS]
    *skips, x = inputs
    for place, (skip, channels) in enumerate(zip(reversed(skips), DECODED, strict=True)):
        x = keras.layers.UpSampling2D(2, interpolation="nearest")(x)
        x = make.convolution([CroppedTo()([x, skip]), skip], channels, f"{2 ** (len(skips) - 1 - place)}")
    # At first objects are a quarter nearer than what they hide.
    bias = keras.initializers.Constant(-1.0)
    x = keras.layers.Conv2D(1, 3, padding="same", bias_initializer=bias, name="decoder_answer")(x)
    return keras.Model(inputs, keras.layers.Activation("softplus", dtype="float32")(x), name="decoder")


@keras.saving.register_keras_serializable(package="fgseg_tf")
class ObjectClues(keras.layers.Layer):
    """Makes of [bg, fg_bg, mask, bg_depth] what the network looks at, [B, H, W, CLUES].

    The frame, how it differs from the background, the mask, the logarithm of the background's depth everywhere and on
    objects, row and column; and how much nearer the background is under the object: the first pixel under each that is
    not of an object, and whether there is one or the edge of the picture comes first.
    """

    def call(self, inputs):
        """Returns the clues."""
        bg, fg_bg, mask, code = inputs
        log = code * LOG_RANGE
        scaled = (log - MEAN_LOG) / DEVIATION_LOG
        foot, met = look_down(log, mask)
        shape = tf.shape(mask)
        row = tf.linspace(-1.0, 1.0, shape[1])[None, :, None, None]
        column = tf.linspace(-1.0, 1.0, shape[2])[None, None, :, None]
        places = [tf.broadcast_to(tf.cast(place, mask.dtype), shape) for place in (row, column)]
        clues = [2 * fg_bg - 1, tf.abs(fg_bg - bg), mask, scaled, scaled * mask, *places, (foot - log) * met, met]
        return tf.concat(clues, -1)

    def compute_output_shape(self, input_shape: list[tuple]) -> tuple:
        """Returns the shape of what `call` returns."""
        return (*input_shape[0][:3], CLUES)


def look_down(values: tf.Tensor, mask: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Looks down from each pixel to the first that is not of an object.

    Args:
        values: [B, H, W, 1].
        mask: likewise; from one half on a pixel is of an object.

    Returns:
        The value there, the pixel's own where it is of none, 0 where the picture ends first; and 1 where there is one,
        else 0.
    """
    met = tf.cast(mask < 0.5, values.dtype)
    reached = values * met
    step = 1
    # In steps of 1, 2, 4, ... pixels: what is that far below has looked down as far already.
    while step < TALLEST:
        below = [tf.concat([each[:, step:], tf.zeros_like(each[:, :step])], 1) for each in (reached, met)]
        reached += (1 - met) * below[0]
        met = tf.maximum(met, below[1])
        step *= 2
    return reached, met
