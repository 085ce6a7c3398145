"""A client of TF Serving for models that fgseg_tf.export wrote, by REST or gRPC: files of pictures in, files out.

Both ask `serving_bytes` and return the same `Prediction`. What goes wrong is a ServerError that says what to do.
"""

import base64
import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TypedDict, cast

from fgseg_tf.serving.saved_model import BYTES

NUMBERS = ("share", "nearest", "median", "similarity")
FILES = ("mask_png_bytes", "depth_png_bytes")
OUTPUTS = {*NUMBERS, *FILES, "box"}
MEGABYTES = 256  # of one gRPC message
# How TF Serving says, by gRPC and by REST, that the inputs are not those of the signature.
OTHER_INPUTS = ("input size does not match", "does not have named input", "keys must be equal to")


class Prediction(TypedDict):
    """What a server returns for a frame.

    Keys:
        mask_png_bytes: PNG, 8 bits, 0 background to 255 foreground.
        depth_png_bytes: PNG, 16 bits, `depth_scale` of model.json codes for each metre.
        share: Of the picture that is foreground, 0 to 1.
        nearest, median: Depth of the foreground, metres; 0 where there is none.
        box: Top, left, bottom and right of the foreground, pixels, the last two exclusive.
        similarity: How well the background fits the frame, 0 to 1.
    """

    mask_png_bytes: bytes
    depth_png_bytes: bytes
    share: float
    nearest: float
    median: float
    box: list[int]
    similarity: float


# From the files of bg and fg_bg; None for a model that has the background of its camera inside.
Ask = Callable[[bytes | None, bytes], Prediction]


class ServerError(ValueError):
    """The server cannot be reached, or is not TF Serving with such a model, or refuses the request."""


def connect(server: str, model: str, version: int, timeout: float) -> Ask:
    """Returns a function that asks a server, from the files of background and frame to a `Prediction`.

    Args:
        server: http://HOST:8501 or grpc://HOST:8500.
        model: Its name there.
        version: Of the model; 0 for the newest.
        timeout: Seconds to wait.

    Raises:
        ServerError: The address is not one, or gRPC is not installed.
    """
    scheme, separator, address = server.partition("://")
    if not separator or scheme not in ("http", "https", "grpc") or not address:
        raise ServerError(f"`server`={server} is not a server; write http://HOST:8501 or grpc://HOST:8500.")
    make = _grpc if scheme == "grpc" else _rest
    return make(address.rstrip("/") if scheme == "grpc" else server.rstrip("/"), model, version, timeout)


def _rest(server: str, model: str, version: int, timeout: float) -> Ask:
    url = f"{server}/v1/models/{model}{f'/versions/{version}' if version else ''}:predict"

    def ask(bg: bytes | None, fg_bg: bytes) -> Prediction:
        files = _name_files(bg, fg_bg)
        instance = {name: {"b64": base64.b64encode(content).decode()} for name, content in files.items()}
        body = json.dumps({"signature_name": BYTES, "instances": [instance]}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as response:
                content = response.read()
        except urllib.error.HTTPError as error:
            raise ServerError(_explained(server, model, _message_of(error.read()), set(files))) from error
        except (OSError, urllib.error.URLError) as error:
            reason = getattr(error, "reason", error)
            raise ServerError(_away(server, reason)) from error
        try:
            (answer,) = json.loads(content)["predictions"]
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(f"{server} answered something else than predictions: is it TF Serving?") from error
        _check(answer, server, model)
        decoded = {name: base64.b64decode(answer[name]["b64"]) for name in FILES}
        return cast(Prediction, {**answer, **decoded})

    return ask


def _grpc(address: str, model: str, version: int, timeout: float) -> Ask:
    try:
        import grpc
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
    except ImportError as error:
        raise ServerError(
            "gRPC needs tensorflow-serving-api: pip install 'fgseg_tf[serving]', or ask by REST (http://HOST:8501)."
        ) from error
    sizes = [(f"grpc.max_{way}_message_length", MEGABYTES << 20) for way in ("send", "receive")]
    stub = prediction_service_pb2_grpc.PredictionServiceStub(grpc.insecure_channel(address, sizes))

    def ask(bg: bytes | None, fg_bg: bytes) -> Prediction:
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = model, BYTES
        if version:
            request.model_spec.version.value = version
        for name, content in _name_files(bg, fg_bg).items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto([content]))
        try:
            outputs = stub.Predict(request, timeout).outputs
        except grpc.RpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise ServerError(_away(f"grpc://{address}", error.details())) from error
            raise ServerError(_explained(f"grpc://{address}", model, error.details(), set(request.inputs))) from error
        answer = {name: tf.make_ndarray(value) for name, value in outputs.items()}
        _check(answer, f"grpc://{address}", model)
        files = {name: answer[name][0] for name in FILES}
        numbers = {name: float(answer[name][0]) for name in NUMBERS}
        return cast(Prediction, {**files, **numbers, "box": answer["box"][0].tolist()})

    return ask


def _name_files(bg: bytes | None, fg_bg: bytes) -> dict[str, bytes]:
    return {"fg_bg_bytes": fg_bg} if bg is None else {"bg_bytes": bg, "fg_bg_bytes": fg_bg}


def _check(answer: dict, server: str, model: str) -> None:
    if missing := OUTPUTS - set(answer):
        raise ServerError(
            f"the model {model} of {server} returns no {', '.join(sorted(missing))}: it is another one than "
            "fgseg_tf.export writes; give its name as `model`."
        )


def _explained(server: str, model: str, message: str, given: set[str]) -> str:
    if any(sign in message for sign in OTHER_INPUTS):
        if "bg_bytes" in given:
            return (
                f"the model {model} of {server} takes frames alone: its background is inside; leave `background` out."
            )
        return f"the model {model} of {server} has no background inside; give the picture of one as `background`."
    # Of what a graph says of itself, what was written for people.
    asserted = re.search(r"assertion failed: \[(.*?)\]\s*(\n|$)", message)
    sentence = f"{server} refuses: {asserted[1] if asserted else ' '.join(message.split())}"
    if "not found" in message.lower() and ("servable" in message.lower() or "model" in message.lower()):
        return f"{sentence}; is {model} the name that the server has it under (`model`, in models.config)?"
    if BYTES in message:
        return f"{sentence}; the model {model} there is another one than fgseg_tf.export writes."
    return sentence


def _away(server: str, reason) -> str:
    return f"{server} does not answer ({reason}): is the server running, and is that its address?"


def _message_of(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body.decode(errors="replace").strip()[:300] or "no reason given"
