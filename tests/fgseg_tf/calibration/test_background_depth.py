"""Depth of a background from a map, from known distances, from the floor."""

import numpy as np
import pytest

from fgseg_tf.calibration import camera_folder
from fgseg_tf.calibration.background_depth import CameraPlace, make_setup
from fgseg_tf.calibration.depth_pictures import DepthPicture
from fgseg_tf.calibration.inverse_fit import KnownDistance

SIZE = HEIGHT, WIDTH = (48, 64)
BACKGROUND = np.full((*SIZE, 3), 90, np.uint8)
PLACE = CameraPlace(fov=60, camera_height=2.0, tilt=20)
FLOOR = PLACE.compute_floor_depth(SIZE)
METRES = np.where(FLOOR > 0, np.minimum(FLOOR, 9.0), 9.0)  # a floor and a wall


def known(row, metres=None):
    return KnownDistance(10, row, float(METRES[row, 10]) if metres is None else metres)


def test_metres_stand_as_they_are():
    values = METRES.copy()
    values[3, 4] = values[3, 6] = np.nan
    setup = make_setup(BACKGROUND, DepthPicture(values, True), "a sensor", [], CameraPlace())
    assert setup.trust == camera_folder.MEASURED
    assert setup.is_metric
    assert setup.depth[3, 4] == 0
    assert setup.depth.dtype == np.float32
    np.testing.assert_allclose(setup.depth[30:], METRES[30:], rtol=1e-6)
    filled = make_setup(BACKGROUND, DepthPicture(values, True), "a sensor", [], CameraPlace(), fill=True)
    assert filled.depth[3, 4] == pytest.approx(9.0)
    assert filled.source == "a sensor, 0.1% of it filled from around"  # 2 of 48 x 64


def test_metres_are_compared_with_known_distances():
    off = [known(46, 1.1 * METRES[46, 10]), known(40), known(30), known(5, 30.0)]
    setup = make_setup(BACKGROUND, DepthPicture(METRES, True), "a sensor", off, CameraPlace())
    assert [used for _, used in setup.fitted] == [True, True, True, False]
    # Of the three that fit, off by 1 / 11, 0 and 0.
    assert setup.error == pytest.approx(0, abs=1e-6)
    assert setup.points_that_fit == "the 3 of 4 known points that fit"
    assert make_setup(BACKGROUND, DepthPicture(METRES, True), "", off[:1], CameraPlace()).error == pytest.approx(
        1 / 11, abs=1e-4
    )
    with pytest.raises(ValueError, match=r"the depth contradicts `known`: 9\.00 m at column 10, row 5, where 30 m are"):
        make_setup(BACKGROUND, DepthPicture(METRES, True), "a sensor", [known(5, 30.0)], CameraPlace())


def test_a_relative_map_and_known_distances():
    relative = DepthPicture(5 / METRES - 0.3, False)
    setup = make_setup(
        BACKGROUND, relative, "a network", [known(46), known(40), known(30), known(5)], CameraPlace(fov=60)
    )
    assert setup.trust == camera_folder.FITTED
    assert setup.error == pytest.approx(0, abs=1e-3)
    assert setup.fov == 60
    np.testing.assert_allclose(setup.depth, METRES, rtol=1e-4)


def test_a_relative_map_and_the_floor():
    setup = make_setup(BACKGROUND, DepthPicture(5 / METRES - 0.3, False), "a network", [], PLACE)
    assert setup.trust == camera_folder.COMPUTED
    assert setup.source == "a network, scaled to the floor"
    np.testing.assert_allclose(setup.depth, METRES, rtol=0.02)
    with pytest.raises(ValueError, match="the map and the floor have too little in common"):
        make_setup(BACKGROUND, DepthPicture(np.full(SIZE, np.nan), False), "a network", [], PLACE)
    with pytest.raises(ValueError, match="the map and a floor 2 m below do not fit together: 0% of where floor"):
        make_setup(BACKGROUND, DepthPicture(np.where(FLOOR > 0, 1.0, 0.5), False), "a network", [], PLACE)
    with pytest.raises(ValueError, match=r"the map and a floor 2 m below do not fit together: \d+% of where floor"):
        make_setup(BACKGROUND, DepthPicture(np.random.default_rng(0).random(SIZE), False), "a network", [], PLACE)


def test_the_floor_alone():
    setup = make_setup(BACKGROUND, None, "", [], PLACE)
    assert setup.trust == camera_folder.COMPUTED
    np.testing.assert_array_equal(setup.depth, FLOOR)
    assert (setup.depth[0] == 0).all()


def test_a_guess_stays_one():
    setup = make_setup(BACKGROUND, DepthPicture(1 / METRES, False), "a network", [], CameraPlace())
    assert setup.trust == camera_folder.GUESSED
    assert not setup.is_metric
    order = np.argsort(METRES[:, 0], kind="stable")
    assert (np.diff(setup.depth[order, 0]) >= 0).all(), "near and far as they are"


def test_a_map_of_another_size():
    small = DepthPicture(METRES[::2, ::2], True)
    np.testing.assert_array_equal(
        make_setup(BACKGROUND, small, "", [], CameraPlace()).depth[::2, ::2], small.values.astype("f4")
    )
    with pytest.raises(ValueError, match="the depth picture is 24 x 64 and the background 48 x 64"):
        make_setup(BACKGROUND, DepthPicture(METRES[::2], True), "", [], CameraPlace())


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"camera_height": 2.0}, "`camera_height`, `fov` and `tilt` together; add `fov` and `tilt`"),
        ({"camera_height": 2.0, "fov": 60}, "together; add `tilt`"),
        ({"fov": 0}, "`fov`=0 is not a field of view"),
    ],
)
def test_half_a_place(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        CameraPlace(**given)


def test_nothing_at_all():
    with pytest.raises(ValueError, match="give a depth picture, a teacher, or `camera_height`"):
        make_setup(BACKGROUND, None, "", [], CameraPlace())
