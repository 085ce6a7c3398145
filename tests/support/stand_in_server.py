"""Speaks TF Serving's protocol, gRPC with the real protos and REST, over a real SavedModel: what the client is tested
against where tensorflow_model_server is not to be had.
"""

import base64
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc


class Refusal(Exception):
    def __init__(self, http: int, code: grpc.StatusCode, text: str):
        super().__init__(text)
        self.http, self.code = http, code


class Models:
    """Name -> signatures of one version, 1."""

    def __init__(self, folders: dict[str, str]):
        self._signatures = {name: tf.saved_model.load(folder).signatures for name, folder in folders.items()}

    def predict(self, name: str, version: int, signature: str, inputs: dict) -> dict[str, np.ndarray]:
        if name not in self._signatures or version > 1:
            text = f"Servable not found for request: {f'Specific({name}, {version})' if version else f'Latest({name})'}"
            raise Refusal(404, grpc.StatusCode.NOT_FOUND, text)
        found = self._signatures[name].get(signature or "serving_default")
        if found is None:
            text = f'Serving signature name: "{signature}" not found in signature def'
            raise Refusal(400, grpc.StatusCode.FAILED_PRECONDITION, text)
        wanted = found.structured_input_signature[1]
        if set(inputs) != set(wanted):
            raise Refusal(400, grpc.StatusCode.INVALID_ARGUMENT, f"input size does not match: {sorted(inputs)}")
        try:
            answer = found(**{key: tf.constant(value, wanted[key].dtype) for key, value in inputs.items()})
        except (tf.errors.InvalidArgumentError, ValueError) as error:
            raise Refusal(400, grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error
        return {key: value.numpy() for key, value in answer.items()}


class _Grpc(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, models: Models):
        self._models = models

    def Predict(self, request, context):  # noqa: N802 (gRPC names it)
        spec = request.model_spec
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        try:
            answer = self._models.predict(spec.name, spec.version.value, spec.signature_name, inputs)
        except Refusal as refusal:
            context.abort(refusal.code, str(refusal))
        response = predict_pb2.PredictResponse()
        for key, value in answer.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response


def _http(models: Models):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            found = re.fullmatch(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:predict", self.path)
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            try:
                if not found:
                    raise Refusal(404, grpc.StatusCode.NOT_FOUND, "Malformed request: POST " + self.path)
                rows = [{key: _decoded(value) for key, value in row.items()} for row in body["instances"]]
                inputs = {key: [row[key] for row in rows] for key in rows[0]}
                answer = models.predict(found[1], int(found[2] or 0), body.get("signature_name", ""), inputs)
                count = len(rows)
                said = {"predictions": [{key: _encoded(key, answer[key][n]) for key in answer} for n in range(count)]}
                self._say(200, said)
            except Refusal as refusal:
                self._say(refusal.http, {"error": str(refusal)})

        def _say(self, status: int, content: dict):
            text = json.dumps(content).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    return Handler


def _decoded(value):
    return base64.b64decode(value["b64"]) if isinstance(value, dict) else value


def _encoded(key: str, value):
    if key.endswith("_bytes"):
        return {"b64": base64.b64encode(value).decode()}
    return value.tolist()


@contextmanager
def running(folders: dict[str, str]):
    """Yields (http://..., grpc://...)."""
    models = Models(folders)
    rest = ThreadingHTTPServer(("localhost", 0), _http(models))
    threading.Thread(target=rest.serve_forever, daemon=True).start()
    server = grpc.server(ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Grpc(models), server)
    port = server.add_insecure_port("localhost:0")
    server.start()
    try:
        yield f"http://localhost:{rest.server_port}", f"grpc://localhost:{port}"
    finally:
        rest.shutdown()
        rest.server_close()
        server.stop(None).wait()
