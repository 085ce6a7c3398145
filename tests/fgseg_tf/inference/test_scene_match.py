"""Whether the empty scene belongs to the frame: same scene, other scene, moved camera."""

import numpy as np
import pytest
import tensorflow as tf

from fgseg_tf.inference import scene_match

pytestmark = pytest.mark.both_stacks

HEIGHT, WIDTH = 60, 84
NOBODY = np.zeros((1, HEIGHT, WIDTH, 1), np.float32)


def scene(seed: int) -> np.ndarray:
    """[H, W, 3]: blocks of grey with some grain."""
    rng = np.random.default_rng(seed)
    blocks = np.kron(rng.uniform(0.2, 0.8, (HEIGHT // 4, WIDTH // 4)), np.ones((4, 4)))
    return (blocks[..., None] + rng.normal(0, 0.01, (HEIGHT, WIDTH, 3))).astype(np.float32)


def similarity(bg, fg_bg, mask=NOBODY) -> float:
    return float(scene_match.measure_similarity(scene_match.describe_background(bg[None]), fg_bg[None], mask)[0])


def test_light_does_not_matter_and_another_scene_does():
    bg = scene(0)
    assert similarity(bg, bg) == pytest.approx(1, abs=1e-3)
    assert similarity(bg, 0.5 * bg + 0.1) > 0.95
    assert similarity(bg, scene(1)) < scene_match.SAME_SCENE
    assert similarity(bg, np.roll(bg, 6, axis=1)) < scene_match.SAME_SCENE


def test_whoever_stands_there_is_left_out():
    bg = scene(0)
    frame, mask = bg.copy(), NOBODY.copy()
    frame[:, 20:50] = scene(2)[:, 20:50]
    mask[:, :, 20:50] = 1
    assert similarity(bg, frame) < 0.8
    assert similarity(bg, frame, mask) == pytest.approx(1, abs=1e-2)
    # A mask of nearly everything is what a wrong empty scene gives: it is not believed.
    assert similarity(bg, scene(1), np.ones_like(NOBODY)) < scene_match.SAME_SCENE


def test_nothing_to_compare_is_no_doubt():
    flat = np.full((HEIGHT, WIDTH, 3), 0.5, np.float32)
    assert similarity(flat, flat) == 1
    assert similarity(flat, scene(0)) < scene_match.SAME_SCENE


def test_batches_and_graphs():
    pairs = np.stack([scene(0), scene(0)]), np.stack([scene(0), scene(1)])
    both = tf.function(
        lambda bg, frame, mask: scene_match.measure_similarity(scene_match.describe_background(bg), frame, mask)
    )(*pairs, np.concatenate([NOBODY, NOBODY]))
    np.testing.assert_allclose(both, [similarity(scene(0), scene(0)), similarity(scene(0), scene(1))], atol=1e-5)


@pytest.mark.parametrize("moved", [(0, 0), (3, -5), (-4, 2)])
def test_how_far_the_camera_moved(moved):
    bg = scene(0)
    frame = np.roll(bg, moved, (0, 1)) * 0.7 + 0.1
    assert scene_match.estimate_shift(bg, frame) == moved
