"""The compositor of a data set: from the number of a composite to the composite.

What all composites share is made once (depth of the backgrounds, floors, scaled cutouts, splits); from then on a
composite is a pure function of its number.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from data_pipelines.compositing import cutout_pyramid, ground
from data_pipelines.compositing import depth_labels as depths
from data_pipelines.compositing.backgrounds import Backgrounds, Example, Layer, pad_to_frame
from data_pipelines.compositing.compose import Composite, compose
from data_pipelines.compositing.placement import Placements, Stage, draw_numbers, place_objects
from data_pipelines.compositing.plan import CompositePlan, Materials, load_materials, plan_composites
from data_pipelines.compositing.relative_labels import label_by_floors
from data_pipelines.compositing.splits import Grid, Split, limit_splits, make_splits
from data_pipelines.config import DatasetConfig
from data_pipelines.sources.source_set import Sources

PLANNED_AT_ONCE = 256
# The background hides an object when it is nearer by this share. A teacher errs by tens of percent, the truth does not.
HIDES_WHEN_NEARER = {"exact": 0.05, "ground": 0.15, "teacher": 0.15}


@dataclass(frozen=True)
class Compositor:
    """Makes the composites of a data set, each from its number alone.

    Attributes:
        config: the description of the data set.
        grid: all composites that there are.
        splits: which of them belong together.
        stage: what placement knows of the sources.
        materials: the sources as tensors.
        pictures: uint8 [backgrounds, height, width, 3].
        depth_codes: uint16 [backgrounds, height, width].
        without_floor: the backgrounds in which no floor was found.
    """

    config: DatasetConfig
    grid: Grid
    splits: tuple[Split, ...]
    stage: Stage
    materials: Materials
    pictures: np.ndarray
    depth_codes: np.ndarray
    without_floor: tuple[int, ...]

    def place(self, split: Split, indices: tf.Tensor) -> Placements:
        """Returns where objects stand in composites of a split, given their numbers, int64 [n]."""
        config = self.config
        return place_objects(
            self.grid.decode(indices),
            draw_numbers(config.seed, indices, config.placement.max_objects),
            tf.constant(split.foregrounds, tf.int64),
            config.placement,
            self.stage,
            config.height,
            config.width,
        )

    def plan(self, split: Split, indices: tf.Tensor) -> CompositePlan:
        """Plans composites of a split, given their numbers, int64 [n]; every key has n in front."""
        return plan_composites(indices, self.place(split, indices), self.materials)

    def plan_one(self, split: Split, index: int) -> CompositePlan:
        """Plans one composite of a split, given its number."""
        batch = self.plan(split, tf.constant([index], tf.int64))
        one: CompositePlan = tf.nest.map_structure(lambda values: values[0], batch)
        return one

    def plan_positions(self, split: Split, positions: tf.data.Dataset) -> tf.data.Dataset:
        """Plans the composites at some positions of a split, one by one.

        Args:
            split: in whose order positions count.
            positions: int64 scalars, in any order, without end if need be.

        Returns:
            A dataset of `CompositePlan`.
        """

        def plan(batch: tf.Tensor) -> CompositePlan:
            return self.plan(split, split.indices(batch, self.grid, self.config.seed))

        return positions.batch(PLANNED_AT_ONCE).map(plan).unbatch()

    def plan_run(self, split: Split, first: int, count: int) -> tf.data.Dataset:
        """Plans the composites at positions first .. first+count-1 of a split, one by one."""
        return self.plan_positions(split, tf.data.Dataset.range(first, first + count))

    def compose(self, plan: CompositePlan) -> Composite:
        """Makes one composite; its labels are given in the box around its objects."""
        placement = self.config.placement
        return compose(
            plan,
            self.materials,
            self.config.seam,
            mirrors=placement.flip_backgrounds,
            empties=placement.empty > 0,
            upright=placement.upright,
        )

    def compose_layer(self, plan: CompositePlan) -> Layer:
        """Makes one composite with its labels at full size, as `schema.decode_layer` reads it from a shard."""
        composite = self.compose(plan)
        height, width = self.config.height, self.config.width
        return {
            "index": plan["index"],
            "bg_index": plan["background"],
            "bg_flipped": plan["background_flipped"],
            "fg_bg": composite["fg_bg"],
            "mask": pad_to_frame(composite["mask"], composite["box"], height, width),
            "depth": pad_to_frame(composite["depth"], composite["box"], height, width),
        }

    def compose_example(self, plan: CompositePlan) -> Example:
        """Makes one composite together with its background, as `schema.decode_composite` reads it from a shard."""
        return self.backgrounds.complete(self.compose_layer(plan))

    @property
    def backgrounds(self) -> Backgrounds:
        """The backgrounds as tensors, and their depth."""
        materials = self.materials
        assert materials.depth_codes is not None  # only composites labelled by the teacher may lack them
        return Backgrounds(materials.backgrounds, materials.depth_codes[..., None])


def label_backgrounds(sources: Sources, config: DatasetConfig, load_teacher: Callable, batch: int) -> np.ndarray:
    """Returns the depth of the backgrounds: the truth for labels "exact", else what the teacher predicts.

    Args:
        sources: the pictures.
        config: the description of the data set.
        load_teacher: returns the teacher; called only where one is needed.
        batch: pictures that the teacher looks at together.

    Returns:
        Codes, uint16 [backgrounds, height, width], none of them 0.

    Raises:
        ValueError: the sources do not know their depth, or not everywhere; or a relative teacher finds no floor.
    """
    if config.labels == "exact":
        if sources.true_depth is None:
            raise ValueError(
                "`labels`=exact needs sources that know their depth (`sources`=demo); take ground or teacher."
            )
        metres = sources.true_depth
    elif config.teacher.is_relative:
        metres = label_by_floors(sources, config, load_teacher())
    else:
        metres = depths.label_pictures(load_teacher(), sources.backgrounds, batch)
    codes = depths.encode_depth(metres).numpy()
    if not codes.all():
        raise ValueError("The depth of a background is unknown in places; labels are made from dense maps only.")
    return codes


def build_compositor(sources: Sources, depth_codes: np.ndarray, config: DatasetConfig) -> Compositor:
    """Builds the compositor of a data set.

    Args:
        sources: the pictures.
        depth_codes: uint16 [backgrounds, height, width], from `label_backgrounds`.
        config: the description of the data set.
    """
    grid = Grid(len(sources.backgrounds), len(sources.foregrounds), config.placement.places)
    splits = make_splits(grid, config.split, config.holdout, config.seed)
    if config.limit:
        splits = limit_splits(splits, config.limit)
    points, horizon, without_floor = _find_floors(sources, depth_codes, config)
    # Composites that the teacher will look at are pasted over their background, as published, unless they stand in it.
    in_depth = config.labels != "teacher" or config.placement.layout == "ground"
    largest = config.placement.largest(config.height, config.width)
    levels = cutout_pyramid.build_pyramid(
        sources.foregrounds, sources.reliefs if config.labels == "exact" else None, largest
    )
    materials = load_materials(
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
            depth_codes=materials.depth_codes,
            depth_scale=depths.DEPTH_SCALE,
        )
    return Compositor(config, grid, splits, stage, materials, sources.backgrounds, depth_codes, without_floor)


def _find_floors(sources: Sources, depth_codes: np.ndarray, config: DatasetConfig):
    """Returns places to stand in each background, the row of its horizon, and the backgrounds without a floor."""
    if config.placement.layout != "ground":
        return None, None, ()
    points, horizons, without = [], [], []
    for number, codes in enumerate(depth_codes):
        floor = ground.find_ground(depths.decode_depth(codes).numpy(), seed=config.seed % (1 << 32))
        if not floor.has_floor:
            without.append(number)
        near_to_far, horizon = _keep_useful_places(floor.points, sources, number, config)
        points.append(near_to_far)
        horizons.append(horizon)
    return np.stack(points), np.array(horizons, np.float32), tuple(without)


def _keep_useful_places(points: np.ndarray, sources: Sources, number: int, config: DatasetConfig):
    """Keeps the places where something of common height has a wanted size; returns them and the horizon."""
    # 1 / depth is affine in the row on a floor, and 0 at the horizon.
    slope, level = np.polyfit(points[:, 0], 1 / points[:, 2], 1)
    horizon = -level / slope if slope > 0 else 0.0
    focal = 0.5 / np.tan(np.radians(sources.field_of_view[number]) / 2)
    height = float(np.median(sources.physical_height))
    low, high = (share * min(config.height, config.width) / config.height for share in config.placement.object_size)
    tall = focal * height / points[:, 2]
    useful = points[(tall >= low) & (tall <= high)]
    if not len(useful):
        nearest_wanted = np.argmin(np.abs(np.log(tall / np.sqrt(low * high))))
        useful = points[nearest_wanted : nearest_wanted + 1]
    chosen = np.linspace(0, len(useful) - 1, len(points)).round().astype(int)
    return useful[chosen], min(horizon, float(points[:, 0].min()) - 0.02)
