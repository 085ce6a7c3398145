"""Surface colours for the demo sources: procedural, in metres, filtered.

A texture is a small frozen dataclass that is called with a `Surface` and answers with
  float32 [N, 3], linear (not gamma coded) reflectance, about 0..1.
`Surface` holds, for N points, float32 [N] each unless said otherwise:
  u, v    place on the surface, metres (v is the height above the solid's base on upright faces)
  blur    how wide a pixel is on the surface there, metres
  face    int8 [N]: TOP, BOTTOM, SIDE_X (faces along the local x axis) or SIDE_Z

Patterns are functions of the place alone, so perspective is right and a picture of any size shows the same thing. Lines
are box-filtered analytically over `blur`, which costs less than more samples a pixel and does not shimmer.
"""

import colorsys
import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

TOP, BOTTOM, SIDE_X, SIDE_Z = 0, 1, 2, 3
TILE = 512  # texels; a power of two, so that wrapping is a bit mask


class Surface(NamedTuple):
    u: np.ndarray
    v: np.ndarray
    blur: np.ndarray
    face: np.ndarray


Texture = Callable[[Surface], np.ndarray]
Colour = tuple[float, float, float]  # linear RGB


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A display colour (hue in turns) as linear RGB."""
    return tuple(float(c**2.2) for c in colorsys.hsv_to_rgb(hue % 1.0, saturation, value))


@functools.cache
def _tile(roughness: float) -> np.ndarray:
    """Periodic fractal noise, float32 [TILE, TILE], zero mean, unit deviation; lattices summed, so no FFT to differ."""
    rng = np.random.Generator(np.random.Philox(key=20240229))
    total = np.zeros((TILE, TILE))
    for octave in range(2 if roughness < 0.7 else 5, 10):  # rough noise has no broad patches: weave, grit, grass
        size = 2**octave
        lattice = rng.standard_normal((size, size))
        place = np.arange(TILE) * (size / TILE)
        low = place.astype(int)
        share = place - low
        share = share * share * (3 - 2 * share)
        high = (low + 1) % size
        rows = lattice[low] * (1 - share)[:, None] + lattice[high] * share[:, None]
        total += (rows[:, low] * (1 - share) + rows[:, high] * share) * size ** -(1 - roughness)
    total -= total.mean()
    return np.clip(total / total.std(), -3, 3).astype(np.float32)


@functools.cache
def _dice() -> np.ndarray:
    return np.random.Generator(np.random.Philox(key=7)).random(4096).astype(np.float32)


def grain(u: np.ndarray, v: np.ndarray, span: float, roughness: float = 0.6) -> np.ndarray:
    """Noise that repeats every `span` metres, nearest texel: for detail about as fine as a pixel."""
    scale = np.float32(TILE / span)
    column = (u * scale).astype(np.int32) & (TILE - 1)
    row = (v * scale).astype(np.int32) & (TILE - 1)
    return _tile(roughness).ravel()[row * TILE + column]


def cloud(u: np.ndarray, v: np.ndarray, span: float, roughness: float = 0.1) -> np.ndarray:
    """Noise that repeats every `span` metres, interpolated: for patches much wider than a pixel."""
    scale = np.float32(TILE / span)
    x, y = u * scale, v * scale
    x0, y0 = np.floor(x), np.floor(y)
    fx, fy = x - x0, y - y0
    left, upper = x0.astype(np.int32) & (TILE - 1), y0.astype(np.int32) & (TILE - 1)
    right, lower = (left + 1) & (TILE - 1), ((upper + 1) & (TILE - 1)) * TILE
    upper = upper * TILE
    flat = _tile(roughness).ravel()
    above = flat[upper + left] * (1 - fx) + flat[upper + right] * fx
    below = flat[lower + left] * (1 - fx) + flat[lower + right] * fx
    return above * (1 - fy) + below * fy


def dice(i: np.ndarray, j: np.ndarray, salt: int = 0) -> np.ndarray:
    """A fixed uniform number in [0, 1) for every cell (i, j) of a pattern."""
    i, j = i.astype(np.int64), j.astype(np.int64)
    mixed = i * 73856093 ^ j * 19349663 ^ (salt + 1) * 83492791
    return _dice()[(mixed ^ mixed >> 11) & 4095]


def bars(place: np.ndarray, period: float, width: float, blur: np.ndarray) -> np.ndarray:
    """1 on [0, width) of every period, else 0, averaged exactly over a window as wide as `blur`."""

    def integral(x):
        turns = np.floor(x / period)
        return turns * width + np.minimum(x - turns * period, width)

    blur = np.maximum(blur, 1e-4)
    return (integral(place + blur / 2) - integral(place - blur / 2)) / blur


def between(place: np.ndarray, low: float, high: float, blur: np.ndarray) -> np.ndarray:
    """1 on [low, high], else 0, with edges as soft as a pixel is wide."""
    blur = np.maximum(blur, 1e-4)
    return np.clip((place - low) / blur + 0.5, 0, 1) * np.clip((high - place) / blur + 0.5, 0, 1)


def paint(base: np.ndarray, colour, share: np.ndarray) -> np.ndarray:
    """`colour` laid over `base` [N, 3] with opacity `share` [N]."""
    return base + (np.asarray(colour, np.float32) - base) * share[:, None]


def _flat(colour: Colour, shade: np.ndarray) -> np.ndarray:
    return np.asarray(colour, np.float32) * np.maximum(shade, 0.05)[:, None]


@dataclass(frozen=True)
class Plain:
    """One colour with fine `speckle` and broad `blotch`: plaster, paint, metal, carpet, rock."""

    colour: Colour
    speckle: float = 0.03
    blotch: float = 0.04
    span: float = 2.5

    def __call__(self, s: Surface) -> np.ndarray:
        shade = 1 + self.speckle * grain(s.u, s.v, self.span, 0.85)
        if self.blotch:
            shade += self.blotch * cloud(s.u + 3.1, s.v, self.span * 5)
        return _flat(self.colour, shade)


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
        across, along = (s.v, s.u) if self.along_u else (s.u, s.v)
        board = np.floor(across / self.width)
        along = along + dice(board, board, 3) * self.length
        tone = dice(board, np.floor(along / self.length), 1) - 0.5
        shade = 1 + self.variety * tone + 0.06 * grain(across * 9 + 7 * tone, along, 6.0)
        gaps = np.maximum(bars(across, self.width, self.joint, s.blur), bars(along, self.length, self.joint, s.blur))
        return _flat(self.colour, shade * (1 - 0.55 * gaps))


@dataclass(frozen=True)
class Tiles:
    """Square or oblong tiles, chequered where `other` differs from `colour`, with joints; `stagger` 0.5 makes bricks."""

    colour: Colour
    other: Colour
    joint_colour: Colour
    width: float = 0.4
    height: float = 0.4
    joint: float = 0.008
    stagger: float = 0.0
    variety: float = 0.08

    def __call__(self, s: Surface) -> np.ndarray:
        row = np.floor(s.v / self.height)
        u = s.u + self.stagger * self.width * (row % 2)
        column = np.floor(u / self.width)
        odd = ((row + column) % 2).astype(np.float32)
        # Chequers finer than a pixel are their mean, not a moire.
        odd = 0.5 + (odd - 0.5) * np.clip(2 - 2 * s.blur / min(self.width, self.height), 0, 1)
        shade = 1 + self.variety * 2 * (dice(column, row, 2) - 0.5) + 0.03 * grain(s.u, s.v, 2.0)
        colour = _flat(self.colour, shade) * (1 - odd)[:, None] + _flat(self.other, shade) * odd[:, None]
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
        share = bars(s.v if self.level else s.u, self.period, self.period / 2, s.blur)
        return paint(_flat(self.colour, 1 + self.speckle * grain(s.u, s.v, 1.5)), self.other, share * 0.9)


@dataclass(frozen=True)
class Wainscot:
    """A wall with a skirting board, a lower part up to `rail` (0 for none) and an upper part."""

    upper: Texture
    lower: Texture
    trim: Colour
    rail: float = 1.0
    ceiling: float = 2.6

    def __call__(self, s: Surface) -> np.ndarray:
        colour = self.upper(s)
        if self.rail:
            colour = paint(colour, self.lower(s), (s.v < self.rail).astype(np.float32))
            colour = paint(colour, self.trim, between(s.v, self.rail, self.rail + 0.05, s.blur))
        colour = paint(colour, self.trim, between(s.v, -1, 0.11, s.blur))
        return paint(colour, self.trim, between(s.v, self.ceiling - 0.06, self.ceiling + 1, s.blur))


@dataclass(frozen=True)
class Sided:
    """One texture on the sides, another on top and underneath."""

    side: Texture
    top: Texture

    def __call__(self, s: Surface) -> np.ndarray:
        level = s.face <= BOTTOM
        if level.all():
            return self.top(s)
        if not level.any():
            return self.side(s)
        return np.where(level[:, None], self.top(s), self.side(s))


@dataclass(frozen=True)
class Facade:
    """A house front: rows of windows with frames and sills, some lit, and a ground floor of shop windows or doors."""

    wall: Texture
    frame: Colour
    glass: Colour
    storey: float = 3.2
    bay: float = 2.4
    window: tuple[float, float] = (1.2, 1.6)
    lit: float = 0.1
    shop: bool = False
    salt: int = 0

    def __call__(self, s: Surface) -> np.ndarray:
        colour = self.wall(s)
        width, height = self.window
        column, floor_number = np.floor(s.u / self.bay), np.floor(s.v / self.storey)
        x = np.abs(s.u - (column + 0.5) * self.bay)  # from the middle of the bay
        y = s.v - floor_number * self.storey - 0.9  # above the sill
        if self.shop:
            low = floor_number == 0
            x = np.where(low, x * (width / (self.bay - 0.35)), x)
            y = np.where(low, (y + 0.55) * (height / 2.3), y)
        blur = s.blur
        colour = paint(colour, self.frame, between(x, -1, width / 2 + 0.12, blur) * between(y, -0.1, height + 0.1, blur))
        chance = dice(column, floor_number, self.salt)
        # Panes mirror the sky: lighter towards the top, and each stands at its own angle.
        sheen = 0.45 + 0.5 * np.clip(y / height, 0, 1) + 0.5 * (dice(column, floor_number, self.salt + 1) - 0.5)
        sheen += 0.12 * cloud(s.u, s.v, 14.0)
        glass = np.asarray(self.glass, np.float32) * sheen[:, None]
        glass = paint(glass, (0.95, 0.62, 0.25), (chance < self.lit) * np.float32(0.75))
        curtain = (chance > 0.7) * between(x, width * 0.22, width, blur)
        glass = paint(glass, (0.55, 0.52, 0.47), curtain * np.float32(0.7))
        pane = between(x, 0.035, width / 2, blur) * between(y, 0, height, blur)
        pane *= 1 - between(y, height * 0.64, height * 0.64 + 0.06, blur)
        colour = paint(colour, glass, pane)
        sill = between(x, -1, width / 2 + 0.2, blur) * between(y, -0.2, -0.1, blur)
        return paint(colour, np.asarray(self.frame, np.float32) * 0.8, sill)


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
        cell_u, cell_v = self.width / self.columns, self.height / self.rows
        u = (s.u + self.width / 2) % cell_u
        v = s.v % cell_v
        margin = min(cell_u, cell_v) * 0.12
        inset = between(u, margin, cell_u - margin, s.blur) * between(v, margin, cell_v - margin, s.blur)
        groove = inset - between(u, margin + 0.02, cell_u - margin - 0.02, s.blur) * between(
            v, margin + 0.02, cell_v - margin - 0.02, s.blur
        )
        colour = _flat(self.colour, 1 + 0.05 * grain(s.u * 6, s.v, 5.0) - 0.45 * groove - 0.06 * inset)
        joint = between(u, 0, 0.008, s.blur) + between(v, 0, 0.008, s.blur)
        colour *= 1 - 0.5 * np.clip(joint, 0, 1)[:, None]
        if self.handles:
            knob = between(u, cell_u - 0.09, cell_u - 0.05, s.blur) * between(v, cell_v * 0.5, cell_v * 0.5 + 0.1, s.blur)
            colour = paint(colour, (0.5, 0.47, 0.4), knob)
        return colour


@dataclass(frozen=True)
class Books:
    """Shelves full of books, seen from the front: v is the height, shelves every `storey` metres."""

    wood: Colour
    storey: float = 0.36
    salt: int = 0

    def __call__(self, s: Surface) -> np.ndarray:
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
        x, y = np.abs(s.u) / (self.width / 2), np.abs(s.v - self.height / 2) / (self.height / 2)
        edge = np.maximum(1 - (1 - x) * self.width, 1 - (1 - y) * self.height)  # 1 at the rim, metres inwards
        level = cloud(s.u + self.place, s.v * 1.4, 1.7) + (s.v / self.height - 0.5) * 2.2
        colour = _flat(self.colours[0], 1 + 0.1 * grain(s.u, s.v, 0.8))
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
        up = s.v / self.height
        ragged = 0.38 + 0.07 * cloud(s.u, s.v * 0.2, 3.0)
        colour = np.array([1.0, 1.05, 1.15], np.float32) * (0.75 + 0.3 * up)[:, None]
        colour = paint(colour, self.below, np.clip((ragged - up) * 30, 0, 1))
        u = s.u + self.width / 2
        bar = bars(u + 0.025, self.width / self.bars, 0.05, s.blur)
        bar = np.maximum(bar, bars(s.v + 0.025, self.height / 2, 0.05, s.blur))
        return paint(colour, (0.75, 0.74, 0.72), bar)


@dataclass(frozen=True)
class Foliage:
    """Leaves: clumps, dark gaps, lit tips."""

    colour: Colour
    span: float = 2.0

    def __call__(self, s: Surface) -> np.ndarray:
        shade = 1 + 0.26 * grain(s.u, s.v, self.span, 0.75) + 0.2 * grain(s.u, s.v, self.span * 1.7, 0.4)
        return _flat(self.colour, np.clip(shade, 0.3, 1.9))


@dataclass(frozen=True)
class Meadow:
    """Open land: grass, mown fields `field` metres wide in turned rows far off, and a path that winds along z."""

    grass: Colour
    dry: Colour
    path: Colour
    path_width: float = 1.6
    path_offset: float = 0.0
    bend: float = 1.5
    bend_length: float = 14.0
    field: float = 0.0

    def __call__(self, s: Surface) -> np.ndarray:
        patches = cloud(s.u, s.v, 31.0)
        shade = 1 + 0.2 * grain(s.u, s.v, 2.6, 0.85) + 0.1 * grain(s.u, s.v, 11.0, 0.7) + 0.05 * patches
        colour = paint(_flat(self.grass, shade), self.dry, np.clip(0.3 * patches + 0.2, 0, 0.7))
        if self.field:
            strip = np.floor((s.u * 0.94 + s.v * 0.34) / self.field)
            tone = (dice(strip, strip, 5) - 0.5) * (s.v > 18)
            colour = paint(colour, self.dry, np.clip(tone, 0, 1)) * (1 + 0.5 * np.minimum(tone, 0))[:, None]
        if self.path_width:
            middle = self.path_offset + self.bend * np.sin(s.v * (2 * np.pi / self.bend_length))
            away = np.abs(s.u - middle) + 0.09 * cloud(s.u, s.v, 5.0, 0.4)
            worn = between(away, -1, self.path_width / 2, np.maximum(s.blur, 0.2))
            colour = paint(colour, _flat(self.path, 1 + 0.1 * grain(s.u, s.v, 2.3, 0.8)), worn)
        return colour


@dataclass(frozen=True)
class Roadway:
    """A street along z: asphalt within `half` of x = 0 with markings, kerb stones, then paving slabs."""

    half: float
    asphalt: Colour
    paving: Texture
    kerb: Colour
    dashes: bool = True
    edge_line: bool = False
    crossing: float = -100.0  # z where a zebra crossing starts

    def __call__(self, s: Surface) -> np.ndarray:
        across = np.abs(s.u)
        shade = 1 + 0.09 * grain(s.u, s.v, 2.1, 0.8) + 0.07 * cloud(s.u * 3, s.v * 0.5, 30.0)
        shade += 0.05 * np.cos(across * (4 * np.pi / self.half))  # tyre tracks
        road = _flat(self.asphalt, shade)
        white = np.zeros_like(s.u)
        if self.dashes:
            white = between(across, -1, 0.07, s.blur) * bars(s.v, 6.0, 3.0, s.blur)
        if self.edge_line:
            white = np.maximum(white, between(across, self.half - 0.5, self.half - 0.38, s.blur))
        zebra = between(s.v, self.crossing, self.crossing + 3.2, s.blur) * bars(s.u + 50, 1.0, 0.5, s.blur)
        white = np.maximum(white * (1 - between(s.v, self.crossing - 1, self.crossing + 4.2, s.blur)), zebra)
        road = paint(road, (0.72, 0.72, 0.68), white * (0.85 + 0.08 * grain(s.u, s.v, 1.3)))
        pavement = self.paving(s)
        stone = _flat(self.kerb, 1 + 0.06 * grain(s.u, s.v, 1.7) - 0.3 * bars(s.v, 1.0, 0.015, s.blur))
        # The kerb's upright side, painted: the gutter is in shade.
        colour = paint(road, np.asarray(self.asphalt, np.float32) * 0.5, between(across, self.half - 0.07, self.half, s.blur))
        colour = paint(colour, stone, between(across, self.half, self.half + 0.18, s.blur))
        return paint(colour, pavement, np.clip((across - self.half - 0.18) / np.maximum(s.blur, 1e-4) + 0.5, 0, 1))


@dataclass(frozen=True)
class Patch:
    """Something flat lying on a floor: `texture` within a rectangle or an ellipse turned by `turn` radians."""

    texture: Texture
    centre: tuple[float, float]
    half: tuple[float, float]
    turn: float = 0.0
    round: bool = False
    border: Colour | None = None

    def __call__(self, base: np.ndarray, s: Surface) -> np.ndarray:
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
    """A floor with flat things lying on it, in the order given."""

    base: Texture
    patches: tuple[Patch, ...] = ()

    def __call__(self, s: Surface) -> np.ndarray:
        colour = self.base(s)
        for patch in self.patches:
            colour = patch(colour, s)
        return colour


def turned(texture: Texture, **changes) -> Texture:
    """The same texture with some fields changed."""
    return replace(texture, **changes)
