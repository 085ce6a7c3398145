"""Where objects stand and how large: by hand from given draws, and as promised for every draw."""

from functools import cache

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.compositing.placement import DRAWS, LEAST_VISIBLE, Stage, draw_numbers, place_objects
from data_pipelines.config import LAYOUTS, PlacementConfig

HEIGHT, WIDTH = 100, 160
TALL, WIDE, SQUARE = (1.0, 0.5), (0.25, 1.0), (1.0, 1.0)
FLOOR = [(0.95 - 0.05 * step, 0.2 + 0.08 * step, 2 + step) for step in range(8)]  # row, column, metres


def stage(**changes):
    parts = {
        "aspect": tf.constant([TALL, WIDE, SQUARE]),
        "physical_height": tf.constant([[1.0, 2.0], [0.5, 0.5], [1.0, 1.0]]),
        "focal": tf.constant([1.2, 0.8]),
    }
    return Stage(**(parts | changes))


def floor(points=FLOOR, horizon=0.4):
    """The same floor on both backgrounds, but farther on the second."""
    near = np.array(points, np.float32)
    far = near * np.array([1, 1, 3], np.float32)
    return {"points": tf.constant(np.stack([near, far])), "horizon": tf.constant([horizon, horizon])}


def parts(background=0, foreground=0, flipped=0, place=0, n=1):
    return tuple(tf.constant(np.broadcast_to(part, n), tf.int64) for part in (background, foreground, flipped, place))


def draws(*objects, frame=(0.9, 0.9)):
    """objects: by number of the draw; everything else is one half."""
    table = np.full([1, 1 + len(objects), DRAWS], 0.5, np.float32)
    table[0, 0, :2] = frame
    for at, chosen in enumerate(objects):
        for number, value in chosen.items():
            table[0, 1 + at, number] = value
    return tf.constant(table)


def placed(placement, the_stage, *, where=None, drawn=None, pool=(0, 1, 2), height=HEIGHT, width=WIDTH):
    answer = place_objects(
        parts() if where is None else where,
        draws({}) if drawn is None else drawn,
        tf.constant(pool, tf.int64),
        placement,
        the_stage,
        height,
        width,
    )
    return {key: value.numpy() for key, value in answer.items()}


@cache
def many_draws(n, objects):
    return tf.function(lambda: draw_numbers(3, tf.range(n, dtype=tf.int64), objects))()


def many(placement, the_stage, n=2000, foreground=None, **more):
    """n composites with drawn cut-outs and places."""
    number = np.arange(n)
    foreground = number % 3 if foreground is None else foreground
    where = parts(number % 2, foreground, number % 2, number % placement.places, n)
    return placed(placement, the_stage, where=where, drawn=many_draws(n, placement.max_objects), **more)


def assert_inside(plan, height=HEIGHT, width=WIDTH):
    slack = 1e-3
    assert (plan["top"] >= -slack).all()
    assert (plan["left"] >= -slack).all()
    assert (plan["top"] + plan["height"] <= height + slack).all()
    assert (plan["left"] + plan["width"] <= width + slack).all()


def visible(start, length, room):
    return np.minimum(start + length, room) - np.maximum(start, 0)


# Draws


@pytest.mark.both_stacks
def test_draws_are_the_same_on_every_stack():
    drawn = draw_numbers(5, tf.constant([0, 1, 399_999], tf.int64), 1).numpy()
    assert drawn.shape == (3, 2, DRAWS)
    assert drawn.dtype == np.float32
    np.testing.assert_array_equal(
        drawn[:, 0, :3],
        np.array(
            [
                [0.20019865036010742, 0.6621353626251221, 0.7706116437911987],
                [0.001634836196899414, 0.28810060024261475, 0.06635677814483643],
                [0.2125844955444336, 0.20679163932800293, 0.7910369634628296],
            ],
            np.float32,
        ),
    )


def test_draws_of_one_do_not_depend_on_others():
    indices = tf.constant([7, 3, 399_999, 0], tf.int64)
    together = draw_numbers(5, indices, 3).numpy()
    for at, index in enumerate(indices):
        np.testing.assert_array_equal(draw_numbers(5, index[None], 3)[0], together[at])
    dataset = tf.data.Dataset.from_tensor_slices(indices).batch(3).map(lambda i: draw_numbers(5, i, 3)).unbatch()
    np.testing.assert_array_equal(list(dataset.as_numpy_iterator()), together)


