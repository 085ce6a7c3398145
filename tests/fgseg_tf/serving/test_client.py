"""The client and tools/query_serving.py against a server that speaks TF Serving's protocol over the real SavedModel.

Where tensorflow_model_server is on the PATH, against that one too.
"""

import base64
import csv
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
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
    if way == "grpc":  # what a stranger left among the frames is named, and stops no other
        os.mkfifo(tmp_path / "frames" / "fifo.png")
        (tmp_path / "frames" / "b.png").rename(tmp_path / "frames" / "b\x1b[2J.png")
        strange = query(f"--server={servers[way]}", *flags)
        assert strange.returncode == 1
        assert f"skipped: {tmp_path}/frames/fifo.png is a FIFO, not a file" in strange.stderr
        assert "1 frame(s) could not be read, named above; all others are done." in strange.stderr
        assert "\x1b" not in strange.stdout + strange.stderr
        rows = list(csv.DictReader((tmp_path / "answers" / "frames.csv").read_text().splitlines()))
        assert [row["name"][:7] for row in rows] == ["a", "b_[2J-" + rows[1]["name"][6]]
    wrong = query(f"--server={servers[way]}", "--model=other", *flags)
    assert wrong.returncode == 1
    assert wrong.stderr.splitlines()[-1].startswith("query_serving: ")
    assert "another one than fgseg_tf.export writes" in wrong.stderr


def query(*flags):
    command = [sys.executable, str(ROOT / "tools" / "query_serving.py"), *flags]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


@contextmanager
def liar(answer: bytes, head: bytes = b"HTTP/1.0 200 OK", drip: float = 0.0):
    """A server that says the same to everybody; `drip` seconds between its bytes."""
    with socket.create_server(("localhost", 0)) as listening:

        def serve():
            while True:
                try:
                    asked, _ = listening.accept()
                except OSError:
                    return
                with asked, suppress(OSError):
                    # To its end, or a close would take the answer back.
                    request = b""
                    while b"\r\n\r\n" not in request:
                        request += asked.recv(1 << 16)
                    header, _, body = request.partition(b"\r\n\r\n")
                    missing = int(re.search(rb"(?i)content-length: (\d+)", header)[1]) - len(body)
                    while missing > 0:
                        missing -= len(asked.recv(1 << 16))
                    asked.sendall(head + b"\r\n\r\n")
                    for part in [answer] if not drip else (answer[n : n + 1] for n in range(len(answer))):
                        asked.sendall(part)
                        time.sleep(drip)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://localhost:{listening.getsockname()[1]}"


PNG = tf.io.encode_png(np.zeros((4, 5, 1), np.uint8)).numpy()
HONEST = {
    **{name: {"b64": base64.b64encode(PNG).decode()} for name in client.FILES},
    **{"share": 0.5, "nearest": 1, "median": 2.5, "similarity": 0.9, "box": [0, 1, 2, 3]},
}
BOMB = PNG[:16] + b"\x00\xff\xff\xff" * 2 + PNG[24:]


@pytest.mark.parametrize(
    ("change", "odd"),
    [
        ({"share": "many"}, "share"),
        ({"share": float("nan")}, "share"),
        ({"nearest": float("inf")}, "nearest"),
        ({"median": None, "similarity": True}, "median, similarity"),
        ({"box": [0, 1, 2]}, "box"),
        ({"box": [0, 1, 2, -3]}, "box"),
        ({"box": [0, 1, 2, 10**30]}, "box"),
        ({"box": {"0": 1}}, "box"),
        ({"mask_png_bytes": "text"}, "depth_png_bytes, mask_png_bytes"),
        ({"mask_png_bytes": {"b64": "***"}}, "depth_png_bytes, mask_png_bytes"),
        ({"mask_png_bytes": {"b64": "aGVsbG8="}}, "mask_png_bytes"),
        ({"depth_png_bytes": {"b64": base64.b64encode(BOMB).decode()}}, "depth_png_bytes"),
    ],
)
def test_an_answer_of_other_types_is_not_believed(change, odd):
    with liar(json.dumps({"predictions": [{**HONEST, **change}]}).encode()) as server:
        said = f"the model fgseg of {server} returns something else as {odd} than fgseg_tf.export writes"
        with pytest.raises(client.ServerError, match=said):
            client.connect(server, "fgseg", 0, 20)(None, b"frame")


def test_an_answer_is_read_to_a_limit():
    with liar(json.dumps({"predictions": [HONEST]}).encode()) as server:
        assert client.connect(server, "fgseg", 0, 20)(None, b"frame")["box"] == [0, 1, 2, 3]
    for answer, head, said in (
        (b" " * ((client.MEGABYTES << 20) + 1), b"HTTP/1.0 200 OK", "answers with more than 256 MB: is it TF Serving"),
        (b"[" * 500_000, b"HTTP/1.0 200 OK", "answered something else than predictions: is it TF Serving"),
        (b'{"predictions": [[1]]}', b"HTTP/1.0 200 OK", "answered something else than predictions: is it TF Serving"),
        (b"", b"not HTTP at all", "does not answer"),
        (b"", b"HTTP/1.0 302 Found\r\nLocation: http://localhost:1/", "refuses: .*[Nn]o reason given|refuses: Found"),
        (b'{"error": "\\u001b[2J' + b"a" * 9000 + b'"}', b"HTTP/1.0 400 No", r"refuses: \\x1b\[2Ja{490,} \.\.\.$"),
        (b'{"error": ' + b"[" * 60_000, b"HTTP/1.0 400 No", "refuses: "),
    ):
        with liar(answer, head) as server, pytest.raises(client.ServerError, match=said):
            client.connect(server, "fgseg", 0, 20)(None, b"frame")
    with liar(b" " * 1000, drip=0.05) as server, pytest.raises(client.ServerError, match=r"does not answer .timed out"):
        client.connect(server, "fgseg", 0, 0.4)(None, b"frame")


@pytest.mark.parametrize(
    ("odd", "value"),
    [
        ("share", tf.constant([0.5, 0.5])),
        ("share", tf.constant(["many"])),
        ("box", tf.constant([[0.5, 1, 2, 3]])),
        ("mask_png_bytes", tf.constant([1.5])),
        ("depth_png_bytes", None),
    ],
)
def test_an_answer_by_grpc_is_not_believed(odd, value):
    import grpc
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    class Liar(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):  # noqa: N802 (gRPC names it)
            response = predict_pb2.PredictResponse()
            for name, said in HONEST.items():
                given = [PNG] if name in client.FILES else [said] if name == "box" else [float(said)]
                response.outputs[name].CopyFrom(tf.make_tensor_proto(given))
            if value is None:  # ten bytes that claim an array of a terabyte
                response.outputs[odd].tensor_shape.dim[0].size = 10**12
            else:
                response.outputs[odd].CopyFrom(tf.make_tensor_proto(value))
            return response

    server = grpc.server(ThreadPoolExecutor(1))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Liar(), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        with pytest.raises(client.ServerError, match=f"returns something else as {odd} than fgseg_tf.export writes"):
            client.connect(f"grpc://localhost:{port}", "fgseg", 0, 20)(None, b"frame")
    finally:
        server.stop(None).wait()
