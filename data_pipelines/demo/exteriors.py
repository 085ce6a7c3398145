"""Textures of streets and open land for the demo sources; textures.py defines what a texture is."""

from dataclasses import dataclass

import numpy as np

from data_pipelines.demo.noise import Colour, bars, between, cloud, dice, grain, paint
from data_pipelines.demo.textures import Surface, Texture, shaded_colour


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
        """Returns the colour of wall, windows and sills at the points of a surface, float32 [N, 3]."""
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
        colour = paint(
            colour, self.frame, between(x, -1, width / 2 + 0.12, blur) * between(y, -0.1, height + 0.1, blur)
        )
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
class Foliage:
    """Leaves: clumps with dark gaps and bright tips."""

    colour: Colour
    span: float = 2.0

    def __call__(self, s: Surface) -> np.ndarray:
        """Returns the colour of the leaves at the points of a surface, float32 [N, 3]."""
        shade = 1 + 0.26 * grain(s.u, s.v, self.span, 0.75) + 0.2 * grain(s.u, s.v, self.span * 1.7, 0.4)
        return shaded_colour(self.colour, np.clip(shade, 0.3, 1.9))


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
        """Returns the colour of grass, fields and path at the points of the ground, float32 [N, 3]."""
        patches = cloud(s.u, s.v, 31.0)
        shade = 1 + 0.2 * grain(s.u, s.v, 2.6, 0.85) + 0.1 * grain(s.u, s.v, 11.0, 0.7) + 0.05 * patches
        colour = paint(shaded_colour(self.grass, shade), self.dry, np.clip(0.3 * patches + 0.2, 0, 0.7))
        if self.field:
            strip = np.floor((s.u * 0.94 + s.v * 0.34) / self.field)
            tone = (dice(strip, strip, 5) - 0.5) * (s.v > 18)
            colour = paint(colour, self.dry, np.clip(tone, 0, 1)) * (1 + 0.5 * np.minimum(tone, 0))[:, None]
        if self.path_width:
            middle = self.path_offset + self.bend * np.sin(s.v * (2 * np.pi / self.bend_length))
            away = np.abs(s.u - middle) + 0.09 * cloud(s.u, s.v, 5.0, 0.4)
            worn = between(away, -1, self.path_width / 2, np.maximum(s.blur, 0.2))
            colour = paint(colour, shaded_colour(self.path, 1 + 0.1 * grain(s.u, s.v, 2.3, 0.8)), worn)
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
        """Returns the colour of asphalt, markings, kerbs and paving at the points of the ground, float32 [N, 3]."""
        across = np.abs(s.u)
        shade = 1 + 0.09 * grain(s.u, s.v, 2.1, 0.8) + 0.07 * cloud(s.u * 3, s.v * 0.5, 30.0)
        shade += 0.05 * np.cos(across * (4 * np.pi / self.half))  # tyre tracks
        road = shaded_colour(self.asphalt, shade)
        white = np.zeros_like(s.u)
        if self.dashes:
            white = between(across, -1, 0.07, s.blur) * bars(s.v, 6.0, 3.0, s.blur)
        if self.edge_line:
            white = np.maximum(white, between(across, self.half - 0.5, self.half - 0.38, s.blur))
        zebra = between(s.v, self.crossing, self.crossing + 3.2, s.blur) * bars(s.u + 50, 1.0, 0.5, s.blur)
        white = np.maximum(white * (1 - between(s.v, self.crossing - 1, self.crossing + 4.2, s.blur)), zebra)
        road = paint(road, (0.72, 0.72, 0.68), white * (0.85 + 0.08 * grain(s.u, s.v, 1.3)))
        pavement = self.paving(s)
        stone = shaded_colour(self.kerb, 1 + 0.06 * grain(s.u, s.v, 1.7) - 0.3 * bars(s.v, 1.0, 0.015, s.blur))
        # The kerb's upright side, painted: the gutter is in shade.
        colour = paint(
            road, np.asarray(self.asphalt, np.float32) * 0.5, between(across, self.half - 0.07, self.half, s.blur)
        )
        colour = paint(colour, stone, between(across, self.half, self.half + 0.18, s.blur))
        return paint(colour, pavement, np.clip((across - self.half - 0.18) / np.maximum(s.blur, 1e-4) + 0.5, 0, 1))
