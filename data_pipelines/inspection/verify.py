"""Sees whether a data set is what its manifest says: files, records, pictures, labels and statistics are read back.

What is checked:

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
from typing import Any

import numpy as np
import tensorflow as tf

from data_pipelines.compositing.splits import format_background
from data_pipelines.inspection import companions
from data_pipelines.inspection.findings import Findings
from data_pipelines.inspection.record_checks import Examiner
from data_pipelines.inspection.record_measurements import (
    MeasuredBatch,
    explain_unreadable,
    make_padding,
    measure_record,
    thin_backgrounds,
)
from data_pipelines.runtime.errors import describe_error
from data_pipelines.runtime.files import is_regular
from data_pipelines.runtime.notes import name_file
from data_pipelines.runtime.pipelines import disable_tuner
from data_pipelines.runtime.progress import Progress
from data_pipelines.tfrecord import schema, shards
from data_pipelines.tfrecord.frames import find_impossible_record
from data_pipelines.tfrecord.manifest import FETCH, MANIFEST_FILE, SOURCE_KINDS, DatasetError, Manifest, SourceKind
from data_pipelines.tfrecord.manifest_checks import find_disagreements, find_missing_room
from data_pipelines.tfrecord.reader import ShardFile, StoredDataset, open_unbelieved
from data_pipelines.tfrecord.statistics import (
    BackgroundSums,
    CompositeSums,
    Sums,
    add_batch,
    sum_backgrounds,
    summarize,
)

JPEG_SHIFTS_MEAN = 0.01  # of a picture's mean and standard deviation, in 0..1, at most, at a quality of 50 or more
BELONG = (MANIFEST_FILE, shards.BACKGROUNDS, companions.FLAGS, companions.SHEET)
READ_AT_ONCE = 64
AMONG_FILES = (".tfrecord", ".json", ".part")  # names that a reader of the folder could take for a part of the data set


@dataclass(frozen=True)
class Verdict:
    """What `verify` says of a data set.

    Attributes:
        problems: one line each, none for an intact data set.
        remarks: what is no problem but should be known.
        records: how many composites could be read.
        seconds: that it took.
        dataset: what was looked at.
    """

    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    records: int
    seconds: float
    dataset: StoredDataset


@dataclass(frozen=True)
class CheckedBackgrounds:
    """The backgrounds, as far as they could be read; zeros for the others.

    Attributes:
        pictures: uint8 [n, h, w, 3].
        codes: of depth, uint16 [n, h, w, 1].
        sums: of both.
        whole: whether every one of them could be read.
    """

    pictures: np.ndarray
    codes: np.ndarray
    sums: BackgroundSums
    whole: bool


def verify(folder: str) -> Verdict:
    """Reads everything of a data set back.

    Raises:
        DatasetError: there is nothing to look at: no finished data set, or one of another schema.
    """
    start = time.monotonic()
    dataset = open_unbelieved(folder)
    findings = Findings()
    remarks = _check_folder(dataset, findings)
    companions.check_companions(folder, findings)
    _check_manifest(dataset, findings)
    present = _check_files(dataset, findings)
    if problem := find_missing_room(dataset.manifest, present):
        raise DatasetError(f"{folder}: {problem}; {FETCH}.")
    backgrounds = _check_backgrounds(dataset, findings, shards.BACKGROUNDS in present)
    files = [file for file in dataset.files if file.name in present]
    composites = _check_composites(dataset, files, backgrounds, findings)
    return Verdict(findings.lines(), remarks, composites, time.monotonic() - start, dataset)


def _check_folder(dataset: StoredDataset, findings: Findings) -> tuple[str, ...]:
    expected = {*BELONG, *(file.name for file in dataset.files)}
    others = []
    for name in sorted(name.rstrip("/") for name in tf.io.gfile.listdir(dataset.folder)):
        if name in expected or name.startswith("."):
            continue
        if name.endswith(AMONG_FILES) or name == shards.PROGRESS:
            findings.add(name, "stranger", "does not belong to this data set; remove it")
        else:
            others.append(name)
    return (f"also in the folder, not looked at: {', '.join(others)}",) if others else ()


def _check_manifest(dataset: StoredDataset, findings: Findings) -> None:
    """Checks that the manifest agrees with itself and with what its options make."""
    manifest = dataset.manifest

    def expect(what: str, stated: object, actual: object) -> None:
        if stated != actual:
            findings.add(MANIFEST_FILE, what, f"says {what} {stated}, but it must be {actual}")

    for key, wrong in find_disagreements(manifest):
        findings.add(MANIFEST_FILE, key, wrong)
    expect("the splits", list(manifest["splits"]), list(dataset.splits))
    for name, split in manifest["splits"].items():
        if promised := dataset.splits.get(name):
            expect(f"{name}.records", split["records"], promised.count)
            for kind in SOURCE_KINDS:
                if split[kind] != list(getattr(promised, kind)):
                    text = f"says that the {kind} of {name} are others than its seed and its holdout make"
                    findings.add(MANIFEST_FILE, f"{name}.{kind}", text)
    _check_holdout(manifest, findings)


def _check_holdout(manifest: Manifest, findings: Findings) -> None:
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
                text = (
                    f"has {kind} {_list_some(sorted(leaked))} both in train and in {test}, which should hold them out"
                )
                findings.add(MANIFEST_FILE, f"leak {kind} {test}", text)


def _check_files(dataset: StoredDataset, findings: Findings) -> dict[str, int]:
    """Checks size and digest of each file, and returns the bytes of those that are there, by name."""
    backgrounds = dataset.manifest["backgrounds"]
    promised = [(backgrounds["file"], backgrounds["bytes"], backgrounds["sha256"])]
    promised += [(file.name, file.bytes, file.sha256) for file in dataset.files]
    present = {}
    with Progress("comparing digests", len(promised), "files") as progress:
        for name, size, digest in promised:
            if not tf.io.gfile.exists(dataset.path(name)):
                findings.add(name, "missing", "is missing")
            elif not is_regular(dataset.path(name)):
                findings.add(name, "missing", "is not a regular file: nothing of it is read")
            elif problem := find_impossible_record(dataset.path(name)):
                findings.add(name, "missing", f"is not read: its {problem}")
            else:
                actual_size = present[name] = tf.io.gfile.stat(dataset.path(name)).length
                if actual_size != size:
                    findings.add(name, "bytes", f"has {actual_size:,} bytes, the manifest says {size:,}")
                elif shards.measure_file(dataset.path(name))[1] != digest:
                    findings.add(name, "sha256", "has another SHA-256 than the manifest says: its content has changed")
            progress.add()
    return present


def _check_backgrounds(dataset: StoredDataset, findings: Findings, present: bool) -> CheckedBackgrounds:
    height, width, count = dataset.height, dataset.width, dataset.grid.backgrounds
    pictures = np.zeros((count, height, width, 3), np.uint8)
    codes = np.zeros((count, height, width, 1), np.uint16)
    good, name = 0, shards.BACKGROUNDS
    # By the names of their files: data sets of before have the paths that the files were at.
    sources = {
        number: name_file(one["source"]) for number, one in enumerate(dataset.manifest["options"]["backgrounds"])
    }
    stored = _iterate_records(dataset, name, count, findings) if present else ()
    for number, serialized in stored:
        try:
            decoded = schema.decode_background(schema.parse(serialized, schema.BACKGROUND), height, width)
        except (ValueError, tf.errors.OpError) as error:
            findings.add(name, "unreadable", f"cannot be read: {describe_error(error)}", number)
            continue
        name_now, source = (decoded[key].numpy().decode(errors="replace") for key in ("name", "source"))
        about = name_now, name_file(source), int(decoded["bg_index"])
        promised = format_background(number), sources.get(number), number
        if about != promised or number >= count:
            text = f"is {about[0]} from {about[1]}, where {promised[0]} from {promised[1]} belongs"
            findings.add(name, "order", text, number)
            continue
        pictures[number], codes[number] = decoded["bg"].numpy(), decoded["depth"].numpy()
        good += 1
        if not codes[number].all():
            findings.add(name, "depth", "has places whose depth is not known", number)
    return CheckedBackgrounds(pictures, codes, sum_backgrounds(pictures, codes[..., 0]), good == count)


def _iterate_records(
    dataset: StoredDataset, name: str, promised: int, findings: Findings
) -> Iterator[tuple[int, bytes]]:
    """Yields the records of a file as far as they can be reached; what stops that, and a wrong count, are findings."""
    number = 0
    try:
        for serialized in disable_tuner(tf.data.TFRecordDataset(dataset.path(name))).as_numpy_iterator():
            yield number, serialized
            number += 1
    except tf.errors.OpError as error:
        unread = _format_count(max(0, promised - number - 1))
        text = f"is damaged ({describe_error(error)}); {unread} after it cannot be reached"
        findings.add(name, "damaged", text, number)
        return
    if number != promised:
        findings.add(name, "count", f"holds {_format_count(number)}, the manifest says {promised:,}")


def _check_composites(
    dataset: StoredDataset, files: list[ShardFile], backgrounds: CheckedBackgrounds, findings: Findings
) -> int:
    """Checks every composite, with all cores, and returns how many could be read."""
    examiner = Examiner(dataset, files, backgrounds.whole, findings)
    reached: list[list[np.ndarray]] = [[] for _ in files]
    sums: dict[str, Sums | None] = dict.fromkeys(dataset.manifest["splits"])
    with Progress("reading back", sum(file.records for file in files), "records") as progress:
        for batch in _measure_composites(dataset, files, backgrounds):
            examiner.check_batch(batch)
            for at in np.unique(batch["file"]).tolist():
                own = batch["file"] == at
                reached[at].append(batch["number"][own])
                known = own & (batch["bg_index"] < len(backgrounds.sums.pictures))
                split = files[at].split
                sums[split] = _add_known(sums[split], batch, known, backgrounds.sums)
            progress.add(len(batch["file"]))
    whole = len(files) == len(dataset.files) and backgrounds.whole
    for file, parts in zip(files, reached, strict=True):
        numbers = np.concatenate([np.zeros(0, np.int64), *parts])
        if not np.array_equal(numbers, np.arange(file.records)):
            whole = False
            _explain_unread(dataset, file, set(numbers.tolist()), backgrounds, findings)
    examiner.report_missing()
    if whole:
        _check_statistics(dataset, sums, findings)
    return examiner.records_checked


def _measure_composites(
    dataset: StoredDataset, files: list[ShardFile], backgrounds: CheckedBackgrounds
) -> Iterator[MeasuredBatch]:
    """Yields measurements of all records in batches; those that cannot be read are left out."""
    with tf.device("/CPU:0"):
        pictures = tf.convert_to_tensor(thin_backgrounds(backgrounds.pictures))
        codes = tf.convert_to_tensor(backgrounds.codes)
    paths = [dataset.path(file.name) for file in files]
    if not paths:
        return

    def of_file(file, path):
        # What follows a damaged record is lost to this reader, but not the next file.
        stored = tf.data.TFRecordDataset(path).ignore_errors().enumerate()
        return stored.map(lambda number, serialized: (file, number, serialized))

    def measure(file, number, serialized):
        return {"file": file, "number": number, **measure_record(serialized, pictures, codes)}

    measurements = tf.data.Dataset.from_tensor_slices((np.arange(len(paths)), paths)).flat_map(of_file)
    measurements = measurements.map(measure, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).ignore_errors()
    options = tf.data.Options()
    options.threading.max_intra_op_parallelism = 1  # one record is one thread's work
    batches = measurements.padded_batch(READ_AT_ONCE, padding_values=make_padding(measurements.element_spec))
    yield from disable_tuner(batches.prefetch(2).with_options(options)).as_numpy_iterator()


def _add_known(sums: Sums | None, batch: MeasuredBatch, own: np.ndarray, backgrounds: BackgroundSums) -> Sums | None:
    if not own.any():
        return sums
    background = batch["bg_index"][own]
    values: CompositeSums = {
        "bg_index": background,
        "fg_bg_sums": batch["fg_bg_sums"][own].astype(np.int64) - backgrounds.pictures[background],
        "mask_sums": batch["mask_sums"][own],
        "depth_sums": batch["depth_sums"][own],
    }
    return add_batch(sums, values, backgrounds, whole_depth=False)


def _explain_unread(
    dataset: StoredDataset, file: ShardFile, reached: set[int], backgrounds: CheckedBackgrounds, findings: Findings
) -> None:
    """Goes through a file slowly, to say what is wrong with the records that the quick way left out."""
    for number, serialized in _iterate_records(dataset, file.name, file.records, findings):
        if number not in reached:
            name, text = explain_unreadable(serialized, thin_backgrounds(backgrounds.pictures), backgrounds.codes)
            findings.add(file.name, "unreadable", text, number, name)


def _check_statistics(dataset: StoredDataset, sums: dict[str, Sums | None], findings: Findings) -> None:
    quality = dataset.manifest["options"]["jpeg_quality"]
    tolerance = JPEG_SHIFTS_MEAN * max(1, 50 / quality)
    promised: dict[str, Any] = {name: split["statistics"] for name, split in dataset.manifest["splits"].items()}
    actual: dict[str, Any] = {name: summarize([own], dataset.depth_scale) for name, own in sums.items() if own}
    promised["all splits"], actual["all splits"] = (
        dataset.manifest["statistics"],
        summarize([own for own in sums.values() if own], dataset.depth_scale),
    )
    for name, statistics in actual.items():
        for key, kind in itertools.product(("bg", "fg_bg", "mask", "depth"), ("mean", "std")):
            stated, is_now = np.array(promised[name][key][kind]), np.array(statistics[key][kind])
            allowed = 0 if key in ("mask", "depth") else tolerance
            if stated.shape != is_now.shape or np.abs(stated - is_now).max() > allowed:
                text = f"says that the {kind} of {key} over {name} is {stated.tolist()}; it is {is_now.tolist()}"
                findings.add(MANIFEST_FILE, f"statistics of {key} over {name}", text)


def _format_count(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"


def _list_some(numbers: list) -> str:
    return ", ".join(str(number) for number in numbers[:5]) + (" and others" if len(numbers) > 5 else "")
