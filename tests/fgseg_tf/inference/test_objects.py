"""Objects of a frame: which pixels belong together, where they stand, how far away they are."""

import numpy as np
import pytest

from fgseg_tf.inference.objects import label_objects, list_objects, place_objects


def plane(*rows: str) -> np.ndarray:
    return np.array([[character == "#" for character in row] for row in rows])


def test_regions_are_numbered_from_the_top():
    labels, boxes = label_objects(
        plane(
            "#..#.#",
            "#..###",
            ".#....",
            "....##",
            "##....",
            ".###..",
        )
    )
    assert boxes == [
        (slice(0, 3), slice(0, 2)),
        (slice(0, 2), slice(3, 6)),
        (slice(3, 4), slice(4, 6)),
        (slice(4, 6), slice(0, 4)),
    ]
    np.testing.assert_array_equal(
        labels,
        [
            [1, 0, 0, 2, 0, 2],
            [1, 0, 0, 2, 2, 2],
            [0, 1, 0, 0, 0, 0],
            [0, 0, 0, 0, 3, 3],
            [4, 4, 0, 0, 0, 0],
            [0, 4, 4, 4, 0, 0],
        ],
    )


def test_nothing_and_everything():
    assert label_objects(np.zeros((3, 5), bool))[1] == []
    labels, boxes = label_objects(np.ones((3, 5), bool))
    assert boxes == [(slice(0, 3), slice(0, 5))]
    assert (labels == 1).all()


def test_what_touches_is_what_spreads():
    """Against numbers that spread to their neighbours until nothing changes."""
    random = np.random.default_rng(0)
    for _ in range(100):
        inside = random.random((random.integers(1, 12), random.integers(1, 15))) < random.uniform(0.2, 0.7)
        spread = np.where(inside, np.arange(1, inside.size + 1).reshape(inside.shape), 0)
        before = None
        while before is None or (spread != before).any():
            before = spread
            padded = np.pad(np.where(inside, spread, inside.size + 1), 1, constant_values=inside.size + 1)
            around = [
                padded[1 + y : 1 + y + inside.shape[0], 1 + x : 1 + x + inside.shape[1]]
                for y in (-1, 0, 1)
                for x in (-1, 0, 1)
            ]
            spread = np.where(inside, np.minimum.reduce(around), 0)
        labels, boxes = label_objects(inside)
        assert len(boxes) == len(set(spread[inside].tolist()))
        pairs = set(zip(labels[inside].tolist(), spread[inside].tolist(), strict=True))
        assert len(pairs) == len(boxes)
        for number, (rows, columns) in enumerate(boxes, start=1):
            assert (np.argwhere(labels == number).min(0) == (rows.start, columns.start)).all()
            assert (np.argwhere(labels == number).max(0) == (rows.stop - 1, columns.stop - 1)).all()


# A floor that is 10 m away in row 0 and 1 m in row 9, and in column 7 a pillar 2 m away.
FLOOR = np.repeat(np.arange(10.0, 0, -1)[:, None], 8, axis=1).astype(np.float32)
FLOOR[:8, 7] = 2


def test_an_object_stands_at_its_foot():
    mask = np.zeros((10, 8), np.float32)
    mask[1:6, 2:4] = 1  # 10 pixels, the lowest tenth of which is 1: both of row 5, 5 m away
    depth = place_objects(mask, FLOOR, FLOOR > 0)
    assert (depth[1:6, 2:4] == 5).all()
    outside = mask == 0
    np.testing.assert_array_equal(depth[outside], FLOOR[outside])
    assert depth.dtype == np.float32


def test_what_is_not_known_stays_unknown_but_under_objects():
    mask = np.zeros((10, 8), np.float32)
    mask[1:6, 2:4] = 1
    known = np.ones((10, 8), bool)
    known[3:7, :5] = False
    depth = place_objects(mask, FLOOR, known)
    assert (depth[1:6, 2:4] == 5).all(), "it stands on what was filled"
    np.testing.assert_array_equal(depth[mask == 0], np.where(known, FLOOR, 0)[mask == 0])


def test_nothing_is_behind_what_it_hides():
    mask = np.zeros((10, 8), np.float32)
    mask[1:6, 5:8] = 1
    depth = place_objects(mask, FLOOR, FLOOR > 0)
    assert (depth[1:6, 5:7] == 5).all()
    assert (depth[1:6, 7] == 2).all(), "in front of the pillar, or it would not be seen"


def test_a_list_of_objects():
    mask = np.zeros((10, 8), np.float32)
    mask[1:6, 2:4] = 1
    mask[5:9, 6] = 0.9
    mask[0, 0] = 0.4
    depth = place_objects(mask, FLOOR, FLOOR > 0)
    near, far = list_objects(mask, depth, FLOOR)
    assert (near.order, far.order) == (1, 2)
    assert near.box == (5, 6, 9, 7)
    assert near.foot == (8, 6)
    assert near.foot_metres == near.median == near.nearest == 2
    assert near.spread == 0
    assert far.box == (1, 2, 6, 4)
    assert far.foot == (5, 2)
    assert far.foot_metres == 5
    assert far.share == pytest.approx(10 / 80)


def test_without_metres_there_is_an_order():
    mask = np.zeros((10, 8), np.float32)
    mask[1:3, 2:4] = mask[5:9, 6:] = 1
    guess = np.where(np.arange(8) < 5, 40.0, 70.0) * np.ones((10, 1))
    objects = list_objects(mask, guess, None)
    assert [(each.order, each.box[0]) for each in objects] == [(1, 1), (2, 5)]
    assert all(each.foot_metres is each.nearest is each.median is each.spread is None for each in objects)


def test_specks_are_not_listed():
    mask = np.zeros((100, 100), np.float32)
    mask[10, 10] = mask[50:60, 50:60] = 1
    assert len(list_objects(mask, mask + 1, None)) == 1
