"""The teacher: shapes, upsampling, the encoder against Keras's own, and every way a weight file can be wrong."""

import hashlib
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest

from data_pipelines.teacher import network as teacher_network
from data_pipelines.teacher import weights as teacher_weights
from data_pipelines.teacher.network import DepthNetwork

pytestmark = pytest.mark.both_stacks

# The published layout at a size that builds in no time: one dense layer a block.
TINY = DepthNetwork(stem_filters=4, growth=2, blocks=(1, 1, 1, 1), bottleneck=16, leaky_convolutions=1)
SKIPS = ("conv1_relu", "pool1", "pool2_pool", "pool3_pool")


def picture(height, width, seed=0):
    return np.random.default_rng(seed).random((2, height, width, 3), dtype="float32")


def randomise(network, seed):
    """Values that no initialiser gives, so that a weight left out or swapped shows in the output."""
    random = np.random.default_rng(seed)
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            kernel = layer.get_weights()[0]
            scale = 1 / np.sqrt(np.prod(kernel.shape[:3]))
            layer.set_weights([random.normal(0, scale, np.shape(array)) for array in layer.get_weights()])
        elif isinstance(layer, keras.layers.BatchNormalization):
            layer.set_weights([random.uniform(0.5, 1.5, np.shape(array)) for array in layer.get_weights()])


def published_name(name):
    return name.replace("conv1_", "conv1/", 1) if name in ("conv1_conv", "conv1_bn", "conv1_relu") else name


def write_published(path, network, root="model_weights"):
    """Writes what Keras 2's model.save writes (root="") or save_weights, by hand: names as bytes, layer in layer."""
    with h5py.File(path, "w") as file:
        group = file.create_group(root) if root else file
        names = [published_name(layer.name) for layer in network.layers]
        group.attrs["layer_names"] = np.array([name.encode() for name in names])
        group.attrs["backend"] = b"tensorflow"
        for layer, name in zip(network.layers, names, strict=True):
            layer_group = group.create_group(name)
            weight_names = []
            for kind, kind_names in (
                (keras.layers.Conv2D, ["kernel", "bias"]),
                (keras.layers.BatchNormalization, ["gamma", "beta", "moving_mean", "moving_variance"]),
            ):
                if isinstance(layer, kind):
                    weight_names = [f"{name}/{weight}:0" for weight in kind_names[: len(layer.weights)]]
            layer_group.attrs["weight_names"] = np.array([weight.encode() for weight in weight_names])
            for weight, array in zip(weight_names, layer.get_weights() if weight_names else [], strict=True):
                layer_group.create_dataset(weight, data=array)


@pytest.fixture
def tiny_published(monkeypatch, tmp_path):
    """A published file of a tiny network, `load_teacher` expecting that network, and the network itself."""
    monkeypatch.setattr(teacher_network, "DENSENET169", TINY)
    network = teacher_network.build_network(TINY, (32, 64))
    randomise(network, seed=1)
    path = tmp_path / "tiny_nyu.h5"
    write_published(path, network)
    return path, network


@pytest.fixture(scope="module")
def densenet169():
    return teacher_network.build_network(teacher_network.DENSENET169, (64, 32))


# ---- upsampling --------------------------------------------------------------------------------------------------


def test_interpolation_matrix_keeps_the_ends():
    expected = [[1, 0], [2 / 3, 1 / 3], [1 / 3, 2 / 3], [0, 1]]
    np.testing.assert_allclose(teacher_network.make_interpolation_matrix(2), expected, atol=1e-7)


def test_interpolation_matrix_of_one_row_repeats_it():
    np.testing.assert_array_equal(teacher_network.make_interpolation_matrix(1), [[1], [1]])


def test_doubling_is_corner_aligned_bilinear():
    x = keras.Input((2, 3, 2))
    doubling = keras.Model(x, teacher_network.double_corner_aligned(x))
    rows = np.array([[0, 5, 10], [30, 35, 40]], "float32")  # 5 a column, 30 a row
    doubled = np.array(doubling(np.stack([rows, -rows], axis=-1)[np.newaxis]))
    # Six columns over two steps of 5: 2 each. Four rows over one step of 30: 10 each.
    expected = np.array([[column * 2 + row * 10 for column in range(6)] for row in range(4)])
    np.testing.assert_allclose(doubled[0, ..., 0], expected, atol=1e-5)
    np.testing.assert_allclose(doubled[0, ..., 1], -expected, atol=1e-5)


