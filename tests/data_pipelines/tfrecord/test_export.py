"""The same data set whatever the number of shards, threads, restarts: on bytes."""

import dataclasses
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from repository import ROOT

from data_pipelines.compositing import depth_labels
from data_pipelines.compositing.compositor import build_compositor
from data_pipelines.compositing.splits import Grid
from data_pipelines.config import DatasetConfig, PlacementConfig
from data_pipelines.runtime.errors import REFUSALS, describe_error
from data_pipelines.runtime.files import name_part, write_json
from data_pipelines.runtime.locks import LockedError, lock_folder
from data_pipelines.tfrecord import resume, schema, shards
from data_pipelines.tfrecord.export import encode_composites, export_dataset
from data_pipelines.tfrecord.manifest import MANIFEST_FILE, DatasetError

LIVELY = PlacementConfig(layout="ground", places=2, max_objects=3, truncation=0.3, object_size=(0.2, 1.2), empty=0.2)


def config_for(sources, **changes) -> DatasetConfig:
    _, height, width, _ = sources.backgrounds.shape
    return DatasetConfig(
        **{"height": height, "width": width, "labels": "exact", "placement": LIVELY, "holdout": 0.3, **changes}
    )


def export(sources, options, folder, **how):
    how = {"load_teacher": None, "teacher_identity": {}, **how}
    return export_dataset(sources, options, str(folder), **how)


def records_of(folder) -> dict[str, list[bytes]]:
    """Split -> its records in order, however they were dealt out to shards."""
    answer: dict[str, list[bytes]] = {}
    for path in sorted(Path(folder).glob("*.tfrecord")):
        split = path.name.split("-")[0]
        answer.setdefault(split, []).extend(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    return answer


def files_of(folder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in Path(folder).iterdir() if path.is_file()}


def stop_at(folder, shard: str, sources, options, **how) -> Exception:
    """Begins an export whose disk is full when it comes to `shard`; what it raised."""
    identity = resume.make_options(sources, options, how.get("teacher_identity", {}), how.get("shard_count", 0), 0)
    write_json(f"{folder}/{shards.PROGRESS}/{resume.OPTIONS_FILE}", identity)

    def name_full_disk(path: str) -> str:
        part = Path(name_part(path))
        if Path(path).name == shard:
            part.symlink_to("/dev/full")  # every write to this device fails as on a disk without room
        return str(part)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "name_part", name_full_disk)
        with pytest.raises(REFUSALS) as stopped:
            export(sources, options, folder, **how)
    assert not list(folder.rglob("*.part"))
    assert not (folder / MANIFEST_FILE).exists()
    return stopped.value


