"""Metrics by hand on a few pixels, boundaries against a slow definition, and sums over batches and replicas."""

import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from repository import ROOT

from fgseg_tf.measures import metrics
from fgseg_tf.measures.metrics import SCORES, WeightedMeans, compute_scores

pytestmark = pytest.mark.both_stacks


def images(*rows_of_each):
    """[B, H, W, 1] of B nested lists."""
    return tf.constant(rows_of_each, tf.float32)[..., None]


def pair(metric):
    """(value, weight) as lists."""
    value, weight = metric
    assert (weight.shape, weight.dtype) == (value.shape, tf.float32)
    return value.numpy().tolist(), weight.numpy().tolist()


# Three examples: some right, some wrong; nobody, and nobody seen; nobody, and two pixels seen.
NOBODY = [[0, 0, 0.4], [0, 0, 0]]
MASK = images([[1, 0.5, 0.4], [0, 0, 1]], NOBODY, NOBODY)
SEEN = images([[0.9, 0.4, 0.5], [0.3, 0, 0.5]], [[0, 0, 0], [0, 0.4, 0]], [[0.5, 0, 0], [0, 0, 0.8]])


@pytest.mark.parametrize(
    ("name", "value", "weight"),
    [
        # Intersection 2, union 4; none; union 2.
        ("iou", [0.5, 1, 0], [1, 1, 1]),
        ("pooled_iou", [0.5, 0, 0], [4, 0, 2]),
        ("dice_score", [4 / 6, 1, 0], [1, 1, 1]),
        ("alpha_error", [(0.1 + 0.1 + 0.1 + 0.3 + 0 + 0.5) / 6, 0.8 / 6, 1.7 / 6], [1, 1, 1]),
        ("false_positive_rate", [0.5, 0, 2 / 6], [0, 1, 1]),
    ],
)
@pytest.mark.parametrize("dtype", [tf.float32, tf.float16])
def test_mask_metrics(name, value, weight, dtype):
    got = pair(getattr(metrics, name)(tf.cast(MASK, dtype), tf.cast(SEEN, dtype)))
    np.testing.assert_allclose(got, [value, weight], rtol=1e-3 if dtype == tf.float16 else 1e-5)


def test_intersection_and_union():
    np.testing.assert_array_equal(metrics.intersection_and_union(MASK, SEEN), [[2, 0, 0], [4, 0, 2]])


def spots(height, width, *places):
    mask = np.zeros((height, width), np.float32)
    for place in places:
        mask[place] = 1
    return mask.tolist()


def test_boundary_f_by_hand():
    # The boundary of one pixel is the square whose lower right corner it is. 4 x 5 pixels: near is 1.
    spot, all_of_it = spots(4, 5, (1, 1)), np.ones((4, 5)).tolist()
    targets = images(spot, spot, spot, spot, spots(4, 5), spots(4, 5), all_of_it, spots(4, 5, (1, 1), (3, 4)))
    predicted = images(
        spot,
        spots(4, 5, (1, 3)),  # columns 0, 1 and 2, 3: of either, one column of two is near the other
        spots(4, 5, (1, 4)),  # columns 3, 4
        spots(4, 5),
        spot,
        spots(4, 5),
        spots(4, 5),  # nor has a mask that fills the picture any boundary
        spot,  # of the target's 4 + 3 (in the corner nothing is right of it or below) the 4 are near, and all of these
    )
    value, weight = pair(metrics.boundary_f(targets, predicted))
    np.testing.assert_allclose(value, [1, 0.5, 0, 0, 0, 1, 1, 2 * 4 / 7 / (1 + 4 / 7)], rtol=1e-6)
    assert weight == [1] * 8


def slow_boundary(mask):
    height, width = mask.shape
    found = np.zeros(mask.shape, bool)
    for row, column in np.ndindex(height, width):
        for down, right in ((0, 1), (1, 0), (1, 1)):
            if row + down < height and column + right < width:
                found[row, column] |= mask[row, column] != mask[row + down, column + right]
    return found


def slow_boundary_f(target, predicted):
    """Of two bool [H, W], by distances between all pairs of boundary pixels."""
    ours, theirs = np.argwhere(slow_boundary(target)), np.argwhere(slow_boundary(predicted))
    if not len(ours) or not len(theirs):
        return float(len(ours) == len(theirs))
    near = np.linalg.norm(ours[:, None] - theirs[None], axis=-1) <= np.ceil(0.008 * np.hypot(*target.shape))
    recall, precision = near.any(1).mean(), near.any(0).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