@pytest.mark.parametrize("other", [4, 6, (1 << 31) + 5, (1 << 61) + 5])
def test_draws_differ_between_seeds(other):
    indices = tf.range(20, dtype=tf.int64)
    assert not np.isin(draw_numbers(5, indices, 1), draw_numbers(other, indices, 1)).all(axis=(1, 2)).any()


def test_draws_differ_between_indices():
    drawn = many_draws(2000, 1).numpy()
    assert len(np.unique(drawn[:, 0, 0])) > 1990
    assert drawn.min() >= 0
    assert drawn.max() < 1
    assert abs(drawn.mean() - 0.5) < 0.01
    # The rows and columns of one index are not each other's copies.
    assert len(np.unique(drawn[17])) == 2 * DRAWS


# random


def test_random_by_hand():
    placement = PlacementConfig("random", object_size=(0.2, 0.8))
    # 0.2 * 4 ** 0.5 = 0.4 of the shorter side: 40 px. Free room: 60 rows, 160 - 20 columns.
    plan = placed(placement, stage(), drawn=draws({5: 0.25, 6: 0.75}))
    assert (plan["height"], plan["width"]) == (pytest.approx(40), pytest.approx(20))
    assert (plan["top"], plan["left"]) == (pytest.approx(15), pytest.approx(105))
    assert plan["metres"] == 0
    assert plan["count"] == 1


@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (160, 100), (64, 64)])
def test_random_is_inside(size):
    height, width = size
    plan = many(PlacementConfig("random"), stage(), height=height, width=width)
    assert_inside(plan, height, width)
    longest = np.maximum(plan["height"], plan["width"]) / min(size)
    assert longest.min() >= 0.1 - 1e-5
    assert longest.max() <= 0.9 + 1e-5
    # Sizes are log-uniform: half of them under the geometric mean.
    assert abs((longest < 0.3).mean() - 0.5) < 0.05
    shape = plan["height"] / plan["width"]
    np.testing.assert_allclose(shape[:, 0], np.array([2, 0.25, 1])[np.arange(2000) % 3], rtol=1e-5)


def test_random_uses_the_whole_picture():
    plan = many(PlacementConfig("random", object_size=(0.2, 0.2)), stage())
    assert plan["top"].min() < 2
    assert (plan["top"] + plan["height"]).max() > HEIGHT - 2
    assert plan["left"].min() < 2
    assert (plan["left"] + plan["width"]).max() > WIDTH - 2


# rows


def test_rows_are_the_published_layout():
    placement = PlacementConfig("rows")
    plan = placed(
        placement,
        stage(),
        where=parts(place=np.arange(20), n=20),
        drawn=tf.repeat(draws({}), 20, axis=0),
        height=150,
        width=150,
    )
    np.testing.assert_allclose(plan["height"][:, 0], np.repeat([90, 80, 70, 60], 5))
    np.testing.assert_allclose(plan["width"][:, 0], np.repeat([45, 40, 35, 30], 5))
    np.testing.assert_allclose((plan["top"] + plan["height"])[:, 0], np.repeat([148, 132, 116, 100], 5))
    np.testing.assert_allclose(plan["left"][:5, 0], [0, 26.25, 52.5, 78.75, 105])
    np.testing.assert_allclose(plan["left"][15:, 0], [0, 30, 60, 90, 120])


def test_rows_on_another_canvas():
    plan = placed(
        PlacementConfig("rows"),
        stage(),
        where=parts(place=[0, 7, 19], n=3),
        drawn=tf.repeat(draws({}), 3, axis=0),
        height=224,
        width=300,
    )
    # 224 / 150 of everything; columns from the left edge to the right one.
    np.testing.assert_allclose(plan["height"][:, 0], [134.4, 80 * 224 / 150, 89.6], rtol=1e-5)
    np.testing.assert_allclose((plan["top"] + plan["height"])[:, 0], np.array([148, 132, 100]) * 224 / 150, rtol=1e-5)
    np.testing.assert_allclose(plan["left"][:, 0], [0, (300 - 40 * 224 / 150) / 2, 300 - 44.8], rtol=1e-5)


def test_rows_of_what_is_too_wide():
    plan = placed(PlacementConfig("rows"), stage(), where=parts(foreground=1, place=3), height=150, width=150)
    # 90 tall would be 360 wide: scaled to the width, and still on its feet.
    assert (plan["width"], plan["height"], plan["left"]) == (150, 37.5, 0)
    assert plan["top"] == 148 - 37.5


# ground

WIDE_RANGE = (0.01, 4.0)


