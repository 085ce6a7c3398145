"""Surface colours for the demo sources: procedural, in metres, filtered.

A texture is a small frozen dataclass that is called with a `Surface` and returns
  float32 [N, 3], linear (not gamma coded) reflectance, about 0..1.
`Surface` holds, for N points, float32 [N] each unless said otherwise:
  u, v    place on the surface, metres (v is the height above the solid's base on upright faces)
  blur    how wide a pixel is on the surface there, metres
  face    int8 [N]: TOP, BOTTOM, SIDE_X (faces along the local x axis) or SIDE_Z
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from data_pipelines.demo.noise import Colour, bars, between, cloud, dice, grain, paint

TOP, BOTTOM, SIDE_X, SIDE_Z = 0, 1, 2, 3


class Surface(NamedTuple):
    """Points on a surface: places `u`, `v`, pixel width `blur`, and `face`; the top of this file has their units."""

    u: np.ndarray
    v: np.ndarray
    blur: np.ndarray
    face: np.ndarray


Texture = Callable[[Surface], np.ndarray]


def shaded_colour(colour: Colour, shade: np.ndarray) -> np.ndarray:
    """Returns one linear colour times `shade` (at least 0.05) at every point, float32 [N, 3]."""
    return np.asarray(colour, np.float32) * np.maximum(shade, 0.05)[:, None]


@dataclass(frozen=True)
class Plain:
    """One colour with fine `speckle` and broad `blotch`: plaster, paint, metal, carpet, rock."""

    colour: Colour
    speckle: float = 0.03
    blotch: float = 0.04
    span: float = 2.5

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour at the points of a surface, speckled and blotched, float32 [N, 3]."""
        shade = 1 + self.speckle * grain(s.u, s.v, self.span, 0.85)
        if self.blotch:
            shade += self.blotch * cloud(s.u + 3.1, s.v, self.span * 5)
        return shaded_colour(self.colour, shade)


@dataclass(frozen=True)
class Planks:
    """Boards `width` wide along v, of varied tone, with grain along them and dark joints."""

    colour: Colour
    width: float = 0.14
    length: float = 1.6
    variety: float = 0.18
    joint: float = 0.005
    along_u: bool = False

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of boards and joints at the points of a surface, float32 [N, 3]."""
        across, along = (s.v, s.u) if self.along_u else (s.u, s.v)
        board = np.floor(across / self.width)
        along = along + dice(board, board, 3) * self.length
        tone = dice(board, np.floor(along / self.length), 1) - 0.5
        shade = 1 + self.variety * tone + 0.06 * grain(across * 9 + 7 * tone, along, 6.0)
        gaps = np.maximum(bars(across, self.width, self.joint, s.blur), bars(along, self.length, self.joint, s.blur))
        return shaded_colour(self.colour, shade * (1 - 0.55 * gaps))


@dataclass(frozen=True)
class Tiles:
    """Tiles with joints, chequered where `other` differs from `colour`; a `stagger` of 0.5 makes bricks."""

    colour: Colour
    other: Colour
    joint_colour: Colour
    width: float = 0.4
    height: float = 0.4
    joint: float = 0.008
    stagger: float = 0.0
    variety: float = 0.08

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of tiles and joints at the points of a surface, float32 [N, 3]."""
        row = np.floor(s.v / self.height)
        u = s.u + self.stagger * self.width * (row % 2)
        column = np.floor(u / self.width)
        odd = ((row + column) % 2).astype(np.float32)
        # Chequers finer than a pixel are their mean, not a moire.
        odd = 0.5 + (odd - 0.5) * np.clip(2 - 2 * s.blur / min(self.width, self.height), 0, 1)
        shade = 1 + self.variety * 2 * (dice(column, row, 2) - 0.5) + 0.03 * grain(s.u, s.v, 2.0)
        colour = (
            shaded_colour(self.colour, shade) * (1 - odd)[:, None] + shaded_colour(self.other, shade) * odd[:, None]
        )
        edges = bars(u, self.width, self.joint, s.blur), bars(s.v, self.height, self.joint, s.blur)
        return paint(colour, self.joint_colour, np.maximum(*edges))


