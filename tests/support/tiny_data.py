"""A few small sources made by hand, and the sizes of what several tests look at."""

import numpy as np

from data_pipelines.config import PlacementConfig

HEIGHT, WIDTH = 48, 64
BACKGROUNDS, CUTOUTS = 5, 4
FIELD_OF_VIEW = 55.0
CUTOUT_SIZES = ((60, 24), (40, 44), (50, 30), (30, 36))
# Everything that a data set can have: several objects, cut by the edge, nobody, mirrored backgrounds.
LIVELY = PlacementConfig(
    layout="ground", places=2, max_objects=3, truncation=0.3, object_size=(0.2, 1.2), empty=0.2, flip_backgrounds=True
)


def draw_room(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A floor before a wall: uint8 [HEIGHT, WIDTH, 3], and metres, float32 [HEIGHT, WIDTH]."""
    rng = np.random.default_rng(number)
    focal = HEIGHT / 2 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    rows = np.arange(HEIGHT) + 0.5 - HEIGHT * (0.3 + 0.02 * number)
    metres = np.where(rows > 0, 1.5 * focal / np.maximum(rows, 1e-3), np.inf)
    depth = np.minimum(metres, 6.0 + number)[:, None] + np.linspace(0, 0.1, WIDTH)
    # Seen from the left it is another room than from the right, or a wrong mirroring would not show.
    shade = np.linspace(0.5, 1.0, WIDTH)[None, :, None] * (1 - depth[..., None] / 20)
    colour = rng.integers(90, 250, 3) * shade + rng.normal(0, 3, (HEIGHT, WIDTH, 1))
    return np.clip(colour, 0, 255).astype(np.uint8), depth.astype(np.float32)


def draw_cutout(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A soft-edged blob: straight RGBA, uint8 [h, w, 4], and how far each pixel is behind its front, metres."""
    height, width = CUTOUT_SIZES[number % len(CUTOUT_SIZES)]
    rng = np.random.default_rng(1000 + number)
    down, right = np.mgrid[0:height, 0:width]
    radius = np.hypot((down - (height - 1) / 2) / (height / 2), (right - (width - 1) / 2) / (width / 2))
    alpha = np.clip((1 - radius) * 4, 0, 1) * 255
    colour = rng.integers(0, 256, (2, 1, 1, 3))[(down * 4 // height) % 2, 0, 0] + rng.normal(0, 8, (height, width, 3))
    picture = np.dstack([np.clip(colour, 0, 255), alpha]).astype(np.uint8)
    return picture, (0.2 * radius).astype(np.float32)


SIDE, DEPTH_SCALE = 48, 256.0  # of the SavedModel
