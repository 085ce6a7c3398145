"""Where a torture writes, and how its parts run: no folder of others is emptied, and no part hides another."""

import os
import shutil
import traceback
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from data_pipelines.runtime.files import write_json
from torturing.outcome import Chamber, Outcome

NOTE = "torture.json"  # says that a folder is of a torture


def prepare_folder(folder: Path, facts: dict[str, object]) -> None:
    """Makes the folder, or empties that of an earlier torture, and notes what is done in it.

    Args:
        folder: a new or empty one, or one of an earlier torture.
        facts: what is needed to do the same again, such as the seed; kept as torture.json.

    Raises:
        ValueError: something else is in it.
    """
    note = folder / NOTE
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ValueError(f"{folder} is a link or a file: give `output` a folder.")
    entries = list(folder.iterdir()) if folder.exists() else []
    if entries and (note.is_symlink() or not note.is_file()):
        raise ValueError(
            f"{folder} holds other things than an earlier torture, and they would be deleted: give `output` a folder "
            "that is new or empty."
        )
    # The note stays until all else is gone: cut off here, the folder is still known as one of these.
    for entry in entries:
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry != note:
            entry.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    write_json(str(note), facts)


def run_part(module: str, chamber: Chamber) -> Iterator[Outcome]:
    """Yields the rows of a part; one that breaks itself is a row too, with its traceback kept.

    Args:
        module: has `run`, which takes the chamber and returns rows, or yields them one by one: then those before it
            breaks stay in the table.
        chamber: what the part is given.
    """
    chamber.folder.mkdir(parents=True, exist_ok=True)
    try:
        yield from import_module(module).run(chamber)
    except (Exception, SystemExit) as error:  # whatever it is, the other parts still have something to say
        kept = chamber.folder / "kept" / "traceback.txt"
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(traceback.format_exc())
        yield Outcome(f"{module.rpartition('.')[2]}, to its end", 1, [f"{type(error).__name__}: {error} ({kept})"])


def describe_outcome(outcome: Outcome) -> str:
    """Returns the row of a Markdown table; nothing in it ends a cell or a line."""
    held = f"{max(0, outcome.tried - len(outcome.failures)):,}"  # one trial may fail in two ways
    cells = (outcome.what, f"{outcome.tried:,}", held, outcome.figure)
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def describe_machine() -> str:
    """Returns the processors that this process may use, and the memory of the machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{cores} cores, {memory:.0f} GiB"
