"""Presets of KerasHub that are made in seconds and hold a few thousand random weights."""

from pathlib import Path

SIDE = 32


def save_depth_preset(folder: Path, with_preprocessing: bool = True, kind: str = "relative"):
    """Saves a depth estimator of the design of Depth Anything, for pictures of 32 x 32; returns it."""
    import keras
    import keras_hub

    keras.utils.set_random_seed(3)
    models = keras_hub.models
    encoder = models.DINOV2Backbone(
        patch_size=4, num_layers=4, hidden_dim=16, num_heads=2, intermediate_dim=32, image_shape=(SIDE, SIDE, 3)
    )
    backbone = models.DepthAnythingBackbone(
        image_encoder=encoder,
        reassemble_factors=[4, 2, 1, 0.5],
        neck_hidden_dims=[8, 8, 8, 8],
        fusion_hidden_dim=8,
        head_hidden_dim=4,
        head_in_index=-1,
        feature_keys=["stage1", "stage2", "stage3", "stage4"],
    )
    converter = keras_hub.layers.DepthAnythingImageConverter(image_size=(SIDE, SIDE), scale=1 / 255)
    estimator = models.DepthAnythingDepthEstimator(
        backbone=backbone,
        depth_estimation_type=kind,
        max_depth=8.0 if kind == "metric" else None,
        preprocessor=models.DepthAnythingDepthEstimatorPreprocessor(image_converter=converter)
        if with_preprocessing
        else None,
    )
    estimator.save_to_preset(str(folder))
    return estimator


def save_classifier_preset(folder: Path) -> None:
    """Saves a preset of another task."""
    from keras_hub import models

    backbone = models.ViTBackbone(
        image_shape=(SIDE, SIDE, 3), patch_size=16, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=8
    )
    models.ViTImageClassifier(backbone=backbone, num_classes=2).save_to_preset(str(folder))
