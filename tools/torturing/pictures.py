"""Mutants of pictures: each is read or refused in a sentence, in 5 s and 1.5 GB."""

import functools
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipelines.sources.image_files import read_picture
from torturing.judging import try_out
from torturing.outcome import Chamber, Outcome
from torturing.picture_seeds import make_seeds, mutate

ROOT = Path(__file__).resolve().parents[2]
FULL, OF_ONE = 10_000, 2_500  # mutants in all, and for one process
FRAMES = 2_000  # of the mutants, given to predict in one folder
MOST_MEGABYTES = 1536
FRAME_ENDINGS = (".jpg", ".png", ".webp", ".bmp")


def run(chamber: Chamber) -> Iterator[Outcome]:
    """Yields a row for the readers, and one for predict."""
    yield read_mutants(chamber)
    yield predict_mutants(chamber)


def read_mutants(chamber: Chamber) -> Outcome:
    """Has mutants read by everything that reads pictures."""
    outcome = Outcome("mutants of pictures: read, read as depth, decoded as a server does", chamber.count(FULL))
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
            last = max(folder.glob("[0-9]*"), default=folder)  # the seeds have names of letters
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
    """Gives a folder of mutants to predict, among frames that are whole; none of them is of another size."""
    outcome = Outcome("mutants of pictures: a folder of frames", chamber.count(FRAMES))
    frames, output = chamber.folder / "frames", chamber.folder / "predicted"
    frames.mkdir()
    seeds = [(name, content) for name, content in make_seeds().items() if name.endswith(FRAME_ENDINGS)]
    size = Image.open(io.BytesIO(seeds[0][1])).size
    given = number = 0
    while given < outcome.tried:
        name, content = seeds[number % len(seeds)]
        path = frames / f"{number:06d}-{name}"
        path.write_bytes(mutate(content, np.random.default_rng([chamber.seed, 7, number])))
        number += 1
        # One of another size ends the folder, in a sentence.
        if try_out(functools.partial(read_picture, str(path)), ("",)).result is None or read_size(path) == size:
            given += 1
        else:
            path.unlink()
    whole = [name for name, _ in seeds if name != "deep.png"]
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
    table = output / "frames.csv"
    rows = [line.partition(",")[0] for line in table.read_text().splitlines()[1:]] if table.exists() else []
    masks = len(list((output / "mask").glob("*.png"))) if (output / "mask").exists() else 0
    unreadable = done.stderr.count("\nskipped: ")
    wrong = [
        (done.returncode not in (0, 1) or "Traceback" in done.stderr, f"ended with status {done.returncode}"),
        (not {name.rpartition(".")[0] for name in whole} <= set(rows), "left out frames that are whole"),
        (len(rows) != masks, f"wrote {masks} masks and {len(rows)} rows of frames.csv"),
        (len(rows) + unreadable != given + len(whole), f"named {unreadable} and wrote {len(rows)} of the frames"),
    ]
    kept = chamber.keep(frames, "frames") if any(happened for happened, _ in wrong) else frames
    outcome.failures += [f"predict {what} ({kept}): {done.stderr[-300:]}" for happened, what in wrong if happened]
    outcome.figure = f"{len(rows) - len(whole):,} could be read, {unreadable:,} were named"
    return outcome


def read_size(path: Path) -> tuple[int, int]:
    """Returns width and height of a picture that can be read."""
    height, width = read_picture(str(path)).shape[:2]
    return width, height
