"""Compares trainings that differ in a few flags: same data, same examples, several seeds.

A file names them, one on a line, with the flags that differ; lines without a name are for all of them:

    --network=small
    --stages=4@64
    dice             --mask_loss=dice
    dice and edges   --mask_loss=dice+edge
"""

import re
import shlex
from dataclasses import dataclass

import numpy as np

from fgseg_tf.evaluation.scores import Scores

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
    """A training to compare.

    Attributes:
        name: As it is written in the file.
        flags: All of its flags, those for every variant first.
    """

    name: str
    flags: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The name, as one of a folder."""
        return re.sub(r"\W+", "-", self.name.lower()).strip("-")


def parse_variants(text: str, where: str) -> tuple[Variant, ...]:
    """Returns the variants that a file names.

    Args:
        text: Of the file.
        where: Its path, for errors.

    Raises:
        ValueError: A line cannot be read, names are not unique, or there are fewer than two.
    """
    everyone: list[str] = []
    named: list[tuple[str, list[str]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = re.fullmatch(r"(.*?)(?:^|\s+)(--.*)", line)
        if not match:
            raise ValueError(f"line {number} of {where}, {line!r}, has no flags; write NAME --FLAG=VALUE.")
        try:
            flags = shlex.split(match[2])
        except ValueError as error:
            raise ValueError(f"line {number} of {where}, {line!r}, has an open quote; close it.") from error
        if match[1]:
            named.append((match[1].strip(), flags))
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


def format_comparison(results: dict[str, list[Scores]], split: str) -> str:
    """Returns a Markdown table of the mean of the seeds, and how far from it they are at most.

    Args:
        results: Name of a variant -> metrics.json of each seed.
        split: Whose scores are shown.
    """
    seeds = max(len(scores) for scores in results.values())
    lines = [
        f"| {split}, {seeds} seed{'s'[: seeds > 1]} | " + " | ".join(SHOWN.values()) + " |",
        "|---" * (len(SHOWN) + 1) + "|",
    ]
    for name, by_seed in results.items():
        if any(split not in scores["splits"] for scores in by_seed):
            raise ValueError(f"{name} was not scored on {split}, as the others were; remove its metrics.json.")
        cells = [_format_cell([scores["splits"][split]["network"][key] for scores in by_seed]) for key in SHOWN]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _format_cell(values: list) -> str:
    mean = np.mean(values)
    spread = max(abs(value - mean) for value in values)
    return f"{mean:.3f} ± {spread:.3f}" if len(values) > 1 else f"{mean:.3f}"
