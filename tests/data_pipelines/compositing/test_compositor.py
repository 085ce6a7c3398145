"""The compositor: what it makes of a number does not depend on how it is asked."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from tiny_data import HEIGHT, LIVELY, WIDTH

from data_pipelines.compositing.compositor import build_compositor, label_backgrounds
from data_pipelines.config import DatasetConfig

CONFIG = DatasetConfig(height=HEIGHT, width=WIDTH, labels="exact", holdout=0.0, placement=LIVELY)


@pytest.fixture(scope="module")
def compositor(tiny_sources):
    return build_compositor(tiny_sources, label_backgrounds(tiny_sources, CONFIG, None, 1), CONFIG)


def test_the_plan_of_one_composite_is_its_row_of_the_plan_of_many(compositor):
    split = compositor.splits[0]
    many = compositor.plan(split, tf.constant([5, 2], tf.int64))
    assert many["index"].numpy().tolist() == [5, 2]
    one = compositor.plan_one(split, 2)
    assert one.keys() == many.keys()
    for key, value in one.items():
        np.testing.assert_array_equal(value, many[key][1])


def test_a_run_is_planned_in_the_order_of_the_split(compositor):
    split = compositor.splits[0]
    numbers = split.indices(tf.range(3, 8, dtype=tf.int64), compositor.grid, CONFIG.seed).numpy().tolist()
    run = list(compositor.plan_run(split, 3, 5))
    assert [int(plan["index"]) for plan in run] == numbers
    positions = tf.data.Dataset.from_tensor_slices(np.array([6, 3], np.int64))
    assert [int(plan["index"]) for plan in compositor.plan_positions(split, positions)] == [numbers[3], numbers[0]]


def test_an_example_is_the_composite_with_its_background(compositor):
    split = compositor.splits[0]
    for index in range(6):
        plan = compositor.plan_one(split, index)
        composite, layer = compositor.compose(plan), compositor.compose_layer(plan)
        example = {key: value.numpy() for key, value in compositor.compose_example(plan).items()}
        assert example["index"] == index
        top, left, bottom, right = composite["box"].numpy()
        np.testing.assert_array_equal(example["mask"][top:bottom, left:right], composite["mask"])
        assert example["mask"].sum(dtype=int) == composite["mask"].numpy().sum(dtype=int)
        mirror = slice(None, None, -1) if plan["background_flipped"] else slice(None)
        bg = compositor.pictures[int(plan["background"])][:, mirror]
        np.testing.assert_array_equal(example["bg"], bg)
        nobody = example["mask"][..., 0] == 0
        np.testing.assert_array_equal(example["fg_bg"][nobody], bg[nobody])
        own = layer["depth"].numpy() > 0
        np.testing.assert_array_equal(example["depth"], np.where(own, layer["depth"], example["bg_depth"]))
        assert (example["depth"] > 0).all()


def test_sources_that_do_not_know_their_depth_cannot_be_exact(tiny_sources):
    with pytest.raises(ValueError, match="`labels`=exact needs sources that know their depth"):
        label_backgrounds(replace(tiny_sources, true_depth=None), CONFIG, None, 1)
    holes = np.array(tiny_sources.true_depth)
    holes[0, 0, 0] = 0
    with pytest.raises(ValueError, match="unknown in places"):
        label_backgrounds(replace(tiny_sources, true_depth=holes), CONFIG, None, 1)
