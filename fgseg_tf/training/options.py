"""The options of a training, checked when they are made, and what of them is written to run.json."""

from dataclasses import asdict, dataclass, field, replace
from typing import cast

from fgseg_tf.data.base import Data
from fgseg_tf.data.exposures import Capture
from fgseg_tf.model.networks import NAMES
from fgseg_tf.runs.run_folder import RunSettings
from fgseg_tf.training.optimizers import Optimization
from fgseg_tf.training.schedule import Stage

PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True)
class Training:
    """The options of a training. The defaults are those of the flags.

    Attributes:
        stages: what is trained one after the other.
        network: name of the network, one of NAMES.
        start: where the first weights come from, as `load_weights` takes it; random ones where it is empty. They may be
            those of a smaller network (see grow.py).
        examples_per_epoch: 0 for the whole training split.
        optimization: how the weights are changed.
        precision: what layers compute in, one of PRECISIONS.
        jit_compile: whether gradients are compiled by XLA; for one replica only.
        seed: of weights, order and draws.
        deterministic: whether the same flags always give the same weights; slower.
        mirror: whether half of the examples are mirrored.
        echo: how often each composite is shown, see data_echoing.py.
        capture: how two exposures of an example differ.
        validate: examples scored after each epoch; 0 for none.
        checkpoint_minutes: time between checkpoints within an epoch; there is one after each epoch.
    """

    stages: tuple[Stage, ...]
    network: str = "base"
    start: str = ""
    examples_per_epoch: int = 0
    optimization: Optimization = field(default_factory=Optimization)
    precision: str = "float32"
    jit_compile: bool = False
    seed: int = 0
    deterministic: bool = False
    mirror: bool = True
    echo: int = 1
    capture: Capture = field(default_factory=Capture)
    validate: int = 256
    checkpoint_minutes: float = 5.0

    def __post_init__(self):
        if self.network not in NAMES:
            raise ValueError(f"`network`={self.network} is not a network; take {', '.join(NAMES)}.")
        if self.precision not in PRECISIONS:
            raise ValueError(f"`precision`={self.precision} is not one; take {', '.join(PRECISIONS)}.")
        if self.echo < 1:
            raise ValueError(f"`echo`={self.echo} shows nothing; take 1 or more.")
        for flag in ("examples_per_epoch", "validate", "seed", "checkpoint_minutes"):
            if not getattr(self, flag) >= 0:
                raise ValueError(f"`{flag}`={getattr(self, flag)} is negative or not a number.")

    def run_settings(self, data: Data) -> RunSettings:
        """Returns what decides the outcome, for run.json."""
        settings = asdict(replace(self, stages=()))
        settings |= settings.pop("optimization")
        del settings["checkpoint_minutes"], settings["validate"]
        settings["stages"] = [str(stage) for stage in self.stages]
        settings |= {"data": data.description, "data_digest": data.digest}
        settings |= {"depth_unit": data.depth_unit, "image_size": [data.height, data.width], "labels": data.labels}
        return cast(RunSettings, settings)
