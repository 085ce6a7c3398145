"""The network as it is used gives the answers of the network that was trained."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from repository import ROOT

from fgseg_tf.model import fold

pytestmark = pytest.mark.both_stacks


def pictures(height: int = 37, width: int = 50) -> dict:
    rng = np.random.default_rng(1)
    return {name: rng.random((2, height, width, 3)).astype("f4") for name in ("bg", "fg_bg")}


def compare(answer: dict, expected: dict) -> None:
    for name in ("mask", "depth"):
        value = np.asarray(expected[name])
        assert value.std() > 1e-3, "an answer that says nothing compares well with anything"
        np.testing.assert_allclose(np.asarray(answer[name]), value, atol=1e-5)


@pytest.mark.parametrize("size", [(37, 50), (64, 32), (8, 8)])
def test_without_batchnorm(untrained_network, size):
    network, pair = untrained_network, pictures(*size)
    folded = fold.fold_batch_norm(network)
    compare(folded(pair, training=False), network(pair, training=False))
    assert not [layer for part in folded.layers for layer in getattr(part, "layers", []) if "batch" in layer.name]
    assert folded.count_params() < network.count_params()


@pytest.mark.parametrize("size", [(40, 56), (64, 32), (8, 8), (24, 8)])
def test_the_two_halves_are_the_whole(untrained_network, size):
    network, pair = untrained_network, pictures(*size)
    once, rest = fold.split_background_half(network)
    features = once(pair["bg"], training=False)
    named = {f"features_{number}": np.asarray(feature) for number, feature in enumerate(features)}
    compare(rest({"fg_bg": pair["fg_bg"], **named}, training=False), network(pair, training=False))


def test_the_network_stays_as_it_is(untrained_network):
    network, pair = untrained_network, pictures()
    before = {name: np.asarray(value) for name, value in network(pair, training=False).items()}
    fold.split_background_half(network), fold.fold_batch_norm(network)
    for name, value in network(pair, training=False).items():
        np.testing.assert_array_equal(np.asarray(value), before[name])
    fold.split_background_half(network)  # and again: nothing of the first time is in the way


def test_much_of_the_work_depends_on_the_background_alone(untrained_network):
    """Or a fixed camera would save nothing by computing it once."""
    network = untrained_network
    once, rest = fold.split_background_half(network)
    assert once.count_params() > 0.33 * network.count_params()
    # What is done once is not done again.
    assert once.count_params() + rest.count_params() < 1.02 * network.count_params()


def test_a_normalization_must_follow_a_convolution():
    x = keras.Input((None, None, 3))
    part = keras.Model(x, keras.layers.BatchNormalization()(keras.layers.Activation("relu")(x)))
    with pytest.raises(ValueError, match=r"follows activation.*, not a convolution without a bias"):
        fold._fold_part(part)


def test_a_network_of_another_process(tmp_path):
    """Its layers have the names that this process would give to new ones."""
    imports = "import sys, keras; from fgseg_tf.model import fold\n"
    imports += "from fgseg_tf.model.two_branch import ARCHITECTURES, build\n"
    save = "build(ARCHITECTURES['small']).save(sys.argv[1])"
    load = "fold.split_background_half(keras.saving.load_model(sys.argv[1], compile=False)); print('cut')"
    for work, said in ((save, ""), (load, "cut")):
        command = [sys.executable, "-c", imports + work, str(tmp_path / "model.keras")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        assert said in done.stdout
