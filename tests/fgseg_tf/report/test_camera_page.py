"""The page about a camera: where its lines run, what it says, and what it does in a real browser."""

import base64
import dataclasses
import re

import browser
import numpy as np
import pytest
from browser import WIDTHS
from reader import Reader

from fgseg_tf.calibration.camera_folder import COMPUTED, FITTED, GUESSED, MEASURED, TRUST, CameraSetup
from fgseg_tf.calibration.floor_plane import compute_floor_depth
from fgseg_tf.calibration.inverse_fit import KnownDistance
from fgseg_tf.report import camera_geometry, camera_overlays, camera_page

# A focal length of 80 pixels, and the horizon between rows 59 and 60: depth in row r is 160 / (r - 59.5).
SIZE = HEIGHT, WIDTH = 120, 160
FOV, CAMERA_HEIGHT = 90.0, 2.0
NASTY = '"><img src=q onerror=alert(1)>'
FLAGS = "document.querySelector('.text').value"
NEWS = "document.querySelector('.news').textContent"
HERE = "document.querySelector('.here').textContent"


def draw_background(size: tuple[int, int]) -> np.ndarray:
    rows, columns = np.indices(size)
    return np.stack([255 * rows // size[0], 255 * columns // size[1], 90 + 0 * rows], axis=-1).astype(np.uint8)


FLOOR = compute_floor_depth(SIZE, CAMERA_HEIGHT, FOV, 0)
SETUP = CameraSetup(
    draw_background(SIZE),
    FLOOR,
    FITTED,
    "any network",
    error=0.05,
    fov=FOV,
    camera_height=CAMERA_HEIGHT,
    tilt=0.0,
    points=(KnownDistance(40, 100, 4), KnownDistance(150, 80, 10)),
    fitted=((4.1, True), (7.8125, False)),
)


def change(**values) -> CameraSetup:
    return dataclasses.replace(SETUP, **values)


def read_words(setup: CameraSetup) -> str:
    return Reader(camera_page.render_camera_page(setup)).text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.fixture(scope="module")
def text() -> str:
    return camera_page.render_camera_page(SETUP)


def click(tab: browser.Page, column: int, row: int) -> None:
    """Clicks in the middle of a pixel of the small background."""
    tab.ask("stage.scrollIntoView()")
    left, top, width, height = tab.ask(
        "(({left, top, width, height}) => [left, top, width, height])"
        "(document.querySelector('.stage').getBoundingClientRect())"
    )
    tab.click(left + (column + 0.5) * width / WIDTH, top + (row + 0.5) * height / HEIGHT)


def fill(**values) -> str:
    """A script that types into the form for a point."""
    typed = "".join(f"form.elements.{name}.value = '{value}';" for name, value in values.items())
    return f"{{ {typed} form.dispatchEvent(new Event('input', {{bubbles: true}})); metresInput.focus(); }}"


def is_drawn(what: str) -> str:
    """A question whether something takes up room; the browser calls SVG that is not drawn visible."""
    return f"document.querySelector('{what}').getBoundingClientRect().width > 0"


def test_squares_on_the_floor_by_hand():
    grid = camera_geometry.lay_floor_grid(SIZE, CAMERA_HEIGHT, FOV, 0)
    assert grid.square == 1
    # 160 / metres rows below the horizon; at 9 m the next line would be 1.8 rows away.
    assert list(grid.rows) == [3, 4, 5, 6, 7, 8, 9]
    assert grid.rows[4] == pytest.approx(100)
    assert grid.rows[5] == pytest.approx(92)
    # The lower border is 8/3 m away, where a metre is 30 columns wide.
    assert any(
        near == pytest.approx((140, 120)) and far == pytest.approx((80 + 160 / 9, 60 + 160 / 9))
        for near, far in grid.sides
    )


@pytest.mark.parametrize("tilt", [-10, 0, 30, 60])
def test_squares_lie_where_the_depth_of_the_floor_does(tilt):
    floor = compute_floor_depth(SIZE, CAMERA_HEIGHT, FOV, tilt)
    known = floor[:, 0] > 0
    for along, row in camera_geometry.lay_floor_grid(SIZE, CAMERA_HEIGHT, FOV, tilt).rows.items():
        depth = CAMERA_HEIGHT * np.sin(np.radians(tilt)) + along * np.cos(np.radians(tilt))
        if row <= HEIGHT - 0.5:
            inverse = np.interp(row - 0.5, np.arange(HEIGHT)[known], 1 / floor[known, 0])
            assert 1 / inverse == pytest.approx(depth, rel=1e-3)


@pytest.mark.parametrize("roll", [-35, 20])
def test_squares_of_a_camera_that_is_rolled(roll):
    floor = compute_floor_depth(SIZE, CAMERA_HEIGHT, FOV, 30, roll)
    layer = camera_overlays.draw_layers(change(depth=floor, tilt=30, roll=roll, trust=COMPUTED))["floor"]
    assert f'<g transform="rotate({-roll} 80 60)"><g class=under>' in layer.drawing
    labels = re.findall(r'translate\((-?[\d.]+) (-?[\d.]+)\)"><text [^>]*>floor (-?\d+) m<', layer.drawing)
    assert len(labels) >= 3
    for x, y, along in labels:
        depth = floor[round(float(y) - 0.5), round(float(x) - 0.5)]
        assert depth == pytest.approx(CAMERA_HEIGHT / 2 + int(along) * np.cos(np.radians(30)), rel=0.03)
    words = read_words(change(roll=roll))
    assert f"its tilt, 0° downwards; its roll, {abs(roll)}° {'counter-' if roll < 0 else ''}clockwise." in words


def test_squares_from_above():
    # 2 m below the camera a metre is 40 pixels; ahead is upwards.
    assert camera_geometry.project_floor(SIZE, 2, FOV, 90, 1, 0) == pytest.approx((120, 60))
    assert camera_geometry.project_floor(SIZE, 2, FOV, 90, 0, 1) == pytest.approx((80, 20))
    assert list(camera_geometry.lay_floor_grid(SIZE, 2, FOV, 90).rows) == [-1, 0, 1]
    # From a tower, larger ones; and none for who looks up.
    assert camera_geometry.lay_floor_grid(SIZE, 100, FOV, 90).square == 5
    assert camera_geometry.lay_floor_grid(SIZE, 2, FOV, -50) is None
    assert camera_geometry.lay_floor_grid(SIZE, 0, FOV, 0) is None


def test_figures_stand_on_the_floor():
    depth = FLOOR.copy()
    depth[70:110, 60:90] = 3  # a wall of a box
    depth[75:118, 110:150] /= 2  # a table 1 m high
    figures = camera_geometry.place_figures(depth, FOV)
    assert len(figures) >= 3
    for figure in figures:
        # 4 m away, 40 rows below the horizon, 1.75 m are 80 x 1.75 / 4 = 35 pixels.
        assert figure.metres == pytest.approx(160 / (figure.row - 60), rel=1e-4)
        assert figure.height == pytest.approx(35 * (figure.row - 60) / 40, rel=1e-4)
        assert not (60 <= figure.column <= 90 and 70 <= figure.row <= 110)
        assert not (110 <= figure.column <= 150 and 75 <= figure.row <= 118)
    for one in figures:
        assert sum(abs(one.column - other.column) < 0.14 * (one.height + other.height) for other in figures) == 1
    assert camera_geometry.place_figures(np.full(SIZE, 3.0), FOV) == []
    assert camera_geometry.place_figures(np.zeros(SIZE), FOV) == []


def test_a_figure_is_drawn_in_its_size(monkeypatch):
    figure = camera_geometry.Figure(40.5, 100, 4, 35)
    monkeypatch.setattr(camera_overlays, "place_figures", lambda depth, fov: [figure])
    drawing = camera_overlays.draw_layers(SETUP)["people"].drawing
    assert 'transform="translate(40.5 100.0)scale(35.0)"' in drawing
    assert Reader(drawing).text == "4.00 m"


def test_layers_of_a_floor():
    layers = camera_overlays.draw_layers(SETUP)
    assert '<path d="M0 100.0H160"/>' in layers["floor"].drawing
    assert re.search(r'<path d="M(159.5|0.5) 76.0L(159.5|0.5) 76.0"/>', layers["contours"].drawing)
    assert "10 m" in Reader(layers["contours"].drawing).words
    points = Reader(layers["points"].drawing)
    assert points.words == ["1: 4 m, +2.5 %", "2: 10 m, \N{MINUS SIGN}21.9 %"]
    # Not only by colour: a disk, and a cross.
    assert (len(points.attributes("circle")), len(points.attributes("path"))) == (1, 1)
    assert [layer.is_shown for layer in layers.values()] == [True, False, True, True]
    layers = camera_overlays.draw_layers(change(trust=COMPUTED))
    assert [layer.is_shown for layer in layers.values()] == [True, True, False, True]


def test_what_is_missing_is_asked_for():
    layers = camera_overlays.draw_layers(change(fov=None, tilt=None, points=(), fitted=(), depth=np.zeros(SIZE)))
    assert not any(layer.drawing for layer in layers.values())
    assert "give --fov," in layers["people"].note
    assert layers["floor"].note == "To get them, give --fov and --tilt."
    layers = camera_overlays.draw_layers(change(fov=None, tilt=None, camera_height=None))
    assert layers["floor"].note == "To get them, give --fov, --camera_height and --tilt."
    page = camera_page.render_camera_page(change(fov=None))
    boxes = {box["name"]: "disabled" in box for box in Reader(page).attributes("input") if box["type"] == "checkbox"}
    assert boxes == {"points": False, "contours": False, "floor": True, "people": True}


def test_where_metres_do_not_hold_every_part_warns():
    guess = change(trust=GUESSED, error=None)
    page = Reader(camera_page.render_camera_page(guess))
    assert any(attributes.get("class") == "warning" for attributes in page.attributes("p"))
    assert "These metres do not hold." in page.text
    assert "Only the order holds" in page.text
    assert "10 m?" in Reader(camera_overlays.draw_layers(guess)["contours"].drawing).words
    assert not any(" off " in sentence for sentence in camera_page._describe_depth(guess))
    assert "These metres do not hold." not in read_words(SETUP)


def test_what_is_known_is_in_the_first_paragraph():
    words = read_words(SETUP)
    assert f"Depth comes from {TRUST[FITTED]}. It was made from any network." in words
    assert "It is about 5 % off at the 1 of 2 known points that fit." in words
    assert "5 % off at the known points." in read_words(change(fitted=((4.1, True), (7.8125, True))))
    # Of 120 rows, those from 62 on.
    assert "It is known for 48 % of the picture." in words
    assert "Given: the field of view, 90°; the camera's height, 2 m; its tilt, 0° downwards." in words
    assert "Not given" not in words
    words = read_words(change(trust=MEASURED, error=None, camera_height=None, tilt=None, depth=np.full(SIZE, 3.0)))
    assert "How far it is off cannot be told. It is known everywhere in the picture." in words
    assert "Given: the field of view, 90°. Not given: the camera's height; its tilt." in words
    assert "It may be about 12 % off." in read_words(change(points=(), fitted=(), error=0.12))


def test_known_points_in_a_table(text):
    words = Reader(text).text
    assert "140, 10044.10+0.10+2.5yes" in words
    assert "2150, 80107.81\N{MINUS SIGN}2.19\N{MINUS SIGN}21.9no" in words
    assert "Not used for the fit: 1 of 2, in italics." in words
    assert "There are none. With three or more" in read_words(change(points=(), fitted=()))


def test_it_is_whole_and_needs_nothing_else(text):
    page = Reader(text)
    for tag, attributes in page.tags:
        for key in ("src", "href"):
            assert attributes.get(key, "#").startswith(("#", "data:image/")), tag
    bare = re.sub(r"base64,[\w+/=]+", "", text)
    for word in ("http", "url(", "@import"):
        assert word not in bare
    assert all(attributes["alt"] for attributes in page.attributes("img"))
    assert all(attributes["aria-label"] for attributes in page.attributes("svg"))


def test_words_of_others_stay_words():
    page = Reader(camera_page.render_camera_page(change(source=NASTY)))
    assert f"It was made from {NASTY}." in page.text
    assert len(page.attributes("img")) == 2
    assert not any("onerror" in attributes for _, attributes in page.tags)


def test_depth_for_the_script_by_hand():
    depth = np.arange(640, dtype=np.float32).reshape(2, 320) / 8
    grid = camera_page._shrink_depth(depth)
    # Of each 2 x 2 pixels the last, x 256; what is too far for 16 bits is at their end.
    assert grid.shape == (1, 160)
    assert grid.dtype == np.dtype("<u2")
    assert grid[0, :3].tolist() == [321 * 32, 323 * 32, 325 * 32]
    assert camera_page._shrink_depth(FLOOR).shape == SIZE
    assert camera_page._shrink_depth(FLOOR)[0, 0] == 0
    (stage,) = [
        each for each in Reader(camera_page.render_camera_page(SETUP)).attributes("div") if "data-depth" in each
    ]
    codes = np.frombuffer(base64.b64decode(stage["data-depth"]), "<u2").reshape(SIZE)
    assert codes[100, 3] == round(160 / 40.5 * 256)


def test_a_page_of_a_large_noisy_background_is_small():
    noise = np.random.default_rng(0).integers(0, 256, (1500, 2000, 3), np.uint8)
    source, size = camera_page._encode_background(noise)
    assert len(source) <= camera_page.HEAVIEST
    assert size[0] < 1600
    source, size = camera_page._encode_background(draw_background((900, 2000)))
    assert size == (1600, 720)


def test_a_place_is_chosen_and_measured(tab, file):
    tab.go(file.as_uri())
    assert tab.ask(FLAGS) == "--known=40,100,4 --known=150,80,10"
    click(tab, 20, 90)
    # 160 / 30.5, to 1/256 m.
    assert tab.ask(HERE) == "Here: depth 5.25 m"
    assert tab.ask("[columnInput.value, rowInput.value, document.activeElement.name]") == ["20", "90", "metres"]
    assert tab.ask("document.querySelector('.chosen').getAttribute('transform')") == "translate(20.5 90.5)"
    tab.press("Enter")  # without metres nothing is added
    assert tab.ask(FLAGS) == "--known=40,100,4 --known=150,80,10"
    tab.ask("metresInput.value = '5.5'; 0")
    tab.press("Enter")
    assert tab.ask(FLAGS) == "--known=40,100,4 --known=150,80,10 --known=20,90,5.5"
    assert tab.ask(NEWS) == "Added: --known=20,90,5.5"
    assert tab.ask("document.querySelector('.added').textContent") == "5.5 m"
    click(tab, 20, 20)
    assert tab.ask(HERE) == "Here: depth unknown"
    assert tab.console == []


def test_a_place_is_typed(tab, file):
    tab.go(file.as_uri())
    tab.ask(fill(column=159, row=119, metres=2.7))
    assert tab.ask(HERE) == "Here: depth 2.69 m"
    tab.press("Enter")
    assert tab.ask(FLAGS).endswith(" --known=159,119,2.7")
    # The same place again has new metres.
    tab.ask(fill(column=40, row=100, metres=3.9))
    tab.press("Enter")
    assert tab.ask(FLAGS) == "--known=40,100,3.9 --known=150,80,10 --known=159,119,2.7"
    assert tab.ask(NEWS) == "Changed: --known=40,100,3.9"
    # Beside the picture there is nothing.
    tab.ask(fill(column=160, row=100, metres=3.9))
    assert tab.ask(f"[{HERE}, {is_drawn('.chosen')}]") == ["", False]
    tab.press("Enter")
    assert tab.ask("document.querySelectorAll('.list li').length") == 3
    assert tab.console == []


def test_points_are_removed_and_copied(tab, file):
    tab.go(file.as_uri())
    assert tab.ask(is_drawn(".point.used"))
    tab.ask("document.querySelector('.list button').focus()")
    tab.press("Enter")
    assert tab.ask(FLAGS) == "--known=150,80,10"
    assert tab.ask(NEWS) == "Removed: --known=40,100,4"
    assert not tab.ask(is_drawn(".point.used"))
    assert tab.ask("document.activeElement.getAttribute('aria-label')") == "Remove --known=150,80,10"
    tab.ask(
        "Object.defineProperty(navigator, 'clipboard', {configurable: true, value: {"
        "writeText: async (text) => { window.copied = text; }}}); 0"
    )
    assert tab.ask("copy().then(() => [copied, news.textContent])") == ["--known=150,80,10", "Copied."]
    # Where a page may not copy, the text is selected.
    tab.ask("Object.defineProperty(navigator, 'clipboard', {value: undefined}); getSelection().removeAllRanges()")
    chosen = tab.ask("copy().then(() => [text.value.slice(text.selectionStart, text.selectionEnd), news.textContent])")
    assert chosen[0] == "--known=150,80,10"
    assert chosen[1].startswith("Selected")
    tab.ask("document.querySelector('.list button').click()")
    assert tab.ask(f"[{FLAGS}, document.querySelector('.flags .none').checkVisibility()]") == ["", True]
    assert tab.ask("document.activeElement.name") == "column"
    assert tab.console == []


def test_layers_are_switched(tab, file):
    tab.go(file.as_uri())
    visible = (
        "Object.fromEntries([...switches.querySelectorAll('input')].map((box) => "
        "[box.name, [box.checked, overlay.querySelector(`:scope > .${box.name}`).getBoundingClientRect().width > 0]]))"
    )
    first = {"points": True, "contours": True, "floor": False, "people": True}
    assert tab.ask(visible) == {name: [shown, shown] for name, shown in first.items()}
    for name in first:
        tab.ask(f"switches.elements.{name}.click()")
    assert tab.ask(visible) == {name: [not shown, not shown] for name, shown in first.items()}
    assert tab.console == []


def test_columns_are_those_of_the_full_background(tab, tmp_path):
    # The picture is 816 wide on this screen and 1600 in the page, of a background of 1632.
    size = 1224, 1632
    path = tmp_path / "large.html"
    large = change(background=draw_background(size), depth=compute_floor_depth(size, 2, FOV, 10), points=(), fitted=())
    path.write_text(camera_page.render_camera_page(large), encoding="utf-8")
    assert path.stat().st_size < 2e6
    tab.go(path.as_uri())
    left, top, width = tab.ask("(({left, top, width}) => [left, top, width])(stage.getBoundingClientRect())")
    assert width == 816
    tab.click(left + 300, top + 250)
    column, row = tab.ask("[columnInput.valueAsNumber, rowInput.valueAsNumber]")
    assert column == 600
    assert abs(row - 500) <= 2
    # Text is as large on the screen as it is meant to be.
    scale = tab.ask("new DOMMatrix(getComputedStyle(document.querySelector('.stage text')).transform).a")
    assert scale == pytest.approx(2)
    assert tab.console == []


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("trust", [FITTED, GUESSED])
def test_nothing_is_wider_than_the_screen(tab, tmp_path, trust, width):
    path = tmp_path / "page.html"
    path.write_text(camera_page.render_camera_page(change(trust=trust, source="a" * 100)), encoding="utf-8")
    tab.go(path.as_uri(), width)
    assert tab.ask(WIDTHS) == [width, width]
    # Nor has the table to be scrolled.
    assert (
        tab.ask("(({clientWidth, scrollWidth}) => scrollWidth - clientWidth)(document.querySelector('.scroll'))") <= 0
    )
    click(tab, 20, 90)
    tab.ask("metresInput.value = '123456.789'; 0")
    tab.press("Enter")
    assert tab.ask(WIDTHS) == [width, width]
    assert tab.console == []