@pytest.mark.parametrize(("height", "width"), [(9, 13), (40, 150), (260, 300)])
def test_boundary_f_is_the_slow_one(height, width):
    rng = np.random.default_rng(height)
    down, right = np.mgrid[0:height, 0:width]

    def blob(scale):
        row, column, size = rng.uniform(0.3, 0.7, 3) * (height, width, height * scale)
        return np.hypot(down - row, (right - column) * rng.uniform(0.5, 1)) < size

    targets = np.stack([blob(0.6), blob(0.5), blob(1.5), rng.random((height, width)) < 20 / height / width])
    shifted = np.roll(targets[0], 2, axis=1)
    predicted = np.stack([shifted, blob(0.5), blob(1.5), rng.random((height, width)) < 20 / height / width])
    expected = [slow_boundary_f(*each) for each in zip(targets, predicted, strict=True)]
    assert any(0.05 < value < 0.95 for value in expected)
    value, _ = metrics.boundary_f(*(tf.constant(m[..., None].astype(np.float32)) for m in (targets, predicted)))
    np.testing.assert_allclose(value, expected, rtol=1e-5)


DEPTH = images([[2, 4, 0], [1, 10, 5]], [[0, 0, 0], [0, 0, 0]])
ANSWER = images([[2.2, 3, 7], [1, 20, 5]], [[1, 2, 3], [4, 5, 6]])
REGION = images([[1, 0, 1], [0, 1, 0]], [[1, 1, 1], [1, 1, 1]])
LOG = np.log10


@pytest.mark.parametrize(
    ("name", "everywhere", "in_region", "pooled"),
    [
        # Off by 0.2 of 2, 1 of 4 and 10 of 10; the region has the first, the last, and one that is not known.
        ("abs_rel", 1.35 / 5, 1.1 / 2, False),
        ("rmse", np.sqrt(101.04 / 5), np.sqrt(100.04 / 2), False),
        ("squared_error", 101.04 / 5, 100.04 / 2, True),
        ("log10", (LOG(1.1) + LOG(4 / 3) + LOG(2)) / 5, (LOG(1.1) + LOG(2)) / 2, False),
        ("delta", 3 / 5, 1 / 2, False),
        ("label", 22 / 5, 12 / 2, True),
        ("label_square", 146 / 5, 104 / 2, True),
    ],
)
def test_depth_metrics(name, everywhere, in_region, pooled):
    metric = getattr(metrics, name)
    np.testing.assert_allclose(pair(metric(DEPTH, ANSWER)), [[everywhere, 0], [5 if pooled else 1, 0]], rtol=1e-5)
    for region in (REGION, tf.cast(REGION, tf.bool)):
        np.testing.assert_allclose(
            pair(metric(DEPTH, ANSWER, region)), [[in_region, 0], [2 if pooled else 1, 0]], rtol=1e-5
        )
    half = metric(tf.cast(DEPTH, tf.float16), tf.cast(ANSWER, tf.float16))
    np.testing.assert_allclose(half[0], [everywhere, 0], rtol=2e-3)


def test_delta_of_higher_powers():
    # Ratios 1.1, 1.33, 1, 2, 1 against 1.5625 and 1.953.
    assert pair(metrics.delta(DEPTH, ANSWER, power=2))[0] == pytest.approx([0.8, 0])
    assert pair(metrics.delta(DEPTH, ANSWER, power=3))[0] == pytest.approx([0.8, 0])
    assert pair(metrics.delta(images([[10, 1]]), images([[19.5, 1.95]]), power=3))[0] == [1]


def test_an_answer_of_nothing_has_a_finite_ratio():
    for metric in (metrics.log10, metrics.delta, metrics.abs_rel):
        assert np.all(np.isfinite(metric(images([[2.0, 3]]), images([[0, -1]]))[0]))


def test_ssim():
    # One row: only luminance, (2tp + 1e-4) / (tt + pp + 1e-4), of the two that are known.
    target, answer, known = (
        images(*rows) for rows in ([[[0.2, 0.3, 0]]] * 2, [[[0.6, 0.9, 1]]] * 2, [[[1, 0, 1]], [[0, 0, 0]]])
    )
    value, weight = pair(metrics.ssim(target, answer, known))
    np.testing.assert_allclose(value[0], (0.2401 / 0.4001 + 1e-4 / 1.0001) / 2, rtol=1e-4)
    assert weight == [1, 0]


