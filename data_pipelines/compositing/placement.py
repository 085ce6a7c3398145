"""Where cutouts stand, and how large: worked out for many composites at once.

Four layouts:

    random   anywhere inside; sizes log-uniform
    rows     the published depth-layer layout: 4 rows x 5 columns, 90/80/70/60 px tall on a 150 px canvas and scaled to
             others; larger = lower = nearer
    ground   on the floor that `ground.find_ground` saw, as tall as something of the cutout's height looks from there
    mixed    most frames as in rows, with one whole object each; the others as in random, which alone are cut by the
             edge, have several objects, or none

The places of a pair of sources are spread: in `rows` they are the 20 cells, in `ground` the p-th place is in the p-th
part of the floor from near to far. Everything is a function of the index and of draws that are keyed by it.
"""

import math
from dataclasses import dataclass
from typing import TypedDict, cast

import tensorflow as tf

from data_pipelines.config import COLUMNS, PlacementConfig

CANVAS = 150  # px of the published canvas
ROW_HEIGHTS = (90, 80, 70, 60)  # px on the published canvas, nearest row first
ROW_FEET = (148, 132, 116, 100)
DRAWS = 9  # random numbers for each object
SCATTERED = 0.2  # share of the frames of `mixed` that are as in `random`
LEAST_VISIBLE = 0.3  # of the height and of the width of an object that is cut by the edge
NEAREST_TOP = 0.5  # share of the depth of an upright object's foot that its top has at least
NEAREST_CUT = 0.35  # an object cut by the lower edge is this much nearer than the floor in view, at most


@dataclass(frozen=True)
class Stage:
    """What placement knows of the sources; eager tensors, which a graph refers to instead of holding a copy.

    Attributes:
        aspect: float32 [cutouts, 2], height and width with the longer one 1.
        physical_height: float32 [cutouts, 2], metres, the range from which it is drawn.
        focal: float32 [backgrounds], focal length in picture heights.
        points: float32 [backgrounds, n, 3], (row, column, metres) of floor, near to far; None unless layout is ground.
        horizon: float32 [backgrounds], its row as a share of the height; None likewise.
        depth_codes: uint16 [backgrounds, height, width]; None when labels come later.
        depth_scale: codes a metre.
    """

    aspect: tf.Tensor
    physical_height: tf.Tensor
    focal: tf.Tensor
    points: tf.Tensor | None = None
    horizon: tf.Tensor | None = None
    depth_codes: tf.Tensor | None = None
    depth_scale: float = 256.0


class Placements(TypedDict):
    """Where objects stand in n composites, up to k objects each, from far to near.

    Keys:
        background: int64 [n], which one.
        background_flipped: bool [n], whether it is mirrored.
        count: int32 [n], how many objects there are.
        foreground: int64 [n, k], which cutouts.
        flipped: bool [n, k], whether they are mirrored.
        top: float32 [n, k], pixels; objects may reach outside of the picture.
        left: float32 [n, k], pixels.
        height: float32 [n, k], pixels.
        width: float32 [n, k], pixels.
        metres: float32 [n, k], how far they are; 0 when depth is not known yet.
        relief_scale: float32 [n, k], what is seen by the cutout's own size.
        foot: float32 [n, k], row on which they stand, as a share of the picture's height.
        lean: float32 [n, k], by how much their depth falls with the row; 0 where it is that of the foot everywhere.
    """

    background: tf.Tensor
    background_flipped: tf.Tensor
    count: tf.Tensor
    foreground: tf.Tensor
    flipped: tf.Tensor
    top: tf.Tensor
    left: tf.Tensor
    height: tf.Tensor
    width: tf.Tensor
    metres: tf.Tensor
    relief_scale: tf.Tensor
    foot: tf.Tensor
    lean: tf.Tensor


