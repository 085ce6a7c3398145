"""What `tools/benchmark.py` measures of the network: functions that do some work and return a rate.

Each group returns name -> function without arguments, ours first, to be called in turns so that a noisy minute hits all
of them. The first call of each also builds its graph; do not count it.
"""

import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import keras
import tensorflow as tf

from benchmarking import plain_unet
from fgseg_tf.data.base import Data, Order
from fgseg_tf.measures import losses
from fgseg_tf.model import fold
from fgseg_tf.model.two_branch import ARCHITECTURES, build
from fgseg_tf.serving import saved_model
from fgseg_tf.training.learner import Learner
from fgseg_tf.training.optimizers import Optimization, make_optimizer
from fgseg_tf.training.schedule import Stage
from fgseg_tf.training.step import make_step

# As published: what a step costs beside the network is part of it.
STAGE = Stage(1, 0, 16, 1e-3, losses.parse_loss("dice", "mask"), losses.parse_loss("ssim", "depth"))


def training_rates(
    network: str, side: int, batch: int, steps: int, jit_compile: bool, bfloat16: bool, masks_alone: bool
) -> dict[str, Callable[[], float]]:
    """Returns what measures pictures a second in training on a constant batch.

    Compared are our network and a plain U-Net of as many parameters.

    jit_compile, bfloat16, masks_alone: ours also compiled by XLA, in 16 bits, with a frozen depth branch.
    """
    ours, peer = _build_both(network)
    constant = _constant_batch(side, side, batch)
    measures = {f"ours, {network}, {ours.count_params():,} parameters": _training_rate(ours, constant, steps)}

    def also(how: str, precision: str = "float32", **settings):
        other = build(ARCHITECTURES[network], precision=precision)
        measures[f"ours, {network}, {how}"] = _training_rate(other, constant, steps, **settings)

    if jit_compile:
        also("compiled by XLA", jit_compile=True)
    if bfloat16:
        also("in bfloat16", "mixed_bfloat16")
    if masks_alone:
        also("masks alone", freeze=("depth",))
    if bfloat16 and masks_alone:
        also("masks alone in bfloat16", "mixed_bfloat16", freeze=("depth",))
    measures[f"plain U-Net, {peer.count_params():,} parameters"] = _training_rate(peer, constant, steps, averaged=False)
    return measures


def reading_rates(data: Data, network: str, side: int, batch: int, steps: int) -> dict[str, Callable[[], float]]:
    """Returns what measures pictures a second: training on the data, on a constant batch, and reading alone."""
    height, width = data.scaled_size(side)
    batches = iter(data.training(batch, (height, width), Order(deterministic=False)))
    step = _step(build(ARCHITECTURES[network]), batch)
    constant = next(batches)

    def alone():
        for _ in range(steps):
            next(batches)

    return {
        "training on the data": _rate(lambda: _run(step, (next(batches) for _ in range(steps))), steps * batch),
        "training on a constant batch": _rate(lambda: _run(step, [constant] * steps), steps * batch),
        "reading alone": _rate(alone, steps * batch),
    }


def prediction_times(network: str, height: int, width: int, batch: int, calls: int) -> dict[str, Callable[[], float]]:
    """Returns what measures milliseconds a picture.

    Compared are our network, as it is used, with the background computed before, and a plain U-Net.
    """
    ours, peer = _build_both(network)
    once, rest = fold.split_background_half(ours)
    pictures = {key: value for key, value in _constant_batch(height, width, batch).items() if key in ("bg", "fg_bg")}
    features = {f"features_{n}": f for n, f in enumerate(tf.function(once)(pictures["bg"], training=False))}
    return {
        f"ours, {network}": _milliseconds(ours, pictures, batch, calls),
        "ours, without BatchNorm": _milliseconds(fold.fold_batch_norm(ours), pictures, batch, calls),
        "ours, on a background seen before": _milliseconds(
            rest, {"fg_bg": pictures["fg_bg"], **features}, batch, calls
        ),
        f"plain U-Net, {peer.count_params():,} parameters": _milliseconds(peer, pictures, batch, calls),
    }


