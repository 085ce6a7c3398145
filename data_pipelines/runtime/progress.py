"""How far a long task is: a bar in a terminal, a line every so often elsewhere."""

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, TextIO

BAR = 24  # characters
SECONDS_BETWEEN_BARS = 0.2
SECONDS_BETWEEN_LINES = 15.0
WINDOW = 30.0  # seconds; the rate is that of the last ones, so that time left follows a change


class ProgressReporter(Protocol):
    """What a long task tells how far it is. It is a context manager; `Progress` is the one that people see."""

    def __enter__(self) -> "ProgressReporter": ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def add_earlier(self, done: int) -> None:
        """Counts work that an earlier run did, which says nothing about the rate of this one."""

    def add(self, done: int = 1) -> None:
        """Counts work that was just done."""


# Makes a reporter from (title, total, what): ("composites", 400_000, "records").
ProgressFactory = Callable[[str, int, str], ProgressReporter]


class Progress:
    """Shows on a terminal or in a log how much of a task is done, how fast it goes and how long it will take.

    Use it as a context manager, so that the last state is shown.

    Args:
        title: of the task, such as "composites".
        total: how many there are to do; None where nobody knows.
        what: is counted, such as "records" or "pictures".
        stream: to write to; None for standard error.
        clock: returns seconds.
    """

    def __init__(
        self,
        title: str,
        total: int | None,
        what: str,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._title, self._total, self._what = title, total, what
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        self._bar = self._stream.isatty()
        self._done = 0
        self._start = clock()
        self._shown = -1e9 if self._bar else self._start
        self._marks = [(self._start, 0)]

    def __enter__(self) -> "Progress":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._show(last=kind is None)
        if self._bar:
            self._stream.write("\n")
            self._stream.flush()

    def add_earlier(self, done: int) -> None:
        """Counts work that an earlier run did, which says nothing about the rate of this one."""
        self._done += done
        self._marks = [(self._clock(), self._done)]

    def add(self, done: int = 1) -> None:
        """Counts work that was just done, and shows it every so often."""
        self._done += done
        if self._clock() - self._shown >= (SECONDS_BETWEEN_BARS if self._bar else SECONDS_BETWEEN_LINES):
            self._show()

    def advance_to(self, done: int) -> None:
        """Counts up to `done` in all."""
        self.add(done - self._done)

    def _show(self, last: bool = False) -> None:
        now = self._clock()
        self._shown = now
        self._marks.append((now, self._done))
        while len(self._marks) > 2 and now - self._marks[0][0] > WINDOW:
            self._marks.pop(0)
        since, before = self._marks[0]
        rate = (self._done - before) / max(now - since, 1e-9)
        total = max(self._total or 0, self._done)
        share = self._done / max(1, total)
        of_all = "" if self._total is None else f" of {total:,}"
        text = f"{self._title} {self._done:,}{of_all} {self._what}, {_format_rate(rate)}"
        text += (
            f", {_format_duration(now - self._start)}"
            if last or self._total is None
            else f", {_format_left(total - self._done, rate)}"
        )
        if self._bar:
            filled = int(BAR * share)
            self._stream.write(f"\r\x1b[K[{'#' * filled}{'.' * (BAR - filled)}] {share:4.0%} {text}")
        else:
            self._stream.write(text + "\n")
        self._stream.flush()


def _format_rate(rate: float) -> str:
    return f"{rate:,.0f}/s" if rate >= 10 else f"{rate:.2f}/s"


def _format_left(missing: int, rate: float) -> str:
    return f"{_format_duration(missing / rate)} left" if rate > 0 else "time left not known yet"


def _format_duration(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {seconds:02d} s" if minutes else f"{seconds} s"
