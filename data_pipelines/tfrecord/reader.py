"""A finished data set, opened: what it holds, and how to get at a few of its records without reading the rest.

The order of a split follows from the manifest (see `compositing.splits`), so the file and the record of a composite are
known from its name. Nothing here looks into the records themselves.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from data_pipelines.compositing.splits import Grid, Split, limit_splits, make_splits
from data_pipelines.runtime.errors import describe_error
from data_pipelines.runtime.files import join_path
from data_pipelines.runtime.pipelines import disable_tuner
from data_pipelines.tfrecord.manifest import (
    FETCH,
    MANIFEST_FILE,
    DatasetError,
    Manifest,
    check_files,
    read_manifest,
)


@dataclass(frozen=True)
class ShardFile:
    """A shard of composites: positions first .. first+records-1 of its split."""

    name: str
    split: str
    first: int
    records: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class RecordLocation:
    """Where a composite is: the number of a record in a file, from 0."""

    file: ShardFile
    number: int


@dataclass(frozen=True)
class StoredDataset:
    """A data set in a folder, as its manifest describes it.

    Attributes:
        folder: where it is.
        manifest: what it says of itself.
        height: of its pictures, pixels.
        width: of its pictures, pixels.
        depth_scale: depth codes in a unit of depth.
        seed: that its composites follow from.
        grid: all composites that there can be.
        splits: by name, what the options and the seed make; the files should hold it.
        files: the shards of composites, split by split, in the order of their records.
    """

    folder: str
    manifest: Manifest
    height: int
    width: int
    depth_scale: float
    seed: int
    grid: Grid
    splits: dict[str, Split]
    files: tuple[ShardFile, ...]

    def order(self, split: str) -> np.ndarray:
        """Returns the indices of a split's composites, int64 [count], in the order in which they are stored."""
        promised = self.splits[split]
        return promised.indices(tf.range(promised.count, dtype=tf.int64), self.grid, self.seed).numpy()

    def path(self, name: str) -> str:
        """Returns the path of one of its files."""
        return join_path(self.folder, name)

    @property
    def unit(self) -> str:
        """The unit of depth, as it is written behind a number."""
        unit = self.manifest["depth_unit"]
        return "m" if unit == "metre" else unit

    def title(self) -> tuple[str, str, str]:
        """Returns what it is, in three lines."""
        manifest, grid = self.manifest, self.grid
        return (
            f"{self.folder.rstrip('/').split('/')[-1]}: {manifest['records']:,} composites",
            f"{grid.backgrounds} backgrounds x {grid.foregrounds} cut-outs, also mirrored, x {grid.places} places",
            f"{self.height} x {self.width}, {manifest['options']['placement']} placement, {manifest['labels']} depth",
        )


