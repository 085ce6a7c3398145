"""Frames of real videos and streams: which are handed out, when, and what is said when they break off."""

import itertools
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from clips import SIZE, draw_frame, read_number, write_clip
from PIL import Image

pytest.importorskip("av", reason="pip install '.[streams]'")

from fgseg_tf.streams.address import parse_address
from fgseg_tf.streams.reader import ReadingPlan, StreamReader
from fgseg_tf.streams.video import StreamError

RTSP_SERVER = Path(__file__).parents[2] / "support" / "rtsp_server.py"


def read_all(where, said=None, **plan) -> list[tuple[int, float]]:
    """Returns number and time of each frame."""
    with StreamReader(parse_address(str(where)), ReadingPlan(**plan), (said or []).append) as reader:
        frames = [(read_number(frame.picture), round(frame.seconds, 3)) for frame in reader]
        assert reader.dropped == reader.reopened == 0
        assert reader.failure == ""
    return frames


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    return write_clip(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.mark.parametrize(
    ("ending", "codec"), [("mp4", "mpeg4"), ("mp4", "libx264"), ("avi", "mjpeg"), ("mkv", "ffv1"), ("webm", "libvpx")]
)
def test_every_frame_of_a_file(tmp_path, ending, codec):
    path = write_clip(tmp_path / f"a.{ending}", codec=codec)
    assert read_all(path) == [(number, round(number / 10, 3)) for number in range(20)]


def test_frames_that_are_asked_for(clip):
    assert read_all(clip, every=0.5) == [(0, 0.0), (5, 0.5), (10, 1.0), (15, 1.5)]
    assert read_all(clip, begin=0.7, end=1.1) == [(7, 0.7), (8, 0.8), (9, 0.9), (10, 1.0)]
    assert read_all(clip, begin=0.65, every=0.3) == [(7, 0.7), (9, 0.9), (12, 1.2), (15, 1.5), (18, 1.8)]
    with pytest.raises(StreamError, match=r"clip\.mp4 holds no frame between `from` and `to`"):
        read_all(clip, begin=5.0)


def test_a_slow_reader_of_a_file_misses_nothing(clip):
    with StreamReader(parse_address(str(clip)), ReadingPlan(), print) as reader:
        assert reader.size == SIZE
        assert not reader.is_live
        time.sleep(0.5)
        assert len(list(reader)) == 20


def test_a_telephone_that_was_held_upright(clip, tmp_path):
    if not shutil.which("ffmpeg"):
        pytest.skip("needs ffmpeg")
    turned, player = tmp_path / "turned.mp4", tmp_path / "player.png"
    for command in (
        ["-i", clip, "-c", "copy", "-metadata:s:v", "rotate=90", turned],
        ["-i", turned, "-frames:v", "1", player],
    ):
        subprocess.run(["ffmpeg", "-v", "error", *command], check=True, timeout=60)
    with StreamReader(parse_address(str(turned)), ReadingPlan(), print) as reader:
        first = next(iter(reader)).picture
    assert first.shape == (48, 32, 3)
    np.testing.assert_allclose(first, np.asarray(Image.open(player)), atol=4)
    assert (np.abs(first.astype(int) - first[::-1, ::-1]) > 20).any()  # or turned by the other quarter it would pass


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.mp4", None, r"none\.mp4 cannot be read \(No such file or directory\); look at its name"),
        ("empty.mp4", b"", "cannot be read"),
        ("text.mp4", b"hello" * 999, r"text\.mp4 cannot be read \(Invalid data found"),
        ("list.m3u8", b"#EXTM3U\n#EXTINF:1,\n%s\n#EXT-X-ENDLIST\n", "cannot be read"),
        ("list.ts", b"ffconcat version 1.0\nfile %s\n", "cannot be read"),
    ],
)
def test_files_that_are_none(clip, tmp_path, name, content, said):
    if content is not None:
        (tmp_path / name).write_bytes(content.replace(b"%s", str(clip).encode()))
    with pytest.raises(StreamError, match=said) as caught:
        StreamReader(parse_address(str(tmp_path / name)), ReadingPlan(), print)
    assert "\n" not in str(caught.value)


def test_sound_only(tmp_path):
    import av

    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), "f4"), format="fltp", layout="mono")
        frame.sample_rate = 8000
        for packet in itertools.chain(stream.encode(frame), stream.encode()):
            container.mux(packet)
    with pytest.raises(StreamError, match=r"sound\.mp4 has no pictures in it, only audio"):
        StreamReader(parse_address(str(tmp_path / "sound.mp4")), ReadingPlan(), print)


def test_a_file_that_was_cut_off(tmp_path):
    whole = write_clip(tmp_path / "whole.mkv", codec="mjpeg").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 2])
    with StreamReader(parse_address(str(tmp_path / "cut.mkv")), ReadingPlan(), print) as reader:
        numbers = [read_number(frame.picture) for frame in reader]
    assert numbers == list(range(len(numbers)))
    assert 5 < len(numbers) < 15


def test_a_device_that_is_not_there():
    with pytest.raises(StreamError, match=r"^camera:97 cannot be read \(.*\); is it plugged in"):
        StreamReader(parse_address("camera:97"), ReadingPlan(), print)


