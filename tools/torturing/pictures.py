"""Mutants of pictures: each is read or refused in a sentence, in 5 s and 1.5 GB."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from torturing.damages import judge_command
from torturing.outcome import Chamber, Outcome
from torturing.picture_seeds import make_seeds, mutate

ROOT = Path(__file__).resolve().parents[2]
FULL, OF_ONE = 10_000, 2_500  # mutants in all, and for one process
FRAMES = 2_000  # of the mutants, given to predict in one folder
MOST_MEGABYTES = 1536


def run(chamber: Chamber) -> Iterator[Outcome]:
    """Yields a row for the readers, and one for predict."""
    yield read_mutants(chamber)
    yield predict_mutants(chamber)


def read_mutants(chamber: Chamber) -> Outcome:
    """Has mutants read by everything that reads pictures."""
    outcome = Outcome("mutants of pictures: read, read as depth, sent to a server", chamber.count(FULL))
    slowest, megabytes, refused = 0.0, 0.0, 0
    for first in range(0, outcome.tried, OF_ONE):
        folder = chamber.folder / f"mutants{first}"
        folder.mkdir()
        count = min(OF_ONE, outcome.tried - first)
        command = [sys.executable, Path(__file__).with_name("picture_reading.py"), folder]
        done = subprocess.run(
            [*map(str, command), str(chamber.seed), str(first), str(count)],
            check=False,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tools'}"},
            capture_output=True,
            text=True,
            timeout=60 + 5 * count,
        )
        if done.returncode:
            last = max(folder.iterdir(), default=folder)
            kept = chamber.keep(last, last.name)
            outcome.failures.append(f"ended with status {done.returncode}: {done.stderr[-300:]} ({kept})")
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        for path, failure in found["failures"]:
            kept = chamber.keep(Path(path), Path(path).name)
            outcome.failures.append(f"{failure} ({kept})")
        slowest, megabytes = max(slowest, found["slowest"]), max(megabytes, found["megabytes"])
        refused += found["refused"]
    if megabytes > MOST_MEGABYTES:
        outcome.failures.append(f"{megabytes:,.0f} MB more than at the start, of {MOST_MEGABYTES:,} that are allowed")
    outcome.figure = f"{refused:,} of {3 * outcome.tried:,} refused; {slowest:.1f} s and {megabytes:,.0f} MB at most"
    return outcome


def predict_mutants(chamber: Chamber) -> Outcome:
    """Gives a folder of mutants to predict, among frames that are whole."""
    outcome = Outcome("mutants of pictures: a folder of frames", chamber.count(FRAMES))
    frames, output = chamber.folder / "frames", chamber.folder / "predicted"
    frames.mkdir()
    seeds = list(make_seeds().items())
    for number in range(outcome.tried):
        name, content = seeds[number % len(seeds)]
        mutant = mutate(content, np.random.default_rng([chamber.seed, 7, number]))
        (frames / f"{number:06d}-{name}").write_bytes(mutant)
    whole = ("plain.jpg", "clear.png", "palette.png", "lossless.webp", "colours.bmp")
    for name, content in seeds:
        if name in whole:
            (frames / name).write_bytes(content)
    background = chamber.folder / "empty.png"
    background.write_bytes(dict(seeds)["clear.png"])
    command = ["-m", "fgseg_tf.predict", "--weights=small", f"--background={background}", f"--frames={frames}"]
    done = subprocess.run(
        [sys.executable, *command, f"--output={output}"],
        check=False,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=3600,
    )
    failure = judge_command(done, "")
    # A mutant whose size was changed ends the folder, in a sentence; those before it are done.
    if failure and "are they of one camera" not in done.stderr:
        outcome.failures.append(f"predict {failure} ({chamber.keep(frames, 'frames')})")
    rows = (output / "frames.csv").read_text().count("\n") - 1 if (output / "frames.csv").exists() else 0
    masks = len(list((output / "mask").glob("*.png"))) if (output / "mask").exists() else 0
    if rows != masks:
        outcome.failures.append(f"there are {masks} masks and {rows} rows of frames.csv")
    outcome.figure = f"{rows:,} could be read, the others are named"
    return outcome
