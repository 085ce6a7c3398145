"""The network of a finished run, as a command loads it."""

import numpy as np
import pytest

from fgseg_tf.model import weights
from fgseg_tf.model.two_branch import ARCHITECTURES, build
from fgseg_tf.runs import run_folder
from fgseg_tf.runs.trained import load_trained, load_weights
from tests.support.finished_run import write_finished_run


def test_weights_of_a_run(tmp_path):
    network = build(ARCHITECTURES["small"])
    write_finished_run(str(tmp_path), "small", network)
    for name, value in load_weights(str(tmp_path)).items():
        np.testing.assert_array_equal(value, weights.get_arrays(network)[name])
    with pytest.raises(run_folder.RunError, match="is not a run"):
        load_weights(str(tmp_path / "nowhere"))


def test_what_was_learned_in_16_bits_is_used_in_32(tmp_path):
    learned = build(ARCHITECTURES["small"], precision="mixed_bfloat16")
    settings = {"network": "small", "precision": "mixed_bfloat16", "image_size": [48, 64], "stages": ["1@24"]}
    run_folder.claim(str(tmp_path), settings)
    run_folder.save_network(str(tmp_path), learned)
    found, side, origin = load_trained(str(tmp_path), "")
    assert (side, origin) == (32, str(tmp_path))
    assert {layer.compute_dtype for layer in found.get_layer("joint").layers} == {"float32"}
    for name, value in weights.get_arrays(found).items():
        np.testing.assert_array_equal(value, weights.get_arrays(learned)[name])
