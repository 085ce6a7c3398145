"""How a training begins: its folder locked and claimed, its first weights, and the checkpoint that it goes on from.

Of several workers, the chief decides and the others follow. Each asks the others before it refuses anything, or they
would wait for one that has gone.
"""

import contextlib
from collections.abc import Callable

import tensorflow as tf

from data_pipelines.runtime.files import join_path, write_json
from data_pipelines.runtime.locks import LockedError, lock_folder
from fgseg_tf.model import grow, networks, weights
from fgseg_tf.runs import run_folder
from fgseg_tf.runs.run_folder import RunSettings
from fgseg_tf.runs.trained import load_weights
from fgseg_tf.training import checkpoint_files, distribution
from fgseg_tf.training.checkpoint_files import CheckpointError
from fgseg_tf.training.checkpoints import Checkpoints
from fgseg_tf.training.options import Training


def load_first_weights(training: Training, folder: str, restart: bool) -> tuple[dict | None, str | None]:
    """Returns the first weights, and the name of the smaller network that they are of.

    Both are None where the training has no `start` or is resumed, and the name also where the weights are of the
    training's own architecture. Raises ValueError where they do not fit.
    """
    if not training.start or (run_folder.has_checkpoint(folder) and not restart):
        return None, None
    network = networks.build(training.network)
    smaller = grow.initialize_from(network, load_weights(training.start), f"`start`={training.start}")
    return weights.get_arrays(network), smaller


def claim_run(
    folder: str,
    settings: RunSettings,
    earlier_digests: tuple[str, ...],
    strategy: tf.distribute.Strategy,
    restart: bool,
    held: contextlib.ExitStack,
) -> None:
    """Claims the folder: the chief first, then the other workers, which so compare their settings with the chief's.

    The chief alone locks it, until `held` ends, and throws the checkpoints away where the run is restarted.
    """
    worker = distribution.worker_number(strategy)
    for turn in (0,) if worker is None else (0, 1):
        refusal = None
        if turn == min(worker or 0, 1):
            try:
                if turn == 0:
                    held.enter_context(lock_folder(folder, "run"))
                run_folder.claim(folder, settings, earlier_digests)
                if turn == 0 and restart:
                    checkpoint_files.remove_all_but(run_folder.checkpoint_folder(folder), [])
                    write_json(join_path(folder, "history.json"), [])
            except (run_folder.RunError, LockedError) as error:
                refusal = error
        if distribution.any_worker(strategy, refusal is not None):
            raise refusal or run_folder.RunError(f"`run`={folder} was refused by another worker, which says why.")


def choose_checkpoint(
    folder: str, checkpoints: Checkpoints, strategy: tf.distribute.Strategy, say: Callable[[str], object]
) -> int:
    """Returns the number of examples seen at the checkpoint to go on from, the same on all workers; 0 to begin.

    Raises:
        CheckpointError: there are checkpoints and none of them is whole, or there were some.
    """
    refusal, seen = None, 0
    if distribution.worker_number(strategy) in (None, 0):
        try:
            seen = checkpoints.choose(say)
            # The first row of a history may be written before the first checkpoint.
            if not seen and len(run_folder.read_history(folder)) > 1:
                raise CheckpointError(
                    f"`run`={folder} has a history but no checkpoint; put checkpoints/ back from a copy, or begin anew "
                    "with `restart`."
                )
        except CheckpointError as error:
            refusal = error
    if distribution.any_worker(strategy, refusal is not None):
        raise refusal or CheckpointError(f"`run`={folder} was refused by the chief, which says why.")
    return distribution.share_from_chief(strategy, seen)
