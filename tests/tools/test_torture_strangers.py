"""tools/torture.py, damages and strangers: they see what goes wrong."""

import json
import os
import random
import subprocess
import sys

import keras
import pytest
from repository import ROOT
from torturing import damages, subjects
from torturing.damaging import DAMAGES, WRONG, change_type
from torturing.judging import HangError, find_fault, limit_time, try_out
from torturing.outcome import Chamber
from torturing.strangers_payloads import draw_payloads, list_payloads
from torturing.watching import MARK, is_within, read_trace

from fgseg_tf.model import networks
from fgseg_tf.runs import run_folder


@pytest.mark.parametrize("kind", list(DAMAGES))
def test_every_damage_changes_something_and_is_the_same_again(kind):
    for content in (random.Random(0).randbytes(5000), bytes(range(40)), b"ab"):
        damaged = [DAMAGES[kind](content, random.Random(seed)) for seed in range(20)]
        assert damaged == [DAMAGES[kind](content, random.Random(seed)) for seed in range(20)]
        assert sum(each != content for each in damaged) >= 15
        assert all(len(each) <= len(content) for each in damaged)


def test_values_of_every_depth_are_changed():
    content = {"a": {"b": [1, 2]}, "c": "x"}
    changed = {change_type(json.dumps(content).encode(), random.Random(seed)) for seed in range(300)}
    texts = [text.decode() for text in changed]
    assert '{"c": "x"}' in texts, "a key may be missing"
    assert any(text.startswith('{"a": {"b": [1,') for text in texts), "or the last value is never reached"
    assert len(texts) > 2 * len(WRONG)


def test_a_refusal_is_one_sentence_that_says_where():
    assert find_fault("run/run.json: stages is not a list; train again.", ("run",)) == ""
    assert "without a word" in find_fault(" ", ("run",))
    assert "several lines" in find_fault("run:\nno", ("run",))
    assert "without saying where" in find_fault("corrupted record at 12", ("run",))


@pytest.mark.parametrize(
    ("error", "fault"),
    [(KeyError("seed"), "a traceback: KeyError"), (ValueError("run is bad"), ""), (MemoryError(), "memory")],
)
def test_what_ends_in_a_traceback_is_a_failure(error, fault):
    def fail():
        raise error

    trial = try_out(fail, ("run",))
    assert (fault in trial.failure) if fault else not trial.failure
    assert bool(trial.refusal) == (not fault)


