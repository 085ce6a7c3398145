"""Draws scene number `index`: rooms, corridors, streets and land in turn, each from (seed, index) alone."""

import numpy as np

from data_pipelines.demo.indoors import corridor, room
from data_pipelines.demo.outdoors import land, street
from data_pipelines.demo.raycast import Scene

BUILDERS = (room, corridor, street, land)


def build_scene(seed: int, index: int) -> Scene:
    """Builds the scene of an index: camera, solids and light, independent of resolution.

    Args:
      seed: of the random numbers.
      index: number of the scene; its kind is `index` modulo the number of kinds.
    """
    rng = np.random.Generator(np.random.PCG64([seed, index, 0]))
    return BUILDERS[index % len(BUILDERS)](rng)
