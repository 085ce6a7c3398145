"""The SavedModel: every signature against the Keras network, in a process without Keras, and through the C API."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from repository import ROOT
from tiny_data import DEPTH_SCALE, SIDE

from fgseg_tf.serving import parity
from fgseg_tf.serving import saved_model as serving

pytestmark = pytest.mark.both_stacks

SUPPORT = ROOT / "tests" / "support"
HEIGHT, WIDTH = 40, 48
WRONG = tf.errors.InvalidArgumentError


@pytest.fixture(scope="module")
def signatures(saved_model):
    return tf.saved_model.load(saved_model).signatures


@pytest.fixture(scope="module")
def pair() -> dict:
    return {name: tf.constant(value) for name, value in parity.make_pairs(1, ((HEIGHT, WIDTH, 2),))[0].items()}


@pytest.fixture(scope="module")
def wanted(untrained_network, pair) -> dict:
    """By hand: no larger than the network looks at, so it is the network's own answer."""
    floats = {name: value.numpy().astype("f4") / 255 for name, value in pair.items()}
    answer = untrained_network(floats, training=False)
    mask, code = (np.asarray(answer[name]) for name in ("mask", "depth"))
    assert mask.std() > 1e-2
    assert code.std() > 1e-2
    return {"mask": mask, "depth": 0.25 * 1024**code}


def close(answer: dict, wanted: dict) -> None:
    np.testing.assert_allclose(answer["mask"], wanted["mask"], atol=1e-5)
    np.testing.assert_allclose(answer["depth"], wanted["depth"], rtol=1e-4)


def test_every_signature_answers_as_the_network_does(untrained_network, untrained_object_depth, saved_model):
    worst = parity.check_saved_model(untrained_network, SIDE, DEPTH_SCALE, saved_model, untrained_object_depth)
    assert 0 < worst < 1e-5


def test_names_are_as_promised(signatures):
    given = {name: set(signature.structured_input_signature[1]) for name, signature in signatures.items()}
    assert set(given) == set(serving.SIGNATURES)
    assert given["serving_default"] == given["serving_float"] == {"bg", "fg_bg"}
    assert given["serving_bytes"] == {"bg_bytes", "fg_bg_bytes"}
    assert set(signatures["serving_default"].structured_outputs) == {"mask", "depth", "similarity"}
    encoded = set(signatures["encode_background"].structured_outputs)
    assert given["segment_with_background"] == {"fg_bg"} | encoded
    of_depth = {"placing_bg", "placing_code", "bg_metres", "bg_known"}
    assert set(signatures["encode_known_background"].structured_outputs) == encoded | of_depth
    assert given["segment_with_known_background"] == {"fg_bg"} | encoded | of_depth


def test_pictures_as_they_are(signatures, pair, wanted):
    close(signatures["serving_default"](**pair), wanted)


