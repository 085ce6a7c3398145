"""Draws cutout number `index`: people, animals, vehicles and furniture, each from (seed, index) alone."""

import math
from dataclasses import dataclass

import numpy as np

from data_pipelines.demo.animals import animal
from data_pipelines.demo.canvas import StudioLight, draw
from data_pipelines.demo.objects import furniture
from data_pipelines.demo.people import person
from data_pipelines.demo.vehicles import vehicle

KINDS = {"person": person, "animal": animal, "vehicle": vehicle, "furniture": furniture}
ORDER = ("person", "animal", "person", "vehicle", "person", "furniture")
USUAL_PEOPLE = 0.5  # share of people in it


@dataclass(frozen=True)
class Foreground:
    """A cutout, with what placing it in a scene needs.

    Attributes:
      picture: uint8 [h, w, 4], straight (not premultiplied) alpha.
      relief: float32 [h, w], metres behind (+) or before (-) the place where it stands.
      physical_height: metres.
      kind: a key of KINDS.
    """

    picture: np.ndarray
    relief: np.ndarray
    physical_height: float
    kind: str


def draw_foreground(seed: int, index: int, height: int = 256, people: float = USUAL_PEOPLE) -> Foreground:
    """Draws the cutout of an index, `height` pixels high.

    Args:
      seed: of the random numbers.
      index: number of the cutout.
      height: pixels.
      people: share of all cutouts that are people, from 0 to 1.

    Raises:
      ValueError: where `height` is less than 8.
    """
    if height < 8:
        raise ValueError(f"height={height}: a cut-out needs at least 8 rows")
    rng = np.random.Generator(np.random.PCG64([seed, index, 1]))
    kind = ORDER[index % len(ORDER)] if people == USUAL_PEOPLE else _choose_kind(index, people)
    light = StudioLight(
        key=(float(rng.choice([-1, 1])) * rng.uniform(0.2, 0.9), rng.uniform(0.6, 1.1), -rng.uniform(0.5, 1.0)),
        strength=rng.uniform(0.65, 1.0),
        warmth=rng.normal(0.02, 0.05),
    )
    picture, relief, metres = draw(KINDS[kind](rng), height, light)
    return Foreground(picture, relief, float(metres), kind)


def _choose_kind(index: int, people: float) -> str:
    """Returns the kind of the cutout of an index: people evenly among the others, which come in turn."""
    before = math.floor(index * people + 1e-9)
    if math.floor((index + 1) * people + 1e-9) > before:
        return "person"
    others = [kind for kind in KINDS if kind != "person"]
    return others[(index - before) % len(others)]