@pytest.fixture(scope="module")
def finished(tiny_sources, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished")
    manifest = export(tiny_sources, config_for(tiny_sources), folder)
    return SimpleNamespace(folder=folder, manifest=manifest, records=records_of(folder))


@pytest.mark.both_stacks
def test_every_composite_is_made_once_and_says_which_it_is(tiny_sources, finished):
    grid = Grid(len(tiny_sources.backgrounds), len(tiny_sources.foregrounds), LIVELY.places)
    names = []
    for split, serialized in finished.records.items():
        if split == "backgrounds":
            continue
        for record in serialized:
            parsed = schema.parse(record, schema.COMPOSITE)
            names.append(parsed["name"].numpy().decode())
            assert grid.parse_name(names[-1]) == int(parsed["index"])
            if len(parsed["fg_index"]):
                assert grid.decode(int(parsed["index"]))[1] in parsed["fg_index"].numpy()
    assert len(names) == len(set(names)) == grid.size == finished.manifest["records"]


@pytest.mark.parametrize("shard_count", [1, 3, 7])
def test_records_do_not_depend_on_the_number_of_shards(tiny_sources, finished, tmp_path, shard_count):
    export(tiny_sources, config_for(tiny_sources), tmp_path, shard_count=shard_count)
    assert len(list(tmp_path.glob("train-*"))) == shard_count
    assert records_of(tmp_path) == finished.records


@pytest.mark.parametrize("threads", [1, 5])
def test_files_do_not_depend_on_the_number_of_threads(tiny_sources, finished, tmp_path, threads):
    export(tiny_sources, config_for(tiny_sources), tmp_path, threads=threads)
    assert files_of(tmp_path) == files_of(finished.folder)


def test_another_seed_is_another_data_set(tiny_sources, finished, tmp_path):
    export(tiny_sources, config_for(tiny_sources, seed=1), tmp_path)
    assert records_of(tmp_path)["train"] != finished.records["train"]


@pytest.mark.both_stacks
def test_any_record_can_be_made_again_alone(tiny_sources, finished):
    codes = depth_labels.encode_depth(tiny_sources.true_depth).numpy()
    compositor = build_compositor(tiny_sources, codes, config_for(tiny_sources))
    split = compositor.splits[0]
    position = split.count - 2
    plans = compositor.plan_run(split, position, 1)
    alone = next(iter(encode_composites(compositor, plans, None, 1).as_numpy_iterator()))
    parsed = schema.parse(finished.records["train"][position], schema.COMPOSITE)
    assert int(parsed["index"]) == alone["index"]
    for key in ("fg_bg", "mask", "depth"):
        assert parsed[key].numpy() == alone[key]


def test_a_limit_gives_the_first_records_of_each_split(tiny_sources, finished, tmp_path):
    manifest = export(tiny_sources, config_for(tiny_sources, limit=24), tmp_path)
    assert manifest["records"] == 24
    for split, some in records_of(tmp_path).items():
        assert some == finished.records[split][: len(some)]


def test_a_finished_data_set_is_left_alone(tiny_sources, finished):
    before = {path: path.stat().st_mtime_ns for path in finished.folder.iterdir()}
    assert export(tiny_sources, config_for(tiny_sources), finished.folder) == finished.manifest
    assert {path: path.stat().st_mtime_ns for path in finished.folder.iterdir()} == before


def test_killed_between_the_manifest_and_the_end_it_is_tidied_up(tiny_sources, tmp_path):
    export(tiny_sources, config_for(tiny_sources, limit=12), tmp_path)
    write_json(str(tmp_path / shards.PROGRESS / resume.OPTIONS_FILE), {})
    export(tiny_sources, config_for(tiny_sources, limit=12), tmp_path)
    assert not (tmp_path / shards.PROGRESS).exists()


def test_other_options_are_refused_by_name(tiny_sources, finished):
    with pytest.raises(
        DatasetError, match=r"`seed` was 0 and is now 5; start it as before, or choose another `output`"
    ):
        export(tiny_sources, config_for(tiny_sources, seed=5), finished.folder)


def test_another_picture_is_refused_by_name(tiny_sources, finished):
    origins = list(tiny_sources.background_origins)
    origins[1] = dataclasses.replace(origins[1], digest="0" * 64)
    changed = dataclasses.replace(tiny_sources, background_origins=tuple(origins))
    with pytest.raises(DatasetError, match=f"of the backgrounds, {origins[1].source} is now"):
        export(changed, config_for(tiny_sources), finished.folder)


def test_a_folder_of_something_else_is_refused(tiny_sources, tmp_path):
    (tmp_path / "train-00000-of-00001.tfrecord").write_bytes(b"of somebody else")
    with pytest.raises(DatasetError, match=r"holds train-00000-of-00001.tfrecord, which this program cannot place"):
        export(tiny_sources, config_for(tiny_sources), tmp_path)
    assert (tmp_path / "train-00000-of-00001.tfrecord").read_bytes() == b"of somebody else"


def test_a_full_disk_is_said_and_what_is_finished_stays(tiny_sources, finished, tmp_path):
    error = stop_at(tmp_path, "unseen_bg-00000-of-00001.tfrecord", tiny_sources, config_for(tiny_sources))
    assert "the disk is full" in describe_error(error)
    assert "start again with the same flags" in describe_error(error)
    before = (tmp_path / "train-00000-of-00001.tfrecord").stat().st_mtime_ns
    export(tiny_sources, config_for(tiny_sources), tmp_path)
    assert (tmp_path / "train-00000-of-00001.tfrecord").stat().st_mtime_ns == before
    assert files_of(tmp_path) == files_of(finished.folder)


def test_statistics_are_those_of_the_pictures(tiny_sources, finished):
    """Mask and depth are lossless: the manifest says what the files do, to the last digit of a float."""
    _, height, width, _ = tiny_sources.backgrounds.shape
    _, pictures, depths = schema.read_backgrounds(str(finished.folder / shards.BACKGROUNDS), height, width)
    decoded = [
        schema.decode_composite(schema.parse(record, schema.COMPOSITE), tf.constant(pictures), tf.constant(depths))
        for record in finished.records["train"]
    ]
    said = finished.manifest["splits"]["train"]["statistics"]
    mask = np.stack([element["mask"] for element in decoded]) / 255
    metres = np.stack([element["depth"] for element in decoded]) / finished.manifest["depth_scale"]
    assert said["mask"]["mean"] == pytest.approx(mask.mean(), rel=1e-12)
    assert said["mask"]["std"] == pytest.approx(mask.std(), rel=1e-9)
    assert said["depth"]["mean"] == pytest.approx(metres.mean(), rel=1e-12)
    assert said["depth"]["std"] == pytest.approx(metres.std(), rel=1e-9)
    frames = np.stack([element["fg_bg"] for element in decoded]) / 255
    np.testing.assert_allclose(said["fg_bg"]["mean"], frames.mean((0, 1, 2)), atol=0.01)  # JPEG


@pytest.fixture(scope="module")
def small_teacher():
    """A real network, of random weights, whose answer depends on a neighbourhood."""
    keras.utils.set_random_seed(3)
    picture = keras.Input((32, 64, 3))
    x = keras.layers.Conv2D(8, 5, strides=2, padding="same", activation="relu")(picture)
    x = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x)
    return SimpleNamespace(network=keras.Model(picture, 1 + 9 * x), input_size=(32, 64), max_depth=10.0)


