"""Makes a training set: from backgrounds and cut-outs to TFRecord shards with exact masks and depth.

    python tools/export_tfrecords.py --flagfile=data_pipelines/flagfiles/tiny.flags --output=out
    python tools/export_tfrecords.py --backgrounds=DIR --foregrounds=DIR --limit=24 --output=look

Killed and started again with the same flags, it goes on where it was. Exit status 1, with one sentence, when something
is wrong with what it was given; finished shards are kept.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import sys
from collections.abc import Callable
from functools import cache, partial

import tensorflow as tf
from absl import flags

from data_pipelines.compositing.placement import LAYOUTS, Placement
from data_pipelines.compositing.plan import LABELS, Options, parse_size
from data_pipelines.inspection import contact_sheet
from data_pipelines.runtime.cli import run_command
from data_pipelines.sources import source_set
from data_pipelines.teacher import network as teacher
from data_pipelines.tfrecord import export as generation
from data_pipelines.tfrecord import shards

_OUTPUT = flags.DEFINE_string("output", None, "Folder for the data set; local or gs://.", required=True)
_SOURCES = flags.DEFINE_enum("sources", "demo", ["demo", "folders"], "Drawn pictures, or your own (see the next two).")
_BACKGROUNDS = flags.DEFINE_string("backgrounds", None, "Folder of empty scenes: JPEG, PNG, WebP, BMP.")
_FOREGROUNDS = flags.DEFINE_string("foregrounds", None, "Folder of cut-outs: PNG or WebP with transparency.")
_BACKGROUNDS_COUNT = flags.DEFINE_integer("backgrounds_count", 0, "How many; 0: 100 demo ones, or all in the folder.")
_FOREGROUNDS_COUNT = flags.DEFINE_integer("foregrounds_count", 0, "How many; 0: 100 demo ones, or all in the folder.")
_SKIP_BAD = flags.DEFINE_bool("skip_bad", False, "Go on without pictures that cannot be used; the manifest names them.")
_KEEP_DUPLICATES = flags.DEFINE_bool(
    "keep_duplicates", False, "Keep copies of a picture; a test may then show a training picture."
)
_IMAGE_SIZE = flags.DEFINE_string("image_size", "224", "Side in pixels, or HEIGHTxWIDTH; at least 32.")
_PLACEMENT = flags.DEFINE_enum(
    "placement",
    "ground",
    LAYOUTS,
    "Anywhere; 4 rows x 5 columns as published; standing on the floor, as tall as it is far; or mostly rows, and else "
    "anywhere, to which alone --max_objects, --truncation and --empty then apply.",
)
_PLACEMENTS = flags.DEFINE_integer("placements", 20, "Places for each pair of background and cut-out.")
_MAX_OBJECTS = flags.DEFINE_integer("max_objects", 1, "Up to so many cut-outs in one frame, painted far to near.")
_TRUNCATION = flags.DEFINE_float("truncation", 0.0, "Share of objects that the edge of the picture may cut.")
_OBJECT_SIZE = flags.DEFINE_list(
    "object_size",
    ["0.1", "0.9"],
    "Least and most of an object's longer side, as a share of the picture's shorter one; over 1 needs --truncation.",
)
_EMPTY = flags.DEFINE_float("empty", 0.0, "Share of frames with nobody in them.")
_FLIP_BACKGROUNDS = flags.DEFINE_bool("flip_backgrounds", False, "Mirror every other background.")
_SEAM = flags.DEFINE_enum(
    "seam", "soft", ["hard", "soft", "feathered"], "Edges: all or nothing, as drawn, or faded inwards."
)
_LABELS = flags.DEFINE_enum(
    "labels",
    "ground",
    list(LABELS),
    "Depth: the teacher looks at every composite (hours); at every background (fast); or the demo sources' own truth.",
)
_COMPARE_LABELS = flags.DEFINE_integer(
    "compare_labels",
    0,
    "On so many composites, say in the manifest how far the labels are from what the teacher sees.",
    lower_bound=0,
)
_TEACHER_WEIGHTS = flags.DEFINE_string(
    "teacher_weights",
    "small",
    "small: comes with the package, knows drawn scenes only; for photographs give a published .h5 file.",
)
_TEACHER_SIZE = flags.DEFINE_string(
    "teacher_size",
    None,
    "HEIGHTxWIDTH that pictures are scaled to for it; default 192x256 for small, 480x640 for others.",
)
_TEACHER_MAX_DEPTH = flags.DEFINE_float(
    "teacher_max_depth", None, "Metres; needed when the .h5 file's name says neither nyu nor kitti."
)
_TEACHER_BATCH = flags.DEFINE_integer("teacher_batch", 8, "Pictures that it looks at together.", lower_bound=1)
_FIELD_OF_VIEW = flags.DEFINE_float(
    "field_of_view",
    55.0,
    "Vertical, degrees, of your cameras (demo ones know theirs): decides how tall somebody is at a distance.",
    lower_bound=5,
    upper_bound=150,
)
_PHYSICAL_HEIGHT = flags.DEFINE_list(
    "physical_height",
    ["1.5", "1.9"],
    "Metres, least and most, of the longer side of your cut-outs (demo ones know theirs).",
)
_SPLIT = flags.DEFINE_enum(
    "split",
    "sources",
    ["sources", "random"],
    "Hold out whole pictures; or shuffle composites as published versions do, and see test pictures in training.",
)
_HOLDOUT = flags.DEFINE_float(
    "holdout", 0.16, "Share of the backgrounds, and of the cut-outs, that training never sees."
)
_SHARDS = flags.DEFINE_integer("shards", 0, "Files for each split; 0 chooses.", lower_bound=0)
_SEED = flags.DEFINE_integer("seed", 0, "Other seed, other places and splits.")
_LIMIT = flags.DEFINE_integer("limit", 0, "So many composites in all, to look at; 0 for every one.")
_JPEG_QUALITY = flags.DEFINE_integer("jpeg_quality", 80, "Of bg and fg_bg; masks and depth are lossless.")
_ENGINE = flags.DEFINE_enum("engine", "local", ["local", "beam"], "This process, or Apache Beam (pip install .[beam]).")
_BEAM_ARGS = flags.DEFINE_multi_string("beam_args", [], "For Beam, such as --beam_args=--runner=DataflowRunner.")
_THREADS = flags.DEFINE_integer("threads", 0, "0 for all cores.", lower_bound=0)


def export() -> None:
    manifest = made()
    print(f"{manifest['records']:,} composites, {manifest['bytes'] / 1e6:,.1f} MB in {_OUTPUT.value}")
    for name, split in manifest["splits"].items():
        print(f"  {name:12} {split['records']:>9,} in {len(split['shards'])} shards")
    if left_out := manifest["refused_sources"]:
        those = f"{len(left_out)} picture{'s' * (len(left_out) > 1)}"
        print(f"left out {those}: see refused_sources in {_OUTPUT.value}/manifest.json")
    if flat := manifest["backgrounds_without_floor"]:
        named = ", ".join(f"bg{number:03d}" for number in flat[:5])
        print(f"no floor was seen in {len(flat)} backgrounds ({named} ...): things stand in their lower third there")
    print(f"next: python tools/verify_shards.py {_OUTPUT.value}")


def made() -> dict:
    options = Options(
        *parse_size(_IMAGE_SIZE.value),
        seed=_SEED.value,
        placement=Placement(
            layout=_PLACEMENT.value,
            places=_PLACEMENTS.value,
            max_objects=_MAX_OBJECTS.value,
            truncation=_TRUNCATION.value,
            object_size=pair(_OBJECT_SIZE),
            empty=_EMPTY.value,
            flip_backgrounds=_FLIP_BACKGROUNDS.value,
        ),
        seam=_SEAM.value,
        labels=_LABELS.value,
        split=_SPLIT.value,
        holdout=_HOLDOUT.value,
        limit=_LIMIT.value,
        jpeg_quality=_JPEG_QUALITY.value,
    )
    teacher_size = teacher.usual_size(_TEACHER_WEIGHTS.value)
    if _TEACHER_SIZE.value:
        teacher_size = parse_size(_TEACHER_SIZE.value, "teacher_size")
    uses_teacher = options.labels != "exact" or _COMPARE_LABELS.value
    identity = {
        "weights": _TEACHER_WEIGHTS.value,
        "size": f"{teacher_size[0]}x{teacher_size[1]}",
        "sha256": teacher.digest(_TEACHER_WEIGHTS.value) if uses_teacher else None,
    }
    load_sources = source_loader(options)
    load_teacher = partial(teacher.load, _TEACHER_WEIGHTS.value, teacher_size, _TEACHER_MAX_DEPTH.value)
    load_once = cache(load_teacher)
    if uses_teacher:
        load_once()  # refused now, if it is, rather than after the pictures were read
    manifest = generation.export(
        load_sources(),
        options,
        _OUTPUT.value,
        load_teacher=load_once,
        teacher_identity=identity if uses_teacher else {},
        teacher_batch=_TEACHER_BATCH.value,
        shard_count=_SHARDS.value,
        compare_labels=_COMPARE_LABELS.value,
        threads=_THREADS.value,
        engine=beam_engine(load_sources, options, load_teacher) if _ENGINE.value == "beam" else None,
    )
    said = [flag.serialize() for flag in flags.FLAGS.get_key_flags_for_module(sys.argv[0])]
    with tf.io.gfile.GFile(shards.join(_OUTPUT.value, "export.flags"), "w") as file:
        file.write("\n".join(line for line in said if line) + "\n")
    with tf.io.gfile.GFile(shards.join(_OUTPUT.value, "sheet.png"), "wb") as file:
        contact_sheet.sheet(_OUTPUT.value).save(file, "PNG")
    return manifest


def source_loader(options: Options) -> Callable[..., source_set.Sources]:
    """What reads the pictures that the flags name, at the size of the data set: here, or on a worker of Beam."""
    backgrounds, foregrounds = _BACKGROUNDS.value, _FOREGROUNDS.value
    if _SOURCES.value == "demo" and not (backgrounds or foregrounds):
        return partial(
            source_set.from_demo,
            options.seed,
            _BACKGROUNDS_COUNT.value or source_set.DEMO_COUNT,
            _FOREGROUNDS_COUNT.value or source_set.DEMO_COUNT,
            options.height,
            options.width,
        )
    if not (backgrounds and foregrounds):
        raise ValueError(
            "--backgrounds=DIR and --foregrounds=DIR go together; give both, or neither for --sources=demo."
        )
    return partial(
        source_set.from_folders,
        backgrounds,
        foregrounds,
        options.height,
        options.width,
        longest=options.placement.largest(options.height, options.width),
        field_of_view=_FIELD_OF_VIEW.value,
        physical_height=pair(_PHYSICAL_HEIGHT),
        background_count=_BACKGROUNDS_COUNT.value or None,
        foreground_count=_FOREGROUNDS_COUNT.value or None,
        skip_bad=_SKIP_BAD.value,
        keep_duplicates=_KEEP_DUPLICATES.value,
    )


def beam_engine(load_sources: Callable, options: Options, load_teacher: Callable) -> Callable:
    try:
        from data_pipelines.tfrecord import beam
    except ImportError as error:
        raise ValueError(
            f"--engine=beam needs Apache Beam ({error}); install it with: pip install '.[beam]'"
        ) from error
    return beam.engine(load_sources, options, load_teacher, _TEACHER_BATCH.value, _BEAM_ARGS.value)


def pair(flag: flags.FlagHolder) -> tuple[float, float]:
    """least,most -> (least, most)."""
    try:
        least, most = (float(part) for part in flag.value)
    except ValueError:
        raise ValueError(f"--{flag.name}={','.join(flag.value)} is not two numbers such as 0.1,1.2.") from None
    if not 0 < least <= most:
        raise ValueError(f"--{flag.name}={least},{most}: the first must be over 0 and not more than the second.")
    return least, most


def main() -> None:
    """Runs the command."""
    run_command(export, __name__, "folders are given as --output=DIR")


if __name__ == "__main__":
    main()
