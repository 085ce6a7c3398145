"""Is a data set what its manifest says? Everything is read back: files, records, pictures, labels, statistics.

What is looked at, and what it would catch:

    files         there, of the size and SHA-256 that the manifest says; nothing that does not belong
    records       framed, parsed, in the promised order; none twice, none missing
    names         name, index, background and cut-outs agree; every source is one of the split's
    pictures      decode, at the data set's size; mask_box and depth_box lie inside and fit what is stored
    labels        depth known everywhere; objects only where the mask is; far from the mask, fg_bg is its background
    statistics    of mask and depth exactly those of the manifest, of bg and fg_bg but for what JPEG changes

A record that cannot be read hides nothing else: the other records and files are still looked at. Only what follows a
damaged record in its own file is out of reach.
"""

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import tensorflow as tf

from data_pipelines.inspection import record_checks
from data_pipelines.inspection.findings import Findings
from data_pipelines.runtime.errors import sentence
from data_pipelines.runtime.progress import Progress
from data_pipelines.tfrecord import schema, shards
from data_pipelines.tfrecord.manifest import MANIFEST_FILE, SOURCE_KINDS, Manifest, SourceKind
from data_pipelines.tfrecord.reader import ShardFile, StoredDataset, open_dataset
from data_pipelines.tfrecord.statistics import (
    BackgroundSums,
    CompositeSums,
    Sums,
    add_batch,
    sum_backgrounds,
    summarize,
)

JPEG_SHIFTS_MEAN = 0.01  # of a picture's mean and standard deviation, in 0..1, at most, at a quality of 50 or more
BELONG = (MANIFEST_FILE, shards.BACKGROUNDS, "export.flags", "sheet.png")
READ_AT_ONCE = 64
AMONG_FILES = (".tfrecord", ".json", ".part")  # names that a reader of the folder could take for a part of the data set


@dataclass(frozen=True)
class Verdict:
    """problems: one line each, none for an intact data set. remarks: what is no problem but should be known."""

    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    records: int
    seconds: float
    dataset: StoredDataset


@dataclass(frozen=True)
class Backgrounds:
    """pictures: uint8 [n, h, w, 3]; codes: uint16 [n, h, w, 1]; whole: whether every one of them could be read."""

    pictures: np.ndarray
    codes: np.ndarray
    sums: BackgroundSums
    whole: bool


def verify(folder: str) -> Verdict:
    """Raises DatasetError where there is nothing to look at: no finished data set, or one of another schema."""
    start = time.monotonic()
    dataset = open_dataset(folder)
    findings = Findings()
    remarks = _strangers(dataset, findings)
    _manifest(dataset, findings)
    present = _files(dataset, findings)
    backgrounds = _backgrounds(dataset, findings, shards.BACKGROUNDS in present)
    files = [file for file in dataset.files if file.name in present]
    composites = _composites(dataset, files, backgrounds, findings)
    return Verdict(findings.lines(), remarks, composites, time.monotonic() - start, dataset)


def _strangers(dataset: StoredDataset, findings: Findings) -> tuple[str, ...]:
    expected = {*BELONG, *(file.name for file in dataset.files)}
    others = []
    for name in sorted(tf.io.gfile.listdir(dataset.folder)):
        name = name.rstrip("/")
        if name in expected or name.startswith("."):
            continue
        if name.endswith(AMONG_FILES) or name == shards.PROGRESS:
            findings.add(name, "stranger", "does not belong to this data set; remove it")
        else:
            others.append(name)
    return (f"also in the folder, not looked at: {', '.join(others)}",) if others else ()


def _manifest(dataset: StoredDataset, findings: Findings) -> None:
    """Does the manifest agree with itself and with what its options make?"""
    manifest, grid = dataset.manifest, dataset.grid

    def expect(what: str, said, actual) -> None:
        if said != actual:
            findings.add(MANIFEST_FILE, what, f"says {what} {said}, but it must be {actual}")

    for kind in SOURCE_KINDS:
        expect(f"grid.{kind}", getattr(grid, kind), len(manifest["options"][kind]))
    expect("the splits", list(manifest["splits"]), list(dataset.splits))
    for name, split in manifest["splits"].items():
        own = [file for file in dataset.files if file.split == name]
        expect(f"{name}.bytes", split["bytes"], sum(file.bytes for file in own))
        expect(f"{name}.records", split["records"], sum(file.records for file in own))
        if promised := dataset.splits.get(name):
            expect(f"{name}.records", split["records"], promised.count)
            for kind in SOURCE_KINDS:
                if split[kind] != list(getattr(promised, kind)):
                    text = f"says that the {kind} of {name} are others than its seed and its holdout make"
                    findings.add(MANIFEST_FILE, f"{name}.{kind}", text)
    total = sum(split["records"] for split in manifest["splits"].values())
    expect("records", manifest["records"], total)
    expect("bytes", manifest["bytes"], manifest["backgrounds"]["bytes"] + sum(file.bytes for file in dataset.files))
    _held_out(manifest, findings)


