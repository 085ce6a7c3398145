"""Requests that TF Serving makes to itself when it loads a version, so that the first client does not wait for it.

`assets.extra/tf_serving_warmup_requests`: a TFRecord of PredictionLog, one for each signature and size.
"""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import tensorflow as tf

from data_pipelines.runtime.files import join_path
from data_pipelines.runtime.pipelines import disable_tuner
from fgseg_tf.serving import parity
from fgseg_tf.serving.saved_model import (
    BYTES,
    DEFAULT,
    ENCODE,
    ENCODE_KNOWN,
    FLOAT,
    SEGMENT,
    SEGMENT_KNOWN,
)

FOLDER, FILE = "assets.extra", "tf_serving_warmup_requests"
Requests = list[tuple[str, dict]]  # names of signatures, each with its inputs by name


def import_protos() -> tuple[ModuleType, ModuleType]:
    """Returns the modules predict_pb2 and prediction_log_pb2 of tensorflow_serving.apis.

    Raises:
        ValueError: They are not installed; says how to install them.
    """
    try:
        from tensorflow_serving.apis import predict_pb2, prediction_log_pb2
    except ImportError as error:
        raise ValueError(
            "warm-up requests are written with tensorflow-serving-api: pip install 'fgseg_tf[serving]', or export "
            "with `nowarmup`."
        ) from error
    return predict_pb2, prediction_log_pb2


def make_requests(signatures: dict[str, Callable], side: int) -> Requests:
    """Returns a request for each signature, after having run it once.

    Args:
        signatures: Of the loaded SavedModel.
        side: Longer side of the pictures, pixels.

    Returns:
        As `Requests` says.
    """
    (pair,) = parity.make_pairs(side, ((0.75, 1.0, 1),))
    files = {f"{name}_bytes": [tf.io.encode_jpeg(picture[0]).numpy()] for name, picture in pair.items()}
    floats = {name: (picture / 255).astype("f4") for name, picture in pair.items()}
    background = {"bg": pair["bg"]}
    known_background = {"bg": pair["bg"], "bg_depth": parity.make_depths(pair["bg"])}
    encoded, encoded_known = (
        {key: value.numpy() for key, value in signatures[name](**_as_tensors(given)).items()}
        for name, given in ((ENCODE, background), (ENCODE_KNOWN, known_background))
    )
    requests = [
        (DEFAULT, pair),
        (FLOAT, floats),
        (BYTES, files),
        (ENCODE, background),
        (SEGMENT, {"fg_bg": pair["fg_bg"], **encoded}),
        (ENCODE_KNOWN, known_background),
        (SEGMENT_KNOWN, {"fg_bg": pair["fg_bg"], **encoded_known}),
    ]
    return _run_each(signatures, requests)


def make_camera_requests(signatures: dict[str, Callable], bg: np.ndarray) -> Requests:
    """Returns a request for each signature of the SavedModel of a camera, after having run it once.

    Args:
        signatures: Of the loaded SavedModel.
        bg: Its background, uint8 [H, W, 3].
    """
    frame = parity.draw_frames(bg, 1)
    files = {"fg_bg_bytes": [tf.io.encode_jpeg(frame[0]).numpy()]}
    floats = {"fg_bg": (frame / 255).astype("f4")}
    return _run_each(signatures, [(DEFAULT, {"fg_bg": frame}), (FLOAT, floats), (BYTES, files)])


def _run_each(signatures: dict[str, Callable], requests: Requests) -> Requests:
    if left_out := set(signatures) - {signature for signature, _ in requests}:
        raise ValueError(f"no warm-up request for {', '.join(sorted(left_out))}.")
    for signature, inputs in requests:
        signatures[signature](**_as_tensors(inputs))
    return requests


def _as_tensors(inputs: dict) -> dict[str, tf.Tensor]:
    return {key: tf.constant(value) for key, value in inputs.items()}


def write_requests(folder: str, name: str, requests: Requests) -> None:
    """Writes requests where TF Serving looks for them.

    Args:
        folder: Of the SavedModel.
        name: That the model is served under.
        requests: As `make_requests` and `make_camera_requests` return them.
    """
    predict_pb2, prediction_log_pb2 = import_protos()
    tf.io.gfile.makedirs(join_path(folder, FOLDER))
    with tf.io.TFRecordWriter(join_path(folder, FOLDER, FILE)) as writer:
        for signature, inputs in requests:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = name
            request.model_spec.signature_name = signature
            for key, value in inputs.items():
                request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


def read_requests(folder: str) -> list[tuple[str, str, dict]]:
    """Returns (name of the model, signature, inputs) of each request of a SavedModel."""
    _, prediction_log_pb2 = import_protos()
    requests = []
    for record in disable_tuner(tf.data.TFRecordDataset(join_path(folder, FOLDER, FILE))):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        requests.append((request.model_spec.name, request.model_spec.signature_name, inputs))
    return requests
