"""The second half of the walk, from a record to a prediction: what each step tells and shows of one composite.

Nothing is made here. The text comes from the code that trains and predicts, called with what it has there. An
example is a batch of one, as `Data.scoring` gives it.
"""

from typing import cast

import keras
import numpy as np
import tensorflow as tf

from data_pipelines.inspection.depth_colors import color_depth
from fgseg_tf.data import base, exposures, shard_data
from fgseg_tf.data.base import Batch
from fgseg_tf.inference import prediction_files, scene_match, upsampling
from fgseg_tf.inference import segmenter as segmentation
from fgseg_tf.measures import losses, metrics
from fgseg_tf.model import depth_code, fold, two_branch, weights
from fgseg_tf.training import schedule, step
from walk.panels import Panel, Step, enlarge, format_size, to_grey

GOES = {
    "bg": "input",
    "fg_bg": "input",
    "mask": "what the mask should be",
    "depth": "what depth should be, as its code",
}
TAKES = {
    "stem": "bg; fg_bg",
    "background": "stem of bg",
    "joint": "stem of both, background",
    "mask": "joint",
    "depth": "joint",
}


def exposures_step(stored: tuple, side: int, composed: dict, example: dict, severity: float, scale: tuple) -> Step:
    """stored: height and width of the record. composed, example: the same one, as it was made, and as two exposures."""
    composed, example = ({key: value.numpy() for key, value in each.items()} for each in (composed, example))
    outside = (composed["mask"] == 0) & (example["mask"] == 0)
    apart = [np.abs(each["fg_bg"] - each["bg"]).mean(-1, keepdims=True) for each in (composed, example)]
    differ = [255 * each[outside].mean() for each in apart]
    size = example["mask"].shape[1:3]
    near = float(example["depth"][example["depth"] > 0].min())
    return Step(
        "What the network is given: resized, and as two exposures",
        "exposures",
        (shard_data, base, exposures, depth_code),
        (
            f"{stored[0]} x {stored[1]} is looked at with {size[0]} x {size[1]} pixels: these weights learned at "
            f"{side}, and sides are multiples of {fold.MULTIPLE}. Pictures and mask are averaged over areas, "
            "depth takes the nearest value.",
            "A second photograph is never the same picture: light, gain, noise, shadows, a pixel of movement. Outside "
            f"the object, bg and fg_bg differ by {differ[0]:.1f} levels as composed and by {differ[1]:.1f} as two "
            f"exposures, {severity:g} on the ladder from 0 to {exposures.SEVEREST} (--capture).",
            "Labels follow the frame: where its camera moves, mask and depth move along. Depth that nobody knows any "
            f"more is 0, here {np.count_nonzero(example['depth'] == 0)} pixels, and counts nowhere.",
            f"The network says depth by its logarithm, {depth_code.NEAREST:g} m as 0 and {depth_code.FARTHEST:g} m as "
            f"1: the nearest here, {near:.2f} m, is {float(depth_code.encode_depth(near)):.3f}.",
        ),
        (
            Panel("bg", to_grey(example["bg"][0]), "one exposure"),
            Panel("fg_bg", to_grey(example["fg_bg"][0]), "another one"),
            Panel("|fg_bg - bg| as composed", to_grey(apart[0][0, ..., 0], 0.4), "a threshold would do"),
            Panel("|fg_bg - bg| as two exposures", to_grey(apart[1][0, ..., 0], 0.4), "it takes more"),
            Panel("mask", to_grey(example["mask"][0, ..., 0]), "the label, moved along"),
            Panel("depth", color_depth(example["depth"][0, ..., 0], *scale), "the label, likewise"),
        ),
        caption="The example",
        table=(("key", "shape", "values", "goes where"), *(_tensor(key, example[key], GOES[key]) for key in GOES)),
        scale=scale,
    )


def network_step(network: keras.Model, parts: dict[str, keras.Model], outputs: dict) -> Step:
    """Tells of the network. said: what `two_branch.run_parts` returns."""
    strengths = [tf.reduce_mean(tf.abs(tensor[0]), -1).numpy() for tensor in outputs["joint"]]
    rows = [
        (name, TAKES[name], f"{part.count_params():,}", _shapes(part, outputs[name])) for name, part in parts.items()
    ]
    return Step(
        "The network",
        "network",
        (two_branch, weights),
        (
            f"{network.count_params():,} parameters, in five parts. The same stem looks at both pictures; joint starts "
            "from what it says of the two and of the distance between them, and takes in what background saw at each "
            "scale; two branches double their way back to full size.",
            "Stem and background need no frame: for a fixed camera they look at its background once.",
        ),
        tuple(
            Panel(
                f"joint, {_by(strength.shape)}",
                enlarge(to_grey(strength, strength.max())),
                "its channels' mean strength",
            )
            for strength in strengths
        ),
        caption="Its parts",
        table=(("part", "takes", "parameters", "returns, height x width x channels"), *rows),
    )


