"""The embedded default source of pictures: procedural backgrounds with exact depth, and procedural cutouts.

  draw_background(seed, index, height, width, steeper) -> Background
    picture         uint8 [height, width, 3]
    depth           float32 [height, width], metres along the optical axis (z-depth, not ray length), in (0, MAX_DEPTH];
                    sampled at the pixel's centre, never averaged
    field_of_view   vertical, degrees
    kind            "room" | "corridor" | "street" | "land", in turn by index
  draw_foreground(seed, index, height) -> Foreground
    picture         uint8 [h, w, 4], straight (not premultiplied) alpha, soft edges, trimmed to its alpha; h = height
    relief          float32 [h, w], metres behind (+) or before (-) the standing plane; finite everywhere
    physical_height metres
    kind            "person" | "animal" | "vehicle" | "furniture"
  render_scene(scene, height, width, cards) -> Rendering
    picture, depth  as above, with the cards in it
    mask            uint8 [height, width], alpha of the visible parts of the cards (0..255)

Everything is a function of (seed, index): index 7 is the same whatever was drawn before. `render_scene` with cards is
an independent truth for what the pipeline makes in image space: cards are placed and hidden in three dimensions.

A card's plane faces the camera (one z for the whole card, plus relief) and goes through the point of the ground that is
seen at (column, row). The scene hides it where it is nearer; the ground plane itself never does, so that the far feet
of something drawn from above stay visible. A card throws a shadow, which is not part of the mask.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from data_pipelines.demo.cutouts import Foreground, draw_foreground
from data_pipelines.demo.light import SAMPLES, Standing, photograph
from data_pipelines.demo.raycast import Scene, cast
from data_pipelines.demo.scenes import build_scene

__all__ = ["MAX_DEPTH", "Background", "Card", "Foreground", "Rendering", "Scene"]
__all__ += ["build_scene", "draw_background", "draw_foreground", "render_scene"]

MAX_DEPTH = 80.0  # metres; sky and everything farther has this depth
NEAREST_DEPTH = 0.05  # metres; a card's bulge comes no nearer to the camera than this


@dataclass(frozen=True)
class Background:
    """A drawn background and what is known of it; see the top of this file."""

    picture: np.ndarray
    depth: np.ndarray
    field_of_view: float
    kind: str


@dataclass(frozen=True)
class Card:
    """A cutout that stands in a scene: where its base centre is seen, as shares of the picture's width and height."""

    foreground: Foreground
    column: float
    row: float
    flipped: bool = False


@dataclass(frozen=True)
class Rendering:
    """What is seen of a scene with cards in it; see the top of this file."""

    picture: np.ndarray
    depth: np.ndarray
    mask: np.ndarray


def draw_background(seed: int, index: int, height: int, width: int, steeper: float = 0.0) -> Background:
    """Draws background number `index`.

    Args:
      seed: of the random numbers.
      index: number of the scene.
      height: of the picture, pixels.
      width: likewise.
      steeper: degrees by which the camera looks down more than it would, at most; by how much is drawn.
    """
    view = build_scene(seed, index)
    if steeper:
        more = np.random.Generator(np.random.PCG64([seed, index, 2])).uniform(0, steeper)
        view = replace(view, camera=replace(view.camera, pitch=view.camera.pitch + more))
    rendering = render_scene(view, height, width)
    return Background(rendering.picture, rendering.depth, view.camera.field_of_view, view.kind)


def render_scene(scene: Scene, height: int, width: int, cards: Sequence[Card] = ()) -> Rendering:
    """Renders a scene with `cards` standing in it; see the top of this file.

    Raises:
      ValueError: where a card's base is above the horizon, beyond MAX_DEPTH or behind a wall.
    """
    placed = sorted((_PlacedCard(scene, card, width / height) for card in cards), key=lambda card: -card.z)
    photo = photograph(scene, height * SAMPLES, width * SAMPLES, [card.standing for card in placed])
    display, cover = photo.display, np.zeros(photo.t.shape, np.float32)
    nearest = np.where(photo.owner == 0, np.inf, photo.t)
    for card in placed:
        window, alpha, z, colour = card.sample(*photo.t.shape)
        alpha = np.where(z < nearest[window], alpha, 0)
        display[window] = display[window] * (1 - alpha[..., None]) + colour * (alpha[..., None])
        cover[window] = 1 - (1 - cover[window]) * (1 - alpha)
        nearest[window] = np.where(alpha >= 0.5, z, nearest[window])

    t, owner = cast(scene, height, width)
    depth = np.minimum(t, np.float32(MAX_DEPTH))
    nearest = np.where(owner == 0, np.inf, t)
    for card in placed:
        window, alpha, z, _ = card.sample(height, width)
        there = (alpha >= 0.5) & (z < nearest[window])
        nearest[window] = np.where(there, z, nearest[window])
        depth[window] = np.where(there, np.clip(z, NEAREST_DEPTH, MAX_DEPTH), depth[window])

    picture = display.reshape(height, SAMPLES, width, SAMPLES, 3).mean((1, 3))
    mask = cover.reshape(height, SAMPLES, width, SAMPLES).mean((1, 3))
    return Rendering((picture * 255 + 0.5).astype(np.uint8), depth, (mask * 255 + 0.5).astype(np.uint8))


