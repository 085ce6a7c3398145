"""A client of TF Serving for models that fgseg_tf.export wrote, by REST or gRPC: files of pictures in, files out.

Both ask `serving_bytes` and return the same `Prediction`. What goes wrong is a ServerError that says what to do. What a
server answers is not believed: how much it is, of which types, and whether files are PNGs of a size is looked at first.
"""

import base64
import json
import math
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from typing import Any, TypedDict

from data_pipelines.runtime.names import show_name
from fgseg_tf.serving.request_images import HEADER, LARGEST, PNG
from fgseg_tf.serving.saved_model import BYTES

NUMBERS = ("share", "nearest", "median", "similarity")
FILES = ("mask_png_bytes", "depth_png_bytes")
OUTPUTS = {*NUMBERS, *FILES, "box"}
MEGABYTES = 256  # of one gRPC message, and of an answer by REST
LONGEST_MESSAGE = 65_536  # bytes of an answer that says what is wrong
SHOWN_OF_A_MESSAGE = 500  # letters
SIDE = 1 << 24  # pixels, more than any picture's
AT_ONCE = 1 << 20  # bytes that are read before the clock is looked at
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
    opener = urllib.request.build_opener(_NoRedirects)
    url = f"{server}/v1/models/{model}{f'/versions/{version}' if version else ''}:predict"

    def ask(bg: bytes | None, fg_bg: bytes) -> Prediction:
        files = _name_files(bg, fg_bg)
        instance = {name: {"b64": base64.b64encode(content).decode()} for name, content in files.items()}
        body = json.dumps({"signature_name": BYTES, "instances": [instance]}).encode()
        request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
        try:
            with opener.open(request, timeout=timeout) as response:
                content = _read_answer(response, server, timeout)
        except urllib.error.HTTPError as error:
            raise ServerError(_explained(server, model, _read_message(error), set(files))) from error
        except (OSError, HTTPException) as error:
            reason = getattr(error, "reason", None) or error or type(error).__name__
            raise ServerError(_away(server, reason)) from error
        try:
            (answer,) = json.loads(content)["predictions"]
            given = set(answer.keys())
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ServerError(f"{server} answered something else than predictions: is it TF Serving?") from error
        _check(given, server, model)
        try:
            answer |= {name: base64.b64decode(answer[name]["b64"], validate=True) for name in FILES}
        except (ValueError, KeyError, TypeError) as error:
            raise ServerError(_strange(server, model, FILES)) from error
        return _make_prediction(answer, server, model)

    return ask


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Goes nowhere else: pictures are for the server that was named."""

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        """Returns nothing, so that the answer is the one that says so."""


def _read_answer(response: HTTPResponse, server: str, timeout: float) -> bytes:
    until, parts, size = time.monotonic() + timeout, [], 0
    while part := response.read1(AT_ONCE):
        parts.append(part)
        size += len(part)
        if size > MEGABYTES << 20:
            raise ServerError(f"{server} answers with more than {MEGABYTES} MB: is it TF Serving?")
        # That something comes now and then is no answer.
        if time.monotonic() > until:
            raise TimeoutError("timed out")
    return b"".join(parts)


def _read_message(error: urllib.error.HTTPError) -> str:
    try:
        return _message_of(error.read(LONGEST_MESSAGE)) if error.fp else error.reason
    except (OSError, HTTPException):
        return error.reason


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
        server = f"grpc://{address}"
        _check(set(outputs), server, model)
        shapes = {name: [1, 4] if name == "box" else [1] for name in OUTPUTS}
        # The shape first: a few bytes can claim an array of any size.
        odd = [n for n, shape in shapes.items() if [side.size for side in outputs[n].tensor_shape.dim] != shape]
        if odd:
            raise ServerError(_strange(server, model, odd))
        try:
            answer = {name: tf.make_ndarray(outputs[name])[0] for name in OUTPUTS}
        except (ValueError, TypeError, KeyError) as error:
            raise ServerError(_strange(server, model, OUTPUTS)) from error
        values = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in answer.items()}
        return _make_prediction(values, server, model)

    return ask


def _name_files(bg: bytes | None, fg_bg: bytes) -> dict[str, bytes]:
    return {"fg_bg_bytes": fg_bg} if bg is None else {"bg_bytes": bg, "fg_bg_bytes": fg_bg}


def _make_prediction(answer: dict[str, Any], server: str, model: str) -> Prediction:
    """Returns what a server answered once it is what a `Prediction` says."""
    odd = [name for name in NUMBERS if not _is_number(answer[name])]
    odd += [name for name in FILES if not _is_png(answer[name])]
    box = answer["box"]
    if not isinstance(box, list) or len(box) != 4 or not all(type(end) is int and 0 <= end <= SIDE for end in box):
        odd.append("box")
    if odd:
        raise ServerError(_strange(server, model, odd))
    return {
        "mask_png_bytes": answer["mask_png_bytes"],
        "depth_png_bytes": answer["depth_png_bytes"],
        "share": float(answer["share"]),
        "nearest": float(answer["nearest"]),
        "median": float(answer["median"]),
        "box": box,
        "similarity": float(answer["similarity"]),
    }


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_png(value: Any) -> bool:
    """Whether it begins as a PNG of a size that this project writes."""
    if not isinstance(value, bytes) or not value.startswith(PNG) or len(value) < HEADER:
        return False
    width, height = int.from_bytes(value[16:20], "big"), int.from_bytes(value[20:24], "big")
    return 0 < width * height <= LARGEST


def _strange(server: str, model: str, names) -> str:
    return (
        f"the model {model} of {server} returns something else as {', '.join(sorted(names))} than fgseg_tf.export "
        "writes; give the name of such a model as `model`."
    )


def _check(given: set[str], server: str, model: str) -> None:
    if missing := OUTPUTS - given:
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
    reason = show_name(asserted[1] if asserted else " ".join(message.split()))
    if len(reason) > SHOWN_OF_A_MESSAGE:
        reason = f"{reason[:SHOWN_OF_A_MESSAGE]} ..."
    sentence = f"{server} refuses: {reason}"
    if "not found" in message.lower() and ("servable" in message.lower() or "model" in message.lower()):
        return f"{sentence}; is {model} the name that the server has it under (`model`, in models.config)?"
    if BYTES in message:
        return f"{sentence}; the model {model} there is another one than fgseg_tf.export writes."
    return sentence


def _away(server: str, reason) -> str:
    return f"{server} does not answer ({show_name(str(reason))}): is the server running, and is that its address?"


def _message_of(body: bytes) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError, RecursionError):
        return body.decode(errors="replace").strip()[:300] or "no reason given"
