"""Demo sources by several processes are those of one; files are read as they were scanned."""

import numpy as np
import pytest
from PIL import Image

from data_pipelines.sources import folder_scan, source_set
from data_pipelines.sources.image_files import SourceError


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


@pytest.mark.parametrize("replaced", ["empty", "cup"])
def test_a_picture_that_is_replaced_after_it_was_looked_at_is_refused(tmp_path, monkeypatch, replaced):
    """Or the manifest has the digest of one picture, and the records the pixels of another."""
    rng = np.random.default_rng(0)
    pictures = {"empty": rng.integers(0, 256, (20, 30, 3)), "cup": rng.integers(0, 256, (20, 30, 4))}
    pictures["cup"][:, :15, 3], pictures["cup"][:, 15:, 3] = 255, 0
    for name, picture in pictures.items():
        (tmp_path / name).mkdir()
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / name / "a.png")

    def read():
        size = {"longest": 20, "field_of_view": 60.0, "physical_height": (1.0, 2.0)}
        return source_set.read_sources(str(tmp_path / "empty"), str(tmp_path / "cup"), 20, 30, **size)

    read()
    scan = folder_scan.scan_foregrounds  # the last thing before pictures are read

    def scan_and_replace(*arguments, **options):
        found = scan(*arguments, **options)
        other = 255 - pictures[replaced] if replaced == "empty" else pictures[replaced][::-1]
        Image.fromarray(other.astype(np.uint8)).save(tmp_path / replaced / "a.png")
        return found

    monkeypatch.setattr(folder_scan, "scan_foregrounds", scan_and_replace)
    with pytest.raises(SourceError, match=rf"{replaced}/a\.png was replaced since it was looked at a moment ago"):
        read()
    monkeypatch.undo()
    read()