@pytest.mark.parametrize("layout", ["random", "ground"])
def test_teacher_labels_do_not_depend_on_shards_or_restarts(tiny_sources, small_teacher, tmp_path, layout):
    placement = dataclasses.replace(LIVELY, layout=layout)
    options = config_for(tiny_sources, labels="teacher", placement=placement, limit=23)
    how = {"load_teacher": lambda: small_teacher, "teacher_identity": {"weights": "test"}, "teacher_batch": 4}
    export(tiny_sources, options, tmp_path / "one", shard_count=1, **how)
    stop_at(tmp_path / "many", "train-00003-of-00005.tfrecord", tiny_sources, options, shard_count=5, **how)
    before = (tmp_path / "many" / "train-00002-of-00005.tfrecord").stat().st_mtime_ns
    export(tiny_sources, options, tmp_path / "many", shard_count=5, **how)
    assert (tmp_path / "many" / "train-00002-of-00005.tfrecord").stat().st_mtime_ns == before
    assert records_of(tmp_path / "many") == records_of(tmp_path / "one")


@pytest.mark.both_stacks
def test_teacher_labels_are_what_the_teacher_sees_in_the_composite(tiny_sources, small_teacher, tmp_path):
    options = config_for(tiny_sources, labels="teacher", placement=PlacementConfig(layout="random", places=1), limit=8)
    export(tiny_sources, options, tmp_path, load_teacher=lambda: small_teacher, teacher_identity={})
    compositor = build_compositor(tiny_sources, np.ones(tiny_sources.backgrounds.shape[:3], np.uint16), options)
    made = next(iter(compositor.plan_run(compositor.splits[0], 0, 1).map(compositor.compose)))
    wanted = depth_labels.encode_depth(depth_labels.predict_depth(small_teacher, made["fg_bg"][None]))[0]
    parsed = schema.parse(records_of(tmp_path)["train"][0], schema.COMPOSITE)
    stored = tf.io.decode_png(parsed["depth"], dtype=tf.uint16)[..., 0]
    np.testing.assert_allclose(stored.numpy().astype(int), wanted.numpy().astype(int), atol=1)


def test_disagreement_of_labels_is_in_the_manifest(tiny_sources, small_teacher, tmp_path):
    manifest = export(
        tiny_sources,
        config_for(tiny_sources, limit=12),
        tmp_path,
        load_teacher=lambda: small_teacher,
        teacher_identity={},
        compare_labels=5,
    )
    assert manifest["label_disagreement"]["composites"] == 5
    assert manifest["label_disagreement"]["abs_rel"] > 0
    assert 0 <= manifest["label_disagreement"]["delta_1.25"] <= 1
    # Only compared: the records hold the labels that were asked for.
    plain = tmp_path / "plain"
    export(tiny_sources, config_for(tiny_sources, limit=12), plain, load_teacher=None, teacher_identity={})
    for path in plain.glob("*.tfrecord"):
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


def test_a_teacher_that_knows_the_scenery_agrees_with_the_labels(tiny_sources, tmp_path):
    """In mirrored backgrounds too, with nobody in them."""
    flat = np.broadcast_to(np.linspace(2, 8, tiny_sources.backgrounds.shape[2], dtype=np.float32), (5, 48, 64))
    sources = dataclasses.replace(
        tiny_sources, true_depth=flat, backgrounds=np.repeat(flat[..., None] * 30, 3, -1).astype(np.uint8)
    )
    picture = keras.Input((48, 64, 3))
    # Brightness says the depth: max_depth / metres, for metres = 255 brightness / 30.
    network = keras.Model(picture, 1 / keras.layers.Lambda(lambda x: x[..., :1] * 8.5 / 10 + 1e-3)(picture))
    teacher = SimpleNamespace(network=network, input_size=(48, 64), max_depth=10.0)
    placement = dataclasses.replace(LIVELY, layout="random", empty=1.0, flip_backgrounds=True)
    options = config_for(sources, placement=placement, limit=12)
    manifest = export(sources, options, tmp_path, load_teacher=lambda: teacher, teacher_identity={}, compare_labels=6)
    assert manifest["label_disagreement"]["abs_rel"] < 0.02


