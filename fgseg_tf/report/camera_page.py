"""A page that shows whether the depth of a camera's background is right: one file that fetches nothing.

Over the background it draws what a person can judge at a glance. A place that is chosen in it becomes the flag of a
known distance, with which calibration can be run again.
"""

import base64
import json
from html import escape

import numpy as np
from PIL import Image

from data_pipelines.compositing.depth_labels import DEPTH_SCALE, encode_depth
from fgseg_tf.calibration.camera_folder import GUESSED, TRUST, CameraSetup
from fgseg_tf.report.camera_overlays import Layer, draw_layers, format_depth, format_signed
from fgseg_tf.report.figures import Legend, encode_data_url, format_percent
from fgseg_tf.report.html import read_static, render_page, render_section
from fgseg_tf.report.tables import render_table

TITLE = "Is the depth of this background right?"
LONGEST = (1600, 1280, 1024, 800)  # pixels, the longer side of the background: the first that is small enough
HEAVIEST = 1_300_000  # characters of the background
LONGEST_DEPTH = 800  # pixels, the longer side of the picture of depth
GRID_COLUMNS = 160  # at most, of the depth that the page reads
ENDS = (0.005, 0.995)  # quantiles of depth, between which the colours are spread
USUAL_WIDTH = 820  # pixels of the screen that the picture has, until a script measures it


def render_camera_page(setup: CameraSetup) -> str:
    """Returns a whole page about a camera, with everything that it needs inside."""
    layers = draw_layers(setup)
    sections = [
        _render_header(setup),
        f"<div class=bench><div class=view>{_render_stage(setup, layers)}"
        "<p class=reading aria-hidden=true>Choose a place in the picture to read its depth.</p></div>"
        f"<div class=panel>{_render_place_form(setup.depth.shape)}{_render_switches(layers)}</div>"
        f"{_render_flags()}</div>",
        f"<div class=pair>{render_section('known', 'Known points', _render_points(setup))}"
        f"{render_section('depth', 'Depth', _render_depth(setup))}</div>",
    ]
    return render_page(TITLE, sections, read_static("report.css", "camera_page.css"), read_static("camera_page.js"))


def _render_header(setup: CameraSetup) -> str:
    height, width = setup.depth.shape
    warning = (
        "<p class=warning role=note><strong>These metres do not hold.</strong> Depth was guessed. It tells what is "
        "nearer and what is farther; every distance on this page may be several times too small or too large. Measure "
        "three or more points, near and far, and calibrate again with them.</p>"
        if setup.trust == GUESSED
        else ""
    )
    return (
        f"<header><h1>{TITLE}</h1><p class=lead>A background of {width} x {height} pixels, width x height.</p>"
        f"{warning}<p class=summary>{escape(' '.join(_describe_depth(setup)))}</p></header>"
    )


def _describe_depth(setup: CameraSetup) -> list[str]:
    """Returns what is known of the depth, in plain words."""
    share = float((setup.depth > 0).mean())
    given = {
        "the field of view": (setup.fov, "°"),
        "the camera's height": (setup.camera_height, "\N{NO-BREAK SPACE}m"),
        "its tilt": (setup.tilt, "° downwards"),
    }
    if setup.roll:
        given["its roll"] = (abs(setup.roll), "° clockwise" if setup.roll > 0 else "° counter-clockwise")
    known = [f"{name}, {value:g}{unit}" for name, (value, unit) in given.items() if value is not None]
    unknown = [name for name, (value, _) in given.items() if value is None]
    sentences = [f"Depth comes from {TRUST[setup.trust]}.", f"It was made from {setup.source}."]
    if setup.trust != GUESSED:
        sentences.append(_describe_error(setup))
    sentences.append(
        "It is known everywhere in the picture."
        if share == 1
        else f"It is known for {format_percent(share)} of the picture."
    )
    if known:
        sentences.append(f"Given: {'; '.join(known)}.")
    if unknown:
        sentences.append(f"Not given: {'; '.join(unknown)}.")
    return sentences


def _describe_error(setup: CameraSetup) -> str:
    if setup.error is None:
        return "How far it is off cannot be told."
    about = f"about {format_percent(setup.error)}"
    return f"It is {about} off at {setup.points_that_fit}." if setup.points else f"It may be {about} off."


def _render_stage(setup: CameraSetup, layers: dict[str, Layer]) -> str:
    height, width = setup.depth.shape
    grid = _shrink_depth(setup.depth)
    places = [[point.column, point.row, point.metres] for point in setup.points]
    drawings = "".join(f"<g class={name}>{layer.drawing}</g>" for name, layer in layers.items())
    described = ", ".join(layer.title.lower() for layer in layers.values() if layer.drawing)
    label = f"Over the background: {described}" if described else "Nothing is drawn over the background"
    picture, shown = _encode_background(setup.background)
    return (
        f'<div class=stage style="--ratio:{width / height:.4f};--pixel:{width / USUAL_WIDTH:.4f}" data-width={width} '
        f"data-height={height} data-columns={grid.shape[1]} data-rows={grid.shape[0]} data-scale={DEPTH_SCALE:g} "
        f'data-points="{escape(json.dumps(places))}" data-unit="{" m" if setup.is_metric else " m?"}" '
        f'data-depth="{base64.b64encode(grid.tobytes()).decode()}">'
        f'<img src="{picture}" width={shown[0]} height={shown[1]} alt="the background">'
        f'<svg viewBox="0 0 {width} {height}" role=img aria-label="{escape(label)}">{drawings}<g class=added></g>'
        '<g class=chosen hidden><g class=fixed><path class=under d="M-14 0H-4M4 0H14M0-14V-4M0 4V14"/>'
        '<path class=line d="M-14 0H-4M4 0H14M0-14V-4M0 4V14"/></g></g></svg></div>'
    )


