"""The manifest: written last, read back as it was, and refused in a sentence where it is not what it must be."""

import copy
import json
from pathlib import Path

import pytest
from edited_manifest import edit_manifest

from data_pipelines.runtime.files import FileError, write_json
from data_pipelines.tfrecord.manifest import FORMAT, DatasetError, check_files, read_manifest, write_manifest
from data_pipelines.tfrecord.manifest_checks import SEAL
from data_pipelines.tfrecord.shards import ShardWriter

NAME = "train-00001-of-00003.tfrecord"
HUGE = 10**300


def finish_a_shard(folder):
    ShardWriter(str(folder), NAME).finish({})


def files(folder) -> set[str]:
    return {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def manifest(tiny_dataset):
    return json.loads(Path(tiny_dataset, "manifest.json").read_text())


@pytest.fixture
def folder(manifest, tmp_path) -> Path:
    """With a manifest, and nothing that it is of."""
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    return tmp_path


def test_manifest_round_trip(manifest, tmp_path):
    finish_a_shard(tmp_path)
    unsealed = {key: value for key, value in manifest.items() if key != SEAL}
    write_manifest(str(tmp_path), unsealed)
    assert read_manifest(str(tmp_path)) == read_manifest(f"{tmp_path}/") == manifest
    # The notes are gone: what they said is in the manifest.
    assert files(tmp_path) == {NAME, "manifest.json"}


def test_a_manifest_of_before_has_no_digest_and_less_in_it(folder):
    lacking = (SEAL, "label_disagreement", "backgrounds_without_floor", "refused_sources")
    edit_manifest(folder, lambda m: [m.pop(key) for key in lacking], is_sealed=False)
    read = read_manifest(str(folder))
    assert (read["label_disagreement"], read["backgrounds_without_floor"], read["refused_sources"]) == (None, [], [])


def test_no_data_set(tmp_path):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DatasetError, match=rf"no data set in {folder}: manifest.json is missing"):
            read_manifest(str(folder))


