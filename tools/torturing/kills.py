"""Commands that are killed at random moments and started again: they end with the bytes of undisturbed ones."""

import hashlib
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torturing.outcome import Chamber, Outcome

ROOT = Path(__file__).resolve().parents[2]
KILLS_OF_ONE = 5  # in one folder, before it is let go to its end
LONGEST = 900  # seconds that a command takes at most
DATA = [
    *("tools/export_tfrecords.py", "--flagfile=data_pipelines/flagfiles/tiny.flags", "--limit=400", "--shards=4"),
    "--threads=2",
]
TRAINING = [
    *("-m", "fgseg_tf.train", "--network=small", "--stages=2@32", "--batch=4", "--examples_per_epoch=800"),
    *("--validate=0", "--optimizer=sgd", "--deterministic", "--checkpoint_minutes=0.01", "--data=demo"),
    *("--backgrounds_count=4", "--foregrounds_count=4"),
]
LEAST = 0.5  # of a kill: where a share of all kills is less, a command is left out


@dataclass(frozen=True)
class Victim:
    """A command that is killed.

    Attributes:
        what: it is, for the table.
        full: kills in all of the torture.
        command: arguments of Python, given the folder that it writes.
        files: patterns of what must be the same in the end.
        is_ready: whether, in a folder, what every second kill waits for has come since a time, seconds since 1970.
    """

    what: str
    full: int
    command: Callable[[Path], list[str]]
    files: tuple[str, ...]
    is_ready: Callable[[Path, float], bool] = lambda folder, began: True


def run(chamber: Chamber) -> Iterator[Outcome]:
    """Yields a row for each command."""
    frames = chamber.folder / "frames"
    draw = [sys.executable, "tools/draw_sequence.py", f"--output={frames}", "--scene=4"]
    subprocess.run(draw, cwd=ROOT, check=True, capture_output=True, timeout=LONGEST)
    for number in range(5):  # more frames than it draws, so that there is something to interrupt
        for path in sorted((frames / "input").glob("in*.jpg")):
            os.link(path, path.with_name(f"n{number}{path.name}"))
    predict = ["-m", "fgseg_tf.predict", f"--background={frames}/background/bg.png", f"--frames={frames}/input"]
    for victim in (
        Victim("export", 100, lambda folder: [*DATA, f"--output={folder}"], ("*.tfrecord", "manifest.json")),
        Victim(
            "training, every second one after a checkpoint",
            40,
            lambda folder: [*TRAINING, f"--run={folder}"],
            ("weights.npz",),
            lambda folder, began: any(path.stat().st_mtime > began for path in folder.glob("checkpoints/*.index")),
        ),
        Victim("predict", 20, lambda folder: [*predict, f"--output={folder}"], ("*/*.png", "*/*.jpg", "*.csv")),
        Victim(
            "export by Beam",
            10,
            lambda folder: [*DATA, "--engine=beam", f"--output={folder}"],
            ("*.tfrecord", "manifest.json"),
        ),
    ):
        if victim.full * chamber.share >= LEAST:
            yield torment(victim, chamber)


def torment(victim: Victim, chamber: Chamber) -> Outcome:
    """Kills a command again and again, and compares what there is in the end with what an undisturbed one makes."""
    outcome = Outcome(f"killed: {victim.what}", chamber.count(victim.full))
    place = chamber.folder / victim.what.replace(" ", "_").replace(",", "")
    whole = place / "whole"
    began = time.monotonic()
    failure = end(victim, whole)
    duration = time.monotonic() - began
    if failure:
        outcome.failures.append(f"the undisturbed one {failure}")
        return outcome
    wanted = hash_files(whole, victim.files)
    rng = random.Random(f"{chamber.seed} {victim.what}")
    if not wanted:
        outcome.failures.append("the undisturbed one wrote nothing to compare")
        return outcome
    ended, killed, number = 0, 0, 0
    while killed < outcome.tried and ended <= 2 * outcome.tried:
        folder = place / f"killed{number}"
        kills = 0
        while kills < min(outcome.tried - killed, KILLS_OF_ONE):
            waits = kills % 2 == 0
            if not kill(victim, folder, rng.uniform(0, duration / (4 if waits else 1)), waits):
                ended += 1
                break
            kills += 1
        failure = end(victim, folder)
        if not failure and hash_files(folder, victim.files) != wanted:
            failure = "did not make the same files"
        if failure:
            kept = chamber.keep(folder, f"{place.name}{number}") if folder.exists() else folder
            outcome.failures.append(f"after {kills} kills it {failure} ({kept})")
        shutil.rmtree(folder, ignore_errors=True)
        killed, number = killed + kills, number + 1
    if killed < outcome.tried:
        outcome.failures.append(f"only {killed} could be killed before they ended")
    outcome.figure = f"{duration:.0f} s undisturbed; {ended} more ended before they were killed"
    return outcome


def kill(victim: Victim, folder: Path, seconds: float, waits: bool) -> bool:
    """Starts a command and kills it; returns whether it was still running.

    Args:
        victim: the command.
        folder: that it writes.
        seconds: after which it is killed.
        waits: whether these are counted from when it is ready, and not from its start.
    """
    process = subprocess.Popen(
        [sys.executable, *victim.command(folder)], cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until, began = time.monotonic() + LONGEST, time.time()
    while waits and not victim.is_ready(folder, began) and process.poll() is None and time.monotonic() < until:
        time.sleep(0.01)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        return True
    return False


def end(victim: Victim, folder: Path) -> str:
    """Runs a command to its end; returns how it failed, "" where it did not."""
    try:
        done = subprocess.run(
            [sys.executable, *victim.command(folder)],
            check=False,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired:
        return f"took more than {LONGEST} s"
    said = (done.stderr.strip().splitlines() or [""])[-1]
    return f"ended with status {done.returncode}: {said[-300:]}" if done.returncode else ""


def hash_files(folder: Path, patterns: tuple[str, ...]) -> dict[str, str]:
    """Returns the digests of files, by their paths."""
    paths = {path for pattern in patterns for path in folder.glob(pattern)}
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)}