def test_regions_by_hand():
    # A row whose last six columns are object: within five of the outline are five on either side.
    row = images([[0] * 7 + [0.5] * 6])
    found = {
        name: region.numpy()[0, 0, :, 0].astype(int).tolist() for name, region in metrics.split_regions(row).items()
    }
    assert found == {
        "object": [0] * 7 + [1] * 6,
        "ring": [0, 0] + [1] * 10 + [0],
        "scenery": [1] * 7 + [0] * 6,
    }
    # A pixel in the corner: a straight line of five, so (3, 4) but not (4, 4); itself, as the scenery is near it.
    corner = np.zeros((7, 8), np.float32)
    corner[0, 0] = 1
    ring = metrics.split_regions(images(corner.tolist()))["ring"].numpy()[0, ..., 0]
    assert (ring[3, 4], ring[4, 4], ring[5, 0], ring[6, 0], ring[0, 0]) == (True, False, True, False, True)
    # The edge of the picture is no outline.
    assert not np.any(metrics.split_regions(images(np.ones((3, 4)).tolist()))["ring"])


def batch(count, seed, height=9, width=12):
    """Targets and predictions that leave out no case: a frame with nobody, one with no known depth."""
    rng = np.random.default_rng(seed)
    metres = rng.uniform(1, 20, (2, count, height, width, 1)).astype(np.float32)
    metres[0][rng.random(metres[0].shape) < 0.2] = 0
    metres[0, 0] = 0
    masks = rng.random((2, count, height, width, 1), np.float32)
    masks[0, -1] = 0
    return tuple(
        {"mask": tf.constant(m), "depth": tf.constant(d), "depth_code": tf.constant(d / 20)}
        for m, d in zip(masks, metres, strict=True)
    )


def test_scores_of_an_exact_answer():
    targets, _ = batch(3, 0)
    found = tf.function(compute_scores)(targets, targets)
    assert set(found) == set(SCORES)
    assert len(set(SCORES)) == len(SCORES)
    for name, (value, weight) in found.items():
        assert value.shape == weight.shape == [3], name
        what = name.split("/")[1]
        if what in ("label", "label_square"):
            continue
        best = what not in ("alpha_error", "false_positive_rate", "abs_rel", "rmse", "log10", "squared_error")
        np.testing.assert_allclose(value[weight > 0], float(best), atol=1e-5, err_msg=name)
    # Nothing known in the first; nobody in the last.
    assert found["depth/rmse"][1].numpy().tolist() == [0, 1, 1]
    assert found["depth/ssim"][1].numpy().tolist() == [0, 1, 1]
    assert found["depth_object/rmse"][1].numpy().tolist() == [0, 1, 0]
    assert found["mask/false_positive_rate"][1].numpy().tolist() == [0, 0, 1]


def test_scores_are_those_of_the_functions():
    targets, predictions = batch(3, 1)
    found = compute_scores(targets, predictions)
    both = targets["depth"], predictions["depth"]
    ring = metrics.split_regions(targets["mask"])["ring"]
    for name, (value, weight) in {
        "mask/dice": metrics.dice_score(targets["mask"], predictions["mask"]),
        "depth/delta2": metrics.delta(*both, power=2),
        "depth_ring/delta3": metrics.delta(*both, ring, power=3),
        "depth_ring/abs_rel": metrics.abs_rel(*both, ring),
        "depth/ssim": metrics.ssim(targets["depth_code"], predictions["depth_code"], targets["depth"] > 0),
    }.items():
        np.testing.assert_allclose(found[name], [value, weight], rtol=1e-6)


def test_scores_of_masks_alone():
    targets, predictions = batch(2, 0)
    assert set(compute_scores(targets, {"mask": predictions["mask"]})) == {n for n in SCORES if n.startswith("mask/")}
    assert "depth/ssim" not in compute_scores(targets, {name: predictions[name] for name in ("mask", "depth")})


def test_one_graph_for_any_size():
    spec = {name: tf.TensorSpec([None, None, None, 1]) for name in ("mask", "depth", "depth_code")}
    graph = tf.function(compute_scores, input_signature=[spec, spec])
    for size in ((9, 12), (14, 5)):
        targets, predictions = batch(2, 3, *size)
        expected = compute_scores(targets, predictions)
        for name, got in graph(targets, predictions).items():
            for one, other in zip(got, expected[name], strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5, err_msg=name)


