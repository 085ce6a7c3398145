"""One description of a data set: its pictures, how objects are placed, how depth is labelled, what is held out.

The export command and the training command make it from the same flags (`dataset_flags.py`); a manifest and the
`run.json` of a training hold it as `DatasetConfig.to_dict` returns it. The defaults are those of the flags.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, get_args, get_origin

LAYOUTS = ("random", "rows", "ground", "mixed")
ROWS, COLUMNS = 4, 5  # of the published depth-layer layout
SEAMS = ("hard", "soft", "feathered")
LABELS = ("teacher", "ground", "exact")
SPLITS = ("sources", "random")
KERAS_HUB = "keras_hub:"  # before the folder or the name of a preset of KerasHub
TEACHER_RANGES = ("imagenet", "one", "255")
TEACHER_POLARITIES = ("nearer", "farther")
LEAST_SIDE = 32  # pixels; below it no network and no SSIM works


def is_relative_teacher(weights: str) -> bool:
    """Whether a teacher of this name knows near and far only, in a unit of its own, and no metres."""
    return weights.startswith(KERAS_HUB) or weights.lower().endswith(".onnx")


@dataclass(frozen=True)
class SourcesConfig:
    """Where the pictures of a data set come from.

    Attributes:
        backgrounds: folder of pictures of empty scenes; None, as `foregrounds`, for demo sources.
        foregrounds: folder of cutouts with transparency.
        backgrounds_count: how many of them are used; 0 for all in the folder, or 100 demo ones.
        foregrounds_count: likewise.
        skip_bad: goes on without pictures that cannot be used, instead of refusing the folder.
        keep_duplicates: keeps copies of a picture; a test may then show a training picture.
        field_of_view: of the cameras, vertical, degrees. Demo sources know theirs.
        physical_height: least and most length of the longer side of the cutouts, metres. Demo sources know theirs.
        steeper: by how much more, at most, the cameras of demo scenes look down, degrees, 0 to 45.
        people: share of the demo cutouts that are people, 0 to 1.
    """

    backgrounds: str | None = None
    foregrounds: str | None = None
    backgrounds_count: int = 0
    foregrounds_count: int = 0
    skip_bad: bool = False
    keep_duplicates: bool = False
    field_of_view: float = 55.0
    physical_height: tuple[float, float] = (1.5, 1.9)
    steeper: float = 0.0
    people: float = 0.5

    def __post_init__(self):
        if bool(self.backgrounds) != bool(self.foregrounds):
            raise ValueError(
                "`backgrounds`=DIR and `foregrounds`=DIR go together; give both, or neither for demo sources."
            )
        if not 0 <= self.steeper <= 45:
            raise ValueError(f"`steeper`={self.steeper:g} is not from 0 to 45 degrees.")
        if not 0 <= self.people <= 1:
            raise ValueError(f"`people`={self.people:g} is not a share from 0 to 1.")
        if self.backgrounds and (self.steeper or self.people != SourcesConfig.people):
            raise ValueError("`steeper` and `people` are for demo sources; pictures of yours are what they are.")
        low, high = self.physical_height
        if not 0 < low <= high:
            raise ValueError(f"`physical_height`={low},{high}: the first must be over 0 and not more than the second.")

    @property
    def is_demo(self) -> bool:
        """Whether the pictures are drawn by this package, which then knows their depth."""
        return self.backgrounds is None


@dataclass(frozen=True)
class PlacementConfig:
    """How objects are placed. The defaults are the published layout: one whole object in every frame.

    Attributes:
        layout: one of `LAYOUTS`; what each is, `compositing/placement.py` says.
        places: placements of each pair of a background and a cutout.
        max_objects: most objects in one composite, painted far to near; 1 to 16.
        further: chance of one more object, while `max_objects` allows it, 0 to 1.
        truncation: share of objects that the edge of the picture may cut, 0 to 1.
        object_size: least and most of an object's longer side, as a share of the picture's shorter one; over 1 needs
            `truncation`.
        empty: share of frames with no object in them, 0 to 1.
        flip_backgrounds: mirrors every other background.
        upright: objects on the ground stand upright where the camera looks down, so that a head is nearer than its
            feet; else each is as far away as its foot, as published.
    """

    layout: str = "ground"
    places: int = 20
    max_objects: int = 1
    truncation: float = 0.0
    object_size: tuple[float, float] = (0.1, 0.9)
    empty: float = 0.0
    flip_backgrounds: bool = False
    upright: bool = False
    further: float = 0.4

    def __post_init__(self):
        low, high = self.object_size
        if self.layout not in LAYOUTS:
            *others, last = LAYOUTS
            raise ValueError(f"`placement`={self.layout} is not a layout; take {', '.join(others)} or {last}.")
        if self.places < 1:
            raise ValueError(f"`placements`={self.places} makes nothing; take 1 or more.")
        if self.in_rows and self.places > ROWS * COLUMNS:
            raise ValueError(
                f"`placement`={self.layout} has {ROWS * COLUMNS} places; `placements`={self.places} is more."
            )
        if not 1 <= self.max_objects <= 16:
            raise ValueError(f"`max_objects`={self.max_objects} is not from 1 to 16.")
        for name, share in (("truncation", self.truncation), ("empty", self.empty), ("further", self.further)):
            if not 0 <= share <= 1:
                raise ValueError(f"`{name}`={share} is not a share from 0 to 1.")
        if not 0 < low <= high <= 4:
            raise ValueError(f"`object_size`={low},{high} is not a range such as 0.1,1.2 (at most 4).")
        if self.upright and self.layout != "ground":
            raise ValueError(f"`upright` is for objects on the ground; take `placement`=ground, not {self.layout}.")
        if high > 1 and not self.truncation:
            raise ValueError(
                f"`object_size`={low},{high} makes cut-outs larger than the picture, which cannot stand in it whole; "
                "lower it to 1 or less, or let the edge cut objects (`truncation`=0.3)."
            )

    @property
    def in_rows(self) -> bool:
        """Whether any frame is laid out in rows."""
        return self.layout in ("rows", "mixed")

    def largest(self, height: int, width: int) -> int:
        """Returns the longest side, in pixels, that an object is ever shown with in pictures of this size."""
        sized = 0 if self.layout == "rows" else math.ceil(self.object_size[1] * min(height, width))
        # Rows ask for a height, whatever the width.
        return max(sized, height, width) if self.in_rows else sized


@dataclass(frozen=True)
class TeacherConfig:
    """The network that looks at pictures and labels their depth.

    Attributes:
        weights: "small", which comes with the package, or the path of a published `.h5` file; or a network of relative
            depth, the path of an ONNX file, or `keras_hub:` and the folder or the name of a preset.
        size: (height, width) that pictures are scaled to for it; None for the size that it was trained at.
        max_depth: metres; needed where the `.h5` file's name says neither nyu nor kitti.
        camera_height: metres above the floor at which the cameras of the backgrounds hang. It decides all distances
            that a relative teacher gives, and only such a one needs it.
        camera_tilt: degrees by which they look down; None to take what the teacher's own map says.
        range: one of `TEACHER_RANGES`: what the input of an ONNX file is scaled to.
        polarity: one of `TEACHER_POLARITIES`: what larger values of its output are.
    """

    weights: str = "small"
    size: tuple[int, int] | None = None
    max_depth: float | None = None
    camera_height: float | None = None
    camera_tilt: float | None = None
    range: str = "imagenet"
    polarity: str = "nearer"

    def __post_init__(self):
        if self.range not in TEACHER_RANGES:
            raise ValueError(f"`teacher_range`={self.range} is not a range; take {', '.join(TEACHER_RANGES)}.")
        if self.polarity not in TEACHER_POLARITIES:
            raise ValueError(f"`teacher_polarity`={self.polarity} is not one; take {' or '.join(TEACHER_POLARITIES)}.")
        if self.camera_height is not None and not 0.05 <= self.camera_height <= 100:
            raise ValueError(
                f"`teacher_camera_height`={self.camera_height:g} is not a height; give metres above the floor, 0.05 to "
                "100."
            )
        if self.camera_tilt is not None and not -60 <= self.camera_tilt < 90:
            raise ValueError(
                f"`teacher_camera_tilt`={self.camera_tilt:g} is not a tilt; give degrees downwards, from -60 to under "
                "90; 0 is level."
            )
        if self.is_relative and self.camera_height is None:
            raise ValueError(
                f"`teacher_weights`={self.weights} knows near and far, but no metres; give the height at which the "
                "cameras of the backgrounds hang (`teacher_camera_height`), which decides all distances."
            )
        if not self.is_relative and (self.camera_height is not None or self.camera_tilt is not None):
            given = "height" if self.camera_height is not None else "tilt"
            raise ValueError(
                f"`teacher_camera_{given}` is for teachers of relative depth; `teacher_weights`={self.weights} gives "
                "metres itself: leave it out."
            )

    @property
    def is_relative(self) -> bool:
        """Whether it knows near and far only, in a unit of its own."""
        return is_relative_teacher(self.weights)


class WrongTypeError(ValueError):
    """A value in the description of a data set is of a wrong type.

    Attributes:
        name: of the value.
    """

    def __init__(self, name: str):
        super().__init__(f"the description of a data set has a value of a wrong type for {name}.")
        self.name = name


@dataclass(frozen=True)
class DatasetConfig:
    """What a data set is; the same description gives the same examples.

    Attributes:
        sources: where the pictures come from.
        placement: how objects are placed in them.
        teacher: the network that labels depth, unless `labels` is exact.
        height: of the pictures, pixels; 32 or more.
        width: likewise.
        seed: of places, splits and demo sources; 0 to 2**62.
        seam: edges of objects: "hard" (all or nothing), "soft" (as drawn), "feathered" (faded inwards).
        labels: where depth comes from: "teacher" looks at every composite, "ground" at every background, "exact" is the
            truth, which only demo sources know.
        split: "sources" holds out whole pictures; "random" shuffles composites, so that tests show training pictures.
        holdout: share of the backgrounds, and of the cutouts, that training never sees.
        limit: composites in all; 0 for every one.
        jpeg_quality: of `bg` and `fg_bg` in shards, 1 to 100.
    """

    sources: SourcesConfig = field(default_factory=SourcesConfig)
    placement: PlacementConfig = field(default_factory=PlacementConfig)
    teacher: TeacherConfig = field(default_factory=TeacherConfig)
    height: int = 224
    width: int = 224
    seed: int = 0
    seam: str = "soft"
    labels: str = "ground"
    split: str = "sources"
    holdout: float = 0.16
    limit: int = 0
    jpeg_quality: int = 80

    def __post_init__(self):
        if min(self.height, self.width) < LEAST_SIDE:
            raise ValueError(f"`image_size`={self.height}x{self.width} is too small; take {LEAST_SIDE} or more a side.")
        if self.seam not in SEAMS:
            raise ValueError(f"`seam`={self.seam} is not a seam; take {', '.join(SEAMS)}.")
        if self.labels not in LABELS:
            raise ValueError(f"`labels`={self.labels} is not a kind of label; take {', '.join(LABELS)}.")
        if self.labels == "teacher" and self.teacher.is_relative:
            raise ValueError(
                f"`labels`=teacher needs a teacher of metres: objects hide the floor that {self.teacher.weights} would "
                "be scaled by; take `labels`=ground."
            )
        if self.split not in SPLITS:
            raise ValueError(f"`split`={self.split} is not a way to split; take {' or '.join(SPLITS)}.")
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f"`jpeg_quality`={self.jpeg_quality} is not from 1 to 100.")
        if not 0 <= self.seed < 1 << 62:
            raise ValueError(f"`seed`={self.seed} is not a whole number from 0 to 2**62.")
        if self.limit < 0:
            raise ValueError(f"`limit`={self.limit} is negative; 0 is for no limit.")

    def to_dict(self) -> dict[str, Any]:
        """Returns the description as flat JSON values, each by the name of its flag; sizes as `height` and `width`.

        What came later is left out where it has its default: digests of data sets from before hold.
        """
        flat: dict[str, Any] = {}
        for group in ("sources", "teacher", None, "placement"):
            owner = getattr(self, group) if group else self
            flat |= {name: _as_json(getattr(owner, attribute)) for name, attribute in FLAT_NAMES[group].items()}
        return {name: value for name, value in flat.items() if name not in LATER or LATER[name] != value}

    @classmethod
    def from_dict(cls, flat: Mapping[str, Any]) -> "DatasetConfig":
        """Returns the description that `to_dict` made `flat` from; what is missing in it has its default.

        Raises:
            ValueError: a name is not one of `to_dict`'s, or a value is not one that the description can have.
        """
        known = {name for names in FLAT_NAMES.values() for name in names}
        if unknown := sorted(set(flat) - known):
            raise ValueError(
                f"{unknown[0]!r} does not belong to the description of a data set; this version knows "
                f"{', '.join(sorted(known))}."
            )

        def make(owner: type, group: str | None, **parts: Any) -> Any:
            kinds = {item.name: item.type for item in fields(owner)}
            given = {}
            for name, attribute in FLAT_NAMES[group].items():
                if name in flat:
                    if not _is_of_kind(flat[name], kinds[attribute]):
                        raise WrongTypeError(name)
                    given[attribute] = _from_json(flat[name])
            return owner(**given, **parts)

        return make(
            cls,
            None,
            sources=make(SourcesConfig, "sources"),
            placement=make(PlacementConfig, "placement"),
            teacher=make(TeacherConfig, "teacher"),
        )


def _own_fields(owner: type, *without: str) -> dict[str, str]:
    return {item.name: item.name for item in fields(owner) if item.name not in without}


# By the part of the description: flat name -> attribute. The order is that of manifests.
FLAT_NAMES: dict[str | None, dict[str, str]] = {
    "sources": _own_fields(SourcesConfig),
    "teacher": {f"teacher_{name}": name for name in _own_fields(TeacherConfig)},
    None: {
        **_own_fields(DatasetConfig, "sources", "placement", "teacher", "height", "width"),
        "height": "height",
        "width": "width",
    },
    "placement": {
        "placement": "layout",
        "placements": "places",
        **_own_fields(PlacementConfig, "layout", "places"),
    },
}

LATER: dict[str, Any] = {
    "upright": False,
    "further": 0.4,
    "steeper": 0.0,
    "people": 0.5,
    "teacher_camera_height": None,
    "teacher_camera_tilt": None,
    "teacher_range": "imagenet",
    "teacher_polarity": "nearer",
}


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _is_of_kind(value: Any, kind: Any) -> bool:
    """Returns whether a JSON value is of the kind that a field of a description is annotated with."""
    parts = get_args(kind)
    if get_origin(kind) is tuple:
        return isinstance(value, list | tuple) and len(value) == len(parts) and all(map(_is_of_kind, value, parts))
    if parts:
        return any(_is_of_kind(value, part) for part in parts)
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < math.inf
    return type(value) is kind


def _from_json(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def parse_size(text: str, name: str = "image_size") -> tuple[int, int]:
    """Returns (height, width) of a size written as 224, or as 192x256 for height x width."""
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.isdecimal() for side in sides):
        raise ValueError(f"`{name}`={text} is not a size; write 224, or 192x256 for height x width.")
    return int(sides[0]), int(sides[-1])
