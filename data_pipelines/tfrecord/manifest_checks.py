"""What a manifest must be, whoever wrote it: types, ranges and names first, then whether it agrees with itself.

Names of files are not taken from it but compared with those that are made from numbers, and no number of it alone says
how much memory a reader takes: pictures cannot be more, or larger, than the bytes of the files hold.
"""

import re
from collections.abc import Mapping
from typing import Any

from data_pipelines.compositing.splits import SPLIT_NAME, Grid
from data_pipelines.config import LABELS, LAYOUTS, SPLITS, DatasetConfig, WrongTypeError, parse_size
from data_pipelines.runtime.notes import SHA256, Note, compute_seal
from data_pipelines.tfrecord.shards import BACKGROUNDS, Shard

SEAL = "sha256"  # key of the digest of everything else in a manifest
UNITS = ("metre", "relative")
MOST_SIDE = 16384  # pixels
MOST_SOURCES = 1_000_000  # of a kind; also places of a pair
MOST_SPLITS = 16
IMAGE_SIZE = re.compile(r"\d{1,5}x\d{1,5}")
PIXELS_OF_A_BYTE = 80  # of a picture, at most: a JPEG of this program has 4 bytes or more for 16 x 16 of them
LEAST_RECORD = 128  # bytes, of the frame of a record and its keys
UNPROVEN = 1 << 26  # pixels of backgrounds, or composites / 8, that are believed where their files are missing
# Of a description, what is in the options in another form: of each picture, or under another name.
OTHERWISE = {"height", "width", "physical_height", "field_of_view", "backgrounds", "foregrounds"}
KNOWN = {
    *("format", "schema_version", "image_size", "depth_unit", "depth_scale", "labels", "records", "bytes"),
    *("statistics", "grid", "splits", "backgrounds", "label_disagreement", "backgrounds_without_floor"),
    *("refused_sources", "options", SEAL),
}


def seal(manifest: Mapping[str, Any]) -> str:
    """Returns the digest of all that a manifest says besides it; see `compute_seal`."""
    return compute_seal(manifest, SEAL)


def check_manifest(note: Note, content: dict[str, Any]) -> None:
    """Checks every value of a manifest, `content`, of which `note` is.

    What versions before did not write is filled in.

    Raises:
        ValueError: of the kind of `note`: the first key that has not what it must have.
    """
    note.allow_only(KNOWN)
    for key, empty in (("label_disagreement", None), ("backgrounds_without_floor", []), ("refused_sources", [])):
        content.setdefault(key, empty)
    height, width = note.take_wholes("image_size", 1, MOST_SIDE, 2)
    note.take_choice("depth_unit", UNITS)
    note.take_number("depth_scale", 1e-3, 1e6)
    note.take_choice("labels", LABELS)
    note.take_whole("records", 1)
    note.take_whole("bytes", 1)
    _check_statistics(note.take_note("statistics"))
    grid_note = note.take_note("grid")
    grid = Grid(*(grid_note.take_whole(key, 1, MOST_SOURCES) for key in ("backgrounds", "foregrounds", "places")))
    least = find_least_record(height, width)
    splits = note.take_note("splits")
    if not 1 <= len(content["splits"]) <= MOST_SPLITS:
        raise note.refuse("splits", f"is not from 1 to {MOST_SPLITS} of them")
    for name in splits:
        if not SPLIT_NAME.fullmatch(name):
            raise splits.refuse(name, "is not a name for a split")
        _check_split(splits.take_note(name), name, least)
    backgrounds = note.take_note("backgrounds")
    _check_file(backgrounds, BACKGROUNDS, least)
    room = backgrounds.take_whole("bytes") // least
    if grid.backgrounds > room:
        raise grid_note.refuse("backgrounds", f"is more than the {room:,} that their file has room for")
    if note.take_optional(note.take_note, "label_disagreement"):
        note.check_plain("label_disagreement")
    note.take_wholes("backgrounds_without_floor", 0, MOST_SOURCES)
    note.take_text_rows("refused_sources", 2)
    options = note.take_note("options")
    check_options(options)
    promised = min(options.take_whole("limit") or grid.size, grid.size)
    room = sum(entry["bytes"] for split in content["splits"].values() for entry in split["shards"]) // least
    if promised > room:
        raise note.refuse("grid", f"promises {promised:,} composites, for which its files have no room")
    note.take_optional(note.take_text, SEAL, SHA256)


def check_options(options: Note) -> None:
    """Checks the options of a data set, as a manifest or the note of an unfinished one has them.

    Raises:
        ValueError: of the kind of `options`.
    """
    options.take_text("image_size", IMAGE_SIZE)
    options.take_whole("seed")
    options.take_choice("split", SPLITS)
    if options.take_number("holdout", 0, 1) == 1:
        raise options.refuse("holdout", "is not under 1")
    options.take_whole("limit")
    options.take_choice("labels", LABELS)
    options.take_choice("placement", LAYOUTS)
    options.take_whole("max_objects", 1, 16)
    options.take_whole("jpeg_quality", 1, 100)
    for key in ("shards", "compare_labels"):
        options.take_optional(options.take_whole, key)
    options.take_optional(options.take_note, "teacher")
    counts = {}
    for key in ("backgrounds", "foregrounds"):
        sources = options.take_notes(key)
        counts[key] = len(sources)
        for source in sources:
            source.allow_only(("source", "digest"))
            source.take_text("source")
            source.take_text("digest", SHA256)
    options.take_optional(options.take_numbers, "field_of_view", 0, 180, counts["backgrounds"])
    if "physical_height" in options:
        for row in options.take_rows("physical_height", counts["foregrounds"]):
            if len(row) != 2 or not all(type(value) in (int, float) and 0 <= value <= 1e4 for value in row):
                raise options.refuse("physical_height", "is not of two numbers of metres for each cutout")
    for key in options:
        options.check_plain(key)
    _check_config(options)


