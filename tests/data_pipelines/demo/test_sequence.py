"""Drawn sequences: true to their own labels, and laid out as tools/evaluate_footage.py reads them."""

import subprocess
import sys

import numpy as np
import pytest
from repository import ROOT

from data_pipelines.demo import sequence as demo_sequence
from fgseg_tf.evaluation import footage

SIZE = (48, 64)


@pytest.mark.parametrize("number", range(4))
def test_walkers_in_every_kind_of_scene(number):
    bg = demo_sequence.draw_background(100, number, *SIZE)
    found = list(demo_sequence.draw_frames(100, number, *SIZE, 3))
    for frame in found:
        assert frame.picture.shape == (*SIZE, 3)
        assert frame.truth.shape == frame.depth.shape == SIZE
        assert set(np.unique(frame.truth)) <= {0, 170, 255}
        inside = frame.truth == 255
        assert 0.002 < inside.mean() < 0.5
        # Where nobody is, it is the empty scene in another light, but for shadows.
        apart = np.abs(frame.picture.astype(float) - bg).mean(-1)
        assert apart[inside].mean() > 2 * np.median(apart[~inside])
        assert frame.depth[inside].mean() < frame.depth.max()
    assert (found[0].truth != found[-1].truth).mean() > 0.01, "they walk"


def test_the_same_again():
    one, again = (list(demo_sequence.draw_frames(3, 2, *SIZE, 2)) for _ in range(2))
    for first, second in zip(one, again, strict=True):
        np.testing.assert_array_equal(first.picture, second.picture)
        np.testing.assert_array_equal(first.truth, second.truth)


def test_the_tool_writes_what_footage_reads(tmp_path):
    command = [sys.executable, "tools/draw_sequence.py", f"--output={tmp_path}/clips/street", "--scene=2", "--frames=3"]
    done = subprocess.run(
        [*command, "--height=48", "--width=64"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    (sequence,) = footage.find_sequences(str(tmp_path / "clips"))
    assert sequence.name == "street"
    assert sequence.masked
    metres = footage.read_background_metres(sequence)
    depth = demo_sequence.draw_background_depth(100, 2, *SIZE)
    np.testing.assert_allclose(metres, np.minimum(depth, 65.535), atol=1e-3)
    wanted = list(demo_sequence.draw_frames(100, 2, *SIZE, 3))
    for (bg, picture, truth, millimetres), frame in zip(footage.read_pictures(sequence), wanted, strict=True):
        np.testing.assert_array_equal(bg, demo_sequence.draw_background(100, 2, *SIZE))
        assert np.abs(picture.astype(int) - frame.picture).mean() < 6
        np.testing.assert_array_equal(truth, frame.truth)
        np.testing.assert_allclose(millimetres / 1000, np.minimum(frame.depth, 65.535), atol=1e-3)
