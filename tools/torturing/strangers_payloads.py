"""What a stranger hands over: runs, data sets, camera folders, teachers, each with one thing in it that is hostile."""

import hashlib
import json
import random
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import tensorflow as tf

from data_pipelines.runtime.files import measure_file
from torturing import strangers_files as files
from torturing.strangers_files import SCRIPT, edit_json
from torturing.subjects import seal_again

NAN = float("nan")
LEAST = 30  # are tried of those that would not run code
LINKS = {"zeros": "/dev/zero", "passwords": "/etc/passwd", "nowhere": "/nowhere/at/all"}


class Payload(NamedTuple):
    """Something hostile.

    Attributes:
        kind: what it is of: run, keras_run, data, camera, teacher, preset.
        what: it is.
        plant: puts it into a copy of an intact folder.
        may_pass: whether it may be read, since what is hostile in it must not be looked at.
    """

    kind: str
    what: str
    plant: Callable[[Path], object]
    may_pass: bool = False


def list_payloads() -> list[Payload]:
    """Returns all of them."""
    return [*_list_runs(), *_list_archives(), *_list_data(), *_list_cameras(), *_list_teachers()]


def draw_payloads(seed: int, share: float) -> list[Payload]:
    """Returns a share of them, at least LEAST, in their order; what would run code is always among them."""
    payloads = list_payloads()
    others = [number for number, payload in enumerate(payloads) if not _is_code(payload)]
    count = min(len(others), max(LEAST, round(share * len(payloads))))
    drawn = set(random.Random(seed).sample(others, count))
    return [payload for number, payload in enumerate(payloads) if number in drawn or _is_code(payload)]


def _is_code(payload: Payload) -> bool:
    return "code" in payload.what or "pickled" in payload.what


