"""A page that shows whether the depth of a camera's background is right: one file that fetches nothing.

Over the background it draws what a person can judge at a glance. A place that is chosen in it becomes the flag of a
known distance, with which calibration can be run again.
"""

import base64
import json

import numpy as np
from PIL import Image

from data_pipelines.compositing.depth_labels import DEPTH_SCALE, encode_depth
from fgseg_tf.calibration.camera_folder import GUESSED, TRUST, CameraSetup
from fgseg_tf.report.camera_overlays import Layer, draw_layers, format_depth, format_signed
from fgseg_tf.report.figures import Legend, encode_data_url, format_percent
from fgseg_tf.report.html import Html, html, read_static, render_page, render_section
from fgseg_tf.report.tables import render_table

TITLE = "Is the depth of this background right?"
LONGEST = (1600, 1280, 1024, 800)  # pixels, the longer side of the background: the first that is small enough
HEAVIEST = 1_300_000  # characters of the background
LONGEST_DEPTH = 800  # pixels, the longer side of the picture of depth
GRID_COLUMNS = 160  # at most, of the depth that the page reads
ENDS = (0.005, 0.995)  # quantiles of depth, between which the colours are spread
USUAL_WIDTH = 820  # pixels of the screen that the picture has, until a script measures it


def render_camera_page(setup: CameraSetup) -> Html:
    """Returns a whole page about a camera, with everything that it needs inside."""
    layers = draw_layers(setup)
    sections = [
        _render_header(setup),
        html(
            "<div class=bench><div class=view>{}"
            "<p class=reading aria-hidden=true>Choose a place in the picture to read its depth.</p></div>"
            "<div class=panel>{}{}</div>{}</div>",
            _render_stage(setup, layers),
            _render_place_form(setup.depth.shape),
            _render_switches(layers),
            _render_flags(),
        ),
        html(
            "<div class=pair>{}{}</div>",
            render_section("known", "Known points", _render_points(setup)),
            render_section("depth", "Depth", _render_depth(setup)),
        ),
    ]
    return render_page(TITLE, sections, read_static("report.css", "camera_page.css"), read_static("camera_page.js"))


