"""Demo sources by several processes are those of one."""

import numpy as np

from data_pipelines.sources import source_set


def test_it_does_not_matter_who_draws(monkeypatch):
    alone = source_set.draw_sources(3, 3, 2, 24, 32)
    monkeypatch.setattr(source_set, "DEMO_DRAWN_ALONE", 1)
    together = source_set.draw_sources(3, 3, 2, 24, 32)
    assert together.background_origins == alone.background_origins
    assert together.foreground_origins == alone.foreground_origins
    np.testing.assert_array_equal(together.backgrounds, alone.backgrounds)
    np.testing.assert_array_equal(together.true_depth, alone.true_depth)
    for one, other in zip(together.foregrounds + together.reliefs, alone.foregrounds + alone.reliefs, strict=True):
        np.testing.assert_array_equal(one, other)
