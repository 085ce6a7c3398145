"""The page about a data set: what it says, and what it does in a real browser."""

import base64
import io
import os
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from browser import WIDTHS
from PIL import Image
from reader import Reader
from repository import ROOT

from data_pipelines.inspection import examples, label_statistics
from data_pipelines.tfrecord import reader
from fgseg_tf.report import dataset_page, dataset_statistics
from fgseg_tf.report.figures import Legend

COUNT = 24
# What a user sees: how many there are said to be, the view's link, the names, and whether nothing is left.
STATE = """[document.querySelector(".count").textContent, location.hash,
  [...document.querySelectorAll(".card b")].filter((name) => name.checkVisibility()).map((name) => name.textContent),
  document.querySelector(".none").checkVisibility()]"""
TITLE = "document.querySelector('dialog h3').textContent"


@pytest.fixture(scope="module")
def dataset(tiny_dataset):
    return reader.open_dataset(tiny_dataset)


@pytest.fixture(scope="module")
def backgrounds(dataset):
    return examples.read_background_pictures(dataset)


@pytest.fixture(scope="module")
def shown(dataset, backgrounds) -> list[examples.DecodedExample]:
    return list(examples.read_examples(dataset, reader.choose_records(dataset, COUNT), backgrounds))


@pytest.fixture(scope="module")
def text(dataset, backgrounds, shown) -> str:
    return dataset_page.render_dataset_page(
        dataset, backgrounds, label_statistics.survey_labels(dataset, backgrounds), shown
    )


def cards(page: str) -> list[dict]:
    return [attributes for attributes in Reader(page).attributes("li") if attributes.get("class") == "card"]


def wanted(shown: list[examples.DecodedExample], split="", background="", cutout="", flipped="") -> list[str]:
    """Names of what filters should leave, found by the names themselves and by what is in the records."""
    found = []
    for example in shown:
        objects = [f"fg{number:03d}" for number, _ in example.cutouts] or ["nobody"]
        mirrored = "yes" if "-flip" in example.name and example.cutouts else "no"
        if (
            split in ("", example.split)
            and background in ("", example.name[:5])
            and cutout in ("", *objects)
            and flipped in ("", mirrored)
        ):
            found.append(example.name)
    return found


def chosen(name: str, value: str) -> str:
    """A script that chooses in a filter as a mouse does."""
    return (
        f"(() => {{ const filter = document.querySelector('select[name={name}]'); filter.value = '{value}'; "
        "filter.dispatchEvent(new Event('change', {bubbles: true})); })()"
    )


def followed(fragment: str) -> str:
    """A script that goes to another fragment, and waits until that was heard of."""
    return (
        "new Promise((done) => { addEventListener('hashchange', () => done(1), {once: true}); "
        f"location.hash = '{fragment}'; }})"
    )


def test_it_is_whole_and_needs_nothing_else(text):
    reader = Reader(text)
    for tag, attributes in reader.tags:
        for key in ("src", "href"):
            assert attributes.get(key, "#").startswith(("#", "data:image/")), tag
    assert "url(" not in text
    assert "@import" not in text
    assert "http" not in text
    targets = {attributes["id"] for _, attributes in reader.tags if "id" in attributes}
    assert {attributes["href"][1:] for attributes in reader.attributes("a")} <= targets
    # Whatever is drawn has a name.
    assert all(attributes["aria-label"] for attributes in reader.attributes("svg"))
    assert all(attributes["alt"] for attributes in reader.attributes("img"))


def test_pictures_are_those_of_the_records(text, shown):
    pictures = {attributes["alt"]: attributes for attributes in Reader(text).attributes("img")}
    assert len(pictures) == 4 * COUNT + 1
    for example in shown:
        decoded = {}
        for key in ("bg", "fg_bg", "mask", "depth"):
            attributes = pictures[f"{key} of {example.name}"]
            assert (attributes["width"], attributes["height"]) == ("64", "48")
            data = base64.b64decode(attributes["src"].partition(",")[2], validate=True)
            decoded[key] = np.asarray(Image.open(io.BytesIO(data)))
        np.testing.assert_array_equal(decoded["mask"], example.mask)
        for key in ("bg", "fg_bg"):
            assert np.abs(decoded[key].astype(int) - getattr(example, key)).mean() < 4


def test_large_pictures_are_made_smaller():
    drawn = dataset_page._picture("bg", np.zeros((300, 500, 3), np.uint8), "name")
    (attributes,) = Reader(drawn).attributes("img")
    assert (attributes["width"], attributes["height"]) == ("224", "134")


