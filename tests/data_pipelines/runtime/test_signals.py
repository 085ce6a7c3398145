"""Real signals: one asks, a second one ends, and what must not be interrupted is not."""

import os
import signal
import subprocess
import sys
import textwrap

import pytest
from repository import ROOT

from data_pipelines.runtime import signals
from data_pipelines.runtime.signals import Stopped, describe_stop, listen, postpone


def ask(number: int = signal.SIGTERM) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "line"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGINT, "SIGINT")])
def test_a_signal_is_raised_where_the_work_is_and_says_what_is_kept(number, line):
    before = signal.getsignal(number)

    def work() -> None:
        with listen(), describe_stop(" after 3 frames"), describe_stop(""):
            ask(number)
            raise AssertionError("it went on")

    with pytest.raises(Stopped) as stopped:
        work()
    assert (stopped.value.describe(), stopped.value.status) == (f"stopped by {line} after 3 frames", 128 + number)
    assert signal.getsignal(number) is before


def test_what_is_postponed_comes_to_its_end_or_to_where_everything_is_kept():
    done = []

    def work(check: bool) -> None:
        with listen(), postpone() as stop, postpone():
            ask()
            assert stop.is_made()
            done.append("written")
            if check:
                stop.check()
                done.append("too much")

    for check in (True, False):
        with pytest.raises(Stopped):
            work(check)
    assert done == ["written", "written"]
    with listen(), postpone() as stop:
        assert not stop.is_made()  # a request ends with its command
        stop.check()


def test_a_worker_that_nobody_signalled_stops_with_another_one():
    stop = signals.Request().make_stop()
    assert (stop.describe(), stop.status) == ("stopped by another worker", 143)


# Computes in C, which Python's own handlers wait for, with everything else of the interpreter held up.
DEAF = """
    import sys, time
    from data_pipelines.runtime import signals
    with signals.listen(), signals.postpone():
        print("begun", flush=True)
        if sys.argv[1] == "deaf":
            import hashlib
            hashlib.pbkdf2_hmac("sha256", b"a", b"b", 10**9)  # minutes, without the interpreter's lock
        time.sleep(600)
"""


@pytest.mark.parametrize("how", ["deaf", "asleep"])
def test_a_second_signal_ends_at_once(how):
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(DEAF), how], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGTERM)
        # As `timeout` does, which signals the process and its group: this is one request.
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130
        assert process.stderr.read() == b"\nended by SIGINT\n"