def test_what_hangs_is_ended(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(HangError), limit_time(1):
        (tmp_path / "pipe").read_bytes()


def damage_weights(folder, read):
    run = folder / "run"
    subjects.write_run(run, networks.build("small"))
    subject = subjects.Subject("weights.npz", run, ("weights.npz",), 1000, read)
    return damages.damage_each(subject, Chamber(folder / "chamber", seed=0, share=0.004))


def test_damages_are_seen_and_what_reads_on_regardless_is_found_out(tmp_path):
    (tmp_path / "sound").mkdir()
    sound = damage_weights(tmp_path / "sound", subjects.read_network)
    assert (sound.tried, sound.failures) == (4, [])
    (tmp_path / "careless").mkdir()
    reads = iter(range(100))
    careless = damage_weights(tmp_path / "careless", lambda folder: next(reads))
    assert len(careless.failures) == 4
    assert "was read as something else than it was" in careless.failures[0]
    assert (tmp_path / "careless" / "chamber" / "kept" / "run-0" / run_folder.WEIGHTS).exists()


def test_a_small_share_has_everything_that_would_run_code():
    everything = list_payloads()
    small, again = draw_payloads(3, 0.02), draw_payloads(3, 0.02)
    assert len(everything) > 140
    assert len(draw_payloads(3, 1.0)) == len(everything)
    assert [payload.what for payload in small] == [payload.what for payload in again]
    assert [payload.what for payload in small] != [payload.what for payload in draw_payloads(4, 0.02)]
    assert 40 <= len(small) <= 50
    for code in ("model.keras: code by pydoc", "nyu.h5: code by marshalled", "weights.npz: pickled objects"):
        assert code in [payload.what for payload in small]


CHILD = """
import os, subprocess, sys
from pathlib import Path
from torturing.watching import Watch
watch = Watch(Path(sys.argv[1]))
subprocess.run(["true"])
watch.begin()
exec(sys.argv[2])
print(*watch.end(), sep="\\n")
"""


@pytest.mark.parametrize(
    ("does", "seen"),
    [
        ("open(sys.argv[1] + '/mine', 'w').close(); open('/etc/passwd').close(); import json", ""),
        ("import pydoc", "import of pydoc"),
        ("import importlib; importlib.import_module('pydoc')", "pydoc was loaded"),
        ("subprocess.run(['true'])", "subprocess.Popen"),
        ("os.system('true')", "os.system"),
        ("open(sys.argv[1] + '/../elsewhere', 'w').close()", "elsewhere was opened for writing"),
    ],
)
def test_a_process_is_watched(tmp_path, does, seen):
    (tmp_path / "room").mkdir()
    command = [sys.executable, "-c", CHILD, str(tmp_path / "room"), does]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/tools{os.pathsep}{ROOT}"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert (seen in done.stdout) if seen else not done.stdout.strip(), done.stdout + done.stderr
    assert not done.stderr


ALIVE = """
import sys
from pathlib import Path
from data_pipelines.runtime import startup
import keras
from torturing import strangers_files
from torturing.watching import Watch
room = Path(sys.argv[1])
picture = keras.Input((None, None, 3))
keras.Model(picture, keras.layers.Conv2D(1, 1)(picture)).save(room / "model.keras")
strangers_files.plant_code(room / "model.keras", sys.argv[2], room / "marker")
watch = Watch(room)
watch.begin()
try:
    keras.saving.load_model(room / "model.keras", compile=False, safe_mode=False)
except Exception:
    pass
print(*watch.end(), sep="\\n")
"""


@pytest.mark.both_stacks
@pytest.mark.skipif(not keras.__version__.startswith("2."), reason="Keras 3 follows none of these")
@pytest.mark.parametrize(("kind", "seen"), [("pydoc", "subprocess.Popen"), ("import", "this was loaded")])
def test_code_is_alive_where_keras_follows_it(tmp_path, kind, seen):
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/tools{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", ALIVE, str(tmp_path), kind]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert seen in done.stdout, done.stdout + done.stderr


def test_what_strace_saw_is_judged_behind_the_mark(tmp_path):
    room, log = tmp_path / "room", tmp_path / "log"
    (tmp_path / "room").mkdir()
    lines = [
        '7 execve("/bin/before", ["x"]) = 0',
        f'7 openat(AT_FDCWD, "{MARK}", O_RDONLY) = -1 ENOENT (No such file or directory)',
        f'7 openat(AT_FDCWD, "{room}/mine", O_WRONLY|O_CREAT, 0666) = 3',
        '7 openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3',
        f'7 symlink("/etc/passwd", "{room}/link") = 0',
        '7 openat(AT_FDCWD, "/etc/shadow", O_WRONLY) = -1 EACCES (Permission denied)',
    ]
    log.write_text("\n".join(lines))
    assert read_trace(log, room) == []
    bad = [
        '8 execve("/bin/sh", ["sh"]) = 0',
        f'8 openat(AT_FDCWD, "{room}/../out", O_WRONLY|O_CREAT, 0666) = 3',
        "8 connect(3, {sa_family=AF_INET, sin_port=htons(53)}, 16) = 0",
        f'8 rename("{room}/mine", "/tmp/out") = 0',
    ]
    log.write_text("\n".join([*lines, *bad]))
    assert read_trace(log, room) == [line[2:] for line in bad]
    assert not is_within(f"{room}/../out", str(room))
