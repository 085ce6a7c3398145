"""SIGTERM and Ctrl-C: a command is asked to stop, keeps what it has, says so in a line, and ends with 143 or 130.

    with listen():                       the process of a command answers to both signals
        with postpone() as stop:         what must not be interrupted ...
            ...
            stop.check()                 ... is, where everything is kept
        with describe_stop("..."):       adds what is kept to the line

Outside of `postpone`, the first signal is raised as `Stopped` wherever the main thread is, so that contexts end in
order. A second one ends the process at once, also while TensorFlow computes.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType

SIGNALS = (signal.SIGTERM, signal.SIGINT)
# `timeout` and some supervisors signal a process and then its whole group, which is one request.
SECONDS_OF_ONE_REQUEST = 0.5


class Stopped(KeyboardInterrupt):
    """The process was asked to stop.

    Attributes:
        status: that the process must exit with.
        kept: what was kept, and how to go on, as the sentence continues: " after 3 frames"; "" where nothing is said.
    """

    def __init__(self, why: str, status: int):
        super().__init__(why)
        self.why, self.status, self.kept = why, status, ""

    def describe(self) -> str:
        """Returns the line to print."""
        return f"stopped by {self.why}{self.kept}"


class Request:
    """Whether somebody has asked this process to stop."""

    def __init__(self) -> None:
        self.signal: signal.Signals | None = None
        self.postponed = 0

    def is_made(self) -> bool:
        """Returns whether the process was asked to stop."""
        return self.signal is not None

    def make_stop(self) -> Stopped:
        """Returns what to raise; a worker that stops with another one was not asked itself."""
        if self.signal is None:
            return Stopped("another worker", 128 + signal.SIGTERM)
        return Stopped(self.signal.name, 128 + self.signal)

    def check(self) -> None:
        """Raises Stopped where the process was asked to."""
        if self.is_made():
            raise self.make_stop()


_request = Request()
_answered: list[signal.Signals] = []  # while this process listens


@contextlib.contextmanager
def listen() -> Iterator[None]:
    """Answers to the signals until the context ends; a process whose main thread this is not is left as it is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _request.signal = None
    before = {number: signal.getsignal(number) for number in SIGNALS}
    ear, voice = socket.socketpair()
    voice.setblocking(False)
    wakeup = signal.set_wakeup_fd(voice.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=_end_at_second, args=(ear,), daemon=True).start()
    # What was ignored by whoever started this process, such as nohup, stays so.
    _answered[:] = [number for number, handler in before.items() if handler is not signal.SIG_IGN]
    _take_signals()
    try:
        yield
    finally:
        _answered.clear()
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(wakeup)
        voice.close()  # which ends the thread


@contextlib.contextmanager
def postpone() -> Iterator[Request]:
    """Lets nothing be interrupted until the context ends, but where `check` is called."""
    _take_signals()  # once more: TensorFlow takes SIGTERM for itself when several workers meet
    _request.postponed += 1
    try:
        yield _request
    finally:
        _request.postponed -= 1
    if not _request.postponed:
        _request.check()


@contextlib.contextmanager
def describe_stop(kept: str | Callable[[], str]) -> Iterator[None]:
    """Adds to the line of a stop what was kept and how to go on, or what a function says of it then."""
    try:
        yield
    except Stopped as stop:
        stop.kept = stop.kept or (kept if isinstance(kept, str) else kept())
        raise


def _take_signals() -> None:
    for number in _answered:
        signal.signal(number, _answer)


def _answer(number: int, frame: FrameType | None) -> None:
    if _request.is_made():
        return  # a second one is not for this thread
    _request.signal = signal.Signals(number)
    if not _request.postponed:
        raise _request.make_stop()


def _end_at_second(ear: socket.socket) -> None:
    """Ends the process when it is signalled again: Python's own handlers wait until TensorFlow returns."""
    first = 0.0
    with ear:
        while heard := ear.recv(1):
            if heard[0] not in SIGNALS:
                continue
            if first and time.monotonic() - first > SECONDS_OF_ONE_REQUEST:
                print(f"\nended by {signal.Signals(heard[0]).name}", file=sys.stderr, flush=True)
                os._exit(128 + heard[0])
            first = first or time.monotonic()