def test_ground_by_hand():
    placement = PlacementConfig("ground", places=4, object_size=(0.1, 0.9))
    # Place 2 of 4 is points 4 and 5; the draw of 0.5 takes the second: row 0.7, column 0.6, 7 m.
    plan = placed(placement, stage(**floor()), where=parts(place=2), drawn=draws({4: 0.25, 5: 0.5}))
    # Physical height 1 + 0.25 m; focal length 1.2 picture heights: 120 * 1.25 / 7 px.
    assert plan["height"] == pytest.approx(150 / 7)
    assert plan["width"] == pytest.approx(75 / 7)
    assert plan["top"] + plan["height"] == pytest.approx(70)
    assert plan["left"] + plan["width"] / 2 == pytest.approx(0.6 * 160)
    assert plan["metres"] == pytest.approx(7)
    # 1 m of cut-out is seen as 1.25 m.
    assert plan["relief_scale"] == pytest.approx(1.25)


def test_ground_of_another_background_and_cutout():
    placement = PlacementConfig("ground", places=8)
    plan = placed(placement, stage(**floor()), where=parts(background=1, foreground=2, place=1))
    # Row 0.9, column 0.28, 3 x 3 m; 80 px focal length, 1 m: smaller than a tenth of 100 px, so that much.
    assert plan["metres"] == pytest.approx(9)
    assert plan["height"] == pytest.approx(10)
    assert plan["top"] == pytest.approx(80)
    assert plan["left"] == pytest.approx(0.28 * 160 - 5)
    # 10 px at 9 m and 80 px are 1.125 m.
    assert plan["relief_scale"] == pytest.approx(1.125)


def test_ground_places_are_parts_of_the_floor():
    placement = PlacementConfig("ground", places=4)
    for number in range(4):
        for share, point in ((0.0, 0), (0.49, 0), (0.51, 1), (0.999, 1)):
            plan = placed(placement, stage(**floor()), where=parts(place=number), drawn=draws({5: share}))
            assert plan["metres"] == pytest.approx(FLOOR[2 * number + point][2])


def test_ground_is_inside():
    plan = many(PlacementConfig("ground", object_size=(0.1, 1.0)), stage(**floor()))
    assert_inside(plan)
    assert (np.maximum(plan["height"], plan["width"]) <= 100 + 1e-3).all()
    # Also with a floor that leaves little room above it.
    assert_inside(many(PlacementConfig("ground"), stage(**floor([(0.05, 0.0, 3.0), (0.02, 1.0, 9.0)], horizon=0.0))))


def test_ground_cut_by_the_lower_edge_by_hand():
    placement = PlacementConfig("ground", places=8, truncation=0.6, object_size=WIDE_RANGE)
    # Drawn 0.5 < 0.6, so cut. Row 0.95, 2 m on a floor with its horizon at 0.4; nearer by 0.35 ** 0.5.
    plan = placed(placement, stage(**floor()), drawn=draws({4: 0.25, 8: 0.25}))
    nearer = 0.35**0.5
    assert plan["metres"] == pytest.approx(2 * nearer)
    tall = 120 * 1.25 / (2 * nearer)
    assert plan["height"] == pytest.approx(tall)
    # 0.55 picture heights under the horizon at 2 m, so 0.55 / nearer there.
    assert plan["top"] + plan["height"] == pytest.approx(100 * (0.4 + 0.55 / nearer))
    assert plan["left"] + plan["width"] / 2 == pytest.approx(160 * (-0.1 + 1.2 * 0.25))
    assert plan["relief_scale"] == pytest.approx(1.25)


# mixed


def test_mixed_is_mostly_rows_and_else_random():
    flags = {"truncation": 0.5, "max_objects": 3, "empty": 0.2, "object_size": (0.1, 1.5)}
    mixed, random = (many(PlacementConfig(layout, **flags), stage(), n=4000) for layout in ("mixed", "random"))
    rows = many(PlacementConfig("rows", max_objects=3), stage(), n=4000)
    scattered = many_draws(4000, 3)[:, 0, 2].numpy() < 0.2
    assert abs(scattered.mean() - 0.2) < 0.02
    assert (mixed["count"][~scattered] == 1).all()
    assert set(mixed["count"][scattered]) == {0, 1, 2, 3}
    np.testing.assert_array_equal(mixed["count"][scattered], random["count"][scattered])
    for key in ("foreground", "flipped", "top", "left", "height", "width"):
        np.testing.assert_array_equal(mixed[key][scattered], random[key][scattered])
        # The only one of rows, which may have further ones before it when there are several.
        alone = ~scattered & (rows["count"] == 1)
        np.testing.assert_array_equal(mixed[key][alone, 0], rows[key][alone, 0])