COMMAND = [
    sys.executable,
    "tools/export_tfrecords.py",
    "--flagfile=data_pipelines/flagfiles/tiny.flags",
    "--backgrounds_count=4",
    "--foregrounds_count=4",
    "--placements=20",
    "--image_size=64x96",
    "--holdout=0.25",
    "--shards=12",
]


def run_command(folder, **how):
    return subprocess.Popen(
        [*COMMAND, f"--output={folder}"], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **how
    )


def test_killed_at_any_moment_and_started_again_it_ends_with_the_same_bytes(tmp_path):
    whole, killed = tmp_path / "whole" / "out", tmp_path / "killed" / "out"  # the sheet names its folder
    process = run_command(whole)
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    # Killed while the backgrounds are made and in the first shard, asked to stop in the middle.
    moments = {"backgrounds*": signal.SIGKILL, "train-00000*.part": signal.SIGKILL, "train-00005*": signal.SIGTERM}
    for moment, number in moments.items():
        process = run_command(killed)
        deadline = time.monotonic() + 240
        while not list(killed.glob(moment)) and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        assert process.poll() is None, f"it ended before {moment} could be seen: {process.communicate()[1]}"
        process.send_signal(number)
        _, errors = process.communicate()
        assert not (killed / "manifest.json").exists()
    assert process.returncode == 143
    assert errors.splitlines()[-1] == (
        "export_tfrecords: stopped by SIGTERM; finished shards are kept: start again with the same flags to go on"
    )
    assert not list(killed.rglob("*.part"))
    assert not (killed / ".lock").exists()
    done_before = {path: path.stat().st_mtime_ns for path in killed.glob("train-*.tfrecord")}
    assert done_before
    process = run_command(killed)
    _, errors = process.communicate(timeout=900)
    assert process.returncode == 0, errors
    assert {path: path.stat().st_mtime_ns for path in done_before} == done_before, "finished shards were made again"
    same = files_of(killed)
    wanted = files_of(whole)
    for files in (same, wanted):
        files["export.flags"] = (
            files["export.flags"].replace(str(killed).encode(), b"").replace(str(whole).encode(), b"")
        )
    assert same.keys() == wanted.keys()
    assert [name for name in same if same[name] != wanted[name]] == []


def test_two_at_once_are_refused_and_what_a_killed_one_left_is_removed(tiny_sources, finished, tmp_path):
    """The second one began a shard anew while the first was writing it; killed, it left a hole that got the name."""
    options = config_for(tiny_sources)
    with (
        lock_folder(str(tmp_path)),
        pytest.raises(LockedError, match=rf"`output`={tmp_path} is being written by process"),
    ):
        export(tiny_sources, options, tmp_path)
    assert not list(tmp_path.iterdir())
    stop_at(tmp_path, "unseen_bg-00000-of-00001.tfrecord", tiny_sources, options)
    for name in ("unseen_bg-00000-of-00001.tfrecord.999999999-01234567.part", "unseen_bg-00000-of-00001.tfrecord.part"):
        (tmp_path / name).write_bytes(b"half")
    export(tiny_sources, options, tmp_path)
    assert files_of(tmp_path) == files_of(finished.folder)


def test_backgrounds_that_the_teacher_has_seen_are_not_shown_to_it_again(tiny_sources, tmp_path):
    teacher = SimpleNamespace(network=None, input_size=(48, 64), max_depth=10.0)
    options, looks = config_for(tiny_sources, labels="ground"), []

    def load_teacher(stop_after: int):
        def look(pictures, training):
            def count(pictures):
                looks.append(pictures.shape[0])
                if len(looks) > stop_after:
                    raise RuntimeError("killed")
                return 1 + pictures[..., :1]

            return tf.ensure_shape(tf.numpy_function(count, [pictures], tf.float32), [*pictures.shape[:3], 1])

        return SimpleNamespace(**{**vars(teacher), "network": look})

    whole = tmp_path / "whole"
    export(tiny_sources, options, whole, load_teacher=lambda: load_teacher(99), teacher_batch=2)
    assert looks == [2, 2, 2]
    looks.clear()
    with pytest.raises(tf.errors.OpError):
        export(tiny_sources, options, tmp_path / "killed", load_teacher=lambda: load_teacher(1), teacher_batch=2)
    kept = sorted(path.name for path in (tmp_path / "killed" / "progress").glob("background-*"))
    assert kept == ["background-00000.png", "background-00001.png"]
    (tmp_path / "killed" / "progress" / kept[1]).write_bytes(b"\x89PNG damaged")
    looks.clear()
    export(tiny_sources, options, tmp_path / "killed", load_teacher=lambda: load_teacher(99), teacher_batch=2)
    assert looks == [2, 2]
    assert files_of(tmp_path / "killed") == files_of(whole)
