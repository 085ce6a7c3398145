"""Makes a data set: sources in, a finished folder of shards out.

    1  claim the folder             an unfinished run of the same options goes on, another one is refused
    2  backgrounds and their depth  one shard; the teacher's depth is read back from it when a run goes on
    3  build_compositor             floors, scaled cutouts, splits
    4  composites -> records        one tf.data pipeline over everything that is still missing, divided into shards
    5  manifest                     counts, exact statistics, digests, options

The same sources, options and seed give the same records, whatever the number of shards, threads, workers or restarts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from itertools import pairwise
from typing import Any, TypedDict, cast

import numpy as np
import tensorflow as tf

from data_pipelines.compositing import depth_labels as depths
from data_pipelines.compositing.compositor import Compositor, build_compositor
from data_pipelines.config import DatasetConfig
from data_pipelines.runtime.files import is_local
from data_pipelines.runtime.locks import lock_folder
from data_pipelines.runtime.notes import clean_text, name_file
from data_pipelines.runtime.pipelines import disable_tuner
from data_pipelines.runtime.progress import Progress
from data_pipelines.runtime.signals import describe_stop
from data_pipelines.sources.source_set import Sources
from data_pipelines.tfrecord import schema
from data_pipelines.tfrecord.background_shard import make_backgrounds
from data_pipelines.tfrecord.manifest import (
    FORMAT,
    Manifest,
    Options,
    SplitEntry,
    make_shard_entry,
    read_manifest,
    write_manifest,
)
from data_pipelines.tfrecord.resume import claim_folder, make_options
from data_pipelines.tfrecord.shards import (
    BACKGROUNDS,
    Note,
    Shard,
    ShardWriter,
    divide_split,
    read_note,
    remove_unfinished,
)
from data_pipelines.tfrecord.statistics import BackgroundSums, Sums, add_batch, sum_backgrounds, summarize

RECORDS_PER_SHARD = {
    "ground": 5000,
    "exact": 5000,
    "teacher": 1000,
}  # a few seconds of work, or minutes of the teacher's
WRITTEN_AT_ONCE = 64


class EncodedBatch(TypedDict):
    """Composites, ready to be written: numpy arrays over n of them.

    Keys:
        index: int64 [n].
        bg_index, bg_flipped: int64 and bool [n].
        count: [n], how many cutouts are in each.
        foreground, flipped: [n, k], which cutouts from far to near, and whether each is mirrored; `count` of them hold.
        fg_bg, mask, depth: bytes [n], encoded.
        mask_box, depth_box: [n, 4], the part of the picture that `mask` and `depth` are of.
        fg_bg_sums, mask_sums, depth_sums: see `CompositeSums`.
    """

    index: np.ndarray
    bg_index: np.ndarray
    bg_flipped: np.ndarray
    count: np.ndarray
    foreground: np.ndarray
    flipped: np.ndarray
    fg_bg: np.ndarray
    mask: np.ndarray
    depth: np.ndarray
    mask_box: np.ndarray
    depth_box: np.ndarray
    fg_bg_sums: np.ndarray
    mask_sums: np.ndarray
    depth_sums: np.ndarray


# Makes shards, given those that are missing and the folder; returns the note of each.
Engine = Callable[[Sequence[Shard], str], dict[Shard, Note]]


def export_dataset(
    sources: Sources,
    config: DatasetConfig,
    output: str,
    *,
    load_teacher: Callable[[], depths.Teacher],
    teacher_identity: Mapping[str, Any],
    teacher_batch: int = 8,
    shard_count: int = 0,
    compare_labels: int = 0,
    threads: int = 0,
    engine: Engine | None = None,
) -> Manifest:
    """Makes the data set in the folder `output`, or the rest of it where an earlier run was stopped.

    Args:
        sources: the pictures that it is made from.
        config: its description.
        output: its folder, local or on gs://.
        load_teacher: returns the teacher; called only when it has to look.
        teacher_identity: what the manifest says of the teacher.
        teacher_batch: pictures that it looks at together.
        shard_count: of each split; 0 chooses.
        compare_labels: on how many composites the labels are compared with what the teacher sees.
        threads: 0 for all cores.
        engine: makes the shards elsewhere, as that of `data_pipelines.tfrecord.beam`; None for this process.

    Returns:
        The manifest.

    Raises:
        DatasetError: the folder holds another data set, or something else.
        LockedError: another process is making a data set there.
    """
    options = make_options(sources, config, teacher_identity, shard_count, compare_labels)
    # Held by this process alone, also where an engine has others do the work.
    with lock_folder(output), describe_stop("; finished shards are kept: start again with the same flags to go on"):
        if not (manifest := claim_folder(output, options)):
            manifest = _make_what_is_missing(
                sources, config, output, options, load_teacher, teacher_batch, compare_labels, threads, engine
            )
        return manifest


def _make_what_is_missing(
    sources: Sources,
    config: DatasetConfig,
    output: str,
    options: Options,
    load_teacher: Callable[[], depths.Teacher],
    teacher_batch: int,
    compare_labels: int,
    threads: int,
    engine: Engine | None,
) -> Manifest:
    """Makes the files of a data set that are not there yet; the folder is claimed and locked."""
    if is_local(output):  # where nobody else can be writing
        remove_unfinished(output)
    background_note, codes = make_backgrounds(sources, config, output, load_teacher, teacher_batch)
    compositor = build_compositor(sources, codes, config)
    disagreement = (
        _compare_labels(compositor, load_teacher(), teacher_batch, compare_labels) if compare_labels else None
    )
    teacher = load_teacher() if config.labels == "teacher" else None  # the others have their labels already
    wanted = [
        shard
        for split in compositor.splits
        for shard in divide_split(
            split.name, split.count, options["shards"] or -(-split.count // RECORDS_PER_SHARD[config.labels])
        )
    ]
    finished = {shard: read_note(output, shard.name, shard.count) for shard in wanted}
    for shard, note in finished.items():
        if note and note.sums.keys() != Sums.__annotations__.keys():
            finished[shard] = None  # nothing could be reckoned from it
    missing = [shard for shard in wanted if finished[shard] is None]
    if engine is not None:
        made = engine(missing, output)
    else:
        with Progress("composites", sum(shard.count for shard in wanted), "records") as progress:
            progress.add_earlier(sum(shard.count for shard in wanted if finished[shard]))
            made = make_shards(compositor, missing, output, teacher, teacher_batch, threads, progress.add)
    notes = {shard: finished[shard] or made[shard] for shard in wanted}
    remove_unfinished(output)
    write_manifest(output, _build_manifest(sources, compositor, options, background_note, notes, disagreement))
    return read_manifest(output)


def make_shards(
    compositor: Compositor,
    wanted: Sequence[Shard],
    output: str,
    teacher: depths.Teacher | None,
    teacher_batch: int,
    threads: int = 0,
    on_records: Callable[[int], None] = lambda count: None,
) -> dict[Shard, Note]:
    """Makes shards, in order, in one pipeline.

    Args:
        compositor: what composites are made from.
        wanted: the shards.
        output: folder of the data set.
        teacher: labels the composites; None where geometry does.
        teacher_batch: pictures that it looks at together.
        threads: 0 for all cores.
        on_records: called with the number of records whenever some were written, as `ProgressReporter.add` is.

    Returns:
        The note of each shard.
    """
    background_sums = sum_backgrounds(compositor.pictures, compositor.depth_codes)
    batches = _encode_batches(compositor, wanted, teacher, teacher_batch, threads)
    return {shard: _write_shard(compositor, shard, batches, background_sums, output, on_records) for shard in wanted}


def _write_shard(
    compositor: Compositor,
    shard: Shard,
    batches: Iterator[EncodedBatch],
    background_sums: BackgroundSums,
    output: str,
    on_records: Callable[[int], None],
) -> Note:
    sums: Sums | None = None
    with ShardWriter(output, shard.name) as writer:
        while shard.count > (sums["records"] if sums else 0):
            batch = next(batches)
            for record in _take_apart(compositor, batch):
                writer.write(schema.serialize(record, schema.COMPOSITE))
            sums = add_batch(sums, batch, background_sums, compositor.config.labels == "teacher")
            on_records(len(batch["index"]))
        assert sums is not None  # no shard is empty
        return writer.finish(sums)


def _encode_batches(
    compositor: Compositor, wanted: Sequence[Shard], teacher: depths.Teacher | None, teacher_batch: int, threads: int
) -> Iterator[EncodedBatch]:
    """Yields the composites of the shards, in order, in batches of numpy arrays that end where a shard does."""
    dataset = encode_composites(compositor, plan_shards(compositor, wanted), teacher, teacher_batch)
    dataset = dataset.batch(WRITTEN_AT_ONCE).prefetch(2).with_options(pipeline_options(threads, teacher is not None))
    ends = np.cumsum([shard.count for shard in wanted])
    at = 0
    for batch in disable_tuner(dataset).as_numpy_iterator():
        size = len(batch["index"])
        cuts = [0, *(end - at for end in ends if at < end < at + size), size]
        for begin, end in pairwise(cuts):
            yield cast(EncodedBatch, {key: value[begin:end] for key, value in batch.items()})
        at += size


def plan_shards(compositor: Compositor, wanted: Sequence[Shard]) -> tf.data.Dataset:
    """Returns the plans of all composites of the shards, one after the other."""
    splits = {split.name: split for split in compositor.splits}
    runs = [
        compositor.plan_run(splits[run[0].split], run[0].first, sum(s.count for s in run))
        for run in _join_neighbours(wanted)
    ]
    return reduce(lambda one, other: one.concatenate(other), runs)


def encode_composites(
    compositor: Compositor, planned: tf.data.Dataset, teacher: depths.Teacher | None, teacher_batch: int
) -> tf.data.Dataset:
    """Turns plans into composites, with pictures as JPEG and PNG: elements like an `EncodedBatch`, but one by one."""
    height, width = compositor.config.height, compositor.config.width

    def add_depth(element, depth, depth_box):
        return {
            **element,
            "fg_bg": schema.encode_picture(element["fg_bg"], compositor.config.jpeg_quality),
            "depth": schema.encode_labels(depth),
            "depth_box": depth_box,
        }

    def make(plan):
        made = compositor.compose(plan)
        element = {
            "index": plan["index"],
            "bg_index": plan["background"],
            "bg_flipped": plan["background_flipped"],
            "count": plan["count"],
            "foreground": plan["foreground"],
            "flipped": plan["flipped"],
            "fg_bg": made["fg_bg"],
            "fg_bg_sums": made["fg_bg_sums"],
            "mask": schema.encode_labels(made["mask"]),
            "mask_box": made["box"],
            "mask_sums": made["mask_sums"],
            "depth_sums": made["depth_sums"],
        }
        return add_depth(element, made["depth"], made["box"]) if teacher is None else element

    def add_teacher_depth(element):
        codes = depths.encode_depth(element.pop("metres"))[..., None]
        values = tf.cast(codes, tf.float64)
        element["depth_sums"] = tf.stack([tf.reduce_sum(values), tf.reduce_sum(values * values)])
        return add_depth(element, codes, tf.constant([0, 0, height, width]))

    made = planned.map(make, num_parallel_calls=tf.data.AUTOTUNE)
    if teacher is None:
        return made
    return depths.label_composites(made, teacher, teacher_batch).map(
        add_teacher_depth, num_parallel_calls=tf.data.AUTOTUNE
    )


def _take_apart(compositor: Compositor, batch: EncodedBatch) -> Iterator[schema.CompositeRecord]:
    """Yields the records of a batch."""
    # Lists of the whole batch at once: taking numbers out of arrays one by one is slow.
    arrays = cast(dict[str, np.ndarray], batch)
    lists = {key: value.tolist() for key, value in arrays.items() if key not in ("fg_bg", "mask", "depth")}
    for at, index in enumerate(lists["index"]):
        count = lists["count"][at]
        yield {
            "name": compositor.grid.format_name(index),
            "index": index,
            "bg_index": lists["bg_index"][at],
            "bg_flipped": int(lists["bg_flipped"][at]),
            "fg_index": lists["foreground"][at][:count],
            "fg_flipped": [int(flipped) for flipped in lists["flipped"][at][:count]],
            "fg_bg": batch["fg_bg"][at],
            "mask": batch["mask"][at],
            "mask_box": lists["mask_box"][at],
            "depth": batch["depth"][at],
            "depth_box": lists["depth_box"][at],
        }


def _join_neighbours(wanted: Sequence[Shard]) -> list[list[Shard]]:
    """Puts neighbouring shards of one split together, so that one pipeline makes them all."""
    runs: list[list[Shard]] = []
    for shard in wanted:
        last = runs[-1][-1] if runs else None
        if last and last.split == shard.split and last.first + last.count == shard.first:
            runs[-1].append(shard)
        else:
            runs.append([shard])
    return runs


def pipeline_options(threads: int, with_teacher: bool) -> tf.data.Options:
    """Returns the options of a pipeline that makes composites. threads: 0 for all cores."""
    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = threads
    if not with_teacher:
        # One composite is one thread's work; more threads inside an op only get in each other's way.
        options.threading.max_intra_op_parallelism = 1
    return options


def _compare_labels(compositor: Compositor, teacher: depths.Teacher, batch: int, count: int) -> dict[str, float]:
    """Measures how far the labels are from what the teacher sees, on the first composites of the first split."""
    if compositor.config.labels == "teacher":
        raise ValueError(
            "`compare_labels` compares ground or exact labels with the teacher's; `labels` is teacher already."
        )
    split = compositor.splits[0]
    made = compositor.plan_run(split, 0, min(count, split.count)).map(
        lambda plan: {**{key: plan[key] for key in ("background", "background_flipped")}, **compositor.compose(plan)}
    )
    pictures = made.map(lambda element: {"fg_bg": element["fg_bg"]})
    by_teacher = [
        element["metres"]
        for element in disable_tuner(depths.label_composites(pictures, teacher, batch)).as_numpy_iterator()
    ]
    by_labels = []
    for element in disable_tuner(made).as_numpy_iterator():
        codes = compositor.depth_codes[element["background"]]
        codes = (codes[:, ::-1] if element["background_flipped"] else codes).copy()
        top, left, bottom, right = element["box"]
        patch = element["depth"][..., 0]
        codes[top:bottom, left:right] = np.where(patch > 0, patch, codes[top:bottom, left:right])
        by_labels.append(depths.decode_depth(codes).numpy())
    return {"composites": len(by_labels), **depths.compare_depths(np.stack(by_labels), np.stack(by_teacher))}


def _build_manifest(
    sources: Sources,
    compositor: Compositor,
    options: Options,
    background_note: Note,
    notes: Mapping[Shard, Note],
    disagreement: dict[str, float] | None,
) -> Manifest:
    config = compositor.config
    splits: dict[str, SplitEntry] = {}
    for split in compositor.splits:
        own = {shard: note for shard, note in notes.items() if shard.split == split.name}
        splits[split.name] = {
            "records": split.count,
            "bytes": sum(note.bytes for note in own.values()),
            "backgrounds": list(split.backgrounds),
            "foregrounds": list(split.foregrounds),
            "statistics": summarize([note.sums for note in own.values()], depths.DEPTH_SCALE),
            "shards": [make_shard_entry(shard.name, note) for shard, note in own.items()],
        }
    grid = compositor.grid
    return {
        "format": FORMAT,
        "schema_version": schema.SCHEMA_VERSION,
        "image_size": [config.height, config.width],
        "depth_unit": depths.DEPTH_UNIT,
        "depth_scale": depths.DEPTH_SCALE,
        "labels": config.labels,
        "records": sum(split["records"] for split in splits.values()),
        "bytes": background_note.bytes + sum(split["bytes"] for split in splits.values()),
        "statistics": summarize([note.sums for note in notes.values()], depths.DEPTH_SCALE),
        "grid": {"backgrounds": grid.backgrounds, "foregrounds": grid.foregrounds, "places": grid.places},
        "splits": splits,
        "backgrounds": make_shard_entry(BACKGROUNDS, background_note),
        "label_disagreement": disagreement,
        "backgrounds_without_floor": list(compositor.without_floor),
        "refused_sources": [[name_file(path), clean_text(reason)] for path, reason in sources.refused],
        "options": options,
    }
