"""What several tests look at: a few small sources made by hand, and a finished data set made from them."""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import os
import signal

import numpy as np
import pytest
from repository import ROOT
from tiny_data import (
    BACKGROUNDS,
    CUTOUTS,
    DEPTH_SCALE,
    FIELD_OF_VIEW,
    HEIGHT,
    LIVELY,
    SIDE,
    WIDTH,
    draw_cutout,
    draw_room,
)

from data_pipelines.config import DatasetConfig
from data_pipelines.sources.source_set import Origin, Sources
from data_pipelines.tfrecord.export import export_dataset
from fgseg_tf.calibration.camera_folder import FITTED, CameraSetup
from fgseg_tf.inference.segmenter import Segmenter
from fgseg_tf.model import object_depth, weights
from fgseg_tf.model.two_branch import ARCHITECTURES, build

# Where this is started in the background of a script, SIGINT is ignored, and so it is in every process that a test
# starts and interrupts. Handlers are not inherited.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# For processes that a test starts: this checkout, and what is in support/.
os.environ["PYTHONPATH"] = os.pathsep.join(
    [str(ROOT), str(ROOT / "tests" / "support"), *filter(None, [os.environ.get("PYTHONPATH")])]
)
from fgseg_tf.serving import camera_model as serving_camera
from fgseg_tf.serving import saved_model as serving


def pytest_addoption(parser):
    parser.addoption("--both-stacks-only", action="store_true", help="Leave out tests not marked both_stacks.")


# Files that take a minute or more, longest first. With `--dist=loadfile --no-loadscope-reorder` they are begun in this
# order, so that no processor waits for one of them at the end; otherwise the files with most tests would come first.
LONG_FILES = (
    "docs/test_documented_commands.py",
    "tools/test_torture.py",
    "fgseg_tf/training/test_loop.py",
    "fgseg_tf/data/test_data.py",
    "fgseg_tf/commands/test_train.py",
    "tools/test_benchmark.py",
    "fgseg_tf/commands/test_export.py",
    "data_pipelines/tfrecord/test_export.py",
    "fgseg_tf/commands/test_make_data.py",
    "fgseg_tf/evaluation/test_training_comparison.py",
    "fgseg_tf/commands/test_evaluate.py",
    "data_pipelines/teacher/test_training.py",
    "fgseg_tf/training/test_distribution.py",
    "tools/test_walkthrough.py",
)


def pytest_collection_modifyitems(config, items):
    """Puts long files first, and leaves out, where it is asked for, what one stack shows for both."""
    order = {ROOT / "tests" / name: number for number, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: order.get(item.path, len(order)))
    if config.getoption("--both-stacks-only"):
        config.hook.pytest_deselected(items=[item for item in items if not item.get_closest_marker("both_stacks")])
        items[:] = [item for item in items if item.get_closest_marker("both_stacks")]


@pytest.fixture(scope="session")
def tiny_sources() -> Sources:
    """5 backgrounds of 48 x 64 whose depth is known, and 4 cut-outs."""
    rooms = [draw_room(number) for number in range(BACKGROUNDS)]
    cutouts = [draw_cutout(number) for number in range(CUTOUTS)]
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
    options = DatasetConfig(height=HEIGHT, width=WIDTH, labels="exact", holdout=0.3, placement=LIVELY)
    export_dataset(tiny_sources, options, folder, load_teacher=None, teacher_identity={}, shard_count=2)
    return folder


@pytest.fixture(scope="session")
def untrained_network():
    """The small network, whose BatchNorm is not the identity, and of which no two arrays are alike."""
    made = build(ARCHITECTURES["small"])
    rng = np.random.default_rng(0)
    values = {
        name: value if value.ndim > 1 else rng.uniform(0.5, 1.5, value.shape).astype("f4")
        for name, value in weights.get_arrays(made).items()
    }
    weights.set_arrays(made, values, "these")
    return made


@pytest.fixture(scope="session")
def untrained_object_depth():
    """The network for the depth of objects, with random weights."""
    return object_depth.build()


@pytest.fixture(scope="session")
def room_camera() -> CameraSetup:
    """A camera before a floor and a wall, of 48 x 64, with a hole in its depth."""
    picture, depth = draw_room(1)
    depth[12:20, 30:40] = 0
    return CameraSetup(picture, depth, FITTED, "drawn")


@pytest.fixture(scope="session")
def saved_model(untrained_network, untrained_object_depth, tmp_path_factory) -> str:
    """The folder of its SavedModel, which looks at pictures of 48."""
    folder = str(tmp_path_factory.mktemp("saved_model") / "1")
    serving.save(untrained_network, SIDE, DEPTH_SCALE, folder, untrained_object_depth)
    return folder


@pytest.fixture(scope="session")
def segmenter(untrained_object_depth) -> Segmenter:
    """The packaged small network, which sees an object and its background, and looks at pictures of 48."""
    return Segmenter(weights.load_packaged("small")[0], SIDE, untrained_object_depth)


@pytest.fixture(scope="session")
def camera_model(segmenter, room_camera, tmp_path_factory) -> str:
    """The folder of the SavedModel of one camera."""
    folder = str(tmp_path_factory.mktemp("camera_model") / "1")
    serving_camera.save(segmenter, DEPTH_SCALE, room_camera, folder)
    return folder
