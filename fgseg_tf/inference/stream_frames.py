"""The frames of a video or a stream as predictions take them: each with a name that says when it was seen."""

import re
from collections.abc import Iterator
from dataclasses import replace

from fgseg_tf.inference.frames import Frame
from fgseg_tf.inference.prediction_files import FrameRow
from fgseg_tf.streams.reader import ReadingPlan, StreamReader
from fgseg_tf.streams.video import StreamError

UNITS = {"ms": 0.001, "": 1.0, "s": 1.0, "min": 60.0, "h": 3600.0}


def parse_seconds(text: str, setting: str) -> float:
    """Returns the seconds that a text such as "0.5s", "90", "1:30" or "2min" says.

    Args:
        text: what was given.
        setting: its name, for the message.

    Raises:
        ValueError: it says none.
    """
    amount = re.fullmatch(r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|s|min|h|)", text.strip())
    if amount:
        return float(amount[1]) * UNITS[amount[2]]
    clock = re.fullmatch(r"(?:(\d{1,5}):)?(\d{1,5}):(\d{1,2}(?:\.\d{1,9})?)", text.strip())
    if clock:
        return 3600.0 * int(clock[1] or 0) + 60.0 * int(clock[2]) + float(clock[3])
    raise ValueError(f"`{setting}`={text} is not a time; write seconds such as 0.5s, or 1:30 for minutes and seconds.")


def name_frame(seconds: float) -> str:
    """Returns the name of a frame: its seconds with three decimals, so that names are in the order of time."""
    return f"{seconds:010.3f}"


def read_stream_frames(reader: StreamReader, size: tuple[int, int]) -> Iterator[tuple[str, Frame, str]]:
    """Yields the frames of a stream, each after the source that it is from and before "", for nothing is wrong with it.

    Args:
        reader: of the stream.
        size: height and width of the background.

    Raises:
        StreamError: frames are of another size.
    """
    if reader.size != size:
        raise StreamError(
            f"{reader.address.shown} is of {reader.size[1]} x {reader.size[0]} pixels, the background of {size[1]} x "
            f"{size[0]}: are they of one camera? `resize` makes the background as large as the first frame."
        )
    source = reader.address.text if not reader.is_live else reader.address.shown
    for frame in reader:
        yield source, Frame(name_frame(frame.seconds), frame.picture), ""


def plan_rest(plan: ReadingPlan, done: list[FrameRow]) -> ReadingPlan:
    """Returns the plan for what is left of a video, after the frames that are done."""
    if not done:
        return plan
    last = float(done[-1].name)
    # A frame's time is known to half a thousandth, from its name.
    begin = (int((last + 0.001) / plan.every) + 1) * plan.every if plan.every else last + 0.001
    return replace(plan, begin=begin, end=max(plan.end, begin + 1e-6))
