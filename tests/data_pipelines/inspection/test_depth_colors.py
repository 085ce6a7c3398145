"""Colours of depth maps, computed by hand."""

import numpy as np

from data_pipelines.inspection.depth_colors import NEAR_TO_FAR, UNKNOWN, color_depth


def test_colours_by_hand():
    # 1 and 16 are the ends; 4 is half-way between their logarithms; beyond the ends is as at the ends.
    metres = np.array([[1, 4, 16], [0, 0.5, 99]], np.float32)
    near, middle, far = (tuple(int(channel) for channel in NEAR_TO_FAR[at]) for at in (0, 3, 6))
    colours = [tuple(colour) for colour in color_depth(metres, 1, 16).reshape(-1, 3).tolist()]
    assert colours == [near, middle, far, UNKNOWN, near, far]
    lightness = NEAR_TO_FAR @ [0.299, 0.587, 0.114]
    assert (np.diff(lightness) < 0).all()
