"""Alpha compositing in tf ops: a plan and the sources in, `fg_bg`, `mask` and `depth` out.

A pure function: no state, no random numbers (those are in the plan), no files. Everything that costs is done only
inside the window that an object covers.

What comes out, for pictures of height x width:

    fg_bg       uint8 [height, width, 3]
    mask        uint8 [h, w, 1], alpha of what is seen of the objects, in the box; zero outside it
    depth       uint16 [h, w, 1], depth_scale codes a metre, in the box; 0 where scenery is seen, whose depth is that of
                the bare background
    box         int32 [4], top, left, bottom, right; at least one pixel, also with nobody in the frame
    fg_bg_sums  float64 [2, 3], by channel: what fg_bg adds to the sum and to the sum of squares of its background.
    mask_sums   float64 [2], sum of the mask and of its square
    depth_sums  float64 [2], by how much the objects change the sum of the depth codes and of their squares

The sums are whole numbers below 2**53, so they are exact in any order.

An object's pixel has its depth where it covers half of the pixel or more.
"""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from data_pipelines.compositing.cutout_pyramid import RELIEF_UNIT, Pyramid

FEATHER = 5  # pixels over which a feathered edge fades, inwards


@dataclass(frozen=True)
class Materials:
    """The sources as eager tensors, which a graph refers to instead of holding a copy.

    backgrounds: uint8 [backgrounds, height, width, 3].
    depth_codes: uint16 [backgrounds, height, width], depth_scale codes a metre; None when labels are made later.
    pixels, reliefs, offset, level_height, level_width, longest: a Pyramid's.
    hides_when_nearer: scenery nearer than an object by this share of its distance hides it. More than the error of the
        depth map, or noise eats holes into people.
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


def materials(
    backgrounds: np.ndarray,
    depth_codes: np.ndarray | None,
    depth_scale: float,
    hides_when_nearer: float,
    pyramid: Pyramid,
) -> Materials:
    """backgrounds, depth_codes: numpy arrays as in Materials."""
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


def windows(plan: dict, materials: Materials) -> dict:
    """Turns the placement plan of n composites into what `compose` needs for each; vectorised, so that it costs little.

    Adds, [n, k] each: offset, level_height, level_width (the pyramid's level), window int32 [n, k, 4] (pixels covered,
    inside the picture), sample float32 [n, k, 4] (the same window in the level, as CropAndResize wants it), and cut
    bool [n, k, 4] (whether the picture's top, left, bottom, right edge cuts the object).
    """
    _, height, width, _ = materials.backgrounds.shape
    size = tf.maximum(plan["height"], plan["width"])
    level = (
        tf.reduce_sum(tf.cast(tf.gather(materials.longest, plan["foreground"]) >= size[..., None], tf.int32), -1) - 1
    )
    level = tf.stack([tf.cast(plan["foreground"], tf.int32), tf.maximum(level, 0)], axis=-1)
    level_height = tf.gather_nd(materials.level_height, level)
    level_width = tf.gather_nd(materials.level_width, level)
    top, bottom, first_row, last_row = _extent(plan["top"], plan["height"], level_height, height)
    left, right, first_column, last_column = _extent(plan["left"], plan["width"], level_width, width)
    # CropAndResize mirrors when the box runs backwards.
    mirrored = plan["flipped"] != plan["background_flipped"][:, None]
    first_column, last_column = (
        tf.where(mirrored, 1 - first_column, first_column),
        tf.where(mirrored, 1 - last_column, last_column),
    )
    return {
        "background": plan["background"],
        "background_flipped": plan["background_flipped"],
        "count": plan["count"],
        "offset": tf.gather_nd(materials.offset, level),
        "level_height": level_height,
        "level_width": level_width,
        "window": tf.stack([top, left, bottom, right], axis=-1),
        "sample": tf.stack([first_row, first_column, last_row, last_column], axis=-1),
        "cut": tf.stack(
            [
                plan["top"] < 0,
                plan["left"] < 0,
                plan["top"] + plan["height"] > height,
                plan["left"] + plan["width"] > width,
            ],
            axis=-1,
        ),
        "metres": plan["metres"],
        "relief_scale": plan["relief_scale"],
    }


def _extent(start, length, level_length, room: int):
    """One axis: the pixels [begin, end) that an object covers, and where their centres lie in its level, 0..1."""
    begin = tf.clip_by_value(tf.cast(tf.floor(start), tf.int32), 0, room - 1)
    end = tf.clip_by_value(tf.cast(tf.math.ceil(start + length), tf.int32), begin + 1, room)
    level_length = tf.cast(level_length, tf.float32)
    scale = (level_length - 2) / length

    def in_level(pixel):
        # Centre of the pixel -> place in the object -> place in the level, which has a border of one pixel.
        return ((tf.cast(pixel, tf.float32) + 0.5 - start) * scale + 0.5) / (level_length - 1)

    return begin, end, in_level(begin), in_level(end - 1)


def compose(plan: dict, materials: Materials, seam: str, *, mirrors: bool = True, empties: bool = True) -> dict:
    """One composite. plan: one element of `windows`.

    mirrors, empties: whether any background is mirrored and any frame empty. A branch that is never taken costs too.
    """
    _, height, width, _ = materials.backgrounds.shape
    background = tf.gather(materials.backgrounds, plan["background"])
    scenery = None if materials.depth_codes is None else tf.gather(materials.depth_codes, plan["background"])[..., None]
    objects = plan["offset"].shape[0]
    mirrored = plan["background_flipped"]
    if mirrors and scenery is None:
        background = tf.cond(mirrored, lambda: tf.reverse(background, [1]), lambda: background)
    elif mirrors:
        background, scenery = tf.cond(
            mirrored,
            lambda: (tf.reverse(background, [1]), tf.reverse(scenery, [1])),
            lambda: (background, scenery),
        )

    def seen(number, fg_bg):
        """Of an object: its window, the pixels of fg_bg there without and with it, its alpha, its codes of depth."""
        window = plan["window"][number]
        begin, end = window[:2], window[2:]
        layer, relief = _layer(plan, number, materials, end - begin)
        code = tf.cast(plan["metres"][number] * materials.depth_scale + 0.5, tf.int32)
        if scenery is not None:
            hides = tf.cast(tf.cast(code, tf.float32) * (1 - materials.hides_when_nearer), tf.int32)
            layer *= tf.cast(tf.cast(_cut(scenery, begin, end), tf.int32) >= hides, tf.float32)
        layer = _with_seam(layer, seam, plan["cut"][number])
        colour, alpha = layer[..., :3], layer[..., 3:]
        before = _cut(fg_bg, begin, end)
        after = tf.cast(tf.cast(before, tf.float32) * _transparent(alpha) + colour + 0.5, tf.uint8)
        if relief is not None:
            code += tf.cast(tf.round(relief * plan["relief_scale"][number] * materials.depth_scale), tf.int32)
        return begin, end, before, after, alpha, tf.cast(tf.clip_by_value(code, 1, 65535), tf.uint16)

    def paint(number, fg_bg, mask, depth, sums, box):
        begin, end, before, after, alpha, own = seen(number, fg_bg)
        covered = alpha + tf.cast(_cut(mask, begin, end), tf.float32) * _transparent(alpha) if objects > 1 else alpha
        fg_bg = _paste(fg_bg, begin, end, after)
        mask = _paste(mask, begin, end, tf.cast(covered + 0.5, tf.uint8))
        if scenery is not None:
            depth = _paste(depth, begin, end, tf.where(_solid(alpha), own, _cut(depth, begin, end)))
        sums += _sums(after) - _sums(before)
        box = tf.concat([tf.minimum(box[:2], begin), tf.maximum(box[2:], end)], axis=0)
        return fg_bg, mask, depth, sums, box

    if objects == 1 and not empties:
        # Always one, as in the published layout: its window is the box, and no canvas of the whole picture is needed.
        begin, end, before, after, alpha, own = seen(0, background)
        fg_bg, sums = _paste(background, begin, end, after), _sums(after) - _sums(before)
        mask, box = tf.cast(alpha + 0.5, tf.uint8), tf.concat([begin, end], axis=0)
        depth = tf.cast(_solid(alpha), tf.uint16) * own if scenery is not None else tf.zeros_like(mask, tf.uint16)
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
        mask, depth = _cut(mask, box[:2], box[2:]), _cut(depth, box[:2], box[2:])
    depth_sums = tf.zeros([2, 1], tf.float64)
    if scenery is not None:
        behind = tf.where(depth > 0, _cut(scenery, box[:2], box[2:]), tf.constant(0, tf.uint16))
        depth_sums = _sums(depth) - _sums(behind)
    return {
        "fg_bg": tf.ensure_shape(fg_bg, [height, width, 3]),
        "mask": mask,
        "depth": depth,
        "box": box,
        "fg_bg_sums": sums,
        "mask_sums": _sums(mask)[:, 0],
        "depth_sums": depth_sums[:, 0],
    }


def _transparent(alpha):
    return 1 - alpha * (1 / 255)


def _solid(alpha):
    """Where an object's own depth is seen."""
    return alpha >= 127.5


def _layer(plan: dict, number: int, materials: Materials, size):
    """The object over its window: premultiplied RGBA float32 [h, w, 4] 0..255, and relief float32 [h, w, 1] metres."""
    height, width = plan["level_height"][number], plan["level_width"][number]
    offset, sample = plan["offset"][number], plan["sample"][number][None]
    level = tf.reshape(tf.slice(materials.pixels, [offset], [height * width * 4]), [1, height, width, 4])
    layer = _sampled(level, sample, size, "bilinear")
    if materials.reliefs is None:
        return layer, None
    level = tf.reshape(tf.slice(materials.reliefs, [offset // 4], [height * width]), [1, height, width, 1])
    return layer, _sampled(level, sample, size, "nearest") * RELIEF_UNIT


def _sampled(level, sample, size, method: str):
    return tf.raw_ops.CropAndResize(
        image=level, boxes=sample, box_ind=[0], crop_size=size, method=method, extrapolation_value=0
    )[0]


def _with_seam(layer, seam: str, cut):
    """hard: all or nothing. soft: as the cut-out was drawn. feathered: fades over FEATHER pixels, inwards.

    cut: bool [4], whether the picture's top, left, bottom, right edge cuts the object; it does not fade there.
    """
    if seam == "soft":
        return layer
    alpha = layer[..., 3:]
    if seam == "hard":
        wanted = tf.cast(alpha >= 127.5, tf.float32) * 255
    else:
        known = tf.cast(~cut, tf.float32)
        rows, columns = _known(alpha, 0, known), _known(alpha, 1, known)
        around = tf.pad(alpha, [[FEATHER // 2] * 2, [FEATHER // 2] * 2, [0, 0]])
        inner = _mean(around) / _mean(rows[:, None, None] * columns[:, None])
        # 0 on the edge itself, where half of the surroundings is covered.
        wanted = tf.minimum(alpha, tf.maximum(2 * inner - 255, 0))
    return layer * (wanted / tf.maximum(alpha, 1e-3))


def _known(alpha, axis: int, known):
    """float32 [FEATHER // 2 + length + FEATHER // 2]: 1 where it is known what is there, along one axis."""
    beyond = tf.ones([FEATHER // 2])
    return tf.concat([beyond * known[axis], tf.ones([tf.shape(alpha)[axis]]), beyond * known[axis + 2]], axis=0)


def _mean(values):
    return tf.nn.avg_pool2d(values[None], FEATHER, 1, "VALID")[0]


def _cut(picture, begin, end):
    return picture[begin[0] : end[0], begin[1] : end[1]]


def _paste(picture, begin, end, patch):
    return tf.raw_ops.TensorStridedSliceUpdate(input=picture, begin=begin, end=end, strides=[1, 1], value=patch)


def _sums(patch):
    values = tf.cast(patch, tf.float64)
    return tf.stack([tf.reduce_sum(values, axis=[0, 1]), tf.reduce_sum(values * values, axis=[0, 1])])
