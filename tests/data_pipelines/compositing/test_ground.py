"""The floor is found from depth alone, whatever else is a plane. Rooms are cast here by hand, with unequal sides."""

import time

import numpy as np
import pytest

from data_pipelines.compositing.ground import find_ground
from data_pipelines.demo.sources import draw_background

HEIGHT, WIDTH = 96, 128
FOCAL = 0.9 * HEIGHT


def cast(surfaces, pitch: float = 0.0, roll: float = 0.0, height: int = HEIGHT, width: int = WIDTH):
    """Depth and owner of the nearest surface, for a camera looking down by `pitch` radians.

    surfaces: (normal, distance, holds) in x right, y down, z ahead of the level camera: normal . point = distance,
    where holds(x, y, z) says how far the surface goes.
    """
    v, u = np.mgrid[:height, :width]
    x, y = (u + 0.5 - width / 2) / (FOCAL * height / HEIGHT), (v + 0.5 - height / 2) / (FOCAL * height / HEIGHT)
    x, y = x * np.cos(roll) - y * np.sin(roll), x * np.sin(roll) + y * np.cos(roll)
    rays = np.stack([x, y * np.cos(pitch) + np.sin(pitch), np.cos(pitch) - y * np.sin(pitch)])
    depth, owner = np.full((height, width), 1000.0), np.full((height, width), -1)
    for number, (normal, distance, holds) in enumerate(surfaces):
        slant = np.tensordot(np.array(normal, float), rays, 1)
        along = distance / np.where(np.abs(slant) < 1e-9, 1e-9, slant)
        hit = (along > 0) & (along < depth) & holds(*(rays * along))
        depth[hit], owner[hit] = along[hit], number
    return depth.astype(np.float32), owner


def everywhere(x, y, z):
    return np.ones_like(x, bool)


FLOOR = ((0, 1, 0), 1.5, everywhere)
CEILING = ((0, 1, 0), -1.2, everywhere)
BACK = ((0, 0, 1), 7.0, everywhere)
LEFT = ((1, 0, 0), -2.0, everywhere)
RIGHT = ((1, 0, 0), 2.5, everywhere)
BOX_FRONT = ((0, 0, 1), 4.0, lambda x, y, z: (np.abs(x - 0.5) < 0.5) & (y > 0.6))
BOX_TOP = ((0, 1, 0), 0.6, lambda x, y, z: (np.abs(x - 0.5) < 0.5) & (z > 4) & (z < 5))
ROOM = [FLOOR, CEILING, BACK, LEFT, RIGHT, BOX_FRONT, BOX_TOP]


def owners(points, owner):
    rows = np.round(points[:, 0] * owner.shape[0] - 0.5).astype(int)
    columns = np.round(points[:, 1] * owner.shape[1] - 0.5).astype(int)
    return owner[rows, columns]


@pytest.mark.parametrize("pitch", [-0.1, 0.0, 0.25, 0.5])
def test_room(pitch):
    depth, owner = cast(ROOM, pitch)
    ground = find_ground(depth, seed=3)
    assert ground.has_floor
    assert ground.points.shape == (1024, 3)
    assert ground.points.dtype == np.float32
    # What is not floor is the lowest row of a wall or of the box, as far away as the floor beside it.
    assert np.mean(owners(ground.points, owner) == 0) > 0.95
    floor, _ = cast([FLOOR], pitch)
    rows, columns = (ground.points[:, :2] * depth.shape - 0.5).round().astype(int).T
    np.testing.assert_allclose(ground.points[:, 2], floor[rows, columns], rtol=0.06)


def test_points_lie_where_they_say():
    """A level camera at 1.5 m sees the floor in row r at depth 1.5 m x focal / (rows below the middle)."""
    depth, _ = cast([FLOOR])
    points = find_ground(depth, count=200).points
    expected = 1.5 * FOCAL / ((points[:, 0] - 0.5) * HEIGHT)
    # The median of a corner has no row below it.
    inner = (points[:, 0] < 1 - 1 / HEIGHT) & (points[:, 2] < 50)
    assert inner.mean() > 0.7
    np.testing.assert_allclose(points[inner, 2], expected[inner], rtol=1e-3)
    assert np.all(np.diff(points[:, 2]) >= 0)


def test_same_seed_same_points():
    depth, _ = cast(ROOM)
    np.testing.assert_array_equal(find_ground(depth, 5).points, find_ground(depth, 5).points)
    assert not np.array_equal(find_ground(depth, 5).points, find_ground(depth, 6).points)


def test_near_and_far_left_and_right_are_offered():
    depth, owner = cast(ROOM)
    points = find_ground(depth, count=200).points
    floor = depth[owner == 0]
    edges = np.geomspace(floor.min(), floor.max(), 5)
    share_of_points = np.histogram(points[:, 2], edges)[0] / 200
    share_of_pixels = np.histogram(floor, edges)[0] / floor.size
    # The far quarter of log(depth) is a strip near the horizon.
    assert share_of_pixels.min() < 0.12
    assert share_of_points.min() > 0.2
    assert np.histogram(points[:, 1], 4, (0, 1))[0].min() > 0.1 * 200
    assert len(np.unique(points[:, :2], axis=0)) == 200


