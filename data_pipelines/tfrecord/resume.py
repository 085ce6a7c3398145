"""Going on with an unfinished data set: only with the options and the pictures that it was begun with."""

from collections.abc import Mapping
from typing import Any, cast

import tensorflow as tf

from data_pipelines.config import FLAT_NAMES, DatasetConfig
from data_pipelines.runtime.files import join_path, read_json, write_json
from data_pipelines.runtime.notes import Note, name_file
from data_pipelines.sources.source_set import Sources
from data_pipelines.tfrecord.manifest import MANIFEST_FILE, REMEDY, DatasetError, Manifest, Options, read_manifest
from data_pipelines.tfrecord.manifest_checks import check_options
from data_pipelines.tfrecord.shards import PROGRESS, remove_progress

OPTIONS_FILE = "options.json"
# What `make_options` has in another form.
ELSEWHERE = {*FLAT_NAMES["sources"], *FLAT_NAMES["teacher"], "width"}


def make_options(
    sources: Sources,
    config: DatasetConfig,
    teacher: Mapping[str, Any],
    shard_count: int,
    compare_labels: int,
    with_paths: bool = False,
) -> Options:
    """Returns everything that decides what is in the files, by the name of its flag where it has one.

    Args:
        sources: the pictures.
        config: the description of the data set.
        teacher: what the labels depend on of the teacher; {} without one.
        shard_count: of each split; 0 where the program chooses.
        compare_labels: on how many composites labels are compared with the teacher.
        with_paths: names files by their paths, as versions before did, and not by their names alone.
    """
    options: dict[str, Any] = {}
    for name, value in config.to_dict().items():
        if name == "height":
            options["image_size"] = f"{config.height}x{config.width}"
        elif name not in ELSEWHERE:
            options[name] = value
    options |= {"shards": shard_count, "compare_labels": compare_labels, "teacher": teacher}
    # Not where the pictures were looked for, but which were found.
    options["physical_height"] = sources.physical_height.tolist()
    options["field_of_view"] = sources.field_of_view.tolist()
    for kind in ("background", "foreground"):
        origins = getattr(sources, f"{kind}_origins")
        options[f"{kind}s"] = [{"source": origin.source, "digest": origin.digest} for origin in origins]
    return cast(Options, options if with_paths else hide_paths(options))


def hide_paths(options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns options in which files have their names alone: where they were is nobody else's business."""
    hidden = dict(options)
    for kind in ("backgrounds", "foregrounds"):
        hidden[kind] = [{**source, "source": name_file(source["source"])} for source in options[kind]]
    teacher = options.get("teacher") or {}
    if isinstance(weights := teacher.get("weights"), str):
        hidden["teacher"] = {**teacher, "weights": name_file(weights)}
    return hidden


def claim_folder(output: str, options: Options) -> Manifest | None:
    """Sees whose folder this is, and notes there what is being made.

    Returns:
        The manifest, if the data set is finished already; None if it is to be made or gone on with.

    Raises:
        DatasetError: the folder has a data set of other options in it, or files of something else.
    """
    note = join_path(output, PROGRESS, OPTIONS_FILE)
    if tf.io.gfile.exists(join_path(output, MANIFEST_FILE)):
        manifest = read_manifest(output)
        _refuse_other(output, manifest["options"], options)
        remove_progress(output)
        return manifest
    if tf.io.gfile.exists(note):
        before = read_json(note, REMEDY)
        check_options(Note(before, note, f"remove {output} and {REMEDY}", DatasetError))
        _refuse_other(output, before, options)
        return None
    if tf.io.gfile.isdir(output):
        strangers = sorted(n for n in tf.io.gfile.listdir(output) if n.endswith((".tfrecord", ".json", ".part")))
        if strangers:
            raise DatasetError(
                f"{output} holds {strangers[0]}, which this program cannot place; choose another `output` or empty it."
            )
    write_json(note, options)
    return None


def _refuse_other(output: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    before = hide_paths(before)
    # A flag says more than the many pictures that it changed.
    for key in sorted(before.keys() | now.keys(), key=lambda key: (isinstance(now.get(key), list), key)):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        detail = f"`{key}` was {_format_value(old)} and is now {_format_value(new)}"
        if key in ("backgrounds", "foregrounds") and old and new and len(old) == len(new):
            old, new = next(pair for pair in zip(old, new, strict=True) if pair[0] != pair[1])
            detail = f"of the {key}, {old['source']} is now {new['source']} or another picture"
        raise DatasetError(
            f"{output} was begun with other options: {detail}; start it as before, or choose another `output`."
        )


def _format_value(value: Any) -> str:
    if isinstance(value, dict):
        return " ".join(str(part) for part in value.values())
    if isinstance(value, list):
        return ",".join(str(part) for part in value) if len(value) <= 4 else f"{len(value)} of them"
    return str(value)
