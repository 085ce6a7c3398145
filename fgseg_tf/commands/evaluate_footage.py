"""Scores masks and depth on sequences of real cameras with hand-made masks.

    fgseg evaluate-footage --footage=DIR
    fgseg evaluate-footage --footage=DIR --run=runs/mine --sheet=sheet.png

In a clone, `python tools/evaluate_footage.py` does the same. DIR holds NAME/{input,groundtruth,background}, as CDnet
does; see fgseg_tf/evaluation/footage.py. Beside the network stand the
difference to the background, MOG2 and KNN, each with the threshold that is best on these very sequences.

Masks of a depth sensor can lie beside what they show, because it looks from another place than the camera. Where that
is so, a line says by how much, and --align scores the sequence with its masks (and depth) moved by as much.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

from collections.abc import Callable

import numpy as np
from absl import flags
from PIL import Image

from data_pipelines.runtime.cli import run_command
from data_pipelines.runtime.progress import Progress
from fgseg_tf.calibration.camera_folder import read_camera
from fgseg_tf.calibration.depth_pictures import fill_holes
from fgseg_tf.evaluation import baselines, footage
from fgseg_tf.inference import prediction_files
from fgseg_tf.inference.objects import FOREGROUND, place_objects
from fgseg_tf.inference.segmenter import Camera, Segmenter
from fgseg_tf.model import weights
from fgseg_tf.runs.trained import load_trained

_FOOTAGE = flags.DEFINE_string("footage", None, "Folder of sequences, or one sequence.", required=True)
_RUN = flags.DEFINE_string("run", None, "Folder of a finished training; without it, weights of the package.")
_WEIGHTS = flags.DEFINE_enum("weights", "base", list(weights.PACKAGED), "Which of those.")
_SIZE = flags.DEFINE_integer("size", None, "Longer side, pixels, at which the network looks, as in predict.")
_SMOOTH = flags.DEFINE_float("smooth", 0.0, "As in predict; for frames that follow closely.")
_BOTH_WAYS = flags.DEFINE_bool("both_ways", False, "As in predict.")
_BASELINES = flags.DEFINE_bool("baselines", True, "Also the difference, MOG2 and KNN.")
_ALIGN = flags.DEFINE_bool("align", False, "Move masks and depth to where the difference says that they belong.")
_CAMERA = flags.DEFINE_string(
    "camera",
    None,
    "Folder of a camera, by fgseg calibrate, of the one sequence of --footage: also scores depth as it knows it.",
)
_SHEET = flags.DEFINE_string("sheet", None, "Write a sheet of frames, masks found and masks drawn to this PNG.")
_SHOWN = flags.DEFINE_integer("shown", 3, "Frames of each sequence on the sheet.", lower_bound=1)

TILE = 220  # pixels, on the sheet
NOTHING, KNOWN, CALIBRATED = "nothing known", "background known", "as calibrated"
DepthErrors = dict[tuple[str, str], float | None]  # (way to know depth, region) -> AbsRel


def evaluate() -> None:
    """Scores all sequences and prints the tables."""
    if _BASELINES.value:
        baselines.import_opencv()
    elif _ALIGN.value:
        raise ValueError("--align goes by the difference, which is a baseline; leave out --nobaselines.")
    sequences = footage.find_sequences(_FOOTAGE.value)
    if _CAMERA.value and (len(sequences) != 1 or not sequences[0].background_depth):
        raise ValueError(
            f"--camera={_CAMERA.value} is of one sequence; give as --footage that one, with a background/depth.png."
        )
    network, side, origin = load_trained(_RUN.value, _WEIGHTS.value)
    segmenter = Segmenter(network, _SIZE.value or side)
    compared: dict[str, Callable] = {}
    beside: list[footage.Sequence] = []
    if _BASELINES.value and any(each.masked for each in sequences):
        compared = footage.tune_baselines(sequences)
        moved = [footage.align_masks(each, compared["difference"]) if each.masked else each for each in sequences]
        beside = [each for each in moved if each.offset]
        if beside and _ALIGN.value:
            sequences = moved
            compared = footage.tune_baselines(sequences)
    counts: dict[str, dict[str, footage.PixelCounts]] = {}
    depths: dict[str, list[dict[str, float]]] = {}
    ways: dict[str, list[DepthErrors]] = {}
    rows = []
    with Progress("frames", sum(len(sequence.frames) for sequence in sequences), "frames") as progress:
        for sequence in sequences:
            shown = np.linspace(0, len(sequence.frames) - 1, _SHOWN.value).round().astype(int)
            camera = None
            metres = footage.read_background_metres(sequence)
            knowing: dict[str, Camera] = {}
            for number, (bg, frame, truth, millimetres) in enumerate(footage.read_pictures(sequence)):
                if camera is None or sequence.background is None:
                    camera = segmenter.camera(bg, _SMOOTH.value, _BOTH_WAYS.value)
                    knowing = {} if metres is None else make_knowing_cameras(segmenter, bg, metres)
                result = camera.segment(frame)
                masks = {"network": result.mask >= FOREGROUND}
                if truth is not None and sequence.masked:
                    masks |= {name: baseline(bg, frame) for name, baseline in compared.items()}
                    for name, mask in masks.items():
                        counts.setdefault(name, {}).setdefault(sequence.name, footage.PixelCounts()).add(mask, truth)
                    if number in shown:
                        rows.append(draw_sheet_row(frame, result.mask, truth))
                if millimetres is not None and (scores := footage.score_depth(result.depth, millimetres)):
                    depths.setdefault(sequence.name, []).append(scores)
                    if metres is not None:
                        made = {NOTHING: result.depth}
                        made |= predict_ways(frame, result.mask, metres, truth, knowing)
                        ways.setdefault(sequence.name, []).append(score_ways(made, millimetres, truth))
                progress.add()
    print(f"{origin}, looking at {segmenter.side} pixels" + (", both ways" if _BOTH_WAYS.value else ""))
    for sequence in beside:
        print(format_offset(sequence))
    if counts:
        print(format_mask_table(counts))
    if depths:
        print(format_depth_table(depths))
    if ways:
        print(format_ways_table(ways))
    if _SHEET.value and rows:
        Image.fromarray(np.concatenate(rows)).save(_SHEET.value)
        print(f"{_SHEET.value}: frame, the same outlined, mask found, mask drawn (grey: left out)")


def make_knowing_cameras(segmenter: Segmenter, bg: np.ndarray, metres: np.ndarray) -> dict[str, Camera]:
    """Returns cameras that know the depth of the background, by what they know of it.

    Args:
        segmenter: Holds the network.
        bg: The background.
        metres: Its depth, 0 unknown.
    """
    cameras = {KNOWN: Camera(segmenter, bg, _SMOOTH.value, _BOTH_WAYS.value, metres)}
    if _CAMERA.value:
        cameras[CALIBRATED] = Camera(
            segmenter, bg, _SMOOTH.value, _BOTH_WAYS.value, read_calibrated(_CAMERA.value, metres)
        )
    return cameras


def read_calibrated(folder: str, metres: np.ndarray) -> np.ndarray:
    """Returns the depth of --camera, and prints how far it is off from that of the background.

    Raises:
        ValueError: It is of another size, or a guess.
    """
    setup = read_camera(folder)
    if setup.depth.shape != metres.shape:
        sizes = " x ".join(map(str, setup.depth.shape)), " x ".join(map(str, metres.shape))
        raise ValueError(f"--camera={folder} is of {sizes[0]} pixels, its footage of {sizes[1]}; calibrate anew.")
    if not setup.is_metric:
        raise ValueError(f"--camera={folder} has no metres, only a guess of near and far; calibrate it.")
    error = footage.measure_abs_rel(setup.depth, metres * footage.MILLIMETRES)
    known = float(((setup.depth > 0) & (metres > 0)).sum() / max(1, (metres > 0).sum()))
    if error is not None:
        print(f"{folder}: its background has an AbsRel of {error:.3f} where it is known, {known:.0%} of it")
    return setup.depth


def predict_ways(
    frame: np.ndarray,
    mask: np.ndarray,
    metres: np.ndarray,
    truth: np.ndarray | None,
    knowing: dict[str, Camera],
) -> dict[str, np.ndarray]:
    """Returns the depth of a frame by each way to know that of the background, [H, W] each, metres, 0 unknown.

    Args:
        frame: The frame.
        mask: The mask that was found.
        metres: Depth of the background, 0 unknown.
        truth: Levels of the true mask; None where there is none.
        knowing: Cameras, as of `make_knowing_cameras`.
    """
    made = {"background alone": metres, "rule of the foot": place_objects(mask, fill_holes(metres), metres > 0)}
    made |= {name: camera.segment(frame).depth for name, camera in knowing.items()}
    if truth is not None:
        made["true mask"] = knowing[KNOWN].place_objects(frame, (truth == footage.FOREGROUND).astype(np.float32))
    return made


def score_ways(made: dict[str, np.ndarray], millimetres: np.ndarray, truth: np.ndarray | None) -> DepthErrors:
    """Returns AbsRel of everything and of the objects, for each way to know depth, where that way knows it.

    Args:
        made: Depth by each way, metres, 0 unknown.
        millimetres: True depth of the frame, 0 unknown.
        truth: Levels of the mask; None where there is none.
    """
    inside = None if truth is None else truth == footage.FOREGROUND
    errors: DepthErrors = {}
    for name, depth in made.items():
        errors[name, "all"] = footage.measure_abs_rel(depth, millimetres)
        errors[name, "objects"] = None if inside is None else footage.measure_abs_rel(depth, millimetres, inside)
    return errors


def format_ways_table(ways: dict[str, list[DepthErrors]]) -> str:
    """Returns the means over the frames of each sequence. ways: sequence -> errors of each frame."""
    width = max(len(name) for name in ways)
    columns = list(dict.fromkeys(name for by_frame in ways.values() for errors in by_frame for name, _ in errors))
    lines = [
        "depth where that of the background is known, AbsRel of all pixels and of objects:",
        " " * width + "".join(f" {name:>18}" for name in columns),
    ]
    for sequence, by_frame in ways.items():
        cells = []
        for name in columns:
            pair = []
            for region in ("all", "objects"):
                values = [value for errors in by_frame if (value := errors.get((name, region))) is not None]
                pair.append(f"{np.mean(values):.3f}" if values else "-")
            cells.append(f" {' / '.join(pair):>18}")
        lines.append(f"{sequence:{width}}" + "".join(cells))
    return "\n".join(lines)


def format_offset(sequence: footage.Sequence) -> str:
    """Returns a line that says how far the masks of a sequence lie beside what they show."""
    offset = sequence.offset
    assert offset
    across = f"{abs(offset.right)} pixels {'right' if offset.right > 0 else 'left'}"
    along = f"{abs(offset.down)} {'down' if offset.down > 0 else 'up'}"
    return (
        f"{sequence.name}: its masks lie beside what they show; moved {across} and {along}, the difference has an F of "
        f"{offset.f:.3f} instead of {offset.f_unmoved:.3f}. "
        + ("So it is scored." if _ALIGN.value else "--align scores it so.")
    )


def format_mask_table(counts: dict[str, dict[str, footage.PixelCounts]]) -> str:
    """Returns precision, recall and F of each sequence, and their means. counts: column -> sequence -> counts."""
    names = list(counts["network"])
    width = max(len("mean"), *(len(name) for name in names))
    lines = [" " * width + f" {'precision':>10} {'recall':>7}" + "".join(f" {name + ' F':>13}" for name in counts)]
    for name in names:
        own = counts["network"][name]
        fs = "".join(f" {of_all[name].f:13.3f}" for of_all in counts.values())
        lines.append(f"{name:{width}} {own.precision:10.3f} {own.recall:7.3f}{fs}")
    all_own = counts["network"].values()
    means = [np.mean([each.f for each in of_all.values()]) for of_all in counts.values()]
    lines.append(
        f"{'mean':{width}} {np.mean([each.precision for each in all_own]):10.3f} "
        f"{np.mean([each.recall for each in all_own]):7.3f}" + "".join(f" {mean:13.3f}" for mean in means)
    )
    return "\n".join(lines)


def format_depth_table(depths: dict[str, list[dict[str, float]]]) -> str:
    """Returns the mean scores of depth of each sequence. depths: sequence -> scores of each frame."""
    width = max(len(name) for name in depths)
    lines = [" " * width + "  depth: AbsRel  RMSE, m  d<1.25 | with the right median: AbsRel  RMSE, m  d<1.25"]
    for name, by_frame in depths.items():
        mean = {key: np.mean([scores[key] for scores in by_frame]) for key in by_frame[0]}
        lines.append(
            f"{name:{width}} {mean['abs_rel']:14.3f} {mean['rmse']:8.2f} {mean['delta1']:7.3f} |"
            f" {mean['scaled_abs_rel']:29.3f} {mean['scaled_rmse']:8.2f} {mean['scaled_delta1']:7.3f}"
        )
    return "\n".join(lines)


def draw_sheet_row(frame: np.ndarray, mask: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Returns a row of the sheet, uint8 [TILE, 4 TILE, 3]: frame, overlay, mask found, mask drawn."""
    levels = np.where(np.isin(truth, footage.LEFT_OUT), 128, np.where(truth == footage.FOREGROUND, 255, 0))
    grey = [np.repeat(plane[..., None], 3, -1).astype(np.uint8) for plane in (np.round(mask * 255), levels)]
    tiles = []
    for picture in (frame, prediction_files.draw_overlay(frame, mask), *grey):
        tile = Image.new("RGB", (TILE, TILE))
        tile.paste(Image.fromarray(picture).resize(fit_tile(picture.shape), Image.Resampling.BOX))
        tiles.append(np.asarray(tile))
    return np.concatenate(tiles, axis=1)


def fit_tile(shape: tuple) -> tuple[int, int]:
    """Returns the width and height of a picture that fills a tile one way."""
    scale = TILE / max(shape[:2])
    return round(shape[1] * scale), round(shape[0] * scale)


def main() -> None:
    """Runs the command."""
    run_command(evaluate, __name__, "the folder is given as --footage=DIR")


if __name__ == "__main__":
    main()
