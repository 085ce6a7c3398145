"""The shard of backgrounds: each with its depth, which every composite before it takes from there."""

import dataclasses
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from data_pipelines.compositing import depth_labels as depths
from data_pipelines.compositing.compositor import label_backgrounds
from data_pipelines.config import DatasetConfig
from data_pipelines.runtime.files import join_path, write_atomic
from data_pipelines.runtime.notes import name_file
from data_pipelines.sources.source_set import Sources
from data_pipelines.tfrecord import schema
from data_pipelines.tfrecord.shards import BACKGROUNDS, PROGRESS, Note, ShardWriter, read_note


def make_backgrounds(
    sources: Sources, config: DatasetConfig, output: str, load_teacher: Callable[[], depths.Teacher], batch: int
) -> tuple[Note, np.ndarray]:
    """Makes the shard of backgrounds, or reads it back; returns its note and the depth codes of the backgrounds."""
    if note := read_note(output, BACKGROUNDS, len(sources.backgrounds)):
        return note, read_background_depth(config, output)
    if config.labels == "exact" or config.teacher.is_relative:
        codes = label_backgrounds(sources, config, load_teacher, batch)
    else:
        codes = _label_what_is_left(sources, config, output, load_teacher, batch)
    with ShardWriter(output, BACKGROUNDS) as writer:
        for number, origin in enumerate(sources.background_origins):
            record: schema.BackgroundRecord = {
                "name": f"bg{number:03d}",
                "source": name_file(origin.source),
                "bg_index": number,
                "bg": schema.encode_picture(sources.backgrounds[number], config.jpeg_quality).numpy(),
                "depth": schema.encode_labels(codes[number][..., None]).numpy(),
            }
            writer.write(schema.serialize(record, schema.BACKGROUND))
        return writer.finish({}), codes


def read_background_depth(config: DatasetConfig, output: str) -> np.ndarray:
    """Reads the depth codes of the backgrounds that are in a data set: uint16 [backgrounds, height, width]."""
    path = join_path(output, BACKGROUNDS)
    _, _, codes = schema.read_backgrounds(path, config.height, config.width)
    return codes[..., 0]


def _label_what_is_left(
    sources: Sources, config: DatasetConfig, output: str, load_teacher: Callable[[], depths.Teacher], batch: int
) -> np.ndarray:
    """Returns the codes of `label_backgrounds`; what the teacher said before a kill is read back, not asked again.

    A teacher looks for seconds at a picture, and no label depends on the pictures beside it.
    """
    shape = sources.backgrounds.shape[:3]
    codes = np.zeros(shape, np.uint16)
    paths = [join_path(output, PROGRESS, f"background-{number:05d}.png") for number in range(shape[0])]
    missing = []
    for number, path in enumerate(paths):
        kept = _read_codes(path, shape[1:])
        if kept is None:
            missing.append(number)
        else:
            codes[number] = kept
    for first in range(0, len(missing), batch):
        chosen = missing[first : first + batch]
        part = dataclasses.replace(
            sources,
            backgrounds=sources.backgrounds[chosen],
            background_origins=tuple(sources.background_origins[number] for number in chosen),
            field_of_view=sources.field_of_view[chosen],
            true_depth=None,
        )
        for number, labels in zip(chosen, label_backgrounds(part, config, load_teacher, batch), strict=True):
            codes[number] = labels
            write_atomic(paths[number], schema.encode_labels(labels[..., None]).numpy())
    return codes


def _read_codes(path: str, size: tuple[int, ...]) -> np.ndarray | None:
    """Returns the codes, uint16 [height, width], that were kept of a background; None where they have to be made."""
    try:
        with tf.io.gfile.GFile(path, "rb") as file:
            codes = tf.io.decode_png(file.read(), channels=1, dtype=tf.uint16).numpy()[..., 0]
    except tf.errors.OpError:  # none there, or a damaged one
        return None
    return codes if codes.shape == size and codes.all() else None
