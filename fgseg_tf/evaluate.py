"""Scores a trained network by split, beside its baselines: metrics.json and report.html in its folder.

    fgseg evaluate --run=runs/demo
    fgseg evaluate --run=runs/demo --data=out --count=0

`python -m fgseg_tf.evaluate` does the same. Without --data, it scores on the test splits of the data that the run was
trained on. Exit status 1, with one sentence, when something is wrong with the flags or files.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

from typing import cast

import keras
import tensorflow as tf
from absl import flags

from data_pipelines.runtime.cli import hide_folders, run_command
from data_pipelines.runtime.errors import describe_error
from data_pipelines.runtime.files import join_path, write_json
from data_pipelines.runtime.progress import Progress
from fgseg_tf.data.base import Data
from fgseg_tf.data.open import reopen_data
from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.evaluation import baselines, evaluator, score_table
from fgseg_tf.inference.object_placing import ObjectPlacer
from fgseg_tf.report import evaluation_report as report
from fgseg_tf.runs import run_folder
from fgseg_tf.runs.local_paths import hide_paths
from fgseg_tf.runs.trained import check_segments, load_object_depth

MOST_FLAGS = 1 << 20  # bytes of run.flags that are shown
_RUN = flags.DEFINE_string("run", None, "Folder of a finished training; local or gs://.", required=True)
_DATA = flags.DEFINE_string("data", None, "Folder of shards to score on; without it, what the run was trained on.")
_COUNT = flags.DEFINE_integer("count", 500, "Examples of each test split; 0 for all.", lower_bound=0)
_BATCH = flags.DEFINE_integer("batch", 16, "Examples that are looked at together.", lower_bound=1)
_BASELINES = flags.DEFINE_bool("baselines", True, "Also what needs no training: differences, OpenCV, the empty scene.")
_LADDER = flags.DEFINE_integer(
    "ladder",
    100,
    "Examples at each severity of what differs between two exposures; 0 for no ladder.",
    lower_bound=0,
)
_ANY_SIZE = flags.DEFINE_bool("any_size", False, "Also on data of another image size than the run's.")
_SIZE = flags.DEFINE_integer(
    "size", None, "Shorter side, pixels; 0 for the data's own. Without it, that of the last stage of training."
)
_BOTH_WAYS = flags.DEFINE_bool("both_ways", False, "Look at mirror images as well, and take the mean, as in predict.")


def evaluate() -> None:
    """Scores the run, writes both files and prints the tables."""
    settings = run_folder.read_run(_RUN.value, ("data", "data_digest", "depth_unit"))["settings"]
    check_segments(settings, _RUN.value)
    if _BASELINES.value:
        baselines.import_opencv()
    network = run_folder.load_network(_RUN.value)
    data = ShardData(_DATA.value) if _DATA.value else reopen_data(run_folder.find_data(_RUN.value, settings))
    evaluator.check_data(settings, data, _ANY_SIZE.value)
    size = data.scaled_size(run_folder.last_stage_side(settings) if _SIZE.value is None else _SIZE.value)
    evaluation = evaluate_network(network, data, size)
    evaluation.scores["trained_on_these_data"] = data.has_digest(settings["data_digest"])
    write_json(join_path(_RUN.value, "metrics.json"), evaluation.scores)
    told = cast(run_folder.RunSettings, hide_paths(settings))
    page = report.render_report(told, read_run_flags(), run_folder.read_history(_RUN.value), evaluation)
    report.write_report(_RUN.value, page)
    if _BOTH_WAYS.value:
        print("looking at pictures and at their mirror images")
    print(score_table.format_scores(evaluation.scores))
    if evaluation.scores["ladder"]:
        print(f"\n{score_table.format_ladder(evaluation.scores['ladder'])}")
    if _BASELINES.value:
        print(f"* best of its line. {score_table.BACKGROUND_DEPTH_NOTE}")
    if not evaluation.scores["trained_on_these_data"]:
        print(f"note: {report.OTHER_DATA}")
    print(f"{_RUN.value}/metrics.json has every number, {_RUN.value}/report.html shows them")


def evaluate_network(network: keras.Model, data: Data, size: tuple[int, int]) -> evaluator.Evaluation:
    """Returns the evaluation that the flags ask for; shards that are damaged become a sentence."""
    placer = ObjectPlacer(load_object_depth()) if _BASELINES.value else None
    try:
        return evaluator.evaluate(
            network,
            data,
            size,
            _BATCH.value,
            _COUNT.value,
            _BASELINES.value,
            _LADDER.value,
            Progress,
            _BOTH_WAYS.value,
            placer,
        )
    except tf.errors.DataLossError as error:
        raise ValueError(f"{data.explain_failure()} ({describe_error(error)})") from error


def read_run_flags() -> str:
    """Returns the text of run.flags, or "" without it: a run that was killed at its very end has none."""
    where = join_path(_RUN.value, "run.flags")
    if not tf.io.gfile.exists(where):
        return ""
    with tf.io.gfile.GFile(where, "rb") as file:
        return hide_folders(file.read(MOST_FLAGS).decode(errors="replace"))


def main() -> None:
    """Runs the command."""
    run_command(evaluate, __name__, "folders are given as --run=DIR and --data=DIR")


if __name__ == "__main__":
    main()
