"""How well masks hold when two exposures of a scene differ: scores at severities 0 to 4.

At each severity two exposures of the same examples are simulated, once as they are and once with nobody in the frame,
where all foreground is a false alarm. The baselines are tuned at each severity anew, on training examples of the same
severity: what is compared is the best that a threshold can do there.
"""

from collections.abc import Callable
from typing import cast

import tensorflow as tf

from data_pipelines.runtime.progress import ProgressFactory
from fgseg_tf.data.base import Data
from fgseg_tf.data.exposures import LADDER, simulate_exposures
from fgseg_tf.evaluation import baselines
from fgseg_tf.evaluation.scores import LadderStep
from fgseg_tf.measures import metrics

NAMES = ("mask/iou", "mask/pooled_iou", "mask/boundary_f", "mask/false_positive_rate")


def evaluate_ladder(
    segment: Callable,
    data: Data,
    split: str,
    size: tuple[int, int],
    batch: int,
    count: int,
    with_baselines: bool,
    progress: ProgressFactory,
) -> list[LadderStep]:
    """Returns the scores for each severity, lowest first.

    Args:
        segment: From bg and fg_bg, [B, H, W, 3], to the mask, [B, H, W, 1].
        data: Examples are taken from it.
        split: To score on.
        size: Height and width at which the examples are read.
        batch: Examples that are segmented together.
        count: Examples at each severity.
        with_baselines: Whether to score the baselines too.
        progress: Counts examples.
    """
    score = tf.function(_scores, input_signature=[tf.TensorSpec([None, *size, 1])] * 2)
    # Variables, so that each stream is built once and changes with their values.
    severity, nobody = tf.Variable(0.0), tf.Variable(0.0)

    def change(example, seed):
        return simulate_exposures(example, seed, severity, severity, nobody)

    scored = data.scoring(split, batch, size, count, change)
    if with_baselines:
        trained = data.scoring("train", batch, size, min(baselines.TUNING_EXAMPLES, data.counts["train"]), change)
    steps = []
    for step in LADDER:
        severity.assign(step)
        nobody.assign(0)
        columns = {"network": segment, **(baselines.tune_baselines(trained) if with_baselines else {})}
        tables = {name: metrics.WeightedMeans(NAMES) for name in columns}
        with progress(f"severity {step}", 2 * count, "examples") as counter:
            for share in (0, 1):
                nobody.assign(share)
                for examples in scored:
                    for name, segment_by in columns.items():
                        mask = segment_by(examples["bg"], examples["fg_bg"])
                        tables[name].update(score(examples["mask"], mask))
                    counter.add(len(examples["index"]))
        scores = {name: table.result() for name, table in tables.items()}
        steps.append(cast(LadderStep, {"severity": step, "split": split, "examples": count, **scores}))
    return steps


def _scores(target, predicted) -> dict:
    """Scores of frames with somebody in them, but for false alarms, which are of those with nobody."""
    scores = metrics.compute_scores({"mask": target}, {"mask": predicted})
    somebody = tf.cast(tf.reduce_any(target >= metrics.FOREGROUND, [1, 2, 3]), tf.float32)
    kept = {}
    for name in NAMES:
        value, weight = scores[name]
        kept[name] = (value, weight if name == "mask/false_positive_rate" else weight * somebody)
    return kept
