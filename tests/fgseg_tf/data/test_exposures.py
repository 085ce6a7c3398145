"""Two exposures of one camera: what stays, what follows, what grows."""

import numpy as np
import pytest
import tensorflow as tf

from fgseg_tf.data import shadows
from fgseg_tf.data.exposures import LADDER, Capture
from fgseg_tf.data.random_draws import Draws

pytestmark = pytest.mark.both_stacks

HEIGHT, WIDTH = 36, 52
TOP, LEFT, TALL, WIDE = 8, 6, 20, 12  # of the object


def example(background: float = 0.3, thing: float = 1.0) -> dict:
    """A light rectangle, left of the middle, before a darker, grained scene; depth differs from pixel to pixel."""
    grain = np.random.default_rng(0).uniform(-0.1, 0.1, (HEIGHT, WIDTH, 3))
    bg = np.clip(background + grain, 0, 1)
    mask = np.zeros((HEIGHT, WIDTH, 1))
    mask[TOP : TOP + TALL, LEFT : LEFT + WIDE] = 1
    fg_bg = bg * (1 - mask) + thing * mask
    pictures = np.round(np.concatenate([bg, fg_bg, mask], -1) * 255).astype(np.uint8)
    depth = (1000 + np.arange(HEIGHT * WIDTH)).reshape(HEIGHT, WIDTH, 1).astype(np.uint16)
    return {"index": tf.constant(7, tf.int64), "pictures": tf.constant(pictures), "depth": tf.constant(depth)}


def changed(capture: Capture, seed: int = 0, **made) -> dict:
    found = capture.change(example(**made), tf.constant([seed, 1]))
    return {key: value.numpy() for key, value in found.items()}


def many(capture: Capture, count: int, **made) -> list[dict]:
    """The same, for the first seeds, by way of tf.data."""
    seeds = tf.data.Dataset.range(count)
    return list(seeds.map(lambda n: capture.change(example(**made), tf.stack([n, 1]))).as_numpy_iterator())


