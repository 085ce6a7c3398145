"""What tests of several pages need: the page as a file, and a browser to open it in."""

from collections.abc import Iterator
from pathlib import Path

import browser
import pytest


@pytest.fixture(scope="module")
def file(text, tmp_path_factory) -> Path:
    """The page that the module's fixture `text` holds, written to a file."""
    path = tmp_path_factory.mktemp("page") / "page.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def tab() -> Iterator[browser.Page]:
    """A page of a headless Chromium."""
    with browser.started() as page:
        yield page
