"""What came of a part of the torture: a row of the table, and what is kept of each failure."""

import os
import shutil
import stat
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
        """Copies a file or folder that failed to where it can be tried again; returns where that is.

        Links stay links and pipes become pipes: a stranger's folder is not read through on its way. What was kept under
        the same name before stays, and the new one gets a number.
        """
        kept = place = self.folder / "kept" / name
        number = 1
        while os.path.lexists(kept):
            number += 1
            kept = place.with_name(f"{place.name}-{number}")
        kept.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() and not path.is_symlink():
            shutil.copytree(path, kept, symlinks=True, copy_function=copy_entry)
        else:
            copy_entry(str(path), str(kept))
        return kept


def copy_entry(source: str, target: str) -> None:
    """Copies a file; makes of a link a link and of a pipe a pipe; of devices and sockets nothing can be kept."""
    mode = os.lstat(source).st_mode
    if stat.S_ISFIFO(mode):
        os.mkfifo(target)
    elif stat.S_ISLNK(mode) or stat.S_ISREG(mode):
        shutil.copyfile(source, target, follow_symlinks=False)
