"""The network for other places than TF Serving: LiteRT (TFLite) files, and ONNX.

All of them take bg, fg_bg: float32 [1, H, W, 3] from 0 to 1, of one size, and return mask [1, H, W, 1] from 0 to 1 and
depth [1, H, W, 1] in the unit of the run. Each is compared with the Keras network on the same pictures before it is
written, and is not written if it is further off than TOLERANCES say.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

from data_pipelines.runtime.files import join_path, write_atomic
from data_pipelines.runtime.onnx_runtime import import_onnxruntime
from fgseg_tf.model import fold
from fgseg_tf.model.depth_code import decode_depth, encode_depth
from fgseg_tf.serving.parity import ParityError
from fgseg_tf.serving.saved_model import hold_weights

# Mean absolute difference to the Keras network: of masks, and of depth's code (0.01 of which is 7 % of a distance).
TOLERANCES = {"tflite_float16": (0.002, 0.002), "tflite_int8": (0.02, 0.015), "onnx": (1e-5, 1e-5)}
FILES = {"tflite_float16": "float16.tflite", "tflite_int8": "int8.tflite", "onnx": "network.onnx"}
NAMES = ("mask", "depth")
ONNX_OPSET = 17
# What is computed in float where all else is in 8 bits. In steps of 1/256 of the farthest depth, what is near would be
# anywhere: metres are made of the code in float.
FLOAT_OPS = ("EXP", "MUL")


def convert(kind: str, network: keras.Model, size: tuple[int, int], calibration: Iterable[dict]) -> bytes:
    """Returns the content of a file.

    Args:
        kind: A key of TOLERANCES.
        network: A network of `model.two_branch`.
        size: Height and width of the pictures that the file takes.
        calibration: bg and fg_bg, float32 [1, H, W, 3], as they will be in use; for int8 only.
    """
    used = fold.fold_batch_norm(network)
    return convert_function(kind, _function(used, size), hold_weights(used), calibration)


def convert_function(
    kind: str,
    predict: Callable,
    module: tf.Module,
    calibration: Iterable[dict],
    float_ops: Sequence[str] = FLOAT_OPS,
) -> bytes:
    """Returns the content of a file.

    Args:
        kind: A key of TOLERANCES.
        predict: A `tf.function` with one signature of static shapes, that returns a dict with NAMES.
        module: Holds its weights.
        calibration: Inputs as they will be in use, by name; for int8 only.
        float_ops: Operations of LiteRT that int8 computes in float.
    """
    if kind == "onnx":
        return _onnx(predict)
    return _tflite(predict, module, calibration if kind == "tflite_int8" else None, float_ops)


def check(kind: str, content: bytes, network: keras.Model, pairs: Iterable[dict]) -> tuple[float, float]:
    """Returns the mean absolute differences of mask and of depth's code to the Keras network.

    Raises:
        ParityError: One is over its tolerance.
    """
    run = open_file(kind, content)
    differences = []
    for pair in pairs:
        wanted, result = network(pair, training=False), run(pair)
        code = encode_depth(result["depth"]).numpy()
        differences.append(
            [np.abs(result["mask"] - wanted["mask"].numpy()).mean(), np.abs(code - wanted["depth"].numpy()).mean()]
        )
    mask, depth = np.mean(differences, axis=0)
    return require_close(kind, float(mask), float(depth))


def open_file(kind: str, content: bytes) -> Callable[[dict], dict]:
    """Returns a function that runs a file: from inputs by name to outputs by name."""
    return _onnx_runner(content) if kind == "onnx" else _tflite_runner(content)


def require_close(kind: str, mask: float, depth: float) -> tuple[float, float]:
    """Returns mean absolute differences, of mask and of depth's code, as they are.

    Raises:
        ParityError: One is over its tolerance.
    """
    for name, error, most in zip(NAMES, (mask, depth), TOLERANCES[kind], strict=True):
        if not error <= most:
            raise ParityError(
                f"{kind}: {name} is off by {error:.2g} in the mean, at most {most:g}; it was not written."
            )
    return mask, depth


def write(folder: str, kind: str, content: bytes) -> str:
    """Writes the file; returns its path."""
    where = join_path(folder, FILES[kind])
    write_atomic(where, content)
    return where


def _function(used: keras.Model, size: tuple[int, int]):
    specs = [tf.TensorSpec([1, *size, 3], tf.float32, name) for name in ("bg", "fg_bg")]

    @tf.function(input_signature=specs)
    def predict(bg, fg_bg):
        predicted = used({"bg": bg, "fg_bg": fg_bg}, training=False)
        return {"mask": predicted["mask"], "depth": decode_depth(predicted["depth"])}

    return predict


def _tflite(predict, module: tf.Module, calibration, float_ops: Sequence[str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, predict.get_concrete_function())
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        with _without_warnings():
            if calibration is None:
                converter.target_spec.supported_types = [tf.float16]
                return converter.convert()
            return _int8(converter, calibration, float_ops)


def _int8(converter: tf.lite.TFLiteConverter, calibration: Iterable[dict], float_ops: Sequence[str]) -> bytes:
    def examples():
        return ({key: np.asarray(value) for key, value in pair.items()} for pair in calibration)

    converter.representative_dataset = examples
    apart = tf.lite.experimental.QuantizationDebugOptions(denylisted_ops=list(float_ops))
    made = tf.lite.experimental.QuantizationDebugger(converter=converter, debug_dataset=examples, debug_options=apart)
    return made.get_nondebug_quantized_model()


def _onnx(predict) -> bytes:
    try:
        import tf2onnx
    except ImportError as error:
        raise ValueError("ONNX is written with tf2onnx: pip install 'fgseg_tf[onnx]'.") from error
    model, _ = tf2onnx.convert.from_function(predict, predict.input_signature, opset=ONNX_OPSET)
    return model.SerializeToString()


def _tflite_runner(content: bytes) -> Callable[[dict], dict]:
    with _without_warnings():
        interpreter = tf.lite.Interpreter(model_content=content)
    signature = interpreter.get_signature_runner()
    return lambda pair: signature(**{key: np.asarray(value) for key, value in pair.items()})


def _onnx_runner(content: bytes) -> Callable[[dict], dict]:
    onnxruntime = import_onnxruntime()

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda pair: dict(
        zip(NAMES, session.run(list(NAMES), {key: np.asarray(value) for key, value in pair.items()}), strict=True)
    )


@contextmanager
def _without_warnings():
    """That the interpreter will move to another package."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
