"""The first half of the walk, from pictures to a record: what each step tells and shows of one composite.

Nothing is made here. The text comes from the code that makes data sets, called with what it has there.
"""

from dataclasses import replace

import numpy as np
import tensorflow as tf

from data_pipelines.compositing import compose, compositor, cutout_pyramid, depth_labels, ground, placement, splits
from data_pipelines.compositing.backgrounds import pad_to_frame
from data_pipelines.compositing.compositor import HIDES_WHEN_NEARER, Compositor
from data_pipelines.compositing.placement import Placements
from data_pipelines.compositing.plan import CompositePlan
from data_pipelines.config import PlacementConfig
from data_pipelines.inspection.depth_colors import color_depth
from data_pipelines.sources import cutout_cleanup, folder_scan, source_set
from data_pipelines.sources.source_set import Sources
from data_pipelines.teacher import network as teacher_network
from data_pipelines.tfrecord import export, reader, schema, shards
from data_pipelines.tfrecord.reader import RecordLocation, StoredDataset
from walk import panels
from walk.panels import (
    Panel,
    Step,
    crop_around,
    draw_boxes,
    enlarge,
    format_size,
    show_over_green,
    show_over_squares,
    to_grey,
)

BRIM = ((9, 17), (14, 6), (0, 0))  # transparent pixels around a drawn cut-out, as a background remover leaves them
SEAMS = {"hard": "all or nothing", "soft": "as it was drawn", "feathered": "faded inwards"}
EDGE = 24  # pixels a side, of what is shown of an edge


def sources_step(sources: Sources, composing: Compositor, index: int) -> Step:
    """Shows the two pictures, and what is done to a cutout before it is used."""
    number, cutout, _, _ = composing.grid.decode(index)
    background, origin = sources.backgrounds[number], sources.foreground_origins[cutout].source
    drawn = sources.true_depth is not None
    raw = _simulate_removed_background(sources.foregrounds[cutout]) if drawn else folder_scan.read_untrimmed(origin)
    trimmed = cutout_cleanup.trim(raw)
    cleaned = cutout_cleanup.clean_halo(trimmed)
    alpha = trimmed[..., 3]
    seen = alpha >= cutout_cleanup.VISIBLE
    change = _difference(cleaned[..., :3], trimmed[..., :3]).max(-1) * seen
    # Where the halo is worst to look at: much colour changed, and much of it is seen.
    worst = np.unravel_index(np.argmax(change * alpha.astype(int) * (255 - alpha)), alpha.shape)
    lines = [
        f"bg{number:03d} is {sources.background_origins[number].source}: {format_size(background)} pixels.",
        f"fg{cutout:03d} is {origin}: {format_size(raw)} pixels."
        + drawn * " Drawn cut-outs come clean; the brim, and the white in the soft edge, were added for this walk.",
        f"Trimmed to what can be seen (alpha of {cutout_cleanup.VISIBLE} or more): {format_size(trimmed)}.",
        f"Halo: {np.count_nonzero(change):,} of {np.count_nonzero(seen):,} visible pixels take the colour of opaque "
        f"ones nearby, which changes them by {change[change > 0].mean() if change.any() else 0:.0f} levels in the "
        "mean. Alpha stays as it is.",
        f"Scaled once, to {len(np.unique(composing.materials.longest[cutout]))} sizes; a composite takes the smallest "
        "one that is large enough.",
    ]
    if drawn:
        soft = seen & (alpha < folder_scan.OPAQUE)
        off = [
            _difference(of[soft][:, :3], sources.foregrounds[cutout][soft][:, :3]).mean() for of in (trimmed, cleaned)
        ]
        lines[3] += f" The soft edge was {off[0]:.0f} levels off its true colour, and is {off[1]:.0f} off now."
    return Step(
        "A background and a cut-out",
        "sources",
        (source_set, folder_scan, cutout_cleanup, cutout_pyramid),
        tuple(lines),
        (
            Panel(f"bg{number:03d}", background, "the empty scene"),
            Panel(f"fg{cutout:03d}", enlarge(show_over_squares(raw)), "as it is handed over"),
            Panel("trimmed and cleaned", enlarge(show_over_squares(cleaned)), "what is placed"),
            Panel(
                "its edge, before",
                crop_around(show_over_green(trimmed), worst, EDGE),
                "over green: the old background in it",
            ),
            Panel(
                "its edge, after", crop_around(show_over_green(cleaned), worst, EDGE), "over green: colour from inside"
            ),
        ),
    )