def test_what_is_said_of_a_composite(dataset, backgrounds, shown):
    example = next(example for example in shown if len(example.cutouts) > 1 and example.mask.any())
    facts = dataset_page._facts(dataset, backgrounds, example)
    assert facts["split"] == example.split
    number = int(example.name[2:5])
    assert facts["background"] in (f"bg{number:03d}, room {number}", f"bg{number:03d} mirrored, room {number}")
    assert ("mirrored" in facts["background"]) == example.background_flipped
    assert facts["cut-outs, from far to near"] == "; ".join(
        f"fg{number:03d}{' mirrored' if flipped else ''}, blob {number}" for number, flipped in example.cutouts
    )
    assert facts["place"] == f"{int(example.name[-2:])}, of 0 to 1"
    assert facts["mask"] == f"{example.mask.sum() / 255 / (48 * 64) * 100:.2g}\N{NO-BREAK SPACE}% of the picture"
    inside = np.sort(example.metres[example.mask >= 128])
    assert facts["depth of objects"].startswith(f"{inside[0]:.3g} to {inside[-1]:.3g} m, median ")
    empty = next(example for example in shown if not example.cutouts)
    assert dataset_page._facts(dataset, backgrounds, empty)["cut-outs, from far to near"] == "nobody"
    assert not {"mask", "depth of objects"} & set(dataset_page._facts(dataset, backgrounds, empty))


def test_what_it_says_of_the_whole_set(text, dataset):
    said = Reader(text).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "Of all 80 composites." in said
    for name, split in dataset.manifest["splits"].items():
        assert f"{name}{split['records']:,}{100 * split['records'] / 80:.1f} %" in said
    statistics = dataset.manifest["statistics"]
    red, green, blue = statistics["fg_bg"]["mean"]
    assert f"fg_bg: red, green, blue, 0 to 1{red:.3f}, {green:.3f}, {blue:.3f}" in said
    assert f"depth, m{statistics['depth']['mean']:.3f}{statistics['depth']['std']:.3f}" in said
    assert "48 x 64 pixels, height x width" in said
    assert "exact labels; unit: metre, 256 codes each" in said
    for option in ("truncation0.3", "object_size0.2, 1.2", "max_objects3", "seed0", "holdout0.3"):
        assert option in said
    assert "digest" not in said


def test_statistics_in_words_by_hand():
    shares = np.array([0, 0.1, 0.2, 0.3])
    said = dataset_statistics._shares_in_words(shares).replace("\N{NO-BREAK SPACE}", " ")
    assert (
        said == "half cover less than 20 %, nine of ten less than 28 %; 25 % have nobody in them, and are not counted"
    )
    assert dataset_statistics._shares_in_words(np.zeros(2)).startswith("100")
    codes = np.zeros(1 << 16, np.int64)
    codes[[0, 4, 8, 12]] = 10, 6, 3, 1
    said = dataset_statistics._depth_in_words(codes, 4, "m").replace("\N{NO-BREAK SPACE}", " ")
    assert said == "half is nearer than 1 m, nine tenths than 2 m; of 50 % of the pixels it is unknown"
    assert dataset_statistics._depth_in_words(np.zeros(1 << 16, np.int64), 4, "m") == "nothing is known of it"


def test_the_range_of_depth_by_hand():
    codes = np.zeros(1 << 16, np.int64)
    codes[[0, 2, 40, 400, 4000]] = 500, 1, 50, 48, 1
    found = label_statistics.Survey(np.zeros(1), np.zeros((2, 3)), codes, np.zeros_like(codes))
    assert dataset_statistics.find_depth_range(found, 4) == (0.5, 1000)
    assert dataset_statistics.find_depth_range(found, 4, 0.02) == (10, 100)
    # Never empty, or nothing could be drawn.
    codes[:] = 0
    assert dataset_statistics.find_depth_range(found, 4) == (1, 10)
    codes[8] = 3
    assert dataset_statistics.find_depth_range(found, 4, 0.02) == (2, pytest.approx(2.02))


def test_what_can_be_chosen_is_in_order():
    drawn = dataset_page._select("background", "Background", Counter({"bg1000": 1, "bg999": 2, "bg012": 1}))
    assert Reader(drawn).text == "Backgroundallbg012 (1)bg999 (2)bg1000 (1)"
    drawn = dataset_page._select("split", "Split", Counter({"train": 1, "seen_both": 2}))
    assert Reader(drawn).text == "Splitalltrain (1)seen_both (2)"