def test_table_pools_all_pixels_of_all_batches():
    table = WeightedMeans()
    batches = [batch(3, seed) for seed in (5, 6)] + [batch(2, 7)]
    update = tf.function(lambda targets, predictions: table.update(compute_scores(targets, predictions)))
    for targets, predictions in batches:
        update(targets, predictions)
    result = table.result()

    def everything(name):
        sides = zip(*batches, strict=True)
        return (np.concatenate([np.asarray(each[name], np.float64) for each in side]) for side in sides)

    (true_mask, mask), (metres, answer) = everything("mask"), everything("depth")
    foreground, seen, known = true_mask >= 0.5, mask >= 0.5, metres > 0
    assert result["mask/pooled_iou"] == pytest.approx((foreground & seen).sum() / (foreground | seen).sum(), rel=1e-6)
    each = [(f & s).sum() / (f | s).sum() for f, s in zip(foreground, seen, strict=True)]
    assert result["mask/iou"] == pytest.approx(np.mean(each), rel=1e-6)
    places = {"depth": known, "depth_object": known & foreground, "depth_scenery": known & ~foreground}
    for place, pixels in places.items():
        error = np.sqrt(np.mean((metres - answer)[pixels] ** 2))
        assert result[f"{place}/pooled_rmse"] == pytest.approx(error, rel=1e-6)
        assert result[f"{place}/pooled_rmse_over_std"] == pytest.approx(error / metres[pixels].std(), rel=1e-6)
        rmse = [np.sqrt(np.mean((m - a)[p] ** 2)) for m, a, p in zip(metres, answer, pixels, strict=True) if p.any()]
        assert result[f"{place}/rmse"] == pytest.approx(np.mean(rmse), rel=1e-6)
    assert not [name for name in result if name.endswith(("label", "label_square", "squared_error"))]


def test_labels_far_away_and_nearly_the_same():
    wall = images([[80, 80.01, 80], [80.01, 80, 80.01]])
    table = WeightedMeans()
    table.update(compute_scores({"mask": MASK[:1], "depth": wall}, {"mask": SEEN[:1], "depth": wall + 0.5}))
    assert table.result()["depth/pooled_rmse_over_std"] == pytest.approx(0.5 / 0.005, rel=1e-2)
    table.reset()
    # One distance everywhere: float32 means of it differ in their last digit.
    for height, width in ((2, 3), (31, 37), (50, 70)):
        flat, zero = tf.fill([1, height, width, 1], 80.1), tf.zeros([1, height, width, 1])
        table.update(compute_scores({"mask": zero, "depth": flat}, {"mask": zero, "depth": flat + 0.5}))
    assert table.result()["depth/pooled_rmse"] == pytest.approx(0.5, rel=1e-4)
    assert table.result()["depth/pooled_rmse_over_std"] is None


def test_table_by_hand():
    table = WeightedMeans(("a", "b", "c"))
    assert table.result() == {"a": None, "b": None, "c": None}
    table.update({"a": (tf.constant([1.0, 5.0]), tf.constant([1.0, 3.0])), "b": (tf.zeros(2), tf.zeros(2))})
    table.update({"a": (tf.constant([2.0, np.nan]), tf.constant([4.0, 0.0])), "c": (tf.constant([np.nan]), tf.ones(1))})
    result = table.result()
    # (1 + 15 + 8) / 8; nothing; what is not a number stays so, but where it has no weight.
    assert (result["a"], result["b"]) == (3, None)
    assert np.isnan(result["c"])
    table.reset()
    assert table.result() == {"a": None, "b": None, "c": None}


def test_table_goes_on_counting():
    table = WeightedMeans(("a",))
    table.update({"a": (tf.ones(1), tf.constant([2.0**24]))})
    for _ in range(3):
        table.update({"a": (tf.zeros(1), tf.ones(1))})
    # In float32 the three are lost.
    assert table.result()["a"] == pytest.approx(2**24 / (2**24 + 3), rel=1e-12)


def test_table_refuses_other_names():
    with pytest.raises(ValueError, match="no such name in this table: mask/iuo; it has mask/iou"):
        WeightedMeans(("mask/iou",)).update({"mask/iuo": (tf.ones(1), tf.ones(1))})


REPLICAS = """
import tensorflow as tf
from fgseg_tf.measures.metrics import WeightedMeans
cpus = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpus[0], [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    table = WeightedMeans(("a", "b"))
values = strategy.experimental_distribute_values_from_function(
    lambda context: tf.constant([1.0, 2.0]) + 2.0 * context.replica_id_in_sync_group
)

@tf.function
def step():
    strategy.run(lambda value: table.update({"a": (value, value)}), args=(values,))

for _ in range(2):
    table.reset()
    step()
    step()
    print(table.result())
"""


def test_replicas_add_up():
    # 1, 2 on one and 3, 4 on the other: (1 + 4 + 9 + 16) / 10, however often.
    run = subprocess.run([sys.executable, "-c", REPLICAS], capture_output=True, text=True, cwd=ROOT, check=False)
    assert run.stdout.splitlines()[-2:] == ["{'a': 3.0, 'b': None}"] * 2, run.stderr[-3000:]
