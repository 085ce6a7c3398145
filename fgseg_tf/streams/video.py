"""Opens a source of frames and decodes it: pictures as a person sees them, with their time."""

import contextlib
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fgseg_tf.streams.address import DEVICES, FILE, NETWORK, Address, remove_secrets

# A file can be a list of other files and addresses, whatever its name says. Only kinds that hold pictures are opened.
FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,h264,hevc,m4v,mjpeg,mpjpeg,asf,ogg,gif,rtsp,"
    "image2,jpeg_pipe"
)
PROTOCOLS = {FILE: "file", NETWORK: "http,https,tcp,tls,udp,rtp,rtsp,srtp,httpproxy", DEVICES: "file"}
DEVICES_OF = {"Linux": ("v4l2", "/dev/video{}"), "Darwin": ("avfoundation", "{}"), "Windows": ("dshow", "video={}")}
MOST_PIXELS = 64_000_000  # of a frame


class StreamError(ValueError):
    """A source of frames cannot be used, or not any more: what, where, what to do."""


class EmptyStreamError(StreamError):
    """A source holds no frame of those that are wanted."""


class BrokenStreamError(StreamError):
    """A source broke off, or could not be reached: it may be back later."""


@dataclass(frozen=True)
class DecodedFrame:
    """A frame whose colours are not computed yet: most are not looked at.

    Attributes:
        seconds: since the beginning of the stream by its own clock; 0 where it has none.
        content: PyAV's frame.
    """

    seconds: float
    content: Any

    def make_picture(self) -> np.ndarray:
        """Returns the picture, uint8 [H, W, 3], upright: turned by which telephones say that players should turn it."""
        picture = self.content.to_ndarray(format="rgb24")
        return np.ascontiguousarray(np.rot90(picture, round(self.content.rotation / 90) % 4))


class Video:
    """An open source of frames.

    Attributes:
        duration: seconds, as the source says; None where it has no end.
        rate: frames a second, as the source says; None where it does not.
    """

    def __init__(self, address: Address, container: Any, stream: Any):
        """Takes what `open_video` opened."""
        self._address, self._container, self._stream = address, container, stream
        self.duration = container.duration / 1e6 if container.duration else None
        self.rate = float(stream.average_rate) if stream.average_rate else None

    def read_frames(self, begin: float = 0.0) -> Iterator[DecodedFrame]:
        """Yields the frames from a time on.

        Args:
            begin: seconds from the beginning.

        Raises:
            BrokenStreamError: it broke off.
            StreamError: a frame is too large.
        """
        import av

        first = None
        if begin and self.duration:
            # To the last frame before it that stands for itself; what follows up to `begin` is decoded and left out.
            start = self._stream.start_time or 0
            with contextlib.suppress(av.FFmpegError):  # not every kind can; then all of it is decoded
                self._container.seek(int(begin / self._stream.time_base) + start, stream=self._stream)
            first = float(start * self._stream.time_base)
        try:
            for frame in self._container.decode(self._stream):
                if frame.width * frame.height > MOST_PIXELS:
                    raise StreamError(
                        f"{self._address.shown} has frames of {frame.width} x {frame.height} pixels; "
                        f"{MOST_PIXELS} pixels are read at most."
                    )
                now = frame.time or 0.0
                first = now if first is None else first
                if now - first >= begin - 1e-6:
                    yield DecodedFrame(now - first, frame)
        except av.FFmpegError as error:
            raise BrokenStreamError(_describe(error, self._address)) from error


@contextlib.contextmanager
def open_video(address: Address, timeout: float = 10.0) -> Iterator[Video]:
    """Opens a source of frames.

    Args:
        address: of it.
        timeout: seconds, for its first answer and for every further one.

    Raises:
        BrokenStreamError: it cannot be reached.
        StreamError: it can never be read: no such file, no video in it, PyAV is not there.
    """
    try:
        import av
    except ImportError as error:
        raise StreamError(f"{address.shown} is read by PyAV ({error}): pip install 'fgseg_tf[streams]'.") from error
    where, file_format = address.text, None
    options = {"protocol_whitelist": PROTOCOLS[address.kind]}
    if address.kind == DEVICES:
        file_format, where = _find_device(address)
    else:
        options["format_whitelist"] = FORMATS
    if address.text.startswith("rtsp"):
        options["rtsp_transport"] = "tcp"  # by UDP, frames arrive in shreds on busy networks
    try:
        container = av.open(where, format=file_format, options=options, timeout=timeout)
    except av.FFmpegError as error:
        broken = address.kind == NETWORK and not isinstance(error, av.error.InvalidDataError)
        raise (BrokenStreamError if broken else StreamError)(_describe(error, address)) from error
    with container:
        if not container.streams.video:
            raise StreamError(f"{address.shown} has no pictures in it, only {_list_kinds(container)}.")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        yield Video(address, container, stream)


def _find_device(address: Address) -> tuple[str, str]:
    """Returns FFmpeg's format of this system's cameras, and the name of the one that is wanted."""
    system = platform.system()
    if system not in DEVICES_OF:
        raise StreamError(f"{address.text}: cameras of {system} are not read; give a file or an address.")
    kind, name = DEVICES_OF[system]
    return kind, name.format(address.text.partition(":")[2])


def _list_kinds(container: Any) -> str:
    return " and ".join(sorted({stream.type for stream in container.streams})) or "nothing"


def _describe(error: Exception, address: Address) -> str:
    reason = remove_secrets(getattr(error, "strerror", None) or str(error), address)
    if address.kind == DEVICES:
        remedy = "is it plugged in, and used by no other program?"
    elif isinstance(error, FileNotFoundError):
        remedy = "look at its name"
    elif address.kind == FILE:
        remedy = "is it a whole video file?"
    else:
        remedy = "is the camera on, and are the address and the password right?"
    return f"{address.shown} cannot be read ({reason}); {remedy}"