def test_a_background_that_was_encoded_before(signatures, pair, wanted):
    encoded = signatures["encode_background"](bg=pair["bg"])
    answer = signatures["segment_with_background"](fg_bg=pair["fg_bg"], **encoded)
    close(answer, wanted)
    expected = signatures["serving_default"](**pair)
    for name, value in expected.items():
        np.testing.assert_allclose(answer[name], value, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", ["serving_default", "serving_float", "segment_with_background", "serving_bytes"])
def test_one_background_for_many_frames(signatures, pair, name):
    frames = tf.concat([pair["fg_bg"], pair["bg"][:1]], 0)
    one, each = pair["bg"][:1], tf.repeat(pair["bg"][:1], 3, 0)

    def ask(bg):
        if name == "serving_bytes":
            files = {"bg_bytes": bg, "fg_bg_bytes": frames}
            files = {key: tf.stack([tf.io.encode_png(one) for one in value]) for key, value in files.items()}
            return signatures[name](**files)
        if name == "serving_float":
            return signatures[name](bg=tf.cast(bg, tf.float32) / 255, fg_bg=tf.cast(frames, tf.float32) / 255)
        if name == "serving_default":
            return signatures[name](bg=bg, fg_bg=frames)
        return signatures[name](fg_bg=frames, **signatures["encode_background"](bg=bg))

    for key, value in ask(each).items():
        answer = ask(one)[key]
        assert len(answer) == 3
        if value.dtype == tf.string:
            assert answer.numpy().tolist() == value.numpy().tolist()
        else:
            np.testing.assert_allclose(answer, value, atol=1e-5, rtol=1e-5)


def test_similarity_tells_of_another_scene(signatures, pair):
    other = signatures["serving_default"](bg=pair["bg"][::-1], fg_bg=pair["fg_bg"])["similarity"]
    own = signatures["serving_default"](bg=pair["bg"], fg_bg=pair["bg"])["similarity"]
    assert (own.numpy() > other.numpy() + 0.2).all()


def test_files_of_several_sizes(signatures, untrained_network):
    """Each by itself: what is answered for one does not depend on what else was asked."""
    pairs = [parity.make_pairs(1, ((*size, 1),))[0] for size in ((40, 48), (31, 90), (9, 8))]
    files = {f"{name}_bytes": tf.stack([tf.io.encode_png(pair[name][0]) for pair in pairs]) for name in ("bg", "fg_bg")}
    answer = signatures["serving_bytes"](**files)
    for number, pair in enumerate(pairs):
        expected = parity.predict_with_keras(untrained_network, SIDE, pair)
        mask = tf.io.decode_png(answer["mask_png_bytes"][number]).numpy()
        assert mask.shape == (*pair["bg"].shape[1:3], 1)
        assert np.abs(mask / 255.0 - expected["mask"][0]).max() < 0.5 / 255 + 1e-5
        inside = expected["mask"][0, ..., 0] >= 0.5
        np.testing.assert_allclose(answer["share"][number], inside.mean(), atol=1e-3)
        if inside.any():
            np.testing.assert_allclose(answer["nearest"][number], expected["depth"][0, ..., 0][inside].min(), rtol=1e-3)


@pytest.mark.parametrize(
    ("name", "inputs", "said"),
    [
        ("serving_default", {"bg": (1, 4, 5, 3), "fg_bg": (1, 4, 6, 3)}, "bg is 5 x 4 pixels and fg_bg 6 x 4"),
        ("serving_default", {"bg": (2, 4, 5, 3), "fg_bg": (3, 4, 5, 3)}, "there are 2 backgrounds and 3 frames"),
        ("serving_default", {"bg": (1, 0, 5, 3), "fg_bg": (1, 0, 5, 3)}, "pictures have no pixels"),
        ("serving_default", {"bg": (1, 4, 5, 3), "fg_bg": (0, 4, 5, 3)}, "there are no frames: give one or more"),
        ("serving_default", {"bg": (0, 4, 5, 3), "fg_bg": (0, 4, 5, 3)}, "there are no frames: give one or more"),
        ("serving_default", {"bg": (0, 4, 5, 3), "fg_bg": (2, 4, 5, 3)}, "there are 0 backgrounds and 2 frames"),
        ("encode_background", {"bg": (0, 4, 5, 3)}, "there are no backgrounds: give one or more"),
        ("encode_background", {"bg": (2, 4, 0, 3)}, "pictures have no pixels"),
    ],
)
def test_shapes_that_cannot_be(signatures, name, inputs, said):
    with pytest.raises(WRONG, match=said):
        signatures[name](**{key: tf.zeros(shape, tf.uint8) for key, shape in inputs.items()})


@pytest.mark.parametrize(
    ("count", "height", "width", "said"),
    [
        (1, 5000, 8001, "{} has 40005000 pixels; up to 40000000 are looked at"),
        (3, 5000, 5400, "all {}s have 81000000 pixels together; up to 80000000 are looked at in a request: send fewer"),
        (257, 1, 1, "there are 257 {}s; up to 256 are looked at in a request: send fewer at once"),
    ],
)
def test_more_than_is_looked_at(signatures, encoded, count, height, width, said):
    """Each signature says so before anything is computed."""
    pictures = tf.zeros((count, height, width, 3), tf.uint8)
    frames, backgrounds = (
        said.format(name if "together" not in said and "there" not in said else what)
        for name, what in (("fg_bg", "frame"), ("bg", "background"))
    )
    of_that_size = {**encoded, "bg_size": tf.constant([[height, width]])}
    asked = [
        ("serving_default", {"bg": pictures[:1], "fg_bg": pictures}, frames),
        ("encode_background", {"bg": pictures}, backgrounds),
        ("segment_with_background", {"fg_bg": pictures, **of_that_size}, frames),
    ]
    if count == 257:  # of more pixels floats take gigabytes
        floats = tf.cast(pictures, tf.float32)
        asked.append(("serving_float", {"bg": floats[:1], "fg_bg": floats}, frames))
        asked.append(("encode_known_background", {"bg": pictures, "bg_depth": 1 + floats[..., :1]}, backgrounds))
    for name, inputs, sentence in asked:
        with pytest.raises(WRONG, match=sentence):
            signatures[name](**inputs)


def test_files_of_more_than_is_looked_at(signatures):
    """A JPEG of 27 million grey pixels has 400 kB: many of them are refused by their headers."""
    large = io.BytesIO()
    Image.new("L", (6000, 4500)).save(large, "JPEG", quality=5)
    large, small = large.getvalue(), tf.io.encode_png(tf.zeros((1, 1, 3), tf.uint8)).numpy()
    for files, sentence in (
        ([large] * 3, "all frames have 81000000 pixels together; up to 80000000 are looked at in a request"),
        ([small] * 257, "there are 257 frames; up to 256 are looked at in a request"),
        ([], "there are no frames: give one or more"),
    ):
        with pytest.raises(WRONG, match=sentence):
            signatures["serving_bytes"](bg_bytes=tf.constant([small]), fg_bg_bytes=tf.constant(files, tf.string))


@pytest.mark.parametrize("size", [(3, 5, 7), (1, 64, 64)])
def test_what_is_not_a_number_is_found_wherever_it_is(signatures, size):
    """The least and the most of many numbers may pass over it, depending on where it stands."""
    good = np.full((*size, 3), 0.5, np.float32)
    for place in np.random.default_rng(0).integers(0, good.size, 40):
        bad = good.copy()
        bad.flat[place] = np.nan
        with pytest.raises(WRONG, match="fg_bg has values that are not from 0 to 1"):
            signatures["serving_float"](bg=tf.constant(good), fg_bg=tf.constant(bad))


@pytest.mark.parametrize("value", [255.0, -0.01, np.nan, np.inf])
def test_floats_that_are_not_from_0_to_1(signatures, value):
    good = tf.zeros((1, 9, 8, 3))
    bad = tf.tensor_scatter_nd_update(good, [[0, 4, 5, 1]], [value])
    for inputs, name in (({"bg": bad, "fg_bg": good}, "bg"), ({"bg": good, "fg_bg": bad}, "fg_bg")):
        with pytest.raises(WRONG, match=f"{name} has values that are not from 0 to 1: divide by 255"):
            signatures["serving_float"](**inputs)


@pytest.fixture(scope="module")
def encoded(signatures, pair) -> dict:
    return signatures["encode_background"](bg=pair["bg"])


def test_what_was_computed_of_a_background_is_not_believed(signatures, pair, encoded, known):
    """Of another shape, of none, or no numbers: of each part there is."""
    for name, given in (("background", encoded), ("known_background", known)):
        segment = signatures[f"segment_with_{name}"]
        changes: dict[str, list] = {"give all that one call of encode_": [], "has values that are not finite": []}
        for key, value in given.items():
            if key != "bg_size":
                changes["give all that one call of encode_"] += [{key: value[:, 1:]}, {key: tf.repeat(value, 2, 2)}]
            if value.dtype == tf.float32:
                for number in (np.nan, -np.inf):
                    spoilt = value.numpy()
                    spoilt.flat[spoilt.size // 3] = number
                    changes["has values that are not finite"].append({key: tf.constant(spoilt)})
        for sentence, changed in changes.items():
            for change in changed:
                with pytest.raises(WRONG, match=sentence):
                    segment(fg_bg=pair["fg_bg"], **{**given, **change})
        with pytest.raises(WRONG, match="there are no backgrounds"):
            segment(fg_bg=pair["fg_bg"], **{key: value[:0] for key, value in given.items()})
        for size in ([[0, 0]] * 2, [[-40, -48]] * 2, [[2**31 - 1, 2**31 - 1]] * 2):
            with pytest.raises(WRONG, match=r"bg is -?\d+ x -?\d+ pixels and fg_bg 48 x 40: make them one size"):
                segment(fg_bg=pair["fg_bg"], **{**given, "bg_size": tf.constant(size)})


def test_a_background_of_another_camera(signatures, pair):
    encoded = signatures["encode_background"](bg=pair["bg"][:, :-1])
    with pytest.raises(WRONG, match="bg is 48 x 39 pixels and fg_bg 48 x 40"):
        signatures["segment_with_background"](fg_bg=pair["fg_bg"], **encoded)
    encoded = signatures["encode_background"](bg=pair["bg"])
    with pytest.raises(WRONG, match="give all that one call of encode_background returned, and only that"):
        signatures["segment_with_background"](fg_bg=pair["fg_bg"], **{**encoded, "bg_grey": encoded["bg_grey"][:1]})


@pytest.fixture(scope="module")
def depths(pair) -> np.ndarray:
    """Of two backgrounds, with a hole in each."""
    return parity.make_depths(pair["bg"].numpy())


@pytest.fixture(scope="module")
def known(signatures, pair, depths) -> dict:
    return signatures["encode_known_background"](bg=pair["bg"], bg_depth=tf.constant(depths))


def test_metres_before_a_background_whose_depth_is_known(signatures, pair, depths, known):
    """Background outside of objects, unknown where that is, and no object behind it."""
    answer = signatures["segment_with_known_background"](fg_bg=pair["fg_bg"], **known)
    plain = signatures["serving_default"](**pair)
    np.testing.assert_allclose(answer["mask"], plain["mask"], atol=1e-6)
    np.testing.assert_allclose(answer["similarity"], plain["similarity"], atol=1e-6)
    depth, is_object = answer["depth"].numpy(), answer["mask"].numpy() >= 0.5
    np.testing.assert_array_equal(depth[~is_object], depths[~is_object])
    # In a hole what is farther of both sides counts as the background.
    behind = np.where(depths > 0, depths, depths.max())[is_object]
    assert (depth[is_object] <= behind + 1e-5).all()
    assert (depth[is_object] > 0).all()


def test_each_background_of_a_batch_has_its_own_depth(signatures, pair, depths, known):
    both = signatures["segment_with_known_background"](fg_bg=pair["fg_bg"], **known)
    for n in range(2):
        one = signatures["encode_known_background"](bg=pair["bg"][n : n + 1], bg_depth=tf.constant(depths[n : n + 1]))
        frames = tf.repeat(pair["fg_bg"][n : n + 1], 3, 0)
        answer = signatures["segment_with_known_background"](fg_bg=frames, **one)
        decided = parity.find_decided(both["mask"].numpy()[n])
        for depth in answer["depth"].numpy():
            np.testing.assert_allclose(depth[decided], both["depth"].numpy()[n][decided], rtol=1e-4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda depths: depths[:, :-1], r"bg is 48 x 40 pixels and bg_depth 48 x 39: make them one size"),
        (lambda depths: depths[:1], "there are 2 backgrounds and 1 depths of backgrounds: give one for each"),
        (lambda depths: depths * [[[[1]]], [[[0]]]], "bg_depth of background 1 is unknown everywhere: give metres"),
        (lambda depths: depths[:0], "there are 2 backgrounds and 0 depths of backgrounds: give one for each"),
        (lambda depths: depths - 1, "bg_depth has values that are negative or not finite: give metres, and 0 where"),
        (lambda depths: np.where(depths > 4, np.nan, depths), "bg_depth has values that are negative or not finite"),
        (lambda depths: np.where(depths > 4, np.inf, depths), "bg_depth has values that are negative or not finite"),
    ],
)
def test_depths_that_cannot_be(signatures, pair, depths, change, said):
    with pytest.raises(WRONG, match=said):
        signatures["encode_known_background"](bg=pair["bg"], bg_depth=tf.constant(change(depths), tf.float32))