def _encode_background(background: np.ndarray) -> tuple[str, tuple[int, int]]:
    """Returns the source of an image, as large as the page can take, and its width and height."""
    for longest in LONGEST:
        small = Image.fromarray(background)
        small.thumbnail((longest, longest), Image.Resampling.LANCZOS)
        source = encode_data_url(np.asarray(small))
        if len(source) <= HEAVIEST:
            break
    return source, small.size


def _shrink_depth(depth: np.ndarray) -> np.ndarray:
    """Returns codes of depth for the script, little-endian uint16 [h, w]; each the pixel in the middle of its part."""
    height, width = depth.shape
    columns = min(width, GRID_COLUMNS)
    rows = max(1, round(height * columns / width))
    across = ((np.arange(columns) + 0.5) * width / columns).astype(int)
    down = ((np.arange(rows) + 0.5) * height / rows).astype(int)
    return encode_depth(depth[down[:, None], across]).numpy().astype("<u2")


def _render_switches(layers: dict[str, Layer]) -> str:
    """Returns a box for each layer, those drawn last first."""
    switches = [
        f"<label class={name}><input type=checkbox name={name} aria-describedby=about-{name}"
        f"{_describe_state(layer)}><span>{escape(layer.title)}</span></label>"
        f"<p id=about-{name}>{escape(layer.note)}</p>"
        for name, layer in reversed(layers.items())
    ]
    return f"<form class=switches autocomplete=off><fieldset><legend>Show</legend>{''.join(switches)}</fieldset></form>"


def _render_place_form(size: tuple[int, int]) -> str:
    height, width = size
    return (
        "<form class=place autocomplete=off hidden><fieldset><legend>Measure a point</legend>"
        "<p>Click or tap the picture, or type a place.</p><div class=row>"
        f"<label>Column<input name=column type=number min=0 max={width - 1} step=1 inputmode=numeric required></label>"
        f"<label>Row<input name=row type=number min=0 max={height - 1} step=1 inputmode=numeric required></label></div>"
        "<p class=here role=status></p><div class=row><label>Measured metres"
        "<input name=metres type=number min=0.05 step=any inputmode=decimal required></label>"
        "<button>Add point</button></div>"
        "<p>Metres straight ahead of the camera, not along the slant.</p></fieldset></form>"
    )


def _describe_state(layer: Layer) -> str:
    if not layer.drawing:
        return " disabled"
    return " checked" if layer.is_shown else ""


def _render_flags() -> str:
    return (
        "<div class=flags hidden><h2>To calibrate again</h2><p>With these flags, and all others as before. What is "
        "added or removed here changes nothing by itself.</p><ol class=list></ol><p class=none>No points yet.</p>"
        "<label>Flags<textarea class=text readonly rows=3 spellcheck=false></textarea></label>"
        "<p class=row><button type=button class=copy>Copy</button><span class=news role=status></span></p></div>"
    )


def _render_points(setup: CameraSetup) -> str:
    if not setup.points:
        return "<p>There are none. With three or more, near and far, depth can be checked or scaled.</p>"
    rows = []
    for number, (point, (metres, used)) in enumerate(zip(setup.points, setup.fitted, strict=True), 1):
        off = metres - point.metres
        rows.append(
            f"<tr{'' if used else ' class=unused'}><th scope=row>{number}</th><td>{point.column}, {point.row}</td>"
            f"<td>{point.metres:g}</td><td>{format_depth(metres)}</td><td>{format_signed(off, 2)}</td>"
            f"<td>{format_signed(100 * off / point.metres, 1)}</td><td>{'yes' if used else 'no'}</td></tr>"
        )
    heads = ("column, row", "measured, m", "fitted, m", "off by, m", "off by, %", "used")
    head = "<tr><td></td>" + "".join(f"<th scope=col>{name}</th>" for name in heads) + "</tr>"
    left_out = len(rows) - sum(used for _, used in setup.fitted)
    note = f"<p>Not used for the fit: {left_out} of {len(rows)}, in italics.</p>" if left_out else ""
    return render_table("Measured, and by depth", head, rows) + note


def _render_depth(setup: CameraSetup) -> str:
    known = setup.depth[setup.depth > 0]
    near, far = (float(end) for end in np.quantile(known, ENDS)) if known.size else (1.0, 10.0)
    legend = Legend(near, max(far, near * 1.01))
    small = Image.fromarray(legend.color(setup.depth))
    # Between two surfaces no colour is made up.
    small.thumbnail((LONGEST_DEPTH, LONGEST_DEPTH), Image.Resampling.NEAREST)
    height, width = setup.depth.shape
    doubt = "" if setup.is_metric else "<p>Only the order holds, not the metres.</p>"
    return (
        f"{doubt}{legend.render()}"
        f'<img class=depths src="{encode_data_url(np.asarray(small))}" width={small.width} height={small.height} '
        f'style="--ratio:{width / height:.4f}" alt="depth in colours">'
    )
