"""Trims, cleans and shrinks cutouts: numpy arrays, uint8 [h, w, 4], straight alpha.

A background remover leaves two things behind: stray alpha of next to nothing far from the object, and a fringe of the
old background's colour where alpha is soft. Over another background that fringe is a white or dark line around the
object, and a network learns to look for the line.
"""

import numpy as np
from PIL import Image

# Below this, of 255, alpha is stray: it does not count when a cutout is trimmed.
VISIBLE = 8


def find_visible_bounds(alpha: np.ndarray) -> tuple[int, int, int, int]:
    """Returns top, bottom, left, right of what can be seen, the ends just past it; all 0 if nothing can."""
    visible = alpha >= VISIBLE
    rows, columns = np.flatnonzero(visible.any(axis=1)), np.flatnonzero(visible.any(axis=0))
    if not rows.size:
        return 0, 0, 0, 0
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def trim(rgba: np.ndarray) -> np.ndarray:
    """Returns the smallest rectangle that holds everything that can be seen, as a copy."""
    top, bottom, left, right = find_visible_bounds(rgba[..., 3])
    return rgba[top:bottom, left:right].copy()


def clean_halo(rgba: np.ndarray) -> np.ndarray:
    """Takes the colour under soft alpha from the nearest opaque pixels; alpha stays as it is.

    It reaches a 64th of the longer side outwards (3 to 16 pixels): a fringe is that wide, while a soft shadow or a pane
    of glass is wider, has a colour of its own and keeps it. Opaque is measured against the highest alpha within that
    reach: leaves and spokes, soft all through, are cleaned from their own middle and not from something else far off.
    Two pixels under zero alpha are coloured too, for whoever resizes the result.
    """
    alpha = rgba[..., 3]
    reach = min(16, max(3, max(alpha.shape) // 64))
    highest = alpha
    for _ in range(reach):
        highest = _highest_around(highest)
    inside = (alpha >= VISIBLE) & (alpha >= 0.95 * highest)
    fringe = _highest_around(_highest_around(alpha > 0)) & ~inside
    return np.concatenate([_spread(rgba[..., :3], inside, fringe, reach), alpha[..., None]], axis=-1)


def shrink(rgba: np.ndarray, longest: int) -> np.ndarray:
    """Shrinks a cutout to at most `longest` high and wide.

    Alpha is premultiplied on the way, so that invisible colours do not bleed in.
    """
    height, width = rgba.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return rgba
    size = max(1, round(width * scale)), max(1, round(height * scale))
    alpha = rgba[..., 3].astype(np.float32)

    def resize(channel: np.ndarray) -> np.ndarray:
        # A triangle filter: sharper ones ring, and ringing around an edge is a halo again.
        return np.asarray(Image.fromarray(channel).resize(size, Image.Resampling.BILINEAR))

    small_alpha = resize(alpha)
    lit = np.stack([resize(rgba[..., k] * alpha) for k in range(3)], axis=-1)
    colour = np.rint(lit / np.maximum(small_alpha, 1e-3)[..., None]).clip(0, 255).astype(np.uint8)
    known = small_alpha > 0.5
    colour = _spread(colour, known, _highest_around(_highest_around(known)) & ~known, reach=2)
    return np.concatenate([colour, np.rint(small_alpha).clip(0, 255).astype(np.uint8)[..., None]], axis=-1)


def _highest_around(values: np.ndarray) -> np.ndarray:
    """Returns each pixel's highest value among itself and its eight neighbours."""
    rows = values.copy()
    np.maximum(rows[1:], values[:-1], out=rows[1:])
    np.maximum(rows[:-1], values[1:], out=rows[:-1])
    both = rows.copy()
    np.maximum(both[:, 1:], rows[:, :-1], out=both[:, 1:])
    np.maximum(both[:, :-1], rows[:, 1:], out=both[:, :-1])
    return both


def _spread(colour: np.ndarray, known: np.ndarray, wanted: np.ndarray, reach: int) -> np.ndarray:
    """Fills wanted pixels from known ones, ring by ring, each with the mean of its neighbours that have a colour.

    Work goes by the number of wanted pixels, not by the picture's size: on most cutouts these are one in twenty.
    """
    height, width = known.shape
    stride = width + 2  # one unknown pixel all around spares every look over the edge
    filled = np.zeros(((height + 2) * stride, 3), np.float32)
    filled.reshape(height + 2, stride, 3)[1:-1, 1:-1] = colour
    has_colour = np.pad(known, 1).ravel()
    around = np.array([-stride - 1, -stride, -stride + 1, -1, 1, stride - 1, stride, stride + 1])
    waiting = np.flatnonzero(np.pad(wanted, 1).ravel())
    for _ in range(reach):
        weights = has_colour[waiting[:, None] + around]
        reached = weights.any(axis=1)
        if not reached.any():
            break
        ring, weights = waiting[reached], weights[reached].astype(np.float32)
        sums = np.einsum("pn,pnc->pc", weights, filled[ring[:, None] + around])
        filled[ring] = sums / weights.sum(axis=1, keepdims=True)
        has_colour[ring] = True
        waiting = waiting[~reached]
    inside = filled.reshape(height + 2, stride, 3)[1:-1, 1:-1]
    return np.rint(inside).clip(0, 255).astype(np.uint8)
