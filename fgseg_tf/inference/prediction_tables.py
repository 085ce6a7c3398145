"""The tables of a prediction, which grow as frames are done, and from which a prediction that was killed goes on.

    frames.csv, objects.csv   a line a frame, and a line an object
    unfinished.jsonl          what is done, while not everything is: of each frame its file's name, size and time, and
                              the lengths of both tables behind it

Every few seconds, what was done since is brought to the disk: first the files of the frames, then the tables, then what
says so. Behind what the last one says, tables are cut off: a line may be torn. On stores that cannot append, such as
gs://, tables are written at the end, and a prediction that was killed begins anew.
"""

import csv
import io
import json
import math
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from data_pipelines.runtime.files import (
    is_local,
    join_path,
    read_json,
    remove_if_there,
    sync_file,
    sync_folder,
    write_atomic,
)
from fgseg_tf.inference import prediction_files
from fgseg_tf.inference.prediction_files import FrameRow, ObjectRow

UNFINISHED = "unfinished.jsonl"
SECONDS_BETWEEN_WRITES = 2.0
TABLES: dict[str, type[FrameRow] | type[ObjectRow]] = {"frames.csv": FrameRow, "objects.csv": ObjectRow}


class _Done(NamedTuple):
    """A line of unfinished.jsonl.

    Attributes:
        path: Name of the frame's file.
        size: Its bytes.
        time: When it was written, nanoseconds.
        name: That the frame's outputs have; "" for a frame that could not be read.
        frames_end: Length of frames.csv behind it.
        objects_end: Likewise of objects.csv.
    """

    path: str
    size: int
    time: int
    name: str
    frames_end: int
    objects_end: int


@dataclass(frozen=True)
class Predicted:
    """A frame that is done.

    Attributes:
        path: Of its file.
        row: Of frames.csv; None for a frame that could not be read.
        objects: Rows of objects.csv.
    """

    path: str
    row: FrameRow | None
    objects: Sequence[ObjectRow] = ()


class PredictionTables:
    """The tables of a folder of predictions, which is locked. Begin them anew, or `go_on`.

    Attributes:
        frames: Rows of frames.csv so far.
        unreadable: How many frames could not be read.
        done: How many frames an earlier start had done.

    Args:
        folder: Of the predictions.
        kinds: Of files that each frame has, keys of `prediction_files.ENDINGS`.
    """

    def __init__(self, folder: str, kinds: tuple[str, ...]):
        self.folder, self._kinds = folder, kinds
        self.frames: list[FrameRow] = []
        self.unreadable = self.done = 0
        self._objects: list[ObjectRow] = []  # where tables do not grow
        self._waiting: list[Predicted] = []
        self._ends = {name: 0 for name in TABLES}
        self._written = time.monotonic()

    def begin(self) -> None:
        """Begins both tables with their first lines."""
        self.remove_note(self.folder)
        for name, row in TABLES.items():
            head = _format_rows([row._fields])
            self._ends[name] = len(head)
            if is_local(self.folder):
                write_atomic(join_path(self.folder, name), head)
        if is_local(self.folder):
            write_atomic(join_path(self.folder, UNFINISHED), "")

    def go_on(self, paths: Iterable[str]) -> None:
        """Takes over what an earlier start has done of these frames, up to the first that is not as it was then.

        Args:
            paths: of the file that each frame is from; of a video, the same for each.
        """
        kept = _keep_what_holds(self.folder, self._kinds, paths)
        rows = _read_frames(self.folder, kept[-1].frames_end) if kept else []
        if not kept or [row.name for row in rows] != [line.name for line in kept if line.name]:
            self.begin()
            return
        for name, end in zip(TABLES, (kept[-1].frames_end, kept[-1].objects_end), strict=True):
            self._ends[name] = end
            _change(join_path(self.folder, name), end, b"")
        write_atomic(join_path(self.folder, UNFINISHED), "".join(_format_line(line) for line in kept))
        self.frames, self.done = rows, len(kept)
        self.unreadable = sum(not line.name for line in kept)

    def add(self, predicted: Predicted) -> None:
        """Adds a frame, whose files are written, in the order of the frames."""
        self._waiting.append(predicted)
        if predicted.row is None:
            self.unreadable += 1
        else:
            self.frames.append(predicted.row)
        self._objects += predicted.objects
        if is_local(self.folder) and time.monotonic() - self._written >= SECONDS_BETWEEN_WRITES:
            self.write()

    def write(self) -> None:
        """Brings to the disk what was added."""
        if not is_local(self.folder):
            whole: dict[str, Sequence[Sequence[str]]] = {"frames.csv": self.frames, "objects.csv": self._objects}
            for name, row in TABLES.items():
                write_atomic(join_path(self.folder, name), _format_rows([row._fields, *whole[name]]))
            return
        for predicted in self._waiting:
            if predicted.row:
                for kind in self._kinds:
                    sync_file(prediction_files.path_of(self.folder, kind, predicted.row.name))
        for kind in self._kinds:
            sync_folder(join_path(self.folder, kind))
        texts, lines, ends = {name: b"" for name in TABLES}, "", dict(self._ends)
        for predicted in self._waiting:
            added: tuple[tuple[str, Sequence[Sequence[str]]], ...] = (
                ("frames.csv", [predicted.row] if predicted.row else []),
                ("objects.csv", predicted.objects),
            )
            for name, rows in added:
                text = _format_rows(rows)
                texts[name] += text
                ends[name] += len(text)
            size, changed = _look_at(predicted.path)
            named = predicted.row.name if predicted.row else ""
            place = ends["frames.csv"], ends["objects.csv"]
            lines += _format_line(_Done(os.path.basename(predicted.path), size, changed, named, *place))
        for name, text in texts.items():
            _change(join_path(self.folder, name), self._ends[name], text)
        _change(join_path(self.folder, UNFINISHED), None, lines.encode())
        self._ends, self._waiting, self._objects, self._written = ends, [], [], time.monotonic()

    def finish(self) -> None:
        """Ends the tables, when every frame is done and written."""
        self.remove_note(self.folder)

    @staticmethod
    def remove_note(folder: str) -> None:
        """Removes what says that a prediction is not finished."""
        remove_if_there(join_path(folder, UNFINISHED))


