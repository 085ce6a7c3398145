"""How fast this is, beside what it can be compared with, in one run.

    python tools/benchmark.py export              making shards: ours, a Pillow loop, our encoders alone
    python tools/benchmark.py export --teacher    the same with the teacher looking at every composite

Figures are medians over rounds in which all take turns; ratios are medians of the rounds' own ratios, which a noisy
machine disturbs less than the rates.
"""

import json
import os
import sys

from absl import app, flags

from data_pipelines import rates, teacher
from data_pipelines.refusals import REFUSALS, sentence

_SIDE = flags.DEFINE_integer("side", 224, "Height and width of the pictures.", lower_bound=32)
_COUNT = flags.DEFINE_integer(
    "count", 20000, "Composites in a round; with --teacher a two-hundredth of it.", lower_bound=800
)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "How often each takes its turn.", lower_bound=1)
_TEACHER = flags.DEFINE_bool("teacher", False, "Measure --labels=teacher.")
_TEACHER_WEIGHTS = flags.DEFINE_string("teacher_weights", "small", "As in export_tfrecords.")
_TEACHER_BATCH = flags.DEFINE_integer("teacher_batch", 8, "As in export_tfrecords.", lower_bound=1)
_JSON = flags.DEFINE_string("json", None, "Also write the figures to this file.")


def main(argv):
    if argv[1:] != ["export"]:
        raise app.UsageError("say what to measure: python tools/benchmark.py export")
    try:
        rows = measure()
    except REFUSALS as error:
        sys.exit(f"benchmark: {sentence(error)}")
    print(f"{'composites a second':48} {'median':>8} {'least':>8} {'most':>8} {'ours by it':>11}")
    for row in rows:
        print(
            f"{row['what']:48} {row['median']:8,.1f} {min(row['rates']):8,.1f} {max(row['rates']):8,.1f} "
            f"{row['ours_by_it']:11.2f}"
        )
    print(f"{os.cpu_count()} cores, {_SIDE.value} x {_SIDE.value} px, peak memory {rates.peak_memory_mb():,.0f} MB")
    if _JSON.value:
        with open(_JSON.value, "w") as file:
            json.dump({"side": _SIDE.value, "cores": os.cpu_count(), "rows": rows}, file, indent=1)


def measure() -> list[dict]:
    if not _TEACHER.value:
        return rates.export_rates(_SIDE.value, _COUNT.value, _ROUNDS.value)
    looking = teacher.load(_TEACHER_WEIGHTS.value, teacher.usual_size(_TEACHER_WEIGHTS.value))
    return rates.teacher_rates(looking, _SIDE.value, _COUNT.value // 200, _TEACHER_BATCH.value, _ROUNDS.value)


if __name__ == "__main__":
    app.run(main)
