"""Trains the small teacher on demo scenes, whose depth is exact, and writes its weights.

  python tools/train_teacher.py --work=/tmp/teacher --output=data_pipelines/weights/teacher_small.npz

Scenes are rendered once into `--work` by two processes while training runs. Every `--report_every` steps the averaged
weights are scored on scenes of another seed, and written to `--output` where they are the best so far; started again,
all of it goes on where it stopped. `--rgbd` names folders with rgb/ and depth/ (16-bit PNG, millimetres, 0 = unknown;
the same names): real pictures to report on, never to train or to choose by.

The weights in the package: 5000 steps at 96 x 128 on 4000 scenes (before cards and random filters were added here),
then 1500 of 2600 at 192 x 256 with `--start` on 3000 others. Soon after that the scores on unseen scenes became no
better, so more scenes, not more steps, would help. 200 scenes of a third seed: abs_rel 0.177, delta_1.25 0.71 (flat:
0.50). Photographs are beyond it: on 12 pictures of a classroom, scaled_abs_rel 0.40 (flat: 0.36).
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import tensorflow as tf
from absl import flags

from data_pipelines.runtime.cli import run_command
from data_pipelines.teacher.scenes import load_scenes, read_real_pictures, start_rendering
from data_pipelines.teacher.training import CHOSEN_BY, TeacherTraining, train

_WORK = flags.DEFINE_string(
    "work", None, "Folder for rendered scenes and checkpoints (about 250 kB a scene).", required=True
)
_OUTPUT = flags.DEFINE_string("output", None, "The .npz file to write.", required=True)
_START = flags.DEFINE_string("start", "", "An .npz file to begin with, such as one trained at a smaller size.")
_RGBD = flags.DEFINE_multi_string("rgbd", [], "Folders of real pictures with depth, to report on.")
_SCENES = flags.DEFINE_integer("scenes", 4000, "Scenes to train on; more of them generalise better.", lower_bound=1)
_VALIDATION_SCENES = flags.DEFINE_integer(
    "validation_scenes", 200, "Scenes of another seed to report on and choose by.", lower_bound=1
)
_SEED = flags.DEFINE_integer("seed", 0, "Of the training scenes; validation scenes have the next one.")
_HEIGHT = flags.DEFINE_integer("height", 192, "Of the pictures; the teacher sees best at the size it was trained at.")
_WIDTH = flags.DEFINE_integer("width", 256, "Of the pictures.")
_STEPS = flags.DEFINE_integer(
    "steps",
    6000,
    "Optimizer steps in all; the learning rate ends at 0 there. 0: only report on --start.",
    lower_bound=0,
)
_BATCH_SIZE = flags.DEFINE_integer("batch_size", 16, "Pictures in a step.", lower_bound=1)
_LEARNING_RATE = flags.DEFINE_float("learning_rate", 1e-3, "Of AdamW, at its highest.", lower_bound=0)
_REPORT_EVERY = flags.DEFINE_integer("report_every", 500, "Steps between scores.", lower_bound=1)
_BFLOAT16 = flags.DEFINE_bool("bfloat16", False, "Convolve in bfloat16: a third faster on CPUs that have avx512_bf16.")


def train_teacher() -> None:
    """Renders scenes and trains on them."""
    if _BFLOAT16.value:
        tf.config.optimizer.set_experimental_options({"auto_mixed_precision_onednn_bfloat16": True})
    settings = TeacherTraining(
        work=Path(_WORK.value),
        output=Path(_OUTPUT.value),
        start=_START.value,
        size=(_HEIGHT.value, _WIDTH.value),
        seed=_SEED.value,
        scenes=_SCENES.value,
        steps=_STEPS.value,
        batch_size=_BATCH_SIZE.value,
        learning_rate=_LEARNING_RATE.value,
        report_every=_REPORT_EVERY.value,
    )
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        validation = start_rendering(pool, settings.work, settings.size, settings.seed + 1, _VALIDATION_SCENES.value)
        training = start_rendering(pool, settings.work, settings.size, settings.seed, settings.scenes)
        scored = {CHOSEN_BY: load_scenes(validation)}
        scored |= {Path(folder).name: read_real_pictures(Path(folder), settings.size) for folder in _RGBD.value}
        train(settings, training, scored, print)


if __name__ == "__main__":
    run_command(train_teacher, __name__, "folders are given as --work=DIR and --output=DIR")
