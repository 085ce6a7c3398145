"""The client and tools/query_serving.py against a server that speaks TF Serving's protocol over the real SavedModel.

Where tensorflow_model_server is on the PATH, against that one too.
"""

import csv
import io
import shutil
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from repository import ROOT
from tiny_data import SIDE

from fgseg_tf.serving import client, parity

pytest.importorskip("tensorflow_serving", reason="tensorflow-serving-api is not installed")
import stand_in_server

pytestmark = pytest.mark.both_stacks

SERVER = "tensorflow_model_server"
REAL = shutil.which(SERVER)


@pytest.fixture(scope="module")
def pair() -> dict:
    return parity.make_pairs(1, ((40, 64, 1),))[0]


@pytest.fixture(scope="module")
def files(pair) -> tuple[bytes, bytes]:
    return tuple(tf.io.encode_png(pair[name][0]).numpy() for name in ("bg", "fg_bg"))


@pytest.fixture(scope="module")
def other_model(tmp_path_factory) -> str:
    """A SavedModel that knows nothing of pictures."""
    folder = str(tmp_path_factory.mktemp("other") / "1")
    module = tf.Module()
    module.double = tf.function(lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec([None], name="x")])
    tf.saved_model.save(module, folder, module.double.get_concrete_function())
    return folder


@contextmanager
def real_server(folders: dict[str, str]):
    configs = [
        f'config {{ name: "{name}" base_path: "{Path(folder).parent}" model_platform: "tensorflow" }}'
        for name, folder in folders.items()
    ]
    config = Path(folders["other"]).parents[1] / "models.config"
    config.write_text("model_config_list { " + " ".join(configs) + " }")
    ports = free_port(), free_port()
    command = [REAL, f"--rest_api_port={ports[0]}", f"--port={ports[1]}", f"--model_config_file={config}"]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 120
        while time.monotonic() < until and socket.socket().connect_ex(("localhost", ports[0])):
            time.sleep(0.5)
        yield f"http://localhost:{ports[0]}", f"grpc://localhost:{ports[1]}"
    finally:
        server.kill()
        server.wait()


KINDS = [
    pytest.param(stand_in_server.running, id="stand-in"),
    pytest.param(real_server, id=SERVER, marks=pytest.mark.skipif(not REAL, reason=f"no {SERVER} on the PATH")),
]


@pytest.fixture(scope="module", params=KINDS)
def servers(request, saved_model, camera_model, other_model):
    with request.param({"fgseg": saved_model, "hall": camera_model, "other": other_model}) as addresses:
        yield dict(zip(("rest", "grpc"), addresses, strict=True))


def free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("localhost", 0))
        return asked.getsockname()[1]


@pytest.mark.parametrize("way", ["rest", "grpc"])
def test_files_in_files_out(servers, untrained_network, pair, files, way):
    answer = client.connect(servers[way], "fgseg", 1, 60)(*files)
    expected = parity.predict_with_keras(untrained_network, SIDE, pair)
    mask = np.asarray(Image.open(io.BytesIO(answer["mask_png_bytes"])))
    assert np.abs(mask / 255 - expected["mask"][0, ..., 0]).max() < 0.5 / 255 + 1e-5
    depth = np.asarray(Image.open(io.BytesIO(answer["depth_png_bytes"])))
    np.testing.assert_allclose(depth / 256, expected["depth"][0, ..., 0], rtol=1e-3, atol=1 / 256)
    inside = expected["mask"][0, ..., 0] >= 0.5
    assert answer["share"] == pytest.approx(inside.mean(), abs=1e-3)
    assert len(answer["box"]) == 4
    assert 0 <= answer["similarity"] <= 1


@pytest.mark.parametrize("way", ["rest", "grpc"])
@pytest.mark.parametrize(
    ("model", "version", "said"),
    [
        ("nobody", 0, r"refuses: .*; is nobody the name that the server has it under \(`model`, in models.config\)\?$"),
        ("fgseg", 7, "refuses: .*is fgseg the name"),
        ("other", 0, "refuses: .*the model other there is another one than fgseg_tf.export writes"),
    ],
)
def test_another_model(servers, files, way, model, version, said):
    with pytest.raises(client.ServerError, match=said):
        client.connect(servers[way], model, version, 60)(*files)


