"""Makes a training set: from backgrounds and cutouts to TFRecord shards with exact masks and depth.

    fgseg make-data --recipe=tiny --output=out
    fgseg make-data --backgrounds=DIR --foregrounds=DIR --limit=24 --output=look

In a clone, `python tools/export_tfrecords.py` is the same. --recipe=NAME takes a flag file that comes with the package
(full, recommended, rows, tiny). Killed and started again with the same flags, it goes on
where it was. Exit status 1, with one sentence, when something is wrong with what it was given; finished shards stay.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import tensorflow as tf
from absl import flags

from data_pipelines import dataset_flags
from data_pipelines.compositing.relative_labels import leave_out_unscaled, reload_kept
from data_pipelines.config import DatasetConfig, TeacherConfig
from data_pipelines.inspection import contact_sheet
from data_pipelines.runtime.cli import format_flags, run_command
from data_pipelines.runtime.files import join_path, replace_file, write_atomic
from data_pipelines.runtime.sealed_text import seal_text
from data_pipelines.sources.source_set import load_sources
from data_pipelines.teacher import network as teacher_network
from data_pipelines.teacher.loading import load_described_teacher
from data_pipelines.teacher.network import Teacher
from data_pipelines.teacher.relative_teacher import RelativeTeacher
from data_pipelines.tfrecord.export import export_dataset
from data_pipelines.tfrecord.manifest import Manifest

RECIPES = Path(dataset_flags.__file__).parent / "flagfiles"
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the data set; local or gs://.", required=True)
_SOURCES = flags.DEFINE_enum(
    "sources", "demo", ["demo", "folders"], "Drawn pictures, or your own (--backgrounds and --foregrounds)."
)
_JPEG_QUALITY = flags.DEFINE_integer(
    "jpeg_quality", DatasetConfig.jpeg_quality, "Of bg and fg_bg; masks and depth are lossless."
)
_COMPARE_LABELS = flags.DEFINE_integer(
    "compare_labels",
    0,
    "On so many composites, say in the manifest how far the labels are from what the teacher sees.",
    lower_bound=0,
)
_TEACHER_BATCH = flags.DEFINE_integer("teacher_batch", 8, "Pictures that it looks at together.", lower_bound=1)
_SHARDS = flags.DEFINE_integer("shards", 0, "Files for each split; 0 chooses.", lower_bound=0)
_ENGINE = flags.DEFINE_enum("engine", "local", ["local", "beam"], "This process, or Apache Beam (pip install .[beam]).")
_BEAM_ARGS = flags.DEFINE_multi_string("beam_args", [], "For Beam, such as --beam_args=--runner=DataflowRunner.")
_THREADS = flags.DEFINE_integer("threads", 0, "0 for all cores.", lower_bound=0)
flags.adopt_module_key_flags(dataset_flags)
# So that export.flags names it.
flags.set_default(dataset_flags.LABELS_FROM, DatasetConfig.labels)


def export() -> None:
    """Makes the data set that the flags describe, and prints what is in it."""
    manifest = make_data()
    print(f"{manifest['records']:,} composites, {manifest['bytes'] / 1e6:,.1f} MB in {_OUTPUT.value}")
    for name, split in manifest["splits"].items():
        print(f"  {name:12} {split['records']:>9,} in {len(split['shards'])} shards")
    if left_out := manifest["refused_sources"]:
        those = f"{len(left_out)} picture{'s' * (len(left_out) > 1)}"
        print(f"left out {those}: see refused_sources in {_OUTPUT.value}/manifest.json")
    if flat := manifest["backgrounds_without_floor"]:
        named = ", ".join(f"bg{number:03d}" for number in flat[:5])
        print(f"no floor was seen in {len(flat)} backgrounds ({named} ...): things stand in their lower third there")
    print(f"next: fgseg verify-data {_OUTPUT.value}")


def make_data() -> Manifest:
    """Makes what the flags describe, with its flags and a contact sheet beside it; returns the manifest."""
    config = dataset_flags.config_from_flags(jpeg_quality=_JPEG_QUALITY.value)
    if _SOURCES.value == "folders" and config.sources.is_demo:
        raise ValueError("--sources=folders needs --backgrounds=DIR and --foregrounds=DIR.")
    if config.teacher.is_relative and _COMPARE_LABELS.value:
        raise ValueError(
            "--compare_labels needs a teacher of metres: objects hide the floor that a relative one is scaled by."
        )
    uses_teacher = config.labels != "exact" or _COMPARE_LABELS.value
    load_teacher = partial(load_described_teacher, config.teacher)
    load_once: Callable = cache(load_teacher)
    # Loaded now, to be refused, if it is, rather than after the pictures were read.
    identity = identify_teacher(config.teacher, load_once()) if uses_teacher else {}
    sources, kept = leave_out_unscaled(load_sources(config), config, load_once)
    manifest = export_dataset(
        sources,
        config,
        _OUTPUT.value,
        load_teacher=load_once,
        teacher_identity=identity,
        teacher_batch=_TEACHER_BATCH.value,
        shard_count=_SHARDS.value,
        compare_labels=_COMPARE_LABELS.value,
        threads=_THREADS.value,
        engine=beam_engine(config, kept, load_teacher) if _ENGINE.value == "beam" else None,
    )
    write_atomic(join_path(_OUTPUT.value, "export.flags"), seal_text(format_flags()))
    with replace_file(join_path(_OUTPUT.value, "sheet.png")) as part, tf.io.gfile.GFile(part, "wb") as file:
        contact_sheet.draw_sheet(_OUTPUT.value).save(file, "PNG")
    return manifest


def identify_teacher(config: TeacherConfig, teacher: Teacher | RelativeTeacher) -> dict[str, Any]:
    """Returns what the manifest says of the teacher: all that decides the labels."""
    if isinstance(teacher, RelativeTeacher):
        told = {"asked_as": teacher.description, "camera_height": config.camera_height}
        tilt = {} if config.camera_tilt is None else {"camera_tilt": config.camera_tilt}
        return {"weights": config.weights, **told, **tilt, "sha256": teacher.digest}
    height, width = teacher.input_size
    return {
        "weights": config.weights,
        "size": f"{height}x{width}",
        "sha256": teacher_network.hash_weights(config.weights),
    }


def beam_engine(config: DatasetConfig, kept: Sequence[int], load_teacher: Callable) -> Callable:
    """Returns what makes shards on Apache Beam, if it is installed."""
    try:
        from data_pipelines.tfrecord import beam
    except ImportError as error:
        raise ValueError(
            f"--engine=beam needs Apache Beam ({error}); install it with: pip install '.[beam]'"
        ) from error
    return beam.make_engine(
        partial(reload_kept, config, kept), config, load_teacher, _TEACHER_BATCH.value, _BEAM_ARGS.value
    )


def main() -> None:
    """Runs the command."""
    run_command(export, __name__, "folders are given as --output=DIR", RECIPES)


if __name__ == "__main__":
    main()