def _check_config(options: Note) -> None:
    """Raises where options cannot be those of any data set: a type, a range, or two that contradict each other."""
    known = DatasetConfig().to_dict().keys() - OTHERWISE
    height, width = parse_size(options.take_text("image_size", IMAGE_SIZE))
    settings = {name: options.take_any(name) for name in options if name in known}
    try:
        DatasetConfig.from_dict({**settings, "height": height, "width": width})
    except WrongTypeError as error:
        raise options.refuse(error.name, "is of a wrong type") from error
    except ValueError as error:
        why = f"describe no data set ({str(error).rstrip('.')})"
        raise options.refuse("image_size and what is beside it", why) from error


def find_least_record(height: int, width: int) -> int:
    """Returns how many bytes a record has at least, of pictures of this size."""
    return LEAST_RECORD + height * width // PIXELS_OF_A_BYTE


def find_missing_room(manifest: Mapping[str, Any], sizes: Mapping[str, int]) -> str:
    """Returns why files, by their sizes, cannot hold what a manifest promises, or "" where they may.

    Where some are missing, so much is believed as can be looked for in memory.
    """
    height, width = manifest["image_size"]
    least, grid, limit = find_least_record(height, width), Grid(**manifest["grid"]), manifest["options"]["limit"]
    room = sizes[BACKGROUNDS] // least if BACKGROUNDS in sizes else UNPROVEN // (height * width)
    if grid.backgrounds > max(room, 1):
        return f"{BACKGROUNDS} has no room for the {grid.backgrounds:,} backgrounds that are promised"
    entries = [entry for split in manifest["splits"].values() for entry in split["shards"]]
    room = sum(sizes.get(entry["file"], entry["bytes"]) for entry in entries) // least
    if any(entry["file"] not in sizes for entry in entries):
        room = min(room, UNPROVEN // 8)
    if (promised := min(limit or grid.size, grid.size)) > room:
        return f"its files have no room for the {promised:,} composites that are promised"
    return ""


def find_disagreements(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns what a manifest that was checked says twice, and not alike: the key, and what is wrong with it."""
    found = []

    def expect(key: str, stated: object, actual: object) -> None:
        if stated != actual:
            found.append((key, f"says {key} {stated}, but it must be {actual}"))

    options, splits = manifest["options"], manifest["splits"]
    for kind in ("backgrounds", "foregrounds"):
        expect(f"grid.{kind}", manifest["grid"][kind], len(options[kind]))
    expect("image_size", manifest["image_size"], list(parse_size(options["image_size"])))
    expect("labels", manifest["labels"], options["labels"])
    for name, split in splits.items():
        for key in ("bytes", "records"):
            expect(f"{name}.{key}", split[key], sum(entry[key] for entry in split["shards"]))
    expect("records", manifest["records"], sum(split["records"] for split in splits.values()))
    files = [manifest["backgrounds"], *(entry for split in splits.values() for entry in split["shards"])]
    expect("bytes", manifest["bytes"], sum(entry["bytes"] for entry in files))
    # Last: what is said above says more.
    if manifest.get(SEAL) not in (None, seal(manifest)):
        found.append((SEAL, f"is damaged or was changed by hand: its {SEAL} is of something else"))
    return found


def _check_split(split: Note, name: str, least: int) -> None:
    split.take_whole("records", 1)
    split.take_whole("bytes", 1)
    for kind in ("backgrounds", "foregrounds"):
        split.take_wholes(kind, 0, MOST_SOURCES)
    _check_statistics(split.take_note("statistics"))
    entries = split.take_notes("shards")
    if not entries:
        raise split.refuse("shards", "has no files")
    for number, entry in enumerate(entries):
        _check_file(entry, Shard(name, number, len(entries), 0, 0).name, least)


def _check_file(entry: Note, name: str, least: int) -> None:
    if entry.take_text("file") != name:
        raise entry.refuse("file", f"is not {name}, which belongs there")
    entry.take_text("sha256", SHA256)
    records, size = entry.take_whole("records", 1), entry.take_whole("bytes", 1)
    if records * least > size:
        raise entry.refuse("records", f"is more than its {size:,} bytes have room for")


def _check_statistics(statistics: Note) -> None:
    for key in ("bg", "fg_bg", "mask", "depth"):
        of_key = statistics.take_note(key)
        for kind in ("mean", "std"):
            if key in ("bg", "fg_bg"):
                of_key.take_numbers(kind, 0, 1, 3)
            else:
                of_key.take_number(kind, 0, 1e9)
