"""Opens what a network is trained and scored on, wherever it comes from."""

from data_pipelines.config import DatasetConfig
from fgseg_tf.data.base import Data
from fgseg_tf.data.composite_data import CompositeData
from fgseg_tf.data.shard_data import ShardData


def reopen_data(description: dict) -> Data:
    """Opens what a run was trained on, from the `data` of its settings."""
    if "shards" in description:
        return ShardData(description["shards"])
    return CompositeData(DatasetConfig.from_dict(description["recipe"]))
