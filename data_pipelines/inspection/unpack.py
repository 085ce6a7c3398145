"""Loose files that anybody can look at, out of a data set, into a folder or into one zip file.

<split>/fg_bg/NAME.jpg     as it is in the record, byte for byte
<split>/mask/NAME.png      8 bits, of the whole picture
<split>/depth/NAME.png     16 bits, metres x depth_scale, larger is farther
bg/bg005.jpg               each background once, byte for byte, if a composite shows it
bg_depth/bg005.png
bg/bg005-flip.png          the same mirrored, if a composite shows it mirrored; PNG, since JPEG would lose something
bg_depth/bg005-flip.png
index.csv                  which files belong together, and from which sources they were made
README.txt                 what the numbers mean
"""

import contextlib
import csv
import io
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence

import tensorflow as tf

from data_pipelines.compositing.splits import format_background
from data_pipelines.inspection.examples import NAMED, name_composite
from data_pipelines.runtime.files import join_path, replace_file
from data_pipelines.runtime.locks import LOCK, lock_folder
from data_pipelines.runtime.notes import name_file
from data_pipelines.runtime.pipelines import disable_tuner
from data_pipelines.runtime.progress import Progress
from data_pipelines.tfrecord import reader, schema, shards
from data_pipelines.tfrecord.manifest import DatasetError
from data_pipelines.tfrecord.reader import RecordLocation, StoredDataset

COLUMNS = ("name", "split", "bg", "bg_depth", "fg_bg", "mask", "depth", "bg_source", "fg_sources")
BEGINNING_OF_TIME = (1980, 1, 1, 0, 0, 0)  # in a zip, so that the same data set makes the same file

Write = Callable[[str, bytes], None]


def unpack_to_folder(
    folder: str, output: str, split: str | None = None, count: int = 0, names: Sequence[str] = ()
) -> int:
    """Unpacks composites into a folder.

    Args:
        folder: of the data set.
        output: an empty folder, or a new one.
        split: to unpack; None for all of them.
        count: how many; 0 for all.
        names: of the composites, instead of a number of them.

    Returns:
        How many were unpacked.

    Raises:
        DatasetError: the folder `output` is not empty, or the data set cannot be read.
    """
    with lock_folder(output, "unpack"):
        if set(tf.io.gfile.listdir(output) if tf.io.gfile.isdir(output) else ()) - {LOCK}:
            raise DatasetError(f"`unpack`={output} has files in it; choose a new folder, or empty that one.")
        dataset, locations = _choose_records(folder, split, count, names)
        _unpack(dataset, locations, _make_writer(output))
    return len(locations)


def _make_writer(output: str) -> Write:
    """Returns what writes a file into a folder."""
    folders = set()

    def write(name: str, content: bytes) -> None:
        path = join_path(output, name)
        parent = path.rsplit("/", 1)[0]
        if parent not in folders:
            tf.io.gfile.makedirs(parent)
            folders.add(parent)
        with tf.io.gfile.GFile(path, "wb") as file:
            file.write(content)

    return write


def unpack_to_zip(folder: str, output: str, split: str | None = None, count: int = 0, names: Sequence[str] = ()) -> int:
    """Unpacks composites as `unpack_to_folder` does, but into a zip file, which gets its name when it is whole.

    It is not compressed, since pictures do not get smaller.
    """
    if tf.io.gfile.exists(output):
        raise DatasetError(f"`zip`={output} is there already; choose another name, or remove it.")
    dataset, locations = _choose_records(folder, split, count, names)
    with (
        replace_file(output) as part,
        _open_for_writing(part) as file,
        zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive,
    ):

        def write(name: str, content: bytes) -> None:
            archive.writestr(zipfile.ZipInfo(name, BEGINNING_OF_TIME), content)

        _unpack(dataset, locations, write)
    return len(locations)


def _choose_records(
    folder: str, split: str | None, count: int, names: Sequence[str]
) -> tuple[StoredDataset, list[RecordLocation]]:
    dataset = reader.open_dataset(folder)
    if names or count:
        return dataset, reader.choose_records(dataset, count, split, names)
    return dataset, list(reader.iterate_records(dataset, split))


@contextlib.contextmanager
def _open_for_writing(path: str):
    if "://" not in path:
        with open(path, "wb") as file:
            yield file
    else:
        # Cannot be wound back; zipfile notices that when there is no `seek`.
        with tf.io.gfile.GFile(path, "wb") as file:
            yield _UnseekableFile(file)


class _UnseekableFile(io.RawIOBase):
    def __init__(self, file):
        self._file = file

    def write(self, content) -> int:
        self._file.write(bytes(content))
        return len(content)