def test_the_heat_map_by_hand():
    covered = np.zeros((2, 4))
    covered[1, 0], covered[1, 1] = 0.5, 0.25
    drawn = dataset_statistics._heat_map(covered)
    # Two thirds at 1/8, a third at 3/8 from the left: 5/24; all in the lower half: 3/4.
    said = Reader(drawn).text.replace("\N{NO-BREAK SPACE}", " ")
    assert "up to 50 %; the middle of all foreground is 21 % from the left and 75 % from the top" in said
    (attributes,) = Reader(drawn).attributes("img")
    assert (attributes["width"], attributes["height"]) == ("4", "2")
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(attributes["src"].partition(",")[2]))))
    lightness = picture.mean(-1)
    assert lightness.shape == (2, 4)
    assert lightness.argmax() == 4
    large = dataset_statistics._heat_map(np.ones((300, 600)))
    picture = Image.open(io.BytesIO(base64.b64decode(Reader(large).attributes("img")[0]["src"].partition(",")[2])))
    assert picture.size == (128, 64)


def test_nobody_anywhere(dataset, backgrounds, shown):
    empty = next(example for example in shown if not example.cutouts)
    tally = label_statistics.Tally(48, 64)
    tally.add(empty.mask[None], np.zeros((1, 48, 64), np.uint16))
    said = Reader(dataset_page.render_dataset_page(dataset, backgrounds, tally.survey(), [empty])).text
    assert "100\N{NO-BREAK SPACE}% have nobody in them" in said
    assert said.count("nothing is known of it") == 2


def test_severity_is_said(dataset, backgrounds, shown):
    drawn = dataset_page._composites(dataset, [], {name: {} for name in dataset_page.FILTERS}, Legend(1, 2), 3)
    assert "two exposures that differ with a severity of 3, from 0 to 4" in drawn


@pytest.mark.parametrize(
    ("fragment", "filters"),
    [
        ("", {}),
        ("#split=train", {"split": "train"}),
        ("#split=train&background=bg002", {"split": "train", "background": "bg002"}),
        ("#cutout=fg002&flipped=yes", {"cutout": "fg002", "flipped": "yes"}),
        ("#flipped=no", {"flipped": "no"}),
        ("#cutout=nobody", {"cutout": "nobody"}),
        # What is not known is left out of account.
        ("#split=val&background=bg002&colour=red", {"background": "bg002"}),
        ("#&&=%%%&split&background==", {}),
        ("#statistics", {}),
    ],
)
def test_a_link_to_a_view(tab, file, shown, fragment, filters):
    tab.go(file.as_uri() + fragment)
    left = wanted(shown, **filters)
    assert tab.ask(STATE) == [f"{len(left)} of {COUNT} shown", fragment, left, False]
    assert 0 < len(left) < COUNT or not filters
    assert tab.console == []


def test_a_user_chooses(tab, file, shown):
    tab.go(file.as_uri())
    train, both = wanted(shown, split="train"), wanted(shown, split="train", flipped="yes")
    # By keyboard alone: the first filter is what comes after the links to sections.
    for _ in range(5):
        tab.press("Tab")
    assert tab.ask("[document.activeElement.name, getComputedStyle(document.activeElement).outlineStyle]") == [
        "split",
        "solid",
    ]
    tab.press("ArrowDown")  # from all to train
    assert tab.ask(STATE) == [f"{len(train)} of {COUNT} shown", "#split=train", train, False]
    tab.ask(chosen("flipped", "yes"))
    assert tab.ask(STATE) == [f"{len(both)} of {COUNT} shown", "#split=train&flipped=yes", both, False]
    # A link to a section leaves what was chosen; another view does not.
    tab.ask(followed("#splits"))
    assert tab.ask(STATE) == [f"{len(both)} of {COUNT} shown", "#splits", both, False]
    tab.ask(followed("#flipped=no"))
    straight = wanted(shown, flipped="no")
    assert tab.ask(STATE) == [f"{len(straight)} of {COUNT} shown", "#flipped=no", straight, False]
    tab.ask(chosen("flipped", ""))
    assert tab.ask(STATE) == [f"{COUNT} of {COUNT} shown", "", [example.name for example in shown], False]
    assert tab.console == []


def test_when_nothing_is_left_there_is_a_way_back(tab, file, shown):
    pairs = ((a.split, b.name[:5]) for a in shown for b in shown)
    split, background = next(pair for pair in pairs if not wanted(shown, *pair))
    tab.go(f"{file.as_uri()}#split={split}&background={background}")
    assert tab.ask(STATE) == [f"0 of {COUNT} shown", f"#split={split}&background={background}", [], True]
    tab.ask("document.querySelector('.none button').focus()")
    tab.press("Enter")
    assert tab.ask(STATE) == [f"{COUNT} of {COUNT} shown", "", [example.name for example in shown], False]
    assert tab.ask("document.activeElement.name") == "split"
    assert tab.console == []