def test_an_unfinished_data_set(tmp_path):
    finish_a_shard(tmp_path)
    with pytest.raises(DatasetError, match="not finished; start its export again with the same flags"):
        read_manifest(str(tmp_path))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"format": "fgseg_tf data set"', "cannot be read as JSON .*restore it or make the data set again"),
        ("", "cannot be read as JSON"),
        (b"\xff\xd8\xff\xe0 a picture", "cannot be read as JSON"),
        ('{"name": "app", "icons": []}', "is not the manifest of a data set of this program"),
        ("[1, 2]", "is not the manifest of a data set of this program"),
        (json.dumps({"format": "fgseg_tf data set", "schema_version": 99}), "schema version 99; this program knows 1"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[" * 50 + "]" * 50, "nested too deeply"),
        ("1" * 5000, r"cannot be read as JSON \(a whole number of 5000 digits\)"),
        (" " * (32 << 20) + "[]", "has more than 33,554,432 bytes"),
    ],
)
def test_manifest_refusals(tmp_path, content, complaint):
    (tmp_path / "manifest.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises((DatasetError, FileError), match=complaint):
        read_manifest(str(tmp_path))


def test_a_manifest_that_never_ends(tmp_path):
    (tmp_path / "manifest.json").symlink_to("/dev/zero")
    with pytest.raises(FileError, match=r"manifest\.json is not a regular file; restore it or make the data set again"):
        read_manifest(str(tmp_path))


def paths_in(value, path=()):
    """The way to every value in a manifest, but of lists only to the first."""
    yield path
    for key in value if isinstance(value, dict) else range(min(len(value), 1)) if isinstance(value, list) else ():
        yield from paths_in(value[key], (*path, key))


def name_of(path: tuple) -> str:
    """As messages name it."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).removeprefix(".")


# Values that may be anything, as long as they can be shown: a few of the wrong ones are right for them.
FREE = ("options.", "label_disagreement", "sha256")
WRONG = {
    "list": [[]],
    "text": "../../etc/passwd",
    "nothing": None,
    "nan": float("nan"),
    "inf": 1e400,
    "negative": -1,
    "huge": HUGE,
    "flag": True,
    "deep": {"a": {"a": [{"a": []}]}},
    "control": "\x1b[2J\ud800",
}


def test_whatever_is_wrong_in_a_manifest_is_one_sentence(manifest, tmp_path):
    """Every value, one after the other, is of a wrong kind."""
    tried = 0
    for path in paths_in(manifest):
        if not path or path[0] in ("format", "schema_version"):
            continue
        for kind, wrong in WRONG.items():
            content = copy.deepcopy(manifest)
            *above, last = path
            owner = content
            for key in above:
                owner = owner[key]
            if owner[last] == wrong:
                continue
            owner[last] = wrong
            (tmp_path / "manifest.json").write_text(json.dumps(content))
            try:
                read_manifest(str(tmp_path))
            except DatasetError as error:
                said = str(error)
            else:
                assert (path[0] in ("label_disagreement", SEAL), wrong) == (True, None), (path, kind)
                continue
            tried += 1
            assert said.startswith(f"{tmp_path}/manifest.json"), (path, kind, said)
            assert said.endswith("; make the data set again, or fetch it anew."), (path, kind, said)
            assert said.isprintable(), (path, kind, said)
            assert len(said) < 500, (path, kind, said)
            # What is wrong is named, or where that is a list or a text that is free, what then does not agree.
            named = name_of(path).split("[")[0] in said or any(f"(`{part}`" in said for part in path)
            assert named or "its sha256 is of something else" in said, (path, kind, said)
    assert tried > 500


@pytest.mark.parametrize("key", ["records", "options", "splits.train.shards", "options.jpeg_quality", "grid.places"])
def test_what_is_missing_is_named(folder, key):
    def remove(manifest):
        *above, last = key.split(".")
        for part in above:
            manifest = manifest[part]
        del manifest[last]

    edit_manifest(folder, remove)
    with pytest.raises(DatasetError, match=rf"manifest\.json: {key} is missing; make the data set again, or fetch"):
        read_manifest(str(folder))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda m: m.update(depth_scale=float("nan")), "depth_scale is not a number; make"),
        (lambda m: m.update(depth_scale=0), "depth_scale is not from 0.001 to 1e"),
        (lambda m: m.update(depth_unit="foot"), "depth_unit is none of metre, relative; make"),
        (lambda m: m.update(labels="teacher"), "says labels teacher, but it must be exact"),
        (lambda m: m.update(later=1), "later is not known to this version"),
        (
            lambda m: m["backgrounds"].update(file="../../../../dev/zero"),
            r"backgrounds\.file is not backgrounds-00000-of",
        ),
        (
            lambda m: m["splits"]["train"]["shards"][1].update(file="../../../../dev/zero"),
            r"splits\.train\.shards\[1\]\.file is not train-00001-of-00002\.tfrecord, which belongs there",
        ),
        (
            lambda m: m["splits"]["train"]["shards"].reverse(),
            r"splits\.train\.shards\[0\]\.file is not train-00000-of-00002\.tfrecord",
        ),
        (lambda m: m["splits"]["train"].update(shards=[]), r"splits\.train\.shards has no files"),
        (
            lambda m: m["splits"].update({"../up": m["splits"].pop("train")}),
            r"splits\.\.\./up is not a name for a split",
        ),
        (
            lambda m: m["splits"].update({'x"><img src=q onerror=alert(1)>': m["splits"].pop("train")}),
            "is not a name for a split",
        ),
        (lambda m: m["splits"].clear(), "splits is not from 1 to 16 of them"),
        (lambda m: m["grid"].update(backgrounds=10**9), r"grid\.backgrounds is not from 1 to 1e\+06"),
        (lambda m: m["grid"].update(backgrounds=10**6), r"grid\.backgrounds is more than the \d+ that their file has"),
        (lambda m: m["grid"].update(places=10**6), r"grid promises 40,000,000 composites, for which its files have no"),
        (lambda m: m["splits"]["train"].update(records=10**18), "says train.records 1000000000000000000, but it must"),
        (
            lambda m: m["splits"]["train"]["shards"][0].update(records=10**18),
            r"splits\.train\.shards\[0\]\.records is more than its [\d,]+ bytes have room for",
        ),
        (lambda m: m.update(image_size=[16384, 16384]), "records is more than its .* bytes have room for"),
        (lambda m: m.update(image_size=[16385, 64]), r"image_size\[0\] is not from 1 to 16384"),
        (lambda m: m["options"].update(holdout=1.0), "holdout is not under 1"),
        (lambda m: m["options"].update(own={"deep": [float("inf")]}), r"options\.own\.deep\[0\] is not finite"),
    ],
)
def test_what_is_not_believed(folder, change, said):
    edit_manifest(folder, change)
    with pytest.raises(DatasetError, match=rf"manifest\.json:? ?{said}|{said}"):
        read_manifest(str(folder))


def test_damage_to_what_nothing_else_tells_is_seen(folder):
    """Such as the digests of two sources that changed places."""

    def swap(manifest):
        one, other = manifest["options"]["foregrounds"][:2]
        one["digest"], other["digest"] = other["digest"], one["digest"]

    edit_manifest(folder, swap, is_sealed=False)
    with pytest.raises(
        DatasetError, match=r"manifest\.json is damaged or was changed by hand: its sha256 is of someth"
    ):
        read_manifest(str(folder))
    assert read_manifest(str(folder), agreeing=False)["format"] == FORMAT


def test_files_are_looked_at_before_they_are_read(tiny_dataset, manifest, folder):
    for path in Path(tiny_dataset).glob("*.tfrecord"):
        (folder / path.name).symlink_to(path)
    check_files(str(folder), manifest)
    shard = folder / "train-00001-of-00002.tfrecord"
    shard.unlink()
    shard.symlink_to("/dev/zero")
    with pytest.raises(DatasetError, match=r"train-00001-of-00002\.tfrecord is not a regular file; copy it again"):
        check_files(str(folder), manifest)
    shard.unlink()
    write_json(str(shard), [])
    with pytest.raises(DatasetError, match=r"train-00001-of-00002\.tfrecord has \d+ bytes, its manifest says \d+"):
        check_files(str(folder), manifest)
