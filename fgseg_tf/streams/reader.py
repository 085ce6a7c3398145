"""Reads a source of frames in a thread of its own, so that decoding and looking at frames happen together.

Of a file every frame is handed out, in order. Of a live source the newest one is: what could not be looked at in time
is dropped and counted. A live source that breaks off is opened again after growing waits.
"""

import math
import queue
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from fgseg_tf.streams.address import FILE, Address
from fgseg_tf.streams.video import BrokenStreamError, EmptyStreamError, StreamError, Video, open_video

WAITS = 1.0, 30.0  # seconds, of the first and the longest wait before a source is opened again
AHEAD = 3  # frames of a file that are decoded before they are asked for


@dataclass(frozen=True)
class StreamFrame:
    """A frame of a source.

    Attributes:
        picture: uint8 [H, W, 3].
        seconds: of a file, since its beginning by its own clock; of a live source, since it was opened first by ours:
            the clocks of cheap cameras jump, and pictures one after the other over HTTP have none.
    """

    picture: np.ndarray
    seconds: float


@dataclass(frozen=True)
class ReadingPlan:
    """Which frames are wanted, and how patient to be.

    Attributes:
        every: seconds between frames; 0 for all of them.
        begin: seconds from the beginning of the source.
        end: likewise; infinite for all of it.
        timeout: seconds without a frame after which a source counts as broken.
        patience: seconds without a frame after which a live source is given up.
    """

    every: float = 0.0
    begin: float = 0.0
    end: float = math.inf
    timeout: float = 10.0
    patience: float = 300.0

    def count_frames(self, video: Video) -> int:
        """Returns about how many frames of a video are wanted; 0 where that is not known."""
        if video.duration is None or not (self.every or video.rate):
            return 0
        seconds = max(0.0, min(self.end, video.duration) - self.begin)
        return math.ceil(seconds / self.every if self.every else seconds * (video.rate or 0.0))

    def __post_init__(self):
        settings = {"every": self.every, "from": self.begin, "to": self.end}
        for name, seconds in {**settings, "timeout": self.timeout, "patience": self.patience}.items():
            if not seconds >= 0:
                raise ValueError(f"`{name}`={seconds:g} is not a number of seconds from 0 on.")
        if self.end <= self.begin:
            raise ValueError(f"`to`={self.end:g} is not after `from`={self.begin:g}.")


class StreamReader:
    """Hands out the frames of a source. Use it as a context manager and iterate over it once.

    Attributes:
        address: of the source.
        size: height and width of its frames.
        is_live: whether it has no end, so that frames may be dropped.
        count: about how many frames will be handed out; 0 where that is not known.
        dropped: frames that were not looked at in time.
        reopened: how often it was opened again.
        failure: what ended it before its end; "" where nothing did.
    """

    def __init__(self, address: Address, plan: ReadingPlan, say: Callable[[str], object]):
        """Opens the source and waits for its first frame.

        Args:
            address: of the source.
            plan: which frames are wanted.
            say: takes a line about what happens to the source.

        Raises:
            StreamError: it cannot be read.
        """
        self.address, self._plan, self._say = address, plan, say
        self.is_live, self.count = False, 0
        self.dropped = self.reopened = 0
        self.failure = ""
        self._stopped = threading.Event()
        self._frames: queue.Queue[StreamFrame | StreamError | None] = queue.Queue(AHEAD)
        self._thread = threading.Thread(target=self._run, name="frames", daemon=True)
        self._thread.start()
        first = self._frames.get()
        if first is None:
            first = EmptyStreamError(f"{address.shown} holds no frame between `from` and `to`.")
        if isinstance(first, StreamError):
            self._stopped.set()
            raise first
        self._first: StreamFrame = first
        self.size = first.picture.shape[:2]

    def __enter__(self) -> "StreamReader":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the reading; what was decoded already is let go."""
        self._stopped.set()
        self._thread.join(self._plan.timeout + 1)

    def __iter__(self) -> Iterator[StreamFrame]:
        """Yields the frames.

        Raises:
            StreamError: frames change their size. A source that breaks off for good only ends; see `failure`.
        """
        item: StreamFrame | StreamError | None = self._first
        while item is not None:
            if isinstance(item, StreamError):
                self.failure = str(item)
                return
            if item.picture.shape[:2] != self.size:
                raise StreamError(
                    f"{self.address.shown} changes its size after {item.seconds:.1f} s, from {_format_size(self.size)} "
                    f"to {_format_size(item.picture.shape[:2])} pixels; start again for what follows."
                )
            yield item
            item = self._frames.get()

    def _run(self) -> None:
        """Decodes until the end, in the thread."""
        began, due, alone_since, wait = 0.0, self._plan.begin, time.monotonic(), WAITS[0]
        while not self._stopped.is_set():
            try:
                with open_video(self.address, self._plan.timeout) as video:
                    self.is_live = self.address.kind != FILE and video.duration is None
                    self.count = self._plan.count_frames(video)
                    for frame in video.read_frames(0.0 if self.is_live else self._plan.begin):
                        alone_since, wait = time.monotonic(), WAITS[0]
                        began = began or alone_since
                        seconds = alone_since - began if self.is_live else frame.seconds
                        if seconds >= self._plan.end or self._stopped.is_set():
                            return self._hand_out(None)
                        if seconds < due - 1e-6:
                            continue
                        if self._plan.every:
                            due = (math.floor((seconds + 1e-6) / self._plan.every) + 1) * self._plan.every
                        self._hand_out(StreamFrame(frame.make_picture(), seconds))
                if not self.is_live:
                    return self._hand_out(None)
                broken = BrokenStreamError(f"{self.address.shown} ended")
            except BrokenStreamError as error:
                broken = error
                if not self.is_live:
                    return self._hand_out(error)
            except StreamError as error:
                return self._hand_out(error)
            except Exception as error:  # a defect must not leave who waits for frames waiting
                self._hand_out(StreamError(f"{self.address.shown}: {type(error).__name__}: {error}"))
                raise
            if time.monotonic() - alone_since + wait > self._plan.patience:
                return self._hand_out(broken)
            self._say(f"{broken}; opening it again in {wait:g} s")
            self._stopped.wait(wait)
            wait = min(2 * wait, WAITS[1])
            self.reopened += 1

    def _hand_out(self, item: StreamFrame | StreamError | None) -> None:
        """Puts an item where it is taken from; of a live source, in the place of a frame that nobody took."""
        while not self._stopped.is_set():
            if self.is_live and isinstance(item, StreamFrame):
                try:
                    while True:
                        self._frames.get_nowait()
                        self.dropped += 1
                except queue.Empty:
                    pass
            try:
                self._frames.put(item, timeout=0.2)
                return
            except queue.Full:
                continue


def _format_size(size: tuple[int, ...]) -> str:
    return f"{size[1]} x {size[0]}"