@pytest.mark.parametrize("way", ["rest", "grpc"])
def test_a_file_that_is_none(servers, files, way):
    with pytest.raises(client.ServerError, match=r"refuses: fg_bg_bytes is not a JPEG or PNG file$"):
        client.connect(servers[way], "fgseg", 0, 60)(files[0], b"hello")


@pytest.mark.parametrize("way", ["rest", "grpc"])
def test_a_model_of_a_camera(servers, segmenter, room_camera, files, way):
    (frame,) = parity.draw_frames(room_camera.background, 1)
    file = tf.io.encode_png(frame).numpy()
    answer = client.connect(servers[way], "hall", 0, 60)(None, file)
    expected = segmenter.camera(room_camera).segment(frame)
    depth = np.asarray(Image.open(io.BytesIO(answer["depth_png_bytes"]))) / 256
    decided = parity.find_decided(expected.mask)
    np.testing.assert_allclose(depth[decided], expected.depth[decided], atol=1 / 256)
    assert answer["similarity"] == pytest.approx(expected.similarity, abs=1e-4)
    with pytest.raises(
        client.ServerError, match="takes frames alone: its background is inside; leave `background` out"
    ):
        client.connect(servers[way], "hall", 0, 60)(files[0], file)
    with pytest.raises(client.ServerError, match="has no background inside; give the picture of one as `background`"):
        client.connect(servers[way], "fgseg", 0, 60)(None, file)
    with pytest.raises(
        client.ServerError, match="refuses: pictures of this camera are 64 x 48 pixels and fg_bg is 64 x"
    ):
        client.connect(servers[way], "hall", 0, 60)(None, files[1])


@pytest.mark.parametrize("scheme", ["http", "grpc"])
def test_nobody_at_home(files, scheme):
    server = f"{scheme}://localhost:{free_port()}"
    with pytest.raises(client.ServerError, match=f"^{server} does not answer .*: is the server running"):
        client.connect(server, "fgseg", 0, 5)(*files)


@pytest.mark.parametrize("server", ["localhost:8501", "ftp://here", "http://", ""])
def test_what_is_no_server(server):
    with pytest.raises(client.ServerError, match="is not a server; write http://HOST:8501 or grpc://HOST:8500"):
        client.connect(server, "fgseg", 0, 5)


@pytest.mark.parametrize("way", ["rest", "grpc"])
def test_the_tool(servers, files, tmp_path, way):
    (tmp_path / "empty.png").write_bytes(files[0])
    (tmp_path / "frames").mkdir()
    for name in ("a.png", "b.png"):
        (tmp_path / "frames" / name).write_bytes(files[1])
    flags = [f"--background={tmp_path}/empty.png", f"--frames={tmp_path}/frames", f"--output={tmp_path}/answers"]
    done = query(f"--server={servers[way]}", *flags)
    assert done.returncode == 0, done.stderr
    assert f"2 frames are in {tmp_path}/answers: mask, depth, frames.csv" in done.stdout
    rows = list(csv.DictReader((tmp_path / "answers" / "frames.csv").read_text().splitlines()))
    assert [row["name"] for row in rows] == ["a", "b"]
    mask = np.asarray(Image.open(tmp_path / "answers" / "mask" / "a.png"))
    assert float(rows[0]["share"]) == pytest.approx((mask >= 128).mean(), abs=1e-5)
    assert Image.open(tmp_path / "answers" / "depth" / "b.png").size == (64, 40)
    wrong = query(f"--server={servers[way]}", "--model=other", *flags)
    assert wrong.returncode == 1
    assert wrong.stderr.splitlines()[-1].startswith("query_serving: ")
    assert "another one than fgseg_tf.export writes" in wrong.stderr


def query(*flags):
    command = [sys.executable, str(ROOT / "tools" / "query_serving.py"), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)