def test_the_largest_of_mixed_is_that_of_both():
    assert PlacementConfig("mixed", object_size=(0.1, 0.5)).largest(60, 90) == 90
    assert PlacementConfig("mixed", object_size=(0.1, 2.0), truncation=0.3).largest(60, 90) == 120


# Truncation


LOW_CEILING = [(0.06, 0.5, 2.0), (0.05, 0.5, 3.0)]


@pytest.mark.parametrize("layout", ["random", "rows", "ground"])
@pytest.mark.parametrize("points", [FLOOR, LOW_CEILING])
@pytest.mark.parametrize("size", [(HEIGHT, WIDTH), (160, 100)])
def test_truncation_leaves_enough(layout, points, size):
    height, width = size
    horizon = 0.4 if points is FLOOR else 0.04
    placement = PlacementConfig(layout, truncation=1.0, object_size=(0.1, 2.5))
    plan = many(placement, stage(**floor(points, horizon)), height=height, width=width)
    for start, length, room in (("top", "height", height), ("left", "width", width)):
        seen = visible(plan[start], plan[length], room)
        # Or all of the picture is full of it.
        assert (seen >= np.minimum(LEAST_VISIBLE * plan[length], room) - 1e-2).all()
    if layout != "ground" or points is FLOOR:
        assert (visible(plan["left"], plan["width"], width) < plan["width"] - 1).mean() > 0.1


def test_truncation_is_a_share():
    plan = many(PlacementConfig("random", truncation=0.4, object_size=(0.3, 0.3)), stage())
    outside = (visible(plan["left"], plan["width"], WIDTH) < plan["width"] - 1e-2) | (
        visible(plan["top"], plan["height"], HEIGHT) < plan["height"] - 1e-2
    )
    # Those that may be cut and are: fewer than 40 %, and many of them.
    assert 0.1 < outside.mean() < 0.4


# Several objects, and none


def test_far_to_near():
    plan = many(PlacementConfig("ground", max_objects=4), stage(**floor()))
    assert plan["metres"].shape == (2000, 4)
    assert set(np.unique(plan["count"])) == {1, 2, 3, 4}
    for metres, count in zip(plan["metres"], plan["count"], strict=True):
        assert (np.diff(metres[:count]) <= 0).all()


def test_lower_is_nearer_when_depth_is_not_known():
    plan = many(PlacementConfig("random", max_objects=4), stage())
    foot = plan["top"] + plan["height"]
    for feet, count in zip(foot, plan["count"], strict=True):
        assert (np.diff(feet[:count]) >= 0).all()


def test_absent_objects_go_last():
    placement = PlacementConfig("ground", places=8, max_objects=3)
    # The second object (place 7) is farther than the first (place 0); the third (place 4) is absent.
    drawn = draws({5: 0}, {2: 0.99, 5: 0, 7: 0.39}, {2: 0.5, 5: 0, 7: 0.41})
    plan = placed(placement, stage(**floor()), drawn=drawn)
    assert plan["count"] == 2
    np.testing.assert_allclose(plan["metres"], [[9, 2, 6]])
    # With a second one absent, the third is too, whatever it drew.
    drawn = draws({5: 0}, {2: 0.99, 5: 0, 7: 0.41}, {2: 0.5, 5: 0, 7: 0.39})
    plan = placed(placement, stage(**floor()), drawn=drawn)
    assert plan["count"] == 1
    assert plan["metres"][0, 0] == 2


def test_how_many_objects():
    count = many(PlacementConfig("random", max_objects=3), stage(), n=4000)["count"]
    assert count.dtype == np.int32
    for objects, share in ((1, 0.6), (2, 0.4 * 0.6), (3, 0.4 * 0.4)):
        assert abs((count == objects).mean() - share) < 0.025
    assert (many(PlacementConfig("random"), stage())["count"] == 1).all()


def test_empty_frames():
    count = many(PlacementConfig("random", empty=0.25, max_objects=2), stage(), n=4000)["count"]
    assert abs((count == 0).mean() - 0.25) < 0.025
    assert (many(PlacementConfig("random", empty=1.0), stage())["count"] == 0).all()


