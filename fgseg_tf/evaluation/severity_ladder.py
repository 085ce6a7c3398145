"""How much of what differs between two exposures a network bears: scores of masks at severities 0 to 4.

At each severity the same examples are photographed twice by `capture.py`, as themselves and with nobody in the frame,
in which anything found is a false alarm. The baselines are tuned at each severity anew, on training examples
photographed as badly: what is compared is the best that a threshold can do there.
"""

from collections.abc import Callable

import tensorflow as tf

from fgseg_tf.data.base import Data
from fgseg_tf.data.exposures import LADDER, simulate_exposures
from fgseg_tf.evaluation import baselines
from fgseg_tf.measures import metrics

NAMES = ("mask/iou", "mask/pooled_iou", "mask/boundary_f", "mask/false_positive_rate")


def climbed(
    answer: Callable,
    data: Data,
    split: str,
    size: tuple[int, int],
    batch: int,
    count: int,
    with_baselines: bool,
    progress: Callable,
) -> list[dict]:
    """For each severity, lowest first: {severity, split, examples, network: {name of NAMES: score}, difference: ...}.

    answer: bg, fg_bg -> mask, all [B, H, W, c]. progress: as in `evaluation.evaluate`.
    """
    score = tf.function(_scores, input_signature=[tf.TensorSpec([None, *size, 1])] * 2)
    # Variables, so that each stream is built once and photographed as they say when it is read.
    severity, nobody = tf.Variable(0.0), tf.Variable(0.0)

    def change(example, seed):
        return simulate_exposures(example, seed, severity, severity, nobody)

    scored = data.scoring(split, batch, size, count, change)
    if with_baselines:
        trained = data.scoring("train", batch, size, min(baselines.TUNED_ON, data.counts["train"]), change)
    steps = []
    for step in LADDER:
        severity.assign(step)
        nobody.assign(0)
        answers = {"network": answer, **(baselines.tuned(trained) if with_baselines else {})}
        tables = {name: metrics.WeightedMeans(NAMES) for name in answers}
        with progress(f"severity {step}", 2 * count, "examples") as shown:
            for share in (0, 1):
                nobody.assign(share)
                for examples in scored:
                    for name, answered in answers.items():
                        mask = answered(examples["bg"], examples["fg_bg"])
                        tables[name].update(score(examples["mask"], mask))
                    shown.add(len(examples["index"]))
        found = {name: table.result() for name, table in tables.items()}
        steps.append({"severity": step, "split": split, "examples": count, **found})
    return steps


def _scores(target, predicted) -> dict:
    """Of frames with somebody in them, but for false alarms, which are of those with nobody."""
    found = metrics.compute_scores({"mask": target}, {"mask": predicted})
    somebody = tf.cast(tf.reduce_any(target >= metrics.FOREGROUND, [1, 2, 3]), tf.float32)
    kept = {}
    for name in NAMES:
        value, weight = found[name]
        kept[name] = (value, weight if name == "mask/false_positive_rate" else weight * somebody)
    return kept
