"""The story: sources in, a finished data set out.

    1  claim the folder             an unfinished run of the same options goes on, another one is refused
    2  backgrounds and their depth  one shard; what the teacher saw is read back from it when a run goes on
    3  prepare                      floors, scaled cut-outs, splits
    4  composites -> records        one tf.data pipeline over everything that is still missing, cut into shards
    5  manifest                     counts, exact statistics, digests, options

The same sources, options and seed give the same records, whatever the number of shards, threads, workers or restarts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import reduce
from itertools import pairwise

import numpy as np
import tensorflow as tf

from data_pipelines.compositing import depth_labels as depths
from data_pipelines.compositing.plan import Prepared, background_depth, composed, plans, prepare
from data_pipelines.config import DatasetConfig
from data_pipelines.runtime.files import join_path
from data_pipelines.runtime.progress import Progress
from data_pipelines.sources.source_set import Sources
from data_pipelines.tfrecord import schema, shards
from data_pipelines.tfrecord.resume import claim, identity_of
from data_pipelines.tfrecord.shards import Note, Shard, ShardWriter, deal
from data_pipelines.tfrecord.statistics import add_up, of_backgrounds, summary

RECORDS_PER_SHARD = {
    "ground": 5000,
    "exact": 5000,
    "teacher": 1000,
}  # a few seconds of work, or minutes of the teacher's
WRITTEN_AT_ONCE = 64


def export(
    sources: Sources,
    config: DatasetConfig,
    output: str,
    *,
    load_teacher: Callable,
    teacher_identity: dict,
    teacher_batch: int = 8,
    shard_count: int = 0,
    compare_labels: int = 0,
    threads: int = 0,
    engine: Callable | None = None,
) -> dict:
    """Makes the data set in the folder `output` and answers its manifest.

    load_teacher: answers the teacher; called only when it has to look. teacher_identity: what the manifest says of it.
    shard_count: of each split; 0 chooses. compare_labels: on so many composites, how far what the labels say is from
    what the teacher sees. threads: 0 for all cores. engine: None for this process, or a function that makes the shards
    elsewhere (data_pipelines.beam).
    """
    identity = identity_of(sources, config, teacher_identity, shard_count, compare_labels)
    if finished := claim(output, identity):
        return finished
    background_note, codes = _backgrounds(sources, config, output, load_teacher, teacher_batch)
    prepared = prepare(sources, codes, config)
    disagreement = _compare(prepared, load_teacher(), teacher_batch, compare_labels) if compare_labels else None
    teacher = load_teacher() if config.labels == "teacher" else None  # the others have their labels already
    wanted = [
        shard
        for split in prepared.splits
        for shard in deal(split.name, split.count, shard_count or -(-split.count // RECORDS_PER_SHARD[config.labels]))
    ]
    notes = {shard: shards.finished(output, shard.name, shard.count) for shard in wanted}
    missing = [shard for shard in wanted if notes[shard] is None]
    if engine is not None:
        notes |= engine(missing, output)
    else:
        with Progress("composites", sum(shard.count for shard in wanted), "records") as progress:
            progress.already(sum(shard.count for shard in wanted if notes[shard]))
            notes |= make_shards(prepared, missing, output, teacher, teacher_batch, threads, progress.add)
    manifest = _manifest(sources, prepared, identity, background_note, notes, disagreement)
    shards.write_manifest(output, manifest)
    return shards.read_manifest(output)


def make_shards(
    prepared: Prepared,
    wanted: Sequence[Shard],
    output: str,
    teacher: depths.Teacher | None,
    teacher_batch: int,
    threads: int = 0,
    on_records: Callable[[int], None] = lambda count: None,
) -> dict[Shard, Note]:
    """Makes shards, in order, in one pipeline; on_records(count) is told as records are written."""
    background_sums = of_backgrounds(prepared.backgrounds, prepared.depth_codes)
    batches = _batches(prepared, wanted, teacher, teacher_batch, threads)
    return {shard: _write_shard(prepared, shard, batches, background_sums, output, on_records) for shard in wanted}


def _write_shard(prepared: Prepared, shard: Shard, batches, background_sums, output: str, on_records) -> Note:
    writer = ShardWriter(output, shard.name)
    sums = None
    while shard.count > (sums["records"] if sums else 0):
        batch = next(batches)
        for record in _records(prepared, batch):
            writer.write(schema.serialize(record, schema.COMPOSITE))
        sums = add_up(sums, batch, background_sums, prepared.config.labels == "teacher")
        on_records(len(batch["index"]))
    assert sums is not None  # no shard is empty
    return writer.finish(sums)


def _batches(prepared: Prepared, wanted: Sequence[Shard], teacher, teacher_batch: int, threads: int) -> Iterator[dict]:
    """Encoded composites of the shards, in order, in batches of numpy arrays that end where a shard does."""
    dataset = encoded(prepared, planned(prepared, wanted), teacher, teacher_batch)
    dataset = dataset.batch(WRITTEN_AT_ONCE).prefetch(2).with_options(threading(threads, teacher is not None))
    ends = np.cumsum([shard.count for shard in wanted])
    at = 0
    for batch in dataset.as_numpy_iterator():
        size = len(batch["index"])
        cuts = [0, *(end - at for end in ends if at < end < at + size), size]
        for begin, end in pairwise(cuts):
            yield {key: value[begin:end] for key, value in batch.items()}
        at += size


def planned(prepared: Prepared, wanted: Sequence[Shard]) -> tf.data.Dataset:
    """The plans of all composites of the shards, one after the other."""
    splits = {split.name: split for split in prepared.splits}
    runs = [plans(prepared, splits[run[0].split], run[0].first, sum(s.count for s in run)) for run in _runs(wanted)]
    return reduce(lambda one, other: one.concatenate(other), runs)


def encoded(
    prepared: Prepared, planned: tf.data.Dataset, teacher: depths.Teacher | None, teacher_batch: int
) -> tf.data.Dataset:
    """Plans -> their composites, with pictures as JPEG and PNG and what a record says of them.

    Besides a record's pictures: index, foreground and flipped [k], count, bg_flipped, bg_index, mask_box, depth_box,
    and the sums of `compose`.
    """
    height, width = prepared.config.height, prepared.config.width

    def finish(element, depth, depth_box):
        return {
            **element,
            "fg_bg": schema.encode_picture(element["fg_bg"], prepared.config.jpeg_quality),
            "depth": schema.encode_labels(depth),
            "depth_box": depth_box,
        }

    def make(plan):
        made = composed(prepared, plan)
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
        return finish(element, made["depth"], made["box"]) if teacher is None else element

    def finish_seen(element):
        codes = depths.to_code(element.pop("metres"))[..., None]
        values = tf.cast(codes, tf.float64)
        element["depth_sums"] = tf.stack([tf.reduce_sum(values), tf.reduce_sum(values * values)])
        return finish(element, codes, tf.constant([0, 0, height, width]))

    made = planned.map(make, num_parallel_calls=tf.data.AUTOTUNE)
    if teacher is None:
        return made
    return depths.label(made, teacher, teacher_batch).map(finish_seen, num_parallel_calls=tf.data.AUTOTUNE)


def _records(prepared: Prepared, batch: dict) -> Iterator[dict]:
    # Lists of the whole batch at once: taking numbers out of arrays one by one is slow.
    lists = {key: value.tolist() for key, value in batch.items() if key not in ("fg_bg", "mask", "depth")}
    for at, index in enumerate(lists["index"]):
        count = lists["count"][at]
        yield {
            "name": prepared.grid.name(index),
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


def _runs(wanted: Sequence[Shard]) -> list[list[Shard]]:
    """Neighbouring shards of one split, so that one pipeline makes them all."""
    runs: list[list[Shard]] = []
    for shard in wanted:
        last = runs[-1][-1] if runs else None
        if last and last.split == shard.split and last.first + last.count == shard.first:
            runs[-1].append(shard)
        else:
            runs.append([shard])
    return runs


def threading(threads: int, with_teacher: bool) -> tf.data.Options:
    options = tf.data.Options()
    options.deterministic = True
    options.threading.private_threadpool_size = threads
    if not with_teacher:
        # One composite is one thread's work; more threads inside an op only get in each other's way.
        options.threading.max_intra_op_parallelism = 1
    return options


def _backgrounds(
    sources: Sources, config: DatasetConfig, output: str, load_teacher, batch: int
) -> tuple[Note, np.ndarray]:
    """The shard of backgrounds, made or read back, and their depth codes."""
    if note := shards.finished(output, shards.BACKGROUNDS, len(sources.backgrounds)):
        return note, stored_depth(config, output)
    codes = background_depth(sources, config, load_teacher, batch)
    writer = ShardWriter(output, shards.BACKGROUNDS)
    for number, origin in enumerate(sources.background_origins):
        record = {
            "name": f"bg{number:03d}",
            "source": origin.source,
            "bg_index": number,
            "bg": schema.encode_picture(sources.backgrounds[number], config.jpeg_quality).numpy(),
            "depth": schema.encode_labels(codes[number][..., None]).numpy(),
        }
        writer.write(schema.serialize(record, schema.BACKGROUND))
    return writer.finish({}), codes


def stored_depth(config: DatasetConfig, output: str) -> np.ndarray:
    """The depth codes of the backgrounds that are in a data set: uint16 [backgrounds, height, width]."""
    path = join_path(output, shards.BACKGROUNDS)
    _, _, codes = schema.read_backgrounds(path, config.height, config.width)
    return codes[..., 0]


def _compare(prepared: Prepared, teacher, batch: int, count: int) -> dict:
    """How far the labels from geometry are from what the teacher sees, on the first composites of the first split."""
    if prepared.config.labels == "teacher":
        raise ValueError(
            "`compare_labels` compares ground or exact labels with the teacher's; `labels` is teacher already."
        )
    split = prepared.splits[0]
    made = plans(prepared, split, 0, min(count, split.count)).map(
        lambda plan: {**{key: plan[key] for key in ("background", "background_flipped")}, **composed(prepared, plan)}
    )
    pictures = made.map(lambda element: {"fg_bg": element["fg_bg"]})
    seen = np.stack([element["metres"] for element in depths.label(pictures, teacher, batch).as_numpy_iterator()])
    said = []
    for element in made.as_numpy_iterator():
        codes = prepared.depth_codes[element["background"]]
        codes = (codes[:, ::-1] if element["background_flipped"] else codes).copy()
        top, left, bottom, right = element["box"]
        patch = element["depth"][..., 0]
        codes[top:bottom, left:right] = np.where(patch > 0, patch, codes[top:bottom, left:right])
        said.append(depths.from_code(codes).numpy())
    return {"composites": len(said), **depths.disagreement(np.stack(said), seen)}


def _manifest(sources: Sources, prepared: Prepared, identity: dict, background_note: Note, notes, disagreement) -> dict:
    config = prepared.config
    splits = {}
    for split in prepared.splits:
        own = {shard: note for shard, note in notes.items() if shard.split == split.name}
        splits[split.name] = {
            "records": split.count,
            "bytes": sum(note.bytes for note in own.values()),
            "backgrounds": list(split.backgrounds),
            "foregrounds": list(split.foregrounds),
            "statistics": summary([note.sums for note in own.values()], depths.DEPTH_SCALE),
            "shards": [_file(shard.name, note) for shard, note in own.items()],
        }
    return {
        "schema_version": schema.SCHEMA_VERSION,
        "image_size": [config.height, config.width],
        "depth_unit": depths.DEPTH_UNIT,
        "depth_scale": depths.DEPTH_SCALE,
        "labels": config.labels,
        "records": sum(split["records"] for split in splits.values()),
        "bytes": background_note.bytes + sum(split["bytes"] for split in splits.values()),
        "statistics": summary([note.sums for note in notes.values()], depths.DEPTH_SCALE),
        "grid": asdict(prepared.grid),
        "splits": splits,
        "backgrounds": _file(shards.BACKGROUNDS, background_note),
        "label_disagreement": disagreement,
        "backgrounds_without_floor": list(prepared.without_floor),
        "refused_sources": [list(pair) for pair in sources.refused],
        "options": identity,
    }


def _file(name: str, note: Note) -> dict:
    return {"file": name, "records": note.records, "bytes": note.bytes, "sha256": note.sha256}
