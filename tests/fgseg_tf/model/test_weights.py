"""Weights as plain arrays: out of one network and into another, whatever its layers are called."""

import numpy as np
import pytest

from fgseg_tf.model import networks, weights
from fgseg_tf.model.two_branch import ARCHITECTURES, build

pytestmark = pytest.mark.both_stacks


@pytest.fixture(scope="module")
def network():
    made = build(ARCHITECTURES["small"])
    rng = np.random.default_rng(0)
    # Each array its own, statistics of BatchNorm too, or an exchange of two would not show.
    values = {
        name: rng.uniform(0.5, 1.5, value.shape).astype("f4") / 8 for name, value in weights.get_arrays(made).items()
    }
    weights.set_arrays(made, values, "these")
    for name, value in weights.get_arrays(made).items():
        np.testing.assert_array_equal(value, values[name])
    return made


def answer(network) -> dict:
    rng = np.random.default_rng(1)
    pictures = {name: rng.random((1, 24, 40, 3)).astype("f4") for name in ("bg", "fg_bg")}
    return {name: value.numpy() for name, value in network(pictures, training=False).items()}


def test_a_file_holds_all_of_it(network, tmp_path):
    path = str(tmp_path / "w.npz")
    digest = weights.save_arrays(path, network)
    other = build(ARCHITECTURES["small"])
    weights.set_arrays(other, weights.load_arrays(path, other, "train again", digest), path)
    for name, value in answer(network).items():
        np.testing.assert_allclose(answer(other)[name], value, atol=2e-3)
    assert sum(value.size for value in weights.get_arrays(network).values()) == network.count_params()
    with pytest.raises(ValueError, match=r"w\.npz is not what it was \(SHA-256 [0-9a-f]{12}, not 000000000000\)"):
        weights.load_arrays(path, other, "train again", "0" * 64)


def test_what_does_not_fit(network):
    with pytest.raises(ValueError, match=r"^mine does not fit this network: background/000/0 is \(3, 3, 12, 16\), it"):
        weights.set_arrays(build(ARCHITECTURES["base"]), weights.get_arrays(network), "mine")
    some = weights.get_arrays(network)
    some.pop("joint/003/0")
    with pytest.raises(ValueError, match="joint/003/0 is missing, it takes"):
        weights.set_arrays(network, some, "mine")


def test_packed_weights_come_back(network, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "FOLDER", str(tmp_path))
    (tmp_path / weights.CARDS).write_text('{"base": {"file": "base.npz"}}')
    settings = {"network": "small", "data": {"recipe": {"seed": 2}}, "start": "/home/me/runs/other", "stages": ["1@64"]}
    card = weights.package_network("small", network, 256, settings)
    assert weights.read_cards() == {"base": {"file": "base.npz"}, "small": card}
    assert card["recipe"] == {"seed": 2}
    assert "/home/me" not in (tmp_path / weights.CARDS).read_text()
    found, side = weights.load_packaged("small")
    assert side == 256
    for name, value in answer(network).items():
        np.testing.assert_allclose(answer(found)[name], value, atol=2e-3)
    with pytest.raises(ValueError, match="a large network does not go into the package: small, base, object_depth do"):
        weights.package_network("large", network, 256, settings)
    (tmp_path / "small.npz").write_bytes((tmp_path / "small.npz").read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"small\.npz is not what it was"):
        weights.load_packaged("small")


def test_what_does_not_come_with_the_package():
    with pytest.raises(ValueError, match=r"^huge does not come with the package; take "):
        weights.load_packaged("huge")


def test_what_comes_with_the_package_is_whole():
    for name, card in weights.read_cards().items():
        network, side = weights.load_packaged(name)
        assert network.count_params() == networks.build(name).count_params()
        assert side == card["side"] >= 96
