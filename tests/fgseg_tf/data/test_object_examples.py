"""Examples for the depth of objects: parts of pictures, and what is known of a background."""

import numpy as np
import pytest
import tensorflow as tf

from fgseg_tf.data import object_examples
from fgseg_tf.data.object_examples import choose_view, fill_with_farthest, keep_objects, vary_knowledge

pytestmark = pytest.mark.both_stacks


def test_a_view_is_a_part_of_every_picture_at_half_the_size():
    height, width = 24, 40
    rows, columns = np.mgrid[:height, :width]
    places = (rows * 100 + columns + 1).astype(np.uint16)[..., None]
    pictures = np.repeat((rows * 4).astype(np.uint8)[..., None], 7, -1)
    example = {"index": tf.constant(5), "pictures": pictures, "depth": places, "bg_depth": places}
    wholes = 0
    for seed in range(40):
        view = choose_view({key: tf.constant(value) for key, value in example.items()}, tf.constant([seed, 1]))
        assert view["pictures"].shape == (12, 20, 7)
        assert view["pictures"].dtype == tf.uint8
        np.testing.assert_array_equal(view["depth"], view["bg_depth"])
        row, column = np.divmod(view["depth"].numpy()[..., 0] - 1, 100)
        # Rows and columns go on evenly, from a corner that is inside.
        assert (row == row[:, :1]).all()
        assert (column == column[:1]).all()
        steps = np.diff(row[:, 0])
        assert steps.min() >= 1
        assert steps.max() <= 2
        # The picture shows what is there: each of its pixels is a mean around the one that depth is of.
        assert np.abs(view["pictures"].numpy()[..., 0] / 4 - row).max() <= 1
        wholes += steps.min() == 2
    assert 10 < wholes < 30


def test_depth_is_learned_on_objects_alone():
    depth = np.array([[4, 3, 0, 9]], np.float32)[None, ..., None]
    batch = {
        "depth": depth,
        "bg_depth": np.array([[4, 5, 6, 7]], np.float32)[None, ..., None],
        "mask": np.array([[0.4, 0.5, 1, 1]], np.float32)[None, ..., None],
    }
    # Background; nearer than it; unknown; a surface behind what hides it counts as the background.
    np.testing.assert_array_equal(keep_objects(batch)["depth"][0, 0, :, 0], [0, 3, 0, 7])


def test_holes_take_the_farthest_around_them():
    values = np.array([[1, 2, 0, 0, 9], [3, 4, 0, 0, 5], [1, 1, 1, 1, 0]], np.float32)[None, ..., None]
    known = (values > 0).astype(np.float32)
    filled = fill_with_farthest(tf.constant(values), tf.constant(known)).numpy()[0, ..., 0]
    # Both holes are whole pixels of the halved picture, which is so small that the farthest of all stands in.
    np.testing.assert_array_equal(filled, [[1, 2, 9, 9, 9], [3, 4, 9, 9, 5], [1, 1, 1, 1, 9]])


def test_holes_do_not_take_what_is_far_from_them():
    values, known = np.full((1, 16, 24, 1), 9, np.float32), np.ones((1, 16, 24, 1), np.float32)
    values[:, :8, :8] = 3
    known[:, 2, 2] = known[:, 4:6, 4:6] = 0
    filled = fill_with_farthest(tf.constant(values), tf.constant(known)).numpy()
    np.testing.assert_array_equal(filled, values)


def make_batch(count: int) -> dict[str, tf.Tensor]:
    rng = np.random.default_rng(0)
    mask = np.zeros((count, 24, 40, 1), np.float32)
    mask[:, 6:20, 10:25] = 1
    behind = np.broadcast_to(np.linspace(9, 3, 24, dtype=np.float32)[None, :, None, None], mask.shape)
    pictures = {name: rng.random((count, 24, 40, 3), np.float32) for name in ("bg", "fg_bg")}
    depth = np.where(mask > 0, np.float32(2.5), behind)
    return {
        key: tf.constant(value) for key, value in {**pictures, "mask": mask, "bg_depth": behind, "depth": depth}.items()
    }


def test_knowledge_varies_by_the_seed_alone():
    batch = make_batch(64)
    once, again, other = (vary_knowledge(batch, tf.constant([seed, 3])) for seed in (1, 1, 2))
    for key in ("bg", "fg_bg", "mask", "depth", "bg_depth"):
        np.testing.assert_array_equal(once[key], again[key])
    assert not np.array_equal(once["bg_depth"], other["bg_depth"])


def test_what_varies():
    batch = make_batch(256)
    varied = {key: value.numpy() for key, value in vary_knowledge(batch, tf.constant([4, 3])).items()}
    inside = batch["mask"].numpy() > 0
    assert (varied["depth"][~inside] == 0).all()
    scales = varied["depth"].max(axis=(1, 2, 3)) / 2.5
    least, greatest = np.exp(object_examples.SCALES)
    assert least < scales.min() < 0.3
    assert 1.2 < scales.max() < greatest
    assert 0.4 < (scales == 1).mean() < 0.6
    # The background's depth is scaled with it, and about right.
    ratio = varied["bg_depth"] / batch["bg_depth"].numpy() / scales[:, None, None, None]
    assert 0.97 < np.median(ratio) < 1.03
    inner = np.s_[:, 4:-4, 4:-4]  # within any border
    unseen = (varied["bg"][inner] == 0.5).all(axis=(1, 2, 3))
    assert 0.25 < unseen.mean() < 0.55
    np.testing.assert_array_equal((varied["fg_bg"][inner] == 0.5).all(axis=(1, 2, 3)), unseen)
    untouched = (varied["mask"] == batch["mask"].numpy()).all(axis=(1, 2, 3))
    assert 0.35 < untouched.mean() < 0.65
    # In some, the lowest row shows nothing, in black or white.
    for level in (0, 1):
        assert 0.05 < (varied["bg"][:, -1] == level).all(axis=(1, 2)).mean() < 0.25
    assert np.isfinite(varied["bg_depth"]).all()