def _unpack(dataset: StoredDataset, locations: Sequence[RecordLocation], write: Write) -> None:
    backgrounds = _Backgrounds(dataset, write)
    # On disk, since for a large data set it is long.
    with (
        tempfile.TemporaryFile("w+", newline="", encoding="utf-8") as index,
        Progress("unpacking", len(locations), "records") as progress,
    ):
        table = csv.DictWriter(index, COLUMNS)
        table.writeheader()
        for location, element in zip(locations, _repack_composites(dataset, locations, backgrounds), strict=True):
            table.writerow(_write_composite(dataset, location, element, backgrounds, write))
            progress.add()
        index.seek(0)
        write("index.csv", index.read().encode())
    write("README.txt", _describe_files(dataset).encode())


class _Backgrounds:
    """Writes a background when the first composite shows it."""

    def __init__(self, dataset: StoredDataset, write: Write):
        path = dataset.path(shards.BACKGROUNDS)
        about, self.pictures, self.codes = schema.read_backgrounds(
            path, dataset.height, dataset.width, dataset.grid.backgrounds
        )
        self._about = {one["bg_index"]: one for one in about}
        self._stored = list(disable_tuner(tf.data.TFRecordDataset(path)).as_numpy_iterator())
        self._write = write
        self._written: dict[tuple[int, bool], dict[str, str]] = {}

    def write_once(self, number: int, flipped: bool) -> dict[str, str]:
        """Returns the columns of the index that are about the background, and writes its files once."""
        if (number, flipped) not in self._written:
            self._written[number, flipped] = self._write_files(number, flipped)
        return self._written[number, flipped]

    def _write_files(self, number: int, flipped: bool) -> dict[str, str]:
        name = format_background(number)
        if flipped:
            name += "-flip"
            bg, bg_depth = f"bg/{name}.png", f"bg_depth/{name}.png"
            self._write(bg, tf.io.encode_png(self.pictures[number][:, ::-1]).numpy())
            self._write(bg_depth, schema.encode_labels(self.codes[number][:, ::-1]).numpy())
        else:
            stored = schema.parse(self._stored[number], schema.BACKGROUND)
            bg, bg_depth = f"bg/{name}.jpg", f"bg_depth/{name}.png"
            self._write(bg, stored["bg"].numpy())
            self._write(bg_depth, stored["depth"].numpy())
        return {"bg": bg, "bg_depth": bg_depth, "bg_source": self._about[number]["source"]}


def _repack_composites(
    dataset: StoredDataset, locations: Sequence[RecordLocation], backgrounds: _Backgrounds
) -> Iterator[dict]:
    """Yields what is in the records, with mask and depth as PNG of the whole picture, in the order of `locations`."""
    with tf.device("/CPU:0"):
        pictures, codes = tf.convert_to_tensor(backgrounds.pictures), tf.convert_to_tensor(backgrounds.codes)

    def repack(serialized):
        parsed = schema.parse(serialized, schema.COMPOSITE)
        whole = schema.decode_composite(parsed, pictures, codes)
        return {
            **{key: parsed[key] for key in (*NAMED, "bg_flipped", "fg_bg")},
            "mask": schema.encode_labels(whole["mask"]),
            "depth": schema.encode_labels(whole["depth"]),
        }

    stored = tf.data.Dataset.from_generator(
        lambda: (serialized for _, serialized in reader.read_records(dataset, locations)),
        output_signature=tf.TensorSpec((), tf.string),
    )
    repacked = stored.map(repack, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    yield from disable_tuner(repacked).as_numpy_iterator()


def _write_composite(
    dataset: StoredDataset, location: RecordLocation, element: dict, backgrounds: _Backgrounds, write: Write
) -> dict[str, str]:
    """Writes the files of a composite, and returns its row of the index."""
    # A stored name could lead out of the folder.
    name, split = name_composite(dataset, location, element), location.file.split
    files = {
        "fg_bg": f"{split}/fg_bg/{name}.jpg",
        "mask": f"{split}/mask/{name}.png",
        "depth": f"{split}/depth/{name}.png",
    }
    for key, path in files.items():
        write(path, element[key])
    sources = dataset.manifest["options"]["foregrounds"]
    shown = [
        sources[number]["source"] + (" mirrored" if flipped else "")
        for number, flipped in zip(element["fg_index"].tolist(), element["fg_flipped"].tolist(), strict=True)
    ]
    about = backgrounds.write_once(int(element["bg_index"]), bool(element["bg_flipped"]))
    return {"name": name, "split": split, **files, **about, "fg_sources": "; ".join(shown)}


def _describe_files(dataset: StoredDataset) -> str:
    return f"""Composites of {name_file(dataset.folder)}, unpacked; index.csv says which files belong together.

bg      the background: a picture of the empty scene
fg_bg   the same with objects in it
mask    8 bits, 255 where an object covers all of the pixel
depth   16 bits, {dataset.manifest["depth_unit"]}s x {dataset.depth_scale:g}, larger is farther, 0 is unknown

Each picture has {dataset.height} x {dataset.width} pixels, height x width. A background that is called -flip is
mirrored, as it is in the composites that are listed with it. Objects are listed from far to near.
"""
