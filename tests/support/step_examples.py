"""A little network, batches of examples and optimizers with which a step of training is computed in a moment."""

import keras
import numpy as np
import tensorflow as tf

from fgseg_tf.measures import losses
from fgseg_tf.model.two_branch import Architecture
from fgseg_tf.training.learner import Learner
from fgseg_tf.training.optimizers import Optimization, make_optimizer
from fgseg_tf.training.schedule import Stage
from fgseg_tf.training.step import make_step

HEIGHT, WIDTH = 12, 17
SMALLEST = Architecture(
    stem=(2, 3), background=(2, 3, 2, 3), joint=(3, 2, 3, 2), blocks=(1, 1, 1, 1), mask=(2,) * 5, depth=(3,) * 5
)
PLAIN = Optimization(optimizer="sgd", weight_decay=0.0, warmup=0.0, clip=0.0, average=0.0)
STAGE = Stage(1, 0, 5, 0.1, losses.parse_loss("dice", "mask"), losses.parse_loss("l1", "depth"))


def make_batch(count: int, number: int = 0, height: int = HEIGHT, width: int = WIDTH) -> dict:
    """Returns a batch of `count` examples; another one for each number of a step."""
    rng = np.random.default_rng(number)
    picture = rng.random((count, height, width, 3), np.float32)
    mask = np.zeros((count, height, width, 1), np.float32)
    mask[:, 2:7, 3:9] = 1
    metres = 1 + 9 * rng.random((count, height, width, 1), np.float32)
    metres[:, :2] = 0  # unknown
    return {
        "index": np.arange(count),
        "bg": picture,
        "fg_bg": picture * (1 - mask) + 0.2 * mask,
        "mask": mask,
        "depth": metres,
    }


def make_network(synchronized: bool = False) -> keras.Model:
    """Returns a network with both inputs, one BatchNorm and both outputs, traced in a moment; its weights are fixed."""
    bg, fg_bg = keras.Input((None, None, 3), name="bg"), keras.Input((None, None, 3), name="fg_bg")
    x = keras.layers.Concatenate()([bg, fg_bg])
    x = keras.layers.Conv2D(4, 3, padding="same", use_bias=False, kernel_initializer=ramp)(x)
    x = keras.layers.BatchNormalization(momentum=0.9, synchronized=synchronized, dtype="float32")(x)
    x = keras.layers.Activation("relu")(x)
    outputs = {}
    for branch in ("mask", "depth"):
        y = keras.layers.Conv2D(1, 3, padding="same", kernel_initializer=ramp)(x)
        outputs[branch] = keras.layers.Activation("sigmoid", dtype="float32", name=branch)(y)
    return keras.Model({"bg": bg, "fg_bg": fg_bg}, outputs)


def ramp(shape, dtype=None):
    return tf.reshape(tf.sin(tf.range(np.prod(shape), dtype=tf.float32)) / 4, shape)


def to_arrays(variables) -> list[np.ndarray]:
    return [tf.convert_to_tensor(variable).numpy() for variable in variables]


def prepare_step(strategy=None, options=PLAIN, stage=STAGE, float16=False, make=make_network, total=20, **how):
    """Returns (learner, optimizer, step) as training makes them."""
    strategy = strategy or tf.distribute.OneDeviceStrategy("/CPU:0")
    with strategy.scope():
        learner = Learner(make(strategy.num_replicas_in_sync > 1), options, float16)
        if stage.freeze:
            learner.freeze(stage.freeze)
        optimizer = make_optimizer(options, stage.rate, total)
        optimizer.build(learner.trainable_variables(stage))
    return learner, optimizer, make_step(learner, stage, optimizer, strategy, **how)