def parts(pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """bg, fg_bg and mask, 0 to 1."""
    return tuple(np.split(pictures / 255, [3, 6], axis=-1))


PLAIN = {key: value.numpy() for key, value in example().items()}
BG, FG_BG, MASK = parts(PLAIN["pictures"])


def test_at_severity_0_nothing_changes():
    # Also where something else is asked for, so that all of it runs.
    for capture in (Capture(), Capture(nobody=1e-9)):
        for key, value in changed(capture).items():
            np.testing.assert_array_equal(value, PLAIN[key])
    assert not Capture()
    assert Capture(0, 1)


def test_the_seed_decides():
    capture = Capture(2, 4)
    one, again, other = (changed(capture, seed)["pictures"] for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert (one != other).mean() > 0.5


def test_in_tf_data_as_by_itself():
    capture = Capture(4, 4, nobody=0.3, ghosts=0.3)
    for seed, found in enumerate(many(capture, 3)):
        alone = changed(capture, seed)
        # In a graph, a last bit before rounding may fall the other way.
        assert np.abs(found["pictures"].astype(int) - alone["pictures"]).mean() < 0.05
        np.testing.assert_array_equal(found["depth"], alone["depth"])


def test_the_two_exposures_differ_in_what_is_the_same_scene():
    outside = MASK[..., 0] == 0
    differences = []
    for severity in LADDER:
        rows = [parts(found["pictures"]) for found in many(Capture(severity, severity), 24)]
        differences.append(np.mean([np.abs(bg - fg_bg)[outside].mean() for bg, fg_bg, _ in rows]))
    assert differences[0] == 0
    assert (np.diff(differences) > 0.005).all()
    assert differences[4] > 0.08


def test_labels_follow_the_frame():
    moved = by_a_pixel = 0
    for seed, found in enumerate(many(Capture(3, 3), 16, background=0.2)):
        _, fg_bg, mask = parts(found["pictures"])
        light = fg_bg.mean(-1) > (np.median(fg_bg) + fg_bg.max()) / 2
        inside = mask[..., 0] >= 0.5
        assert (light & inside).sum() / (light | inside).sum() > 0.75, seed
        # Codes come from where the mask comes from, and none is invented.
        assert set(np.unique(found["depth"])) <= set(np.unique(PLAIN["depth"]))
        moved += (mask != MASK).any()
        if (found["depth"] != PLAIN["depth"]).any():
            by_a_pixel += 1
            rows, columns = np.divmod(found["depth"][..., 0].astype(int) - 1000, WIDTH)
            was_inside = (rows >= TOP) & (rows < TOP + TALL) & (columns >= LEFT) & (columns < LEFT + WIDE)
            assert (was_inside & inside).sum() / (was_inside | inside).sum() > 0.9
        else:
            # Not moved, or by less than half a pixel.
            assert np.abs(mask - MASK).max() < 0.6
    assert by_a_pixel
    # By a coin.
    assert 3 <= moved <= 13


def test_nobody():
    found = changed(Capture(nobody=1))
    bg, fg_bg, mask = parts(found["pictures"])
    np.testing.assert_array_equal(bg, BG)
    np.testing.assert_array_equal(fg_bg, BG)
    assert not mask.any()
    # How far the scene is behind the object, nobody knows.
    np.testing.assert_array_equal(found["depth"], np.where(MASK > 0, 0, PLAIN["depth"]))


def test_a_ghost_stands_in_the_empty_scene_only():
    found = changed(Capture(ghosts=1))
    bg, fg_bg, mask = parts(found["pictures"])
    np.testing.assert_array_equal(fg_bg, FG_BG)
    np.testing.assert_array_equal(mask, MASK)
    there = MASK[:, ::-1, 0] > 0
    assert (bg[there] == 1).all()
    np.testing.assert_array_equal(bg[~there], BG[~there])
    np.testing.assert_array_equal(found["depth"], PLAIN["depth"])


def test_how_many():
    capture = Capture(nobody=0.25, ghosts=0.5)
    nobody = ghosts = 0
    for found in many(capture, 200):
        bg, _, mask = parts(found["pictures"])
        nobody += not mask.any()
        ghosts += (bg != BG).any()
    assert 30 <= nobody <= 70
    assert 75 <= ghosts <= 125


def test_shadows_and_light_are_not_foreground_and_the_object_keeps_its_own():
    """At the full strength of the scene alone, which no other severity shows by itself."""
    darkened = 0
    for seed in range(20):
        draws = Draws(tf.constant([seed, 0]))
        shade = shadows.compute_shadows(tf.constant(MASK, tf.float32), tf.constant(1.0), draws).numpy()
        assert shade.shape == (HEIGHT, WIDTH, 3)
        assert shade.min() >= 0
        assert shade.max() <= 1
        darkened += shade.min() < 0.8
        # Most of the scene lies in the light.
        assert np.median(shade) == 1 or (shade > 0.99).mean() > 0.3
    assert darkened > 8
    # Through `change`, none of it is in the mask.
    for found in many(Capture(4, 4), 8):
        mask = parts(found["pictures"])[2]
        assert abs(int((mask >= 0.5).sum()) - TALL * WIDE) <= 0.12 * TALL * WIDE


def test_everything_throws_its_shadow_from_its_own_foot():
    near, far = np.zeros((HEIGHT, WIDTH, 1), np.float32), np.zeros((HEIGHT, WIDTH, 1), np.float32)
    near[18:34, 6:12], far[4:20, 38:44] = 1, 1
    objects = shadows._separate_objects(tf.constant(near + far))
    np.testing.assert_array_equal(objects[..., None], [near, far, np.zeros_like(far)])

    def shade(mask, seed):
        return shadows.compute_shadows(tf.constant(mask), tf.constant(1.0), Draws(tf.constant([seed, 0]))).numpy()

    dark = 0
    for seed in range(12):
        apart = np.minimum(shade(near, seed), shade(far, seed))
        # But for how soft outlines lie over one another.
        assert np.abs(shade(near + far, seed) - apart).mean() < 0.01
        dark += (apart < 0.7).mean() > 0.02
    assert dark > 2


def test_more_things_than_shadows_of_their_own():
    row = np.array([1, 0, 1, 1, 0, 0.5, 0, 1, 1], np.float32)
    things = shadows._separate_objects(tf.constant(np.stack([row, 0 * row])[..., None]))
    np.testing.assert_array_equal(
        things[:, 0], [[1, 0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0.5, 0, 1, 1]]
    )
    assert not things[:, 1].numpy().any()


def test_small_pictures():
    pictures = np.random.default_rng(1).integers(0, 256, (12, 9, 7), np.uint8)
    pictures[..., 6] = 0
    depth = np.full((12, 9, 1), 500, np.uint16)
    found = Capture(4, 4).change({"pictures": tf.constant(pictures), "depth": tf.constant(depth)}, [1, 2])
    assert found["pictures"].shape == (12, 9, 7)
    assert not found["pictures"].numpy()[..., 6].any()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"least": 0, "most": 5}, r"a severity from 0 to 5 is not on the ladder; it goes from 0 to 4\."),
        ({"least": 3, "most": 2}, "a severity from 3 to 2 is not on the ladder"),
        ({"least": float("nan"), "most": 2}, "a severity from nan to 2"),
        ({"nobody": 0.6, "ghosts": 0.6}, r"nobody=0.6 and ghosts=0.6 are not shares of all examples\."),
        ({"nobody": -0.1}, "nobody=-0.1"),
    ],
)
def test_what_is_refused(settings, said):
    with pytest.raises(ValueError, match=said):
        Capture(**settings)
