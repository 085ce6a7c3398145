"""The story of an evaluation: how good a trained network is, by split, with what it has to beat beside it.

    refuse what could not be compared -> tune the baselines on training examples
    -> for each test split: answers of network and baselines, scores of all, typical and worst cases
    -> on the hardest split, the ladder: masks at five severities of what differs between two exposures

Every column is scored by the same code on the same pixels. Nothing here is written to disk.
"""

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import keras
import numpy as np
import tensorflow as tf

from fgseg_tf.data.base import Data
from fgseg_tf.evaluation import baselines
from fgseg_tf.evaluation.example_picker import Case, Chooser
from fgseg_tf.evaluation.severity_ladder import climbed
from fgseg_tf.inference.flip_average import average_flipped, concat_flipped
from fgseg_tf.measures import metrics
from fgseg_tf.model.depth_code import decode_depth, encode_depth
from fgseg_tf.runs.run_folder import RunSettings

CASES = 6  # of each kind
NETWORK, BACKGROUND_DEPTH = "network", "background_depth"
MASK_NAMES = tuple(name for name in metrics.SCORES if name.startswith("mask/"))
DEPTH_NAMES = tuple(name for name in metrics.SCORES if not name.startswith("mask/"))


@dataclass(frozen=True)
class Evaluation:
    """scores: what goes into metrics.json. cases: of the last, hardest split; see `Chooser.chosen`."""

    scores: dict
    cases: dict[str, list[Case]]


def check(settings: RunSettings, data: Data, any_size: bool = False) -> None:
    """Refuses data on which the scores of a run, with these settings of run.json, would mean nothing."""
    if data.depth_unit != settings["depth_unit"]:
        raise ValueError(
            f"the run learned depth in the unit {settings['depth_unit']}, these data are in the unit "
            f"{data.depth_unit}; give data in {settings['depth_unit']}."
        )
    size = data.height, data.width
    height, width = settings["image_size"]
    trained = height, width
    if size != trained and not any_size:
        raise ValueError(
            f"the run learned from data of {_pixels(trained)} pixels, these are of {_pixels(size)}; "
            f"give data of {_pixels(trained)}, or `any_size` if you mean it."
        )
    if not tested(data):
        raise ValueError("these data have no test splits; make them again with a `holdout` over 0.")


def tested(data: Data) -> tuple[str, ...]:
    return tuple(split for split in data.test_splits if data.counts[split])


def evaluate(
    network: keras.Model,
    data: Data,
    size: tuple[int, int],
    batch: int,
    count: int,
    with_baselines: bool,
    ladder: int,
    progress: Callable,
    both_ways: bool = False,
) -> Evaluation:
    """Scores the network on `count` examples of every test split, or on all of them if 0.

    ladder: examples of the hardest split that are photographed at each severity; 0 for none.
    progress: makes what counts examples: progress(title, total, "examples"), a context with `add`.
    both_ways: score the mean of what the network answers to pictures and to their mirror images.
    """
    began = time.monotonic()
    seconds = {}
    compared = {}
    if with_baselines:
        baselines.opencv()
        if not data.counts.get("train"):
            raise ValueError("these data have no training examples to tune the baselines on; take `nobaselines`.")
        examples = min(baselines.TUNED_ON, data.counts["train"])
        with progress("tuning the baselines on", examples, "examples") as shown:
            compared = baselines.tuned(data.scoring("train", batch, size, examples))
            shown.add(examples)
        seconds["tuning"] = time.monotonic() - began
    scorer = _Scorer(network, compared, size, seconds, both_ways)
    splits = {}
    for split in tested(data):
        total = min(count, data.counts[split]) if count else data.counts[split]
        chooser = Chooser(total, CASES)
        with progress(split, total, "examples") as shown:
            for examples in data.scoring(split, batch, size, total):
                scorer.add(examples, chooser, data.name)
                shown.add(len(examples["index"]))
        splits[split] = {"examples": total, **scorer.result()}
    steps = []
    if ladder:
        climbing = time.monotonic()
        ladder = min(ladder, data.counts[split])
        steps = climbed(scorer.mask_of_network, data, split, size, batch, ladder, with_baselines, progress)
        seconds["ladder"] = time.monotonic() - climbing
    seconds["all"] = time.monotonic() - began
    return Evaluation(
        {
            "data": data.description,
            "digest": data.digest,
            "labels": data.labels,
            "depth_unit": data.depth_unit,
            "image_size": list(size),
            "both_ways": both_ways,
            "parameters": network.count_params(),
            "splits": splits,
            "ladder": steps,
            "thresholds": {name: asdict(baseline) for name, baseline in compared.items()},
            "seconds": {name: round(value, 2) for name, value in seconds.items()},
        },
        chooser.chosen(),
    )