def _render_header(setup: CameraSetup) -> Html:
    height, width = setup.depth.shape
    warning = html(
        "<p class=warning role=note><strong>These metres do not hold.</strong> Depth was guessed. It tells what is "
        "nearer and what is farther; every distance on this page may be several times too small or too large. Measure "
        "three or more points, near and far, and calibrate again with them.</p>"
        if setup.trust == GUESSED
        else ""
    )
    return html(
        "<header><h1>{}</h1><p class=lead>A background of {} x {} pixels, width x height.</p>"
        "{}<p class=summary>{}</p></header>",
        TITLE,
        width,
        height,
        warning,
        " ".join(_describe_depth(setup)),
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


def _render_stage(setup: CameraSetup, layers: dict[str, Layer]) -> Html:
    height, width = setup.depth.shape
    grid = _shrink_depth(setup.depth)
    places = [[point.column, point.row, point.metres] for point in setup.points]
    drawings = [html("<g class={}>{}</g>", name, layer.drawing) for name, layer in layers.items()]
    described = ", ".join(layer.title.lower() for layer in layers.values() if layer.drawing)
    label = f"Over the background: {described}" if described else "Nothing is drawn over the background"
    picture, shown = _encode_background(setup.background)
    return html(
        '<div class=stage style="--ratio:{ratio:.4f};--pixel:{pixel:.4f}" data-width={width} '
        "data-height={height} data-columns={columns} data-rows={rows} data-scale={scale:g} "
        'data-points="{points}" data-unit="{unit}" data-depth="{depth}">'
        '<img src="{picture}" width={shown[0]} height={shown[1]} alt="the background">'
        '<svg viewBox="0 0 {width} {height}" role=img aria-label="{label}">{drawings}<g class=added></g>'
        '<g class=chosen hidden><g class=fixed><path class=under d="M-14 0H-4M4 0H14M0-14V-4M0 4V14"/>'
        '<path class=line d="M-14 0H-4M4 0H14M0-14V-4M0 4V14"/></g></g></svg></div>',
        ratio=width / height,
        pixel=width / USUAL_WIDTH,
        width=width,
        height=height,
        columns=grid.shape[1],
        rows=grid.shape[0],
        scale=DEPTH_SCALE,
        points=json.dumps(places),
        unit=" m" if setup.is_metric else " m?",
        depth=base64.b64encode(grid.tobytes()).decode(),
        picture=picture,
        shown=shown,
        label=label,
        drawings=drawings,
    )


def _encode_background(background: np.ndarray) -> tuple[Html, tuple[int, int]]:
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


def _render_switches(layers: dict[str, Layer]) -> Html:
    """Returns a box for each layer, those drawn last first."""
    switches = [
        html(
            "<label class={name}><input type=checkbox name={name} aria-describedby=about-{name}{state}>"
            "<span>{title}</span></label><p id=about-{name}>{note}</p>",
            name=name,
            state=_describe_state(layer),
            title=layer.title,
            note=layer.note,
        )
        for name, layer in reversed(layers.items())
    ]
    return html("<form class=switches autocomplete=off><fieldset><legend>Show</legend>{}</fieldset></form>", switches)


def _render_place_form(size: tuple[int, int]) -> Html:
    height, width = size
    return html(
        "<form class=place autocomplete=off hidden><fieldset><legend>Measure a point</legend>"
        "<p>Click or tap the picture, or type a place.</p><div class=row>"
        "<label>Column<input name=column type=number min=0 max={} step=1 inputmode=numeric required></label>"
        "<label>Row<input name=row type=number min=0 max={} step=1 inputmode=numeric required></label></div>"
        "<p class=here role=status></p><div class=row><label>Measured metres"
        "<input name=metres type=number min=0.05 step=any inputmode=decimal required></label>"
        "<button>Add point</button></div>"
        "<p>Metres straight ahead of the camera, not along the slant.</p></fieldset></form>",
        width - 1,
        height - 1,
    )


def _describe_state(layer: Layer) -> str:
    if not layer.drawing:
        return " disabled"
    return " checked" if layer.is_shown else ""


def _render_flags() -> Html:
    return html(
        "<div class=flags hidden><h2>To calibrate again</h2><p>With these flags, and all others as before. What is "
        "added or removed here changes nothing by itself.</p><ol class=list></ol><p class=none>No points yet.</p>"
        "<label>Flags<textarea class=text readonly rows=3 spellcheck=false></textarea></label>"
        "<p class=row><button type=button class=copy>Copy</button><span class=news role=status></span></p></div>"
    )


def _render_points(setup: CameraSetup) -> Html:
    if not setup.points:
        return html("<p>There are none. With three or more, near and far, depth can be checked or scaled.</p>")
    rows = []
    for number, (point, (metres, used)) in enumerate(zip(setup.points, setup.fitted, strict=True), 1):
        off = metres - point.metres
        rows.append(
            html(
                "<tr{}><th scope=row>{}</th><td>{}, {}</td><td>{:g}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
                "</tr>",
                "" if used else " class=unused",
                number,
                point.column,
                point.row,
                point.metres,
                format_depth(metres),
                format_signed(off, 2),
                format_signed(100 * off / point.metres, 1),
                "yes" if used else "no",
            )
        )
    heads = ("column, row", "measured, m", "fitted, m", "off by, m", "off by, %", "used")
    head = html("<tr><td></td>{}</tr>", [html("<th scope=col>{}</th>", name) for name in heads])
    left_out = len(rows) - sum(used for _, used in setup.fitted)
    table = render_table("Measured, and by depth", head, rows)
    return (
        table + html("<p>Not used for the fit: {} of {}, in italics.</p>", left_out, len(rows)) if left_out else table
    )


def _render_depth(setup: CameraSetup) -> Html:
    known = setup.depth[setup.depth > 0]
    near, far = (float(end) for end in np.quantile(known, ENDS)) if known.size else (1.0, 10.0)
    legend = Legend(near, max(far, near * 1.01))
    small = Image.fromarray(legend.color(setup.depth))
    # Between two surfaces no colour is made up.
    small.thumbnail((LONGEST_DEPTH, LONGEST_DEPTH), Image.Resampling.NEAREST)
    height, width = setup.depth.shape
    return html(
        '{}{}<img class=depths src="{}" width={} height={} style="--ratio:{:.4f}" alt="depth in colours">',
        "" if setup.is_metric else html("<p>Only the order holds, not the metres.</p>"),
        legend.render(),
        encode_data_url(np.asarray(small)),
        small.width,
        small.height,
        width / height,
    )