class _PlacedCard:
    """A card at its place in the scene."""

    def __init__(self, scene: Scene, card: Card, aspect: float):
        camera, where = scene.camera, f"column={card.column}, row={card.row}"
        across, down = (2 * card.column - 1) * camera.slope * aspect, (2 * card.row - 1) * camera.slope
        right, up, forward = camera.axes
        ray = [forward[i] + across * right[i] - down * up[i] for i in range(3)]
        if ray[1] >= 0:
            raise ValueError(f"{where}: above the horizon, where there is no ground to stand on; give a larger row")
        self.z = -camera.height / ray[1]
        base = tuple(camera.origin[i] + self.z * ray[i] for i in range(3))
        if self.z > MAX_DEPTH:
            raise ValueError(f"{where}: the ground there is {self.z:.0f} m away, farther than {MAX_DEPTH:.0f} m")
        shell = scene.shell
        if shell and not (shell.x[0] < base[0] < shell.x[1] and shell.z[0] < base[2] < shell.z[1]):
            raise ValueError(f"{where}: a wall is seen there, not the ground; give a larger row")
        picture = card.foreground.picture[:, ::-1] if card.flipped else card.foreground.picture
        self.relief = card.foreground.relief[:, ::-1] if card.flipped else card.foreground.relief
        alpha = picture[..., 3:].astype(np.float32) / 255
        self.premultiplied = np.concatenate([picture[..., :3].astype(np.float32) / 255 * alpha, alpha], 2)
        self.column, self.row = card.column, card.row
        self.share = card.foreground.physical_height / (2 * camera.slope * self.z)  # of the picture's height
        tall = card.foreground.physical_height
        feet = slice(-max(1, len(alpha) // 10), None)
        behind = float((self.relief[feet] * alpha[feet, :, 0]).sum() / max(float(alpha[feet].sum()), 1e-3))
        self.standing = Standing(base, tall * picture.shape[1] / picture.shape[0], tall, behind, alpha[..., 0])

    def sample(self, height: int, width: int):
        """Returns its window of a picture of that size, and in the window: alpha, depth, straight colour."""
        rows, columns = self.relief.shape
        tall = self.share * height
        wide = tall * columns / rows
        top, left = self.row * height - tall, self.column * width - wide / 2
        window = (
            slice(*np.clip([math.floor(top), math.ceil(top + tall)], 0, height).tolist()),
            slice(*np.clip([math.floor(left), math.ceil(left + wide)], 0, width).tolist()),
        )
        down, row = _compute_overlaps(window[0], top, tall, rows)
        across, column = _compute_overlaps(window[1], left, wide, columns)
        seen = np.tensordot(np.tensordot(down, self.premultiplied, (1, 0)), across, (1, 1)).transpose(0, 2, 1)
        alpha = np.clip(seen[..., 3], 0, 1)
        colour = seen[..., :3] / np.maximum(alpha, 1e-4)[..., None]
        z = np.float32(self.z) + self.relief[np.ix_(row, column)]
        return window, alpha, z, np.clip(colour, 0, 1)


def _compute_overlaps(window: slice, start: float, length: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Computes how `count` source pixels laid over [start, start + length) fill the pixels of `window`.

    Returns:
      float32 [pixels, count], each row the shares of a pixel's area (of a source pixel's, where those are wider);
      and int [pixels], the source pixel under each pixel's centre.
    """
    scale = count / length
    centre = (np.arange(window.start, window.stop) + 0.5 - start) * scale
    reach = max(scale, 1.0) / 2
    source = np.arange(count)
    low = np.maximum((centre - reach)[:, None], source)
    high = np.minimum((centre + reach)[:, None], source + 1)
    shares = np.maximum(high - low, 0) / (2 * reach)
    return shares.astype(np.float32), np.floor(centre).astype(int).clip(0, count - 1)
