"""From placements to plans: what `compose` needs for each composite, worked out for many at once.

Planning is vectorised, so that it costs little; blending is then done one composite at a time.
"""

from dataclasses import dataclass
from typing import TypedDict

import numpy as np
import tensorflow as tf

from data_pipelines.compositing.cutout_pyramid import Pyramid
from data_pipelines.compositing.placement import Placements


@dataclass(frozen=True)
class Materials:
    """The sources as eager tensors, which a graph refers to instead of holding a copy.

    Attributes:
        backgrounds: uint8 [backgrounds, height, width, 3].
        depth_codes: uint16 [backgrounds, height, width], depth_scale codes a metre; None when labels are made later.
        depth_scale: codes a metre.
        hides_when_nearer: what is nearer in the background than an object, by this share of its distance, hides it.
            More than the error of the depth map, or noise eats holes into people.
        pixels: of a `Pyramid`, as all that follow.
        reliefs: None where objects are flat.
        offset: where a level starts.
        level_height: of a level, with its border.
        level_width: likewise.
        longest: the longer side of a level, without its border.
    """

    backgrounds: tf.Tensor
    depth_codes: tf.Tensor | None
    depth_scale: float
    hides_when_nearer: float
    pixels: tf.Tensor
    reliefs: tf.Tensor | None
    offset: tf.Tensor
    level_height: tf.Tensor
    level_width: tf.Tensor
    longest: tf.Tensor


class CompositePlan(TypedDict):
    """What `compose` needs for a composite of up to k objects, from far to near; [n] in front for n of them.

    Keys:
        index: int64 [], the composite's number.
        background: int64 [], which one.
        background_flipped: bool [], whether it is mirrored.
        count: int32 [], how many objects there are.
        foreground: int64 [k], which cutouts.
        flipped: bool [k], whether they are mirrored.
        offset: int [k], where the pyramid's level of each object starts.
        level_height: int32 [k], of that level, with its border.
        level_width: int32 [k], likewise.
        window: int32 [k, 4], top, left, bottom and right of the pixels that an object covers, inside the picture.
        sample: float32 [k, 4], the same window in the level, as CropAndResize takes it.
        cut: bool [k, 4], whether the picture's top, left, bottom, right edge cuts the object.
        metres: float32 [k], how far it is; 0 when depth is labelled later.
        relief_scale: float32 [k], what is seen by the cutout's own size.
        foot, lean: float32 [k], as of `Placements`.
    """

    index: tf.Tensor
    background: tf.Tensor
    background_flipped: tf.Tensor
    count: tf.Tensor
    foreground: tf.Tensor
    flipped: tf.Tensor
    offset: tf.Tensor
    level_height: tf.Tensor
    level_width: tf.Tensor
    window: tf.Tensor
    sample: tf.Tensor
    cut: tf.Tensor
    metres: tf.Tensor
    relief_scale: tf.Tensor
    foot: tf.Tensor
    lean: tf.Tensor


def load_materials(
    backgrounds: np.ndarray,
    depth_codes: np.ndarray | None,
    depth_scale: float,
    hides_when_nearer: float,
    pyramid: Pyramid,
) -> Materials:
    """Puts the sources into tensors; the arguments are those of `Materials`, as arrays."""
    with tf.device("/CPU:0"):
        return Materials(
            backgrounds=tf.convert_to_tensor(backgrounds),
            depth_codes=None if depth_codes is None else tf.convert_to_tensor(depth_codes),
            depth_scale=depth_scale,
            hides_when_nearer=hides_when_nearer,
            pixels=tf.convert_to_tensor(pyramid.pixels),
            reliefs=None if pyramid.reliefs is None else tf.convert_to_tensor(pyramid.reliefs),
            offset=tf.convert_to_tensor(pyramid.offset),
            level_height=tf.convert_to_tensor(pyramid.height),
            level_width=tf.convert_to_tensor(pyramid.width),
            longest=tf.convert_to_tensor(pyramid.longest),
        )


def plan_composites(indices: tf.Tensor, placements: Placements, materials: Materials) -> CompositePlan:
    """Plans n composites: chooses the level of the pyramid for each object and the window that it covers.

    Args:
        indices: int64 [n], the composites' numbers.
        placements: where objects stand, of n composites.
        materials: the sources.

    Returns:
        The plans, each key with n in front.
    """
    _, height, width, _ = materials.backgrounds.shape
    size = tf.maximum(placements["height"], placements["width"])
    is_enough = tf.gather(materials.longest, placements["foreground"]) >= size[..., None]
    level = tf.reduce_sum(tf.cast(is_enough, tf.int32), -1) - 1
    level = tf.stack([tf.cast(placements["foreground"], tf.int32), tf.maximum(level, 0)], axis=-1)
    level_height = tf.gather_nd(materials.level_height, level)
    level_width = tf.gather_nd(materials.level_width, level)
    top, bottom, first_row, last_row = _find_extent(placements["top"], placements["height"], level_height, height)
    left, right, first_column, last_column = _find_extent(placements["left"], placements["width"], level_width, width)
    # CropAndResize mirrors when the box runs backwards.
    mirrored = placements["flipped"] != placements["background_flipped"][:, None]
    first_column, last_column = (
        tf.where(mirrored, 1 - first_column, first_column),
        tf.where(mirrored, 1 - last_column, last_column),
    )
    return {
        "index": indices,
        "background": placements["background"],
        "background_flipped": placements["background_flipped"],
        "count": placements["count"],
        "foreground": placements["foreground"],
        "flipped": placements["flipped"],
        "offset": tf.gather_nd(materials.offset, level),
        "level_height": level_height,
        "level_width": level_width,
        "window": tf.stack([top, left, bottom, right], axis=-1),
        "sample": tf.stack([first_row, first_column, last_row, last_column], axis=-1),
        "cut": tf.stack(
            [
                placements["top"] < 0,
                placements["left"] < 0,
                placements["top"] + placements["height"] > height,
                placements["left"] + placements["width"] > width,
            ],
            axis=-1,
        ),
        "metres": placements["metres"],
        "relief_scale": placements["relief_scale"],
        "foot": placements["foot"],
        "lean": placements["lean"],
    }


def _find_extent(start, length, level_length, room: int):
    """Returns which pixels an object covers along one axis, and where they are in its level.

    The pixels are [begin, end); where the centres of the first and the last of them lie in the level is from 0 to 1.
    """
    begin = tf.clip_by_value(tf.cast(tf.floor(start), tf.int32), 0, room - 1)
    end = tf.clip_by_value(tf.cast(tf.math.ceil(start + length), tf.int32), begin + 1, room)
    level_length = tf.cast(level_length, tf.float32)
    scale = (level_length - 2) / length

    def in_level(pixel):
        # Centre of the pixel -> place in the object -> place in the level, which has a border of one pixel.
        return ((tf.cast(pixel, tf.float32) + 0.5 - start) * scale + 0.5) / (level_length - 1)

    return begin, end, in_level(begin), in_level(end - 1)