def test_doubling_differs_from_edge_aligned_between_corners():
    x = keras.Input((1, 3, 1))
    doubling = keras.Model(x, teacher_network.double_corner_aligned(x))
    doubled = np.array(doubling(np.array([[[[0.0], [10.0], [0.0]]]], "float32")))
    # Positions 0, .4, .8, 1.2, 1.6, 2 (edge-aligned would give 0, 2.5, 7.5, 7.5, 2.5, 0).
    np.testing.assert_allclose(doubled[0, 0, :, 0], [0, 4, 8, 8, 4, 0], atol=1e-5)


# ---- network -----------------------------------------------------------------------------------------------------


def test_output_is_half_the_picture_with_one_channel(densenet169):
    assert densenet169.output_shape == (None, 32, 16, 1)
    assert teacher_network.build_network(TINY, (32, 96)).output_shape == (None, 16, 48, 1)


def test_densenet169_has_the_papers_size(densenet169):
    weights = [
        layer.get_weights() for layer in densenet169.layers if not isinstance(layer, teacher_network.DoubledRows)
    ]
    parameters = sum(array.size for arrays in weights for array in arrays)
    assert round(parameters / 1e6, 1) == 42.8  # of which 0.2 are the statistics of batch normalisation
    assert densenet169.get_layer("up4_convB").output.shape[1:] == (
        32,
        16,
        104,
    )  # the last row but one of the paper's table


def test_small_fits_the_package():
    network = teacher_network.build_network(teacher_network.SMALL, (32, 64))
    weights = [layer.get_weights() for layer in network.layers if not isinstance(layer, teacher_network.DoubledRows)]
    assert 2e6 < sum(array.size for arrays in weights for array in arrays) < 4.3e6


def test_exponential_answer_is_the_exponential_of_the_last_convolution():
    linear = teacher_network.build_network(TINY, (32, 64))
    randomise(linear, seed=3)
    positive = teacher_network.build_network(replace(TINY, exponential=True), (32, 64))
    positive.set_weights(linear.get_weights())
    answer = np.array(linear(picture(32, 64)))
    assert answer.min() < 0
    np.testing.assert_allclose(np.array(positive(picture(32, 64))), np.exp(answer), rtol=1e-5)


def test_second_leaky_convolution_changes_the_answer():
    one, two = (
        teacher_network.build_network(TINY, (32, 64)),
        teacher_network.build_network(replace(TINY, leaky_convolutions=2), (32, 64)),
    )
    randomise(one, seed=4)
    two.set_weights(one.get_weights())
    assert np.abs(np.array(one(picture(32, 64))) - np.array(two(picture(32, 64)))).max() > 1e-3


def test_weights_fit_another_size():
    trained, larger = teacher_network.build_network(TINY, (32, 64)), teacher_network.build_network(TINY, (96, 32))
    randomise(trained, seed=5)
    stored = {
        layer.name: dict(zip(names, layer.get_weights(), strict=True))
        for layer, names in teacher_weights._layers_with_weights(trained)
    }
    teacher_weights.assign_weights(larger, teacher_weights.StoredLayers(stored), "memory")
    np.testing.assert_array_equal(larger.get_layer("conv3").get_weights()[0], stored["conv3"]["kernel"])


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((224, 100), r"`teacher_size`=224x100: the width 100 is not a multiple of 32; take 96"),
        ((15, 32), r"the height 15 is not a multiple of 32; take 32"),
    ],
)
def test_size_that_does_not_halve_five_times_is_refused(size, message):
    with pytest.raises(ValueError, match=message):
        teacher_network.build_network(TINY, size)


def test_network_survives_saving(tmp_path):
    network = teacher_network.build_network(TINY, (32, 64))
    randomise(network, seed=6)
    network.save(tmp_path / "network.keras")
    again = keras.models.load_model(tmp_path / "network.keras")
    np.testing.assert_allclose(np.array(again(picture(32, 64))), np.array(network(picture(32, 64))), atol=1e-6)


# ---- the encoder against Keras's own -----------------------------------------------------------------------------


def encoders(densenet169):
    ours = keras.Model(densenet169.input, [densenet169.get_layer(name).output for name in (*SKIPS, "relu")])
    theirs = keras.applications.DenseNet169(weights=None, include_top=False, input_shape=(64, 32, 3))
    randomise(theirs, seed=7)
    separator = "/" if keras.__version__ < "3" else "_"
    names = ["conv1" + separator + "relu", *SKIPS[1:], "relu"]
    return ours, theirs, keras.Model(theirs.input, [theirs.get_layer(name).output for name in names])


