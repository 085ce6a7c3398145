"""A drawn sequence of a fixed camera: a background, and frames of somebody who walks through it, with true labels.

    background/bg.png        uint8, the background
    input/in000001.jpg       frames: another exposure each, noise, a shadow that walks along
    groundtruth/gt000001.png 255 foreground, 0 background, 170 where a pixel is only partly covered
    depth/d000001.png        16 bits, millimetres

as CDnet lays out its sequences. A function of (seed, number of the scene, size, frames), as all demo sources are.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from data_pipelines.demo import sources as demo_sources

FOREGROUND, UNDECIDED = 255, 170
DECIDED = (26, 230)  # of 255: below it is background, above it foreground
WALKERS = 2
CUTOUT_HEIGHT = 220  # pixels, in which walkers are drawn before they are scaled
ROWS = (0.92, 0.85, 0.78)  # that they may walk along, as shares of the picture's height
COLUMNS = tuple(np.linspace(0.06, 0.94, 12))
LEAST_WAY, MARGIN = 0.2, 0.02  # of the picture's width; the search is coarse
EXPOSURE, NOISE = 0.06, 2.0  # logarithm of the gain; standard deviation in levels


@dataclass(frozen=True)
class Frame:
    """One frame with true labels.

    Attributes:
        picture: uint8 [height, width, 3].
        truth: uint8 [height, width], as in groundtruth.
        depth: float32 [height, width], metres.
    """

    picture: np.ndarray
    truth: np.ndarray
    depth: np.ndarray


def draw_background(seed: int, number: int, height: int, width: int) -> np.ndarray:
    """Draws what the camera sees when nobody is there, uint8 [height, width, 3]."""
    return demo_sources.draw_background(seed, number, height, width).picture


def draw_background_depth(seed: int, number: int, height: int, width: int) -> np.ndarray:
    """Draws how far away everything is when nobody is there, float32 [height, width], metres."""
    return demo_sources.draw_background(seed, number, height, width).depth


def draw_frames(seed: int, number: int, height: int, width: int, count: int) -> Iterator[Frame]:
    """Draws `count` frames, in which somebody walks from the left to the right and somebody else the other way."""
    scene = demo_sources.build_scene(seed, number)
    walkers = [demo_sources.draw_foreground(seed + 1, 4 * (number + k), CUTOUT_HEIGHT) for k in range(WALKERS)]
    ways = _find_ways(scene, height, width, walkers)
    rng = np.random.default_rng([seed, number])
    for place in np.linspace(0, 1, count):
        cards = [
            demo_sources.Card(walker, start + (end - start) * place, row, flipped=end < start)
            for walker, (row, start, end) in zip(walkers, ways, strict=True)
        ]
        rendering = demo_sources.render_scene(scene, height, width, cards)
        gain = np.exp(EXPOSURE * rng.uniform(-1, 1, 3))
        picture = rendering.picture * gain + rng.normal(0, NOISE, rendering.picture.shape)
        truth = np.where(rendering.mask > DECIDED[1], FOREGROUND, np.where(rendering.mask < DECIDED[0], 0, UNDECIDED))
        yield Frame(np.clip(picture.round(), 0, 255).astype(np.uint8), truth.astype(np.uint8), rendering.depth)


def _find_ways(scene, height: int, width: int, walkers: list) -> list[tuple[float, float, float]]:
    """Returns for each walker (row, first column, last column), every other one from right to left."""
    free = []
    for row in ROWS:
        ground = [column for column in COLUMNS if _is_ground(scene, height, width, walkers[0], column, row)]
        if ground and ground[-1] - ground[0] >= LEAST_WAY:
            free.append((row, ground[0] + MARGIN, ground[-1] - MARGIN))
    if not free:
        raise ValueError("there is no room to walk in this scene; take another number.")
    ways = [free[min(k, len(free) - 1)] for k in range(len(walkers))]
    return [(row, *((last, first) if k % 2 else (first, last))) for k, (row, first, last) in enumerate(ways)]


def _is_ground(scene, height: int, width: int, walker, column: float, row: float) -> bool:
    try:
        demo_sources.render_scene(
            scene, max(4, height // 8), max(4, width // 8), [demo_sources.Card(walker, column, row)]
        )
    except ValueError:  # a wall, or the sky
        return False
    return True
