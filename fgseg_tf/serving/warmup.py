"""Requests that TF Serving makes to itself when it loads a version, so that the first client does not wait for it.

`assets.extra/tf_serving_warmup_requests`: a TFRecord of PredictionLog, one for each signature and size.
"""

from types import ModuleType

import tensorflow as tf

from data_pipelines.runtime.files import join_path
from data_pipelines.runtime.pipelines import disable_tuner
from fgseg_tf.serving import parity
from fgseg_tf.serving.saved_model import BYTES, DEFAULT, ENCODE, FLOAT, SEGMENT, SIGNATURES

FOLDER, FILE = "assets.extra", "tf_serving_warmup_requests"


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


def make_requests(signatures: dict, side: int) -> list[tuple[str, dict]]:
    """Returns a request for each signature, after having run it once.

    Args:
        signatures: Of the loaded SavedModel.
        side: Longer side of the pictures, pixels.

    Returns:
        Names of signatures, each with its inputs by name.
    """
    (pair,) = parity.make_pairs(side, ((0.75, 1.0, 1),))
    files = {f"{name}_bytes": [tf.io.encode_jpeg(picture[0]).numpy()] for name, picture in pair.items()}
    floats = {name: (picture / 255).astype("f4") for name, picture in pair.items()}
    encoded = {key: value.numpy() for key, value in signatures[ENCODE](bg=tf.constant(pair["bg"])).items()}
    requests = [
        (DEFAULT, pair),
        (FLOAT, floats),
        (BYTES, files),
        (ENCODE, {"bg": pair["bg"]}),
        (SEGMENT, {"fg_bg": pair["fg_bg"], **encoded}),
    ]
    for signature, inputs in requests:
        signatures[signature](**{key: tf.constant(value) for key, value in inputs.items()})
    return requests


def write_requests(folder: str, name: str, requests: list[tuple[str, dict]]) -> None:
    """Writes requests where TF Serving looks for them.

    Args:
        folder: Of the SavedModel.
        name: That the model is served under.
        requests: As `make_requests` returns them; all signatures must be there.
    """
    predict_pb2, prediction_log_pb2 = import_protos()
    left_out = set(SIGNATURES) - {signature for signature, _ in requests}
    if left_out:
        raise ValueError(f"no warm-up request for {', '.join(sorted(left_out))}.")
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
