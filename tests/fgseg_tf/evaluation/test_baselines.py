"""What a network has to beat, on pictures small enough to see the answer."""

import sys

import numpy as np
import pytest

from data_pipelines.config import DatasetConfig
from fgseg_tf.data.base import Order
from fgseg_tf.data.composite_data import CompositeData
from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.evaluation import baselines
from fgseg_tf.evaluation.baselines import Difference, Subtractor

pytestmark = pytest.mark.both_stacks

SIZE = (12, 16)


def scenes(count: int, change: float = 0.3, noise: float = 0.04) -> dict:
    """Noisy frames of random scenes, in which a block of 6 x 5 is lighter in one channel; its mask."""
    rng = np.random.default_rng(3)
    bg = rng.uniform(0.2, 0.6, (count, *SIZE, 3)).astype(np.float32)
    fg_bg = bg + rng.uniform(-noise, noise, bg.shape).astype(np.float32)
    mask = np.zeros((count, *SIZE, 1), np.float32)
    mask[:, 3:9, 4:9] = 1
    fg_bg[..., :1] += change * mask
    return {"bg": bg, "fg_bg": fg_bg.astype(np.float32), "mask": mask}


def test_difference_by_hand():
    bg = np.zeros((1, 2, 3, 3), np.float32)
    fg_bg = bg.copy()
    fg_bg[0, 0, 0, 2] = 0.3  # in one channel is enough
    fg_bg[0, 0, 1] = 0.2  # three times not enough is not enough
    fg_bg[0, 1, 2] = -0.4  # darker counts as lighter does
    answer = Difference(0.25)(bg, fg_bg)
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer[..., 0], [[[1, 0, 0], [0, 0, 1]]])


def test_a_median_removes_specks_and_fills_holes():
    mask = np.zeros((1, 7, 9, 1), np.float32)
    mask[0, 1, 1] = 1  # a speck
    mask[0, 2:6, 4:8] = 1
    mask[0, 3, 5] = 0  # a hole
    found = Difference(0.5, median=3)(np.zeros((1, 7, 9, 3), np.float32), np.repeat(mask, 3, -1))[0, ..., 0]
    # Of each corner of the block only 4 of 9 are set.
    wanted = np.zeros((7, 9))
    wanted[2:6, 4:8] = 1
    wanted[[2, 2, 5, 5], [4, 7, 4, 7]] = 0
    np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("kind", ["mog2", "knn"])
def test_opencv_finds_what_changed_and_nothing_else(kind):
    batch = scenes(5, noise=0)
    answer = Subtractor(kind, 100)(batch["bg"], batch["fg_bg"])
    assert answer.shape == batch["mask"].shape
    assert answer.dtype == np.float32
    np.testing.assert_array_equal(answer, batch["mask"])
    np.testing.assert_array_equal(Subtractor(kind, 100)(batch["bg"], batch["bg"]), 0 * answer)
    # Pictures of a batch do not see one another.
    noisy = scenes(5, change=0.08)
    alone = [Subtractor(kind, 50)(noisy["bg"][i : i + 1], noisy["fg_bg"][i : i + 1]) for i in range(5)]
    np.testing.assert_array_equal(Subtractor(kind, 50)(noisy["bg"], noisy["fg_bg"]), np.concatenate(alone))


@pytest.mark.parametrize("kind", ["mog2", "knn"])
def test_a_shadow_is_background_to_opencv(kind):
    bg = scenes(1)["bg"]
    assert not Subtractor(kind, 50)(bg, 0.7 * bg).any()
    assert Difference(0.05)(bg, 0.7 * bg).mean() > 0.9


def test_tuning_finds_the_threshold_between_noise_and_change():
    batch = scenes(8)
    tuned = baselines.tune_baselines(
        [{key: value[:5] for key, value in batch.items()}, {k: v[5:] for k, v in batch.items()}]
    )
    assert set(tuned) == {"difference", "mog2", "knn"}
    assert 0.04 < tuned["difference"].threshold < 0.26
    assert tuned["difference"].median == 1
    for name, baseline in tuned.items():
        answer = baseline(batch["bg"], batch["fg_bg"])
        assert (answer != batch["mask"]).mean() < 0.02, name


def test_tuning_takes_a_median_where_it_helps():
    batch = scenes(8, change=0.5)
    specks = np.random.default_rng(0).random(batch["mask"].shape) < 0.04
    batch["fg_bg"] = np.where(specks, 1 - batch["bg"], batch["fg_bg"]).astype(np.float32)
    assert baselines.tune_baselines([batch])["difference"].median == 3


def test_without_opencv_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)  # importing it fails
    with pytest.raises(ValueError, match=r"pip install '\.\[evaluation\]'"):
        baselines.import_opencv()


@pytest.fixture(scope="module")
def on_the_fly():
    recipe = DatasetConfig.from_dict(
        dict(backgrounds_count=3, foregrounds_count=3, height=48, width=64, holdout=0.34, labels="exact")
    )
    return CompositeData(recipe)


@pytest.mark.parametrize("source", ["shards", "on the fly"])
@pytest.mark.parametrize("size", [(48, 64), (33, 44)])
def test_the_empty_scene_has_the_depth_of_what_is_not_covered(tiny_dataset, on_the_fly, source, size):
    data = ShardData(tiny_dataset) if source == "shards" else on_the_fly
    (batch,) = data.scoring("train", 12, size, 12)
    mask = batch["mask"].numpy()
    depth, alone = batch["depth"].numpy(), batch["bg_depth"].numpy()
    assert alone.shape == depth.shape == (12, *size, 1)
    # Also in mirrored backgrounds, of which the shards have some. A mask of less than half a level is 0.
    assert (depth != alone)[mask == 0].mean() < 0.002
    assert (depth < alone)[mask > 0.9].mean() > 0.9
    assert "bg_depth" not in next(iter(data.training(2, size, Order())))
