"""From shards, or from composites made on the fly, to batches: nothing lost, nothing mixed up, nothing seen twice."""

import json
import shutil
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from edited_manifest import edit_manifest
from tiny_network import write_network

from data_pipelines.compositing import depth_labels
from data_pipelines.compositing.backgrounds import Backgrounds
from data_pipelines.config import DatasetConfig, PlacementConfig
from data_pipelines.sources.source_set import draw_sources
from data_pipelines.tfrecord.export import export_dataset
from fgseg_tf.data import data_echoing
from fgseg_tf.data.base import Data, Order
from fgseg_tf.data.composite_data import CompositeData
from fgseg_tf.data.exposures import Capture
from fgseg_tf.data.open import reopen_data
from fgseg_tf.data.shard_data import ShardData

pytestmark = pytest.mark.both_stacks

HEIGHT, WIDTH = 48, 64
RECIPE = DatasetConfig.from_dict(
    dict(
        backgrounds_count=3,
        foregrounds_count=3,
        height=HEIGHT,
        width=WIDTH,
        placements=2,
        max_objects=2,
        truncation=0.3,
        object_size=(0.2, 1.2),
        empty=0.2,
        flip_backgrounds=True,
        labels="exact",
        holdout=0.3,
        seed=5,
    )
)


@pytest.fixture(scope="module")
def shard_data(tiny_dataset) -> ShardData:
    return ShardData(tiny_dataset)


@pytest.fixture(scope="module")
def composite_data() -> CompositeData:
    return CompositeData(RECIPE)


@pytest.fixture(params=["shards", "composites"])
def data(request, shard_data, composite_data) -> Data:
    return shard_data if request.param == "shards" else composite_data


def taken(dataset: tf.data.Dataset, count: int | None = None) -> list[dict]:
    return list((dataset if count is None else dataset.take(count)).as_numpy_iterator())


def indices(batches: list[dict]) -> list[int]:
    return [int(index) for batch in batches for index in batch["index"]]


def assert_same(one: dict, other: dict):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_array_equal(one[key], other[key], err_msg=key)


def test_a_batch(data):
    batch = taken(data.training(2, (HEIGHT, WIDTH), Order()), 1)[0]
    shapes = {"index": (2,), "bg": (2, HEIGHT, WIDTH, 3), "fg_bg": (2, HEIGHT, WIDTH, 3)}
    shapes |= {"mask": (2, HEIGHT, WIDTH, 1), "depth": (2, HEIGHT, WIDTH, 1)}
    assert {key: value.shape for key, value in batch.items()} == shapes
    assert all(batch[key].dtype == np.float32 for key in shapes if key != "index")
    for key in ("bg", "fg_bg", "mask"):
        assert batch[key].min() >= 0, key
        assert 0.4 < batch[key].max() <= 1, key
    assert batch["depth"].min() > 0.3
    assert 2 < batch["depth"].max() < 200


def test_training_shapes_are_static(data):
    for value in data.training(2, (32, 43), Order()).element_spec.values():
        assert None not in value.shape.as_list()


def test_no_pipeline_waits_for_the_tuner_at_its_end(data):
    (split, *_) = data.test_splits
    for batches in (data.training(2, (24, 32), Order()), data.scoring(split, 2, (24, 32))):
        assert batches.options().autotune.enabled is False


def test_composites_made_on_the_fly_are_those_of_the_shards(composite_data, tmp_path):
    sources = draw_sources(
        RECIPE.seed, RECIPE.sources.backgrounds_count, RECIPE.sources.foregrounds_count, HEIGHT, WIDTH
    )
    placement = PlacementConfig(
        places=2, max_objects=2, truncation=0.3, object_size=(0.2, 1.2), empty=0.2, flip_backgrounds=True
    )
    options = DatasetConfig(
        height=HEIGHT, width=WIDTH, seed=5, placement=placement, labels="exact", holdout=0.3, jpeg_quality=100
    )
    export_dataset(sources, options, str(tmp_path), load_teacher=None, teacher_identity={})
    stored = ShardData(str(tmp_path))
    assert stored.counts == composite_data.counts
    for split in stored.counts:
        for one, other in zip(
            taken(stored.scoring(split, 4, (HEIGHT, WIDTH))),
            taken(composite_data.scoring(split, 4, (HEIGHT, WIDTH))),
            strict=True,
        ):
            for key in ("index", "mask", "depth", "bg_depth"):
                np.testing.assert_array_equal(one[key], other[key], err_msg=key)
            for key in ("bg", "fg_bg"):
                assert np.abs(one[key] - other[key]).mean() < 0.03, key  # JPEG halves the colours of small pictures


