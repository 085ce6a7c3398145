"""One step of the walk, and how it is drawn: pictures in rows, each with its caption under it.

Also what is done to a picture so that something in it can be seen: enlarged by whole pixels, laid over squares where it
is see-through, with boxes drawn on it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from data_pipelines.inspection.contact_sheet import CAPTION, FAINT, GAP, INK, MARGIN, PAPER, TITLE, draw_depth_bar

ROW, WIDEST = 230, 1280  # pixels: the height of a picture, the width of a row of them
BETWEEN_ROWS, LINE = 14, CAPTION + 4
ENLARGED, LARGEST = 240, 560  # pixels of the longer side: small pictures are brought to about that, large ones shrunk
SQUARE, LIGHT, DARK = 8, 236, 200  # under what is see-through: pixels a side, levels of grey
GREEN, OUTLINE = (38, 122, 92), (225, 40, 90)


@dataclass(frozen=True)
class Panel:
    """One picture of a step.

    Attributes:
        name: what it is.
        picture: uint8 [h, w, 3] or [h, w].
        note: what there is to see in it.
    """

    name: str
    picture: np.ndarray
    note: str = ""


@dataclass(frozen=True)
class Step:
    """What one step of the walk tells and shows.

    Attributes:
        title: one line.
        name: of its picture's file and of its section.
        modules: where it lives.
        lines: paragraphs of text.
        panels: its pictures.
        table: rows of text, the heads first.
        caption: of the table.
        scale: the nearest and the farthest metres, if depth is shown in colour.
    """

    title: str
    name: str
    modules: tuple[ModuleType, ...]
    lines: tuple[str, ...]
    panels: tuple[Panel, ...]
    table: tuple[tuple[str, ...], ...] = ()
    caption: str = ""
    scale: tuple[float, float] | None = None


def draw_step(number: int, step: Step) -> Image.Image:
    """Draws the pictures of a step on one sheet."""
    font, bold = ImageFont.load_default(CAPTION), ImageFont.load_default(TITLE - 4)
    tiles = [_tile(panel) for panel in step.panels]
    captions = [
        [*_wrap(panel.name, tile.width, font), *_wrap(panel.note, tile.width, font)]
        for panel, tile in zip(step.panels, tiles, strict=True)
    ]
    rows = _rows([tile.width for tile in tiles])
    heights = [ROW + BETWEEN_ROWS + 6 + LINE * max(len(captions[at]) for at in row) for row in rows]
    head = MARGIN + 52
    width = max(sum(tiles[at].width + GAP * 3 for at in row) - GAP * 3 for row in rows)
    paper = Image.new("RGB", (2 * MARGIN + max(width, 760), head + sum(heights) + MARGIN - BETWEEN_ROWS), PAPER)
    pen = ImageDraw.Draw(paper)
    pen.text((MARGIN, MARGIN - 4), f"{number}  {step.title}", INK, bold)
    if step.scale:
        draw_depth_bar(paper, pen, *step.scale, "m", right=paper.width - MARGIN, narrow=False)
    top = head
    for row, height in zip(rows, heights, strict=True):
        left = MARGIN
        for at in row:
            paper.paste(tiles[at], (left, top))
            for line, text in enumerate(captions[at]):
                pen.text((left, top + ROW + 4 + line * LINE), text, INK if line == 0 else FAINT, font)
            left += tiles[at].width + GAP * 3
        top += height
    return paper


def enlarge(picture: np.ndarray) -> np.ndarray:
    """Enlarges a picture by whole pixels, so that each can be told from the next; shrinks a large one."""
    longest = max(picture.shape[:2])
    if longest > LARGEST:
        small = Image.fromarray(picture)
        small.thumbnail((LARGEST, LARGEST))
        return np.asarray(small)
    return _repeat(picture, max(1, ENLARGED // longest))


def format_size(picture: np.ndarray) -> str:
    """Returns the size of a picture as 192 x 256, height first."""
    return f"{picture.shape[0]} x {picture.shape[1]}"


def to_grey(values: np.ndarray, white: float = 1.0) -> np.ndarray:
    """Turns numbers from 0, black, to `white` into uint8."""
    return np.round(np.clip(values / white, 0, 1) * 255).astype(np.uint8)


def show_over_squares(rgba: np.ndarray) -> np.ndarray:
    """Draws uint8 [h, w, 4], straight alpha, as [h, w, 3] with squares where it is see-through."""
    down, across = np.indices(rgba.shape[:2]) // SQUARE
    return _lay_over(rgba, np.where((down + across) % 2, LIGHT, DARK)[..., None])


def show_over_green(rgba: np.ndarray) -> np.ndarray:
    """Draws it over one colour instead, on which a light fringe shows as a dark one does."""
    return _lay_over(rgba, np.array(GREEN))


def _lay_over(rgba: np.ndarray, behind: np.ndarray) -> np.ndarray:
    alpha = rgba[..., 3:] / 255
    return np.round(rgba[..., :3] * alpha + behind * (1 - alpha)).astype(np.uint8)


def crop_around(picture: np.ndarray, centre: Iterable, side: int) -> np.ndarray:
    """Crops a square of `side` pixels around (row, column), or as near to it as the picture goes, and enlarges it."""
    top, left = (max(0, min(at - side // 2, of - side)) for at, of in zip(centre, picture.shape[:2], strict=True))
    return enlarge(picture[top : top + side, left : left + side])


def draw_boxes(picture: np.ndarray, boxes: Iterable, colours: Sequence[tuple] = (OUTLINE,)) -> np.ndarray:
    """Enlarges a picture and draws boxes (top, left, bottom, right) of its pixels on it, the last in front.

    colours: of each box.
    """
    times = max(1, LARGEST // max(picture.shape[:2]))
    shown = Image.fromarray(_repeat(picture, times)).convert("RGB")
    pen = ImageDraw.Draw(shown)
    for (top, left, bottom, right), colour in zip(boxes, colours, strict=True):
        corners = [round(float(side) * times) for side in (left, top, right, bottom)]
        pen.rectangle(corners, outline=tuple(colour), width=4 if tuple(colour) == OUTLINE else 2)
    return np.asarray(shown)


def _repeat(picture: np.ndarray, times: int) -> np.ndarray:
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def _tile(panel: Panel) -> Image.Image:
    picture = Image.fromarray(panel.picture).convert("RGB")
    height, width = panel.picture.shape[:2]
    scale = min(ROW / height, WIDEST / width)
    small = max(height, width) < ENLARGED / 2
    smooth = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
    scaled = picture.resize((max(1, round(width * scale)), max(1, round(height * scale))), smooth)
    tile = Image.new("RGB", (max(scaled.width, 150), ROW), PAPER)
    tile.paste(scaled, (0, 0))
    return tile


def _rows(widths: list[int]) -> list[list[int]]:
    """Returns the numbers of the pictures in each row: as few rows as can be, and these as equally long as can be."""
    fewest = len(_fill_rows(widths, WIDEST))
    return next(rows for limit in range(0, WIDEST + 1, 10) if len(rows := _fill_rows(widths, limit)) <= fewest)


def _fill_rows(widths: list[int], widest: int) -> list[list[int]]:
    rows: list[list[int]] = [[]]
    used = 0
    for at, width in enumerate(widths):
        if rows[-1] and used + width > widest:
            rows.append([])
            used = 0
        rows[-1].append(at)
        used += width + GAP * 3
    return rows


def _wrap(text: str, width: int, font) -> list[str]:
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines
