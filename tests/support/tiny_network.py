"""An ONNX network of a few lines, whose answer is known beforehand."""

from pathlib import Path

import numpy as np
import pytest


def write_network(path: Path, channels_first: bool, size: tuple[int, int]) -> None:
    """Writes an ONNX network that returns a row's place in the picture: larger is lower, as nearer floor is."""
    onnx = pytest.importorskip("onnx", reason="pip install '.[onnx]'")
    height, width = size
    ramp = np.repeat(np.linspace(0.1, 1, height, dtype=np.float32)[:, None], width, axis=1)
    shape = [1, 3, height, width] if channels_first else [1, height, width, 3]
    axes = [1] if channels_first else [3]
    ramp = ramp[None, None] if channels_first else ramp[None, :, :, None]
    helper = onnx.helper
    nodes = [
        helper.make_node("ReduceMean", ["picture"], ["grey"], axes=axes, keepdims=1),
        helper.make_node("Mul", ["grey", "nothing"], ["none"]),
        helper.make_node("Add", ["none", "ramp"], ["depth"]),
    ]
    graph = helper.make_graph(
        nodes,
        "ramp",
        [helper.make_tensor_value_info("picture", onnx.TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("depth", onnx.TensorProto.FLOAT, list(ramp.shape))],
        [onnx.numpy_helper.from_array(ramp, "ramp"), onnx.numpy_helper.from_array(np.float32([0]), "nothing")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.save(model, str(path))
