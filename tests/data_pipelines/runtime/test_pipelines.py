"""Pipelines run as they were told to, and without the tuner."""

import pytest
import tensorflow as tf

from data_pipelines.runtime.pipelines import disable_tuner

pytestmark = pytest.mark.both_stacks


def test_other_options_stay():
    options = tf.data.Options()
    options.deterministic = False
    options.threading.private_threadpool_size = 3
    dataset = tf.data.Dataset.range(5).map(lambda number: 2 * number, num_parallel_calls=tf.data.AUTOTUNE)
    untuned = disable_tuner(dataset.with_options(options))
    assert untuned.options().autotune.enabled is False
    assert untuned.options().deterministic is False
    assert untuned.options().threading.private_threadpool_size == 3
    assert sorted(untuned.as_numpy_iterator()) == [0, 2, 4, 6, 8]
