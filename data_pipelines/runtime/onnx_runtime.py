"""Loads ONNX Runtime, which from version 1.29 on tells its maker of every network that it opens, by name."""

import os


def import_onnxruntime():
    """Returns the module onnxruntime, told before it is loaded to send nothing, unless the user has said otherwise.

    Raises:
        ImportError: it is not installed.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime
