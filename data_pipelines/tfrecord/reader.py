"""What a finished data set says it holds, and how to get at a few of its records without reading the rest.

The order of a split follows from the manifest (see `splits`), so the file and the record of a composite are known from
its name. Nothing here looks into the records themselves.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from data_pipelines.compositing.splits import Grid, Split, limit, make_splits
from data_pipelines.runtime.errors import sentence
from data_pipelines.runtime.files import join_path
from data_pipelines.tfrecord import shards
from data_pipelines.tfrecord.shards import DatasetError

# What others look up in a manifest; one that lacks some of it is refused here.
IN_MANIFEST = ("records", "bytes", "statistics", "labels", "depth_unit", "backgrounds")
IN_OPTIONS = ("backgrounds", "foregrounds", "placement", "labels", "max_objects", "jpeg_quality")
IN_SPLIT = ("records", "bytes", "statistics", "backgrounds", "foregrounds")


@dataclass(frozen=True)
class File:
    """A shard of composites: positions first .. first+records-1 of its split."""

    name: str
    split: str
    first: int
    records: int
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Place:
    """Where a composite is: the number of a record in a file, from 0."""

    file: File
    number: int


@dataclass(frozen=True)
class Catalogue:
    """A manifest, understood. splits: what the options and the seed make, which the files should hold."""

    folder: str
    manifest: dict
    height: int
    width: int
    depth_scale: float
    seed: int
    grid: Grid
    splits: dict[str, Split]
    files: tuple[File, ...]

    def order(self, split: str) -> np.ndarray:
        """The indices of a split's composites, int64 [count], in the order they are stored in."""
        promised = self.splits[split]
        return promised.indices(tf.range(promised.count, dtype=tf.int64), self.grid, self.seed).numpy()

    def path(self, name: str) -> str:
        return join_path(self.folder, name)

    @property
    def unit(self) -> str:
        """Of depth, as it is written behind a number."""
        unit = self.manifest["depth_unit"]
        return "m" if unit == "metre" else unit

    def title(self) -> tuple[str, str, str]:
        """What it is, in three lines."""
        manifest, grid = self.manifest, self.grid
        return (
            f"{self.folder.rstrip('/').split('/')[-1]}: {manifest['records']:,} composites",
            f"{grid.backgrounds} backgrounds x {grid.foregrounds} cut-outs, also mirrored, x {grid.places} places",
            f"{self.height} x {self.width}, {manifest['options']['placement']} placement, {manifest['labels']} depth",
        )


def read_catalogue(folder: str) -> Catalogue:
    manifest = shards.read_manifest(folder)
    try:
        return _understood(folder, manifest)
    except (KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"{join_path(folder, shards.MANIFEST)} lacks something or has it in another form ({error!r}); restore it "
            "or make the data set again."
        ) from error


def _understood(folder: str, manifest: dict) -> Catalogue:
    options, grid = manifest["options"], Grid(**manifest["grid"])
    height, width = manifest["image_size"]
    splits = make_splits(grid, options["split"], options["holdout"], options["seed"])
    if options["limit"]:
        splits = limit(splits, options["limit"])
    wanted: list[tuple[dict, tuple[str, ...]]] = [(manifest, IN_MANIFEST), (options, IN_OPTIONS)]
    wanted += [(split, IN_SPLIT) for split in manifest["splits"].values()]
    for part, keys in wanted:
        if missing := set(keys) - part.keys():
            raise KeyError(min(missing))
    files = []
    for name, split in manifest["splits"].items():
        first = 0
        for shard in split["shards"]:
            files.append(File(shard["file"], name, first, shard["records"], shard["bytes"], shard["sha256"]))
            first += shard["records"]
    return Catalogue(
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


def choose(catalogue: Catalogue, count: int, split: str | None = None, names: Sequence[str] = ()) -> list[Place]:
    """`count` places spread over splits and shards (or over one split), or those of what is called `names`."""
    return find(catalogue, names) if names else spread(catalogue, count, split)


def everything(catalogue: Catalogue, split: str | None = None) -> Iterator[Place]:
    """All places, in order; of one split or of all."""
    for file in _files(catalogue, split):
        for number in range(file.records):
            yield Place(file, number)


def spread(catalogue: Catalogue, count: int, split: str | None = None) -> list[Place]:
    """`count` places (or as many as there are), as evenly over the splits and over their shards as can be.

    Those at the beginning of shards, which are as random as any and quick to reach.
    """
    by_split: dict[str, list[File]] = {}
    for file in _files(catalogue, split):
        by_split.setdefault(file.split, []).append(file)
    shares = _share_out(count, [sum(file.records for file in files) for files in by_split.values()])
    chosen = []
    for files, share in zip(by_split.values(), shares, strict=True):
        if 0 < share < len(files):
            files = [files[at] for at in np.linspace(0, len(files) - 1, share).round().astype(int)]
        numbers = _share_out(share, [file.records for file in files])
        chosen += [Place(file, number) for file, size in zip(files, numbers, strict=True) for number in range(size)]
    return chosen


def in_proportion(catalogue: Catalogue, most: int) -> list[tuple[File, int]]:
    """How many of the first records of every file make `most` examples (or all there are) that are like the whole set.

    The order in a split is a shuffled one, so the first records of a file are as random as any.
    """
    total = sum(file.records for file in catalogue.files)
    count, passed, chosen = min(most, total), 0, []
    for file in catalogue.files:
        first, passed = count * passed // total, passed + file.records
        chosen.append((file, count * passed // total - first))
    return chosen


def find(catalogue: Catalogue, names: Sequence[str]) -> list[Place]:
    """The places of composites called bg005-fg073-flip-p07 and so on."""
    wanted = np.array([catalogue.grid.index_of(name) for name in names], np.int64)
    found: dict[int, Place] = {}
    for split in catalogue.splits:
        order = catalogue.order(split)
        files = _files(catalogue, split)
        for position in np.flatnonzero(np.isin(order, wanted)).tolist():
            file = next((file for file in files if file.first <= position < file.first + file.records), None)
            if file:
                found[int(order[position])] = Place(file, position - file.first)
    for name, index in zip(names, wanted.tolist(), strict=True):
        if index not in found:
            raise ValueError(f"{name} is not in {catalogue.folder}: its `limit` left that composite out.")
    return [found[index] for index in wanted.tolist()]


def read(catalogue: Catalogue, places: Iterable[Place]) -> Iterator[tuple[Place, bytes]]:
    """Serialized composites, streamed in the order of `places`; quick when they are by file and go forward in it."""
    stream: Iterator = iter(())
    at, current = 0, None
    for place in places:
        if place.file is not current or place.number < at:
            stream = iter(tf.data.TFRecordDataset(catalogue.path(place.file.name)).skip(place.number))
            at, current = place.number, place.file
        try:
            for _ in range(place.number - at):
                next(stream)
            serialized = next(stream)
        except (StopIteration, tf.errors.OpError) as error:
            reason = "it ends before" if isinstance(error, StopIteration) else sentence(error)
            raise DatasetError(
                f"{catalogue.path(current.name)} cannot be read at record {place.number} ({reason}); to see what is "
                f"wrong: python tools/verify_shards.py {catalogue.folder}"
            ) from error
        at = place.number + 1
        yield place, serialized.numpy()


def _files(catalogue: Catalogue, split: str | None) -> list[File]:
    names = list(catalogue.manifest["splits"])
    if split is not None and split not in names:
        raise ValueError(f"`split`={split} is not a split of {catalogue.folder}, which has {', '.join(names)}.")
    return [file for file in catalogue.files if split in (None, file.split)]


def _share_out(count: int, sizes: Sequence[int]) -> list[int]:
    """`count` in parts as equal as can be, none larger than its size; the first ones get what is left over."""
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
