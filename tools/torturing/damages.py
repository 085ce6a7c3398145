"""Damaged files of every kind: each is refused in one sentence, or what was in it comes out all the same."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from torturing.damaging import DAMAGES, change_type, choose_file
from torturing.judging import find_fault, try_out
from torturing.outcome import Chamber, Outcome
from torturing.subjects import Subject, copy_of, is_json, make_subjects

COMMANDS = 20  # in processes of their own
ROOT = Path(__file__).resolve().parents[2]


def run(chamber: Chamber) -> Iterator[Outcome]:
    """Yields a row for each kind of file."""
    subjects = make_subjects(chamber.folder / "whole")
    for subject in subjects:
        yield damage_each(subject, chamber)
    yield run_commands(subjects, chamber)


def damage_each(subject: Subject, chamber: Chamber) -> Outcome:
    """Damages copies of a subject, and reads each."""
    outcome = Outcome(f"damaged: {subject.what}", chamber.count(subject.full))
    trial = try_out(lambda: subject.read(copy_of(subject, chamber.folder / "tried")), ())
    if trial.failure or trial.refusal:
        outcome.failures.append(f"the undamaged one: {trial.failure or trial.refusal}")
        return outcome
    right = (trial.result, *subject.allowed)
    refused, slowest = 0, 0.0
    for number in range(outcome.tried):
        rng = random.Random(f"{chamber.seed} {subject.what} {number}")
        place = copy_of(subject, chamber.folder / "tried")
        done = damage(subject, place, rng)
        trial = try_out(lambda at=place: subject.read(at), (place.name,))  # type: ignore[misc]
        failure = trial.failure
        if not failure and not trial.refusal and trial.result not in right:
            failure = "was read as something else than it was"
        if failure:
            # Damaged once more: reading may have changed the folder.
            place = copy_of(subject, chamber.folder / "damaged")
            damage(subject, place, random.Random(f"{chamber.seed} {subject.what} {number}"))
            kept = chamber.keep(place, f"{subject.folder.name}-{number}")
            outcome.failures.append(f"{done}: {failure} ({kept})")
        refused += bool(trial.refusal)
        slowest = max(slowest, trial.seconds)
    outcome.figure = f"{refused:,} refused, the others read as they were; {slowest:.1f} s at most"
    return outcome


def damage(subject: Subject, place: Path, rng: random.Random) -> str:
    """Damages one file of a copy; returns which, and how."""
    path = choose_file(place, subject.files, rng)
    content = path.read_bytes()
    kinds = ["type"] if subject.json_alone else list(DAMAGES)
    kind = rng.choice(kinds)
    if kind == "type" and is_json(path):
        path.write_bytes(change_type(content, rng, subject.seal))
    else:
        path.write_bytes(DAMAGES[kind if kind in DAMAGES else "bits"](content, rng))
    return f"{path.relative_to(place)}, {kind}"


def run_commands(subjects: list[Subject], chamber: Chamber) -> Outcome:
    """Gives damaged folders to commands in processes of their own, as users do."""
    outcome = Outcome("damaged: given to a command", chamber.count(COMMANDS))
    by_folder = {subject.folder.name: subject for subject in subjects if not subject.json_alone}
    slowest = 0.0
    for number in range(outcome.tried):
        rng = random.Random(f"{chamber.seed} command {number}")
        subject = by_folder[("data", "run", "camera", "keras_run")[number % 4]]
        place = copy_of(subject, chamber.folder / "tried")
        done = damage(subject, place, rng)
        output = chamber.folder / "commands" / str(number)
        command = {
            "data": ["verify-data", str(place)],
            "run": ["export", f"--run={place}", f"--output={output}"],
            "keras_run": ["export", f"--run={place}", f"--output={output}"],
            "camera": ["predict", f"--camera={place}", f"--frames={place}/background.png", f"--output={output}"],
        }[subject.folder.name]
        began = time.monotonic()
        try:
            ended = subprocess.run(
                [sys.executable, "-m", "fgseg_tf", *command],
                check=False,
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=300,
            )
            failure = judge_command(ended, place.name)
        except subprocess.TimeoutExpired:
            failure = "took more than 300 s"
        slowest = max(slowest, time.monotonic() - began)
        if failure:
            kept = chamber.keep(place, f"command-{number}")
            outcome.failures.append(f"{command[0]}, {done}: {failure} ({kept})")
    outcome.figure = f"{slowest:.1f} s at most"
    return outcome


def judge_command(ended: subprocess.CompletedProcess, name: str) -> str:
    """Returns what is wrong with how a command ended; "" where nothing is."""
    if "Traceback" in ended.stderr or ended.returncode not in (0, 1, 2):
        return f"ended with status {ended.returncode}: {ended.stderr.strip()[-300:]}"
    said = (ended.stderr.strip().splitlines() or ended.stdout.strip().splitlines() or [""])[-1]
    if not ended.returncode:
        return ""
    return "" if name in ended.stdout else find_fault(said, (name,))
