"""Composites worked by hand: small cut-outs at known places on backgrounds of 12 x 16."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.compositing.compose import compose
from data_pipelines.compositing.cutout_pyramid import RELIEF_UNIT, build_pyramid
from data_pipelines.compositing.plan import load_materials, plan_composites

HEIGHT, WIDTH = 12, 16
SCALE = 100.0  # codes a metre
random = np.random.default_rng(4)
BACKGROUNDS = random.integers(0, 256, (2, HEIGHT, WIDTH, 3), np.uint8)
FAR = np.full([2, HEIGHT, WIDTH], 2000, np.uint16)  # 20 m

# Four rows of three pixels, every one with its own colour.
OPAQUE = np.dstack([np.arange(12).reshape(4, 3) * 20, np.full((4, 3), 7), np.arange(4)[:, None] * [50, 50, 50]])
OPAQUE = np.dstack([OPAQUE, np.full((4, 3), 255)]).astype(np.uint8)
HALF = np.full([4, 4, 4], (250, 0, 100, 128), np.uint8)
SOFT = random.integers(0, 256, (9, 7, 4), np.uint8)
BLOCK = np.full([8, 8, 4], (10, 200, 30, 255), np.uint8)
CUTOUTS = OPAQUE, HALF, SOFT, BLOCK


def stuff(cutouts=CUTOUTS, depth=FAR, backgrounds=BACKGROUNDS, reliefs=None, hides=0.05):
    return load_materials(backgrounds, depth, SCALE, hides, build_pyramid(cutouts, reliefs))


def thing(foreground, top, left, height, width, metres=5.0, flipped=False, relief_scale=1.0, lean=0.0):
    return foreground, flipped, top, left, height, width, metres, relief_scale, (top + height) / HEIGHT, lean


def opaque(top, left, **more):
    return thing(0, top, left, 4, 3, **more)


def place(things, count=None, background=0, background_flipped=False):
    """Returns the placements of one composite. things: from far to near."""
    kinds = (
        ("foreground", tf.int64),
        ("flipped", tf.bool),
        ("top", tf.float32),
        ("left", tf.float32),
        ("height", tf.float32),
        ("width", tf.float32),
        ("metres", tf.float32),
        ("relief_scale", tf.float32),
        ("foot", tf.float32),
        ("lean", tf.float32),
    )
    columns = zip(*things, strict=True)
    plan = {name: tf.constant([column], dtype) for (name, dtype), column in zip(kinds, columns, strict=True)}
    return plan | {
        "background": tf.constant([background], tf.int64),
        "background_flipped": tf.constant([background_flipped]),
        "count": tf.constant([len(things) if count is None else count], tf.int32),
    }


def planned(placements, the_materials):
    return plan_composites(tf.range(len(placements["count"]), dtype=tf.int64), placements, the_materials)


def made(plan, the_materials, seam="soft", upright=False):
    """Returns fg_bg, mask and depth over the whole picture, and what `compose` returned."""
    one = {key: value[0] for key, value in planned(plan, the_materials).items()}
    found = compose(one, the_materials, seam, upright=upright)
    found = {key: value.numpy() for key, value in found.items()}
    top, left, bottom, right = found["box"]
    assert found["mask"].shape == found["depth"].shape == (bottom - top, right - left, 1)
    mask, depth = np.zeros([HEIGHT, WIDTH], np.uint8), np.zeros([HEIGHT, WIDTH], np.uint16)
    mask[top:bottom, left:right] = found["mask"][..., 0]
    depth[top:bottom, left:right] = found["depth"][..., 0]
    return found["fg_bg"], mask, depth, found


def expected(patch, top, left, background=None):
    """The background with a patch on it; what reaches outside falls off. -> picture, where."""
    picture = (BACKGROUNDS[0] if background is None else background).copy()
    where = np.zeros(picture.shape[:2], bool)
    for row in range(patch.shape[0]):
        for column in range(patch.shape[1]):
            if 0 <= top + row < HEIGHT and 0 <= left + column < WIDTH:
                picture[top + row, left + column] = patch[row, column, :3]
                where[top + row, left + column] = True
    return picture, where


# Where and what


@pytest.mark.parametrize(
    ("top", "left"),
    [(2, 5), (0, 0), (8, 13), (-2, 5), (10, 5), (3, -1), (3, 14), (-3, -2), (11, 15)],
    ids=["inside", "first corner", "last corner", "above", "below", "left", "right", "over two edges", "one pixel"],
)
def test_an_opaque_object_covers_exactly_its_pixels(top, left):
    picture, where = expected(OPAQUE, top, left)
    fg_bg, mask, depth, found = made(place([opaque(top, left)]), stuff())
    np.testing.assert_array_equal(fg_bg, picture)
    np.testing.assert_array_equal(mask, where * 255)
    np.testing.assert_array_equal(depth, where * 500)
    rows, columns = np.nonzero(where)
    assert found["box"].tolist() == [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
    assert fg_bg.dtype == mask.dtype == np.uint8
    assert found["depth"].dtype == np.uint16
    assert found["box"].dtype == np.int32


def test_half_transparent():
    fg_bg, mask, depth, _ = made(place([thing(1, 2, 5, 4, 4)]), stuff())
    # Premultiplied and rounded first: 250 * 128/255 = 125.49, 100 * 128/255 = 50.2.
    behind = BACKGROUNDS[0, 2:6, 5:9].astype(float)
    blend = np.floor(behind * (1 - 128 / 255) + [125, 0, 50] + 0.5)
    np.testing.assert_array_equal(fg_bg[2:6, 5:9], blend)
    assert (mask[2:6, 5:9] == 128).all()
    assert mask.sum() == 16 * 128
    # 128 is half of a pixel, and more.
    assert (depth[2:6, 5:9] == 500).all()


def test_less_than_half_of_a_pixel_keeps_the_depth_of_the_scenery():
    faint = np.full([4, 4, 4], (250, 0, 100, 127), np.uint8)
    _, mask, depth, found = made(place([thing(0, 2, 5, 4, 4)]), stuff([faint]))
    assert mask.max() == 127
    assert not depth.any()
    assert found["depth_sums"].tolist() == [0, 0]


@pytest.mark.parametrize("left", [5, -1, 14])
def test_a_mirrored_object(left):
    picture, where = expected(OPAQUE[:, ::-1], 2, left)
    fg_bg, mask, _, _ = made(place([opaque(2, left, flipped=True)]), stuff())
    np.testing.assert_array_equal(fg_bg, picture)
    np.testing.assert_array_equal(mask, where * 255)


@pytest.mark.parametrize("flipped", [False, True])
def test_a_mirrored_background_mirrors_everything_on_it(flipped):
    depth = np.tile(np.arange(WIDTH, dtype=np.uint16) * 10 + 1000, (2, HEIGHT, 1))
    # Places are those of the mirrored picture.
    patch = OPAQUE if flipped else OPAQUE[:, ::-1]
    picture, where = expected(patch, 2, 5, BACKGROUNDS[1, :, ::-1])
    plan = place([opaque(2, 5, flipped=flipped)], background=1, background_flipped=True)
    fg_bg, mask, _, found = made(plan, stuff(depth=depth))
    np.testing.assert_array_equal(fg_bg, picture)
    np.testing.assert_array_equal(mask, where * 255)
    behind = depth[1, :, ::-1][where].astype(np.int64)
    assert found["depth_sums"].tolist() == [12 * 500 - behind.sum(), 12 * 500**2 - (behind**2).sum()]


def test_twice_as_large():
    values = np.array([0, 100, 200, 40], np.uint8)
    cutout = np.dstack([np.tile(values, (4, 1))] * 3 + [np.full((4, 4), 255, np.uint8)])
    fg_bg, mask, _, _ = made(place([thing(0, 2, 4, 8, 8)]), stuff([cutout]))
    # Centres of pixels lie at 1/4, 3/4, 5/4 ... of the cut-out's, whose own are at 1/2, 3/2 ...
    between = [0.75 * 0 + 0.25 * 100, 0.25 * 0 + 0.75 * 100, 125, 175, 160, 80]
    np.testing.assert_array_equal(fg_bg[3:9, 5:11], np.broadcast_to(np.array(between)[None, :, None], (6, 6, 3)))
    assert (mask[3:9, 5:11] == 255).all()
    # On the edge a quarter of what is interpolated is nothing: 191.25, and in the corner 143.4.
    assert mask[5, [3, 4, 11, 12]].tolist() == [0, 191, 191, 0]
    assert mask[[1, 2, 9, 10], 6].tolist() == [0, 191, 191, 0]
    assert mask[2, 4] == 143


def test_between_pixels():
    block = BLOCK[:4, :4]
    fg_bg, mask, depth, found = made(place([thing(0, 2.25, 5, 4, 4)]), stuff([block]))
    # 3/4 of the first row is covered and 1/4 of the last.
    assert mask[:, 6].tolist() == [0, 0, 191, 255, 255, 255, 64, 0, 0, 0, 0, 0]
    assert depth[:, 6].tolist() == [0, 0, 500, 500, 500, 500, 0, 0, 0, 0, 0, 0]
    assert found["box"].tolist() == [2, 5, 7, 9]
    np.testing.assert_allclose(fg_bg[2, 6], 0.75 * block[0, 0, :3] + 0.25 * BACKGROUNDS[0, 2, 6], atol=0.75)


def test_the_smallest_level_that_is_large_enough():
    the_materials = stuff([np.full((32, 20, 4), 255, np.uint8), BLOCK])
    # Levels of the first are 32, 23, 16, 11 and 8 pixels long.
    lengths = [40, 32, 30, 23.5, 23, 16.5, 16, 11.5, 9, 8, 3]
    things = [thing(0, 0, 0, length, length * 20 / 32) for length in lengths]
    chosen = planned(place(things), the_materials)["level_height"][0].numpy() - 2
    assert chosen.tolist() == [32, 32, 32, 32, 23, 23, 16, 16, 11, 8, 8]
    # A small cut-out has one level, and the right one.
    found = planned(place([thing(1, 0, 0, length, length) for length in (8, 5)]), the_materials)
    assert found["level_height"].numpy().tolist() == [[10, 10]]


def test_white_on_white_stays_white():
    cutout = SOFT.copy()
    cutout[..., :3] = 255
    white = np.full_like(BACKGROUNDS, 255)
    for seam in ("hard", "soft", "feathered"):
        for size in (4, 7.3, 11):
            plan = place([thing(0, 0.4, 1.7, size, size * 7 / 9)])
            fg_bg, _, _, _ = made(plan, stuff([cutout], backgrounds=white), seam)
            assert (fg_bg == 255).all()


# Depth


def test_nearer_scenery_hides():
    depth = np.full([2, HEIGHT, WIDTH], 2000, np.uint16)
    # An object at 5 m is hidden by what is nearer than 4.75 m.
    depth[:, :, 6], depth[:, :, 5] = 475, 474
    picture, where = expected(OPAQUE, 2, 5)
    where[:, 5] = False
    picture[:, 5] = BACKGROUNDS[0, :, 5]
    fg_bg, mask, found_depth, found = made(place([opaque(2, 5)]), stuff(depth=depth))
    np.testing.assert_array_equal(fg_bg, picture)
    np.testing.assert_array_equal(mask, where * 255)
    np.testing.assert_array_equal(found_depth, where * 500)
    assert found["mask_sums"].tolist() == [8 * 255, 8 * 255**2]


def test_without_depth_nothing_is_hidden():
    fg_bg, mask, depth, found = made(place([opaque(2, 5, metres=0.0)]), stuff(depth=None))
    picture, where = expected(OPAQUE, 2, 5)
    np.testing.assert_array_equal(fg_bg, picture)
    np.testing.assert_array_equal(mask, where * 255)
    assert not depth.any()
    assert found["depth_sums"].tolist() == [0, 0]


@pytest.mark.parametrize("flipped", [False, True])
def test_relief(flipped):
    # Metres behind the standing plane: one value a pixel, some before it.
    relief = ((np.arange(12).reshape(4, 3) - 4) * 64 * RELIEF_UNIT).astype(np.float32)
    the_materials = stuff([OPAQUE, BLOCK], reliefs=[relief, np.zeros((8, 8), np.float32)])
    _, _, depth, _ = made(place([opaque(2, 5, relief_scale=1.5, flipped=flipped)]), the_materials)
    # 64 units are 1/16 m; 1.5 times as large, 100 codes a metre: 9.375 codes.
    codes = 500 + np.rint((np.arange(12).reshape(4, 3) - 4) * 9.375)
    np.testing.assert_array_equal(depth[2:6, 5:8], codes[:, ::-1] if flipped else codes)
    assert (depth > 0).sum() == 12


def test_what_stands_upright_leans_towards_a_camera_that_looks_down():
    focal, tilt = 0.9, np.radians(25)
    leaning = thing(3, 1, 2, 8, 8, metres=5.0, lean=np.tan(tilt) / focal)
    _, _, depth, _ = made(place([leaning]), stuff(), upright=True)
    # Rays of depth 1 in a frame that is level: how far forward and how far down.
    y = ((np.arange(HEIGHT) + 0.5) / HEIGHT - 0.5) / focal
    forward = np.cos(tilt) - y * np.sin(tilt)
    foot = np.cos(tilt) - (9 / HEIGHT - 0.5) / focal * np.sin(tilt)
    # All of it is as far forward as its foot, which is at the lower edge of its last row.
    expected = np.rint(5.0 * foot / forward * SCALE)[1:9]
    np.testing.assert_allclose(depth[1:9, 2:10], np.repeat(expected[:, None], 8, 1), atol=1)
    assert expected[0] < 0.9 * expected[-1]


def test_relief_does_not_leave_the_codes():
    far = np.full([2, HEIGHT, WIDTH], 65535, np.uint16)
    relief = np.full((4, 3), 30, np.float32)
    for metres, sign, code in ((655.0, 1, 65535), (0.5, -1, 1)):
        the_materials = stuff([OPAQUE], far, reliefs=[relief * sign])
        assert made(place([opaque(2, 5, metres=metres)]), the_materials)[2].max() == code


# Several objects, and none


def test_the_nearer_of_two_wins():
    far, near = opaque(2, 5, metres=6.0), opaque(4, 6, metres=4.0)
    fg_bg, mask, depth, found = made(place([far, near]), stuff())
    picture, of_far = expected(OPAQUE, 2, 5)
    picture, of_near = expected(OPAQUE, 4, 6, picture)
    np.testing.assert_array_equal(fg_bg, picture)
    np.testing.assert_array_equal(mask, (of_far | of_near) * 255)
    np.testing.assert_array_equal(depth, np.where(of_near, 400, of_far * 600))
    assert found["box"].tolist() == [2, 5, 8, 9]


def test_two_half_transparent_objects():
    fg_bg, mask, _, _ = made(place([thing(1, 2, 5, 4, 4, metres=6.0), thing(1, 4, 7, 4, 4, metres=4.0)]), stuff())
    # 1 - (127/255)^2 of a pixel, 191.75, is covered where both are.
    both = np.zeros([HEIGHT, WIDTH], bool)
    both[4:6, 7:9] = True
    assert (mask[both] == 192).all()
    assert sorted(np.unique(mask)) == [0, 128, 192]
    through = np.floor(BACKGROUNDS[0, 4, 7] * (127 / 255) + [125, 0, 50] + 0.5)
    np.testing.assert_array_equal(fg_bg[4, 7], np.floor(through * (127 / 255) + [125, 0, 50] + 0.5))


@pytest.mark.parametrize("background_flipped", [False, True])
def test_nobody(background_flipped):
    plan = place([opaque(2, 5)], count=0, background=1, background_flipped=background_flipped)
    fg_bg, mask, depth, found = made(plan, stuff())
    np.testing.assert_array_equal(fg_bg, BACKGROUNDS[1, :, ::-1] if background_flipped else BACKGROUNDS[1])
    assert found["box"].tolist() == [0, 0, 1, 1]
    assert not mask.any()
    assert not depth.any()
    for key in ("fg_bg_sums", "mask_sums", "depth_sums"):
        assert not found[key].any()


@pytest.mark.parametrize("seam", ["hard", "soft", "feathered"])
def test_objects_that_are_not_there_change_nothing(seam):
    # Half a pixel aside, where every alpha is half of a grey level from a whole one.
    slope = np.full([9, 13, 4], 200, np.uint8)
    slope[..., 3] = np.arange(9)[:, None] * 12 + np.arange(13) + 100
    the_materials = stuff([slope, *CUTOUTS])
    first = thing(0, 1, 1.5, 9, 13)
    rest = [opaque(0, 0, metres=1.0), thing(3, 4, 4, 8, 8, metres=1.0)]
    one = made(place([first]), the_materials, seam)
    among = made(place([first, *rest], count=1), the_materials, seam)
    for key, value in one[3].items():
        np.testing.assert_array_equal(among[3][key], value, err_msg=key)


# Sums


LIVELY = [
    place([thing(2, 1.3, -2.2, 9, 7, metres=6.0), thing(1, 3, 5, 4, 4, metres=5.0), opaque(9.5, 13.2, metres=3.0)]),
    place([thing(2, -3, 4, 13, 10.1, metres=6.0), opaque(1, 1), opaque(0, 0)], 1, background=1),
    place([thing(3, 2, 3, 6.5, 6.5, flipped=True), thing(1, 2, 4, 11, 11), opaque(1, 1)], 2, 1, True),
    place([opaque(0, 0)] * 3, 0, background_flipped=True),
]
UNEVEN = random.integers(400, 700, (2, HEIGHT, WIDTH)).astype(np.uint16)


@pytest.mark.parametrize("seam", ["hard", "soft", "feathered"])
@pytest.mark.parametrize("plan", LIVELY)
def test_sums_are_those_of_the_whole_pictures(plan, seam):
    fg_bg, mask, depth, found = made(plan, stuff(depth=UNEVEN), seam)
    background, scenery = BACKGROUNDS[plan["background"][0]], UNEVEN[plan["background"][0]]
    if plan["background_flipped"][0]:
        background, scenery = background[:, ::-1], scenery[:, ::-1]
    full = np.where(depth > 0, depth, scenery)
    for power in (1, 2):
        change = (fg_bg.astype(np.int64) ** power).sum((0, 1)) - (background.astype(np.int64) ** power).sum((0, 1))
        assert found["fg_bg_sums"][power - 1].tolist() == change.tolist()
        assert found["mask_sums"][power - 1] == (mask.astype(np.int64) ** power).sum()
        change = (full.astype(np.int64) ** power).sum() - (scenery.astype(np.int64) ** power).sum()
        assert found["depth_sums"][power - 1] == change
    outside = mask == 0
    np.testing.assert_array_equal(fg_bg[outside], background[outside])


@pytest.mark.both_stacks
@pytest.mark.parametrize("reliefs", [False, True])
@pytest.mark.parametrize("seam", ["hard", "soft", "feathered"])
def test_in_a_graph_as_eagerly(seam, reliefs):
    relief = [random.normal(0, 0.2, cutout.shape[:2]).astype(np.float32) for cutout in CUTOUTS] if reliefs else None
    the_materials = stuff(depth=UNEVEN, reliefs=relief)
    plans = {key: tf.concat([plan[key] for plan in LIVELY], axis=0) for key in LIVELY[0]}
    dataset = tf.data.Dataset.from_tensor_slices(planned(plans, the_materials))
    dataset = dataset.map(lambda plan: compose(plan, the_materials, seam), num_parallel_calls=2)
    assert dataset.element_spec["fg_bg"].shape == (HEIGHT, WIDTH, 3)
    for plan, element in zip(LIVELY, dataset.as_numpy_iterator(), strict=True):
        eager = made(plan, the_materials, seam)[3]
        assert element.keys() == eager.keys()
        for key, value in element.items():
            np.testing.assert_array_equal(value, eager[key], err_msg=key)


# Seams


def test_hard():
    plan = place([thing(2, 0, 1, 11, 9)])
    soft, hard = made(plan, stuff()), made(plan, stuff(), "hard")
    assert set(np.unique(hard[1])) == {0, 255}
    np.testing.assert_array_equal(hard[1] == 255, soft[1] >= 128)
    np.testing.assert_array_equal(hard[2], soft[2])
    outside = hard[1] == 0
    np.testing.assert_array_equal(hard[0][outside], BACKGROUNDS[0][outside])


def test_hard_has_the_colour_of_the_object_alone():
    fg_bg, mask, _, _ = made(place([thing(1, 2, 5, 4, 4)]), stuff(), "hard")
    # 125 and 50 of 128, as they were premultiplied.
    np.testing.assert_array_equal(fg_bg[mask > 0], np.broadcast_to([249, 0, 100], (16, 3)))


def test_feathered_by_hand():
    fg_bg, mask, _, _ = made(place([thing(3, 2, 4, 8, 8)]), stuff(), "feathered")
    # Of the 5 x 5 pixels around one on the edge 3/5 are covered, next to it 4/5: 2 * 3/5 - 1 = 1/5, and 3/5.
    assert mask[6].tolist() == [0] * 4 + [51, 153, 255, 255, 255, 255, 153, 51] + [0] * 4
    assert mask[:, 8].tolist() == [0] * 2 + [51, 153, 255, 255, 255, 255, 153, 51] + [0] * 2
    # 9/25 and 12/25 are under a half; 16/25 is 7/25 over it.
    assert (mask[2, 4], mask[3, 4], mask[3, 5]) == (0, 0, 71)
    np.testing.assert_array_equal(fg_bg[4:8, 6:10], np.broadcast_to(BLOCK[0, 0, :3], (4, 4, 3)))
    np.testing.assert_allclose(fg_bg[6, 4], 0.2 * BLOCK[0, 0, :3] + 0.8 * BACKGROUNDS[0, 6, 4], atol=0.51)


def test_feathered_only_takes_away():
    plan = place([thing(2, 0, 1, 11, 9)])
    assert (made(plan, stuff(), "feathered")[1] <= made(plan, stuff())[1]).all()


@pytest.mark.parametrize(("top", "left"), [(-3, 4), (7, 4), (2, -3), (2, 11)], ids=["above", "below", "left", "right"])
def test_feathered_does_not_fade_where_the_picture_ends(top, left):
    whole = np.zeros([HEIGHT + 16, WIDTH + 16], np.uint8)
    line = np.array([51, 153, 255, 255, 255, 255, 153, 51])
    # The middle of each side; its corners are not a product.
    whole[8 + top : 16 + top, 8 + left + 2 : 8 + left + 6] = line[:, None]
    whole[8 + top + 2 : 8 + top + 6, 8 + left : 16 + left] = line
    mask = made(place([thing(3, top, left, 8, 8)]), stuff(), "feathered")[1]
    shown = whole[8:-8, 8:-8]
    np.testing.assert_array_equal(mask[shown > 0], shown[shown > 0])
