"""Whose folder this is: a data set goes on only with the options and the pictures that it was begun with."""

from typing import Any

import tensorflow as tf

from data_pipelines.config import FLAT_NAMES, DatasetConfig
from data_pipelines.runtime.files import join_path, read_json, write_json
from data_pipelines.sources.source_set import Sources
from data_pipelines.tfrecord import shards
from data_pipelines.tfrecord.shards import DatasetError

OPTIONS = "options.json"
# What `identity_of` has in another form.
ELSEWHERE = {*FLAT_NAMES["sources"], *FLAT_NAMES["teacher"], "width"}


def identity_of(
    sources: Sources, config: DatasetConfig, teacher: dict, shard_count: int, compare_labels: int
) -> dict[str, Any]:
    """Returns everything that decides what is in the files, by the name of its flag where it has one."""
    identity: dict[str, Any] = {}
    for name, value in config.to_dict().items():
        if name == "height":
            identity["image_size"] = f"{config.height}x{config.width}"
        elif name not in ELSEWHERE:
            identity[name] = value
    identity |= {"shards": shard_count, "compare_labels": compare_labels, "teacher": teacher}
    # Not where the pictures were looked for, but which were found.
    identity["physical_height"] = sources.physical_height.tolist()
    identity["field_of_view"] = sources.field_of_view.tolist()
    for kind in ("background", "foreground"):
        origins = getattr(sources, f"{kind}_origins")
        identity[f"{kind}s"] = [{"source": origin.source, "digest": origin.digest} for origin in origins]
    return identity


def claim(output: str, identity: dict) -> dict | None:
    """The manifest, if the data set is finished already; None if it is to be made or gone on with."""
    note = join_path(output, shards.PROGRESS, OPTIONS)
    if tf.io.gfile.exists(join_path(output, shards.MANIFEST)):
        manifest = shards.read_manifest(output)
        _refuse_other(output, manifest["options"], identity)
        shards.forget_progress(output)
        return manifest
    if tf.io.gfile.exists(note):
        _refuse_other(output, read_json(note, shards.REMEDY), identity)
        return None
    if tf.io.gfile.isdir(output):
        strangers = sorted(n for n in tf.io.gfile.listdir(output) if n.endswith((".tfrecord", ".json", ".part")))
        if strangers:
            raise DatasetError(
                f"{output} holds {strangers[0]}, which this program cannot place; choose another `output` or empty it."
            )
    write_json(note, identity)
    return None


def _refuse_other(output: str, before: dict, now: dict) -> None:
    # A flag says more than the many pictures that it changed.
    for key in sorted(before.keys() | now.keys(), key=lambda key: (isinstance(now.get(key), list), key)):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        detail = f"`{key}` was {_shown(old)} and is now {_shown(new)}"
        if key in ("backgrounds", "foregrounds") and old and new and len(old) == len(new):
            old, new = next(pair for pair in zip(old, new, strict=True) if pair[0] != pair[1])
            detail = f"of the {key}, {old['source']} is now {new['source']} or another picture"
        raise DatasetError(
            f"{output} was begun with other options: {detail}; start it as before, or choose another `output`."
        )


def _shown(value) -> str:
    if isinstance(value, dict):
        return " ".join(str(part) for part in value.values())
    if isinstance(value, list):
        return ",".join(str(part) for part in value) if len(value) <= 4 else f"{len(value)} of them"
    return str(value)
