"""Files given as ONNX networks that are none."""

import os

import pytest

from data_pipelines.teacher.loading import load_relative_teacher

pytest.importorskip("onnxruntime", reason="pip install '.[onnx]'")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.onnx")
    (tmp_path / "folder.onnx").mkdir()
    (tmp_path / "zeros.onnx").symlink_to("/dev/zero")
    for name in ("pipe", "folder", "zeros"):
        with pytest.raises(ValueError, match=rf"{name}\.onnx is not a regular file; give the ONNX file itself\."):
            load_relative_teacher(f"{tmp_path}/{name}.onnx")
