"""Does to the program what should not happen to it, and prints what held as a table.

    python tools/torture.py --output=/tmp/torture                 all of it: hours
    python tools/torture.py --output=/tmp/torture --short         some of each, in minutes
    python tools/torture.py --output=/tmp/torture --only=damages  one part: kills, damages, pictures, strangers, serving

The same seed does the same again. Exit status 1 where something did not hold; what it was is kept in --output, with the
seed in its torture.json. A part that breaks is a row of the table, and the others still run.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import datetime
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path

from absl import flags
from torturing.outcome import Chamber
from torturing.running import describe_machine, describe_outcome, prepare_folder, run_part

from data_pipelines.runtime.cli import run_command

PARTS = ("kills", "damages", "pictures", "strangers", "serving")
SHORT = 0.02  # of each trial

_OUTPUT = flags.DEFINE_string(
    "output",
    None,
    "Folder for all that is made: a new one, or one of an earlier torture, which is emptied.",
    required=True,
)
_ONLY = flags.DEFINE_multi_enum("only", [], list(PARTS), "Which parts; several times. Without it, all.")
_SEED = flags.DEFINE_integer("seed", 0, "Decides what is drawn.")
_SHORT = flags.DEFINE_bool("short", False, f"{SHORT:.0%} of each trial, at least one.")
_SHARE = flags.DEFINE_float("share", 1.0, "Of each trial, 0 to 1.", lower_bound=0.0, upper_bound=1.0)


def torture() -> str | None:
    """Runs the parts that the flags ask for; returns a sentence where something did not hold."""
    output = Path(_OUTPUT.value)
    parts = list(dict.fromkeys(_ONLY.value)) or PARTS
    share = SHORT if _SHORT.value else _SHARE.value
    stack = f"Python {platform.python_version()}, TensorFlow {version('tensorflow')}, Keras {version('keras')}"
    facts = {"date": str(datetime.date.today()), "seed": _SEED.value, "share": share}
    prepare_folder(output, facts | {"parts": parts, "stack": stack})
    print(f"{facts['date']}, {describe_machine()}, {platform.machine()}, {stack}, seed {_SEED.value}, share {share:g}")
    print("\n| what was done | tried | held | measured |\n|---|---:|---:|---|", flush=True)
    broken: list[str] = []
    for part in parts:
        began = time.monotonic()
        for outcome in run_part(f"torturing.{part}", Chamber(output / part, _SEED.value, share)):
            print(describe_outcome(outcome), flush=True)
            broken += [f"{part}: {outcome.what}: {failure}" for failure in outcome.failures]
        print(f"{part}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    for line in broken:
        print(line, file=sys.stderr)
    if not broken:
        return None
    return f"of what was tried, {len(broken)} did not hold, named above; what is needed to try again is in {output}."


if __name__ == "__main__":
    run_command(torture, __name__, "the folder is given as --output=DIR")
