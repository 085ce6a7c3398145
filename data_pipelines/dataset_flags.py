"""The flags that describe a data set, for every command that makes one: shards, or composites on the fly.

A command calls `flags.adopt_module_key_flags(dataset_flags)`, so that its help shows them, and `config_from_flags`.
"""

from absl import flags

from data_pipelines.config import (
    LABELS,
    LAYOUTS,
    SEAMS,
    SPLITS,
    TEACHER_POLARITIES,
    TEACHER_RANGES,
    DatasetConfig,
    PlacementConfig,
    SourcesConfig,
    TeacherConfig,
    parse_size,
)

_USUAL = DatasetConfig()
_SOURCES, _PLACED, _TEACHER = _USUAL.sources, _USUAL.placement, _USUAL.teacher

BACKGROUNDS = flags.DEFINE_string("backgrounds", None, "Folder of empty scenes: JPEG, PNG, WebP, BMP.")
FOREGROUNDS = flags.DEFINE_string("foregrounds", None, "Folder of cutouts: PNG or WebP with transparency.")
BACKGROUNDS_COUNT = flags.DEFINE_integer(
    "backgrounds_count", _SOURCES.backgrounds_count, "How many; 0: 100 demo ones, or all in the folder.", lower_bound=0
)
FOREGROUNDS_COUNT = flags.DEFINE_integer(
    "foregrounds_count", _SOURCES.foregrounds_count, "How many; 0: 100 demo ones, or all in the folder.", lower_bound=0
)
SKIP_BAD = flags.DEFINE_bool(
    "skip_bad", _SOURCES.skip_bad, "Go on without pictures that cannot be used; the manifest names them."
)
KEEP_DUPLICATES = flags.DEFINE_bool(
    "keep_duplicates", _SOURCES.keep_duplicates, "Keep copies of a picture; a test may then show a training picture."
)
FIELD_OF_VIEW = flags.DEFINE_float(
    "field_of_view",
    _SOURCES.field_of_view,
    "Vertical, degrees, of your cameras (demo ones know theirs): decides how tall somebody is at a distance.",
    lower_bound=5,
    upper_bound=150,
)
PHYSICAL_HEIGHT = flags.DEFINE_list(
    "physical_height",
    [str(metres) for metres in _SOURCES.physical_height],
    "Metres, least and most, of the longer side of your cutouts (demo ones know theirs).",
)
STEEPER = flags.DEFINE_float(
    "steeper", _SOURCES.steeper, "Degrees by which the cameras of demo scenes look down more, at most."
)
PEOPLE = flags.DEFINE_float("people", _SOURCES.people, "Share of the demo cutouts that are people.")
IMAGE_SIZE = flags.DEFINE_string("image_size", "224", "Side in pixels, or HEIGHTxWIDTH; at least 32.")
PLACEMENT = flags.DEFINE_enum(
    "placement",
    _PLACED.layout,
    LAYOUTS,
    "Anywhere; 4 rows x 5 columns as published; standing on the floor, as tall as it is far; or mostly rows, and else "
    "anywhere, to which alone --max_objects, --truncation and --empty then apply.",
)
PLACEMENTS = flags.DEFINE_integer("placements", _PLACED.places, "Places for each pair of background and cutout.")
MAX_OBJECTS = flags.DEFINE_integer(
    "max_objects", _PLACED.max_objects, "Up to so many cutouts in one frame, painted far to near."
)
FURTHER = flags.DEFINE_float("further", _PLACED.further, "Chance of one more object, while --max_objects allows it.")
TRUNCATION = flags.DEFINE_float(
    "truncation", _PLACED.truncation, "Share of objects that the edge of the picture may cut."
)
OBJECT_SIZE = flags.DEFINE_list(
    "object_size",
    [str(share) for share in _PLACED.object_size],
    "Least and most of an object's longer side, as a share of the picture's shorter one; over 1 needs --truncation.",
)
EMPTY = flags.DEFINE_float("empty", _PLACED.empty, "Share of frames with nobody in them.")
FLIP_BACKGROUNDS = flags.DEFINE_bool("flip_backgrounds", _PLACED.flip_backgrounds, "Mirror every other background.")
UPRIGHT = flags.DEFINE_bool(
    "upright", _PLACED.upright, "Objects stand upright where the camera looks down: heads are nearer than feet."
)
SEAM = flags.DEFINE_enum("seam", _USUAL.seam, SEAMS, "Edges: all or nothing, as drawn, or faded inwards.")
LABELS_FROM = flags.DEFINE_enum(
    "labels",
    None,
    LABELS,
    "Depth: the teacher looks at every composite (hours; shards only); at every background (fast); or the demo "
    "sources' own truth. Without it: ground; when training on demo sources, exact.",
)
TEACHER_WEIGHTS = flags.DEFINE_string(
    "teacher_weights",
    _TEACHER.weights,
    "small: comes with the package, knows drawn scenes only; for photographs give a published .h5 file; or a network "
    "of relative depth (an ONNX file, or keras_hub:FOLDER or keras_hub:NAME) with --teacher_camera_height.",
)
TEACHER_SIZE = flags.DEFINE_string(
    "teacher_size",
    None,
    "HEIGHTxWIDTH that pictures are scaled to for it; default 192x256 for small, 480x640 for others.",
)
TEACHER_MAX_DEPTH = flags.DEFINE_float(
    "teacher_max_depth", None, "Metres; needed when the .h5 file's name says neither nyu nor kitti."
)
TEACHER_CAMERA_HEIGHT = flags.DEFINE_float(
    "teacher_camera_height",
    None,
    "Metres from the floor to the cameras of the backgrounds; needed by a relative teacher, all of whose distances it "
    "decides.",
)
TEACHER_CAMERA_TILT = flags.DEFINE_float(
    "teacher_camera_tilt",
    None,
    "Degrees by which they look down; without it a relative teacher's own map says it, which is off by several.",
)
TEACHER_RANGE = flags.DEFINE_enum(
    "teacher_range",
    _TEACHER.range,
    TEACHER_RANGES,
    "Of an ONNX file's input, or of a preset without preprocessing: normalised as for ImageNet, 0 to 1, or 0 to 255.",
)
TEACHER_POLARITY = flags.DEFINE_enum(
    "teacher_polarity", _TEACHER.polarity, TEACHER_POLARITIES, "What larger values of an ONNX file's output are."
)
SPLIT = flags.DEFINE_enum(
    "split",
    _USUAL.split,
    SPLITS,
    "Hold out whole pictures; or shuffle composites as published versions do, and see test pictures in training.",
)
HOLDOUT = flags.DEFINE_float(
    "holdout", _USUAL.holdout, "Share of the backgrounds, and of the cutouts, that training never sees."
)
SEED = flags.DEFINE_integer(
    "seed", _USUAL.seed, "Of places, splits and demo sources; of a training also its first weights and its order."
)
LIMIT = flags.DEFINE_integer("limit", _USUAL.limit, "So many composites in all, to look at; 0 for every one.")


