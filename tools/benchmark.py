"""How fast this is, beside what it can be compared with, in one run.

    python tools/benchmark.py export                making shards: ours, a Pillow loop, our encoders alone
    python tools/benchmark.py export --teacher      the same with the teacher looking at every composite
    python tools/benchmark.py read --data=DIR       training on shards, on a constant batch, and reading alone
    python tools/benchmark.py train --side=96       training: ours, and a plain U-Net of as many parameters
    python tools/benchmark.py predict --side=224    the same for prediction, and with the background computed before
    python tools/benchmark.py serve --side=224      signatures of a SavedModel, and the bare Keras network

Figures are medians over rounds in which all take turns; ratios are medians of the rounds' own ratios, which a noisy
machine disturbs less than the rates.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import json
import os
import sys

from absl import app, flags, logging
from benchmarking import data_rates, network_rates

from data_pipelines.runtime.errors import REFUSALS, describe_error
from data_pipelines.teacher import network as teacher_network
from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.model.two_branch import ARCHITECTURES

_SIDE = flags.DEFINE_integer("side", 224, "Height and width of the pictures.", lower_bound=32)
_COUNT = flags.DEFINE_integer(
    "count", 20000, "export: composites in a round; with --teacher a two-hundredth of it.", lower_bound=800
)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "How often each takes its turn.", lower_bound=1)
_TEACHER = flags.DEFINE_bool("teacher", False, "export: measure --labels=teacher.")
_TEACHER_WEIGHTS = flags.DEFINE_string("teacher_weights", "small", "As in export_tfrecords.")
_TEACHER_BATCH = flags.DEFINE_integer("teacher_batch", 8, "As in export_tfrecords.", lower_bound=1)
_DATA = flags.DEFINE_string("data", None, "read: folder of shards; --side is that of training, as in a stage.")
_NETWORK = flags.DEFINE_enum("network", "base", list(ARCHITECTURES), "All but export: which size.")
_BATCH = flags.DEFINE_integer("batch", 16, "All but export: pictures at once.", lower_bound=1)
_STEPS = flags.DEFINE_integer("steps", 20, "All but export: steps, or calls, in a turn.", lower_bound=1)
_CLIENTS = flags.DEFINE_integer("clients", 1, "serve: how many ask at a time, as on a busy server.", lower_bound=1)
_JIT_COMPILE = flags.DEFINE_bool("jit_compile", False, "train: also with XLA.")
_BFLOAT16 = flags.DEFINE_bool("bfloat16", False, "train: also with --precision=mixed_bfloat16.")
_MASKS_ALONE = flags.DEFINE_bool("masks_alone", False, "train: also with freeze=depth.")
_JSON = flags.DEFINE_string("json", None, "Also write the figures to this file.")

UNITS = {
    "export": "composites a second",
    "read": "pictures a second",
    "train": "pictures a second in training",
    "predict": "milliseconds a picture",
    "serve": "milliseconds a picture",
}


def main(argv):
    """Measures what is asked for, and prints a table."""
    if len(argv) != 2 or argv[1] not in UNITS:
        raise app.UsageError(f"say what to measure: python tools/benchmark.py {'|'.join(UNITS)}")
    what = argv[1]
    logging.set_verbosity(logging.WARNING)  # what savers say of themselves is not for us
    try:
        rows = measure(what)
    except REFUSALS as error:
        sys.exit(f"benchmark: {describe_error(error)}")
    print(f"{UNITS[what]:48} {'median':>8} {'least':>8} {'most':>8} {'ours by it':>11}")
    for row in rows:
        print(
            f"{row['what']:48} {row['median']:8,.1f} {min(row['rates']):8,.1f} {max(row['rates']):8,.1f} "
            f"{row['ours_by_it']:11.2f}"
        )
    print(
        f"{os.cpu_count()} cores, {_SIDE.value} x {_SIDE.value} px, peak memory {data_rates.peak_memory_mb():,.0f} MB"
    )
    if _JSON.value:
        with open(_JSON.value, "w") as file:
            json.dump({"side": _SIDE.value, "cores": os.cpu_count(), "rows": rows}, file, indent=1)


def measure(what: str) -> list[data_rates.Row]:
    """Returns a row for each way of doing it, ours first."""
    side, rounds = _SIDE.value, _ROUNDS.value
    if what == "export" and _TEACHER.value:
        looking = teacher_network.load_teacher(
            _TEACHER_WEIGHTS.value, teacher_network.default_input_size(_TEACHER_WEIGHTS.value)
        )
        return data_rates.measure_teacher(looking, side, _COUNT.value // 200, _TEACHER_BATCH.value, rounds)
    if what == "export":
        return data_rates.measure_export(side, _COUNT.value, rounds)
    network, batch, steps = _NETWORK.value, _BATCH.value, _STEPS.value
    if what == "train":
        ways = _JIT_COMPILE.value, _BFLOAT16.value, _MASKS_ALONE.value
        return data_rates.take_turns(network_rates.training_rates(network, side, batch, steps, *ways), rounds)
    if what == "predict":
        return data_rates.take_turns(network_rates.prediction_times(network, side, side, batch, steps), rounds)
    if what == "serve":
        return data_rates.take_turns(
            network_rates.serving_times(network, side, side, batch, steps, _CLIENTS.value), rounds
        )
    if _DATA.value is None:
        raise ValueError("read measures shards; say which: --data=DIR.")
    return data_rates.take_turns(
        network_rates.reading_rates(ShardData(_DATA.value), network, side, batch, steps), rounds
    )


if __name__ == "__main__":
    app.run(main)