def test_further_objects_come_from_the_pool():
    plan = many(PlacementConfig("random", max_objects=3), stage(), foreground=0, pool=(1, 2))
    assert plan["foreground"].dtype == np.int64
    # The named cut-out is there once; the rest are of the pool, and each of it turns up.
    assert ((plan["foreground"] == 0).sum(1) == 1).all()
    present = np.arange(3) < plan["count"][:, None]
    assert ((plan["foreground"] == 0) & present).any(1).all()
    others = plan["foreground"][present]
    assert set(others.tolist()) == {0, 1, 2}
    # A cut-out keeps its shape when the objects change places.
    shape = plan["height"] / plan["width"]
    np.testing.assert_allclose(shape, np.array([2, 0.25, 1])[plan["foreground"]], rtol=1e-4)


def test_mirrored_objects():
    where = parts(flipped=np.array([0, 1]), n=2)
    drawn = tf.concat([draws({}, {1: 0.49, 7: 0}), draws({}, {1: 0.51, 7: 0})], axis=0)
    plan = placed(PlacementConfig("rows", max_objects=2), stage(), where=where, drawn=drawn, pool=(2,))
    flipped = [dict(zip(f, m, strict=True)) for f, m in zip(plan["foreground"], plan["flipped"], strict=True)]
    assert flipped == [{0: False, 2: True}, {0: True, 2: False}]


# Mirrored backgrounds


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_mirrored_background_mirrors_the_place(layout):
    codes = np.arange(2 * HEIGHT * WIDTH, dtype=np.uint16).reshape(2, HEIGHT, WIDTH)
    the_stage = stage(**floor(), depth_codes=tf.constant(codes))
    placement = PlacementConfig(layout, flip_backgrounds=True, max_objects=2)
    more = {4: 0.3, 5: 0.2, 6: 0.6}, {2: 0.57, 4: 0.7, 5: 0.1, 6: 0.45, 7: 0}
    where = parts(1, place=6)
    as_it_is = placed(placement, the_stage, where=where, drawn=draws(*more, frame=(0.5, 0.9)), pool=(2,))
    mirrored = placed(placement, the_stage, where=where, drawn=draws(*more, frame=(0.49, 0.9)), pool=(2,))
    assert not as_it_is["background_flipped"].any()
    assert mirrored["background_flipped"].all()
    np.testing.assert_allclose(mirrored["left"], WIDTH - as_it_is["left"] - as_it_is["width"], rtol=1e-5)
    for key in ("top", "height", "width", "metres", "foreground", "flipped", "relief_scale"):
        np.testing.assert_array_equal(mirrored[key], as_it_is[key])


def test_backgrounds_are_mirrored_only_when_asked():
    assert not many(PlacementConfig("random"), stage())["background_flipped"].any()
    assert (
        abs(many(PlacementConfig("random", flip_backgrounds=True), stage())["background_flipped"].mean() - 0.5) < 0.04
    )


# Depth under the feet


def test_depth_at_the_foot_by_hand():
    codes = np.zeros([2, HEIGHT, WIDTH], np.uint16)
    codes[0] = np.arange(HEIGHT)[:, None] * 160 + np.arange(WIDTH)
    the_stage = stage(depth_codes=tf.constant(codes), depth_scale=10.0)
    # 40 x 20 px with its top at row 15 and its left at column 105: stands on row 54, its middle is column 115.
    plan = placed(PlacementConfig("random", object_size=(0.2, 0.8)), the_stage, drawn=draws({5: 0.25, 6: 0.75}))
    assert plan["metres"] == pytest.approx((54 * 160 + 115) / 10)


def test_depth_at_the_foot_of_what_is_cut_is_that_of_the_edge():
    codes = np.tile(np.arange(HEIGHT, dtype=np.uint16)[:, None], (2, 1, WIDTH)) + 1
    the_stage = stage(depth_codes=tf.constant(codes), depth_scale=1.0)
    plan = many(PlacementConfig("random", truncation=1.0, object_size=(1.0, 1.5)), the_stage)
    assert plan["metres"].max() == HEIGHT
    assert plan["metres"].min() >= 1


