"""Evaluates a trained network by split, with the baselines that it has to beat beside it.

    refuse what could not be compared -> tune the baselines on training examples
    -> for each test split: predictions of network and baselines, scores of all, typical and worst cases
    -> on the hardest split, the ladder: masks at five severities of what differs between two exposures

Every column is scored by the same code on the same pixels. Nothing here is written to disk.
"""

import time
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import cast

import keras
import numpy as np
import tensorflow as tf

from data_pipelines.runtime.progress import ProgressFactory
from fgseg_tf.data.base import Data
from fgseg_tf.evaluation import baselines
from fgseg_tf.evaluation.example_picker import Case, ExamplePicker
from fgseg_tf.evaluation.scores import Column, LadderStep, Scores, SplitScores
from fgseg_tf.evaluation.severity_ladder import evaluate_ladder
from fgseg_tf.inference.flip_average import average_flipped, concat_flipped
from fgseg_tf.inference.object_placing import ObjectPlacer
from fgseg_tf.measures import metrics
from fgseg_tf.model.depth_code import decode_depth, encode_depth
from fgseg_tf.runs.local_paths import hide_data
from fgseg_tf.runs.run_folder import RunSettings

CASES = 6  # of each kind
NETWORK, KNOWN_BACKGROUND, BACKGROUND_DEPTH = "network", "known_background", "background_depth"
MASK_NAMES = tuple(name for name in metrics.SCORES if name.startswith("mask/"))
DEPTH_NAMES = tuple(name for name in metrics.SCORES if not name.startswith("mask/"))


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation returns.

    Attributes:
        scores: What goes into metrics.json.
        cases: Examples of the last, hardest split, by kind; see `ExamplePicker.pick`.
    """

    scores: Scores
    cases: dict[str, list[Case]]


def check_data(settings: RunSettings, data: Data, any_size: bool = False) -> None:
    """Refuses data on which the scores of a run would mean nothing.

    Args:
        settings: Of the run, as in run.json.
        data: To score on.
        any_size: Whether data of another image size than the run's will do.

    Raises:
        ValueError: Says what differs and what to do.
    """
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
    if not list_test_splits(data):
        raise ValueError("these data have no test splits; make them again with a `holdout` over 0.")


def list_test_splits(data: Data) -> tuple[str, ...]:
    """Returns the test splits that have examples, the hardest last."""
    return tuple(split for split in data.test_splits if data.counts[split])


def evaluate(
    network: keras.Model,
    data: Data,
    size: tuple[int, int],
    batch: int,
    count: int,
    with_baselines: bool,
    ladder: int,
    progress: ProgressFactory,
    both_ways: bool = False,
    placer: ObjectPlacer | None = None,
) -> Evaluation:
    """Scores a network on every test split.

    Args:
        network: A network of `model.two_branch`, or one with the same inputs and outputs.
        data: Its test splits are scored; the baselines are tuned on its training split.
        size: Height and width at which examples are read.
        batch: Examples that are segmented together.
        count: Examples of each split; 0 for all.
        with_baselines: Whether to tune and score the baselines too.
        ladder: Examples of the hardest split at each severity; 0 for no ladder.
        progress: Counts examples.
        both_ways: Whether to average predictions over pictures and their mirror images.
        placer: Also scores depth as if that of the background were known, with objects placed by it.

    Raises:
        ValueError: There is nothing to tune the baselines on, or the network returns values that are not numbers.
    """
    began = time.monotonic()
    seconds: dict[str, float] = {}
    tuned: dict[str, baselines.Difference | baselines.Subtractor] = {}
    if with_baselines:
        baselines.import_opencv()
        if not data.counts.get("train"):
            raise ValueError("these data have no training examples to tune the baselines on; take `nobaselines`.")
        examples = min(baselines.TUNING_EXAMPLES, data.counts["train"])
        with progress("tuning the baselines on", examples, "examples") as counter:
            tuned = baselines.tune_baselines(data.scoring("train", batch, size, examples))
            counter.add(examples)
        seconds["tuning"] = time.monotonic() - began
    scorer = _Scorer(network, tuned, size, seconds, both_ways, placer)
    splits: dict[str, SplitScores] = {}
    for split in list_test_splits(data):
        total = min(count, data.counts[split]) if count else data.counts[split]
        picker = ExamplePicker(total, CASES)
        with progress(split, total, "examples") as counter:
            for examples in data.scoring(split, batch, size, total):
                scorer.add(examples, picker, data.name)
                counter.add(len(examples["index"]))
        splits[split] = cast(SplitScores, {"examples": total, **scorer.pop_scores()})
    steps: list[LadderStep] = []
    if ladder:
        ladder_began = time.monotonic()
        ladder = min(ladder, data.counts[split])
        steps = evaluate_ladder(scorer.segment, data, split, size, batch, ladder, with_baselines, progress)
        seconds["ladder"] = time.monotonic() - ladder_began
    seconds["all"] = time.monotonic() - began
    return Evaluation(
        {
            "data": hide_data(data.description),
            "digest": data.digest,
            "labels": data.labels,
            "depth_unit": data.depth_unit,
            "image_size": list(size),
            "both_ways": both_ways,
            "parameters": network.count_params(),
            "splits": splits,
            "ladder": steps,
            "thresholds": {name: asdict(baseline) for name, baseline in tuned.items()},
            "seconds": {name: round(value, 2) for name, value in seconds.items()},
        },
        picker.pick(),
    )


class _Scorer:
    """Predicts and scores with network and baselines, a batch at a time, with a table for each of them."""

    def __init__(
        self,
        network: keras.Model,
        tuned: dict,
        size: tuple[int, int],
        seconds: dict,
        both_ways: bool,
        placer: ObjectPlacer | None,
    ):
        self._network, self._tuned, self._seconds, self._both_ways = network, tuned, seconds, both_ways
        self._placer = placer
        self._tables = {NETWORK: metrics.WeightedMeans()}
        if placer:
            self._tables[KNOWN_BACKGROUND] = metrics.WeightedMeans(DEPTH_NAMES)
        if tuned:
            self._tables |= {name: metrics.WeightedMeans(MASK_NAMES) for name in tuned}
            self._tables[BACKGROUND_DEPTH] = metrics.WeightedMeans(DEPTH_NAMES)
        # One trace for batches of any length: the last one of a split is shorter. Nothing in it is for autograph.
        picture, plane = (tf.TensorSpec([None, *size, channels]) for channels in (3, 1))
        everything = {"mask": plane, "depth": plane, "depth_code": plane}
        self._predict = tf.function(self._predict_eagerly, input_signature=[picture, picture], autograph=False)
        self._score = tf.function(metrics.compute_scores, input_signature=[everything, everything], autograph=False)
        self._place = tf.function(
            self._place_eagerly, input_signature=[picture, picture, plane, plane], autograph=False
        )
        mask_alone = {"mask": plane}
        self._score_mask = tf.function(
            metrics.compute_scores, input_signature=[mask_alone, mask_alone], autograph=False
        )

    def add(self, batch: dict, picker: ExamplePicker, name: Callable[[int], str]) -> None:
        pictures = batch["bg"], batch["fg_bg"]
        target = _with_code({"mask": batch["mask"], "depth": batch["depth"]})
        with self._timed(NETWORK):
            predicted = {key: value.numpy() for key, value in self._predict(*pictures).items()}
        for key, values in predicted.items():
            if not np.isfinite(values).all():
                raise ValueError(
                    f"the network's {key} is not a number in places: its training went wrong; train again."
                )
        with self._timed("scores"):
            measured = self._score(target, predicted)
            self._tables[NETWORK].update(measured)
        if self._placer:
            with self._timed(KNOWN_BACKGROUND):
                depth = self._place(*pictures, batch["bg_depth"], predicted["mask"])
            with self._timed("scores"):
                scores = self._score(target, _with_code({"mask": predicted["mask"], "depth": depth}))
                self._tables[KNOWN_BACKGROUND].update({key: scores[key] for key in DEPTH_NAMES})
        for kind, baseline in self._tuned.items():
            with self._timed(kind):
                mask = baseline(*pictures)
            with self._timed("scores"):
                self._tables[kind].update(self._score_mask({"mask": batch["mask"]}, {"mask": mask}))
        if self._tuned:
            with self._timed("scores"):
                nobody = _with_code({"mask": tf.zeros_like(batch["mask"]), "depth": batch["bg_depth"]})
                scores = self._score(target, nobody)
                self._tables[BACKGROUND_DEPTH].update({key: scores[key] for key in DEPTH_NAMES})
        with self._timed("cases"):
            errors, known = (value.numpy() for value in measured["depth/abs_rel"])
            arrays = {key: value.numpy() for key, value in batch.items()}
            picker.add(arrays, predicted, measured["mask/iou"][0].numpy(), np.where(known > 0, errors, np.nan), name)

    def pop_scores(self) -> dict[str, Column]:
        """Returns the scores of all examples since the last call, by column."""
        scores = {name: table.result() for name, table in self._tables.items()}
        for table in self._tables.values():
            table.reset()
        return scores

    def segment(self, bg: tf.Tensor, fg_bg: tf.Tensor) -> tf.Tensor:
        return self._predict(bg, fg_bg)["mask"]

    def _predict_eagerly(self, bg, fg_bg) -> dict:
        pictures = {"bg": bg, "fg_bg": fg_bg}
        if self._both_ways:
            pictures = {name: concat_flipped(value) for name, value in pictures.items()}
        predicted = self._network(pictures, training=False)
        mask, code = (
            average_flipped(predicted[name]) if self._both_ways else predicted[name] for name in ("mask", "depth")
        )
        return {"mask": mask, "depth": decode_depth(code), "depth_code": code}

    def _place_eagerly(self, bg, fg_bg, bg_depth, mask) -> tf.Tensor:
        assert self._placer
        known = self._placer.encode(bg, bg_depth, bg_depth > 0)
        return self._placer.place(known, fg_bg, mask, mask)

    @contextmanager
    def _timed(self, name: str):
        began = time.monotonic()
        yield
        self._seconds[name] = self._seconds.get(name, 0.0) + time.monotonic() - began


def _with_code(values: dict) -> dict:
    return {**values, "depth_code": encode_depth(values["depth"])}


def _pixels(size: tuple[int, int]) -> str:
    return "x".join(str(side) for side in size)
