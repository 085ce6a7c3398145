"""What several tests look at: a few small sources made by hand, and a finished data set made from them."""

import numpy as np
import pytest

from data_pipelines.compositing.placement import Placement
from data_pipelines.compositing.plan import Options
from data_pipelines.sources.source_set import Origin, Sources
from data_pipelines.tfrecord import export as generation
from fgseg_tf.model import weights
from fgseg_tf.model.two_branch import ARCHITECTURES, build
from fgseg_tf.serving import saved_model as serving

HEIGHT, WIDTH = 48, 64
BACKGROUNDS, CUTOUTS = 5, 4
FIELD_OF_VIEW = 55.0
CUTOUT_SIZES = ((60, 24), (40, 44), (50, 30), (30, 36))
# Everything that a data set can have: several objects, cut by the edge, nobody, mirrored backgrounds.
LIVELY = Placement(
    layout="ground", places=2, max_objects=3, truncation=0.3, object_size=(0.2, 1.2), empty=0.2, flip_backgrounds=True
)


def _room(number: int) -> tuple[np.ndarray, np.ndarray]:
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


def _cutout(number: int) -> tuple[np.ndarray, np.ndarray]:
    """A soft-edged blob: straight RGBA, uint8 [h, w, 4], and how far each pixel is behind its front, metres."""
    height, width = CUTOUT_SIZES[number % len(CUTOUT_SIZES)]
    rng = np.random.default_rng(1000 + number)
    down, right = np.mgrid[0:height, 0:width]
    radius = np.hypot((down - (height - 1) / 2) / (height / 2), (right - (width - 1) / 2) / (width / 2))
    alpha = np.clip((1 - radius) * 4, 0, 1) * 255
    colour = rng.integers(0, 256, (2, 1, 1, 3))[(down * 4 // height) % 2, 0, 0] + rng.normal(0, 8, (height, width, 3))
    picture = np.dstack([np.clip(colour, 0, 255), alpha]).astype(np.uint8)
    return picture, (0.2 * radius).astype(np.float32)


@pytest.fixture(scope="session")
def tiny_sources() -> Sources:
    """5 backgrounds of 48 x 64 whose depth is known, and 4 cut-outs."""
    rooms = [_room(number) for number in range(BACKGROUNDS)]
    cutouts = [_cutout(number) for number in range(CUTOUTS)]
    return Sources(
        backgrounds=np.stack([picture for picture, _ in rooms]),
        background_origins=tuple(Origin(f"room {number}", f"{number:064x}") for number in range(BACKGROUNDS)),
        foregrounds=tuple(picture for picture, _ in cutouts),
        foreground_origins=tuple(Origin(f"blob {number}", f"{100 + number:064x}") for number in range(CUTOUTS)),
        field_of_view=np.full(BACKGROUNDS, FIELD_OF_VIEW, np.float32),
        physical_height=np.tile(np.array([[1.5, 1.9]], np.float32), (CUTOUTS, 1)),
        true_depth=np.stack([depth for _, depth in rooms]),
        reliefs=tuple(relief for _, relief in cutouts),
    )


@pytest.fixture(scope="session")
def tiny_dataset(tiny_sources, tmp_path_factory) -> str:
    """The folder of a finished data set: 80 composites, exact labels, two shards a split. Change only copies of it."""
    folder = str(tmp_path_factory.mktemp("tiny_dataset"))
    options = Options(height=HEIGHT, width=WIDTH, labels="exact", holdout=0.3, placement=LIVELY)
    generation.export(tiny_sources, options, folder, load_teacher=None, teacher_identity={}, shard_count=2)
    return folder


SIDE, DEPTH_SCALE = 48, 256.0  # of the SavedModel


@pytest.fixture(scope="session")
def untrained_network():
    """The small network, whose BatchNorm is not the identity, and of which no two arrays are alike."""
    made = build(ARCHITECTURES["small"])
    rng = np.random.default_rng(0)
    values = {
        name: value if value.ndim > 1 else rng.uniform(0.5, 1.5, value.shape).astype("f4")
        for name, value in weights.arrays(made).items()
    }
    weights.put(made, values, "these")
    return made


@pytest.fixture(scope="session")
def saved_model(untrained_network, tmp_path_factory) -> str:
    """The folder of its SavedModel, which looks at pictures of 48."""
    folder = str(tmp_path_factory.mktemp("saved_model") / "1")
    serving.save(untrained_network, SIDE, DEPTH_SCALE, folder)
    return folder