def _held_out(manifest: Manifest, findings: Findings) -> None:
    if manifest["options"]["split"] != "sources":
        return
    held_out: dict[SourceKind, tuple[str, str]] = {
        "backgrounds": ("unseen_bg", "unseen_both"),
        "foregrounds": ("unseen_fg", "unseen_both"),
    }
    splits = manifest["splits"]
    for kind, tests in held_out.items():
        for test in tests:
            leaked = set(splits["train"][kind]) & set(splits[test][kind]) if {"train", test} <= splits.keys() else ()
            if leaked:
                text = f"has {kind} {_few(sorted(leaked))} both in train and in {test}, which should hold them out"
                findings.add(MANIFEST_FILE, f"leak {kind} {test}", text)


def _files(dataset: StoredDataset, findings: Findings) -> set[str]:
    """Which of the files are there; size and digest of each are checked."""
    backgrounds = dataset.manifest["backgrounds"]
    promised = [(backgrounds["file"], backgrounds["bytes"], backgrounds["sha256"])]
    promised += [(file.name, file.bytes, file.sha256) for file in dataset.files]
    present = set()
    with Progress("comparing digests", len(promised), "files") as progress:
        for name, size, digest in promised:
            if not tf.io.gfile.exists(dataset.path(name)):
                findings.add(name, "missing", "is missing")
            else:
                present.add(name)
                actual_size, actual_digest = shards.measure_file(dataset.path(name))
                if actual_size != size:
                    findings.add(name, "bytes", f"has {actual_size:,} bytes, the manifest says {size:,}")
                elif actual_digest != digest:
                    findings.add(name, "sha256", "has another SHA-256 than the manifest says: its content has changed")
            progress.add()
    return present


def _backgrounds(dataset: StoredDataset, findings: Findings, present: bool) -> Backgrounds:
    height, width, count = dataset.height, dataset.width, dataset.grid.backgrounds
    pictures = np.zeros((count, height, width, 3), np.uint8)
    codes = np.zeros((count, height, width, 1), np.uint16)
    good, name = 0, shards.BACKGROUNDS
    sources = {number: one["source"] for number, one in enumerate(dataset.manifest["options"]["backgrounds"])}
    stored = _framed(dataset, name, count, findings) if present else ()
    for number, serialized in stored:
        try:
            decoded = schema.decode_background(schema.parse(serialized, schema.BACKGROUND), height, width)
        except (ValueError, tf.errors.OpError) as error:
            findings.add(name, "unreadable", f"cannot be read: {sentence(error)}", number)
            continue
        about = decoded["name"].numpy().decode(), decoded["source"].numpy().decode(), int(decoded["bg_index"])
        promised = f"bg{number:03d}", sources.get(number), number
        if about != promised or number >= count:
            text = f"is {about[0]} from {about[1]}, where {promised[0]} from {promised[1]} belongs"
            findings.add(name, "order", text, number)
            continue
        pictures[number], codes[number] = decoded["bg"].numpy(), decoded["depth"].numpy()
        good += 1
        if not codes[number].all():
            findings.add(name, "depth", "has places whose depth is not known", number)
    return Backgrounds(pictures, codes, sum_backgrounds(pictures, codes[..., 0]), good == count)


def _framed(dataset: StoredDataset, name: str, promised: int, findings: Findings) -> Iterator[tuple[int, bytes]]:
    """The records of a file as far as they can be reached; what stops that, and a wrong count, are findings."""
    number = 0
    try:
        for serialized in tf.data.TFRecordDataset(dataset.path(name)).as_numpy_iterator():
            yield number, serialized
            number += 1
    except tf.errors.OpError as error:
        text = f"is damaged ({sentence(error)}); {_records(max(0, promised - number - 1))} after it cannot be reached"
        findings.add(name, "damaged", text, number)
        return
    if number != promised:
        findings.add(name, "count", f"holds {_records(number)}, the manifest says {promised:,}")