def draw_numbers(seed: int, indices: tf.Tensor, objects: int) -> tf.Tensor:
    """Draws the random numbers of composites, keyed so that who else is in the batch does not matter.

    Args:
        seed: of the data set.
        indices: int64 [n], the composites' numbers.
        objects: most objects in a composite.

    Returns:
        float32 [n, objects + 1, DRAWS] from 0 to under 1; row 0 is for the frame, then comes one for each object.
    """
    seed = tf.constant([seed & 0x7FFFFFFF, seed >> 31], tf.int32)

    def draw_one(index):
        key = tf.random.fold_in(seed, tf.cast(index, tf.int32))
        return tf.random.stateless_uniform([objects + 1, DRAWS], key, alg="philox")

    return tf.map_fn(draw_one, indices, fn_output_signature=tf.float32)


def place_objects(
    parts: tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor],
    draws: tf.Tensor,
    foreground_pool: tf.Tensor,
    placement: PlacementConfig,
    stage: Stage,
    height: int,
    width: int,
) -> Placements:
    """Places the objects of n composites.

    Args:
        parts: (background, cutout, mirrored, place), int64 [n] each, of the composites' numbers.
        draws: float32 [n, 1 + k, DRAWS] from `draw_numbers`.
        foreground_pool: int64 [m], the cutouts that further objects are taken from (those of the split, or pictures
            leak).
        placement: how objects are placed.
        stage: what is known of the sources.
        height: of the picture, pixels.
        width: of the picture, pixels.
    """
    background, foreground, flipped, place_number = parts
    frame, objects = draws[:, 0], draws[:, 1:]
    further = objects.shape[1] - 1
    pick = tf.cast(objects[:, 1:, 0] * tf.cast(tf.size(foreground_pool), tf.float32), tf.int32)
    foreground = tf.concat([foreground[:, None], tf.gather(foreground_pool, pick)], axis=1)
    flipped = tf.concat([flipped[:, None] == 1, objects[:, 1:, 1] < 0.5], axis=1)
    background_flipped = frame[:, 0] < (0.5 if placement.flip_backgrounds else 0.0)
    # The places of further objects are drawn; the first one's is part of its name.
    drawn_place = tf.cast(objects[:, 1:, 2] * placement.places, tf.int64)
    place_number = tf.concat([place_number[:, None], drawn_place], axis=1)

    aspect = tf.gather(stage.aspect, foreground)
    # One whole object is all that a frame of rows has in `mixed`; elsewhere all frames are as the flags say.
    scattered = frame[:, 2] < (SCATTERED if placement.layout == "mixed" else 1.0)
    cut = (objects[..., 3] < placement.truncation) & scattered[:, None]
    known = background, place_number, foreground, aspect, objects, cut, placement, stage, height, width
    if placement.layout == "mixed":
        top, left, tall, wide = (
            tf.where(scattered[:, None], *both)
            for both in zip(_place_anywhere(*known)[:4], _place_in_rows(*known)[:4], strict=True)
        )
        metres = None
    else:
        top, left, tall, wide, metres = _LAYOUTS[placement.layout](*known)
    # Points and places are those of the picture as it was; mirror what was found there along with it.
    left = tf.where(background_flipped[:, None], width - left - wide, left)
    if metres is None and stage.depth_codes is not None:
        metres = _gather_depth_at_foot(background, background_flipped, top + tall, left + wide / 2, stage)
    nearness = -(top + tall) if metres is None else metres
    if metres is None:
        metres = tf.zeros_like(top)

    one_more = tf.cast((objects[:, 1:, 7] < placement.further) & scattered[:, None], tf.int32)
    count = 1 + tf.reduce_sum(tf.math.cumprod(one_more, axis=1), axis=1)
    count = tf.where((frame[:, 1] < placement.empty) & scattered, 0, count)
    # Absent objects go last; painting stops before them.
    absent = tf.range(further + 1)[None] >= count[:, None]
    order = tf.argsort(tf.where(absent, math.inf, -nearness), axis=1, stable=True)
    relief_scale = _scale_relief(background, foreground, tall, metres, stage, height)
    values = {
        "foreground": foreground,
        "flipped": flipped,
        "top": top,
        "left": left,
        "height": tall,
        "width": wide,
        "metres": metres,
        # What leans towards the camera looks taller than at the depth of its foot, and has no more relief for it.
        "relief_scale": tf.minimum(relief_scale, 1.0) if placement.upright else relief_scale,
        "foot": (top + tall) / height,
        "lean": _find_lean(background, tall, stage) if placement.upright else tf.zeros_like(tall),
    }
    in_order = {key: tf.gather(value, order, axis=1, batch_dims=1) for key, value in values.items()}
    frames = {"background": background, "background_flipped": background_flipped, "count": count}
    return cast(Placements, {**frames, **in_order})


