"""Depth labels of backgrounds from a teacher that knows near and far only: each is scaled by its own floor.

A background in which no floor is found has no metres. It is refused by name; or, as other pictures that cannot be used,
left out where the description says `skip_bad`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np

from data_pipelines.compositing.floor_scale import scale_to_floor
from data_pipelines.config import DatasetConfig
from data_pipelines.runtime.progress import Progress
from data_pipelines.sources.source_set import Sources, load_sources


class RelativeTeacher(Protocol):
    """A network that says near and far, as in `teacher/relative_teacher.py`, which is not imported here."""

    def predict_inverse_depth(self, picture: np.ndarray) -> np.ndarray:
        """Returns inverse depth in a unit of its own, float32 [H, W], of a picture, uint8 [H, W, 3]."""


def label_by_floors(sources: Sources, config: DatasetConfig, teacher: RelativeTeacher) -> np.ndarray:
    """Returns metres, float32 [backgrounds, height, width].

    Raises:
        ValueError: a background cannot be scaled; its name is in the sentence.
    """
    labels = _label_each(sources, config, teacher)
    _refuse_unscaled(sources, labels)
    return np.stack([label for label in labels if not isinstance(label, str)])


def leave_out_unscaled(
    sources: Sources, config: DatasetConfig, load_teacher: Callable
) -> tuple[Sources, tuple[int, ...]]:
    """Refuses the backgrounds that a relative teacher cannot give metres, or leaves them out where `skip_bad` says so.

    Args:
        sources: the pictures.
        config: the description of the data set.
        load_teacher: returns the teacher; called only where a relative one labels backgrounds.

    Returns:
        The sources, and which of the backgrounds are still in them.

    Raises:
        ValueError: a background cannot be scaled, or none is left.
    """
    everything = tuple(range(len(sources.backgrounds)))
    if not config.teacher.is_relative or config.labels != "ground":
        return sources, everything
    labels = _label_each(sources, config, load_teacher())
    if not config.sources.skip_bad:
        _refuse_unscaled(sources, labels)
    kept = tuple(number for number in everything if not isinstance(labels[number], str))
    if not kept:
        raise ValueError(f"no background gets metres; {sources.background_origins[0].source}: {labels[0]}.")
    refused = [
        (origin.source, f"gets no metres: {label}")
        for origin, label in zip(sources.background_origins, labels, strict=True)
        if isinstance(label, str)
    ]
    return replace(_keep(sources, kept), refused=(*sources.refused, *refused)), kept


def reload_kept(config: DatasetConfig, kept: Sequence[int]) -> Sources:
    """Reads the pictures of a data set anew, without those that were left out: on another machine, say."""
    return _keep(load_sources(config), kept)


def _refuse_unscaled(sources: Sources, labels: Sequence[np.ndarray | str]) -> None:
    for origin, label in zip(sources.background_origins, labels, strict=True):
        if isinstance(label, str):
            raise ValueError(
                f"{origin.source} gets no metres: {label}; take it out, go on without such pictures (`skip_bad`), or "
                "take a teacher of metres."
            )


def _keep(sources: Sources, kept: Sequence[int]) -> Sources:
    numbers = list(kept)
    return replace(
        sources,
        backgrounds=sources.backgrounds[numbers],
        background_origins=tuple(sources.background_origins[number] for number in numbers),
        field_of_view=sources.field_of_view[numbers],
        true_depth=None if sources.true_depth is None else sources.true_depth[numbers],
    )


def _label_each(sources: Sources, config: DatasetConfig, teacher: RelativeTeacher) -> list[np.ndarray | str]:
    """Returns the metres of each background, or why it has none."""
    own = config.teacher
    assert own.camera_height is not None  # the description is refused without it
    labels: list[np.ndarray | str] = []
    with Progress("labelling", len(sources.backgrounds), "backgrounds") as progress:
        for picture, field_of_view in zip(sources.backgrounds, sources.field_of_view, strict=True):
            inverse = teacher.predict_inverse_depth(picture)
            try:
                seed = config.seed % (1 << 32)
                label: np.ndarray | str = scale_to_floor(
                    inverse, own.camera_height, float(field_of_view), own.camera_tilt, seed
                )
            except ValueError as error:
                label = str(error)
            labels.append(label)
            progress.add()
    return labels
