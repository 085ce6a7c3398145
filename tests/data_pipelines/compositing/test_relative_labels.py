"""Backgrounds labelled by a teacher of relative depth: those without a floor are refused by name, or left out."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_data import FIELD_OF_VIEW, HEIGHT, WIDTH

from data_pipelines.compositing.compositor import label_backgrounds
from data_pipelines.compositing.relative_labels import leave_out_unscaled
from data_pipelines.config import DatasetConfig, SourcesConfig, TeacherConfig

SKEW = np.linspace(0, 0.1, WIDTH)  # what the rooms are farther to the right than their floor is
TEACHER = TeacherConfig(weights="any.onnx", camera_height=1.5)
CONFIG = DatasetConfig(height=HEIGHT, width=WIDTH, labels="ground", teacher=TEACHER)
SKIPPING = replace(CONFIG, sources=SourcesConfig(skip_bad=True))


class TrueTeacher:
    """Knows the inverse depth of each background, in a unit of its own; of those without floor it sees a wall."""

    def __init__(self, sources, walls=()):
        self._of = dict(zip((p.tobytes() for p in sources.backgrounds), 5 / (sources.true_depth - SKEW), strict=True))
        for number in walls:
            self._of[sources.backgrounds[number].tobytes()] = np.full((HEIGHT, WIDTH), 2.0)

    def predict_inverse_depth(self, picture):
        return self._of[picture.tobytes()]


def test_labels_are_metres(tiny_sources):
    codes = label_backgrounds(tiny_sources, CONFIG, lambda: TrueTeacher(tiny_sources), 1)
    assert (codes.dtype, codes.shape) == (np.uint16, tiny_sources.true_depth.shape)
    # Drawn as 1.5 focal lengths / rows below the horizon, which is 0.2 - 0.02 n of the picture above its middle: seen
    # as the floor of a camera that looks down so, it is 1.5 cos(tilt) below it, and all is 1 / cos(tilt) too far.
    focal = HEIGHT / 2 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    for number, (metres, true) in enumerate(zip(codes / 256, tiny_sources.true_depth - SKEW, strict=True)):
        tilt = np.arctan(HEIGHT * (0.2 - 0.02 * number) / focal)
        np.testing.assert_allclose(metres, true / np.cos(tilt), rtol=0.004)


def test_a_background_without_floor_is_refused_by_name_or_left_out(tiny_sources):
    teacher = TrueTeacher(tiny_sources, walls=(1, 3))
    name = tiny_sources.background_origins[1].source
    for work in (label_backgrounds, lambda *given: leave_out_unscaled(*given[:3])):
        with pytest.raises(ValueError, match="gets no metres: the teacher sees no floor in it") as refused:
            work(tiny_sources, CONFIG, lambda: teacher, 1)
        assert str(refused.value).startswith(name)
    kept_sources, kept = leave_out_unscaled(tiny_sources, SKIPPING, lambda: teacher)
    assert kept == (0, 2, 4)
    np.testing.assert_array_equal(kept_sources.backgrounds, tiny_sources.backgrounds[[0, 2, 4]])
    np.testing.assert_array_equal(kept_sources.true_depth, tiny_sources.true_depth[[0, 2, 4]])
    assert [origin.source for origin in kept_sources.background_origins] == [
        tiny_sources.background_origins[number].source for number in (0, 2, 4)
    ]
    assert len(kept_sources.field_of_view) == 3
    assert [path for path, _ in kept_sources.refused] == [name, tiny_sources.background_origins[3].source]
    assert len(label_backgrounds(kept_sources, SKIPPING, lambda: teacher, 1)) == 3
    with pytest.raises(ValueError, match="no background gets metres; "):
        leave_out_unscaled(tiny_sources, SKIPPING, lambda: TrueTeacher(tiny_sources, range(5)))


def test_a_teacher_of_metres_is_not_asked(tiny_sources):
    for config in (replace(CONFIG, teacher=TeacherConfig()), replace(CONFIG, labels="exact")):
        sources, kept = leave_out_unscaled(tiny_sources, config, None)
        assert sources is tiny_sources
        assert kept == (0, 1, 2, 3, 4)
