"""Labels made in image space against a rendering of the same scene in three dimensions, which shares no code with them.

The renderer stands an upright cut-out on the scene's ground and casts rays; `ground` labels know only the depth map.
"""

import numpy as np
import pytest

from data_pipelines.compositing import depth_labels
from data_pipelines.compositing.compositor import build_compositor
from data_pipelines.config import DatasetConfig, PlacementConfig
from data_pipelines.demo import sources as demo_sources
from data_pipelines.sources import source_set

SEED, SCENES, CUTOUTS, HEIGHT, WIDTH = 11, 8, 6, 96, 128


@pytest.fixture(scope="module")
def drawn():
    return source_set.draw_sources(SEED, SCENES, CUTOUTS, HEIGHT, WIDTH)


def compared(drawn, labels: str, count: int = 40):
    """For composites whose size perspective alone decided: their labels, and the rendering."""
    options = DatasetConfig(height=HEIGHT, width=WIDTH, labels=labels, placement=PlacementConfig(places=4), holdout=0)
    codes = depth_labels.encode_depth(drawn.true_depth).numpy()
    compositor = build_compositor(drawn, codes, options)
    split = compositor.splits[0]
    indices = split.indices(np.arange(split.count), compositor.grid, options.seed)
    placed = {key: value.numpy() for key, value in compositor.place(split, indices).items()}
    composites = compositor.plan_run(split, 0, split.count).map(lambda plan: {**plan, **compositor.compose(plan)})
    pairs = []
    for at, made in enumerate(composites.as_numpy_iterator()):
        top, left, tall, wide = (float(placed[key][at, 0]) for key in ("top", "left", "height", "width"))
        background, cutout, flipped, _ = compositor.grid.decode(int(made["index"]))
        if abs(made["relief_scale"][0] - 1) > 0.001:
            continue
        card = demo_sources.Card(
            demo_sources.draw_foreground(SEED, cutout, max(source_set.DEMO_CUTOUT_HEIGHT, HEIGHT)),
            column=(left + wide / 2) / WIDTH,
            row=(top + tall) / HEIGHT,
            flipped=bool(flipped),
        )
        truth = demo_sources.render_scene(demo_sources.build_scene(SEED, background), HEIGHT, WIDTH, [card])
        top, left, bottom, right = made["box"]
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        mask[top:bottom, left:right] = made["mask"][..., 0]
        patch = np.zeros((HEIGHT, WIDTH), np.uint16)
        patch[top:bottom, left:right] = made["depth"][..., 0]
        metres = np.where(patch > 0, patch, codes[background]) / depth_labels.DEPTH_SCALE
        pairs.append((mask, metres, truth, made))
        if len(pairs) == count:
            return pairs
    raise AssertionError(f"only {len(pairs)} composites to compare")


@pytest.mark.parametrize("labels", ["exact", "ground"])
def test_labels_agree_with_a_rendering(drawn, labels):
    common, covered, on_object, everywhere = 0, 0, [], []
    for mask, metres, truth, _ in compared(drawn, labels):
        ours, theirs = mask >= 128, truth.mask >= 128
        both = ours & theirs
        common, covered = common + both.sum(), covered + (ours | theirs).sum()
        error = np.abs(metres - truth.depth) / truth.depth
        on_object.append(error[both].mean())
        everywhere.append((error < 0.05).mean())
    # Pixels at an edge may fall on either side, and scenery that is hardly nearer does not hide here; no more differs.
    assert common / covered > 0.87
    assert np.mean(everywhere) > 0.99
    # `ground` puts the whole object at one distance; `exact` knows its relief.
    assert np.mean(on_object) < {"exact": 0.02, "ground": 0.05}[labels]
