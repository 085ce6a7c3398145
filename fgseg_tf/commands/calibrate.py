"""Makes the folder of a fixed camera: its background, how far away everything in it is, and a page to look at.

    fgseg calibrate --background=empty.jpg --background_depth=d.png --background_depth_kind=millimetres --output=hall
    fgseg calibrate --background=empty.jpg --known=320,400,2.5 --known=100,200,6 --known=500,210,5.2 --output=hall
    fgseg calibrate --background=empty.jpg --camera_height=2.6 --fov=70 --tilt=20 --output=hall
    fgseg calibrate --background=empty.jpg --teacher=midas.onnx --known=... --output=hall
    fgseg calibrate --background=empty.jpg --teacher=keras_hub:depth_anything_v2_small --known=... --output=hall

What is needed once is the depth of the background. It comes from a depth picture of any kind; or from a network that
looks at the background once (--teacher), scaled by distances that you measure (--known) or by the floor; or from the
floor alone. `fgseg predict --camera=hall` then knows metres. Exit status 1, with one sentence, when something is wrong;
a camera of before is left as it was.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import re

import numpy as np
from absl import flags

from data_pipelines.compositing.depth_labels import label_pictures
from data_pipelines.config import TEACHER_POLARITIES, TEACHER_RANGES, is_relative_teacher, parse_size
from data_pipelines.runtime.cli import run_command
from data_pipelines.runtime.files import join_path, write_atomic
from data_pipelines.runtime.locks import lock_folder
from data_pipelines.runtime.notes import name_file
from data_pipelines.runtime.progress import Progress
from data_pipelines.runtime.signals import postpone
from data_pipelines.teacher import network as teacher_network
from data_pipelines.teacher.loading import load_relative_teacher
from fgseg_tf.calibration import depth_pictures, floor_plane
from fgseg_tf.calibration.background_depth import CameraPlace, make_setup
from fgseg_tf.calibration.camera_folder import TRUST, CameraSetup, write_camera
from fgseg_tf.calibration.depth_pictures import DepthPicture
from fgseg_tf.calibration.inverse_fit import FEWEST, KnownDistance
from fgseg_tf.inference.frames import read_background
from fgseg_tf.report.camera_page import render_camera_page

_BACKGROUND = flags.DEFINE_string(
    "background", None, "Picture of the empty scene; or median:FOLDER, of frames over time.", required=True
)
_OUTPUT = flags.DEFINE_string("output", None, "Folder of the camera.", required=True)
_DEPTH = flags.DEFINE_string("background_depth", None, "Depth picture of the background: PNG, TIFF, OpenEXR or NPY.")
_KIND = flags.DEFINE_enum(
    "background_depth_kind", None, list(depth_pictures.KINDS), "What its values are; inverse: larger is nearer."
)
_FILL = flags.DEFINE_bool("fill_holes", False, "Fill unknown pixels of the depth picture from around them.")
_KNOWN = flags.DEFINE_multi_string(
    "known", [], "COLUMN,ROW,METRES: a pixel of the background and how far away it is, along the optical axis."
)
_HEIGHT = flags.DEFINE_float("camera_height", None, "Metres from the floor to the camera.")
_FOV = flags.DEFINE_float("fov", None, "Field of view, degrees, from the left edge of the picture to the right one.")
_TILT = flags.DEFINE_float("tilt", None, "Degrees by which the camera looks down; 0 is level.")
_ROLL = flags.DEFINE_float(
    "roll", None, "Degrees by which the camera is turned clockwise, seen from behind it: what is upright leans left."
)
_HORIZON = flags.DEFINE_float(
    "horizon",
    None,
    "Row of the middle column at which a level floor would end, far away, instead of --tilt; it may be above the "
    "picture.",
)
_TEACHER = flags.DEFINE_string(
    "teacher",
    None,
    "Network that looks at the background once: an ONNX file; keras_hub:FOLDER or keras_hub:NAME, a preset of KerasHub "
    "(by name it is downloaded); a .h5 file of DenseDepth; or small, which comes with the package and knows drawn "
    "rooms.",
)
_RANGE = flags.DEFINE_enum(
    "teacher_range",
    "imagenet",
    list(TEACHER_RANGES),
    "Of an ONNX file's input, or of a preset without preprocessing: normalised as for ImageNet, 0 to 1, or 0 to 255.",
)
_SIZE = flags.DEFINE_string("teacher_size", None, "HEIGHTxWIDTH of the teacher's input, where it takes several.")
_POLARITY = flags.DEFINE_enum(
    "teacher_polarity", "nearer", list(TEACHER_POLARITIES), "What larger values of an ONNX file's output are."
)


def calibrate() -> None:
    """Makes the folder of the camera that the flags describe, and prints what is known of it."""
    points = [parse_point(text) for text in _KNOWN.value]
    if _DEPTH.value and _TEACHER.value:
        raise ValueError("--background_depth and --teacher both make the depth of the background; give one of them.")
    if _KIND.value and not _DEPTH.value:
        raise ValueError("--background_depth_kind says what --background_depth holds; give that too.")
    if _FILL.value and not _DEPTH.value:
        raise ValueError("--fill_holes fills the holes of a --background_depth; give that too.")
    background = read_background(_BACKGROUND.value, [], Progress)
    tilt, fov = _TILT.value, _FOV.value
    if _HORIZON.value is not None:
        if tilt is not None or fov is None:
            raise ValueError("--horizon stands for --tilt, and with --fov says how the camera looks down; give both.")
        tilt = round(floor_plane.compute_tilt(background.shape[:2], fov, _HORIZON.value, _ROLL.value or 0.0), 2)
    place = CameraPlace(fov, _HEIGHT.value, tilt, _ROLL.value)
    depth_map, source = load_map(background, place)
    setup = make_setup(background, depth_map, source, points, place, _FILL.value)
    page = render_camera_page(setup)
    # Its files belong together, and one that is half written is refused.
    with lock_folder(_OUTPUT.value), postpone():
        write_camera(_OUTPUT.value, setup)
        write_atomic(join_path(_OUTPUT.value, "camera.html"), page)
    print_setup(setup)


def load_map(background: np.ndarray, place: CameraPlace) -> tuple[DepthPicture | None, str]:
    """Returns the map of depth that the flags name, and what it comes from; None where the floor alone is asked for."""
    if _DEPTH.value:
        depth_map = depth_pictures.read_depth_picture(_DEPTH.value, _KIND.value)
        return depth_map, f"the depth picture {name_file(_DEPTH.value)}"
    if _TEACHER.value is None and place.is_known:
        return None, ""
    return ask_teacher(_TEACHER.value or "small", background)


def ask_teacher(teacher: str, background: np.ndarray) -> tuple[DepthPicture, str]:
    """Returns what a network says of the background, inverse depth in a unit of its own, and what it was."""
    size = parse_size(_SIZE.value) if _SIZE.value else None
    if is_relative_teacher(teacher):
        relative = load_relative_teacher(teacher, _RANGE.value, _POLARITY.value, size)
        values = relative.predict_inverse_depth(background)
        print(f"{relative.name} was asked as {relative.description}.")
        return DepthPicture(values.astype(np.float64), False), f"the network {relative.name}"
    name = name_file(teacher)
    network = teacher_network.load_teacher(teacher, size or teacher_network.default_input_size(teacher))
    metres = label_pictures(network, background[None], 1)[0]
    return DepthPicture(1 / metres.astype(np.float64), False), f"the teacher {name}"


def parse_point(text: str) -> KnownDistance:
    """Returns the point that COLUMN,ROW,METRES names."""
    match = re.fullmatch(r"\s*(\d+)\s*,\s*(\d+)\s*,\s*(\d+(?:\.\d*)?|\.\d+)\s*m?\s*", text)
    if not match or not 0.05 <= float(match[3]) <= 1000:
        raise ValueError(f"--known={text} is not COLUMN,ROW,METRES, such as 320,400,2.5, of 0.05 to 1000 metres.")
    return KnownDistance(int(match[1]), int(match[2]), float(match[3]))


def print_setup(setup: CameraSetup) -> None:
    """Prints what is known of a camera."""
    height, width = setup.depth.shape
    known = setup.depth > 0
    print(f"{_OUTPUT.value}: a camera of {width} x {height} pixels.")
    print(f"  depth of the background: {setup.trust}, {TRUST[setup.trust]}; from {setup.source}.")
    if setup.is_metric:
        near, middle, far = np.quantile(setup.depth[known], [0.02, 0.5, 0.98])
        print(f"  {known.mean():.0%} of it is known: {near:.2f} to {far:.2f} m, half of it nearer than {middle:.2f} m.")
    for point, (metres, used) in zip(setup.points, setup.fitted, strict=True):
        off = f"{metres - point.metres:+.2f} m, {metres / point.metres - 1:+.0%}"
        mark = "" if used else "  does NOT fit: measure it again, or leave it out"
        print(f"  column {point.column}, row {point.row}: {point.metres:g} m known, {metres:.2f} m here ({off}){mark}")
    if setup.error is not None:
        print(f"  off by {setup.error:.0%} at {setup.points_that_fit}, in the median.")
    if not setup.is_metric:
        print(f"  Metres do not hold yet: measure {FEWEST} or more distances, near and far, and give them as --known.")
    print(f"Look at it: {_OUTPUT.value}/camera.html. Use it: fgseg predict --camera={_OUTPUT.value} --frames=...")


def main() -> None:
    """Runs the command."""
    run_command(calibrate, __name__, "the background is given as --background=FILE")


if __name__ == "__main__":
    main()