def assert_same_features(ours, theirs):
    for name, mine, expected in zip((*SKIPS, "relu"), ours(picture(64, 32)), theirs(picture(64, 32)), strict=True):
        assert np.std(expected) > 1e-3, name
        np.testing.assert_allclose(np.array(mine), np.array(expected), atol=1e-5, rtol=1e-4, err_msg=name)


@pytest.mark.skipif(keras.__version__ >= "3", reason="Keras 3 no longer writes files in the published layout")
def test_file_that_keras_2_wrote_gives_its_features(densenet169, tmp_path):
    ours, theirs, features = encoders(densenet169)
    theirs.save_weights(tmp_path / "theirs.h5")
    with teacher_weights.open_h5(tmp_path / "theirs.h5") as stored:
        teacher_weights.assign_weights(ours, stored, tmp_path / "theirs.h5")
    assert_same_features(ours, features)


@pytest.mark.skipif(keras.__version__ < "3", reason="on Keras 2 the same is shown through a file that Keras wrote")
def test_encoder_gives_keras_own_features(densenet169):
    ours, theirs, features = encoders(densenet169)
    for layer in theirs.layers:
        if layer.weights:
            ours.get_layer(layer.name).set_weights(layer.get_weights())
    assert_same_features(ours, features)


# ---- published files ---------------------------------------------------------------------------------------------


def test_published_densenet169_gives_the_same_answer_bit_for_bit(densenet169, tmp_path):
    randomise(densenet169, seed=8)
    write_published(tmp_path / "nyu.h5", densenet169)
    loaded = teacher_network.load_teacher(str(tmp_path / "nyu.h5"), (64, 32))
    assert (loaded.input_size, loaded.max_depth) == ((64, 32), 10.0)
    np.testing.assert_array_equal(np.array(loaded.network(picture(64, 32))), np.array(densenet169(picture(64, 32))))


@pytest.mark.parametrize("root", ["model_weights", ""], ids=["whole model", "weights only"])
def test_both_layouts_load(tiny_published, root):
    path, network = tiny_published
    write_published(path, network, root)
    loaded = teacher_network.load_teacher(str(path), (32, 64))
    np.testing.assert_array_equal(np.array(loaded.network(picture(32, 64))), np.array(network(picture(32, 64))))


@pytest.mark.parametrize("variant", [{"leaky_convolutions": 2}, {"bottleneck": 32}])
def test_file_says_which_variant_it_is(tiny_published, variant):
    path, _ = tiny_published
    network = teacher_network.build_network(replace(TINY, **variant), (32, 64))
    randomise(network, seed=9)
    write_published(path, network)
    loaded = teacher_network.load_teacher(str(path), (32, 64))
    np.testing.assert_array_equal(np.array(loaded.network(picture(32, 64))), np.array(network(picture(32, 64))))


@pytest.mark.parametrize(
    ("name", "asked", "max_depth"),
    [("NYU_v2.h5", None, 10.0), ("my_kitti.h5", None, 80.0), ("mine.h5", 25, 25.0), ("nyu.h5", 12.5, 12.5)],
)
def test_max_depth_from_name_or_caller(tiny_published, name, asked, max_depth):
    path = tiny_published[0].rename(tiny_published[0].with_name(name))
    assert teacher_network.load_teacher(str(path), (32, 64), asked).max_depth == max_depth


@pytest.mark.parametrize("name", ["mine.h5", "nyu_and_kitti.h5"])
def test_max_depth_is_asked_for(tiny_published, name):
    path = tiny_published[0].rename(tiny_published[0].with_name(name))
    with pytest.raises(ValueError, match=rf"{name}: the name says neither .*so say it \(`teacher_max_depth`\)"):
        teacher_network.load_teacher(str(path), (32, 64))


def rename_layer(group, old, new):
    names = [new.encode() if name == old.encode() else name for name in group.attrs["layer_names"]]
    group.attrs["layer_names"] = np.array(names)
    if old in group:
        group.move(old, new)


def drop_layer(group, name):
    group.attrs["layer_names"] = np.array([other for other in group.attrs["layer_names"] if other != name.encode()])
    del group[name]


