"""Everything that is made once for a data set: background depth, floors, scaled cut-outs, splits.

After this, a composite is a pure function of its index.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from data_pipelines.compositing import cutout_pyramid, ground
from data_pipelines.compositing import depth_labels as depths
from data_pipelines.compositing.backgrounds import Backgrounds, Example, Layer, pad_to_frame
from data_pipelines.compositing.compose import Materials, compose, materials, windows
from data_pipelines.compositing.placement import Stage, draw, place
from data_pipelines.compositing.splits import Grid, Split, limit, make_splits
from data_pipelines.config import DatasetConfig
from data_pipelines.sources.source_set import Sources

PLANNED_AT_ONCE = 256
# Scenery hides an object when it is nearer by this share. A teacher errs by tens of percent, the truth does not.
HIDES_WHEN_NEARER = {"exact": 0.05, "ground": 0.15, "teacher": 0.15}


@dataclass(frozen=True)
class Prepared:
    """depth_codes: uint16 [backgrounds, height, width]. without_floor: backgrounds in which no floor was found."""

    config: DatasetConfig
    grid: Grid
    splits: tuple[Split, ...]
    stage: Stage
    materials: Materials
    backgrounds: np.ndarray
    depth_codes: np.ndarray
    without_floor: tuple[int, ...]


def background_depth(sources: Sources, config: DatasetConfig, load_teacher: Callable, batch: int) -> np.ndarray:
    """uint16 [backgrounds, height, width]: the truth for `exact`, else what the teacher sees."""
    if config.labels == "exact":
        if sources.true_depth is None:
            raise ValueError(
                "`labels`=exact needs sources that know their depth (`sources`=demo); take ground or teacher."
            )
        metres = sources.true_depth
    else:
        metres = depths.look_at_all(load_teacher(), sources.backgrounds, batch)
    codes = depths.to_code(metres).numpy()
    if not codes.all():
        raise ValueError("The depth of a background is unknown in places; labels are made from dense maps only.")
    return codes


def prepare(sources: Sources, depth_codes: np.ndarray, config: DatasetConfig) -> Prepared:
    grid = Grid(len(sources.backgrounds), len(sources.foregrounds), config.placement.places)
    splits = make_splits(grid, config.split, config.holdout, config.seed)
    if config.limit:
        splits = limit(splits, config.limit)
    points, horizon, without_floor = _floors(sources, depth_codes, config)
    # Composites that the teacher will look at are pasted over their scenery, as published, unless they stand in it.
    in_depth = config.labels != "teacher" or config.placement.layout == "ground"
    largest = config.placement.largest(config.height, config.width)
    levels = cutout_pyramid.build(sources.foregrounds, sources.reliefs if config.labels == "exact" else None, largest)
    material = materials(
        sources.backgrounds,
        depth_codes if in_depth else None,
        depths.DEPTH_SCALE,
        HIDES_WHEN_NEARER[config.labels],
        levels,
    )
    with tf.device("/CPU:0"):
        stage = Stage(
            aspect=tf.convert_to_tensor(levels.aspect),
            physical_height=tf.convert_to_tensor(sources.physical_height),
            focal=tf.convert_to_tensor((0.5 / np.tan(np.radians(sources.field_of_view) / 2)).astype(np.float32)),
            points=None if points is None else tf.convert_to_tensor(points),
            horizon=None if horizon is None else tf.convert_to_tensor(horizon),
            depth_codes=material.depth_codes,
            depth_scale=depths.DEPTH_SCALE,
        )
    return Prepared(config, grid, splits, stage, material, sources.backgrounds, depth_codes, without_floor)


def placements(prepared: Prepared, split: Split, positions: tf.Tensor) -> dict:
    """What `place` says of the composites at int64 [n] positions of a split, with their `index`; tensors over n."""
    return placed(prepared, split, split.indices(positions, prepared.grid, prepared.config.seed))


def placed(prepared: Prepared, split: Split, indices: tf.Tensor) -> dict:
    """The same of composites of a split by their numbers, int64 [n]."""
    config = prepared.config
    where = place(
        prepared.grid.parts(indices),
        draw(config.seed, indices, config.placement.max_objects),
        tf.constant(split.foregrounds, tf.int64),
        config.placement,
        prepared.stage,
        config.height,
        config.width,
    )
    return {"index": indices, **where}


def plan(prepared: Prepared, split: Split, positions: tf.Tensor) -> dict:
    """The composites at positions of a split as `compose` wants them, with what their records say of them."""
    return plan_of(prepared, placements(prepared, split, positions))


def plan_of(prepared: Prepared, where: dict) -> dict:
    """The same of composites of which it is known `where` things stand in them: what `placed` says."""
    about = {key: where[key] for key in ("index", "foreground", "flipped")}
    return {**about, **windows(where, prepared.materials)}


def plan_of_one(prepared: Prepared, split: Split, index: int) -> dict:
    """The plan of one composite, by its number; no batch."""
    where = placed(prepared, split, tf.constant([index], tf.int64))
    return {key: value[0] for key, value in plan_of(prepared, where).items()}


def composites(prepared: Prepared, split: Split, first: int, count: int) -> tf.data.Dataset:
    """Composites first .. first+count-1 of a split, in order: what `compose` answers, and what it was asked for."""
    return plans(prepared, split, first, count).map(
        lambda planned: {**planned, **composed(prepared, planned)}, num_parallel_calls=tf.data.AUTOTUNE
    )


def plans(prepared: Prepared, split: Split, first: int, count: int) -> tf.data.Dataset:
    return plans_at(prepared, split, tf.data.Dataset.range(first, first + count))


def plans_at(prepared: Prepared, split: Split, positions: tf.data.Dataset) -> tf.data.Dataset:
    """positions: int64 scalars, in any order, without end if need be."""
    return positions.batch(PLANNED_AT_ONCE).map(lambda batch: plan(prepared, split, batch)).unbatch()


def composed(prepared: Prepared, planned: dict) -> dict:
    placement = prepared.config.placement
    return compose(
        planned,
        prepared.materials,
        prepared.config.seam,
        mirrors=placement.flip_backgrounds,
        empties=placement.empty > 0,
    )


def layer(prepared: Prepared, planned: dict) -> Layer:
    """The composite of a plan, as `records.decode_layer` gives it back from a shard: index, bg_index, bg_flipped,
    fg_bg, mask, depth.
    """
    made = composed(prepared, planned)
    height, width = prepared.config.height, prepared.config.width
    return {
        "index": planned["index"],
        "bg_index": planned["background"],
        "bg_flipped": planned["background_flipped"],
        "fg_bg": made["fg_bg"],
        "mask": pad_to_frame(made["mask"], made["box"], height, width),
        "depth": pad_to_frame(made["depth"], made["box"], height, width),
    }


def whole(prepared: Prepared, planned: dict) -> Example:
    """The same, as `records.decode_composite` gives it back."""
    return scenery(prepared).complete(layer(prepared, planned))


def scenery(prepared: Prepared) -> Backgrounds:
    materials = prepared.materials
    assert materials.depth_codes is not None  # only composites labelled by the teacher may lack them
    return Backgrounds(materials.backgrounds, materials.depth_codes[..., None])


def _floors(sources: Sources, depth_codes: np.ndarray, config: DatasetConfig):
    """Places to stand in each background, the row of its horizon, and the backgrounds without a floor."""
    if config.placement.layout != "ground":
        return None, None, ()
    points, horizons, without = [], [], []
    for number, codes in enumerate(depth_codes):
        floor = ground.find_ground(depths.from_code(codes).numpy(), seed=config.seed % (1 << 32))
        if not floor.found:
            without.append(number)
        near_to_far, horizon = _in_reach(floor.points, sources, number, config)
        points.append(near_to_far)
        horizons.append(horizon)
    return np.stack(points), np.array(horizons, np.float32), tuple(without)


def _in_reach(points: np.ndarray, sources: Sources, number: int, config: DatasetConfig):
    """Keeps to places where something of common height is seen in the wanted range of sizes; and finds the horizon."""
    # 1 / depth is affine in the row on a floor, and 0 at the horizon.
    slope, level = np.polyfit(points[:, 0], 1 / points[:, 2], 1)
    horizon = -level / slope if slope > 0 else 0.0
    focal = 0.5 / np.tan(np.radians(sources.field_of_view[number]) / 2)
    height = float(np.median(sources.physical_height))
    low, high = (share * min(config.height, config.width) / config.height for share in config.placement.object_size)
    seen = focal * height / points[:, 2]
    useful = points[(seen >= low) & (seen <= high)]
    if not len(useful):
        nearest_wanted = np.argmin(np.abs(np.log(seen / np.sqrt(low * high))))
        useful = points[nearest_wanted : nearest_wanted + 1]
    chosen = np.linspace(0, len(useful) - 1, len(points)).round().astype(int)
    return useful[chosen], min(horizon, float(points[:, 0].min()) - 0.02)
