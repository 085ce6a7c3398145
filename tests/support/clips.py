"""Short videos in which each frame says its number, made by PyAV."""

from pathlib import Path

import numpy as np

SIZE = (32, 48)


def draw_frame(number: int, size: tuple[int, int] = SIZE) -> np.ndarray:
    """Returns a picture that is as bright as its number, with a dark upper left corner."""
    picture = np.full((*size, 3), 40 + 6 * number, np.uint8)
    picture[: size[0] // 2, : size[1] // 2] = 0
    return picture


def read_number(picture: np.ndarray) -> int:
    """Returns the number of a frame whose lower right corner is that of `draw_frame`."""
    return round((float(picture[-8:, -8:].mean()) - 40) / 6)


def write_clip(path: Path, count: int = 20, rate: int = 10, codec: str = "mpeg4", size: tuple[int, int] = SIZE) -> Path:
    """Writes a video of `count` frames; its format is that of the path's ending."""
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = size
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.bit_rate = 2_000_000
        for number in range(count):
            for packet in stream.encode(av.VideoFrame.from_ndarray(draw_frame(number, size), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path