def replace_array(group, dataset, array):
    del group[dataset]
    group[dataset] = array


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            lambda group: drop_layer(group, "up2_convA"),
            r"tiny_nyu\.h5: layer up2_convA is absent in the file, kernel \(3, 3, 11, 4\), bias \(4,\) here\. .* take",
        ),
        (
            lambda group: drop_layer(group, "conv1/bn"),
            r"layer conv1_bn is absent in the file, gamma \(4,\), beta \(4,\), moving_mean \(4,\)",
        ),
        (
            lambda group: rename_layer(group, "conv3", "conv4"),
            r"layer conv3 is absent .*\(and 1 more layers that do not fit\)",
        ),
        (
            lambda group: replace_array(group, "conv1/conv/conv1/conv/kernel:0", np.zeros((7, 7, 3, 5), "float32")),
            r"layer conv1_conv is kernel \(7, 7, 3, 5\) in the file, kernel \(7, 7, 3, 4\) here",
        ),
        (
            lambda group: replace_array(group, "conv3/conv3/bias:0", np.array([np.nan], "float32")),
            r"layer conv3: bias has values that are not finite",
        ),
        (lambda group: rename_layer(group, "relu", "conv2_relu"), None),
        (lambda group: drop_layer(group, "relu"), r"conv2 follows bn with no relu between them"),
        (lambda group: drop_layer(group, "up1_leakyB"), r"has 3 LeakyReLU layers, where DenseDepth has 4 or 8"),
        (lambda group: drop_layer(group, "conv2"), r"has no layers bn and conv2, so it is not DenseDepth's network"),
        (lambda group: group.attrs.pop("layer_names"), r"no Keras 2 model \(it has no layer_names\)"),
        (lambda group: group.attrs.create("layer_names", 7), r"no Keras 2 model \('.*' object is not iterable\)"),
        (lambda group: group.attrs.create("layer_names", [b"\xff"]), r"no Keras 2 model \('utf-8' codec can't "),
        (
            lambda group: group["conv3"].attrs.pop("weight_names"),
            r"no Keras 2 model \(.*can't locate attribute: 'weight_names'",
        ),
        (lambda group: lead_to(group, "conv3"), r"no Keras 2 model \(it holds no conv3\)"),
        (lambda group: lead_to(group, "conv3/conv3/bias:0"), r"no Keras 2 model \(it holds no conv3/conv3/bias:0\)"),
    ],
)
def test_file_that_does_not_fit_is_named(tiny_published, damage, message):
    path, _ = tiny_published
    with h5py.File(path, "r+") as file:
        damage(file["model_weights"])
    if message is None:  # a name that says nothing about the network
        teacher_network.load_teacher(str(path), (32, 64))
        return
    with pytest.raises(ValueError, match=message) as caught:
        teacher_network.load_teacher(str(path), (32, 64))
    assert "tiny_nyu.h5" in str(caught.value)


def test_layer_too_many_is_refused(tiny_published):
    path, _ = tiny_published
    with h5py.File(path, "r+") as file:
        group = file["model_weights"]
        group.attrs["layer_names"] = np.array([*group.attrs["layer_names"], b"fc1000"])
        group["fc1000/fc1000/kernel:0"] = np.zeros((4, 1000), "float32")
        group["fc1000"].attrs["weight_names"] = np.array([b"fc1000/kernel:0"])
    with pytest.raises(ValueError, match=r"layer fc1000 is kernel \(4, 1000\) in the file, absent here"):
        teacher_network.load_teacher(str(path), (32, 64))


