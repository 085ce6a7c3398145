"""Trains the small teacher on demo scenes, whose depth is exact, and writes its weights.

  python tools/train_teacher.py --work=/tmp/teacher --output=data_pipelines/weights/teacher_small.npz

Scenes are rendered once into `--work` by two processes while training runs. Every `--report_every` steps the averaged
weights are scored on scenes of another seed, and written to `--output` where they are the best so far; started again,
all of it goes on where it stopped. `--rgbd` names folders with rgb/ and depth/ (16-bit PNG, millimetres, 0 = unknown;
the same names): real pictures to report on, never to train or to choose by.

The weights in the package: 5000 steps at 96 x 128 on 4000 scenes (before cards and random filters were added here),
then 1500 of 2600 at 192 x 256 with `--start` on 3000 others. Soon after that the scores on unseen scenes became no
better, so more scenes, not more steps, would help. 200 scenes of a third seed: abs_rel 0.177, delta_1.25 0.71 (flat:
0.50). Photographs are beyond it: on 12 pictures of a classroom, scaled_abs_rel 0.40 (flat: 0.36).
"""

import json
import multiprocessing
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags, logging
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_pipelines import demo_sources, teacher, teacher_weights

_WORK = flags.DEFINE_string(
    "work", None, "Folder for rendered scenes and checkpoints (about 250 kB a scene).", required=True
)
_OUTPUT = flags.DEFINE_string("output", None, "The .npz file to write.", required=True)
_START = flags.DEFINE_string("start", "", "An .npz file to begin with, such as one trained at a smaller size.")
_RGBD = flags.DEFINE_multi_string("rgbd", [], "Folders of real pictures with depth, to report on.")
_SCENES = flags.DEFINE_integer("scenes", 4000, "Scenes to train on; more of them generalise better.", lower_bound=1)
_VALIDATION_SCENES = flags.DEFINE_integer(
    "validation_scenes", 200, "Scenes of another seed to report on and choose by.", lower_bound=1
)
_SEED = flags.DEFINE_integer("seed", 0, "Of the training scenes; validation scenes have the next one.")
_HEIGHT = flags.DEFINE_integer("height", 192, "Of the pictures; the teacher sees best at the size it was trained at.")
_WIDTH = flags.DEFINE_integer("width", 256, "Of the pictures.")
_STEPS = flags.DEFINE_integer(
    "steps",
    6000,
    "Optimizer steps in all; the learning rate ends at 0 there. 0: only report on --start.",
    lower_bound=0,
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Pictures in a step.", lower_bound=1)
_LEARNING_RATE = flags.DEFINE_float("learning_rate", 1e-3, "Of AdamW, at its highest.", lower_bound=0)
_REPORT_EVERY = flags.DEFINE_integer("report_every", 500, "Steps between scores.", lower_bound=1)
_BFLOAT16 = flags.DEFINE_bool("bfloat16", False, "Convolve in bfloat16: a third faster on CPUs that have avx512_bf16.")

# Of the demo scenes: sky and all that is farther. The nearest depth that a network of this coding can say is a 100th.
MAX_DEPTH = demo_sources.MAX_DEPTH
CODES_PER_METRE = 800  # 16 bits up to 80 m
CHUNK = 50  # scenes in a file


def main(_):
    work = Path(_WORK.value)
    if _BFLOAT16.value:
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": True})
    size = (_HEIGHT.value, _WIDTH.value)
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        validation = start_rendering(pool, work, size, _SEED.value + 1, _VALIDATION_SCENES.value)
        training = start_rendering(pool, work, size, _SEED.value, _SCENES.value)
        scored = {"demo": wait_for(validation)}
        scored |= {Path(folder).name: real_pictures(Path(folder), size) for folder in _RGBD.value}
        train(work, training, scored, size)


# ---- scenes ------------------------------------------------------------------------------------------------------


def start_rendering(pool, work, size, seed, scenes):
    """Futures of the files of these scenes; what is on disk already is not rendered again."""
    folder = work / f"scenes_{size[0]}x{size[1]}_seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    return [
        pool.submit(render_chunk, folder, seed, range(scenes)[n : n + CHUNK], size) for n in range(0, scenes, CHUNK)
    ]


