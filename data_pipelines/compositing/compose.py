"""Alpha compositing in tf ops: a plan and the sources in, `fg_bg`, `mask` and `depth` out.

A pure function: no state, no random numbers (those are in the plan), no files. Everything that costs is done only
inside the window that an object covers.

An object's pixel has its depth where it covers half of the pixel or more.
"""

from typing import TypedDict

import tensorflow as tf

from data_pipelines.compositing.cutout_pyramid import RELIEF_UNIT
from data_pipelines.compositing.plan import CompositePlan, Materials

LEAST_RATIO = 0.2  # of the depth of an upright object's top to that of its foot
FEATHER = 5  # pixels over which a feathered edge fades, inwards


class Composite(TypedDict):
    """A composite of height x width; labels are given in the box around its objects.

    Keys:
        fg_bg: uint8 [height, width, 3].
        mask: uint8 [h, w, 1], alpha of what is seen of the objects, in the box; zero outside it.
        depth: uint16 [h, w, 1], depth_scale codes a metre, in the box; 0 where the background is seen, whose depth is
            known without.
        box: int32 [4], top, left, bottom, right; at least one pixel, also with nobody in the frame.
        fg_bg_sums: float64 [2, 3], by channel: what fg_bg adds to the sum and to the sum of squares of its background.
        mask_sums: float64 [2], sum of the mask and of its square.
        depth_sums: float64 [2], by how much the objects change the sum of the depth codes and of their squares.

    The sums are whole numbers below 2**53, so they are exact in any order.
    """

    fg_bg: tf.Tensor
    mask: tf.Tensor
    depth: tf.Tensor
    box: tf.Tensor
    fg_bg_sums: tf.Tensor
    mask_sums: tf.Tensor
    depth_sums: tf.Tensor


def compose(
    plan: CompositePlan,
    materials: Materials,
    seam: str,
    *,
    mirrors: bool = True,
    empties: bool = True,
    upright: bool = False,
) -> Composite:
    """Makes one composite.

    Args:
        plan: of this one composite.
        materials: the sources.
        seam: the edges of objects: "hard", "soft" or "feathered".
        mirrors: whether any background is mirrored. A branch that is never taken costs too.
        empties: whether any frame has no object.
        upright: whether any object leans.
    """
    _, height, width, _ = materials.backgrounds.shape
    background = tf.gather(materials.backgrounds, plan["background"])
    bg_depth = (
        None if materials.depth_codes is None else tf.gather(materials.depth_codes, plan["background"])[..., None]
    )
    objects = plan["offset"].shape[0]
    mirrored = plan["background_flipped"]
    if mirrors and bg_depth is None:
        background = tf.cond(mirrored, lambda: tf.reverse(background, [1]), lambda: background)
    elif mirrors:
        background, bg_depth = tf.cond(
            mirrored,
            lambda: (tf.reverse(background, [1]), tf.reverse(bg_depth, [1])),
            lambda: (background, bg_depth),
        )

    def render(number, fg_bg):
        """Returns an object's window, the pixels of fg_bg there without and with it, its alpha, its codes of depth."""
        window = plan["window"][number]
        begin, end = window[:2], window[2:]
        layer, relief = _sample_cutout(plan, number, materials, end - begin)
        metres = plan["metres"][number]
        if upright:
            metres *= _stand_upright(begin[0], end[0], plan["foot"][number], plan["lean"][number], height)
        code = tf.cast(metres * materials.depth_scale + 0.5, tf.int32)
        if bg_depth is not None:
            hides = tf.cast(tf.cast(code, tf.float32) * (1 - materials.hides_when_nearer), tf.int32)
            layer *= tf.cast(tf.cast(_crop(bg_depth, begin, end), tf.int32) >= hides, tf.float32)
        layer = _apply_seam(layer, seam, plan["cut"][number])
        colour, alpha = layer[..., :3], layer[..., 3:]
        before = _crop(fg_bg, begin, end)
        after = tf.cast(tf.cast(before, tf.float32) * _transparency(alpha) + colour + 0.5, tf.uint8)
        if relief is not None:
            code += tf.cast(tf.round(relief * plan["relief_scale"][number] * materials.depth_scale), tf.int32)
        return begin, end, before, after, alpha, tf.cast(tf.clip_by_value(code, 1, 65535), tf.uint16)

    def paint(number, fg_bg, mask, depth, sums, box):
        begin, end, before, after, alpha, own = render(number, fg_bg)
        covered = alpha + tf.cast(_crop(mask, begin, end), tf.float32) * _transparency(alpha) if objects > 1 else alpha
        fg_bg = _paste(fg_bg, begin, end, after)
        mask = _paste(mask, begin, end, tf.cast(covered + 0.5, tf.uint8))
        if bg_depth is not None:
            depth = _paste(depth, begin, end, tf.where(_is_solid(alpha), own, _crop(depth, begin, end)))
        sums += _sum_up(after) - _sum_up(before)
        box = tf.concat([tf.minimum(box[:2], begin), tf.maximum(box[2:], end)], axis=0)
        return fg_bg, mask, depth, sums, box

    if objects == 1 and not empties:
        # Always one, as in the published layout: its window is the box, and no canvas of the whole picture is needed.
        begin, end, before, after, alpha, own = render(0, background)
        fg_bg, sums = _paste(background, begin, end, after), _sum_up(after) - _sum_up(before)
        mask, box = tf.cast(alpha + 0.5, tf.uint8), tf.concat([begin, end], axis=0)
        depth = tf.cast(_is_solid(alpha), tf.uint16) * own if bg_depth is not None else tf.zeros_like(mask, tf.uint16)
    else:
        state = (
            background,
            tf.zeros([height, width, 1], tf.uint8),
            tf.zeros([height, width, 1], tf.uint16),
            tf.zeros([2, 3], tf.float64),
            tf.constant([height, width, 0, 0]),
        )
        for number in range(objects):
            if number == 0 and not empties:
                state = paint(number, *state)
                continue
            # Unrolled: a while loop costs more than the branch that an absent object skips.
            state = tf.cond(plan["count"] > number, lambda n=number, s=state: paint(n, *s), lambda s=state: s)
        fg_bg, mask, depth, sums, box = state
        box = tf.where(plan["count"] > 0, box, [0, 0, 1, 1])
        mask, depth = _crop(mask, box[:2], box[2:]), _crop(depth, box[:2], box[2:])
    depth_sums = tf.zeros([2, 1], tf.float64)
    if bg_depth is not None:
        behind = tf.where(depth > 0, _crop(bg_depth, box[:2], box[2:]), tf.constant(0, tf.uint16))
        depth_sums = _sum_up(depth) - _sum_up(behind)
    return {
        "fg_bg": tf.ensure_shape(fg_bg, [height, width, 3]),
        "mask": mask,
        "depth": depth,
        "box": box,
        "fg_bg_sums": sums,
        "mask_sums": _sum_up(mask)[:, 0],
        "depth_sums": depth_sums[:, 0],
    }


