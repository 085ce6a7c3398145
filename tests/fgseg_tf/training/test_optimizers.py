"""LAMB is the same five steps on both stacks, and can be checkpointed. On two devices: test_step.py."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from fgseg_tf.training.optimizers import make_lamb

pytestmark = pytest.mark.both_stacks

FIRST = [np.array([[3.0, -1.0, 0.5]]), np.zeros(2), np.array([0.1, -0.2, 0.3, 0.4])]
# The third has no gradient at first, so that weight decay is all that moves it.
GRADIENTS = [
    [np.array([[0.1, -2.0, 0.0]]) * number, np.array([1.0, -0.5]) / number, np.full(4, 0.01) * (number > 2)]
    for number in range(1, 6)
]
DECAY = 0.05


def rate(step: int) -> float:
    return 0.1 / 2**step


def lamb_by_hand(steps: int) -> list[np.ndarray]:
    """LAMB as published (You et al. 2020, algorithm 2; the scaling function is the identity), in float64."""
    found = []
    for number, first in enumerate(FIRST):
        x, m, v = first.astype(np.float64), np.zeros_like(first), np.zeros_like(first)
        for step in range(1, steps + 1):
            g = GRADIENTS[step - 1][number]
            m = 0.9 * m + 0.1 * g
            v = 0.999 * v + 0.001 * g**2
            r = (m / (1 - 0.9**step)) / (np.sqrt(v / (1 - 0.999**step)) + 1e-6)
            u = r + DECAY * x
            sizes = np.linalg.norm(x), np.linalg.norm(u)
            x = x - rate(step - 1) * (sizes[0] / sizes[1] if min(sizes) > 0 else 1) * u
        found.append(x)
    return found


def made(values=FIRST):
    schedule = keras.optimizers.schedules.ExponentialDecay(0.1, 1, 0.5)
    variables = [tf.Variable(value, dtype=tf.float32) for value in values]
    optimizer = make_lamb(schedule, DECAY)
    optimizer.build(variables)
    return variables, optimizer


def apply(optimizer, variables, step: int) -> None:
    gradients = [tf.constant(gradient, tf.float32) for gradient in GRADIENTS[step]]
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


@pytest.mark.parametrize("graph", [False, True])
def test_five_steps_by_hand(graph):
    variables, optimizer = made()
    assert int(optimizer.iterations) == 0
    a_step = tf.function(apply, reduce_retracing=False) if graph else apply
    for step in range(5):
        a_step(optimizer, variables, step)
        for variable, expected in zip(variables, lamb_by_hand(step + 1), strict=True):
            np.testing.assert_allclose(variable, expected, rtol=1e-5, atol=1e-6)
    assert int(optimizer.iterations) == 5
    # Not shrunk beside the step, as Keras's own weight_decay would: half a percent in all, not in each.
    np.testing.assert_allclose(np.linalg.norm(lamb_by_hand(1)[2]), 0.9 * np.linalg.norm(FIRST[2]))


def test_a_checkpoint_goes_on(tmp_path):
    variables, optimizer = made()
    for step in range(2):
        apply(optimizer, variables, step)
    path = tf.train.Checkpoint(variables=variables, optimizer=optimizer).save(str(tmp_path / "checkpoint"))
    others, other = made([np.ones_like(value) for value in FIRST])
    tf.train.Checkpoint(variables=others, optimizer=other).restore(path).assert_existing_objects_matched()
    assert int(other.iterations) == 2
    for step in range(2, 5):
        apply(optimizer, variables, step)
        apply(other, others, step)
    for variable, same in zip(variables, others, strict=True):
        np.testing.assert_array_equal(variable, same)
    np.testing.assert_allclose(others[0], lamb_by_hand(5)[0], rtol=1e-5)