@dataclass(frozen=True)
class Stripes:
    """Upright stripes (or level ones): wallpaper, awnings, rugs, curtains."""

    colour: Colour
    other: Colour
    period: float = 0.2
    level: bool = False
    speckle: float = 0.03

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of the stripes at the points of a surface, float32 [N, 3]."""
        share = bars(s.v if self.level else s.u, self.period, self.period / 2, s.blur)
        return paint(shaded_colour(self.colour, 1 + self.speckle * grain(s.u, s.v, 1.5)), self.other, share * 0.9)


@dataclass(frozen=True)
class Wainscot:
    """A wall with a skirting board, a lower part up to `rail` (0 for none) and an upper part."""

    upper: Texture
    lower: Texture
    trim: Colour
    rail: float = 1.0
    ceiling: float = 2.6

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of the wall's parts at the points of a surface, float32 [N, 3]."""
        colour = self.upper(s)
        if self.rail:
            colour = paint(colour, self.lower(s), (s.v < self.rail).astype(np.float32))
            colour = paint(colour, self.trim, between(s.v, self.rail, self.rail + 0.05, s.blur))
        colour = paint(colour, self.trim, between(s.v, -1, 0.11, s.blur))
        return paint(colour, self.trim, between(s.v, self.ceiling - 0.06, self.ceiling + 1, s.blur))


@dataclass(frozen=True)
class Sided:
    """One texture on the sides, another on the top and the bottom."""

    side: Texture
    top: Texture

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of the side or the top at the points of a surface, float32 [N, 3]."""
        level = s.face <= BOTTOM
        if level.all():
            return self.top(s)
        if not level.any():
            return self.side(s)
        return np.where(level[:, None], self.top(s), self.side(s))


@dataclass(frozen=True)
class Panels:
    """A door or cupboard front: inset panels in a grid, and a handle on each; u runs from -width/2."""

    colour: Colour
    width: float
    height: float
    columns: int = 1
    rows: int = 2
    handles: bool = True

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of panels, grooves and handles at the points of a surface, float32 [N, 3]."""
        cell_u, cell_v = self.width / self.columns, self.height / self.rows
        u = (s.u + self.width / 2) % cell_u
        v = s.v % cell_v
        margin = min(cell_u, cell_v) * 0.12
        inset = between(u, margin, cell_u - margin, s.blur) * between(v, margin, cell_v - margin, s.blur)
        groove = inset - between(u, margin + 0.02, cell_u - margin - 0.02, s.blur) * between(
            v, margin + 0.02, cell_v - margin - 0.02, s.blur
        )
        colour = shaded_colour(self.colour, 1 + 0.05 * grain(s.u * 6, s.v, 5.0) - 0.45 * groove - 0.06 * inset)
        joint = between(u, 0, 0.008, s.blur) + between(v, 0, 0.008, s.blur)
        colour *= 1 - 0.5 * np.clip(joint, 0, 1)[:, None]
        if self.handles:
            knob = between(u, cell_u - 0.09, cell_u - 0.05, s.blur) * between(
                v, cell_v * 0.5, cell_v * 0.5 + 0.1, s.blur
            )
            colour = paint(colour, (0.5, 0.47, 0.4), knob)
        return colour


@dataclass(frozen=True)
class Books:
    """Shelves full of books, seen from the front: v is the height, shelves every `storey` metres."""

    wood: Colour
    storey: float = 0.36
    salt: int = 0

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of spines, gaps and shelves at the points of a surface, float32 [N, 3]."""
        shelf = np.floor(s.v / self.storey)
        y = s.v - shelf * self.storey
        book = np.floor(s.u / 0.045 + 0.35 * np.sin(s.u * 9 + shelf))
        tall = self.storey * (0.55 + 0.3 * dice(book // 3, shelf, self.salt))
        hue = dice(book, shelf, self.salt + 1)
        value = 0.08 + 0.5 * dice(book, shelf, self.salt + 2) ** 2
        turn = np.float32(2 * np.pi) * (hue[:, None] + np.array([0, 1 / 3, 2 / 3], np.float32))
        spines = value[:, None] * (0.75 + 0.45 * np.cos(turn))
        spines *= 1 - 0.4 * between(y, 0.06, 0.09, s.blur)[:, None]
        dark = np.asarray(self.wood, np.float32) * 0.25
        gone = dice(book // 5, shelf, self.salt + 3) < 0.18
        colour = np.where(((y < tall) & ~gone)[:, None], spines, dark)
        return paint(colour, self.wood, bars(s.v, self.storey, 0.03, s.blur))


@dataclass(frozen=True)
class Painting:
    """A framed picture: a mount, and in it broad shapes in three colours."""

    colours: tuple[Colour, Colour, Colour]
    width: float
    height: float
    frame: Colour
    place: float = 0.0  # which part of the noise it shows

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of frame, mount and shapes at the points of a surface, float32 [N, 3]."""
        x, y = np.abs(s.u) / (self.width / 2), np.abs(s.v - self.height / 2) / (self.height / 2)
        edge = np.maximum(1 - (1 - x) * self.width, 1 - (1 - y) * self.height)  # 1 at the rim, metres inwards
        level = cloud(s.u + self.place, s.v * 1.4, 1.7) + (s.v / self.height - 0.5) * 2.2
        colour = shaded_colour(self.colours[0], 1 + 0.1 * grain(s.u, s.v, 0.8))
        colour = paint(colour, self.colours[1], np.clip(level * 6 + 1, 0, 1))
        colour = paint(colour, self.colours[2], np.clip(level * 6 - 4, 0, 1))
        colour = paint(colour, (0.8, 0.78, 0.72), (edge > 0.88).astype(np.float32))
        return paint(colour, self.frame, (edge > 0.94).astype(np.float32))


