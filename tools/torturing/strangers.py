"""Strangers' folders: what is hostile in them starts nothing, writes nothing elsewhere, and is refused in one sentence.

They are given, in one process that is watched, to what the commands call to read them. Of a small share, those that
would run code are tried all the same.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from torturing.outcome import Chamber, Outcome
from torturing.watching import read_trace, trace

KINDS = {
    "run": "runs",
    "keras_run": "model.keras of runs of before",
    "data": "data sets",
    "camera": "camera folders",
    "teacher": "teachers' files",
    "preset": "presets of KerasHub",
}
PATIENCE = 1200  # seconds for all of them
TOOLS = Path(__file__).resolve().parents[1]


def run(chamber: Chamber) -> Iterator[Outcome]:
    """Yields a row for each kind of folder, and one for what was seen of the process from outside."""
    chamber.folder.mkdir(parents=True, exist_ok=True)
    room = (chamber.folder / "room").resolve()
    room.mkdir()
    results, log = room / "results.jsonl", chamber.folder / "trace.txt"
    results.touch()
    drawn = [str(chamber.seed), str(chamber.share)]
    command = trace([sys.executable, "-m", "torturing.strangers_reading", str(room), str(results), *drawn], log)
    outcomes = {kind: Outcome(f"hostile: {what}") for kind, what in KINDS.items()}
    with (chamber.folder / "said.txt").open("w") as said:
        try:
            status = subprocess.run(
                command,
                check=False,
                cwd=TOOLS,
                env=_environment(room),
                stdout=said,
                stderr=said,
                timeout=PATIENCE,
            ).returncode
        except subprocess.TimeoutExpired:
            status = 124
    rows = [json.loads(line) for line in results.read_text().splitlines()]
    for row in rows:
        outcome = outcomes[row["kind"]]
        outcome.tried += 1
        if row["failures"]:
            kept = chamber.keep(Path(row["folder"]), row["kind"]) if Path(row["folder"]).exists() else room
            outcome.failures.append(f"{row['what']}: {'; '.join(row['failures'])} ({kept})")
    for kind, outcome in outcomes.items():
        of_kind = [row for row in rows if row["kind"] == kind]
        if kind == "preset" and not of_kind:
            continue  # KerasHub is not installed
        slowest = max((row["seconds"] for row in of_kind), default=0.0)
        largest = max((row["megabytes"] for row in of_kind), default=0)
        outcome.figure = f"{slowest:.1f} s and {largest:,} MB more at most"
        yield outcome
    yield _judge_process(status, log, room, chamber.folder / "said.txt")


def _judge_process(status: int, log: Path, room: Path, said: Path) -> Outcome:
    """Returns the row for the process that read all of them."""
    process = Outcome("hostile: the process that read them, from outside", 1)
    faults = read_trace(log, room)
    if status:
        tail = " / ".join(said.read_text(errors="replace").strip().splitlines()[-3:])
        faults.insert(0, f"it ended with status {status}: {tail[-300:]}")
    if faults:
        process.failures.append("; ".join(faults[:5]))
    process.figure = "by strace" if log.exists() else "without strace, which is not installed"
    return process


def _environment(room: Path) -> dict[str, str]:
    (room / "tmp").mkdir()
    path = os.pathsep.join([str(TOOLS), str(TOOLS.parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    kept = {"PYTHONPATH": path, "TMPDIR": str(room / "tmp"), "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    return {**os.environ, **kept, "HOME": str(room), "PYTHONDONTWRITEBYTECODE": "1"}