@pytest.mark.both_stacks
@pytest.mark.parametrize("layout", LAYOUTS)
def test_in_a_graph_as_eagerly(layout):
    placement = PlacementConfig(layout, max_objects=3, truncation=0.4, empty=0.1, flip_backgrounds=True)
    the_stage = stage(**floor())
    indices = np.arange(40)

    def plan(index):
        where = (index % 2, index % 3, index // 2 % 2, index % placement.places)
        return place_objects(
            where, draw_numbers(9, index, 3), tf.constant([0, 2], tf.int64), placement, the_stage, HEIGHT, WIDTH
        )

    together = plan(tf.constant(indices, tf.int64))
    dataset = tf.data.Dataset.range(40).batch(7).map(plan).unbatch()
    for at, element in enumerate(dataset.as_numpy_iterator()):
        assert element.keys() == together.keys()
        for key, value in element.items():
            # A graph may fuse a multiplication and an addition.
            np.testing.assert_allclose(value, together[key][at], rtol=1e-5, atol=1e-4)


# Options


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"layout": "grid"}, "`placement`=grid is not a layout; take random, rows, ground or mixed"),
        ({"places": 0}, "`placements`=0 makes nothing; take 1 or more"),
        ({"layout": "rows", "places": 21}, "`placement`=rows has 20 places; `placements`=21 is more"),
        ({"layout": "mixed", "places": 21}, "`placement`=mixed has 20 places; `placements`=21 is more"),
        ({"max_objects": 0}, "`max_objects`=0 is not from 1 to 16"),
        ({"max_objects": 17}, "`max_objects`=17 is not from 1 to 16"),
        ({"truncation": 1.1}, "`truncation`=1.1 is not a share from 0 to 1"),
        ({"truncation": float("nan")}, "`truncation`=nan is not a share"),
        ({"empty": -0.1}, "`empty`=-0.1 is not a share from 0 to 1"),
        ({"object_size": (0.5, 0.4)}, "`object_size`=0.5,0.4 is not a range"),
        ({"object_size": (0, 0.4)}, "`object_size`=0,0.4 is not a range"),
        ({"object_size": (0.1, 4.1), "truncation": 0.3}, "`object_size`=0.1,4.1 is not a range"),
        ({"object_size": (0.1, 1.2)}, "`object_size`=0.1,1.2 makes cut-outs larger than the picture"),
    ],
)
def test_refusals(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        PlacementConfig(**options)


def test_limits_that_are_allowed():
    PlacementConfig("rows", places=20, max_objects=16, truncation=1, empty=1, object_size=(4, 4))
    PlacementConfig("random", places=21, object_size=(1, 1))


def test_upright_objects_are_as_tall_as_their_projection():
    """A camera 2 m up that looks down by 30 degrees, focal length 0.8 picture heights; a floor without end."""
    tilt, focal, camera = np.radians(30.0), 0.8, 2.0
    rows = np.linspace(0.55, 0.95, 40, dtype=np.float32)
    y = (rows - 0.5) / focal
    metres = camera / (y * np.cos(tilt) + np.sin(tilt))
    horizon = 0.5 - focal * np.tan(tilt)
    stage = Stage(
        aspect=tf.constant([[1.0, 0.25]]),
        physical_height=tf.constant([[1.7, 1.7]]),
        focal=tf.constant([focal], tf.float32),
        points=tf.constant(np.stack([rows, np.full(40, 0.5), metres], -1)[None], tf.float32),
        horizon=tf.constant([horizon], tf.float32),
    )
    config = PlacementConfig(layout="ground", places=8, object_size=(0.01, 2.0), truncation=1e-6, upright=True)
    parts = tuple(tf.constant(values, tf.int64) for values in ([0] * 8, [0] * 8, [0] * 8, list(range(8))))
    draws = draw_numbers(1, tf.range(8, dtype=tf.int64), 1)
    placed = place_objects(parts, draws, tf.constant([0], tf.int64), config, stage, 400, 600)
    foot, tall, depth = (placed[key].numpy()[:, 0] for key in ("foot", "height", "metres"))
    # The top of 1.7 m above the point that is seen at the foot, projected.
    y_foot = (foot - 0.5) / focal
    y_top = (depth * y_foot - 1.7 * np.cos(tilt)) / (depth - 1.7 * np.sin(tilt))
    whole = tall < 0.99 * foot * 400  # where there is room for all of it
    assert whole.sum() >= 4
    np.testing.assert_allclose(tall[whole], ((y_foot - y_top) * focal * 400)[whole], rtol=1e-3)
    np.testing.assert_allclose(placed["lean"].numpy(), np.tan(tilt) / focal, rtol=1e-4)
    # Nobody stands so near that the head is less than half as far away as the feet.
    assert (depth - 1.7 * np.sin(tilt) > 0.499 * depth).all()
    on_floor = camera / (y_foot * np.cos(tilt) + np.sin(tilt))
    np.testing.assert_allclose(depth, on_floor, rtol=1e-3)