def _stand_upright(first, last, foot, lean, height: int):
    """Returns by what an object's depth at its foot is multiplied in rows first to last, float32 [rows, 1, 1]."""
    rows = (tf.range(tf.cast(first, tf.float32), tf.cast(last, tf.float32)) + 0.5) / height
    ratio = (1 - lean * (foot - 0.5)) / (1 - lean * (rows - 0.5))
    return tf.clip_by_value(ratio, LEAST_RATIO, 1.0)[:, None, None]


def _transparency(alpha):
    return 1 - alpha * (1 / 255)


def _is_solid(alpha):
    """Whether an object's own depth is seen, pixel by pixel."""
    return alpha >= 127.5


def _sample_cutout(plan: CompositePlan, number: int, materials: Materials, size):
    """Returns an object over its window, and its relief.

    The object is premultiplied RGBA, float32 [h, w, 4], 0 to 255; the relief float32 [h, w, 1], metres, or None.
    """
    height, width = plan["level_height"][number], plan["level_width"][number]
    offset, sample = plan["offset"][number], plan["sample"][number][None]
    level = tf.reshape(tf.slice(materials.pixels, [offset], [height * width * 4]), [1, height, width, 4])
    layer = _crop_and_resize(level, sample, size, "bilinear")
    if materials.reliefs is None:
        return layer, None
    level = tf.reshape(tf.slice(materials.reliefs, [offset // 4], [height * width]), [1, height, width, 1])
    return layer, _crop_and_resize(level, sample, size, "nearest") * RELIEF_UNIT


def _crop_and_resize(level, sample, size, method: str):
    return tf.raw_ops.CropAndResize(
        image=level, boxes=sample, box_ind=[0], crop_size=size, method=method, extrapolation_value=0
    )[0]


def _apply_seam(layer, seam: str, cut):
    """Makes an object's edge hard (all or nothing), soft (as drawn) or feathered (fades inwards over FEATHER pixels).

    cut: bool [4], whether the picture's top, left, bottom, right edge cuts the object; it does not fade there.
    """
    if seam == "soft":
        return layer
    alpha = layer[..., 3:]
    if seam == "hard":
        wanted = tf.cast(alpha >= 127.5, tf.float32) * 255
    else:
        known = tf.cast(~cut, tf.float32)
        rows, columns = _mark_known(alpha, 0, known), _mark_known(alpha, 1, known)
        around = tf.pad(alpha, [[FEATHER // 2] * 2, [FEATHER // 2] * 2, [0, 0]])
        inner = _average(around) / _average(rows[:, None, None] * columns[:, None])
        # 0 on the edge itself, where half of the surroundings is covered.
        wanted = tf.minimum(alpha, tf.maximum(2 * inner - 255, 0))
    return layer * (wanted / tf.maximum(alpha, 1e-3))


def _mark_known(alpha, axis: int, known):
    """Returns 1 where it is known what is there, along one axis; float32 [FEATHER // 2 + length + FEATHER // 2]."""
    beyond = tf.ones([FEATHER // 2])
    return tf.concat([beyond * known[axis], tf.ones([tf.shape(alpha)[axis]]), beyond * known[axis + 2]], axis=0)


def _average(values):
    return tf.nn.avg_pool2d(values[None], FEATHER, 1, "VALID")[0]


def _crop(picture, begin, end):
    return picture[begin[0] : end[0], begin[1] : end[1]]


def _paste(picture, begin, end, patch):
    return tf.raw_ops.TensorStridedSliceUpdate(input=picture, begin=begin, end=end, strides=[1, 1], value=patch)


def _sum_up(patch):
    values = tf.cast(patch, tf.float64)
    return tf.stack([tf.reduce_sum(values, axis=[0, 1]), tf.reduce_sum(values * values, axis=[0, 1])])
