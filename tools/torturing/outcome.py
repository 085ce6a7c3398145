"""What came of a part of the torture: a row of the table, and what is kept of each failure."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Outcome:
    """A row of the table.

    Attributes:
        what: was done, such as "export killed at a random moment".
        tried: how often.
        failures: a sentence for each time it did not hold.
        figure: what was measured beside, such as the worst time and memory; "" where nothing was.
    """

    what: str
    tried: int = 0
    failures: list[str] = field(default_factory=list)
    figure: str = ""


@dataclass(frozen=True)
class Chamber:
    """Where and how much a part may do.

    Attributes:
        folder: a folder of its own; what failed is kept in it.
        seed: decides everything that is drawn.
        share: of the full number of each trial, 0 to 1.
    """

    folder: Path
    seed: int
    share: float

    def count(self, full: int) -> int:
        """Returns how often something is done that is done `full` times in all; at least once."""
        return max(1, round(full * self.share))

    def keep(self, path: Path, name: str) -> Path:
        """Copies a file or folder that failed to where it can be tried again; returns where that is."""
        kept = self.folder / "kept" / name
        kept.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            shutil.copytree(path, kept, symlinks=True, dirs_exist_ok=True)
        else:
            shutil.copyfile(path, kept, follow_symlinks=False)
        return kept