def placement_step(composing: Compositor, split: splits.Split, index: int) -> Step:
    """Shows where the object stands, and where the published layout would put it."""
    grid, options = composing.grid, composing.config
    number, cutout, flipped, place = grid.decode(index)
    assert composing.stage.horizon is not None, "on the ground there is one"
    scene, focal = composing.pictures[number], float(composing.stage.focal[number]) * options.height
    published = replace(composing, config=replace(options, placement=PlacementConfig(layout="rows")))
    indices = tf.constant(grid.encode(number, cutout, flipped, np.arange(grid.places)))
    standing, in_rows = (_first_objects(each.place(split, indices)) for each in (composing, published))
    feet, tall, metres = standing["top"] + standing["height"], standing["height"], standing["metres"]
    # Far ones first, so that near ones are drawn over them.
    colours = [*color_depth(metres[None], metres.min(), metres.max() * 1.01)[0][::-1], panels.OUTLINE]
    boxes = [*_boxes(standing)[::-1], _boxes(standing)[place]]
    nearest, farthest = (
        composing.compose_example(composing.plan_one(split, int(indices[at])))["fg_bg"].numpy() for at in (0, -1)
    )
    chosen = sorted({0, grid.places // 4, grid.places // 2, 3 * grid.places // 4, grid.places - 1, place})
    return Step(
        "Where it stands, and how large it is",
        "placement",
        (splits, ground, placement),
        (
            f"Composite {index} of {grid.size} is {grid.format_name(index)}: background {number}, cut-out {cutout}, "
            f"{'mirrored' if flipped else 'not mirrored'}, place {place}. Name and number say the same: "
            f"(({number} x {grid.foregrounds} + {cutout}) x 2 + {flipped}) x {grid.places} + {place} = {index}. Random "
            "numbers are keyed by it and the seed, so it is the same on every machine and in any order.",
            f"Where: the floor that the depth map shows is dealt into {grid.places} parts, from near to far. In part "
            f"{place}, its foot is at row {feet[place]:.0f}, where the floor is {metres[place]:.2f} m away."
            + (number in composing.without_floor)
            * " (No floor was seen: the lower third of the picture stands in.)",
            f"How large: focal length x height / distance = {focal:.0f} px x "
            f"{tall[place] * metres[place] / focal:.2f} m / {metres[place]:.2f} m = {tall[place]:.0f} px.",
            "Larger = lower = nearer: on a floor, 1 / depth grows evenly with the row, from 0 at the horizon (here row "
            f"{float(composing.stage.horizon[number]) * options.height:.0f}), and so does the height in pixels.",
        ),
        (
            Panel(
                "on the ground", draw_boxes(scene, boxes, colours), "near ones are light; the one of this walk is bold"
            ),
            Panel(
                "in rows",
                draw_boxes(scene, _boxes(in_rows)[::-1], colours[:-1]),
                "--placement=rows, as published: 4 x 5",
            ),
            Panel(grid.format_name(int(indices[0])), nearest, f"the nearest place, {metres[0]:.1f} m"),
            Panel(grid.format_name(int(indices[-1])), farthest, f"the farthest place, {metres[-1]:.1f} m"),
        ),
        caption="Some of its places",
        table=(
            ("place", "foot at row", "metres", "pixels tall"),
            *(
                (
                    f"{at}, this one" if at == place else f"{at}",
                    f"{feet[at]:.0f}",
                    f"{metres[at]:.2f}",
                    f"{tall[at]:.0f}",
                )
                for at in chosen
            ),
        ),
    )


def compositing_step(composing: Compositor, plan: CompositePlan, made: dict) -> Step:
    """Shows bg, fg_bg and mask, and how the seam is made."""
    bg, fg_bg, alpha = made["bg"], made["fg_bg"], made["mask"][..., 0]
    half = np.unravel_index(np.argmin(np.abs(alpha.astype(int) - 128)), alpha.shape)
    top, left, bottom, right = plan["window"][0].numpy().tolist()
    seams = {
        seam: replace(composing, config=replace(composing.config, seam=seam)).compose(plan)["fg_bg"] for seam in SEAMS
    }
    return Step(
        "Compositing: bg, fg_bg and mask",
        "compositing",
        (compositor, compose),
        (
            "fg_bg = bg x (1 - alpha) + cut-out x alpha, and the mask is that alpha: "
            f"{np.count_nonzero(alpha == 255):,} pixels are covered wholly, "
            f"{np.count_nonzero((alpha > 0) & (alpha < 255)):,} in part, {np.count_nonzero(alpha == 0):,} not at all.",
            f"At row {half[0]}, column {half[1]} alpha is {alpha[half]} of 255: {1 - alpha[half] / 255:.0%} of bg "
            f"{bg[half].tolist()} is left, the cut-out adds the rest, and fg_bg is {fg_bg[half].tolist()}.",
            f"Work is done in rows {top} to {bottom} and columns {left} to {right} only. Outside the mask, fg_bg and "
            f"bg differ by {_difference(fg_bg, bg)[alpha == 0].max()} levels.",
            f"The seam here is {composing.config.seam}: as the cut-out was drawn (--seam).",
        ),
        (
            Panel("bg", bg, "nobody is there"),
            Panel("fg_bg", fg_bg, "the frame"),
            Panel("mask", alpha, "white is covered"),
            *(
                Panel(f"--seam={seam}", crop_around(seen.numpy(), half, EDGE), SEAMS[seam])
                for seam, seen in seams.items()
            ),
        ),
    )


def depth_step(
    composing: Compositor, plan: CompositePlan, made: dict, looking: teacher_network.Teacher, scale: tuple
) -> Step:
    """Shows how depth of the background and of the object become one."""
    options, number, metres = composing.config, int(plan["background"]), float(plan["metres"][0])
    behind = depth_labels.decode_depth(composing.depth_codes[number]).numpy()
    patch = composing.compose(plan)
    own = depth_labels.decode_depth(pad_to_frame(patch["depth"], patch["box"], options.height, options.width)).numpy()[
        ..., 0
    ]
    both = depth_labels.decode_depth(made["depth"]).numpy()[..., 0]
    guess = depth_labels.label_pictures(looking, composing.pictures[[number]], 1)[0]
    off, hides = depth_labels.compare_depths(guess, behind), HIDES_WHEN_NEARER[options.labels]
    whose = {
        "exact": "drawn scenes know it (--labels=exact). Of a photograph it is a teacher's guess; the packaged one "
        f"would be {off['abs_rel']:.1%} off here.",
        "ground": "what the packaged teacher sees in it (--labels=ground). It learned from drawn scenes: in "
        "photographs its order of near and far is often right, its metres are not.",
    }
    known = own[own > 0]
    shape = "a flat card" if composing.materials.reliefs is None else "with its relief"
    reach = f"seen from {known.min():.2f} to {known.max():.2f} m" if known.size else "hidden"
    return Step(
        "Depth, in metres",
        "depth",
        (depth_labels, teacher_network),
        (
            f"Of the background, {behind.min():.2f} to {behind.max():.2f} m: {whose[options.labels]}",
            f"Of the object: it stands at {metres:.2f} m, {shape}, {reach}. What is {hides:.0%} nearer hides it.",
            "Together: the object's depth where it covers half of a pixel or more "
            f"({np.count_nonzero(own):,} pixels), the background's elsewhere. Nothing in between is ever made up.",
            "Metres along the optical axis; larger is farther. In 16 bits "
            f"{metres:.2f} m is code {int(depth_labels.encode_depth(metres))} "
            f"({depth_labels.DEPTH_SCALE:.0f} a metre, so a step is {1000 / depth_labels.DEPTH_SCALE:.1f} mm); "
            f"0 is unknown, here {np.sum(both == 0)} pixels.",
        ),
        (
            Panel("depth of bg", color_depth(behind, *scale), "as it is labelled"),
            Panel("the packaged teacher's", color_depth(guess, *scale), "what it sees in bg"),
            Panel("depth of the object", color_depth(own, *scale), "grey: not its own"),
            Panel("depth", color_depth(both, *scale), "both together: the label"),
        ),
        scale=scale,
    )


def record_step(dataset: StoredDataset, location: RecordLocation, serialized: bytes, made: dict) -> Step:
    """Shows what is in the record, and what of it is read back unchanged."""
    height, width = dataset.height, dataset.width
    parsed = schema.parse(serialized, schema.COMPOSITE)
    _, backgrounds, codes = schema.read_backgrounds(dataset.path(shards.BACKGROUNDS), height, width)
    back = schema.decode_composite(parsed, tf.constant(backgrounds), tf.constant(codes))
    back = {key: back[key].numpy() for key in ("bg", "fg_bg", "mask", "depth")}
    equal = {key: "equal" if np.array_equal(back[key], made[key]) else "NOT equal" for key in ("mask", "depth")}
    off = {key: _difference(back[key], made[key]) for key in ("bg", "fg_bg")}
    top, left, bottom, right = parsed["mask_box"].numpy().tolist()
    quality = dataset.manifest["options"]["jpeg_quality"]
    return Step(
        "The record, written and read back",
        "record",
        (export, schema, shards, reader),
        (
            f"All {dataset.manifest['records']:,} composites of these pictures were written, to "
            f"{len(dataset.files)} TFRecord files. This one is record {location.number} of {location.file.name}, so of "
            f"the split {location.file.split}.",
            f"It is {len(serialized):,} bytes, and 16 more for its length and checksums; fg_bg, mask and depth as "
            f"plain numbers would be {height * width * 6:,}. bg is stored once, for all records that show it.",
            f"Read back, the mask is {equal['mask']} and the depth is {equal['depth']}, to the last bit. Pictures are "
            f"JPEG of quality {quality}: fg_bg is off by {off['fg_bg'].mean():.2f} levels in the mean and "
            f"{off['fg_bg'].max()} at most, bg by {off['bg'].mean():.2f} and {off['bg'].max()}.",
        ),
        (
            Panel("fg_bg, read back", draw_boxes(back["fg_bg"], [(top, left, bottom, right)]), "with mask_box"),
            Panel("what JPEG changed", to_grey(off["fg_bg"].max(-1), 32), "white: 32 levels or more"),
            Panel("mask, as stored", enlarge(back["mask"][top:bottom, left:right, 0]), "only its box"),
        ),
        caption="What it holds",
        table=(("key", "holds", "meaning"), *(_field(feature, parsed) for feature in schema.COMPOSITE)),
    )


def _field(feature: schema.Feature, parsed: dict) -> tuple[str, str, str]:
    value = parsed[feature.key].numpy()
    if feature.key == "name":
        content = value.decode()
    else:
        content = f"{len(value):,} bytes" if feature.dtype is tf.string else str(value.tolist())
    return feature.key, content, feature.meaning


def _simulate_removed_background(cutout: np.ndarray) -> np.ndarray:
    """Returns a cutout as it comes from a background remover that found it before a white wall."""
    alpha = cutout[..., 3:] / 255
    mixed = np.round(cutout[..., :3] * alpha + 255 * (1 - alpha)).astype(np.uint8)
    return np.pad(np.concatenate([mixed, cutout[..., 3:]], -1), BRIM)


def _first_objects(placed: Placements) -> dict[str, np.ndarray]:
    """Returns where the objects of composites with one object each stand."""
    return {key: placed[key][:, 0].numpy() for key in ("top", "left", "height", "width", "metres")}


def _boxes(placed: dict[str, np.ndarray]) -> np.ndarray:
    top, left, tall, wide = (placed[key] for key in ("top", "left", "height", "width"))
    return np.stack([top, left, top + tall, left + wide], axis=1)


def _difference(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the levels between two pictures."""
    return np.abs(one.astype(int) - other)
