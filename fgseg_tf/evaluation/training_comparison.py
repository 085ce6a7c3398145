"""Trainings that differ in a few flags, side by side: same data, same examples, several seeds.

They are written down in a file, one a line, a name and what differs; lines without a name are for all of them:

    --network=small
    --stages=4@64
    dice             --mask_loss=dice
    dice and edges   --mask_loss=dice+edge
"""

import re
import shlex
from dataclasses import dataclass

import numpy as np

# What is shown of a split in metrics.json, and under which heading.
SHOWN = {
    "mask/iou": "mask IoU",
    "mask/boundary_f": "boundary F",
    "depth/abs_rel": "AbsRel",
    "depth/delta1": "δ < 1.25",
    "depth/pooled_rmse_over_std": "RMSE / std",
}


@dataclass(frozen=True)
class Variant:
    """flags: all of them, those for every variant first."""

    name: str
    flags: tuple[str, ...]

    @property
    def folder(self) -> str:
        return re.sub(r"\W+", "-", self.name.lower()).strip("-")


def read(text: str, where: str) -> tuple[Variant, ...]:
    """where: what the text is called in a complaint."""
    everyone: list[str] = []
    named: list[tuple[str, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = re.fullmatch(r"(.*?)(?:^|\s+)(--.*)", line)
        if not found:
            raise ValueError(f"line {number} of {where}, {line!r}, has no flags; write NAME --FLAG=VALUE.")
        try:
            flags = shlex.split(found[2])
        except ValueError as error:
            raise ValueError(f"line {number} of {where}, {line!r}, has an open quote; close it.") from error
        if found[1]:
            named.append((found[1].strip(), flags))
        else:
            everyone += flags
    variants = tuple(Variant(name, (*everyone, *flags)) for name, flags in named)
    folders = [variant.folder for variant in variants]
    for variant in variants:
        if not variant.folder or folders.count(variant.folder) > 1:
            raise ValueError(f"{variant.name!r} in {where} is no name, or that of two trainings; give it another.")
    if len(variants) < 2:
        raise ValueError(f"of trainings, {where} names {len(variants)}; two at least can be compared.")
    return variants


def table(found: dict[str, list[dict]], split: str) -> str:
    """Markdown. found: name -> metrics.json of each seed. The mean, and how far the seeds lie from it at most."""
    seeds = max(len(scores) for scores in found.values())
    lines = [
        f"| {split}, {seeds} seed{'s'[: seeds > 1]} | " + " | ".join(SHOWN.values()) + " |",
        "|---" * (len(SHOWN) + 1) + "|",
    ]
    for name, of_seeds in found.items():
        cells = [_cell([scores["splits"][split]["network"][key] for scores in of_seeds]) for key in SHOWN]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(values: list[float]) -> str:
    mean = np.mean(values)
    spread = max(abs(value - mean) for value in values)
    return f"{mean:.3f} ± {spread:.3f}" if len(values) > 1 else f"{mean:.3f}"