class _Scorer:
    """Answers and scores of network and baselines, a batch at a time, with a table for each of them."""

    def __init__(self, network: keras.Model, compared: dict, size: tuple[int, int], seconds: dict, both_ways: bool):
        self._network, self._compared, self._seconds, self._both_ways = network, compared, seconds, both_ways
        self._tables = {NETWORK: metrics.WeightedMeans()}
        if compared:
            self._tables |= {name: metrics.WeightedMeans(MASK_NAMES) for name in compared}
            self._tables[BACKGROUND_DEPTH] = metrics.WeightedMeans(DEPTH_NAMES)
        # One trace for batches of any length: the last one of a split is shorter.
        picture, plane = (tf.TensorSpec([None, *size, channels]) for channels in (3, 1))
        everything = {"mask": plane, "depth": plane, "depth_code": plane}
        self._answer = tf.function(self._answer_of_network, input_signature=[picture, picture])
        self._score = tf.function(metrics.compute_scores, input_signature=[everything, everything])
        self._score_mask = tf.function(metrics.compute_scores, input_signature=[{"mask": plane}, {"mask": plane}])

    def add(self, batch: dict, chooser: Chooser, name: Callable) -> None:
        pictures = batch["bg"], batch["fg_bg"]
        target = _with_code({"mask": batch["mask"], "depth": batch["depth"]})
        with self._timed(NETWORK):
            predicted = {key: value.numpy() for key, value in self._answer(*pictures).items()}
        for key, values in predicted.items():
            if not np.isfinite(values).all():
                raise ValueError(
                    f"the network's {key} is not a number in places: its training went wrong; train again."
                )
        with self._timed("scores"):
            found = self._score(target, predicted)
            self._tables[NETWORK].update(found)
        for kind, baseline in self._compared.items():
            with self._timed(kind):
                mask = baseline(*pictures)
            with self._timed("scores"):
                self._tables[kind].update(self._score_mask({"mask": batch["mask"]}, {"mask": mask}))
        if self._compared:
            with self._timed("scores"):
                nobody = _with_code({"mask": tf.zeros_like(batch["mask"]), "depth": batch["bg_depth"]})
                scores = self._score(target, nobody)
                self._tables[BACKGROUND_DEPTH].update({key: scores[key] for key in DEPTH_NAMES})
        with self._timed("cases"):
            errors, known = (value.numpy() for value in found["depth/abs_rel"])
            arrays = {key: value.numpy() for key, value in batch.items()}
            chooser.add(arrays, predicted, found["mask/iou"][0].numpy(), np.where(known > 0, errors, np.nan), name)

    def result(self) -> dict:
        """Column -> scores of all since the last call."""
        found = {name: table.result() for name, table in self._tables.items()}
        for table in self._tables.values():
            table.reset()
        return found

    def mask_of_network(self, bg, fg_bg):
        return self._answer(bg, fg_bg)["mask"]

    def _answer_of_network(self, bg, fg_bg) -> dict:
        pictures = {"bg": bg, "fg_bg": fg_bg}
        if self._both_ways:
            pictures = {name: concat_flipped(value) for name, value in pictures.items()}
        predicted = self._network(pictures, training=False)
        mask, code = (
            average_flipped(predicted[name]) if self._both_ways else predicted[name] for name in ("mask", "depth")
        )
        return {"mask": mask, "depth": decode_depth(code), "depth_code": code}

    @contextmanager
    def _timed(self, name: str):
        began = time.monotonic()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - began


def _with_code(values: dict) -> dict:
    return {**values, "depth_code": encode_depth(values["depth"])}


def _pixels(size: tuple[int, int]) -> str:
    return "x".join(str(side) for side in size)
