"""Echoes: by hand, how often each composite comes and when, and that the stream goes on wherever it was left."""

import numpy as np
import pytest
import tensorflow as tf

from fgseg_tf.data import data_echoing
from fgseg_tf.data.data_echoing import Echo

pytestmark = pytest.mark.both_stacks


@pytest.fixture(autouse=True)
def windows_of_eight(monkeypatch):
    monkeypatch.setattr(data_echoing, "WINDOW", 9)  # which batches of 2 and 4 do not fill


def shown(echoes: Echo, first: int, count: int) -> np.ndarray:
    """[count, batch]: composites that are numbers, batch by batch."""
    numbers = tf.data.Dataset.range(echoes.composites_before(first), 10**6)
    composites = numbers.map(lambda number: {"number": number, "tenfold": tf.fill([2, 3], 10 * number)})
    batches = list(echoes.batches(composites, first).take(count))
    for batch in batches:
        np.testing.assert_array_equal(batch["tenfold"], 10 * np.tile(batch["number"][:, None, None], (1, 2, 3)))
    return np.array([batch["number"] for batch in batches])


def test_each_composite_of_a_window_comes_as_often_as_was_said():
    echoes = Echo(3, 4, tf.constant([5, 6]))
    assert echoes.window == 8
    one, other = np.split(shown(echoes, 0, 12), 2)
    for window, batches in enumerate((one, other)):
        assert sorted(batches.ravel()) == sorted([*range(8 * window, 8 * window + 8)] * 3)
        assert (np.diff(batches.ravel()) < 0).any()
    # In each window in another order, and with another seed too.
    assert (one + 8 != other).any()
    assert (shown(Echo(3, 4, tf.constant([5, 7])), 0, 6) != one).any()


@pytest.mark.parametrize("before", [0, 3])
def test_started_anywhere_it_goes_on_as_if_it_had_never_stopped(before):
    """before: examples that another stage, of another batch, has shown."""
    echoes = Echo(3, 4, tf.constant([5, 6]))
    batches = shown(echoes, before, 16)
    for done in (1, 5, 6, 7, 13):
        np.testing.assert_array_equal(shown(echoes, before + 4 * done, 2), batches[done : done + 2])


def test_windows_by_hand():
    echoes = Echo(3, 2, tf.constant([0, 0]))
    assert echoes.window == 8
    # 24 examples each.
    assert [echoes.composites_before(first) for first in (0, 23, 24, 47, 48)] == [0, 0, 8, 8, 16]
    assert Echo(1, 20, tf.constant([0, 0])).window == 20


def test_shapes_are_static():
    composites = tf.data.Dataset.from_tensors({"picture": tf.zeros([4, 5, 3])}).repeat()
    assert Echo(2, 4, tf.constant([0, 0])).batches(composites, 0).element_spec["picture"].shape == (4, 4, 5, 3)
