"""Does to the program what should not happen to it, and prints what held as a table.

    python tools/torture.py --output=/tmp/torture                 all of it: hours
    python tools/torture.py --output=/tmp/torture --short         some of each, in minutes
    python tools/torture.py --output=/tmp/torture --only=damages  one part: kills, damages, pictures, strangers, serving

The same seed does the same again. Exit status 1 where something did not hold; what it was is kept in --output.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import datetime
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from absl import flags

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from data_pipelines.runtime.cli import run_command
from tools.torturing.outcome import Chamber, Outcome

PARTS = ("kills", "damages", "pictures", "strangers", "serving")
SHORT = 0.02  # of each trial

_OUTPUT = flags.DEFINE_string("output", None, "Folder for everything that is made; emptied first.", required=True)
_ONLY = flags.DEFINE_multi_enum("only", [], list(PARTS), "Which parts; several times. Without it, all.")
_SEED = flags.DEFINE_integer("seed", 0, "Decides what is drawn.")
_SHORT = flags.DEFINE_bool("short", False, f"{SHORT:.0%} of each trial, at least one.")
_SHARE = flags.DEFINE_float("share", 1.0, "Of each trial, 0 to 1.", lower_bound=0.0, upper_bound=1.0)


def torture() -> str | None:
    """Runs the parts that the flags ask for; returns a sentence where something did not hold."""
    output = Path(_OUTPUT.value)
    shutil.rmtree(output, ignore_errors=True)
    print(f"{datetime.date.today()}, {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}")
    print("\n| | tried | held | |\n|---|---|---|---|")
    broken: list[str] = []
    for part in _ONLY.value or PARTS:
        chamber = Chamber(output / part, _SEED.value, SHORT if _SHORT.value else _SHARE.value)
        chamber.folder.mkdir(parents=True)
        began = time.monotonic()
        run: Callable[[Chamber], list[Outcome]] = import_module(f"tools.torturing.{part}").run
        for outcome in run(chamber):
            print(
                f"| {outcome.what} | {outcome.tried:,} | {outcome.tried - len(outcome.failures):,} | {outcome.figure} |"
            )
            broken += [f"{part}: {outcome.what}: {failure}" for failure in outcome.failures]
        print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    for line in broken:
        print(line, file=sys.stderr)
    return (
        f"{len(broken)} trials did not hold, named above; what is needed to try them again is in {output}."
        if broken
        else None
    )


if __name__ == "__main__":
    run_command(torture, __name__, "the folder is given as --output=DIR")
