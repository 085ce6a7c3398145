"""Whose folder this is: a data set goes on only with the options and the pictures that it was begun with."""

from dataclasses import asdict

import tensorflow as tf

from data_pipelines.compositing.plan import Options
from data_pipelines.sources.source_set import Sources
from data_pipelines.tfrecord import shards
from data_pipelines.tfrecord.shards import DatasetError

OPTIONS = "options.json"


def identity_of(sources: Sources, options: Options, teacher: dict, shard_count: int, compare_labels: int) -> dict:
    """Everything that decides what is in the files, by the name of its flag where it has one."""
    said = asdict(options)
    layout = said.pop("placement")
    said["image_size"] = f"{said.pop('height')}x{said.pop('width')}"
    said |= {"placement": layout.pop("layout"), "placements": layout.pop("places"), **layout}
    said |= {"shards": shard_count, "compare_labels": compare_labels, "teacher": teacher}
    said["object_size"] = list(said["object_size"])
    said["physical_height"] = sources.physical_height.tolist()
    said["field_of_view"] = sources.field_of_view.tolist()
    for kind in ("background", "foreground"):
        origins = getattr(sources, f"{kind}_origins")
        said[f"{kind}s"] = [{"source": origin.source, "digest": origin.digest} for origin in origins]
    return said


def claim(output: str, identity: dict) -> dict | None:
    """The manifest, if the data set is finished already; None if it is to be made or gone on with."""
    note = shards.join(output, shards.PROGRESS, OPTIONS)
    if tf.io.gfile.exists(shards.join(output, shards.MANIFEST)):
        manifest = shards.read_manifest(output)
        _refuse_other(output, manifest["options"], identity)
        shards.forget_progress(output)
        return manifest
    if tf.io.gfile.exists(note):
        _refuse_other(output, shards.read_json(note), identity)
        return None
    if tf.io.gfile.isdir(output):
        strangers = sorted(n for n in tf.io.gfile.listdir(output) if n.endswith((".tfrecord", ".json", ".part")))
        if strangers:
            raise DatasetError(
                f"{output} holds {strangers[0]}, which this program cannot place; choose another --output or empty it."
            )
    shards.write_json(note, identity)
    return None


def _refuse_other(output: str, before: dict, now: dict) -> None:
    # A flag says more than the many pictures that it changed.
    for key in sorted(before.keys() | now.keys(), key=lambda key: (isinstance(now.get(key), list), key)):
        old, new = before.get(key), now.get(key)
        if old == new:
            continue
        detail = f"--{key} was {_shown(old)} and is now {_shown(new)}"
        if key in ("backgrounds", "foregrounds") and old and new and len(old) == len(new):
            old, new = next(pair for pair in zip(old, new, strict=True) if pair[0] != pair[1])
            detail = f"of the {key}, {old['source']} is now {new['source']} or another picture"
        raise DatasetError(
            f"{output} was begun with other options: {detail}; start it as before, or choose another --output."
        )


def _shown(value) -> str:
    if isinstance(value, dict):
        return " ".join(str(part) for part in value.values())
    if isinstance(value, list):
        return ",".join(str(part) for part in value) if len(value) <= 4 else f"{len(value)} of them"
    return str(value)