@dataclass(frozen=True)
class Panes:
    """A bright window seen from inside: sky over a garden or a town, with glazing bars."""

    width: float
    height: float
    below: Colour
    bars: int = 2

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of the view and the glazing bars at the points of a surface, float32 [N, 3]."""
        up = s.v / self.height
        ragged = 0.38 + 0.07 * cloud(s.u, s.v * 0.2, 3.0)
        colour = np.array([0.95, 1.05, 1.2], np.float32) * (0.5 + 0.25 * up)[:, None]
        colour = paint(colour, self.below, np.clip((ragged - up) * 30, 0, 1))
        u = s.u + self.width / 2
        bar = bars(u + 0.025, self.width / self.bars, 0.05, s.blur)
        bar = np.maximum(bar, bars(s.v + 0.025, self.height / 2, 0.05, s.blur))
        return paint(colour, (0.75, 0.74, 0.72), bar)


@dataclass(frozen=True)
class Coat:
    """Fur: fine streaks along the body, and patches of a second colour over `share` of it."""

    colour: Colour
    patch: Colour
    share: float
    span: float

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of fur and patches at the points of a surface, float32 [N, 3]."""
        shade = 1 + 0.12 * grain(s.u * 3, s.v, self.span * 0.5) + 0.06 * grain(s.u, s.v, self.span * 0.3)
        colour = shaded_colour(self.colour, shade)
        if self.share:
            level = cloud(s.u * 0.8 + 3.3, s.v * 0.8 + 1.7, self.span * 4, 0.0) + (self.share - 0.5) * 3
            colour = paint(colour, shaded_colour(self.patch, shade), np.clip(level * 8, 0, 1))
        return colour


@dataclass(frozen=True)
class Patch:
    """Something flat on a floor: `texture` within a rectangle or an ellipse turned by `turn` radians."""

    texture: Texture
    centre: tuple[float, float]
    half: tuple[float, float]
    turn: float = 0.0
    round: bool = False
    border: Colour | None = None

    def __call__(self, base: np.ndarray, s: Surface) -> np.ndarray:
        """Paints the patch over `base`, float32 [N, 3], in place, and returns it."""
        x, z = s.u - self.centre[0], s.v - self.centre[1]
        c, t = np.float32(np.cos(self.turn)), np.float32(np.sin(self.turn))
        x, z = c * x - t * z, t * x + c * z
        a, b = np.abs(x) / self.half[0], np.abs(z) / self.half[1]
        inside = (1 - (np.hypot(a, b) if self.round else np.maximum(a, b))) * min(self.half)  # metres from the rim
        share = np.clip(inside / np.maximum(s.blur, 1e-4) + 0.5, 0, 1)
        where = np.flatnonzero(share)
        if where.size == 0:
            return base
        face = Surface(x[where], z[where], s.blur[where], s.face[where])
        colour = self.texture(face)
        if self.border is not None:
            colour = paint(colour, self.border, between(inside[where], 0.06, 0.16, face.blur))
        base[where] = base[where] + (colour - base[where]) * share[where, None]
        return base


@dataclass(frozen=True)
class Floor:
    """A floor with flat things on it, the last of `patches` on top."""

    base: Texture
    patches: tuple[Patch, ...] = ()

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of the floor and its patches at the points of a surface, float32 [N, 3]."""
        colour = self.base(s)
        for patch in self.patches:
            colour = patch(colour, s)
        return colour
