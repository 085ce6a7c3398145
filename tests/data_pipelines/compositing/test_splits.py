"""Every composite is in one split, once, under one name, in an order that only the seed decides."""

import numpy as np
import pytest
import tensorflow as tf

from data_pipelines.compositing.splits import Grid, Split, limit_splits, make_splits

GRID = Grid(backgrounds=3, foregrounds=5, places=4)


def everything(split, grid, seed):
    return split.indices(tf.range(split.count, dtype=tf.int64), grid, seed).numpy()


def test_index_by_hand():
    # ((2 * 5 + 3) * 2 + 1) * 4 + 1
    assert GRID.encode(2, 3, 1, 1) == 109
    assert GRID.decode(109) == (2, 3, 1, 1)
    assert GRID.size == 3 * 5 * 2 * 4
    assert GRID.decode(GRID.size - 1) == (2, 4, 1, 3)


@pytest.mark.parametrize("kind", [np.asarray, lambda n: tf.constant(n, tf.int64)])
def test_parts_and_index_are_inverse(kind):
    indices = np.arange(GRID.size).reshape(6, 20)
    parts = GRID.decode(kind(indices))
    np.testing.assert_array_equal(GRID.encode(*parts), indices)
    for index in range(GRID.size):
        assert tuple(int(np.asarray(part).flat[index]) for part in parts) == GRID.decode(index)
        assert GRID.encode(*GRID.decode(index)) == index
    assert {GRID.decode(index) for index in range(GRID.size)} == {
        (b, f, m, p) for b in range(3) for f in range(5) for m in range(2) for p in range(4)
    }


def test_names():
    names = [GRID.format_name(index) for index in range(GRID.size)]
    assert len(set(names)) == GRID.size
    assert [GRID.parse_name(name) for name in names] == list(range(GRID.size))
    assert GRID.format_name(109) == "bg002-fg003-flip-p01"
    assert GRID.format_name(np.int64(105)) == "bg002-fg003-p01"
    wide = Grid(1200, 1, 101)
    assert wide.format_name(wide.size - 1) == "bg1199-fg000-flip-p100"
    assert wide.parse_name("bg1199-fg000-flip-p100") == wide.size - 1


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("bg003-fg000-p00", "asks for background 3; this data set has 3"),
        ("bg000-fg005-p00", "asks for cut-out 5; this data set has 5"),
        ("bg000-fg000-flip-p04", "asks for place 4; this data set has 4"),
        ("bg0-fg0-p0", "is not the name of a composite"),
        ("bg000-fg000-flop-p00", "is not the name of a composite"),
        ("bg000-fg000-p00.jpg", "is not the name of a composite"),
        ("bg000-fg000-p00\n", "is not the name of a composite"),
    ],
)
def test_bad_names(name, complaint):
    with pytest.raises(ValueError, match=complaint):
        GRID.parse_name(name)


def test_order_is_the_same_on_every_stack():
    split = Split("train", (0, 1, 2), (0, 1, 2, 3, 4), 0, GRID.size)
    first = tf.range(8, dtype=tf.int64)
    assert split.indices(first, GRID, 7).numpy().tolist() == [17, 115, 32, 9, 67, 18, 75, 36]
    # Another cell has its own order; its sources are numbered as in the grid.
    corner = Split("unseen_both", (0, 2), (4,), 0, 16)
    assert corner.indices(first, GRID, 7).numpy().tolist() == [116, 33, 117, 34, 37, 114, 39, 36]


def test_a_run_of_the_order():
    whole = Split("all", (0, 1, 2), (0, 1, 2, 3, 4), 0, GRID.size)
    later = Split("later", (0, 1, 2), (0, 1, 2, 3, 4), 100, 20)
    np.testing.assert_array_equal(everything(later, GRID, 1), everything(whole, GRID, 1)[100:])


@pytest.mark.parametrize("how", ["sources", "random"])
@pytest.mark.parametrize("shape", [(7, 9, 3), (4, 3, 1)])
def test_splits_partition_everything(how, shape):
    grid = Grid(*shape)
    splits = make_splits(grid, how, 0.3, seed=5)
    found = np.concatenate([everything(split, grid, 5) for split in splits])
    assert found.dtype == np.int64
    assert sorted(found.tolist()) == list(range(grid.size))
    assert [split.count for split in splits] == [len(everything(split, grid, 5)) for split in splits]


def test_sources_are_held_out():
    grid = Grid(7, 9, 3)
    splits = {split.name: split for split in make_splits(grid, "sources", 0.3, seed=5)}
    assert list(splits) == ["train", "seen_both", "unseen_fg", "unseen_bg", "unseen_both"]
    seen_bg, seen_fg = set(splits["train"].backgrounds), set(splits["train"].foregrounds)
    assert (len(seen_bg), len(seen_fg)) == (5, 6)  # 0.3 x 7 = 2.1, 0.3 x 9 = 2.7
    for name, split in splits.items():
        background, foreground, _, _ = grid.decode(everything(split, grid, 5))
        assert set(background.tolist()) <= set(split.backgrounds)
        assert set(foreground.tolist()) <= set(split.foregrounds)
        in_bg = name in ("train", "seen_both", "unseen_fg")
        in_fg = name in ("train", "seen_both", "unseen_bg")
        assert set(split.backgrounds) == (seen_bg if in_bg else set(range(7)) - seen_bg)
        assert set(split.foregrounds) == (seen_fg if in_fg else set(range(9)) - seen_fg)
        assert split.backgrounds == tuple(sorted(split.backgrounds))