@pytest.mark.parametrize("roll", [-0.15, 0.15])
def test_noisy_biased_and_tilted(roll):
    depth, owner = cast(ROOM, 0.2, roll)
    noise = np.random.default_rng(1).normal(1.2, 0.06, depth.shape)
    ground = find_ground((depth * noise).astype(np.float32))
    assert ground.has_floor
    assert np.mean(owners(ground.points, owner) == 0) > 0.95
    # The median of nine is nearer to the truth than any one value of the map.
    rows, columns = (ground.points[:, :2] * depth.shape - 0.5).round().astype(int).T
    assert np.std(ground.points[:, 2] / depth[rows, columns]) < 0.035


@pytest.mark.parametrize("noise", [0.0, 0.05])
@pytest.mark.parametrize(
    ("surfaces", "pitch"),
    [
        ([BACK], 0.0),
        ([BACK], 0.2),
        ([BACK], -0.15),  # leans away at the top, as a floor does, but little
        ([LEFT, RIGHT, ((0, 0, 1), 5.0, everywhere)], 0.0),
        ([CEILING, BACK], -0.2),
        ([CEILING], -0.6),
        ([], 0.0),  # sky
    ],
    ids=["wall", "wall_from_above", "wall_from_below", "corridor", "ceiling_and_wall", "ceiling", "sky"],
)
def test_without_a_floor_the_lower_third_stands_in(surfaces, pitch, noise):
    depth, _ = cast(surfaces, pitch)
    depth = depth * np.random.default_rng(2).normal(1, noise, depth.shape).astype(np.float32)
    ground = find_ground(depth, count=300)
    assert not ground.has_floor
    assert ground.points.shape == (300, 3)
    assert ground.points[:, 0].min() >= 2 / 3
    assert np.all(ground.points[:, 2] > 0)


def test_large_wall_small_floor_and_sky_above():
    wall = ((0, 0, 1), 4.0, lambda x, y, z: y > -2)
    depth, owner = cast([FLOOR, wall], -0.05)
    assert 0.03 < np.mean(owner == 0) < 0.15
    ground = find_ground(depth)
    assert ground.has_floor
    assert np.mean(owners(ground.points, owner) == 0) > 0.97


def test_floor_wins_over_a_larger_table():
    """Nearly the same share of the picture, but past a table the floor is seen and past a floor nothing."""
    table = ((0, 1, 0), 0.7, lambda x, y, z: (np.abs(x) < 0.55) & (z < 3))
    depth, owner = cast([FLOOR, BACK, table], 0.35)
    assert np.mean(owner == 2) > np.mean(owner == 0) > 0.15
    points = find_ground(depth).points
    assert np.mean(owners(points, owner) == 0) > 0.97


def test_a_slope_above_eye_level_is_no_floor():
    depth = np.full((HEIGHT, WIDTH), 4.0, np.float32)  # a crowd, and above it a slope that would pass behind it
    depth[:45] = 1 / (0.1 * (np.arange(45, dtype=np.float32) / HEIGHT + 0.64))[:, None]
    ground = find_ground(depth)
    assert not ground.has_floor
    assert (ground.points[:, 0] > 2 / 3 - 1 / HEIGHT).all()


@pytest.mark.parametrize("index", range(6))
def test_demo_scenes(index):
    """Furnished rooms, corridors, streets and meadows: every point is in one plane, at exact depth."""
    ground = find_ground(draw_background(0, index, 112, 160).depth)
    assert ground.has_floor
    row, column, depth = ground.points.astype(float).T
    basis = np.stack([row, column, np.ones_like(row)], axis=1) * depth[:, None]
    plane = np.linalg.lstsq(basis, np.ones_like(row), rcond=None)[0]
    assert plane[0] > 0
    assert np.mean(np.abs(basis @ plane - 1) < 0.05) > 0.95
    # Somebody can stand near and farther away.
    assert depth[-1] > 2 * depth[0]


def test_unknown_depth_is_left_out():
    depth, owner = cast(ROOM)
    holes = np.random.default_rng(4).random(depth.shape) < 0.2
    depth[holes] = 0
    depth[:, :20] = np.nan
    ground = find_ground(depth)
    assert ground.has_floor
    assert np.all(np.isfinite(ground.points))
    assert np.all(ground.points[:, 2] > 0)
    assert ground.points[:, 1].min() > 20 / WIDTH
    assert np.mean(owners(ground.points, owner) == 0) > 0.95


def test_more_points_than_floor():
    depth, _ = cast([FLOOR, BACK], height=12, width=20)
    points = find_ground(depth, count=500).points
    assert points.shape == (500, 3)
    assert np.all(np.diff(points[:, 2]) >= 0)


@pytest.mark.parametrize(
    ("depth", "words"),
    [
        (np.ones((4, 5, 1), np.float32), r"shape \(4, 5, 1\)"),
        (np.ones((3, 50), np.float32), r"shape \(3, 50\)"),
        (np.zeros((8, 9), np.float32), "unknown everywhere"),
    ],
)
def test_what_is_no_depth_map(depth, words):
    with pytest.raises(ValueError, match=words):
        find_ground(depth)


def test_fast_enough_for_every_background():
    depth, _ = cast(ROOM, height=224, width=224)
    find_ground(depth)
    took = []
    for seed in range(5):
        start = time.perf_counter()
        find_ground(depth, seed)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.15  # about 0.02 s on a quiet core