def _settings(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    return lambda folder: edit_json(folder / "run.json", lambda note: change(note["settings"]))


def _replace(name: str) -> Iterator[tuple[str, Callable[[Path], object]]]:
    """Yields what may stand under a name instead of a file."""
    for what, target in LINKS.items():
        yield f"{name} is a link to {what}", lambda folder, t=target: files.replace_by_link(folder / name, t)  # type: ignore[misc]
    yield f"{name} is a pipe", lambda folder: files.replace_by_pipe(folder / name)
    yield f"{name} is a folder", lambda folder: files.replace_by_folder(folder / name)
    yield f"{name} seems to have 50 GB", lambda folder: files.make_sparse(folder / name)


def _list_runs() -> Iterator[Payload]:
    for name in ("run.json", "weights.npz", "history.json"):
        for what, plant in _replace(name):
            # Without weights.npz the older model.keras is read, and without history.json there was no epoch yet.
            yield Payload("run", what, plant, may_pass=name != "run.json" and what.endswith("nowhere"))
    for name in ("run.json", "history.json"):
        yield Payload("run", f"{name} is nested", lambda folder, n=name: files.nest(folder / n))  # type: ignore[misc]
        yield Payload("run", f"{name}: a long number", lambda folder, n=name: files.write_long_number(folder / n))  # type: ignore[misc]
    settings: dict[str, Callable[[dict[str, Any]], object]] = {
        "network is a path": lambda s: s.update(network="../../pydoc"),
        "network is a list": lambda s: s.update(network=["small"]),
        "network is HTML": lambda s: s.update(network=SCRIPT),
        "a stage of 400 digits": lambda s: s.update(stages=["1@" + "9" * 400]),
        "stages are none": lambda s: s.update(stages=[]),
        "a stage of nothing": lambda s: s.update(stages=[""]),
        "pictures of a billion": lambda s: s.update(image_size=[10**9, 10**9]),
        "pictures that are NaN": lambda s: s.update(image_size=[NAN, NAN]),
        "pictures of 0": lambda s: s.update(image_size=[0, 0]),
        "precision is NaN": lambda s: s.update(precision=NAN),
        "an unknown key": lambda s: s.update(hook="pydoc.pipepager"),
    }
    for what, change in settings.items():
        yield Payload("run", f"run.json: {what}", _settings(change))
    rows: dict[str, Any] = {
        "NaN": [{"stage": NAN, "epoch": NAN, "seen": NAN, "loss": "x"}],
        "HTML": [{"stage": 1, "epoch": 1, "seen": 1, "loss": SCRIPT, SCRIPT: 1}],
        "no rows": {"rows": None},
    }
    for what, value in rows.items():
        yield Payload(
            "run",
            f"history.json: {what}",
            lambda folder, v=value: (folder / "history.json").write_text(json.dumps(v)),  # type: ignore[misc]
        )


def _list_archives() -> Iterator[Payload]:
    npz: dict[str, Callable[[Path], object]] = {
        "a zip bomb": files.write_bomb,
        "a bomb that lies": lambda path: files.write_lying_bomb(path, "joint/000/0.npy"),
        "pickled objects": files.write_pickle,
        "an array of 4 TB": files.write_claiming_npz,
        "encrypted": files.encrypt,
        "NaN everywhere": lambda path: files.change_npz(
            path, lambda a: a.update({name: value * NAN for name, value in a.items()})
        ),
        "a name outside": lambda path: files.change_npz(path, lambda a: a.update({"../../outside/x": a.popitem()[1]})),
        "no arrays": lambda path: files.change_npz(path, lambda a: a.clear()),
    }
    for what, plant in npz.items():
        yield Payload("run", f"weights.npz: {what}", lambda folder, p=plant: p(folder / "weights.npz"))  # type: ignore[misc]
    for kind in ("pydoc", "os", "marshalled", "import"):
        yield Payload(
            "keras_run",
            f"model.keras: code by {kind}",
            lambda folder, k=kind: files.plant_code(folder / "model.keras", k, _marker(folder)),  # type: ignore[misc]
            may_pass=True,
        )
    hdf5: dict[str, Callable[[h5py.File], object]] = {
        "links to another file": lambda file: files.replace_datasets(file, h5py.ExternalLink("/etc/passwd", "/x")),
        "links in a circle": lambda file: files.replace_datasets(file, h5py.SoftLink("/layers/functional")),
        "numbers in /etc/passwd": lambda file: files.store_outside(file, "/etc/passwd"),
        "views of /etc/passwd": lambda file: files.store_virtually(file, "/etc/passwd"),
        "arrays of 160 GB": files.claim_much,
    }
    for what, change in hdf5.items():
        yield Payload(
            "keras_run",
            f"model.keras: {what}",
            lambda folder, c=change: files.change_weights(folder / "model.keras", c),  # type: ignore[misc]
        )
    yield Payload("keras_run", "model.keras: a bomb", lambda f: files.write_bomb(f / "model.keras", "model.weights.h5"))
    yield Payload(
        "keras_run",
        "model.keras: a bomb that lies",
        lambda folder: files.write_lying_bomb(folder / "model.keras", "model.weights.h5"),
    )


def _marker(folder: Path) -> Path:
    return folder.parent / "outside" / "marker"


def _manifest(change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    return lambda folder: edit_json(folder / "manifest.json", change, seal_again)


def _list_data() -> Iterator[Payload]:
    shard = "train-00000-of-00002.tfrecord"
    for name in ("manifest.json", shard):
        for what, plant in _replace(name):
            yield Payload("data", what, plant)
    yield Payload("data", "manifest.json is nested", lambda folder: files.nest(folder / "manifest.json"))

    def first(manifest: dict[str, Any]) -> dict[str, Any]:
        return manifest["splits"]["train"]["shards"][0]

    changes: dict[str, Callable[[dict[str, Any]], object]] = {
        "a shard outside": lambda m: first(m).update(file="../outside/x.tfrecord"),
        "a shard that is /etc/passwd": lambda m: first(m).update(file="/etc/passwd"),
        "a shard that is /dev/zero": lambda m: first(m).update(file="/dev/zero"),
        "a shard of a stranger's server": lambda m: first(m).update(file="http://127.0.0.1:9/x"),
        "a shard called HTML": lambda m: first(m).update(file=f"{SCRIPT}.tfrecord"),
        "backgrounds outside": lambda m: m["backgrounds"].update(file="../../etc/passwd"),
        "a split outside": lambda m: m["splits"].update({"../../outside": m["splits"].pop("train")}),
        "a split called HTML": lambda m: m["splits"].update({SCRIPT: m["splits"].pop("train")}),
        "pictures of a billion": lambda m: m.update(image_size=[10**9, 10**9]),
        "pictures that are NaN": lambda m: m.update(image_size=[NAN, NAN]),
        "records without end": lambda m: m.update(records=10**18),
        "depth by NaN": lambda m: m.update(depth_scale=NAN),
        "statistics of NaN": lambda m: m.update(statistics={"mask": {"mean": NAN}, "depth": {"mean": NAN}}),
        "labels called HTML": lambda m: m.update(labels=SCRIPT),
        "a grid without end": lambda m: m["grid"].update({key: 10**15 for key in m["grid"]}),
        "a source called HTML": lambda m: m["options"]["backgrounds"][0].update(source=[SCRIPT]),
    }
    for what, change in changes.items():
        yield Payload("data", f"manifest: {what}", _manifest(change))
    yield Payload("data", "manifest: a background's source is HTML", _manifest(_name_sources), may_pass=True)
    bomb: dict[str, Callable[[tf.train.Example], object]] = {
        "a name outside": lambda e: _set_text(e, "name", b"../../../outside/x"),
        "a name of HTML": lambda e: _set_text(e, "name", SCRIPT.encode()),
        "a picture that is a bomb": lambda e: _set_text(e, "depth", _make_png_bomb()),
        "a picture that is none": lambda e: _set_text(e, "fg_bg", b"\xff\xd8\xff" + bytes(99)),
        "a box outside": lambda e: _set_numbers(e, "mask_box", [-5, 0, 9**17, 1]),
        "a background of number 10^15": lambda e: _set_numbers(e, "bg_index", [10**15]),
        "no features": lambda e: e.features.feature.clear(),
    }
    for what, edit in bomb.items():
        # The index of a record is what counts, and its name need not be looked at.
        passes = what in ("a name outside", "a name of HTML")
        yield Payload(
            "data",
            f"record: {what}",
            lambda folder, e=edit: _edit_records(folder, shard, e),  # type: ignore[misc]
            may_pass=passes,
        )
    yield Payload("data", "record: of 2^60 bytes", lambda folder: _claim_record(folder, shard))


def _name_sources(manifest: dict[str, Any]) -> None:
    for entry in [*manifest["options"]["backgrounds"], *manifest["options"]["foregrounds"]]:
        entry["source"] = SCRIPT


def _make_png_bomb() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return files.write_png_bomb(Path(folder) / "x.png")


def _set_text(example: tf.train.Example, key: str, value: bytes) -> None:
    example.features.feature[key].bytes_list.value[0] = value


def _set_numbers(example: tf.train.Example, key: str, values: list[int]) -> None:
    example.features.feature[key].int64_list.value[:] = values


def _edit_records(folder: Path, shard: str, edit: Callable[[tf.train.Example], object]) -> None:
    path = folder / shard
    records = [record.numpy() for record in tf.data.TFRecordDataset(str(path))]
    example = tf.train.Example.FromString(records[0])
    edit(example)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in [example.SerializeToString(), *records[1:]]:
            writer.write(record)
    _note_shard(folder, shard)


def _claim_record(folder: Path, shard: str) -> None:
    content = bytearray((folder / shard).read_bytes())
    content[:8] = (1 << 60).to_bytes(8, "little")
    content[8:12] = _mask_crc(bytes(content[:8])).to_bytes(4, "little")
    (folder / shard).write_bytes(bytes(content))
    _note_shard(folder, shard)


def _mask_crc(content: bytes) -> int:
    """Returns the checksum that TFRecord has of a length: CRC-32C, turned and shifted."""
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    crc ^= 0xFFFFFFFF
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _note_shard(folder: Path, shard: str) -> None:
    """Makes the manifest agree with a shard that was changed."""

    def note(manifest: dict[str, Any]) -> None:
        for entry in manifest["splits"]["train"]["shards"]:
            if entry["file"] == shard:
                size, digest = measure_file(str(folder / shard))
                manifest["bytes"] += size - entry["bytes"]
                entry.update(bytes=size, sha256=digest)

    edit_json(folder / "manifest.json", note, seal_again)


def _list_cameras() -> Iterator[Payload]:
    for name in ("camera.json", "background.png", "depth.png"):
        for what, plant in _replace(name):
            yield Payload("camera", what, plant)
    yield Payload("camera", "camera.json is nested", lambda folder: files.nest(folder / "camera.json"))
    changes: dict[str, Callable[[dict[str, Any]], object]] = {
        "NaN everywhere": lambda n: n.update({key: NAN for key in n if key not in ("version", "sha256")}),
        "a field of view of NaN": lambda n: n.update(fov=NAN),
        "depth by 0": lambda n: n.update(depth_scale=0),
        "trust is HTML": lambda n: n.update(trust=SCRIPT),
        "points without end": lambda n: n.update(
            points=[{"column": 1, "row": 1, "metres": 2.0, "fitted": 2.0, "used": True}] * 200_000
        ),
        "a point outside": lambda n: n.update(
            points=[{"column": 10**9, "row": -1, "metres": 2.0, "fitted": 2.0, "used": True}]
        ),
        "digests are paths": lambda n: n.update(sha256={"../outside/x": "0" * 64}),
    }
    for what, change in changes.items():
        yield Payload("camera", f"camera.json: {what}", lambda f, c=change: edit_json(f / "camera.json", c))  # type: ignore[misc]
    yield Payload(
        "camera",
        "camera.json: the source is HTML",
        lambda folder: edit_json(folder / "camera.json", lambda note: note.update(source=SCRIPT)),
        may_pass=True,
    )
    for name in ("background.png", "depth.png"):
        yield Payload("camera", f"{name} is a bomb", lambda folder, n=name: _bomb_camera(folder, n))  # type: ignore[misc]


def _bomb_camera(folder: Path, name: str) -> None:
    digest = hashlib.sha256(files.write_png_bomb(folder / name)).hexdigest()
    edit_json(folder / "camera.json", lambda note: note["sha256"].update({name: digest}))


def _list_teachers() -> Iterator[Payload]:
    for name in ("nyu.h5", "weights.npz", "network.onnx"):
        for what, plant in _replace(name):
            yield Payload("teacher", what, plant)
    h5: dict[str, Callable[[Path], object]] = {
        "links to another file": lambda path: _change_h5(
            path, lambda file: files.replace_datasets(file, h5py.ExternalLink("/etc/passwd", "/x"))
        ),
        "numbers in /etc/passwd": lambda path: _change_h5(path, lambda f: files.store_outside(f, "/etc/passwd")),
        "arrays of 160 GB": lambda path: _change_h5(path, files.claim_much),
        "code by pydoc": lambda path: files.write_h5_network(path, "pydoc", _marker(path.parent)),
        "code by marshalled": lambda path: files.write_h5_network(path, "marshalled", _marker(path.parent)),
    }
    for what, plant in h5.items():
        yield Payload(
            "teacher",
            f"nyu.h5: {what}",
            lambda folder, p=plant: p(folder / "nyu.h5"),  # type: ignore[misc]
            may_pass=what.startswith("code"),
        )
    npz: dict[str, Callable[[Path], object]] = {
        "a zip bomb": lambda path: files.write_bomb(path, "conv1_conv/kernel.npy"),
        "pickled objects": files.write_pickle,
        "an array of 4 TB": files.write_claiming_npz,
    }
    for what, plant in npz.items():
        yield Payload("teacher", f"weights.npz: {what}", lambda folder, p=plant: p(folder / "weights.npz"))  # type: ignore[misc]
    yield Payload("teacher", "network.onnx is noise", lambda f: (f / "network.onnx").write_bytes(bytes(range(256)) * 9))
    for kind in ("pydoc", "os", "marshalled", "import"):
        yield Payload(
            "preset",
            f"a preset with code by {kind}",
            lambda folder, k=kind: (folder / "config.json").write_text(  # type: ignore[misc]
                json.dumps(files.describe_network(k, _marker(folder)))
            ),
        )
    yield Payload("preset", "a preset that is nested", lambda folder: files.nest(folder / "config.json"))
    for what, plant in _replace("config.json"):
        yield Payload("preset", what, plant)


def _change_h5(path: Path, change: Callable[[h5py.File], object]) -> None:
    with h5py.File(path, "r+") as file:
        change(file)