def test_known_backgrounds_that_do_not_fit(signatures, pair, known):
    segment = signatures["segment_with_known_background"]
    with pytest.raises(WRONG, match="bg is 48 x 40 pixels and fg_bg 47 x 40"):
        segment(fg_bg=pair["fg_bg"][:, :, :-1], **known)
    with pytest.raises(WRONG, match="there are 2 backgrounds and 3 frames"):
        segment(fg_bg=tf.repeat(pair["fg_bg"][:1], 3, 0), **known)
    for changed in ({"bg_metres": known["bg_metres"][:1]}, {"bg_known": known["bg_known"][:, :1, :1]}):
        with pytest.raises(WRONG, match="give all that one call of encode_known_background returned, and only that"):
            segment(fg_bg=pair["fg_bg"], **{**known, **changed})


def test_from_one_pixel_to_twelve_million(signatures):
    for height, width in ((1, 1), (1, 300), (3000, 4000)):
        picture = tf.fill((1, height, width, 3), tf.constant(90, tf.uint8))
        answer = signatures["serving_default"](bg=picture, fg_bg=picture)
        assert answer["mask"].shape == answer["depth"].shape == (1, height, width, 1)
        assert np.isfinite(answer["depth"].numpy()).all()


def test_alone_with_tensorflow_and_two_thousand_damaged_files(saved_model, pair, wanted, tmp_path):
    np.savez(tmp_path / "arrays.npz", **{key: value.numpy() for key, value in pair.items()}, mask=wanted["mask"])
    command = [sys.executable, str(SUPPORT / "saved_model_alone.py"), saved_model, str(tmp_path / "arrays.npz"), "2000"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    print(said)
    assert said["worst"] < 1e-5
    assert said["png"] < 0.5 / 255 + 1e-5
    assert said["answered"] + said["refused"] == 2000
    assert min(said["answered"], said["refused"]) > 200, "a good part of each, or it was not tried"
    assert said["after"] - said["before"] < 100, "megabytes, over 1 500 files"


def test_through_the_c_api(saved_model, pair, wanted, tmp_path):
    compiler = shutil.which("gcc") or shutil.which("cc")
    if not compiler:
        pytest.skip("there is no C compiler here")
    libraries = Path(tf.sysconfig.get_lib())
    program = tmp_path / "serve_saved_model"
    build = [compiler, "-O1", "-o", program, SUPPORT / "serve_saved_model.c", f"-I{tf.sysconfig.get_include()}"]
    build += [
        f"-L{libraries}",
        "-l:libtensorflow_cc.so.2",
        "-l:libtensorflow_framework.so.2",
        f"-Wl,-rpath,{libraries}",
    ]
    done = subprocess.run([str(part) for part in build], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for name, value in pair.items():
        (tmp_path / f"{name}.raw").write_bytes(value[0].numpy().tobytes())
        (tmp_path / f"{name}.png").write_bytes(tf.io.encode_png(value[0]).numpy())
    names = operations(saved_model)
    default, files = names["serving_default"], names["serving_bytes"]
    command = [program, saved_model, HEIGHT, WIDTH, tmp_path / "bg.raw", tmp_path / "fg_bg.raw", tmp_path / "mask"]
    command += [default["bg"], default["fg_bg"], default["mask"], files["bg_bytes"], files["fg_bg_bytes"]]
    command += [files["mask_png_bytes"], tmp_path / "bg.png", tmp_path / "fg_bg.png"]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    invalid_argument = 3
    assert done.stdout.split() == [str(invalid_argument)] * 3, done.stderr
    mask = np.frombuffer((tmp_path / "mask").read_bytes(), np.float32).reshape(HEIGHT, WIDTH, 1)
    np.testing.assert_allclose(mask, wanted["mask"][0], atol=1e-5)
    png = tf.io.decode_png((tmp_path / "mask.png").read_bytes()).numpy() / 255.0
    assert np.abs(png - wanted["mask"][0]).max() < 0.5 / 255 + 1e-5


def operations(folder: str) -> dict[str, dict[str, str]]:
    """Of each signature, the tensor behind each name."""
    from tensorflow.core.protobuf import saved_model_pb2

    content = (Path(folder) / "saved_model.pb").read_bytes()
    (graph,) = saved_model_pb2.SavedModel.FromString(content).meta_graphs
    return {
        name: {key: info.name for ends in (signature.inputs, signature.outputs) for key, info in ends.items()}
        for name, signature in graph.signature_def.items()
    }
