"""Opens what a network is trained and scored on, wherever it comes from."""

from fgseg_tf.data.base import Data
from fgseg_tf.data.composite_data import CompositeData, Recipe
from fgseg_tf.data.shard_data import ShardData


def reopened(description: dict) -> Data:
    """What a run was trained on."""
    if "shards" in description:
        return ShardData(description["shards"])
    recipe = description["recipe"]
    pairs = {key: tuple(recipe[key]) for key in ("object_size", "physical_height")}
    return CompositeData(Recipe(**{**recipe, **pairs}))