def losses_step(example: dict, outputs: dict, trained: str) -> Step:
    """trained: the stage that the weights were trained with, as `stages` reads it."""
    usual = schedule.Stage(1, 0, 1, 1e-3, losses.parse_loss("dice", "mask"), losses.parse_loss("ssim", "depth"))
    (stage,) = schedule.parse_stages(trained, usual)
    nobody = {"mask": tf.zeros_like(example["mask"]), "depth": depth_code.encode_depth(example["bg_depth"])}
    targets = step.make_targets(cast(Batch, example))
    rows, totals = [], []
    for branch, minimised in (("mask", stage.mask_loss), ("depth", stage.depth_loss)):
        target, known = targets[branch]
        counts = {name: f"{weight:g}" for weight, name in minimised.terms}
        for name, loss in losses.LOSSES[branch].items():
            values = [f"{float(loss(target, answer[branch], known)[0]):.4f}" for answer in (outputs, nobody)]
            rows.append((f"{branch} {name}", *values, counts.get(name, "")))
        totals.append(f"{minimised} of {branch}, here {float(minimised(target, outputs[branch], known)[0]):.4f}")
    mask, depth = (tf.abs(targets[branch][0] - outputs[branch])[0, ..., 0].numpy() for branch in ("mask", "depth"))
    return Step(
        "How wrong that is: every loss by its name",
        "losses",
        (losses, step, schedule),
        (
            f"What was minimised in training is {', and '.join(totals)}.",
            "Beside it, in the same numbers, what says that nobody is there: an empty mask, and the true depth of the "
            "background, which is hard to beat where objects are small.",
        ),
        (
            Panel("mask predicted", to_grey(outputs["mask"][0, ..., 0].numpy()), "probability, white is 1"),
            Panel("its error", to_grey(mask), "white: wrong by 1"),
            Panel("depth predicted", to_grey(outputs["depth"][0, ..., 0].numpy()), "as its code, white is far"),
            Panel("its error", to_grey(depth, 0.25), "white: wrong by 0.25 of the code or more"),
        ),
        caption="All that training can minimise",
        table=(("loss", "the answer", "nobody there", "weight in training"), *rows),
    )


def prediction_step(
    segmenter: segmentation.Segmenter, example: dict, composed: dict, name: str, folder: str, scale: tuple
) -> Step:
    """example: as two exposures, at the record's own size. composed: its bg, fg_bg and mask as they were made."""
    bg, fg_bg = (to_grey(example[key][0].numpy()) for key in ("bg", "fg_bg"))
    answer = segmenter.camera(bg).segment(fg_bg)
    prediction_files.prepare_folder(folder, prediction_files.KINDS, {"side": segmenter.side})
    prediction_files.write_prediction(folder, prediction_files.KINDS, name, fg_bg, answer)
    mask, depth = answer.mask[None, ..., None], answer.depth[None, ..., None]
    overlap = float(metrics.iou(example["mask"], mask)[0][0])
    off, off_object = (
        float(metrics.abs_rel(example["depth"], depth, region)[0][0])
        for region in (None, metrics.split_regions(example["mask"])["object"])
    )
    unchanged = segmenter.camera(composed["bg"]).segment(composed["fg_bg"]).mask[None, ..., None]
    size = segmentation.working_size(bg.shape[:2], segmenter.side).numpy()
    return Step(
        "The prediction, as fgseg_tf.predict makes it",
        "prediction",
        (segmentation, fold, upsampling, scene_match, prediction_files, metrics),
        (
            f"The frame, {format_size(fg_bg)} pixels, is looked at with {size[0]} x {size[1]}; the answer is as large "
            "as the frame.",
            f"Mask: IoU {overlap:.3f} with the truth; on the pair as it was composed, "
            f"{float(metrics.iou(composed['mask'][None] / 255, unchanged)[0][0]):.3f}.",
            f"Depth: {off:.1%} of the distance off in the mean, on the object {off_object:.1%}.",
            f"Similarity of frame and background: {answer.similarity:.2f}. 1 is the same scene; below "
            f"{scene_match.SAME_SCENE:g} predict warns that it is another one.",
            f"Mask, depth and overlay, as predict writes them, are in {folder}.",
        ),
        (
            Panel("bg", bg, "one exposure"),
            Panel("fg_bg", fg_bg, "another one"),
            Panel("mask, the truth", to_grey(example["mask"][0, ..., 0].numpy())),
            Panel("mask predicted", to_grey(answer.mask), f"IoU {overlap:.3f}"),
            Panel("overlay", prediction_files.draw_overlay(fg_bg, answer.mask), "what is found, outlined"),
            Panel("depth, the truth", color_depth(example["depth"][0, ..., 0].numpy(), *scale)),
            Panel("depth predicted", color_depth(answer.depth, *scale), f"{off:.1%} off"),
        ),
        scale=scale,
    )


def _tensor(key: str, value: np.ndarray, goes: str) -> tuple[str, str, str, str]:
    unit = " m" if key == "depth" else ""
    return key, _by(value.shape), f"{value.min():.2f} to {value.max():.2f}{unit}", goes


def _shapes(part: keras.Model, outputs) -> str:
    # The stem speaks twice, of each picture the same shapes.
    tensors = outputs[: len(part.outputs)] if isinstance(outputs, list) else [outputs]
    return ", ".join(_by(tensor.shape[1:]) for tensor in tensors)


def _by(shape) -> str:
    return "x".join(str(side) for side in shape)
