"""What a person sees of a long task, second by second, on a clock that the test turns."""

import io

import pytest

from data_pipelines.runtime.progress import Progress


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock():
    return Clock()


def run(progress, clock, seconds, rate, step=1.0):
    for _ in range(round(seconds / step)):
        clock.now += step
        progress.add(round(rate * step))


def test_a_line_every_fifteen_seconds(clock):
    stream = io.StringIO()
    with Progress("composites", 1000, "records", stream, clock) as progress:
        run(progress, clock, 14, 10)
        assert stream.getvalue() == ""
        run(progress, clock, 1, 10)
        # 850 at 10 a second.
        assert stream.getvalue() == "composites 150 of 1,000 records, 10/s, 1 min 25 s left\n"
        run(progress, clock, 44, 10)
        assert stream.getvalue().count("\n") == 3
        run(progress, clock, 41, 10)
    lines = stream.getvalue().splitlines()
    assert lines[1] == "composites 300 of 1,000 records, 10/s, 1 min 10 s left"
    assert lines[-1] == "composites 1,000 of 1,000 records, 10/s, 1 min 40 s"
    assert len(lines) == 6 + 1


def test_the_rate_is_that_of_the_last_half_minute(clock):
    stream = io.StringIO()
    progress = Progress("composites", 100_000, "records", stream, clock)
    run(progress, clock, 60, 10)
    run(progress, clock, 15, 110)
    # Half of the window at 10, half at 110.
    assert stream.getvalue().splitlines()[-1] == "composites 2,250 of 100,000 records, 60/s, 27 min 09 s left"
    run(progress, clock, 15, 110)
    assert ", 110/s, " in stream.getvalue().splitlines()[-1]


def test_what_an_earlier_run_did_counts_but_not_for_the_rate(clock):
    stream = io.StringIO()
    progress = Progress("composites", 1000, "records", stream, clock)
    clock.now += 5
    progress.add_earlier(600)
    run(progress, clock, 15, 4)
    assert stream.getvalue().splitlines()[-1] == "composites 640 of 1,000 records, 4.00/s, 1 min 30 s left"


def test_everything_was_done_before(clock):
    stream = io.StringIO()
    with Progress("composites", 600, "records", stream, clock) as progress:
        progress.add_earlier(600)
        clock.now += 2
    assert stream.getvalue() == "composites 600 of 600 records, 0.00/s, 2 s\n"


def test_no_rate_no_time_left(clock):
    stream = io.StringIO()
    progress = Progress("teacher", 10, "pictures", stream, clock)
    clock.now += 15
    progress.add(0)
    assert stream.getvalue() == "teacher 0 of 10 pictures, 0.00/s, time left not known yet\n"


def test_to(clock):
    stream = io.StringIO()
    progress = Progress("sources", 8, "pictures", stream, clock)
    progress.advance_to(2)
    clock.now += 20
    progress.advance_to(5)
    assert stream.getvalue() == "sources 5 of 8 pictures, 0.25/s, 12 s left\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(59, "59 s"), (61, "1 min 01 s"), (3599.6, "1 h 00 min"), (7384, "2 h 03 min")]
)
def test_durations(clock, seconds, text):
    stream = io.StringIO()
    with Progress("sources", 1, "pictures", stream, clock) as progress:
        clock.now += seconds
        progress.advance_to(1)
    assert stream.getvalue().splitlines()[-1].endswith(f", {text}")


def test_nothing_to_do(clock):
    stream = io.StringIO()
    with Progress("composites", 0, "records", stream, clock):
        pass
    assert stream.getvalue() == "composites 0 of 0 records, 0.00/s, 0 s\n"


def fail(progress):
    progress.add(3)
    raise KeyError("a record")


def test_an_error_shows_how_far_it_got_and_is_not_swallowed(clock):
    stream = io.StringIO()
    progress = Progress("composites", 10, "records", stream, clock)
    clock.now += 1
    with pytest.raises(KeyError, match="a record"), progress:
        fail(progress)
    assert stream.getvalue() == "composites 3 of 10 records, 3.00/s, 2 s left\n"


def test_a_bar_in_a_terminal(clock):
    stream = Terminal()
    with Progress("composites", 32, "records", stream, clock) as progress:
        run(progress, clock, 0.5, 16, step=1 / 16)
        # At once, and then after a fifth of a second: the 1st and the 5th of 8 records.
        assert stream.getvalue().count("\r") == 2
        assert "\n" not in stream.getvalue()
        run(progress, clock, 0.5, 16, step=1 / 16)
        clock.now += 0.25
        progress.add(0)
        last = stream.getvalue().split("\r")[-1]
        assert last.startswith("\x1b[K[############............]  50% composites 16 of 32 records, ")
        progress.add(16)
    shown = stream.getvalue().split("\r")
    assert shown[-1].startswith("\x1b[K[########################] 100% composites 32 of 32 records, ")
    assert shown[-1].endswith(", 1 s\n")
    assert stream.getvalue().count("\n") == 1