def render_chunk(folder, seed, indices, size):
    path = folder / f"{indices[0]:06d}_{len(indices)}.npz"
    if not path.exists():
        views = [render(seed, index, size) for index in indices]
        part = path.with_suffix(".part.npz")
        codes = [np.round(view.depth * CODES_PER_METRE).astype("uint16") for view in views]
        np.savez(part, picture=np.stack([view.picture for view in views]), depth=np.stack(codes))
        os.replace(part, path)
    return path


def render(seed, index, size):
    """Scene number `index` with up to two cards on its ground, also large ones that the picture's edge cuts."""
    random = np.random.default_rng([seed, index])
    cards = []
    for _ in range(random.choice(3, p=[0.3, 0.4, 0.3])):
        foreground = demo_sources.foreground(seed, int(random.integers(100_000)), height=size[0])
        place = random.uniform(0, 1), random.uniform(0.5, 1.2)
        cards.append(demo_sources.Card(foreground, *place, flipped=bool(random.integers(2))))
    scene = demo_sources.scene(seed, index)
    while True:
        try:
            return demo_sources.render(scene, *size, cards)
        except ValueError:  # one stands behind a wall or above the horizon
            cards.pop()


def wait_for(futures):
    """uint8 [N, H, W, 3] pictures and uint16 [N, H, W] depth codes of the finished files, at least one."""
    files = [np.load(path) for path in [future.result() for future in futures]]
    return np.concatenate([file["picture"] for file in files]), np.concatenate([file["depth"] for file in files])


def real_pictures(folder, size):
    """As `wait_for`, for pictures with measured depth; code 0 is unknown."""
    pictures, codes = [], []
    for path in sorted((folder / "depth").iterdir()):
        picture = next((folder / "rgb").glob(path.stem + ".*"))
        pictures.append(np.array(Image.open(picture).convert("RGB").resize(size[::-1], Image.Resampling.BOX)))
        metres = np.array(Image.open(path)) / 1000
        rows, columns = (np.arange(n) * m // n for n, m in zip(size, metres.shape, strict=True))
        codes.append(np.round(metres[rows][:, columns] * CODES_PER_METRE).astype("uint16"))
    return np.stack(pictures), np.stack(codes)


# ---- training ----------------------------------------------------------------------------------------------------


def train(work, rendering, scored, size):
    network, averaged = (teacher.build(teacher.SMALL, size) for _ in range(2))
    # The answer's logarithm begins at that of a usual depth, 4 metres.
    network.get_layer("conv3").bias.assign([np.log(MAX_DEPTH / 4)])
    if _START.value:
        stored = teacher_weights.read_npz(Path(_START.value), expected_network=repr(teacher.SMALL))
        teacher_weights.assign(network, stored, _START.value)
    averaged.set_weights(network.get_weights())
    warmup = _STEPS.value // 20
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, _STEPS.value - warmup), warmup_target=_LEARNING_RATE.value, warmup_steps=warmup
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=1e-2, global_clipnorm=1.0)
    step, best = tf.Variable(0, dtype=tf.int64), tf.Variable(np.inf)
    checkpoint = tf.train.Checkpoint(network=network, averaged=averaged, optimizer=optimizer, step=step, best=best)
    manager = tf.train.CheckpointManager(checkpoint, str(work / f"checkpoints_{size[0]}x{size[1]}"), max_to_keep=2)
    manager.restore_or_initialize()
    if int(step) >= _STEPS.value:
        report(step, averaged, scored)
        return

    @tf.function(reduce_retracing=True)
    def update(pictures, codes):
        pictures, metres = cut_out_parts(pictures, codes)
        pictures = recoloured(pictures)
        target = tf.math.log(MAX_DEPTH / tf.clip_by_value(metres, MAX_DEPTH / 100, MAX_DEPTH))
        with tf.GradientTape() as tape:
            loss = log_depth_loss(tf.math.log(network(pictures, training=True)[..., 0]), target)
        gradients = tape.gradient(loss, network.trainable_variables)
        optimizer.apply_gradients(zip(gradients, network.trainable_variables, strict=True))
        keep = tf.minimum(0.998, (1 + tf.cast(step, tf.float32)) / (10 + tf.cast(step, tf.float32)))
        for average, now in zip(averaged.weights, network.weights, strict=True):
            average.assign(keep * average + (1 - keep) * now)
        step.assign_add(1)
        return loss

    pictures, codes = wait_for(rendering[:1])
    losses, began = [], time.time()
    while int(step) < _STEPS.value:
        if int(step) % 100 == 0 and len(pictures) < _SCENES.value:
            pictures, codes = wait_for([future for future in rendering if future.done()] or rendering[:1])
        chosen = np.random.default_rng([_SEED.value, int(step)]).integers(len(pictures), size=_BATCH_SIZE.value)
        losses.append(float(update(pictures[chosen], codes[chosen])))
        if int(step) % 100 == 0:
            rate = len(losses) / (time.time() - began)
            logging.info("step %d loss %.4f, %.2f steps/s, %d scenes", step, np.mean(losses), rate, len(pictures))
            losses, began = [], time.time()
        if int(step) % _REPORT_EVERY.value == 0 or int(step) == _STEPS.value:
            error = report(step, averaged, scored)
            if error < float(best):
                best.assign(error)
                Path(_OUTPUT.value).parent.mkdir(parents=True, exist_ok=True)
                part = Path(_OUTPUT.value).with_suffix(".part.npz")
                teacher_weights.write_npz(part, averaged, repr(teacher.SMALL), MAX_DEPTH)
                os.replace(part, _OUTPUT.value)
            manager.save()
            began = time.time()