def can_go_on(folder: str, facts: dict) -> bool:
    """Returns whether a folder has a prediction that is not finished and was begun with what predict.json would say."""
    note, about = join_path(folder, UNFINISHED), join_path(folder, prediction_files.FACTS)
    if not (is_local(folder) and tf.io.gfile.exists(note) and tf.io.gfile.exists(about)):
        return False
    try:
        return read_json(about, "begin anew") == json.loads(json.dumps(prediction_files.complete_facts(facts)))
    except ValueError:  # damaged, so that nobody knows what was begun
        return False


def _keep_what_holds(folder: str, kinds: tuple[str, ...], paths: Iterable[str]) -> list[_Done]:
    lengths = [os.path.getsize(join_path(folder, name)) if _is_file(join_path(folder, name)) else 0 for name in TABLES]
    kept: list[_Done] = []
    before = [len(_format_rows([row._fields])) for row in TABLES.values()]
    with open(join_path(folder, UNFINISHED), "rb") as file:
        for path, text in zip(paths, file, strict=False):
            line = _parse_line(text)
            if line is None or line[:3] != (os.path.basename(path), *_look_at(path)):
                break
            ends = [line.frames_end, line.objects_end]
            if any(not low <= end <= high for low, end, high in zip(before, ends, lengths, strict=True)):
                break
            if line.name and not all(_is_file(prediction_files.path_of(folder, kind, line.name)) for kind in kinds):
                break
            before = ends
            kept.append(line)
    return kept


def _read_frames(folder: str, end: int) -> list[FrameRow]:
    """Returns the rows of frames.csv up to there, [] where they are not as they were written."""
    with open(join_path(folder, "frames.csv"), "rb") as file:
        content = file.read(end)
    try:
        rows = [FrameRow(*row) for row in list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]]
        return rows if all(math.isfinite(float(row.similarity)) for row in rows) else []
    except (ValueError, TypeError, csv.Error):
        return []


def _parse_line(text: bytes) -> _Done | None:
    """Returns what a line of unfinished.jsonl says; None where it is torn or damaged."""
    try:
        values = json.loads(text)
    except ValueError:
        return None
    if not text.endswith(b"\n") or not isinstance(values, list) or len(values) != len(_Done._fields):
        return None
    line = _Done(*values)
    texts, numbers = (line.path, line.name), (line.size, line.time, line.frames_end, line.objects_end)
    good = all(type(value) is str for value in texts) and all(type(value) is int for value in numbers)
    return line if good else None


def _format_line(line: _Done) -> str:
    return json.dumps(list(line)) + "\n"


def _format_rows(rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _look_at(path: str) -> tuple[int, int]:
    """Returns size and time of a file, (-1, -1) where it has gone."""
    try:
        if is_local(path):
            found = os.stat(path)
            return found.st_size, found.st_mtime_ns
        stored = tf.io.gfile.stat(path)
        return int(stored.length), int(stored.mtime_nsec)
    except (OSError, tf.errors.OpError):
        return -1, -1


def _is_file(path: str) -> bool:
    return os.path.isfile(path) and not os.path.islink(path)


def _change(path: str, length: int | None, added: bytes) -> None:
    """Cuts a file off at a length, None for where it ends, and appends to it; it is on the disk then."""
    # Not through a link, which a folder from elsewhere could have.
    opened = os.open(path, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    try:
        if length is not None:
            os.ftruncate(opened, length)
        os.lseek(opened, 0, os.SEEK_END)
        while added:
            added = added[os.write(opened, added) :]
        os.fsync(opened)
    finally:
        os.close(opened)