def serving_times(
    network: str, height: int, width: int, batch: int, calls: int, clients: int
) -> dict[str, Callable[[], float]]:
    """Returns what measures milliseconds a picture in serving.

    Compared are a SavedModel's signatures, loaded again, and the Keras network that it was made of.

    clients: how many ask at a time, each `calls` times. With several, all cores have work, as on a busy server.
    """
    ours = build(ARCHITECTURES[network])
    with tempfile.TemporaryDirectory() as folder:
        saved_model.save(ours, max(height, width), 256.0, folder)
        signatures = tf.saved_model.load(folder).signatures
    floats = {key: value for key, value in _constant_batch(height, width, batch).items() if key in ("bg", "fg_bg")}
    levels = {key: tf.cast(value * 255, tf.uint8) for key, value in floats.items()}
    encoded = signatures[saved_model.ENCODE](bg=levels["bg"])
    answer = tf.function(lambda inputs: ours(inputs, training=False))

    def time_signature(name, inputs):
        return time_call(lambda: signatures[name](**inputs)["similarity"])

    def time_call(call):
        return _time_calls(call, batch, calls, clients)

    return {
        saved_model.DEFAULT: time_signature(saved_model.DEFAULT, levels),
        f"the bare Keras network, {network}": time_call(lambda: answer(floats)["mask"]),
        saved_model.SEGMENT: time_signature(saved_model.SEGMENT, {"fg_bg": levels["fg_bg"], **encoded}),
        saved_model.ENCODE: time_call(lambda: signatures[saved_model.ENCODE](bg=levels["bg"])["bg_grey"]),
    }


def _build_both(network: str) -> tuple[keras.Model, keras.Model]:
    ours = build(ARCHITECTURES[network])
    return ours, plain_unet.build(ours.count_params())


def _training_rate(network, batch: dict, steps: int, **settings) -> Callable[[], float]:
    """Returns what measures training. settings: as of `_step`."""
    size = int(batch["bg"].shape[0])
    step = _step(network, size, **settings)
    return _rate(lambda: _run(step, [batch] * steps), steps * size)


def _step(
    network: keras.Model,
    batch: int,
    averaged: bool = True,
    jit_compile: bool = False,
    freeze: tuple[str, ...] = (),
) -> Callable:
    stage, options = replace(STAGE, batch=batch, freeze=freeze), Optimization(average=0.998 if averaged else 0.0)
    learner = Learner(network, options, float16=False)
    if freeze:  # a plain U-Net has no parts
        learner.freeze(freeze)
    optimizer = make_optimizer(options, stage.rate, 10_000)
    optimizer.build(learner.trainable_variables(stage))
    return make_step(learner, stage, optimizer, tf.distribute.get_strategy(), jit_compile)


def _run(step: Callable, batches) -> None:
    for batch in batches:
        scores = step(batch)
    float(scores["loss"])  # steps are only asked for until somebody looks


def _rate(work: Callable[[], None], pictures: int) -> Callable[[], float]:
    def rate():
        began = time.perf_counter()
        work()
        return pictures / (time.perf_counter() - began)

    return rate


def _milliseconds(network: keras.Model, inputs: dict, batch: int, calls: int) -> Callable[[], float]:
    answer = tf.function(lambda inputs: network(inputs, training=False))

    return _time_calls(lambda: answer(inputs)["mask"], batch, calls)


def _time_calls(call: Callable, batch: int, calls: int, clients: int = 1) -> Callable[[], float]:
    def one_client(_):
        for _ in range(calls):
            answer = call()
        answer.numpy()

    def milliseconds():
        began = time.perf_counter()
        with ThreadPoolExecutor(clients) as pool:
            list(pool.map(one_client, range(clients)))
        return (time.perf_counter() - began) / (clients * calls * batch) * 1000

    return milliseconds


def _constant_batch(height: int, width: int, batch: int) -> dict:
    def uniform(number, channels, most=1.0):
        return tf.random.stateless_uniform([batch, height, width, channels], [1, number], maxval=most)

    pictures = {"bg": uniform(0, 3), "fg_bg": uniform(1, 3), "mask": uniform(2, 1), "depth": uniform(3, 1, 20.0)}
    return {"index": tf.range(batch, dtype=tf.int64), **pictures}