class Camera(ThreadingHTTPServer):
    """A camera that sends JPEG after JPEG, and hangs up after some; its third connection sends larger ones."""

    daemon_threads = True

    def __init__(self, frames: int, rate: float = 0.02):
        super().__init__(("127.0.0.1", 0), Handler)
        self.frames, self.rate, self.connections, self.sent = frames, rate, 0, 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://me:hunter2@127.0.0.1:{self.server_address[1]}/live.mjpg?key=topsecret"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.connections += 1
        size = SIZE if self.server.connections < 3 else (64, 96)
        self.send_response(200)
        self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
        self.end_headers()
        try:
            for _ in range(self.server.frames):
                file = BytesIO()
                Image.fromarray(draw_frame(self.server.sent % 30, size)).save(file, "JPEG", quality=95)
                self.server.sent += 1
                head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {file.tell()}\r\n\r\n".encode()
                self.wfile.write(head + file.getvalue() + b"\r\n")
                time.sleep(self.server.rate)
        except OSError:  # who reads has gone
            pass
        self.close_connection = True

    def log_message(self, *values):
        pass


def test_a_live_source_is_opened_again(monkeypatch):
    monkeypatch.setattr("fgseg_tf.streams.reader.WAITS", (0.1, 0.2))
    camera, said, frames = Camera(frames=40), [], []
    with StreamReader(parse_address(camera.address), ReadingPlan(timeout=5), said.append) as reader:
        assert reader.is_live
        with pytest.raises(StreamError, match=r"changes its size after .* s, from 48 x 32 to 96 x 64 pixels"):
            frames.extend(reader)
    camera.shutdown()
    assert reader.reopened == 2
    assert len(said) == 2
    assert all(line.endswith("opening it again in 0.1 s") for line in said)
    assert all(line.startswith("http://***@127.0.0.1:") for line in said)
    assert not any("hunter2" in line or "topsecret" in line for line in said)
    times = [frame.seconds for frame in frames]
    assert times == sorted(times)
    assert len(frames) + reader.dropped >= 60


def test_of_a_live_source_the_newest_is_handed_out():
    camera = Camera(frames=400, rate=0.01)
    with StreamReader(parse_address(camera.address), ReadingPlan(timeout=5), print) as reader:
        behind = []
        for frame in itertools.islice(reader, 6):
            time.sleep(0.3)
            behind.append((camera.sent - read_number(frame.picture)) % 30)
        assert reader.dropped > 60
    camera.shutdown()


def test_a_live_source_that_stays_away(monkeypatch):
    monkeypatch.setattr("fgseg_tf.streams.reader.WAITS", (0.1, 0.2))
    camera, said = Camera(frames=20), []
    with StreamReader(parse_address(camera.address), ReadingPlan(timeout=2, patience=0.8), said.append) as reader:
        frames = iter(reader)
        next(frames)
        camera.shutdown()
        camera.server_close()
        left = list(frames)
    assert len(left) <= 20
    assert reader.failure.startswith("http://***@127.0.0.1:")
    assert "hunter2" not in reader.failure
    assert said


def test_nobody_at_an_address():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(StreamError, match=r"^rtsp://\*\*\*@127\.0\.0\.1:\d+/x cannot be read \(Connection refused\)"):
        StreamReader(parse_address(f"rtsp://a:b@127.0.0.1:{port}/x"), ReadingPlan(timeout=2), print)


@pytest.fixture
def rtsp_camera():
    """Yields a port, and what starts a camera of GStreamer at it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = []

    def start() -> subprocess.Popen:
        camera = subprocess.Popen(["/usr/bin/python3", RTSP_SERVER, str(port)], stdout=subprocess.PIPE, text=True)
        running.append(camera)
        if camera.stdout.readline() != "ready\n":
            pytest.skip("needs gir1.2-gst-rtsp-server-1.0, python3-gi and gstreamer1.0-plugins-good of Debian")
        return camera

    yield port, start
    for camera in running:
        camera.kill()
        camera.wait()


def test_rtsp_that_is_killed_and_comes_back(rtsp_camera, monkeypatch):
    monkeypatch.setattr("fgseg_tf.streams.reader.WAITS", (0.2, 0.4))
    port, start = rtsp_camera
    camera, said = start(), []
    address = parse_address(f"rtsp://127.0.0.1:{port}/live")
    with StreamReader(address, ReadingPlan(timeout=3, patience=60), said.append) as reader:
        frames = iter(reader)
        assert [next(frames).picture.shape for _ in range(5)] == [(64, 96, 3)] * 5
        camera.kill()
        camera.wait()
        end = time.monotonic() + 30
        while not said and time.monotonic() < end:
            time.sleep(0.05)
        start()
        again = [next(frames) for _ in range(5)]
        assert reader.is_live
        assert reader.reopened >= 1
    assert said[0].startswith(f"rtsp://127.0.0.1:{port}/live ")
    assert said[0].endswith("; opening it again in 0.2 s")
    times = [frame.seconds for frame in again]
    assert times == sorted(times)


def test_an_http_stream_of_ffmpeg(tmp_path, clip):
    if not shutil.which("ffmpeg"):
        pytest.skip("needs ffmpeg")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/live.ts"
    command = [
        "ffmpeg",
        "-v",
        "error",
        "-re",
        "-i",
        clip,
        "-c:v",
        "mpeg2video",
        "-f",
        "mpegts",
        "-listen",
        "1",
        address,
    ]
    camera = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                reader = StreamReader(parse_address(address), ReadingPlan(timeout=5, patience=0.5), print)
                break
            except StreamError:  # it does not listen yet
                time.sleep(0.1)
        with reader:
            frames = list(reader)
        assert reader.is_live
        assert len(frames) + reader.dropped > 10
        assert "ended" in reader.failure or "cannot be read" in reader.failure
    finally:
        camera.kill()
        camera.wait()
