"""What metrics.json holds: the scores of an evaluation, by split and by severity."""

from collections.abc import Iterable
from typing import Any, TypedDict, cast

from data_pipelines.runtime.files import read_json
from data_pipelines.runtime.notes import Note

REMEDY = "evaluate again"

# Scores of the network or of a baseline, by the names of `metrics.SCORES`; None where there was nothing to measure.
Column = dict[str, float | None]


class _Columns(TypedDict, total=False):
    difference: Column
    mog2: Column
    knn: Column
    known_background: Column
    background_depth: Column


class SplitScores(_Columns):
    """The scores of a split.

    Keys:
        examples: How many were scored.
        network: Scores of the network.
        difference, mog2, knn: Scores of masks of the baselines, if they were compared.
        known_background: Scores of depth as a camera knows it that was calibrated with the background's true depth,
            likewise.
        background_depth: Scores of the background's true depth, likewise.
    """

    examples: int
    network: Column


class LadderStep(_Columns):
    """The scores of masks at one severity.

    Keys:
        severity: Of what differs between two exposures: 0, composites as they are, to 4.
        split: That the examples are from.
        examples: How many were scored.
        network: Scores of the network.
        difference, mog2, knn: Scores of the baselines, if they were compared.
    """

    severity: int
    split: str
    examples: int
    network: Column


class _TrainedOn(TypedDict, total=False):
    trained_on_these_data: bool


class Scores(_TrainedOn):
    """All of metrics.json.

    Keys:
        data: Describes the data set; see `Data.description`.
        digest: Of the data set.
        labels: How its depth was labelled.
        depth_unit: "metre" or "relative".
        image_size: Height and width at which examples were scored.
        both_ways: Whether predictions were averaged over mirror images.
        parameters: Of the network.
        splits: By name, the hardest last.
        ladder: By severity, the lowest first; empty without it.
        thresholds: Of the baselines, by name: the fields of `Difference` or `Subtractor`.
        seconds: That each part took.
        trained_on_these_data: Whether the run was trained on the same data set; added by the command.
    """

    data: dict[str, Any]
    digest: str
    labels: str
    depth_unit: str
    image_size: list[int]
    both_ways: bool
    parameters: int
    splits: dict[str, SplitScores]
    ladder: list[LadderStep]
    thresholds: dict[str, dict[str, Any]]
    seconds: dict[str, float]


def read_scores(path: str, wanted: Iterable[str] = ()) -> Scores:
    """Reads what metrics.json says of splits, which is what trainings are compared by.

    Args:
        path: Of the file.
        wanted: Scores of the network that every split must have.

    Raises:
        ValueError: it is not what it must be: which file, which key.
    """
    scores = read_json(path, REMEDY)
    splits = Note(scores, path, REMEDY).take_note("splits")
    for name in splits:
        split = splits.take_note(name)
        split.take_whole("examples")
        network = split.take_note("network")
        for key in network:
            network.take_optional(network.take_number, key)
        for key in wanted:
            network.take_number(key)
    if not scores["splits"]:
        raise Note(scores, path, REMEDY).refuse("splits", "is empty")
    return cast(Scores, scores)


def get_column(scores: SplitScores | LadderStep, name: str) -> Column | None:
    """Returns the column of that name, or None if it was not measured."""
    return scores.get(name)  # type: ignore[return-value]  # a key that is not a literal
