"""Puts the weights of a finished training into the package, as the ones that predict takes without --run.

    python tools/pack_weights.py --run=runs/camera
    python tools/pack_weights.py --run=runs/object_depth

The network's name, which for masks is its size, is its name there. A card says what they are: the file's SHA-256, the
side that the network looks at, and the settings of the run.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import os

from absl import flags

from data_pipelines.runtime.cli import run_command
from fgseg_tf.model import object_depth, weights
from fgseg_tf.runs import run_folder
from fgseg_tf.runs.trained import find_best_side, load_object_depth, load_trained

_RUN = flags.DEFINE_string("run", None, "Folder of a finished training.", required=True)


def pack() -> None:
    """Packs the weights of the run, and says what was written."""
    settings = run_folder.read_run(_RUN.value, ("data",))["settings"]
    if settings["network"] == object_depth.NAME:
        network, side = load_object_depth(_RUN.value), find_best_side(settings)
    else:
        network, side, _ = load_trained(_RUN.value, "")
    card = weights.package_network(settings["network"], network, side, settings)
    size = os.path.getsize(os.path.join(weights.FOLDER, card["file"]))
    print(f"{card['file']}: {size:,} bytes, SHA-256 {card['sha256']}, looks at {card['side']} pixels")


if __name__ == "__main__":
    run_command(pack, __name__, "the run is given as --run=DIR")