def config_from_flags(labels: str = "ground", jpeg_quality: int = _USUAL.jpeg_quality) -> DatasetConfig:
    """Returns what the flags describe.

    Args:
        labels: what `--labels` is where it is not given.
        jpeg_quality: of pictures in shards.
    """
    height, width = parse_size(IMAGE_SIZE.value)
    teacher_size = TEACHER_SIZE.value
    return DatasetConfig(
        sources=SourcesConfig(
            backgrounds=BACKGROUNDS.value,
            foregrounds=FOREGROUNDS.value,
            backgrounds_count=BACKGROUNDS_COUNT.value,
            foregrounds_count=FOREGROUNDS_COUNT.value,
            skip_bad=SKIP_BAD.value,
            keep_duplicates=KEEP_DUPLICATES.value,
            field_of_view=FIELD_OF_VIEW.value,
            physical_height=parse_pair(PHYSICAL_HEIGHT),
            steeper=STEEPER.value,
            people=PEOPLE.value,
        ),
        placement=PlacementConfig(
            layout=PLACEMENT.value,
            places=PLACEMENTS.value,
            max_objects=MAX_OBJECTS.value,
            further=FURTHER.value,
            truncation=TRUNCATION.value,
            object_size=parse_pair(OBJECT_SIZE),
            empty=EMPTY.value,
            flip_backgrounds=FLIP_BACKGROUNDS.value,
            upright=UPRIGHT.value,
        ),
        teacher=TeacherConfig(
            weights=TEACHER_WEIGHTS.value,
            size=parse_size(teacher_size, "teacher_size") if teacher_size else None,
            max_depth=TEACHER_MAX_DEPTH.value,
            camera_height=TEACHER_CAMERA_HEIGHT.value,
            camera_tilt=TEACHER_CAMERA_TILT.value,
            range=TEACHER_RANGE.value,
            polarity=TEACHER_POLARITY.value,
        ),
        height=height,
        width=width,
        seed=SEED.value,
        seam=SEAM.value,
        labels=LABELS_FROM.value or labels,
        split=SPLIT.value,
        holdout=HOLDOUT.value,
        limit=LIMIT.value,
        jpeg_quality=jpeg_quality,
    )


def parse_pair(flag: flags.FlagHolder) -> tuple[float, float]:
    """Returns the two numbers of a flag that is given as least,most."""
    try:
        least, most = (float(part) for part in flag.value)
    except ValueError:
        raise ValueError(f"`{flag.name}`={','.join(flag.value)} is not two numbers such as 0.1,1.2.") from None
    return least, most
