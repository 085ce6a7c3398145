"""The demo sources: reproducible, exact in depth, cards where geometry puts them; expected values worked by hand."""

import dataclasses
import hashlib
import subprocess
import sys

import numpy as np
import pytest
from repository import ROOT

from data_pipelines.demo import sources as demo_sources
from data_pipelines.demo.raycast import Camera, Light, Scene, Sky, cast
from data_pipelines.demo.solids import Block, Ellipsoid, Frustum, Ground, Material, Shell
from data_pipelines.demo.sources import MAX_DEPTH, Card, Foreground
from data_pipelines.demo.textures import Plain

GREY = Material(Plain((0.3, 0.3, 0.3)))


def bare_scene(camera: Camera, *solids, shell=None) -> Scene:
    light = Light((1.0, 1.0, 1.0), (0.4, 0.4, 0.4), (0.2, 0.2, 0.2), direction=(0.0, 1.0, 0.0))
    sky = Sky((0.2, 0.3, 0.6), (0.6, 0.6, 0.7))
    shells = () if shell is None else (shell,)
    return Scene("bare", camera, (Ground(GREY), *shells, *solids), light, sky, shell=shell)


def cut_out(rows: int = 20, columns: int = 10, metres: float = 1.8, relief: float = 0.0) -> Foreground:
    """A plain opaque rectangle, red on its left half and blue on its right."""
    picture = np.full((rows, columns, 4), 255, np.uint8)
    picture[:, : columns // 2, 1:3] = 0
    picture[:, columns // 2 :, :2] = 0
    return Foreground(picture, np.full((rows, columns), relief, np.float32), metres, "box")


def digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def test_same_bytes_whatever_was_drawn_before_and_in_another_process():
    before = demo_sources.draw_background(3, 6, 40, 56), demo_sources.draw_foreground(3, 6, 64)
    for index in (2, 5):
        demo_sources.draw_background(3, index, 16, 16)
        demo_sources.draw_foreground(3, index, 32)
    after = demo_sources.draw_background(3, 6, 40, 56), demo_sources.draw_foreground(3, 6, 64)
    told = [digest(b.picture, b.depth, f.picture, f.relief) for b, f in (before, after)]
    assert told[0] == told[1]
    program = (
        "import hashlib; from data_pipelines.demo import sources as d;"
        "b, f = d.draw_background(3, 6, 40, 56), d.draw_foreground(3, 6, 64);"
        "print(hashlib.sha256(b''.join(a.tobytes() for a in (b.picture, b.depth, f.picture, f.relief))).hexdigest())"
    )
    other = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == told[0]


def test_seeds_and_indices_differ():
    pictures = {
        demo_sources.draw_background(seed, index, 24, 32).picture.tobytes() for seed in (0, 1) for index in (0, 4)
    }
    assert len(pictures) == 4
    people = {demo_sources.draw_foreground(seed, index, 48).picture.tobytes() for seed in (0, 1) for index in (0, 2)}
    assert len(people) == 4


def test_a_share_of_the_cutouts_are_people():
    kinds = [demo_sources.draw_foreground(3, index, 16, people=0.7).kind for index in range(20)]
    assert kinds.count("person") == 14
    assert len(set(kinds)) == 4
    assert {demo_sources.draw_foreground(3, index, 16, people=1).kind for index in range(5)} == {"person"}
    assert "person" not in {demo_sources.draw_foreground(3, index, 16, people=0).kind for index in range(5)}


def test_steeper_cameras_see_more_of_the_floor():
    usual = demo_sources.draw_background(3, 0, 40, 56)
    steeper = demo_sources.draw_background(3, 0, 40, 56, steeper=40)
    again = demo_sources.draw_background(3, 0, 40, 56, steeper=40)
    assert steeper.depth[-1].mean() < usual.depth[-1].mean()
    assert steeper.picture.tobytes() == again.picture.tobytes()
    assert steeper.field_of_view == usual.field_of_view


def test_a_dozen_has_all_kinds_and_every_background_keeps_its_promise():
    kinds = set()
    for index in range(12):
        background = demo_sources.draw_background(0, index, 30, 50)
        kinds.add(background.kind)
        assert background.picture.shape == (30, 50, 3)
        assert background.picture.dtype == np.uint8
        assert background.depth.shape == (30, 50)
        assert background.depth.dtype == np.float32
        assert 0 < background.depth.min() < 8
        assert background.depth.max() <= MAX_DEPTH
        assert 45 <= background.field_of_view <= 75
        assert background.field_of_view == demo_sources.build_scene(0, index).camera.field_of_view
        brightness = background.picture.mean()
        assert 60 < brightness < 200
        assert background.picture.std() > 15
    assert kinds == {"room", "corridor", "street", "land"}


def test_somebody_can_stand_in_every_scene():
    for index in range(24):
        scene = demo_sources.build_scene(5, index)
        _, owner = cast(scene, 24, 32)
        assert (owner[-8:, 8:24] == 0).mean() > 0.5, (index, scene.kind)
        demo_sources.render_scene(scene, 8, 8, [Card(cut_out(), 0.5, 0.97)])


def test_sky_is_at_the_greatest_depth():
    background = demo_sources.draw_background(0, 3, 40, 40)
    assert background.kind == "land"
    assert (background.depth[0] == MAX_DEPTH).any()


def test_depth_of_a_bare_floor_by_hand():
    # 90 degrees, level, 2 m up: the ray of row r falls by v = (2r + 1) / 40 - 1 a metre, and meets the floor at 2 / v.
    picture = demo_sources.render_scene(bare_scene(Camera(2.0, field_of_view=90)), 40, 60)
    np.testing.assert_allclose(picture.depth[39], 2 / (79 / 40 - 1), rtol=1e-6)
    np.testing.assert_allclose(picture.depth[30], 2 / (61 / 40 - 1), rtol=1e-6)
    assert (picture.depth[20] == 80).all()  # 2 / (41 / 40 - 1) = 80
    assert (picture.depth[:20] == MAX_DEPTH).all()


def test_depth_of_a_bare_floor_from_a_camera_that_looks_down():
    # Looking down by 45 degrees from 3 m, the middle of the picture is 3 * sqrt(2) m away.
    depth = demo_sources.render_scene(bare_scene(Camera(3.0, pitch=45, field_of_view=60)), 41, 61).depth
    np.testing.assert_allclose(depth[20], 3 * np.sqrt(2), rtol=1e-6)


def test_depth_is_along_the_axis_not_along_the_ray():
    wall = Block(0, 6.5, (50, 1.5), 40, GREY)  # its front is at z = 5
    depth = demo_sources.render_scene(bare_scene(Camera(2.0, field_of_view=90), wall), 30, 50).depth
    np.testing.assert_allclose(depth[:20], 5, rtol=1e-6)
    # Turned left by 30 degrees, a ray at slope a to the right nears the wall by cos 30 + a sin 30 per metre of depth.
    turned = bare_scene(Camera(2.0, field_of_view=90, yaw=-30), wall)
    across = ((np.arange(50) + 0.5) / 50 * 2 - 1) * 50 / 30
    expected = 5 / (np.cos(np.pi / 6) + across * np.sin(np.pi / 6))
    seen = (expected > 0) & (expected < 20)
    np.testing.assert_allclose(demo_sources.render_scene(turned, 30, 50).depth[5, seen], expected[seen], rtol=1e-5)


def test_depth_of_each_solid_where_the_axis_meets_it():
    camera = Camera(1.0, field_of_view=40)
    room = Shell((-2, 2), (-1, 9), 3, GREY)
    for solid, expected in (
        (Ellipsoid(0, 1, 5, (1, 1, 2), GREY), 3.0),
        (Frustum(0, 5, 1.0, 2.0, GREY), 4.0),
        (Frustum(0, 5, 1.0, 2.0, GREY, top=0.0), 4.5),  # a cone half as wide at half its height
        (Block(0, 5, (1, 1), 2.0, GREY, yaw=np.pi / 4), 5 - np.sqrt(2)),
        (Block(0, 5, (1, 1), 2.0, GREY, top=(1, 0)), 4.5),  # a roof: half as deep at half its height
        (room, 9.0),
    ):
        shell = solid if solid is room else None
        scene = bare_scene(camera, *(() if shell else (solid,)), shell=shell)
        np.testing.assert_allclose(demo_sources.render_scene(scene, 21, 31).depth[10, 15], expected, rtol=2e-4)


def test_depth_is_never_averaged_across_edges():
    pole = Frustum(0, 5, 0.5, 30, GREY)
    wall = Block(0, 11, (50, 1), 40, GREY)
    depth = demo_sources.render_scene(bare_scene(Camera(2.0, field_of_view=60), pole, wall), 20, 60).depth[:10]
    assert (((depth > 4.4) & (depth < 5.1)) | (abs(depth - 10) < 1e-4)).all()


@pytest.mark.parametrize("index", range(12))
def test_cut_outs_are_soft_trimmed_and_finite(index):
    foreground = demo_sources.draw_foreground(1, index, 96)
    alpha = foreground.picture[..., 3]
    assert foreground.picture.dtype == np.uint8
    assert foreground.picture.shape == (96, alpha.shape[1], 4)
    assert all(edge.any() for edge in (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]))
    assert ((alpha > 20) & (alpha < 235)).sum() > 50
    assert (alpha == 255).mean() > 0.1
    assert foreground.relief.shape == alpha.shape
    assert foreground.relief.dtype == np.float32
    assert np.isfinite(foreground.relief).all()
    # It bulges, by no more than a car's length, and it stands at its own plane.
    assert 0.05 < np.ptp(foreground.relief[alpha > 127]) < 6
    assert abs(np.median(foreground.relief[-2:][alpha[-2:] > 0])) < 0.35


def test_cut_outs_have_all_kinds_and_plausible_heights():
    limits = {"person": (1.4, 2.1), "animal": (0.15, 2.3), "vehicle": (0.9, 3.0), "furniture": (0.25, 2.2)}
    kinds = set()
    for index in range(12):
        foreground = demo_sources.draw_foreground(2, index, 24)
        kinds.add(foreground.kind)
        low, high = limits[foreground.kind]
        assert low < foreground.physical_height < high
    assert kinds == set(limits)


def test_a_card_has_its_size_place_and_depth_by_hand():
    # 90 degrees, level, 2 m up. Row 0.75 falls by 0.5 a metre: the ground is 4 m away. There the view is 8 m high, so
    # 1.8 m are 0.225 of 200 rows: 45 rows, ending at row 150. It is half as wide: 22.5 columns around 75.
    scene = bare_scene(Camera(2.0, field_of_view=90))
    seen = demo_sources.render_scene(scene, 200, 300, [Card(cut_out(), 0.25, 0.75)])
    rows, columns = np.flatnonzero(seen.mask[:, 75]), np.flatnonzero(seen.mask[120])
    assert (rows[0], rows[-1]) == (105, 149)
    assert (columns[0], columns[-1]) == (63, 86)  # 63.75 to 86.25
    assert seen.mask[120, 75] == 255
    assert 0 < seen.mask[120, 63] < 128
    assert (seen.depth[106:149, 65:85] == 4).all()
    np.testing.assert_array_equal(seen.picture[120, 68], [255, 0, 0])
    np.testing.assert_array_equal(seen.picture[120, 82], [0, 0, 255])
    empty = demo_sources.render_scene(scene, 200, 300)
    assert not empty.mask.any()
    np.testing.assert_array_equal(seen.depth[:, :60], empty.depth[:, :60])


def test_a_card_has_its_size_under_a_camera_that_looks_down():
    # The middle of the picture is 3 * sqrt(2) m away, where a view of 60 degrees is 2 * tan(30) * 3 * sqrt(2) = 4.899 m
    # high: 1.4 m are 0.28577 of 140 rows, which is 40.
    scene = bare_scene(Camera(3.0, pitch=45, field_of_view=60))
    seen = demo_sources.render_scene(scene, 140, 100, [Card(cut_out(metres=1.4), 0.5, 0.5)])
    rows = np.flatnonzero(seen.mask[:, 50] > 127)
    assert (rows[0], rows[-1]) == (30, 69)
    np.testing.assert_allclose(seen.depth[40:69, 50], 3 * np.sqrt(2), rtol=1e-6)


def test_a_card_can_be_flipped_and_bulges():
    foreground = cut_out()
    relief = np.tile(np.linspace(-0.4, 0.5, 10, dtype=np.float32), (20, 1))
    foreground = dataclasses.replace(foreground, relief=relief)
    scene = bare_scene(Camera(2.0, field_of_view=90))
    straight = demo_sources.render_scene(scene, 200, 300, [Card(foreground, 0.5, 0.75)])
    flipped = demo_sources.render_scene(scene, 200, 300, [Card(foreground, 0.5, 0.75, flipped=True)])
    np.testing.assert_allclose(straight.depth[120, [140, 160]], [3.6, 4.5], rtol=1e-6)
    np.testing.assert_allclose(flipped.depth[120, [140, 160]], [4.5, 3.6], rtol=1e-6)
    np.testing.assert_array_equal(flipped.picture[120, 143], [0, 0, 255])


def test_a_card_is_hidden_by_what_is_nearer_and_hides_what_is_farther():
    near = Block(-2.0, 3.25, (2.0, 0.25), 5.0, GREY)  # covers x < 0 from z = 3
    far = Block(0.0, 8.0, (20.0, 1.0), 9.0, GREY)
    scene = bare_scene(Camera(2.0, field_of_view=90), near, far)
    seen = demo_sources.render_scene(scene, 100, 100, [Card(cut_out(columns=20), 0.5, 0.75)])
    # 22.5 rows high and as wide, around column 50.
    assert (seen.mask[60:74, 40:50] == 0).all()
    assert (seen.mask[60:74, 51:60] == 255).all()
    np.testing.assert_allclose(seen.depth[60:74, 40:49], 3, rtol=1e-6)
    np.testing.assert_allclose(seen.depth[60:74, 51:60], 4, rtol=1e-6)
    np.testing.assert_allclose(seen.depth[60, 70], 7, rtol=1e-6)


def test_the_nearer_of_two_cards_wins_in_any_order():
    scene = bare_scene(Camera(2.0, field_of_view=90))
    near, far = Card(cut_out(), 0.5, 0.9), Card(cut_out(metres=3.0), 0.5, 0.75)
    one, other = (demo_sources.render_scene(scene, 80, 80, cards) for cards in ([near, far], [far, near]))
    assert digest(one.picture, one.depth, one.mask) == digest(other.picture, other.depth, other.mask)
    np.testing.assert_allclose(one.depth[65, 40], 2.5, rtol=1e-6)  # row 0.9 falls by 0.8: 2 / 0.8
    np.testing.assert_allclose(one.depth[40, 40], 4.0, rtol=1e-6)  # above the near one's 1.8 m


def test_a_card_shades_the_ground_and_the_shade_is_not_in_the_mask():
    scene = demo_sources.build_scene(0, 3)
    scene = dataclasses.replace(scene, solids=scene.solids[:1])
    empty, seen = (demo_sources.render_scene(scene, 60, 80, cards) for cards in ([], [Card(cut_out(), 0.5, 0.8)]))
    darker = (empty.picture.astype(int) - seen.picture).sum(-1) > 15
    assert (darker & (seen.mask == 0)).sum() > 5
    np.testing.assert_array_equal(empty.picture[0], seen.picture[0])  # exposure stays


@pytest.mark.parametrize(
    ("row", "message"),
    [(0.4, "row=0.4: above the horizon"), (0.5, "above the horizon"), (0.505, "farther than 80 m")],
)
def test_no_card_stands_in_the_sky(row, message):
    scene = bare_scene(Camera(2.0, field_of_view=90))
    with pytest.raises(ValueError, match=message):
        demo_sources.render_scene(scene, 20, 20, [Card(cut_out(), 0.5, row)])


def test_no_card_stands_behind_a_wall():
    scene = bare_scene(Camera(2.0, field_of_view=90), shell=Shell((-3, 3), (-1, 6), 3, GREY))
    demo_sources.render_scene(scene, 20, 20, [Card(cut_out(), 0.5, 0.7)])  # 5 m
    with pytest.raises(ValueError, match="a wall is seen there"):
        demo_sources.render_scene(scene, 20, 20, [Card(cut_out(), 0.5, 0.64)])  # 7.1 m