def report(step, network, scored):
    """Logs the scores on each set, and answers the one to choose by."""
    found = {name: scores(network, *pictures_and_codes) for name, pictures_and_codes in scored.items()}
    for name, values in found.items():
        logging.info("step %d %s %s", step, name, json.dumps(values))
    return found["demo"]["abs_rel"]


def log_depth_loss(predicted, target):
    """L1 of log(max_depth / depth), for small relative errors, and of its slopes at four scales, for sharp edges."""
    error = (predicted - target)[..., tf.newaxis]
    loss = tf.reduce_mean(tf.abs(error))
    for _ in range(4):
        loss += 0.5 * tf.reduce_mean(tf.abs(error[:, 1:] - error[:, :-1]))
        loss += 0.5 * tf.reduce_mean(tf.abs(error[:, :, 1:] - error[:, :, :-1]))
        error = tf.nn.avg_pool2d(error, 2, 2, "VALID")
    return loss


def cut_out_parts(pictures, codes):
    """A part of each scene, stretched and perhaps mirrored: float32 [B, H, W, 3] and metres [B, H/2, W/2].

    What a longer lens would show is labelled with what it looks like, a nearer thing: the same picture must not have
    two depths.
    """
    batch, height, width, _ = pictures.shape

    def uniform(low, high):
        return tf.random.uniform((batch,), low, high)

    # Most look like whole scenes; some come nearer than scenes do.
    tall = tf.where(uniform(0, 1) < 0.75, uniform(0.8, 1.0), uniform(0.45, 0.8))
    wide = tall * uniform(0.75, 1.0)
    top, left = uniform(0, 1) * (1 - tall), uniform(0, 1) * (1 - wide)
    mirrored = uniform(0, 1) < 0.5

    def cut(images, rows, columns, method):
        # Pixel centres; crop_and_resize wants the first and the last of them, as shares of (length - 1).
        y = [(top * height + tall * height * (i + 0.5) / rows - 0.5) / (height - 1) for i in (0, rows - 1)]
        x = [(left * width + wide * width * (i + 0.5) / columns - 0.5) / (width - 1) for i in (0, columns - 1)]
        x = tf.where(mirrored, x[1], x[0]), tf.where(mirrored, x[0], x[1])
        boxes = tf.clip_by_value(tf.stack([y[0], x[0], y[1], x[1]], axis=1), 0, 1)
        return tf.image.crop_and_resize(images, boxes, tf.range(batch), (rows, columns), method)

    metres = tf.cast(codes, tf.float32)[..., tf.newaxis] / CODES_PER_METRE
    metres = cut(metres, height // 2, width // 2, "nearest")[..., 0]
    metres = tf.where(metres < MAX_DEPTH, metres * tall[:, tf.newaxis, tf.newaxis], metres)
    return cut(tf.cast(pictures, tf.float32) / 255, height, width, "bilinear"), metres


def recoloured(x):
    """[B, H, W, 3] in [0, 1] with colours varied beyond the scenes, so that shapes matter: real pictures share them."""
    batch, height, width, _ = x.shape

    def uniform(low, high, *shape):
        return tf.random.uniform((batch, *shape), low, high)

    x = tf.pow(tf.maximum(x, 1e-4), tf.exp(uniform(-0.5, 0.5, 1, 1, 1)))
    # Saturation (sometimes none), hue and white balance in one 3 x 3 matrix.
    grey = tf.constant([[0.299, 0.587, 0.114]] * 3)
    saturation = tf.where(uniform(0, 1, 1, 1) < 0.1, 0.0, uniform(0.3, 1.5, 1, 1))
    angle = uniform(-0.4, 0.4, 1, 1)
    cross = tf.constant([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    hue = tf.eye(3) + tf.sin(angle) * cross + (1 - tf.cos(angle)) * (cross @ cross)
    balance = tf.exp(uniform(-0.15, 0.15, 3, 1))
    x = tf.einsum("bhwc,bdc->bhwd", x, balance * (hue @ (saturation * tf.eye(3) + (1 - saturation) * grey)))
    contrast, brightness = tf.exp(uniform(-0.4, 0.4, 1, 1, 1)), uniform(-0.15, 0.15, 1, 1, 1)
    mean = tf.reduce_mean(x, axis=(1, 2, 3), keepdims=True)
    x = (x - mean) * contrast + mean + brightness
    mean += brightness
    # A random filter shared by the batch, mixed into half of the pictures: other textures, edges where they were.
    filtered = tf.nn.conv2d(x - mean, tf.random.normal((3, 3, 3, 3)), 1, "SAME")
    filtered *= tf.math.reduce_std(x - mean) / (tf.math.reduce_std(filtered) + 1e-3)
    share = tf.where(uniform(0, 1, 1, 1, 1) < 0.5, 0.0, uniform(0, 1, 1, 1, 1))
    x += share * (filtered + mean - x)
    # Blur, or sharpening where the share is negative; light that falls off to one side; noise.
    x += uniform(-0.5, 1.0, 1, 1, 1) * (tf.nn.avg_pool2d(x, 3, 1, "SAME") - x)
    x *= 1 + uniform(-0.4, 0.4, 1, 1, 1) * tf.linspace(-1.0, 1.0, height)[:, tf.newaxis, tf.newaxis]
    x *= 1 + uniform(-0.4, 0.4, 1, 1, 1) * tf.linspace(-1.0, 1.0, width)[:, tf.newaxis]
    x += tf.random.normal(tf.shape(x)) * tf.square(uniform(0, 0.25, 1, 1, 1))
    return tf.clip_by_value(x, 0, 1)


def scores(network, pictures, codes):
    """Mean over pictures of the usual depth errors, as they are and after scaling each picture to the true median.

    flat_abs_rel: of an answer that is the true median everywhere, to see what a scaled one is worth.
    """
    rows = []
    for first in range(0, len(pictures), 20):
        answer = np.array(network(pictures[first : first + 20].astype("float32") / 255, training=False))[..., 0]
        for predicted, code in zip(MAX_DEPTH / np.clip(answer, 1, 100), codes[first : first + 20], strict=True):
            true = code[1::2, 1::2] / CODES_PER_METRE
            predicted, true = predicted[true > 0], true[true > 0]
            scaled = predicted * np.median(true) / np.median(predicted)
            flat, *_ = errors(np.median(true), true)
            rows.append([*errors(predicted, true), *errors(scaled, true), flat])
    names = ["abs_rel", "rmse", "delta_1.25", "scaled_abs_rel", "scaled_rmse", "scaled_delta_1.25", "flat_abs_rel"]
    return dict(zip(names, np.mean(rows, axis=0).round(4).tolist(), strict=True))


def errors(predicted, true):
    ratio = np.maximum(predicted / true, true / predicted)
    return np.mean(np.abs(predicted - true) / true), np.sqrt(np.mean((predicted - true) ** 2)), np.mean(ratio < 1.25)


if __name__ == "__main__":
    app.run(main)
