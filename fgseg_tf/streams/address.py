"""What a source of frames is: a file, a device, an address of a network; and how it may be shown."""

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from data_pipelines.runtime.names import show_name

VIDEO_ENDINGS = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".wmv", ".flv", ".h264", ".h265"),
    *(".hevc", ".mjpeg", ".mjpg", ".3gp", ".ogv"),
)
DEVICE = re.compile(r"camera:(\d{1,3})")
SCHEMES = ("rtsp", "rtsps", "http", "https")
FILE, DEVICES, NETWORK = "file", "device", "network"
HIDDEN = "***"


@dataclass(frozen=True)
class Address:
    """A source of frames.

    Attributes:
        text: as it was given; it may hold a password.
        shown: the same without one, for whatever is printed, written or logged.
        kind: FILE, DEVICES or NETWORK.
    """

    text: str
    shown: str
    kind: str


def is_stream(text: str) -> bool:
    """Whether a text names a video, a device or a stream, and not a picture or a folder of pictures."""
    return bool(DEVICE.fullmatch(text)) or _has_scheme(text) or text.lower().endswith(VIDEO_ENDINGS)


def parse_address(text: str) -> Address:
    """Returns what a text names.

    Raises:
        ValueError: it is of a kind that is not read.
    """
    if DEVICE.fullmatch(text):
        return Address(text, text, DEVICES)
    if not _has_scheme(text):
        return Address(text, show_name(text), FILE)
    shown = hide_password(text)
    scheme = text.partition(":")[0].lower()
    if scheme not in SCHEMES:
        raise ValueError(f"{shown} is no source of frames: give {', '.join(SCHEMES)}, a file, or camera:0.")
    try:
        host = urlsplit(text).hostname
    except ValueError as error:
        raise ValueError(f"{shown} is not an address ({error}); write {scheme}://HOST:PORT/PATH.") from error
    if not host:
        raise ValueError(f"{shown} names no host; write {scheme}://HOST:PORT/PATH.")
    return Address(text, shown, NETWORK)


def hide_password(text: str) -> str:
    """Returns an address without what only its camera should know: what stands before @, and values in the query."""
    shown = re.sub(r"//[^/?#]*@", f"//{HIDDEN}@", text)
    return show_name(re.sub(r"([?&][^=&#]*)=[^&#]*", rf"\1={HIDDEN}", shown))


def remove_secrets(message: str, address: Address) -> str:
    """Returns a message of a library without the address as it was given."""
    return show_name(message.replace(address.text, address.shown))


def _has_scheme(text: str) -> bool:
    return bool(re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text)) and not os.path.exists(text)
