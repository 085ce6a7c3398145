"""Sums that were added up from changes are those of the whole pictures, to the last bit."""

import json

import numpy as np
import pytest

from data_pipelines.tfrecord.statistics import add_batch, sum_backgrounds, summarize

HEIGHT, WIDTH, BACKGROUNDS, COMPOSITES = 5, 7, 3, 11
SCALE = 256.0
random = np.random.default_rng(8)
PICTURES = random.integers(0, 256, (BACKGROUNDS, HEIGHT, WIDTH, 3), np.uint8)
CODES = random.integers(1, 65536, (BACKGROUNDS, HEIGHT, WIDTH)).astype(np.uint16)
OF_BACKGROUND = random.integers(0, BACKGROUNDS, COMPOSITES)
FG_BG = random.integers(0, 256, (COMPOSITES, HEIGHT, WIDTH, 3), np.uint8)
MASK = random.integers(0, 256, (COMPOSITES, HEIGHT, WIDTH), np.uint8)
DEPTH = random.integers(1, 65536, (COMPOSITES, HEIGHT, WIDTH)).astype(np.uint16)


def powers(values, axes=(1, 2)):
    """float64, as the composites give them: sum and sum of squares of each picture."""
    values = values.astype(np.float64)
    return np.stack([values.sum(axes), (values**2).sum(axes)], axis=1)


def batch(which, whole_depth=False):
    behind = OF_BACKGROUND[which]
    return {
        "bg_index": behind,
        "fg_bg_sums": powers(FG_BG[which]) - powers(PICTURES[behind]),
        "mask_sums": powers(MASK[which]),
        "depth_sums": powers(DEPTH[which]) - (0 if whole_depth else powers(CODES[behind])),
    }


def added(*parts, whole_depth=False):
    sums = None
    for part in parts:
        sums = add_batch(sums, batch(np.array(part), whole_depth), sum_backgrounds(PICTURES, CODES), whole_depth)
    return sums


def exactly(values):
    """[sum, sum of squares] as Python integers; by channel for colours."""
    flat = values.astype(object).reshape(-1, values.shape[-1]) if values.ndim == 4 else values.astype(object).ravel()
    return [np.sum(flat, axis=0), np.sum(flat**2, axis=0)]


def test_of_backgrounds():
    sums = sum_backgrounds(PICTURES, CODES)
    assert sums.pixels == 35
    assert sums.pictures.shape == (BACKGROUNDS, 2, 3)
    assert sums.depths.shape == (BACKGROUNDS, 2)
    assert sums.pictures.dtype == sums.depths.dtype == np.int64
    np.testing.assert_array_equal(sums.pictures, powers(PICTURES))
    np.testing.assert_array_equal(sums.depths, powers(CODES))


def test_by_hand():
    sums = sum_backgrounds(np.array([[[[1, 2, 3], [4, 5, 6]]]], np.uint8), np.array([[[7, 9]]], np.uint16))
    change = {
        "bg_index": np.array([0]),
        # The second pixel becomes (10, 5, 0), its mask 255, and its depth 2.
        "fg_bg_sums": np.array([[[6.0, 0, -6], [84, 0, -36]]]),
        "mask_sums": np.array([[255.0, 65025]]),
        "depth_sums": np.array([[-7.0, -77]]),
    }
    assert add_batch(None, change, sums, whole_depth=False) == {
        "records": 1,
        "pixels": 2,
        "bg": [[5, 7, 9], [17, 29, 45]],
        "fg_bg": [[11, 7, 3], [101, 29, 9]],
        "mask": [255, 65025],
        "depth": [9, 53],
    }


@pytest.mark.parametrize("whole_depth", [False, True])
def test_exactly_the_whole_pictures(whole_depth):
    sums = added(range(COMPOSITES), whole_depth=whole_depth)
    assert (sums["records"], sums["pixels"]) == (COMPOSITES, COMPOSITES * HEIGHT * WIDTH)
    for key, values in (("bg", PICTURES[OF_BACKGROUND]), ("fg_bg", FG_BG)):
        assert sums[key] == [list(power) for power in exactly(values)]
    for key, values in (("mask", MASK), ("depth", DEPTH)):
        assert sums[key] == exactly(values)
    assert all(type(value) is int for value in [*sums["depth"], *sums["mask"], *sums["bg"][0], sums["pixels"]])


@pytest.mark.parametrize("parts", [[[0], range(1, 11)], [range(5, 11), range(5)], [[n] for n in range(10, -1, -1)]])
def test_order_and_parts_do_not_matter(parts):
    assert added(*parts) == added(range(COMPOSITES))
    apart = [added(part) for part in parts]
    assert summarize(apart, SCALE) == summarize([added(range(COMPOSITES))], SCALE)
    # As they come back from a note.
    assert summarize(json.loads(json.dumps(apart)), SCALE) == summarize(apart, SCALE)


def test_adding_leaves_the_first_sums_as_they_were():
    first = added([0])
    before = json.dumps(first)
    summarize([first, added([1])], SCALE)
    add_batch(first, batch(np.array([1])), sum_backgrounds(PICTURES, CODES), False)
    assert json.dumps(first) == before


def test_summary_is_that_of_the_pictures():
    found = summarize([added(range(4)), added(range(4, COMPOSITES))], SCALE)
    for key, values in (("bg", PICTURES[OF_BACKGROUND]), ("fg_bg", FG_BG)):
        np.testing.assert_allclose(found[key]["mean"], (values / 255).mean((0, 1, 2)), rtol=1e-12)
        np.testing.assert_allclose(found[key]["std"], (values / 255).std((0, 1, 2)), rtol=1e-12)
        assert len(found[key]["mean"]) == 3
    for key, values in (("mask", MASK / 255), ("depth", DEPTH / SCALE)):
        assert found[key]["mean"] == pytest.approx(values.mean(), rel=1e-12)
        assert found[key]["std"] == pytest.approx(values.std(), rel=1e-12)


def test_a_flat_set_deviates_by_nothing():
    pixels = 3 * 10**10
    sums = {"bg": [[7 * pixels] * 3, [49 * pixels] * 3], "mask": [0, 0], "depth": [65535 * pixels, 65535**2 * pixels]}
    found = summarize([{"records": 9, "pixels": pixels, "fg_bg": sums["bg"], **sums}], SCALE)
    assert found["bg"] == {"mean": [7 / 255] * 3, "std": [0, 0, 0]}
    assert found["depth"] == {"mean": 65535 / 256, "std": 0}
    assert found["mask"] == {"mean": 0, "std": 0}


def test_one_pixel_in_many_is_seen():
    # All codes are 65535 but one, which is a metre less: the variance of metres is (n - 1) / n**2.
    pixels = 3 * 10**10
    depth = [65535 * pixels - 256, 65535**2 * (pixels - 1) + (65535 - 256) ** 2]
    found = summarize(
        [{"records": 9, "pixels": pixels, "bg": [0, 0], "fg_bg": [0, 0], "mask": [0, 0], "depth": depth}], SCALE
    )
    assert found["depth"]["std"] == pytest.approx(pixels**-0.5, rel=1e-9)