def open_dataset(folder: str) -> StoredDataset:
    """Reads the manifest of a data set, and sees that its files are there; none of them is read.

    Raises:
        DatasetError: there is no finished data set of this program's there, or it is not what its manifest says.
        FileError: the manifest is damaged.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest)
    dataset = interpret_manifest(folder, manifest)
    made = {name: split.count for name, split in dataset.splits.items()}
    if {name: split["records"] for name, split in manifest["splits"].items()} != made:
        raise DatasetError(
            f"{dataset.path(MANIFEST_FILE)} has other splits than its options make, which are "
            f"{', '.join(f'{name} of {count:,}' for name, count in made.items())}; {FETCH}."
        )
    return dataset


def open_unbelieved(folder: str) -> StoredDataset:
    """Opens a data set as `open_dataset` does, also one that is not what its manifest says: to see what is wrong.

    Raises:
        DatasetError: there is nothing that could be looked at.
        FileError: the manifest is damaged.
    """
    return interpret_manifest(folder, read_manifest(folder, agreeing=False))


def interpret_manifest(folder: str, manifest: Manifest) -> StoredDataset:
    """Returns the data set that a manifest, as `read_manifest` returns it, describes.

    Raises:
        DatasetError: its options make no splits.
    """
    options, grid = manifest["options"], Grid(**manifest["grid"])
    height, width = manifest["image_size"]
    try:
        splits = make_splits(grid, options["split"], options["holdout"], options["seed"])
        if options["limit"]:
            splits = limit_splits(splits, options["limit"])
    except ValueError as error:
        raise DatasetError(f"{join_path(folder, MANIFEST_FILE)}: options make no splits: {error}") from error
    files = []
    for name, split in manifest["splits"].items():
        first = 0
        for shard in split["shards"]:
            files.append(ShardFile(shard["file"], name, first, shard["records"], shard["bytes"], shard["sha256"]))
            first += shard["records"]
    return StoredDataset(
        folder,
        manifest,
        height,
        width,
        manifest["depth_scale"],
        options["seed"],
        grid,
        {split.name: split for split in splits},
        tuple(files),
    )


def choose_records(
    dataset: StoredDataset, count: int, split: str | None = None, names: Sequence[str] = ()
) -> list[RecordLocation]:
    """Returns where the composites called `names` are; without names, `count` of them from all splits or from one."""
    return locate(dataset, names) if names else choose_evenly(dataset, count, split)


def iterate_records(dataset: StoredDataset, split: str | None = None) -> Iterator[RecordLocation]:
    """Yields where every composite is, in order; of one split or of all."""
    for file in _files_of(dataset, split):
        for number in range(file.records):
            yield RecordLocation(file, number)


def choose_evenly(dataset: StoredDataset, count: int, split: str | None = None) -> list[RecordLocation]:
    """Returns `count` records (or as many as there are), as evenly from the splits and their shards as can be.

    They are those at the beginning of shards, which are as random as any and quick to reach.
    """
    by_split: dict[str, list[ShardFile]] = {}
    for file in _files_of(dataset, split):
        by_split.setdefault(file.split, []).append(file)
    shares = _divide_evenly(count, [sum(file.records for file in files) for files in by_split.values()])
    chosen = []
    for all_files, share in zip(by_split.values(), shares, strict=True):
        files = all_files
        if 0 < share < len(files):
            files = [files[at] for at in np.linspace(0, len(files) - 1, share).round().astype(int)]
        numbers = _divide_evenly(share, [file.records for file in files])
        chosen += [
            RecordLocation(file, number) for file, size in zip(files, numbers, strict=True) for number in range(size)
        ]
    return chosen


def choose_in_proportion(dataset: StoredDataset, most: int) -> list[tuple[ShardFile, int]]:
    """Returns how many of the first records of each file make `most` records in all that are like the whole set.

    The order in a split is a shuffled one, so the first records of a file are as random as any.
    """
    total = sum(file.records for file in dataset.files)
    count, passed, chosen = min(most, total), 0, []
    for file in dataset.files:
        first, passed = count * passed // total, passed + file.records
        chosen.append((file, count * passed // total - first))
    return chosen


def locate(dataset: StoredDataset, names: Sequence[str]) -> list[RecordLocation]:
    """Returns where composites are, in the order of their names, which look like bg005-fg073-flip-p07.

    Raises:
        ValueError: a name is not one of a composite, or the data set does not hold it.
    """
    wanted = np.array([dataset.grid.parse_name(name) for name in names], np.int64)
    locations: dict[int, RecordLocation] = {}
    for split in dataset.splits:
        order = dataset.order(split)
        files = _files_of(dataset, split)
        for position in np.flatnonzero(np.isin(order, wanted)).tolist():
            file = next((file for file in files if file.first <= position < file.first + file.records), None)
            if file:
                locations[int(order[position])] = RecordLocation(file, position - file.first)
    for name, index in zip(names, wanted.tolist(), strict=True):
        if index not in locations:
            raise ValueError(f"{name} is not in {dataset.folder}: its `limit` left that composite out.")
    return [locations[index] for index in wanted.tolist()]


def read_records(dataset: StoredDataset, locations: Iterable[RecordLocation]) -> Iterator[tuple[RecordLocation, bytes]]:
    """Yields serialized composites with where they are, in the order of `locations`.

    It is quick when these are file by file and go forward in each.

    Raises:
        DatasetError: a file cannot be read that far.
    """
    stream: Iterator = iter(())
    at, current = 0, None
    for location in locations:
        if location.file is not current or location.number < at:
            records = tf.data.TFRecordDataset(dataset.path(location.file.name))
            stream = iter(disable_tuner(records.skip(location.number)))
            at, current = location.number, location.file
        try:
            for _ in range(location.number - at):
                next(stream)
            serialized = next(stream)
        except (StopIteration, tf.errors.OpError) as error:
            reason = "it ends before" if isinstance(error, StopIteration) else describe_error(error)
            raise DatasetError(
                f"{dataset.path(current.name)} cannot be read at record {location.number} ({reason}); to see what is "
                f"wrong: python tools/verify_shards.py {dataset.folder}"
            ) from error
        at = location.number + 1
        yield location, serialized.numpy()


def _files_of(dataset: StoredDataset, split: str | None) -> list[ShardFile]:
    names = list(dataset.manifest["splits"])
    if split is not None and split not in names:
        raise ValueError(f"`split`={split} is not a split of {dataset.folder}, which has {', '.join(names)}.")
    return [file for file in dataset.files if split in (None, file.split)]


def _divide_evenly(count: int, sizes: Sequence[int]) -> list[int]:
    """Divides `count` into parts as equal as can be, none larger than its size; what is left over goes to the first."""
    shares = [0] * len(sizes)
    left = min(count, sum(sizes))
    while left:
        room = [number for number, size in enumerate(sizes) if size > shares[number]]
        each = max(1, left // len(room))
        for number in room[:left]:
            more = min(each, sizes[number] - shares[number], left)
            shares[number] += more
            left -= more
    return shares
