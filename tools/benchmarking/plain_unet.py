"""What speed is measured against: a plain U-Net, as the exercise is usually solved.

Both pictures stacked to six channels, one encoder of two convolutions a scale, one decoder with transposed
convolutions, two channels out. Sides must be multiples of 16.
"""

import keras

SCALES = 5
PROBE = 16  # channels at full size


def build(parameters: int) -> keras.Model:
    """The plain U-Net whose number of parameters is nearest to the wanted one; same inputs and outputs as ours."""
    # Very nearly quadratic in the width, so one network tells the width of another.
    width = round(PROBE * (parameters / _build_of_width(PROBE).count_params()) ** 0.5)
    return _build_of_width(max(1, width))


def _build_of_width(width: int) -> keras.Model:
    bg, fg_bg = keras.Input((None, None, 3), name="bg"), keras.Input((None, None, 3), name="fg_bg")
    x, skips = keras.layers.Concatenate()([bg, fg_bg]), []
    for scale in range(SCALES):
        x = _convolve_twice(x, width * 2**scale)
        if scale + 1 < SCALES:
            skips.append(x)
            x = keras.layers.MaxPooling2D(2)(x)
    for scale, skip in reversed(list(enumerate(skips))):
        x = keras.layers.Conv2DTranspose(width * 2**scale, 2, strides=2)(x)
        x = _convolve_twice(keras.layers.Concatenate()([x, skip]), width * 2**scale)
    outputs = {name: keras.layers.Conv2D(1, 1, activation="sigmoid", name=name)(x) for name in ("mask", "depth")}
    return keras.Model({"bg": bg, "fg_bg": fg_bg}, outputs, name="plain_unet")


def _convolve_twice(x, channels: int):
    for _ in range(2):
        x = keras.layers.Conv2D(channels, 3, padding="same", use_bias=False)(x)
        x = keras.layers.Activation("relu")(keras.layers.BatchNormalization()(x))
    return x
