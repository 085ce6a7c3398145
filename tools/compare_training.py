"""Trains and scores networks that differ in a few flags, on the same data, with several seeds: which loss is better?

    python tools/compare_training.py --variants=tools/losses.txt --data=rows --output=runs/losses --seeds=3

A file names the trainings: see tools/losses.txt, tools/schedules.txt. Each is `python -m fgseg_tf.train` and then
`python -m fgseg_tf.evaluate`, in a folder of its own; what is finished is not done again. At the end a table, also in
OUTPUT/table.md.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import subprocess
import sys

import tensorflow as tf
from absl import flags

from data_pipelines.runtime.cli import run_command
from data_pipelines.runtime.files import join_path
from fgseg_tf.evaluation import training_comparison
from fgseg_tf.evaluation.scores import Scores, read_scores

_VARIANTS = flags.DEFINE_string("variants", None, "File that names them; see tools/losses.txt.", required=True)
_DATA = flags.DEFINE_string("data", None, "Folder of shards that all learn from, or demo.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for their runs and the table.", required=True)
_SEEDS = flags.DEFINE_integer("seeds", 3, "Each is trained so often, from other first weights.", lower_bound=1)
_COUNT = flags.DEFINE_integer("count", 200, "Examples of each test split that are scored; 0 for all.", lower_bound=0)


def compare() -> None:
    """Trains and scores what is not finished yet, and writes the table."""
    with tf.io.gfile.GFile(_VARIANTS.value) as file:
        variants = training_comparison.parse_variants(file.read(), _VARIANTS.value)
    for variant in variants:
        claim(variant)
    results: dict[str, list[Scores]] = {variant.name: [] for variant in variants}
    # All of one seed first: whoever stops early has them all once, and not one of them thrice.
    for seed in range(_SEEDS.value):
        for variant in variants:
            run = join_path(_OUTPUT.value, f"{variant.folder}-{seed}")
            print(f"== {variant.name}, seed {seed}", flush=True)
            if not tf.io.gfile.exists(join_path(run, "model.keras")):
                run_module("train", f"--run={run}", f"--data={_DATA.value}", *variant.flags, f"--seed={seed}")
            if not tf.io.gfile.exists(join_path(run, "metrics.json")):
                run_module("evaluate", f"--run={run}", f"--count={_COUNT.value}", "--nobaselines", "--ladder=0")
            results[variant.name].append(read_scores(join_path(run, "metrics.json"), training_comparison.SHOWN))
    split = list(results[variants[0].name][0]["splits"])[-1]
    text = training_comparison.format_comparison(results, split)
    with tf.io.gfile.GFile(join_path(_OUTPUT.value, "table.md"), "w") as file:
        file.write(text + "\n")
    print(text)


def claim(variant: training_comparison.Variant) -> None:
    """Notes the flags of a variant, and refuses results that were made with other flags under its name."""
    note = join_path(_OUTPUT.value, f"{variant.folder}.flags")
    wanted = "\n".join((f"--data={_DATA.value}", f"--count={_COUNT.value}", *variant.flags)) + "\n"
    tf.io.gfile.makedirs(_OUTPUT.value)
    if tf.io.gfile.exists(note):
        with tf.io.gfile.GFile(note) as file:
            if file.read() != wanted:
                raise ValueError(
                    f"{variant.name!r} was begun with other flags in {_OUTPUT.value}: {note}; give it another name, "
                    "or take another --output."
                )
    with tf.io.gfile.GFile(note, "w") as file:
        file.write(wanted)


def run_module(module: str, *given: str) -> None:
    """Runs a command of the package, and fails if it does."""
    done = subprocess.run([sys.executable, "-m", f"fgseg_tf.{module}", *given], stdout=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise ValueError(f"{module} {' '.join(given)} ended with exit status {done.returncode}; see above.")


if __name__ == "__main__":
    run_command(compare, __name__, "the file is given as --variants=FILE")