def test_one_pass_has_every_example_once_and_the_next_in_another_order(data):
    count = data.counts["train"]
    seen = indices(taken(data.training(1, (32, 43), Order(seed=3)), 2 * count))
    first, second = seen[:count], seen[count:]
    assert sorted(first) == sorted(second)
    assert len(set(first)) == count
    assert first != second
    assert first != sorted(first)
    assert indices(taken(data.training(1, (32, 43), Order(seed=4)), count)) != first


def test_started_anywhere_it_goes_on_as_if_it_had_never_stopped(data):
    count = data.counts["train"]
    assert count % 4 or count > 12
    batches = taken(data.training(4, (32, 43), Order(seed=3)), count // 4 + 3)
    for done in (1, count // 4 + 1):
        again = taken(data.training(4, (32, 43), Order(seed=3, first=4 * done)), 2)
        for one, other in zip(batches[done : done + 2], again, strict=True):
            assert_same(one, other)


@pytest.mark.parametrize("workers", [2, 3])  # the shards of the fixture are two: dealt out by files, and by examples
def test_workers_share_the_examples(data, workers):
    count = data.counts["train"]
    parts = [
        indices(taken(data.training(1, (32, 43), Order(seed=3, worker=worker, workers=workers)), -(-count // workers)))
        for worker in range(workers)
    ]
    together = [index for part in parts for index in part]
    assert len(set(together)) == count
    # A worker with fewer files begins its next pass a little sooner; nobody sees much twice.
    assert len(together) - count <= workers
    for one in range(workers):
        for other in range(one):
            assert len(set(parts[one]) & set(parts[other])) <= workers


def test_scoring_has_every_example_once_in_order(data):
    for split, count in data.counts.items():
        batches = taken(data.scoring(split, 3, (HEIGHT, WIDTH)))
        assert len(indices(batches)) == len(set(indices(batches))) == count
        assert len(batches[-1]["index"]) == (count - 1) % 3 + 1
        assert indices(batches) == indices(taken(data.scoring(split, 3, (HEIGHT, WIDTH))))
    assert len(indices(taken(data.scoring("train", 3, (HEIGHT, WIDTH), 5)))) == 5
    whole = indices(taken(data.scoring("train", 3, (HEIGHT, WIDTH))))
    assert indices(taken(data.scoring("train", 3, (HEIGHT, WIDTH), 4, first=2))) == whole[2:6]
    with pytest.raises(ValueError, match=r"no split 'tset' here; take train, .*unseen_both"):
        data.scoring("tset", 3, (HEIGHT, WIDTH))


def test_splits_share_no_example(data):
    everything = [index for split in data.counts for index in indices(taken(data.scoring(split, 8, (32, 43))))]
    assert len(everything) == len(set(everything)) == sum(data.counts.values())


def test_half_are_mirrored_and_all_of_an_example_together(data):
    count = data.counts["train"]
    straight = {
        int(batch["index"][0]): batch for batch in taken(data.training(1, (32, 43), Order(), mirror=False), count)
    }
    turned = 0
    for batch in taken(data.training(1, (32, 43), Order()), count):
        other = straight[int(batch["index"][0])]
        mirrored = {key: value[:, :, ::-1] if value.ndim == 4 else value for key, value in other.items()}
        is_mirrored = np.array_equal(batch["bg"], mirrored["bg"])
        assert_same(batch, mirrored if is_mirrored else other)
        turned += is_mirrored
    assert 0.2 * count < turned < 0.8 * count


class Told:
    """A change that says which seed it was given: as `index`, its two numbers in one."""

    def __init__(self):
        self.examples = []

    def __call__(self, example, seed):
        self.examples.append({key: (value.dtype, tuple(value.shape)) for key, value in example.items()})
        first, second = tf.unstack(tf.cast(seed, tf.int64))
        return {**example, "index": tf.bitwise.left_shift(first, 32) + second}


def seeds(batches: list[dict]) -> list[int]:
    assert all(abs(index) > 2**16 for index in indices(batches)), "these are numbers of composites"
    return indices(batches)


def test_a_change_is_given_the_example_as_it_is_stored_but_at_its_size(data):
    in_training, in_scoring = Told(), Told()
    data.training(2, (32, 43), Order(), change=in_training)
    data.scoring("unseen_both", 2, (32, 43), change=in_scoring)
    example = {"index": (tf.int64, ()), "pictures": (tf.uint8, (32, 43, 7)), "depth": (tf.uint16, (32, 43, 1))}
    assert in_training.examples == [example]
    assert in_scoring.examples == [{**example, "bg_depth": example["depth"]}]


def test_what_is_changed_is_what_comes(data):
    def darker(example, seed):
        pictures = example["pictures"]
        codes = tf.zeros_like(example["depth"])
        return {**example, "pictures": tf.concat([pictures[..., :3] // 2, pictures[..., 3:]], -1), "depth": codes}

    count = data.counts["train"]
    for plain, changed in (
        (
            data.training(4, (32, 43), Order(seed=3)),
            data.training(4, (32, 43), Order(seed=3), change=darker),
        ),
        (data.scoring("train", count, (32, 43)), data.scoring("train", count, (32, 43), change=darker)),
    ):
        assert changed.element_spec == plain.element_spec
        one, other = taken(plain, 1)[0], taken(changed, 1)[0]
        # The same examples, the same of them mirrored.
        levels = np.round(one["bg"] * 255).astype(np.int32)
        np.testing.assert_array_equal(np.round(other["bg"] * 255), levels // 2)
        assert not other["depth"].any()
        assert_same(*({k: v for k, v in batch.items() if k not in ("bg", "depth")} for batch in (one, other)))


@pytest.mark.parametrize("mirror", [True, False])
def test_every_example_of_a_training_has_a_seed_of_its_own(data, mirror):
    count = data.counts["train"]
    order = {"batch": 1, "size": (32, 43), "mirror": mirror, "change": Told()}
    seen = seeds(taken(data.training(order=Order(seed=3), **order), 2 * count))
    # In the next pass it is changed in another way.
    assert len(set(seen)) == 2 * count
    # Started later, it goes on as if it had never stopped.
    for first in (3, count + 2):
        assert seeds(taken(data.training(order=Order(seed=3, first=first), **order), 4)) == seen[first : first + 4]
    assert not set(seen) & set(seeds(taken(data.training(order=Order(seed=4), **order), count)))


def test_echoes_are_of_one_composite_changed_in_one_way_and_mirrored_anew(data, monkeypatch):
    monkeypatch.setattr(data_echoing, "WINDOW", 8)
    order = {"batch": 4, "size": (32, 43), "change": Told(), "echo": 3}
    batches = taken(data.training(order=Order(seed=3), **order), 12)
    seen = seeds(batches)
    assert len(set(seen[:24])) == len(set(seen[24:])) == 8
    assert len(set(seen)) == 16
    assert set(seen) == set(seeds(taken(data.training(4, (32, 43), Order(seed=3), change=Told()), 4)))
    for first in (4, 24, 28):
        assert_same(batches[first // 4], taken(data.training(order=Order(seed=3, first=first), **order), 1)[0])
    ways: dict[int, set[bytes]] = {}
    for batch in taken(data.training(4, (32, 43), Order(seed=3), echo=6), 12):
        for index, mask in zip(batch["index"], batch["mask"], strict=True):
            ways.setdefault(int(index), set()).add(mask.tobytes())
    assert {len(found) for found in ways.values()} <= {1, 2}
    assert sum(len(found) == 2 for found in ways.values()) > len(ways) / 2


def test_echoes_of_workers_share_the_examples(data, monkeypatch):
    monkeypatch.setattr(data_echoing, "WINDOW", 4)
    each = [
        indices(taken(data.training(4, (32, 43), Order(seed=3, worker=worker, workers=2), echo=2), 2))
        for worker in (0, 1)
    ]
    assert all(len(set(found)) == 4 for found in each)
    assert not set(each[0]) & set(each[1])


def test_seeds_are_of_places_and_not_of_batches(data):
    one, three = (taken(data.training(batch, (32, 43), Order(seed=3), change=Told()), 12 // batch) for batch in (1, 3))
    assert seeds(one) == seeds(three)


def test_workers_have_seeds_of_their_own(data):
    def of(worker: int, first: int, count: int) -> list[int]:
        order = Order(seed=3, first=first, worker=worker, workers=2)
        return seeds(taken(data.training(1, (32, 43), order, change=Told()), count))

    first, second = of(0, 0, 12), of(1, 0, 12)
    assert len({*first, *second}) == 24
    # 10 of the whole cluster are 5 of each.
    assert of(1, 10, 3) == second[5:8]


def test_when_scored_a_composite_is_changed_in_the_same_way_whenever_it_comes(data):
    everything = {}
    for split in ("train", "unseen_both"):
        plain = indices(taken(data.scoring(split, 5, (32, 43))))
        found = seeds(taken(data.scoring(split, 5, (32, 43), change=Told())))
        everything |= dict(zip(plain, found, strict=True))
        # In batches of other lengths, at another size, only the first of them.
        again = seeds(taken(data.scoring(split, 3, (HEIGHT, WIDTH), 4, Told())))
        assert again == found[: len(again)]
        assert len(again) == min(4, len(found))
    assert len(set(everything.values())) == data.counts["train"] + data.counts["unseen_both"]


def test_two_exposures_of_examples(composite_data):
    """`Capture.change` for a change: of static shape, and the same when training goes on."""
    order = {"batch": 2, "size": (32, 43), "change": Capture(0, 4, nobody=0.2, ghosts=0.2).change}
    stream = composite_data.training(order=Order(seed=3), **order)
    assert stream.element_spec == composite_data.training(2, (32, 43), Order()).element_spec
    batches = taken(stream, 3)
    assert_same(batches[2], taken(composite_data.training(order=Order(seed=3, first=4), **order), 1)[0])
    plain = taken(composite_data.training(2, (32, 43), Order(seed=3)), 3)
    assert indices(plain) == indices(batches)
    assert np.abs(batches[0]["bg"] - plain[0]["bg"]).mean() > 0.01
    (one,), (other,) = (
        taken(composite_data.scoring("unseen_both", batch, (32, 43), 2, order["change"]).unbatch().batch(2))
        for batch in (1, 2)
    )
    assert_same(one, other)


class ByHand(Data):
    """One example of 4 x 6, for arithmetic by hand."""

    def __init__(self):
        depths = {
            "depth_unit": "metre",
            "labels": "exact",
            "decode_depth": partial(depth_labels.decode_depth, depth_scale=2.0),
        }
        super().__init__(
            height=4,
            width=6,
            counts={"train": 1},
            digest="",
            description={},
            backgrounds=Backgrounds(
                tf.fill([1, 4, 6, 3], tf.constant(51, tf.uint8)),
                tf.constant(np.arange(24).reshape(1, 4, 6, 1), tf.uint16),
            ),
            **depths,
        )

    def example(self, size):
        whole = {
            "index": tf.constant(7, tf.int64),
            "bg_index": tf.constant(0, tf.int64),
            "bg_flipped": tf.constant(0, tf.int64),
            "fg_bg": tf.repeat(tf.reshape(tf.range(0, 240, 10, tf.int32), [4, 6, 1]), 3, axis=2),
            "mask": tf.constant(np.repeat([[0, 0, 255, 255, 255, 0]], 4, 0)[..., None], tf.uint8),
            "depth": tf.zeros([4, 6, 1], tf.uint16),
        }
        whole["fg_bg"] = tf.cast(whole["fg_bg"], tf.uint8)
        return self._to_floats(self._make_reader(size)({key: value[None] for key, value in whole.items()}))

    def name(self, index):
        return str(index)

    def explain_failure(self):
        raise NotImplementedError

    def _shuffled(self, split, order):
        raise NotImplementedError

    def _in_order(self, split):
        raise NotImplementedError


def test_smaller_by_hand():
    small = ByHand().example((2, 3))
    np.testing.assert_array_equal(small["index"], [7])
    np.testing.assert_allclose(small["bg"], np.full((1, 2, 3, 3), 0.2), rtol=1e-6)
    # Means of 2 x 2: pixels of row r and column c are 60 r + 10 c.
    np.testing.assert_allclose(small["fg_bg"][0, ..., 0] * 255, [[35, 55, 75], [155, 175, 195]], atol=1e-4)
    np.testing.assert_allclose(small["mask"][0, ..., 0], [[0, 1, 128 / 255]] * 2, atol=1e-6)
    # Two codes a metre; one of the four values, none between them.
    metres = np.asarray(small["depth"])[0, ..., 0]
    for row in range(2):
        for column in range(3):
            among = [(6 * (2 * row + down) + 2 * column + right) / 2 for down in (0, 1) for right in (0, 1)]
            assert metres[row, column] in among


def test_smaller_backgrounds_stand_behind_their_examples(data):
    """They are made smaller once for all examples, mirrored ones too; odd sizes, so that nothing is symmetric."""
    whole, small = (next(iter(data.scoring("train", 12, size))) for size in ((HEIGHT, WIDTH), (31, 45)))
    expected = tf.image.resize(whole["bg"], (31, 45), method="area")
    assert np.abs(small["bg"] - expected).max() < 0.51 / 255
    np.testing.assert_array_equal(small["depth"], tf.image.resize(whole["depth"], (31, 45), method="nearest"))


def test_own_size_is_left_alone():
    whole = ByHand().example((4, 6))
    np.testing.assert_array_equal(np.round(whole["fg_bg"][0, ..., 1] * 255), np.arange(0, 240, 10).reshape(4, 6))
    np.testing.assert_array_equal(whole["depth"][0, ..., 0], np.arange(24).reshape(4, 6) / 2)


def test_sizes_keep_the_shape(data):
    assert data.scaled_size(0) == (HEIGHT, WIDTH) == data.scaled_size(48)
    assert data.scaled_size(36) == (36, 48)
    with pytest.raises(ValueError, match=r"are 48x64, so a size of 64 would only blow them up; take 48 or less"):
        data.scaled_size(64)


def test_reopened_from_its_description(data):
    again = reopen_data(json.loads(json.dumps(data.description)))
    assert again.digest == data.digest
    assert again.counts == data.counts
    one, other = (taken(d.scoring("unseen_both", 4, (HEIGHT, WIDTH))) for d in (data, again))
    for a, b in zip(one, other, strict=True):
        assert_same(a, b)


def test_the_digest_follows_what_is_in_it(composite_data):
    # Of drawn pictures it is what it was when versions before took it.
    assert composite_data.earlier_digests == (composite_data.digest,)
    assert composite_data.has_digest(composite_data.digest)
    assert (
        CompositeData(DatasetConfig.from_dict({**RECIPE.to_dict(), "truncation": 0.2})).digest != composite_data.digest
    )


def test_background_depth_is_that_of_the_scene_without_anybody(data):
    batch = taken(data.scoring("train", 40, (HEIGHT, WIDTH)))[0]
    free = batch["mask"] == 0
    np.testing.assert_array_equal(batch["depth"][free], batch["bg_depth"][free])
    inside = batch["mask"] > 0.9
    assert (batch["depth"][inside] < batch["bg_depth"][inside]).mean() > 0.8


def copied(folder: str, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "data"))


def test_a_missing_or_short_shard_is_refused_at_once(tiny_dataset, tmp_path):
    folder = copied(tiny_dataset, tmp_path)
    shard = folder / "train-00001-of-00002.tfrecord"
    shard.write_bytes(shard.read_bytes()[:-3])
    with pytest.raises(ValueError, match=r"train-00001-of-00002.tfrecord has \d+ bytes, its manifest says \d+"):
        ShardData(str(folder))
    shard.unlink()
    with pytest.raises(ValueError, match=r"train-00001-of-00002.tfrecord is missing; copy it again"):
        ShardData(str(folder))


def test_other_units_and_schemas_are_refused(tiny_dataset, tmp_path):
    folder = copied(tiny_dataset, tmp_path)
    edit_manifest(folder, lambda manifest: manifest.update(depth_unit="relative"))
    with pytest.raises(ValueError, match=r"depth in the unit relative, this program works in metres"):
        ShardData(str(folder))
    edit_manifest(folder, lambda manifest: manifest.update(schema_version=99))
    with pytest.raises(ValueError, match=r"schema version 99; this program knows"):
        ShardData(str(folder))


def test_a_broken_record_is_named(tiny_dataset, tmp_path):
    folder = copied(tiny_dataset, tmp_path)
    shard = folder / "train-00001-of-00002.tfrecord"
    content = bytearray(shard.read_bytes())
    # Past the first record: 8 bytes of length, 4 of its sum, the record, 4 of its sum.
    first = 16 + int.from_bytes(content[:8], "little")
    content[first + 40] ^= 1
    shard.write_bytes(bytes(content))
    data = ShardData(str(folder))
    with pytest.raises(tf.errors.DataLossError):
        taken(data.training(4, (32, 43), Order()), 20)
    assert data.explain_failure().startswith(f"record 1 of {shard} is broken")
    assert ShardData(tiny_dataset).explain_failure().startswith("every record")


def test_labels_of_a_relative_teacher(tmp_path):
    pytest.importorskip("onnxruntime", reason="pip install '.[calibration]'")
    write_network(tmp_path / "ramp.onnx", True, (24, 48))
    own = {"labels": "ground", "teacher_weights": f"{tmp_path}/ramp.onnx", "teacher_camera_height": 2.0}
    low = CompositeData(DatasetConfig.from_dict({**RECIPE.to_dict(), **own}))
    high = CompositeData(DatasetConfig.from_dict({**RECIPE.to_dict(), **own, "teacher_camera_height": 3.0}))
    assert low.digest != high.digest
    # The map is 0.1 to 1 down every picture. From half as high up again, everything is half as far again.
    near, far = (
        np.concatenate([batch["bg_depth"] for batch in taken(data.scoring("train", 4, (HEIGHT, WIDTH)))])
        for data in (low, high)
    )
    np.testing.assert_allclose(
        near[:, 9] / near[:, -5], np.full_like(near[:, 9], near[0, 9, 0] / near[0, -5, 0]), rtol=0.02
    )
    assert near[0, 9, 0] > 2 * near[0, -5, 0]
    np.testing.assert_allclose(far / near, np.full_like(near, 1.5), rtol=0.01)
    assert reopen_data(json.loads(json.dumps(low.description))).digest == low.digest


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": "teacher"}, r"`labels`=teacher looks at every composite.*fgseg make-data"),
        ({"backgrounds": "somewhere"}, r"`backgrounds`=DIR and `foregrounds`=DIR go together"),
        ({"placement": "circle"}, r"`placement`=circle is not a layout"),
    ],
)
def test_recipes_that_cannot_be_made(changes, said):
    with pytest.raises(ValueError, match=said):
        CompositeData(DatasetConfig.from_dict({**RECIPE.to_dict(), **changes}))
