"""Masks and depth for a fixed camera, from one picture of the empty scene and a frame.

The Python API is what `__all__` names:

    segmenter = fgseg_tf.load("base")
    camera = segmenter.camera("empty.jpg")
    result = camera.segment("frame.jpg")

Everything else may move between versions. Nothing is loaded before it is asked for, so a process can set up TensorFlow
as it likes first.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from data_pipelines.config import DatasetConfig, PlacementConfig, SourcesConfig, TeacherConfig
    from fgseg_tf.api import load, open_data
    from fgseg_tf.calibration.camera_folder import CameraSetup, read_camera, write_camera
    from fgseg_tf.data.base import Data, Order
    from fgseg_tf.inference.objects import SceneObject
    from fgseg_tf.inference.segmenter import Camera, Result, Segmenter

__all__ = [
    "Camera",
    "CameraSetup",
    "Data",
    "DatasetConfig",
    "Order",
    "PlacementConfig",
    "Result",
    "SceneObject",
    "Segmenter",
    "SourcesConfig",
    "TeacherConfig",
    "load",
    "open_data",
    "read_camera",
    "write_camera",
]
_MODULES = {
    "data_pipelines.config": ("DatasetConfig", "PlacementConfig", "SourcesConfig", "TeacherConfig"),
    "fgseg_tf.api": ("load", "open_data"),
    "fgseg_tf.calibration.camera_folder": ("CameraSetup", "read_camera", "write_camera"),
    "fgseg_tf.data.base": ("Data", "Order"),
    "fgseg_tf.inference.objects": ("SceneObject",),
    "fgseg_tf.inference.segmenter": ("Camera", "Result", "Segmenter"),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return __all__
