"""Run by test_serving.py in a process of its own: a SavedModel where there is TensorFlow, but neither Keras nor ours.

    python saved_model_alone.py FOLDER ARRAYS MUTATED

Prints a line of JSON: the largest difference to the arrays that are expected, and what became of MUTATED damaged files.
"""

import importlib.abc
import json
import os
import sys

AWAY = ("fgseg_tf", "data_pipelines", "keras", "tf_keras", "tensorflow_addons")


class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        # TensorFlow looks for the package of Keras, and does without if nothing in it can be had.
        if name.split(".")[0] in AWAY and (name != "keras"):
            raise ImportError(f"{name} is not to be had here")


os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
sys.meta_path.insert(0, Refuse())

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402


def resident() -> float:
    """Megabytes."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


def mutated(files: list[bytes], count: int):
    """Files with bytes changed, cut off, put in twice, or swapped for those of a header that lies about the size."""
    rng = np.random.default_rng(0)
    for number in range(count):
        data = bytearray(files[number % len(files)])
        kind = number % 5
        for place in rng.integers(0, len(data), (1, 8, 64, 2, 1)[kind]):
            if kind == 3:
                data[place:place] = data[place : place + int(rng.integers(1, 40))]
            else:
                data[place] = rng.integers(0, 256)
        if kind == 4:
            data = data[: rng.integers(0, len(data))]
        # Often in the header, where sizes and tables are.
        if number % 3 == 0 and len(data) > 30:
            data[rng.integers(0, 30)] = rng.integers(0, 256)
        yield bytes(data)


def main() -> None:
    folder, arrays, count = sys.argv[1], dict(np.load(sys.argv[2])), int(sys.argv[3])
    signatures = tf.saved_model.load(folder).signatures
    bg, fg_bg = tf.constant(arrays["bg"]), tf.constant(arrays["fg_bg"])
    answers = [signatures["serving_default"](bg=bg, fg_bg=fg_bg)]
    encoded = signatures["encode_background"](bg=bg)
    answers.append(signatures["segment_with_background"](fg_bg=fg_bg, **encoded))
    worst = max(float(np.abs(answer["mask"] - arrays["mask"]).max()) for answer in answers)
    files = [tf.io.encode_png(fg_bg[0]).numpy(), tf.io.encode_jpeg(fg_bg[0]).numpy()]
    whole = tf.constant([tf.io.encode_png(bg[0]).numpy()])
    ask = signatures["serving_bytes"]
    answered = refused = 0
    for number, data in enumerate(mutated(files, count)):
        if number == count // 4:
            before = resident()
        try:
            ask(bg_bytes=whole, fg_bg_bytes=tf.constant([data]))
            answered += 1
        except tf.errors.InvalidArgumentError:
            refused += 1
    after = resident()
    # And it still answers what is right.
    file = ask(bg_bytes=whole, fg_bg_bytes=tf.constant(files[:1]))["mask_png_bytes"][0]
    found = tf.io.decode_png(file).numpy() / 255.0
    loaded = {name.split(".")[0] for name in sys.modules} & set(AWAY)
    assert not loaded, loaded
    said = {"worst": worst, "answered": answered, "refused": refused, "before": before, "after": after}
    print(json.dumps({**said, "png": float(np.abs(found - arrays["mask"][0]).max())}))


main()
