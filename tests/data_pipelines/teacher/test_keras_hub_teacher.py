"""Depth estimators of KerasHub as teachers: a tiny one of random weights, read from its folder without a network."""

import importlib.util
import json
import sys

import keras
import numpy as np
import pytest
from PIL import Image
from tiny_preset import SIDE, save_classifier_preset, save_depth_preset

from data_pipelines.teacher.loading import load_relative_teacher

needs_keras_hub = pytest.mark.skipif(importlib.util.find_spec("keras_hub") is None, reason="pip install '.[keras-hub]'")
PICTURE = np.random.default_rng(5).integers(0, 256, (24, 56, 3), dtype=np.uint8)


def stretch_by_hand(picture):
    """Returns the picture as a batch of one that is as wide as high."""
    return np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BILINEAR)).astype(np.float32)[None]


@needs_keras_hub
def test_a_preset_says_what_the_estimator_says_of_the_whole_picture(tmp_path, capsys):
    estimator = save_depth_preset(tmp_path / "tiny")
    teacher = load_relative_teacher(f"keras_hub:{tmp_path}/tiny")
    assert (teacher.name, len(teacher.digest)) == ("tiny", 64)
    assert teacher.description == "32 x 32, its own preprocessing; its larger values are nearer"
    assert "downloads" not in capsys.readouterr().out
    estimator.preprocessor = None
    expected = estimator.predict(stretch_by_hand(PICTURE) / 255, verbose=0)["depths"][0, :, :, 0]
    np.testing.assert_allclose(teacher.ask(PICTURE), expected, atol=1e-4)
    values = teacher.predict_inverse_depth(PICTURE)
    assert (values.shape, values.dtype) == ((24, 56), np.float32)
    # The converter of KerasHub would cut off 16 columns on each side, and never see this one.
    other = PICTURE.copy()
    other[:, :4] = 255 - other[:, :4]
    assert np.abs(teacher.predict_inverse_depth(other) - values).max() > 1e-3


@needs_keras_hub
def test_without_preprocessing_the_range_is_the_users(tmp_path):
    estimator = save_depth_preset(tmp_path / "bare", with_preprocessing=False)
    for input_range, divisor in (("255", 1), ("one", 255)):
        teacher = load_relative_teacher(f"keras_hub:{tmp_path}/bare", input_range)
        assert teacher.description == f"32 x 32, input range {input_range}; its larger values are nearer"
        expected = estimator.predict(stretch_by_hand(PICTURE) / divisor, verbose=0)["depths"][0, :, :, 0]
        np.testing.assert_allclose(teacher.ask(PICTURE), expected, atol=1e-4)


@needs_keras_hub
def test_metres_are_turned_round(tmp_path):
    estimator = save_depth_preset(tmp_path / "metric", kind="metric")
    estimator.preprocessor = None
    metres = estimator.predict(stretch_by_hand(PICTURE) / 255, verbose=0)["depths"][0, :, :, 0]
    assert 0 < metres.min() < metres.max() < 8
    teacher = load_relative_teacher(f"keras_hub:{tmp_path}/metric")
    np.testing.assert_allclose(teacher.ask(PICTURE), 1 / metres, rtol=1e-4)
    assert teacher.description.endswith("its larger values are farther")


@needs_keras_hub
def test_what_is_no_preset_of_depth_is_refused(tmp_path, capsys, monkeypatch):
    save_classifier_preset(tmp_path / "classes")
    (tmp_path / "empty").mkdir()
    save_depth_preset(tmp_path / "cut")
    (tmp_path / "cut" / "model.weights.h5").write_bytes(b"\x89HDF")
    for name, sentence in (
        (
            f"{tmp_path}/classes",
            "classes is not a preset of KerasHub's DepthEstimator that can be .*: Unable to .* depth estimator",
        ),
        (f"{tmp_path}/empty", "empty is not a preset of KerasHub's DepthEstimator that can be loaded: .* no config"),
        (f"{tmp_path}/cut", "cut cannot be read"),
        ("depth_anything_v9", "no preset of depth of this name, and there is no such folder; take depth_anything_v2_"),
        ("resnet_18_imagenet", "no preset of depth of this name"),
    ):
        with pytest.raises(ValueError, match=sentence) as refused:
            load_relative_teacher(f"keras_hub:{name}")
        assert "\n" not in str(refused.value)
    assert capsys.readouterr().out.count("downloads") == 0
    # Nobody listens there: as without a network.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "cache"))
    name = "keras_hub:depth_anything_v2_small"
    with pytest.raises(ValueError, match=f"{name} cannot be downloaded .*give the folder of a preset instead") as error:
        load_relative_teacher(name)
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out.startswith(f"{name}: KerasHub downloads these weights now, unless it has them")


@pytest.mark.skipif(keras.__version__.startswith("2."), reason="KerasHub wants Keras 3")
@pytest.mark.parametrize(
    "part", [{"module": "pydoc", "class_name": "pipepager"}, {"module": "keras.layers", "class_name": "Lambda"}]
)
def test_a_preset_that_names_code_is_not_opened(tmp_path, part):
    (tmp_path / "config.json").write_text(
        json.dumps({"module": "keras_hub.models", "class_name": "X", "config": {"layers": [1, "a", part]}})
    )
    with pytest.raises(ValueError, match=rf"config\.json names code .*\({part['class_name']} of {part['module']}\)"):
        load_relative_teacher(f"keras_hub:{tmp_path}")


def test_flags_of_onnx_files_are_refused():
    with pytest.raises(ValueError, match="`teacher_polarity` is for ONNX files; keras_hub:x says itself"):
        load_relative_teacher("keras_hub:x", polarity="farther")
    with pytest.raises(ValueError, match="`teacher_size` is for ONNX files"):
        load_relative_teacher("keras_hub:x", size=(32, 32))


@pytest.mark.both_stacks
def test_where_keras_hub_cannot_be(monkeypatch, tmp_path):
    monkeypatch.setattr(keras, "__version__", "2.15.0")
    with pytest.raises(ValueError, match=r"keras_hub:x needs Keras 3, and this is Keras 2\.15\.0; use the default"):
        load_relative_teacher("keras_hub:x")
    monkeypatch.setattr(keras, "__version__", "3.15.0")
    with pytest.raises(ValueError, match="there is no such folder; give one that save_to_preset of KerasHub wrote"):
        load_relative_teacher(f"keras_hub:{tmp_path}/none")
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ValueError, match=r"run by KerasHub \(.*\): pip install 'fgseg_tf\[keras-hub\]'\."):
        load_relative_teacher("keras_hub:x")