def _composites(dataset: StoredDataset, files: list[ShardFile], backgrounds: Backgrounds, findings: Findings) -> int:
    """Every composite, with all cores; how many could be read."""
    examiner = record_checks.Examiner(dataset, files, backgrounds.whole, findings)
    reached: list[list[np.ndarray]] = [[] for _ in files]
    sums: dict[str, Sums | None] = dict.fromkeys(dataset.manifest["splits"])
    with Progress("reading back", sum(file.records for file in files), "records") as progress:
        for batch in _examined(dataset, files, backgrounds):
            examiner.look(batch)
            for at in np.unique(batch["file"]).tolist():
                own = batch["file"] == at
                reached[at].append(batch["number"][own])
                known = own & (batch["bg_index"] < len(backgrounds.sums.pictures))
                split = files[at].split
                sums[split] = _added(sums[split], batch, known, backgrounds.sums)
            progress.add(len(batch["file"]))
    whole = len(files) == len(dataset.files) and backgrounds.whole
    for file, parts in zip(files, reached, strict=True):
        numbers = np.concatenate([np.zeros(0, np.int64), *parts])
        if not np.array_equal(numbers, np.arange(file.records)):
            whole = False
            _unread(dataset, file, set(numbers.tolist()), backgrounds, findings)
    examiner.finish()
    if whole:
        _statistics(dataset, sums, findings)
    return examiner.looked_at


def _examined(dataset: StoredDataset, files: list[ShardFile], backgrounds: Backgrounds) -> Iterator[dict]:
    """Batches of what `examination.measure` answers; records that cannot be read are left out."""
    with tf.device("/CPU:0"):
        pictures = tf.convert_to_tensor(record_checks.thinned(backgrounds.pictures))
        codes = tf.convert_to_tensor(backgrounds.codes)
    paths = [dataset.path(file.name) for file in files]
    if not paths:
        return

    def of_file(file, path):
        # What follows a damaged record is lost to this reader, but not the next file.
        stored = tf.data.TFRecordDataset(path).ignore_errors().enumerate()
        return stored.map(lambda number, serialized: (file, number, serialized))

    def measured(file, number, serialized):
        return {"file": file, "number": number, **record_checks.measure(serialized, pictures, codes)}

    measurements = tf.data.Dataset.from_tensor_slices((np.arange(len(paths)), paths)).flat_map(of_file)
    measurements = measurements.map(measured, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).ignore_errors()
    options = tf.data.Options()
    options.threading.max_intra_op_parallelism = 1  # one record is one thread's work
    yield from (
        measurements.padded_batch(READ_AT_ONCE, padding_values=record_checks.padding_for(measurements.element_spec))
        .prefetch(2)
        .with_options(options)
        .as_numpy_iterator()
    )


def _added(sums: Sums | None, batch: dict, own: np.ndarray, backgrounds: BackgroundSums) -> Sums | None:
    if not own.any():
        return sums
    values = {key: batch[key][own] for key in ("bg_index", "fg_bg_sums", "mask_sums", "depth_sums")}
    values["fg_bg_sums"] = values["fg_bg_sums"].astype(np.int64) - backgrounds.pictures[values["bg_index"]]
    return add_batch(sums, cast(CompositeSums, values), backgrounds, whole_depth=False)


def _unread(
    dataset: StoredDataset, file: ShardFile, reached: set[int], backgrounds: Backgrounds, findings: Findings
) -> None:
    """Goes through a file slowly, to say what is wrong with the records that the quick way left out."""
    for number, serialized in _framed(dataset, file.name, file.records, findings):
        if number not in reached:
            name, text = record_checks.complaint(
                serialized, record_checks.thinned(backgrounds.pictures), backgrounds.codes
            )
            findings.add(file.name, "unreadable", text, number, name)


def _statistics(dataset: StoredDataset, sums: dict[str, Sums | None], findings: Findings) -> None:
    quality = dataset.manifest["options"]["jpeg_quality"]
    tolerance = JPEG_SHIFTS_MEAN * max(1, 50 / quality)
    promised: dict[str, Any] = {name: split["statistics"] for name, split in dataset.manifest["splits"].items()}
    actual: dict[str, Any] = {name: summarize([own], dataset.depth_scale) for name, own in sums.items() if own}
    promised["all splits"], actual["all splits"] = (
        dataset.manifest["statistics"],
        summarize([own for own in sums.values() if own], dataset.depth_scale),
    )
    for name, found in actual.items():
        for key, kind in itertools.product(("bg", "fg_bg", "mask", "depth"), ("mean", "std")):
            said, is_now = np.array(promised[name][key][kind]), np.array(found[key][kind])
            allowed = 0 if key in ("mask", "depth") else tolerance
            if said.shape != is_now.shape or np.abs(said - is_now).max() > allowed:
                text = f"says that the {kind} of {key} over {name} is {said.tolist()}; it is {is_now.tolist()}"
                findings.add(MANIFEST_FILE, f"statistics of {key} over {name}", text)


def _records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def _few(numbers: list) -> str:
    return ", ".join(str(number) for number in numbers[:5]) + (" and others" if len(numbers) > 5 else "")