def _place_anywhere(background, place_number, foreground, aspect, objects, cut, placement, stage, height, width):
    low, high = placement.object_size
    size = low * (high / low) ** objects[..., 4] * min(height, width)
    tall, wide = _shrink_to_fit(aspect[..., 0] * size, aspect[..., 1] * size, cut, height, width)
    top = _spread_along(objects[..., 5], tall, height, cut)
    left = _spread_along(objects[..., 6], wide, width, cut)
    return top, left, tall, wide, None


def _place_in_rows(background, place_number, foreground, aspect, objects, cut, placement, stage, height, width):
    row = tf.cast(place_number // COLUMNS, tf.int32)
    column = tf.cast(place_number % COLUMNS, tf.float32)
    tall = tf.gather(tf.constant(ROW_HEIGHTS, tf.float32), row) * (height / CANVAS)
    tall, wide = _shrink_to_fit(tall, tall * aspect[..., 1] / aspect[..., 0], cut, height, width)
    foot = tf.gather(tf.constant(ROW_FEET, tf.float32), row) * (height / CANVAS)
    left = tf.where(cut, _spread_along(objects[..., 6], wide, width, cut), column / (COLUMNS - 1) * (width - wide))
    return tf.maximum(foot - tall, 0), left, tall, wide, None


def _place_on_ground(background, place_number, foreground, aspect, objects, cut, placement, stage, height, width):
    points = stage.points.shape[1]
    part = (tf.cast(place_number, tf.float32) + objects[..., 5]) / placement.places
    chosen = tf.minimum(tf.cast(part * points, tf.int32), points - 1)
    table = tf.reshape(stage.points, [-1, 3])
    # Further objects stand in the same background as the first.
    point = tf.gather(table, tf.cast(background[:, None], tf.int32) * points + chosen)
    row, column, metres = point[..., 0], point[..., 1], point[..., 2]
    # Cut by the lower edge: nearer than the floor in view, on the same floor continued. A floor is affine in
    # (row, 1 / depth) and 1 / depth is 0 at its horizon.
    nearer = tf.where(cut, NEAREST_CUT ** objects[..., 6], 1.0)
    horizon = tf.gather(stage.horizon, background)[:, None]
    row = horizon + (row - horizon) / nearer
    metres = metres * nearer
    column = tf.where(cut, -0.1 + 1.2 * objects[..., 8], column)

    low, high = tf.unstack(tf.gather(stage.physical_height, foreground), axis=-1)
    physical = low + (high - low) * objects[..., 4]
    focal = tf.gather(stage.focal, background)[:, None] * height
    if placement.upright:
        farther = _step_back(physical, metres, background, stage)
        row, metres = horizon + (row - horizon) / farther, metres * farther
        tall = _project_height(physical, metres, row, background, stage) * height
    else:
        tall = focal * physical / metres
    smallest, largest = (share * min(height, width) for share in placement.object_size)
    longest = tall / aspect[..., 0]
    tall = tall * tf.clip_by_value(longest, smallest, largest) / longest
    foot = row * height
    # A whole object cannot be taller than the room above its foot; what the upper edge cuts must still be seen.
    tall = tf.minimum(tall, tf.where(cut, foot / LEAST_VISIBLE, foot))
    tall, wide = _shrink_to_fit(tall, tall * aspect[..., 1] / aspect[..., 0], cut, height, width)
    # What the lower edge cuts must still be seen.
    foot = tf.where(cut, tf.minimum(foot, height + (1 - LEAST_VISIBLE) * tall), foot)
    left = column * width - wide / 2
    outside = tf.where(cut, (1 - LEAST_VISIBLE) * wide, 0.0)
    left = tf.clip_by_value(left, -outside, width - wide + outside)
    return foot - tall, left, tall, wide, metres


_LAYOUTS = {"random": _place_anywhere, "rows": _place_in_rows, "ground": _place_on_ground}


def _shrink_to_fit(tall, wide, cut, height, width):
    """Makes an object that the edge does not cut small enough to be inside."""
    scale = tf.minimum(1.0, tf.minimum(height / tall, width / wide))
    scale = tf.where(cut, 1.0, scale)
    return tall * scale, wide * scale


def _spread_along(share, length, room, cut):
    """Returns where an object of `length` begins: inside `room`, or with LEAST_VISIBLE of it in view when cut."""
    outside = tf.where(cut, (1 - LEAST_VISIBLE) * length, 0.0)
    return -outside + share * (room - length + 2 * outside)


def _scale_relief(background, foreground, tall, metres, stage: Stage, height: int):
    """Returns how much larger than the cutout itself is what is seen; 1 where perspective alone set its size."""
    focal = tf.gather(stage.focal, background)[:, None] * height
    return tall * metres / focal / tf.gather(stage.physical_height, foreground)[..., 0]


def _step_back(physical, metres, background, stage: Stage):
    """Returns by how much farther something must stand so that its top is not too near, float32 [n, k], 1 or more."""
    wanted = physical * tf.sin(_find_tilt(background, stage)) / (1 - NEAREST_TOP)
    return tf.maximum(wanted / metres, 1.0)


def _find_tilt(background, stage: Stage):
    """Returns by how much cameras look down, float32 [n, 1], radians."""
    assert stage.horizon is not None  # of the ground layout
    above_middle = 0.5 - tf.gather(stage.horizon, background)[:, None]
    return tf.atan(above_middle / tf.gather(stage.focal, background)[:, None])


def _project_height(physical, metres, row, background, stage: Stage):
    """Returns how tall something looks that stands upright, as a share of the picture's height, float32 [n, k].

    Where the camera looks down its top is nearer than its foot, so that it looks larger the closer it is.

    Args:
        physical: its height, metres, float32 [n, k].
        metres: depth of its foot, likewise.
        row: of its foot, as a share of the picture's height, likewise.
        background: int64 [n].
        stage: with the horizon.
    """
    focal, tilt = tf.gather(stage.focal, background)[:, None], _find_tilt(background, stage)
    foot = (row - 0.5) / focal
    top = (metres * foot - physical * tf.cos(tilt)) / (metres - physical * tf.sin(tilt))
    return (foot - top) * focal


def _find_lean(background, tall, stage: Stage):
    """Returns float32 [n, k]: what stands upright has 1 / depth proportional to 1 - lean * (row - 1 / 2).

    That is a vertical plane across the view of a camera that looks down: its horizon is above the middle of the
    picture by the tangent of its tilt, in focal lengths.
    """
    lean = tf.tan(_find_tilt(background, stage)) / tf.gather(stage.focal, background)[:, None]
    return tf.broadcast_to(lean, tf.shape(tall))


def _gather_depth_at_foot(background, background_flipped, foot, centre, stage: Stage):
    """Returns metres of the background where each object's base is, float32 [n, k]."""
    assert stage.depth_codes is not None  # the caller looked
    _, height, width = stage.depth_codes.shape
    row = tf.clip_by_value(tf.cast(tf.round(foot - 1), tf.int32), 0, height - 1)
    column = tf.clip_by_value(tf.cast(centre, tf.int32), 0, width - 1)
    column = tf.where(background_flipped[:, None], width - 1 - column, column)
    where = tf.stack([tf.broadcast_to(tf.cast(background[:, None], tf.int32), tf.shape(row)), row, column], axis=-1)
    return tf.cast(tf.gather_nd(stage.depth_codes, where), tf.float32) / stage.depth_scale
