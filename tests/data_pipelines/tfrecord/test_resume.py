"""Whose data set a folder holds: told by what the pictures are, and not by where they were."""

import dataclasses
import json
from pathlib import Path

import pytest
from edited_manifest import edit_manifest
from tiny_data import HEIGHT, LIVELY, WIDTH

from data_pipelines.config import DatasetConfig
from data_pipelines.inspection.verify import verify
from data_pipelines.runtime.files import write_json
from data_pipelines.sources.source_set import Origin, Sources
from data_pipelines.tfrecord import resume, shards
from data_pipelines.tfrecord.export import export_dataset
from data_pipelines.tfrecord.manifest import DatasetError

SECRET = "/home/somebody/secret"
CONFIG = DatasetConfig(height=HEIGHT, width=WIDTH, labels="exact", holdout=0.3, placement=LIVELY, limit=5)
TEACHER = {"weights": f"{SECRET}/net.h5", "sha256": "0" * 64}


@pytest.fixture(scope="module")
def read_sources(tiny_sources) -> Sources:
    """As of folders."""

    def name(kind: str, origins) -> tuple[Origin, ...]:
        return tuple(Origin(f"{SECRET}/{kind}/{n}.jpg", origin.digest) for n, origin in enumerate(origins))

    return dataclasses.replace(
        tiny_sources,
        background_origins=name("rooms", tiny_sources.background_origins),
        foreground_origins=name("people", tiny_sources.foreground_origins),
        refused=((f"{SECRET}/rooms/bad.jpg", "is empty"),),
    )


@pytest.fixture(scope="module")
def folder(read_sources, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("made")
    export_dataset(read_sources, CONFIG, str(output), load_teacher=None, teacher_identity=TEACHER)
    return output


def test_nothing_that_is_passed_on_names_a_folder_of_its_maker(folder):
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) == 7
    for path in files:
        assert SECRET.encode() not in path.read_bytes(), path.name
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["refused_sources"] == [["bad.jpg", "is empty"]]
    assert manifest["options"]["teacher"]["weights"] == "net.h5"
    assert [source["source"] for source in manifest["options"]["foregrounds"]] == [f"{n}.jpg" for n in range(4)]


def test_pictures_that_were_moved_are_the_same_pictures(read_sources, folder):
    moved = dataclasses.replace(
        read_sources, background_origins=tuple(Origin(f"there/{n}.jpg", f"{n:064x}") for n in range(5))
    )
    before = (folder / "manifest.json").read_bytes()
    export_dataset(moved, CONFIG, str(folder), load_teacher=None, teacher_identity=TEACHER)
    assert (folder / "manifest.json").read_bytes() == before
    other = dataclasses.replace(
        read_sources, background_origins=tuple(Origin(f"there/{n}.jpg", f"{n + 7:064x}") for n in range(5))
    )
    with pytest.raises(DatasetError, match=r"of the backgrounds, 0\.jpg is now 0\.jpg or another picture"):
        export_dataset(other, CONFIG, str(folder), load_teacher=None, teacher_identity=TEACHER)


def test_a_data_set_of_before_has_paths_and_is_known_again(read_sources, folder, tmp_path):
    for path in folder.glob("*.tfrecord"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "manifest.json").write_bytes((folder / "manifest.json").read_bytes())

    def make_old(manifest):
        with_paths = resume.make_options(read_sources, CONFIG, TEACHER, 0, 0, with_paths=True)
        manifest["options"] = json.loads(json.dumps(with_paths))
        del manifest["sha256"]

    edit_manifest(tmp_path, make_old, is_sealed=False)
    assert SECRET in (tmp_path / "manifest.json").read_text()
    now = resume.make_options(read_sources, CONFIG, TEACHER, 0, 0)
    assert resume.claim_folder(str(tmp_path), json.loads(json.dumps(now)))["records"] == 5
    assert verify(str(tmp_path)).problems == ()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": "one"}, "seed is not a whole number"),
        ({"backgrounds": 7}, "backgrounds is not a list"),
        ({"backgrounds": [[]]}, r"backgrounds\[0\] is not an object"),
        ({"foregrounds": [{"digest": "0" * 64}]}, r"foregrounds\[0\]\.source is missing"),
        ({"teacher": []}, "teacher is not an object"),
        ({"jpeg_quality": 10**300}, "jpeg_quality is not from 1 to 100"),
        ({"another": float("nan")}, "another is not a number"),
    ],
)
def test_notes_of_an_unfinished_data_set_are_not_believed(read_sources, tmp_path, change, said):
    options = json.loads(json.dumps(resume.make_options(read_sources, CONFIG, TEACHER, 0, 0)))
    note = tmp_path / shards.PROGRESS / resume.OPTIONS_FILE
    write_json(str(note), options)
    assert resume.claim_folder(str(tmp_path), options) is None
    note.write_text(json.dumps({**options, **change}))
    with pytest.raises(DatasetError, match=rf"options\.json: {said}.*; remove .* and make the data set again\."):
        resume.claim_folder(str(tmp_path), options)
