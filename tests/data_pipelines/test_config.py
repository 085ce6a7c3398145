"""The description of a data set: as flat values and back, as flags, and what it refuses."""

import json
from dataclasses import fields

import pytest
from absl import flags

from data_pipelines import dataset_flags
from data_pipelines.config import (
    FLAT_NAMES,
    DatasetConfig,
    PlacementConfig,
    SourcesConfig,
    TeacherConfig,
    parse_size,
)

# Every field has another value than its default, but some that do not go with the others.
CHANGED = DatasetConfig(
    sources=SourcesConfig(
        backgrounds="rooms",
        foregrounds="people",
        backgrounds_count=7,
        foregrounds_count=8,
        skip_bad=True,
        keep_duplicates=True,
        field_of_view=40.0,
        physical_height=(0.5, 1.0),
    ),
    placement=PlacementConfig(
        layout="ground",
        places=3,
        max_objects=2,
        further=0.75,
        upright=True,
        truncation=0.25,
        object_size=(0.2, 1.5),
        empty=0.125,
        flip_backgrounds=True,
    ),
    teacher=TeacherConfig(
        weights="depth.onnx",
        size=(192, 256),
        max_depth=10.0,
        camera_height=2.5,
        camera_tilt=-3.0,
        range="255",
        polarity="farther",
    ),
    height=48,
    width=64,
    seed=5,
    seam="hard",
    labels="exact",
    split="random",
    holdout=0.5,
    limit=9,
    jpeg_quality=70,
)
ALSO_CHANGED = DatasetConfig(
    sources=SourcesConfig(steeper=20.0, people=0.75), placement=PlacementConfig(layout="mixed")
)
PARTS = ("sources", "placement", "teacher")


def test_every_field_comes_back():
    usual = DatasetConfig()
    for owner, other in ((CHANGED, usual), *((getattr(CHANGED, part), getattr(usual, part)) for part in PARTS)):
        for field in fields(owner):
            also = field.name in ("steeper", "people", "layout")
            assert (getattr(owner, field.name) != getattr(other, field.name)) != also, field.name
    for config in (usual, CHANGED, ALSO_CHANGED):
        flat = json.loads(json.dumps(config.to_dict()))
        assert DatasetConfig.from_dict(flat) == config
    assert CHANGED.to_dict()["physical_height"] == [0.5, 1.0]
    assert CHANGED.to_dict()["teacher_size"] == [192, 256]


def test_what_came_later_leaves_descriptions_as_they_were():
    assert not {"upright", "further", "steeper", "people", "teacher_range"} & set(DatasetConfig().to_dict())
    assert ALSO_CHANGED.to_dict()["steeper"] == 20


def test_what_is_missing_has_its_default():
    assert DatasetConfig.from_dict({}) == DatasetConfig()
    assert DatasetConfig.from_dict({"placement": "rows", "seed": 3}) == DatasetConfig(
        placement=PlacementConfig(layout="rows"), seed=3
    )


def test_an_unknown_name_is_refused():
    with pytest.raises(
        ValueError, match="'colour' does not belong to the description of a data set; this version knows"
    ):
        DatasetConfig.from_dict({"seed": 1, "colour": "red"})


@pytest.mark.parametrize("wrong", [{"seed": "three"}, {"height": None}, {"truncation": [0.5]}, {"object_size": 0.5}])
def test_a_value_of_a_wrong_type_is_refused(wrong):
    with pytest.raises(ValueError, match="the description of a data set has a value of a wrong type"):
        DatasetConfig.from_dict(wrong)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"steeper": 50}, "`steeper`=50 is not from 0 to 45 degrees"),
        ({"steeper": 5, "backgrounds": "a", "foregrounds": "b"}, "`steeper` and `people` are for demo sources"),
        ({"upright": True, "placement": "rows"}, "`upright` is for objects on the ground; take `placement`=ground"),
        ({"further": 1.5}, "`further`=1.5 is not a share from 0 to 1"),
        ({"backgrounds": "rooms"}, "`backgrounds`=DIR and `foregrounds`=DIR go together"),
        ({"placement": "ring"}, "`placement`=ring is not a layout; take random, rows, ground or mixed"),
        ({"placement": "rows", "placements": 21}, "`placement`=rows has 20 places; `placements`=21 is more"),
        ({"object_size": [0.5, 1.5]}, "makes cut-outs larger than the picture"),
        ({"height": 16}, "`image_size`=16x224 is too small"),
        ({"labels": "guess"}, "`labels`=guess is not a kind of label"),
        ({"teacher_weights": "a.ONNX"}, "`teacher_weights`=a.ONNX knows near and far, but no metres; give the height"),
        ({"teacher_weights": "keras_hub:x"}, "keras_hub:x knows near and far, but no metres"),
        (
            {"teacher_weights": "a.onnx", "teacher_camera_height": 2, "labels": "teacher"},
            "`labels`=teacher needs a teacher of metres: objects hide the floor that a.onnx would be scaled by",
        ),
        ({"teacher_weights": "a.onnx", "teacher_camera_height": 0}, "`teacher_camera_height`=0 is not a height"),
        (
            {"teacher_camera_height": 2},
            "`teacher_camera_height` is for teachers of relative depth; `teacher_weights`=s",
        ),
        ({"teacher_camera_tilt": 2}, "`teacher_camera_tilt` is for teachers of relative depth"),
        (
            {"teacher_weights": "a.onnx", "teacher_camera_height": 2, "teacher_camera_tilt": 90},
            "`teacher_camera_tilt`=90 is not a tilt",
        ),
        ({"teacher_range": "half"}, "`teacher_range`=half is not a range; take imagenet, one, 255"),
        ({"teacher_polarity": "up"}, "`teacher_polarity`=up is not one; take nearer or farther"),
        ({"jpeg_quality": 0}, "`jpeg_quality`=0 is not from 1 to 100"),
    ],
)
def test_a_value_that_cannot_be_is_refused(wrong, complaint):
    with pytest.raises(ValueError, match=complaint):
        DatasetConfig.from_dict(wrong)


def test_flat_names_are_those_of_the_flags():
    own = {flag.name for flag in flags.FLAGS.get_key_flags_for_module(dataset_flags)}
    flat = {name for names in FLAT_NAMES.values() for name in names}
    # One flag gives two sides, and who writes shards has the flag for the quality of their pictures.
    assert flat - own == {"height", "width", "jpeg_quality"}
    assert own - flat == {"image_size"}


@pytest.fixture
def parse_flags():
    yield lambda *given: flags.FLAGS(["a command", *given])
    flags.FLAGS.unparse_flags()


def test_flags_without_values_describe_the_usual_data_set(parse_flags):
    parse_flags()
    assert dataset_flags.config_from_flags() == DatasetConfig()
    assert dataset_flags.config_from_flags(labels="exact").labels == "exact"


@pytest.mark.parametrize(("text", "size"), [("224", (224, 224)), ("192x256", (192, 256)), ("192X256", (192, 256))])
def test_sizes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "x", "1x2x3", "-5", "2.5", "big"])
def test_no_sizes(text):
    with pytest.raises(ValueError, match=f"`teacher_size`={text} is not a size; write 224, or 192x256"):
        parse_size(text, "teacher_size")
