"""What is drawn over the background of a fixed camera: contours, squares on the floor, known points, figures.

All of it is SVG in the pixels of the background. What has the class `fixed` keeps its size on the screen: the page sets
`--pixel` to how many pixels of the background are one of the screen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fgseg_tf.calibration.camera_folder import COMPUTED, CameraSetup
from fgseg_tf.report.camera_geometry import FloorGrid, lay_floor_grid, place_figures
from fgseg_tf.report.contours import find_contours, measure_length, place_label
from fgseg_tf.report.html import Html, html

LABELLED = 0.35  # of the longer side: contours of this length have a label each
LABEL_GAP = 0.075  # of the picture's height, at least, between labels of the grid
# A person as wide as people are, of height 1, with the feet at 0.
HEAD = html('<circle cx="0" cy="-.93" r=".068"/>')
BODY = "M-.13-.77Q-.13-.84-.06-.84H.06Q.13-.84.13-.77V-.46H.085V-.74H.075V0H.01V-.42H-.01V0H-.075V-.74H-.085V-.46H-.13Z"


@dataclass
class Layer:
    """Something that can be drawn over the background, and switched on and off.

    Attributes:
        title: beside the box that switches it.
        note: what it shows; or what is missing for it.
        drawing: SVG; empty where something is missing.
        is_shown: whether it is there at first, so that not everything is drawn over everything else.
    """

    title: str
    note: str
    drawing: Html = field(default_factory=Html)
    is_shown: bool = True


@dataclass
class _Labels:
    """Labels, and where they are, so that others can keep away."""

    unit: str
    taken: list[tuple[float, float]] = field(default_factory=list)

    def draw(self, x: float, y: float, text: str, shift: str = "") -> Html:
        self.taken.append((x, y))
        return _draw_at(x, y, html("<text class=fixed {}>{}</text>", shift or "dy=.35em text-anchor=middle", text))


def draw_layers(setup: CameraSetup) -> dict[str, Layer]:
    """Returns what can be drawn for a camera, by a name for each; what comes first is drawn first."""
    # Where metres do not hold, no label says that they do.
    labels = _Labels(" m" if setup.is_metric else " m?")
    # Labels of points and figures have their place; those of contours look for one.
    points, figures, floor = _draw_points(setup, labels), _draw_figures(setup, labels), _draw_floor(setup, labels)
    return {"people": figures, "floor": floor, "contours": _draw_contours(setup, labels), "points": points}


def format_depth(metres: float) -> str:
    """Returns metres with as many digits as a distance deserves."""
    return f"{metres:.{1 if metres >= 10 else 2}f}"


def format_signed(number: float, digits: int) -> str:
    """Returns a number with its sign, and a minus as wide as a plus."""
    return f"{number:+.{digits}f}".replace("-", "\N{MINUS SIGN}")


def _draw_contours(setup: CameraSetup, labels: _Labels) -> Layer:
    title = "Contours of equal depth"
    contours = find_contours(setup.depth)
    if not contours:
        return Layer(title, "There are none: too little is known, or all of it is equally far.")
    side = max(setup.depth.shape)
    paths, texts = [], []
    for level, lines in contours.items():
        paths += [_draw_path(line) for line in lines]
        long = [line for line in lines if measure_length(line) >= LABELLED * side] or lines[:1]
        for line in long:
            place = place_label([line], labels.taken, setup.depth.shape)
            if place:
                texts.append(labels.draw(*place, f"{level:g}{labels.unit}"))
    note = "All on one line are at the same distance, straight ahead of the camera."
    return Layer(title, note, html("{}{}", _draw_twice(paths), texts), setup.trust != COMPUTED)


def _draw_floor(setup: CameraSetup, labels: _Labels) -> Layer:
    title = "Squares on the floor"
    missing = [f"--{name}" for name in ("fov", "camera_height", "tilt") if getattr(setup, name) is None]
    if setup.fov is None or setup.camera_height is None or setup.tilt is None:
        return Layer(title, f"To get them, give {_join_words(missing)}.")
    grid = lay_floor_grid(setup.depth.shape, setup.camera_height, setup.fov, setup.tilt, setup.roll or 0.0)
    if grid is None:
        return Layer(title, "With this height, field of view and tilt too little floor is in the picture.")
    note = (
        f"Of {grid.square:g} m, from height, field of view and tilt alone. They have to lie flat, and run along tiles "
        "or walls. Numbers are metres along the floor, from below the camera."
    )
    # Where depth was computed from the same three, this is what has to be judged, and contours say nothing else.
    return Layer(title, note, _draw_grid(grid, setup.depth.shape, setup.roll or 0.0, labels), setup.trust == COMPUTED)


def _draw_grid(grid: FloorGrid, size: tuple[int, int], roll: float, labels: _Labels) -> Html:
    height, width = size
    reach = height if roll else 0  # to both sides, so that no corner stays empty once they are turned
    lines = [f"M{-reach} {row:.1f}H{width + reach}" for row in grid.rows.values()]
    lines += [f"M{_format_pair(*near)}L{_format_pair(*far)}" for near, far in grid.sides]
    texts, last = [], float("inf")
    for metres, row in grid.rows.items():
        if row <= 0.97 * height and last - row >= LABEL_GAP * height:
            last = row
            from_middle, angle = row - height / 2, math.radians(roll)
            place = width / 2 + from_middle * math.sin(angle), height / 2 + from_middle * math.cos(angle)
            texts.append(labels.draw(*place, f"floor {metres:g} m"))
    turned = html(' transform="rotate({:g} {:g} {:g})"', -roll, width / 2, height / 2) if roll else ""
    return html("<g{}>{}</g>{}", turned, _draw_twice([html('<path d="{}"/>', line) for line in lines]), texts)


def _draw_points(setup: CameraSetup, labels: _Labels) -> Layer:
    title = "Known points"
    if not setup.points:
        return Layer(title, "There are none. Measure some, and add them below.")
    drawings = []
    for number, (point, (metres, used)) in enumerate(zip(setup.points, setup.fitted, strict=True), 1):
        x, y = point.column + 0.5, point.row + 0.5
        mark = html("<circle r=6 />" if used else '<path d="M-6-6 6 6M-6 6 6-6"/>')
        residual = f"{format_signed(100 * (metres / point.metres - 1), 1)} %"
        left = x > 0.7 * setup.depth.shape[1]
        shift = f"x={-11 if left else 11} dy=.35em text-anchor={'end' if left else 'start'}"
        text = labels.draw(x, y, f"{number}: {point.metres:g} m, {residual}", shift)
        kind = "used" if used else "unused"
        drawings.append(
            html(
                '<g class="point {}" data-place="{},{}">{}{}</g>',
                kind,
                point.column,
                point.row,
                _draw_at(x, y, html("<g class=fixed>{}</g>", mark)),
                text,
            )
        )
    note = "With what was measured, and by how much depth differs. A disk was used for the fit; a cross was not."
    return Layer(title, note, html("{}", drawings))


def _draw_figures(setup: CameraSetup, labels: _Labels) -> Layer:
    title = "People of 1.75 m"
    if setup.fov is None:
        return Layer(title, "To get them, give --fov, the field of view.")
    figures = place_figures(setup.depth, setup.fov)
    if not figures:
        return Layer(title, "There are none: nothing in the lower half looks like floor.")
    turn = f"rotate({-setup.roll:g})" if setup.roll else ""
    drawings = [
        html(
            '<g transform="translate({}){}scale({:.1f})">{}<path d="{}"/></g>{}',
            _format_pair(figure.column, figure.row),
            turn,
            figure.height,
            HEAD,
            BODY,
            labels.draw(
                figure.column, figure.row, f"{format_depth(figure.metres)}{labels.unit}", "dy=-.45em text-anchor=middle"
            ),
        )
        for figure in figures
    ]
    note = "Where they stand, depth and field of view make them so tall. Do doors and chairs fit?"
    return Layer(title, note, html("{}", drawings))


def _draw_twice(paths: Sequence[Html]) -> Html:
    """Returns lines over wider dark ones, so that they show on any picture."""
    return html("<g class=under>{0}</g><g class=line>{0}</g>", paths)


def _draw_path(line: np.ndarray) -> Html:
    return html('<path d="M{}"/>', "L".join(_format_pair(*point) for point in line.tolist()))


def _draw_at(x: float, y: float, drawing: Html) -> Html:
    return html('<g transform="translate({})">{}</g>', _format_pair(x, y), drawing)


def _format_pair(x: float, y: float) -> str:
    return f"{x:.1f} {y:.1f}"


def _join_words(words: Sequence[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)