def test_nothing_changes_when_a_file_does_not_fit(tiny_published):
    path, network = tiny_published
    with h5py.File(path, "r+") as file:
        replace_array(file["model_weights"], "conv3/conv3/bias:0", np.zeros(2, "float32"))
        replace_array(file["model_weights"], "conv2/conv2/bias:0", np.zeros(16, "float32"))
    before = network.get_weights()
    with teacher_weights.open_h5(path) as stored, pytest.raises(ValueError, match="layer conv3"):
        teacher_weights.assign_weights(network, stored, path)
    for old, new in zip(before, network.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def lead_to(group, path: str) -> None:
    """Puts a link to another file, where a group or an array was."""
    del group[path]
    group[path] = h5py.ExternalLink("/etc/passwd", "/")


@pytest.mark.parametrize("content", ["web page", "truncated", "empty"])
def test_file_that_is_no_hdf5_is_refused(tiny_published, content):
    path, _ = tiny_published
    whole = path.read_bytes()
    path.write_bytes({"web page": b"<html>", "truncated": whole[: len(whole) // 2], "empty": b""}[content])
    with pytest.raises(ValueError, match=r"tiny_nyu\.h5: not a whole HDF5 file .*download it again"):
        teacher_network.load_teacher(str(path), (32, 64))


def test_missing_file_is_refused():
    with pytest.raises(FileNotFoundError, match=r"`teacher_weights`=gs://bucket/nyu\.h5: there is no such local file"):
        teacher_network.load_teacher("gs://bucket/nyu.h5", (32, 64))


def test_usual_size_is_the_one_of_training(tiny_published):
    assert teacher_network.default_input_size("small") == teacher_network.default_input_size("mine.npz") == (192, 256)
    assert teacher_network.default_input_size(str(tiny_published[0])) == (480, 640)


# ---- files of tools/train_teacher.py -----------------------------------------------------------------------------


@pytest.fixture
def tiny_trained(monkeypatch, tmp_path):
    monkeypatch.setattr(teacher_network, "SMALL", TINY)
    network = teacher_network.build_network(TINY, (32, 64))
    randomise(network, seed=10)
    path = tmp_path / "trained.npz"
    teacher_weights.write_npz(path, network, repr(TINY), max_depth=40.0)
    return path, network


def test_trained_file_round_trip(tiny_trained):
    path, network = tiny_trained
    loaded = teacher_network.load_teacher(str(path), (32, 64))
    assert loaded.max_depth == 40.0
    assert teacher_network.load_teacher(str(path), (32, 64), max_depth=40.0).max_depth == 40.0
    kernel = network.get_layer("conv1_conv").get_weights()[0]
    np.testing.assert_array_equal(loaded.network.get_layer("conv1_conv").get_weights()[0], kernel.astype("float16"))
    np.testing.assert_allclose(
        np.array(loaded.network(picture(32, 64))), np.array(network(picture(32, 64))), rtol=0.02, atol=0.02
    )


def test_trained_file_says_its_own_max_depth(tiny_trained):
    with pytest.raises(
        ValueError, match=r"`teacher_max_depth`=10, but .*trained\.npz was trained with 40\.0; leave it out"
    ):
        teacher_network.load_teacher(str(tiny_trained[0]), (32, 64), max_depth=10)


def test_trained_file_of_another_design_is_refused(tiny_trained, monkeypatch):
    monkeypatch.setattr(teacher_network, "SMALL", replace(TINY, growth=3))
    with pytest.raises(ValueError, match=r"trained\.npz: was trained for .*growth=2.* this version has .*growth=3"):
        teacher_network.load_teacher(str(tiny_trained[0]), (32, 64))


def test_npz_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(ValueError, match=r"other\.npz: has no network or no max_depth, so it is not a teacher's file"):
        teacher_network.load_teacher(str(tmp_path / "other.npz"), (32, 64))


@pytest.mark.parametrize("content", ["web page", "truncated", "empty", "flipped"])
def test_file_that_is_no_npz_is_refused(tiny_trained, content):
    path, _ = tiny_trained
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 255
    path.write_bytes(
        {"web page": b"<html>", "truncated": whole[: len(whole) // 2], "empty": b"", "flipped": flipped}[content]
    )
    with pytest.raises(
        ValueError, match=r"trained\.npz is damaged, or not such .*; make it again with tools/train_teacher\.py\.$"
    ):
        teacher_network.load_teacher(str(path), (32, 64))


def test_pickled_array_is_never_opened(tmp_path):
    np.savez(tmp_path / "evil.npz", network=np.array([{"a": 1}], dtype=object), max_depth=np.array(1.0))
    with pytest.raises(ValueError, match=r"evil\.npz is damaged, .*'network' holds objects, which are never read"):
        teacher_network.load_teacher(str(tmp_path / "evil.npz"), (32, 64))


def test_small_comes_with_the_package():
    loaded = teacher_network.load_teacher("small", (64, 96))
    answer = np.array(loaded.network(picture(64, 96)))
    assert answer.shape == (2, 32, 48, 1)
    assert answer.min() > 0
    assert loaded.max_depth > 0
    assert teacher_network.SMALL_WEIGHTS.stat().st_size < 10e6


def test_digest_is_the_files(tmp_path):
    (tmp_path / "any.h5").write_bytes(b"abc")
    assert teacher_network.hash_weights(str(tmp_path / "any.h5")) == hashlib.sha256(b"abc").hexdigest()
    assert (
        teacher_network.hash_weights("small") == hashlib.sha256(teacher_network.SMALL_WEIGHTS.read_bytes()).hexdigest()
    )


def test_missing_small_names_the_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr(teacher_network, "SMALL_WEIGHTS", tmp_path / "teacher_small.npz")
    with pytest.raises(FileNotFoundError, match=r"teacher_small\.npz did not come with .*tools/train_teacher\.py"):
        teacher_network.load_teacher("small", (32, 64))
