"""The background of a stream, of real videos."""

import numpy as np
import pytest
from clips import SIZE, draw_frame, read_number, write_clip

pytest.importorskip("av", reason="pip install '.[streams]'")

from fgseg_tf.streams import stream_background
from fgseg_tf.streams.address import parse_address
from fgseg_tf.streams.reader import ReadingPlan
from fgseg_tf.streams.video import StreamError


def read(how, path, **plan) -> np.ndarray:
    return stream_background.read_stream_background(how, parse_address(str(path)), ReadingPlan(**plan), print)


def test_the_first_frame_and_the_median(tmp_path, monkeypatch):
    clip = write_clip(tmp_path / "a.mkv", codec="ffv1", count=21)
    assert read_number(read("first", clip)) == 0
    assert read_number(read("first", clip, begin=0.7)) == 7
    # Of 21 frames that grow brighter, the middle one; the dark corner is dark in all.
    median = read("median", clip)
    np.testing.assert_allclose(median, draw_frame(10), atol=2)
    assert read_number(read("median", clip, begin=0.5, end=1.45)) == pytest.approx(9.5, abs=0.6)
    # With less memory, every second, then every fourth of them.
    monkeypatch.setattr(stream_background, "MOST_BYTES", 11 * SIZE[0] * SIZE[1] * 3)
    np.testing.assert_allclose(read("median", clip), draw_frame(10), atol=14)


def test_too_short_for_a_median(tmp_path):
    clip = write_clip(tmp_path / "a.mp4", count=3)
    with pytest.raises(StreamError, match=r"`background`=median: .*a\.mp4 has 3 frames in that time, .* 5 or more"):
        read("median", clip)


def test_median_by_hand():
    rng = np.random.default_rng(0)
    pictures = [rng.integers(0, 256, (130, 7, 3), dtype=np.uint8) for _ in range(7)]
    np.testing.assert_array_equal(stream_background.compute_median(pictures), np.median(pictures, axis=0))