def test_a_composite_is_shown_larger(tab, file, shown):
    tab.go(f"{file.as_uri()}#split=train")
    train = wanted(shown, split="train")
    small = tab.ask("document.querySelector('.card:not([hidden]) img').clientWidth")
    tab.ask("document.querySelector('.card:not([hidden]) button').focus()")
    tab.press("Enter")
    assert tab.ask("document.querySelector('dialog').matches(':modal')")
    assert tab.ask(TITLE) == train[0]
    images = tab.ask(
        "Promise.all([...document.querySelectorAll('dialog img')].map((image) => "
        "image.decode().then(() => [image.alt, image.naturalWidth, image.clientWidth])))"
    )
    assert [image[:2] for image in images] == [[f"{key} of {train[0]}", 64] for key in ("bg", "fg_bg", "mask", "depth")]
    assert all(width > 1.5 * small for _, _, width in images)
    assert tab.ask("document.querySelector('dialog dl').checkVisibility()")
    assert tab.ask("document.querySelector('dialog dl').textContent").startswith("splittrainbackground")
    # Among those that are shown, and round: from the first back to the last.
    titles = []
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "ArrowLeft", "ArrowLeft"):
        tab.press(key)
        titles.append(tab.ask(TITLE))
    assert titles == [train[1], train[2], train[1], train[0], train[-1]]
    tab.press("Enter")  # on Next
    assert tab.ask(TITLE) == train[0]
    tab.press("ArrowRight")
    tab.ask(
        "document.gone = new Promise((done) => document.querySelector('dialog').addEventListener('close', done)); 0"
    )
    tab.press("Escape")
    tab.ask("document.gone.then(() => 1)")
    assert not tab.ask("document.querySelector('dialog').open")
    # One is where one was.
    focused = tab.ask(
        "[document.activeElement.getAttribute('aria-label'), getComputedStyle(document.activeElement).outlineStyle]"
    )
    assert focused == [f"{train[1]}, train: larger", "solid"]
    assert tab.console == []


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_nothing_is_wider_than_the_screen(tab, file, width):
    tab.go(file.as_uri(), width)
    assert tab.ask(WIDTHS) == [width, width]
    tab.ask("document.querySelector('details').open = true; document.querySelector('.card button').click()")
    assert tab.ask(WIDTHS) == [width, width]
    wide = tab.ask("(({clientWidth, scrollWidth}) => [clientWidth, scrollWidth])(document.querySelector('dialog'))")
    assert wide[0] == wide[1] < width
    assert tab.console == []


def test_the_browser_tells_what_is_wrong_with_a_page(tab, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text("<body><div style='width: 361px'>wide</div><script>console.warn('mind'); gone();</script></body>")
    tab.go(page.as_uri(), 360)
    window, inside = tab.ask(WIDTHS)
    assert inside > window == 360
    assert tab.console[0] == "mind"
    assert tab.console[1].startswith("ReferenceError: gone is not defined")


def command(*flags) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "tools/show_records.py", *flags],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_command(tiny_dataset, tmp_path):
    path = tmp_path / "page.html"
    done = command(tiny_dataset, f"--html={path}", "--count=7", "--split=train", "--capture=2")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [f"7 composites, {path.stat().st_size / 1e6:.1f} MB in {path}"]
    page = path.read_text()
    assert [card["data-split"] for card in cards(page)] == ["train"] * 7
    assert "severity of 2" in page
    assert [found.name for found in tmp_path.iterdir()] == ["page.html"]


def test_command_with_names(tiny_dataset, tmp_path):
    names = ["bg001-fg002-p01", "bg000-fg000-flip-p00"]
    done = command(tiny_dataset, f"--html={tmp_path}/new/page.html", f"--names={','.join(names)}")
    assert done.returncode == 0, done.stderr
    assert re.findall("<b>(.*?)</b>", (tmp_path / "new/page.html").read_text()) == names


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--html=page.txt"], "--html=page.txt is not a page's name; let it end in .html."),
        (["--html=page.html", "--capture=9"], "a severity from 9 to 9 is not on the ladder"),
        (["--html=page.html", "--split=val"], "--split=val is not a split of "),
        (["--html=page.html", "--names=cat"], "'cat' is not the name of a composite"),
    ],
)
def test_command_refuses_in_a_sentence(tiny_dataset, tmp_path, flags, said):
    done = command(tiny_dataset, *(flag.replace("--html=", f"--html={tmp_path}/") for flag in flags))
    assert done.returncode == 2
    assert said.replace("--html=", f"--html={tmp_path}/") in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
