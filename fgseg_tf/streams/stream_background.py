"""The background of a stream: its first frame, or the median of its first minute."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from fgseg_tf.streams.address import Address
from fgseg_tf.streams.reader import ReadingPlan, StreamReader
from fgseg_tf.streams.video import StreamError, open_video

FIRST, MEDIAN = "first", "median"
SECONDS = 60.0  # of the stream that a median is of
FRAMES = 61  # an odd number, so that the median is a value that occurs
FEWEST = 5
ROWS_AT_ONCE = 8
MOST_BYTES = 1_000_000_000  # of frames that are held together


def read_stream_background(how: str, address: Address, plan: ReadingPlan, say: Callable[[str], object]) -> np.ndarray:
    """Returns the background of a stream, uint8 [H, W, 3].

    Args:
        how: FIRST or MEDIAN.
        address: of the stream.
        plan: where it begins and how patient to be. A median looks at a minute from there on, or to its end.
        say: takes a line, where this takes time.

    Raises:
        StreamError: it cannot be read, or is too short for a median.
    """
    if how == FIRST:
        with StreamReader(address, replace(plan, every=0.0), say) as reader:
            return next(iter(reader)).picture
    with open_video(address, plan.timeout) as video:
        end = min(plan.begin + SECONDS, plan.end, video.duration or math.inf)
    if end <= plan.begin:
        raise StreamError(f"{address.shown} ends after {end:.1f} s, before `from`={plan.begin:g}.")
    with StreamReader(address, replace(plan, every=(end - plan.begin) / FRAMES, end=end), say) as reader:
        if reader.is_live:
            say(f"looking at {address.shown} for {end - plan.begin:g} s, to see what stands still")
        pictures: list[np.ndarray] = []
        step, number = 1, 0
        for number, frame in enumerate(reader):
            if number % step == 0:
                pictures.append(frame.picture)
            if sum(picture.nbytes for picture in pictures) > MOST_BYTES and len(pictures) > 2 * FEWEST:
                pictures, step = pictures[::2], 2 * step
    if len(pictures) < FEWEST:
        raise StreamError(
            f"`background`=median: {address.shown} has {number + 1} frames in that time, and whoever is in them would "
            f"show; {FEWEST} or more are needed, or a picture of the empty scene."
        )
    return compute_median(pictures)


def compute_median(pictures: list[np.ndarray]) -> np.ndarray:
    """Returns the median of each pixel, uint8 [H, W, 3], of pictures of one size."""
    parts_count = math.ceil(len(pictures[0]) / ROWS_AT_ONCE)
    # A part at a time: np.median of everything would copy everything.
    parts = (slice(ROWS_AT_ONCE * number, ROWS_AT_ONCE * (number + 1)) for number in range(parts_count))
    return np.concatenate(
        [np.median([picture[part] for picture in pictures], axis=0).round().astype(np.uint8) for part in parts]
    )
