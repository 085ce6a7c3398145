"""Trains the two-branch network, stage by stage; started again with the same flags, it goes on where it stopped.

    fgseg train --recipe=tiny --data=out --run=runs/tiny
    fgseg train --recipe=base --data=demo --run=runs/demo
    fgseg train --flagfile=mine.flags --backgrounds=DIR --foregrounds=DIR --run=DIR

`python -m fgseg_tf.train` is the same. --data names a folder of shards, or composites are made on the fly: from demo
sources, or from your pictures. --recipe=NAME takes a flag file that comes with the package (base, camera, photographs,
photographs_camera, published, quickstart, tiny). Exit status 1, with one sentence, when something is wrong with what it
was given; what was learned is kept.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

from pathlib import Path

import tensorflow as tf
from absl import flags

from data_pipelines import dataset_flags
from data_pipelines.runtime.cli import format_flags, run_command
from data_pipelines.runtime.errors import describe_error
from data_pipelines.runtime.files import join_path, write_atomic
from data_pipelines.runtime.progress import Progress
from fgseg_tf.data.base import Data
from fgseg_tf.data.composite_data import CompositeData
from fgseg_tf.data.exposures import Capture
from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.measures import losses
from fgseg_tf.model.networks import NAMES
from fgseg_tf.training import distribution
from fgseg_tf.training.loop import train
from fgseg_tf.training.optimizers import OPTIMIZERS, Optimization
from fgseg_tf.training.options import PRECISIONS, Training
from fgseg_tf.training.schedule import Stage, parse_parts, parse_stages

RECIPES = Path(__file__).parent / "flagfiles"
_OPTIMIZATION = Optimization()

_RUN = flags.DEFINE_string("run", None, "Folder of this training; local or gs://.", required=True)
_DATA = flags.DEFINE_string("data", None, "Folder of shards from tools/export_tfrecords.py, or demo: made on the fly.")

_NETWORK = flags.DEFINE_enum(
    "network",
    "base",
    list(NAMES),
    "Of masks and depth, how large: 0.5, 1.6 or 9.0 million parameters; or of the depth of objects before a background "
    "whose depth is known.",
)
_START = flags.DEFINE_string(
    "start",
    "",
    "First weights: small or base, of the package, or the folder of a finished run; of this --network, or of a smaller "
    "one, whose outputs it then begins with. Random without it.",
)
_STAGES = flags.DEFINE_string(
    "stages",
    "4@64; 2@96",
    "EPOCHS@SIZE, one after the other, each with what differs in it: 10@64; 2@96 rate=1e-4 freeze=mask+joint. Size is "
    "the shorter side; 0 that of the data.",
)
_EXAMPLES_PER_EPOCH = flags.DEFINE_integer("examples_per_epoch", 0, "0 for the whole training split.")
_BATCH = flags.DEFINE_integer("batch", 32, "Examples in a step, over all replicas.", lower_bound=1)
_RATE = flags.DEFINE_float("rate", 2e-3, "Learning rate after warm-up; it falls to 0 as a cosine in each stage.")
_MASK_LOSS = flags.DEFINE_string("mask_loss", "dice", "Sum of dice, tversky, bce, edge, l1: dice+0.5*bce.")
_DEPTH_LOSS = flags.DEFINE_string("depth_loss", "ssim", "Sum of ssim, l1, relative, gradient, dice: ssim+0.1*l1.")
_WEIGHTING = flags.DEFINE_enum("weighting", _OPTIMIZATION.weighting, ["fixed", "learned"], "Between the branches.")
_FREEZE = flags.DEFINE_string("freeze", "", "Parts that do not learn: stem, background, joint, mask, depth; with +.")
_OPTIMIZER = flags.DEFINE_enum("optimizer", _OPTIMIZATION.optimizer, list(OPTIMIZERS), "What changes the weights.")
_WEIGHT_DECAY = flags.DEFINE_float("weight_decay", _OPTIMIZATION.weight_decay, "0 for none.")
_WARMUP = flags.DEFINE_float("warmup", _OPTIMIZATION.warmup, "Share of a stage in which the rate rises.")
_CLIP = flags.DEFINE_float("clip", _OPTIMIZATION.clip, "Largest norm of all gradients together; 0 for no limit.")
_AVERAGE = flags.DEFINE_float("average", _OPTIMIZATION.average, "Running average of the weights: kept a step; 0: none.")
_PRECISION = flags.DEFINE_enum(
    "precision", "float32", list(PRECISIONS), "mixed_bfloat16 is faster on GPUs, TPUs and CPUs with AVX-512 BF16."
)
_JIT_COMPILE = flags.DEFINE_bool("jit_compile", False, "Compile the step by XLA; on CPUs it is slower.")
_MIRROR = flags.DEFINE_bool("mirror", True, "Mirror half of the examples.")
_ECHO = flags.DEFINE_integer("echo", 1, "Show each composite so often; for a GPU that waits for them.", lower_bound=1)
_CAPTURE = flags.DEFINE_string(
    "capture",
    "0",
    "How much the two exposures of an example differ, from 0 (not at all) to 4 (badly), or evenly from one to another: "
    "0-3. A network trained at 0 fails on real cameras.",
)
_NOBODY = flags.DEFINE_float("nobody", 0.0, "Share of examples from which the object is taken away.")
_GHOSTS = flags.DEFINE_float("ghosts", 0.0, "Share of examples whose background shows somebody who has left.")
_STRATEGY = flags.DEFINE_enum("strategy", "auto", list(distribution.NAMES), "Which devices train together.")
_TPU = flags.DEFINE_string("tpu", "", "Address of the TPU; empty for the one of this machine.")
_DETERMINISTIC = flags.DEFINE_bool(
    "deterministic", False, "Same weights from the same flags, also after a kill; slower."
)
_VALIDATE = flags.DEFINE_integer("validate", 256, "Unseen examples scored after each epoch; 0 for none.")
_RESTART = flags.DEFINE_bool("restart", False, "Throw the checkpoints of the run away, and begin it anew.")
_CHECKPOINT_MINUTES = flags.DEFINE_float("checkpoint_minutes", 5.0, "Between checkpoints within an epoch.")
flags.adopt_module_key_flags(dataset_flags)


def run() -> None:
    """Trains as the flags say, and keeps the flags in the run folder."""
    # First of all: workers and TPUs cannot be set up once TensorFlow has begun.
    strategy = distribution.make_strategy(_STRATEGY.value, _TPU.value)
    training = training_from_flags()
    data = data_from_flags()
    try:
        train(training, data, _RUN.value, strategy, Progress, print, _RESTART.value)
    except tf.errors.DataLossError as error:
        raise ValueError(f"{data.explain_failure()} ({describe_error(error)})") from error
    flags.FLAGS["restart"].value = False  # who goes on with run.flags must not begin anew
    write_atomic(join_path(_RUN.value, "run.flags"), format_flags())
    print(f"{_RUN.value}/model.keras is trained; next: python -m fgseg_tf.evaluate --run={_RUN.value}")


def training_from_flags() -> Training:
    """Returns the options of the training that the flags describe."""
    usual = Stage(
        epochs=1,
        side=0,
        batch=_BATCH.value,
        rate=_RATE.value,
        mask_loss=losses.parse_loss(_MASK_LOSS.value, "mask"),
        depth_loss=losses.parse_loss(_DEPTH_LOSS.value, "depth"),
        freeze=parse_parts(_FREEZE.value),
    )
    return Training(
        parse_stages(_STAGES.value, usual),
        network=_NETWORK.value,
        start=_START.value,
        examples_per_epoch=_EXAMPLES_PER_EPOCH.value,
        optimization=Optimization(
            optimizer=_OPTIMIZER.value,
            weight_decay=_WEIGHT_DECAY.value,
            warmup=_WARMUP.value,
            clip=_CLIP.value,
            average=_AVERAGE.value,
            weighting=_WEIGHTING.value,
        ),
        precision=_PRECISION.value,
        jit_compile=_JIT_COMPILE.value,
        seed=dataset_flags.SEED.value,
        deterministic=_DETERMINISTIC.value,
        mirror=_MIRROR.value,
        echo=_ECHO.value,
        capture=Capture(*parse_severities(_CAPTURE.value), _NOBODY.value, _GHOSTS.value),
        validate=_VALIDATE.value,
        checkpoint_minutes=_CHECKPOINT_MINUTES.value,
    )


def data_from_flags() -> Data:
    """Opens what the flags name: shards, or composites on the fly."""
    folders = dataset_flags.BACKGROUNDS.value, dataset_flags.FOREGROUNDS.value
    if _DATA.value not in (None, "demo"):
        if any(folders):
            raise ValueError("--data=DIR and --backgrounds/--foregrounds are two sources of data; give one of them.")
        return ShardData(_DATA.value)
    if _DATA.value is None and not any(folders):
        raise ValueError("say what to train on: --data=DIR, --data=demo, or --backgrounds=DIR --foregrounds=DIR.")
    return CompositeData(dataset_flags.config_from_flags(labels="ground" if any(folders) else "exact"))


def parse_severities(text: str) -> tuple[float, float]:
    """Parses "2" or "0-3"; returns the least and the greatest severity."""
    least, dash, most = text.partition("-")
    try:
        return float(least), float(most if dash else least)
    except ValueError:
        raise ValueError(f"--capture={text} is not a severity; write 2, or 0-3 for all from 0 to 3.") from None


def main() -> None:
    """Runs the command."""
    run_command(run, __name__, "folders are given as --data=DIR and --run=DIR", RECIPES)


if __name__ == "__main__":
    main()