def test_published_size():
    grid = Grid(100, 100, 20)
    counts = {split.name: split.count for split in make_splits(grid, "sources", 0.16, seed=0)}
    # 84 x 84 x 40 = 282 240, of which 2 % are the seen/seen corner.
    assert counts == {
        "train": 276_595,
        "seen_both": 5_645,
        "unseen_fg": 84 * 16 * 40,
        "unseen_bg": 16 * 84 * 40,
        "unseen_both": 16 * 16 * 40,
    }
    assert sum(counts.values()) == 400_000
    assert (counts["train"] + counts["seen_both"]) / 400_000 == pytest.approx(0.84 * 0.84)


def test_random_split_leaks():
    grid = Grid(10, 10, 2)
    train, test = make_splits(grid, "random", 0.16, seed=0)
    assert (train.name, train.count, test.name, test.count) == ("train", 280, "test", 120)
    for part in range(2):
        seen = set(grid.decode(everything(train, grid, 0))[part].tolist())
        assert set(grid.decode(everything(test, grid, 0))[part].tolist()) <= seen


def test_without_holdout():
    train, corner = make_splits(Grid(3, 5, 4), "sources", 0, seed=0)
    assert (train.name, train.count, corner.name, corner.count) == ("train", 118, "seen_both", 2)


def test_one_background_and_one_cutout():
    grid = Grid(1, 1, 1)
    splits = make_splits(grid, "sources", 0, seed=3)
    assert sorted(int(i) for split in splits for i in everything(split, grid, 3)) == [0, 1]


def test_order_does_not_depend_on_chunks_or_on_a_graph():
    grid = Grid(7, 9, 3)
    split = make_splits(grid, "sources", 0.3, seed=5)[0]
    whole = everything(split, grid, 5)
    positions = tf.range(split.count, dtype=tf.int64)
    parts = [split.indices(positions[begin : begin + 17], grid, 5) for begin in range(0, split.count, 17)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    dataset = tf.data.Dataset.range(split.count).batch(13).map(lambda p: split.indices(p, grid, 5)).unbatch()
    assert [int(index) for index in dataset.as_numpy_iterator()] == whole.tolist()


@pytest.mark.parametrize("other", [1, 6, 1024 + 5, (1 << 31) + 5, (1 << 61) + 5])
def test_seeds_differ(other):
    grid = Grid(7, 9, 3)
    split = Split("all", tuple(range(7)), tuple(range(9)), 0, grid.size)
    assert everything(split, grid, other).tolist() != everything(split, grid, 5).tolist()
    # Held out by chance: one pair of seeds may agree on the backgrounds, hardly on both kinds of a larger set.
    large = Grid(40, 40, 1)
    one, another = (make_splits(large, "sources", 0.3, seed)[0] for seed in (5, other))
    assert (one.backgrounds, one.foregrounds) != (another.backgrounds, another.foregrounds)


def test_held_out_sources_are_the_same_on_every_stack():
    splits = {split.name: split for split in make_splits(Grid(10, 12, 1), "sources", 0.25, seed=11)}
    assert splits["unseen_both"].backgrounds == (0, 5)
    assert splits["unseen_both"].foregrounds == (2, 3, 8)


def test_limit():
    splits = make_splits(Grid(100, 100, 20), "sources", 0.16, seed=0)
    limited = limit_splits(splits, 1000)
    assert sum(split.count for split in limited) == 1000
    for before, after in zip(splits, limited, strict=True):
        assert abs(after.count - before.count / 400) < len(splits)
        assert (after.name, after.backgrounds, after.foregrounds, after.first) == (
            before.name,
            before.backgrounds,
            before.foregrounds,
            before.first,
        )


@pytest.mark.parametrize("total", [5, 6, 7, 59, 119, 120, 10_000])
def test_limit_of_few(total):
    splits = make_splits(GRID, "sources", 0.3, seed=0)
    limited = limit_splits(splits, total)
    assert sum(split.count for split in limited) == min(total, 120)
    assert all(1 <= after.count <= before.count for before, after in zip(splits, limited, strict=True))


def test_limit_is_a_beginning():
    split = make_splits(GRID, "sources", 0.3, seed=0)[0]
    short = limit_splits(make_splits(GRID, "sources", 0.3, seed=0), 30)[0]
    np.testing.assert_array_equal(everything(short, GRID, 0), everything(split, GRID, 0)[: short.count])


def test_limit_below_the_number_of_splits():
    with pytest.raises(ValueError, match="`limit`=4 is less than the 5 splits; take at least 5, or 0"):
        limit_splits(make_splits(GRID, "sources", 0.3, seed=0), 4)


@pytest.mark.parametrize(
    ("grid", "how", "holdout", "complaint"),
    [
        (GRID, "leaky", 0.3, "`split`=leaky is not a way to split; take sources or random"),
        (GRID, "sources", 1, "`holdout`=1 is not a share from 0 to under 1"),
        (GRID, "sources", -0.1, "`holdout`=-0.1 is not a share"),
        (GRID, "sources", float("nan"), "`holdout`=nan is not a share"),
        (GRID, "sources", 0.1, "`holdout`=0.1 of 3 backgrounds leaves nothing to test on"),
        (GRID, "sources", 0.9, "`holdout`=0.9 of 3 backgrounds leaves nothing to train on"),
        (Grid(10, 2, 1), "sources", 0.16, "`holdout`=0.16 of 2 cut-outs leaves nothing to test on"),
    ],
)
def test_refusals(grid, how, holdout, complaint):
    with pytest.raises(ValueError, match=complaint):
        make_splits(grid, how, holdout, seed=0)
