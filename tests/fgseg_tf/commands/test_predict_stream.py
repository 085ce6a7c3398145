"""The predict command on videos and streams."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from predict_each import PREDICT_EACH
from repository import ROOT

from fgseg_tf.inference.prediction_files import FrameRow
from fgseg_tf.inference.stream_frames import name_frame, parse_seconds, plan_rest
from fgseg_tf.streams.reader import ReadingPlan

SIZE = (48, 64)


def write_scene(path: Path, frames: int) -> None:
    """Writes a video of a grainy wall before which a dark box moves."""
    import av

    wall = np.random.default_rng(4).integers(90, 200, (*SIZE, 3)).astype(np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv444p"
        for number in range(frames):
            picture = wall.copy()
            picture[16:40, 2 * number : 2 * number + 14] = (20, 30, 90)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What predictions of a video wrote and said."""
    pytest.importorskip("av", reason="pip install '.[streams]'")
    where = tmp_path_factory.mktemp("stream")
    write_scene(where / "clip.mkv", 24)
    Image.new("RGB", (64, 40)).save(where / "small.png")
    usual = f"--weights=small --frames={where}/clip.mkv --background=median"
    commands = [
        f"{usual} --output={where}/stopped",  # is asked to stop after 10 frames
        f"{usual} --output={where}/stopped",
        f"{usual} --output={where}/whole",
        f"{usual} --output={where}/some --from=0.5s --every=400ms --to=0:01.9",
        f"--weights=small --source={where}/clip.mkv --background=first --output={where}/first --write=mask",
        f"{usual} --output={where}/small --background={where}/small.png",
        f"{usual} --output={where}/late --from=1min",
        f"{usual} --output={where}/odd --every=soon",
        f"--weights=small --frames=http://me:hunter2@127.0.0.1:9/live --background=first --output={where}/nobody",
    ]
    done = subprocess.run(
        [sys.executable, "-c", PREDICT_EACH, "10", *commands], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return where, done.stdout, done.stderr


def read_names(folder: Path) -> list[str]:
    with open(folder / "frames.csv") as table:
        return [row["name"] for row in csv.DictReader(table)]


def test_frames_are_named_by_their_time(outputs):
    where = outputs[0]
    names = [f"{number / 10:010.3f}" for number in range(24)]
    assert read_names(where / "whole") == names
    assert sorted(path.stem for path in (where / "whole" / "overlay").iterdir()) == names
    assert read_names(where / "some") == ["000000.500", "000000.800", "000001.200", "000001.600"]
    # The box is found where it is; over the whole clip the wall stands still in most frames.
    mask = np.asarray(Image.open(where / "whole" / "mask" / "000001.200.png"))
    assert mask.shape == SIZE
    assert mask[18:38, 26:36].mean() > 200
    assert mask[:, 50:].mean() < 20


def test_stopped_and_started_again_it_ends_with_the_same_bytes(outputs):
    where, said, _ = outputs
    assert re.search(r"stopped by SIGTERM after \d+ frames; start again with the same flags to go on 143\n", said)
    assert re.search(r"^\d+ frames were done by an earlier start: going on after them$", said, re.MULTILINE)
    wanted = {path.relative_to(where / "whole"): path.read_bytes() for path in (where / "whole").rglob("*.*")}
    found = {path.relative_to(where / "stopped"): path.read_bytes() for path in (where / "stopped").rglob("*.*")}
    assert len(wanted) == 24 * 3 + 3
    assert found == wanted


def test_the_first_frame_as_background(outputs):
    where = outputs[0]
    first = np.asarray(Image.open(where / "first" / "mask" / "000000.000.png"))
    assert first.mean() < 3
    assert not (where / "first" / "overlay").exists()


def test_refusals_leave_nothing_behind(outputs):
    where, said, errors = outputs
    assert "clip.mkv is of 64 x 48 pixels, the background of 64 x 40: are they of one camera?" in said
    assert "clip.mkv ends after 2.4 s, before `from`=60." in said
    assert "`every`=soon is not a time; write seconds such as 0.5s" in said
    assert "http://***@127.0.0.1:9/live cannot be read (Connection refused)" in said
    assert "hunter2" not in said + errors
    folders = sorted(path.name for path in where.iterdir() if path.is_dir())
    assert folders == ["first", "small", "some", "stopped", "whole"]


def test_times():
    texts = ["90", "0.5s", "250ms", "2min", "1.5h", "1:30", "01:02:03.5"]
    assert [parse_seconds(text, "every") for text in texts] == [90, 0.5, 0.25, 120, 5400, 90, 3723.5]
    for text in ("", "soon", "-1", "1:2:3:4", "nan", "1e3", "1:"):
        with pytest.raises(ValueError, match=rf"^`from`={text} is not a time"):
            parse_seconds(text, "from")
    assert name_frame(12.3404) == "000012.340"


def test_where_a_video_goes_on():
    done = [FrameRow("000000.400", "0", "1")]
    assert plan_rest(ReadingPlan(), []) == ReadingPlan()
    assert plan_rest(ReadingPlan(), done).begin == pytest.approx(0.401)
    assert plan_rest(ReadingPlan(every=0.2), done).begin == pytest.approx(0.6)
    assert plan_rest(ReadingPlan(every=0.3), done).begin == pytest.approx(0.6)
