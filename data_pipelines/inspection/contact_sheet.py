"""A contact sheet of a data set: examples as bg, fg_bg, mask and depth beside one another.

Depth is coloured from near (warm) to far (cool) by its logarithm, on one scale for the whole sheet, which the bar at
the top explains; unknown depth is grey.
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data_pipelines.inspection import examples
from data_pipelines.inspection.depth_colors import color_depth
from data_pipelines.inspection.examples import DecodedExample, ExampleChange
from data_pipelines.tfrecord import reader

USUAL_COUNT = 24
ROWS_BEFORE_SECOND_COLUMN = 6
TILE = 168  # pixels, the longer side of a picture on the sheet
MARGIN, GAP, BETWEEN = 28, 4, 34  # around the sheet, between pictures, between columns of examples
TITLE, HEADING, CAPTION = 26, 15, 14  # sizes of type
PAPER, INK, FAINT = (250, 250, 248), (28, 30, 34), (120, 124, 130)
PICTURES = ("bg", "fg_bg", "mask", "depth")
MARKS = np.array([0.5, 1, 2, 5, 10, 20, 50, 100, 200])  # metres that the bar may name


def draw_sheet(
    folder: str,
    count: int = USUAL_COUNT,
    split: str | None = None,
    names: Sequence[str] = (),
    change: ExampleChange | None = None,
) -> Image.Image:
    """Draws composites of a data set, chosen as by `reader.choose_records`.

    Args:
        folder: of the data set.
        count: how many.
        split: to choose from; None for all of them.
        names: of the composites, instead of a number of them.
        change: what is done to each before it is drawn; see `read_examples`.
    """
    dataset = reader.open_dataset(folder)
    locations = reader.choose_records(dataset, count, split, names)
    shown = list(examples.read_examples(dataset, locations, examples.read_background_pictures(dataset), names, change))
    return _draw_examples(shown, dataset.title(), dataset.unit)


def _draw_examples(shown: Sequence[DecodedExample], title: tuple[str, str, str], unit: str) -> Image.Image:
    columns = 1 if len(shown) <= ROWS_BEFORE_SECOND_COLUMN else 2
    rows = -(-len(shown) // columns)
    wide, tall = _tile_size(*shown[0].mask.shape)
    column_width = len(PICTURES) * (wide + GAP) - GAP
    # On a narrow sheet the bar has a line of its own.
    row_height, head = tall + CAPTION + 20, MARGIN + TITLE + 2 * HEADING + (58 if columns == 2 else 104)
    width = 2 * MARGIN + columns * column_width + (columns - 1) * BETWEEN
    paper = Image.new("RGB", (width, head + rows * row_height + MARGIN - 12), PAPER)
    pen = ImageDraw.Draw(paper)
    near, far = _depth_range(shown)
    pen.text((MARGIN, MARGIN - 6), title[0], INK, ImageFont.load_default(TITLE))
    for number, line in enumerate(title[1:]):
        pen.text((MARGIN, MARGIN + TITLE + 4 + number * (HEADING + 5)), line, FAINT, ImageFont.load_default(HEADING))
    draw_depth_bar(paper, pen, near, far, unit, right=width - MARGIN, narrow=columns == 1)
    for column in range(columns):
        left = MARGIN + column * (column_width + BETWEEN)
        for number, name in enumerate(PICTURES):
            pen.text((left + number * (wide + GAP), head - 26), name, INK, ImageFont.load_default(HEADING))
        # Down the first column, then down the second, so that splits stay together.
        for row, example in enumerate(shown[column * rows : (column + 1) * rows]):
            top = head + row * row_height
            _draw_example(paper, pen, example, (left, top), (wide, tall), near, far)
    return paper


def _draw_example(
    paper: Image.Image,
    pen: ImageDraw.ImageDraw,
    example: DecodedExample,
    corner: tuple[int, int],
    tile: tuple[int, int],
    near: float,
    far: float,
) -> None:
    left, top = corner
    wide, tall = tile
    font = ImageFont.load_default(CAPTION)
    pen.text((left, top + tall + 2), example.name, INK, font)
    label = example.split if example.mask.any() else f"nobody, {example.split}"
    pen.text((left + len(PICTURES) * (wide + GAP) - GAP, top + tall + 2), label, FAINT, font, anchor="ra")
    smooth = Image.Resampling.LANCZOS if tall <= example.mask.shape[0] else Image.Resampling.NEAREST
    pictures = (example.bg, example.fg_bg, example.mask, color_depth(example.metres, near, far))
    for number, picture in enumerate(pictures):
        scaled = Image.fromarray(picture).resize(tile, smooth)
        paper.paste(scaled.convert("RGB"), (left + number * (wide + GAP), top))


def _tile_size(height: int, width: int) -> tuple[int, int]:
    """Returns (width, height) on the sheet: small pictures are enlarged by whole pixels, large ones are shrunk."""
    longest = max(height, width)
    if longest * 2 <= TILE:
        times = TILE // longest
        return width * times, height * times
    if longest <= TILE * 1.1:
        return width, height
    return round(width * TILE / longest), round(height * TILE / longest)


def _depth_range(shown: Sequence[DecodedExample]) -> tuple[float, float]:
    """Returns the nearest and the farthest metres on the sheet."""
    known = np.concatenate([example.metres[example.metres > 0] for example in shown] or [np.ones(1)])
    return float(known.min()), max(float(known.max()), float(known.min()) * 1.01)


def draw_depth_bar(
    paper: Image.Image, pen: ImageDraw.ImageDraw, near: float, far: float, unit: str, right: int, narrow: bool
) -> None:
    """Draws the scale of depth colours.

    Args:
        paper: to draw on.
        pen: that draws on it.
        near: the nearest depth of the scale.
        far: the farthest one.
        unit: of both.
        right: where the bar ends, pixels.
        narrow: whether there is no room beside the title, so that the bar goes below it.
    """
    width, height, top = 320, 14, MARGIN + (TITLE + 2 * HEADING + 24 if narrow else 2)
    scale = np.exp(np.linspace(np.log(near), np.log(far), width))
    paper.paste(Image.fromarray(color_depth(np.tile(scale, (height, 1)), near, far)), (right - width, top))
    font = ImageFont.load_default(CAPTION)
    marks = MARKS[(near <= MARKS) & (far >= MARKS)]
    for metres in marks if len(marks) > 1 else (near, far):
        at = right - width + round((width - 1) * np.log(metres / near) / np.log(far / near))
        pen.line((at, top + height, at, top + height + 4), INK)
        pen.text((at, top + height + 5), f"{metres:.3g}", INK, font, anchor="ma")
    pen.text((right - width - 8, top - 2), f"depth, {unit}", FAINT, font, anchor="ra")
