"""All networks by name: two-branch networks of three sizes, and the one for the depth of objects."""

import keras

from fgseg_tf.model import object_depth, two_branch

NAMES = (*two_branch.ARCHITECTURES, object_depth.NAME)


def build(name: str, synchronized: bool = False, precision: str = "float32") -> keras.Model:
    """Builds a network with random weights.

    Args:
        name: one of NAMES.
        synchronized: whether BatchNorm takes its statistics over all replicas instead of each over its own.
        precision: what layers compute in: float32, mixed_bfloat16 or mixed_float16.
    """
    if name == object_depth.NAME:
        return object_depth.build(synchronized, precision)
    return two_branch.build(two_branch.ARCHITECTURES[name], synchronized, precision)


def list_parts(network: keras.Model) -> list[keras.Model]:
    """Returns the parts of a network, which are models themselves."""
    return [layer for layer in network.layers if isinstance(layer, keras.Model)]
