"""Colours of depth maps: from near (warm and light) to far (cool and dark) by the logarithm of depth."""

import numpy as np

# From near to far; lightness falls all the way, so that it also reads without colour.
NEAR_TO_FAR = np.array(
    [(255, 246, 196), (253, 202, 98), (243, 137, 58), (206, 76, 78), (134, 58, 122), (66, 62, 138), (24, 34, 82)], float
)
UNKNOWN = (128, 128, 128)


def color_depth(metres: np.ndarray, near: float, far: float) -> np.ndarray:
    """Draws a depth map in colours.

    Args:
        metres: float [h, w]; 0 is unknown and becomes grey.
        near: metres of the first colour; what is nearer has it too.
        far: metres of the last colour, likewise.

    Returns:
        uint8 [h, w, 3].
    """
    share = np.log(np.maximum(metres, 1e-6) / near) / max(np.log(far / near), 1e-6)
    return np.where(metres[..., None] > 0, apply_colormap(share), UNKNOWN).astype(np.uint8)


def apply_colormap(share: np.ndarray) -> np.ndarray:
    """Returns the colours of a scale, uint8 [h, w, 3], at `share` [h, w]: 0 is the light end, 1 the dark one."""
    at = np.clip(share, 0, 1) * (len(NEAR_TO_FAR) - 1)
    colour = np.stack([np.interp(at, np.arange(len(NEAR_TO_FAR)), channel) for channel in NEAR_TO_FAR.T], axis=-1)
    return np.round(colour).astype(np.uint8)
