"""Manifests that somebody changed on purpose, and whose digest is right again."""

import json
from collections.abc import Callable
from pathlib import Path

from data_pipelines.tfrecord.manifest_checks import SEAL, seal


def edit_manifest(folder: str | Path, change: Callable[[dict], object], is_sealed: bool = True) -> None:
    """Changes the manifest of a data set; without `is_sealed`, as damage does."""
    path = Path(folder) / "manifest.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    if is_sealed:
        manifest[SEAL] = seal(manifest)
    path.write_text(json.dumps(manifest))
