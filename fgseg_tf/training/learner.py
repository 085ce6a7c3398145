"""What a training changes and a checkpoint holds: the network, its running average, the loss scale."""

import keras
import tensorflow as tf

from fgseg_tf.measures import losses
from fgseg_tf.model.networks import list_parts
from fgseg_tf.training.optimizers import Optimization
from fgseg_tf.training.schedule import Stage

FIRST_SCALE = 2.0**15  # of the loss, in float16
BRANCHES = ("mask", "depth")


class Learner:
    """A network with its running average, and all else that is carried from stage to stage.

    Make it in the strategy's scope.

    Args:
        network: is trained.
        options: how its weights are changed.
        float16: whether the loss must be scaled, since layers compute in float16.
    """

    def __init__(self, network: keras.Model, options: Optimization, float16: bool):
        self.network, self.options, self.float16 = network, options, float16
        # Stored, because on Keras 2 a model lists its variables in another order when parts of it are frozen.
        self.variables = list(network.variables)
        self.statistics = list(network.non_trainable_variables)
        self.weighting = losses.LearnedWeights(BRANCHES) if options.weighting == "learned" else None
        self.averages = [_variable(variable) for variable in self.variables] if options.average else []
        self.examples_seen = _variable(tf.zeros([], tf.int64))  # in all stages
        self.scale = _variable(FIRST_SCALE if float16 else 1.0)
        self.since_overflow = _variable(tf.zeros([], tf.int64))

    def freeze(self, parts: tuple[str, ...]) -> None:
        """Freezes these parts of the network, and no others."""
        for part in list_parts(self.network):
            part.trainable = part.name not in parts

    def weighting_for(self, stage: Stage) -> losses.LearnedWeights | None:
        """Returns the learned weights between the losses; None where there are none, or only one branch learns."""
        return self.weighting if stage.branches == BRANCHES and "mask" in self.network.output else None

    def trainable_variables(self, stage: Stage) -> list:
        """Returns what the optimizer of a stage is built for; call it when the stage's parts are frozen."""
        weighting = self.weighting_for(stage)
        return [*self.network.trainable_variables, *(weighting.trainable_variables if weighting else [])]

    def checkpoint_items(self) -> dict:
        """Returns what a checkpoint holds, by the names that it has there."""
        tracked = {"network": self.network, "averages": self.averages, "seen": self.examples_seen, "scale": self.scale}
        tracked["since_overflow"] = self.since_overflow
        return tracked if self.weighting is None else {**tracked, "weighting": self.weighting}

    def copy_average_to(self, network: keras.Model) -> None:
        """Fills another network with the running average, or with the weights where there is none."""
        shown = self.averages or self.variables
        network.set_weights([tf.convert_to_tensor(variable).numpy() for variable in shown])

    def weights_norm(self) -> float:
        """Returns the norm of all weights together; it is not finite where one of them is not, or is too large."""
        return float(tf.linalg.global_norm([tf.convert_to_tensor(variable) for variable in self.variables]))


def _variable(value) -> tf.Variable:
    """Returns a variable that is the same on all replicas, because each of them computes the same."""
    return tf.Variable(
        tf.convert_to_tensor(value), trainable=False, aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA
    )
