"""LiteRT and ONNX files answer as the network does, or are not written."""

import numpy as np
import pytest

from fgseg_tf.serving import lite_formats, parity

pytestmark = pytest.mark.both_stacks

SIZE = (40, 48)


@pytest.fixture(scope="module")
def pairs() -> list[dict]:
    return [
        {name: value[n : n + 1].astype("f4") / 255 for name, value in parity.make_pairs(1, ((*SIZE, 4),))[0].items()}
        for n in range(4)
    ]


@pytest.mark.parametrize("kind", list(lite_formats.TOLERANCES))
def test_a_file_answers_as_the_network(untrained_network, pairs, kind, tmp_path, monkeypatch):
    content = lite_formats.convert(kind, untrained_network, SIZE, pairs)
    # A network that was not trained spreads its numbers wide, so 8 bits are worth less than in a trained one.
    if kind == "tflite_int8":
        monkeypatch.setitem(lite_formats.TOLERANCES, kind, (0.1, 0.1))
    errors = lite_formats.check(kind, content, untrained_network, pairs)
    assert all(0 < error <= most for error, most in zip(errors, lite_formats.TOLERANCES[kind], strict=True))
    sizes = {"tflite_float16": (1.0e6, 1.2e6), "tflite_int8": (0.4e6, 0.8e6), "onnx": (2.0e6, 2.3e6)}
    assert sizes[kind][0] < len(content) < sizes[kind][1], "2 bytes a parameter, 1, and 4"
    where = lite_formats.write(str(tmp_path / "files"), kind, content)
    assert where == str(tmp_path / "files" / lite_formats.FILES[kind])
    assert (tmp_path / "files" / lite_formats.FILES[kind]).read_bytes() == content


@pytest.mark.parametrize("kind", ["tflite_float16", "onnx"])
def test_another_network_is_refused(untrained_network, pairs, kind):
    content = lite_formats.convert(kind, untrained_network, SIZE, pairs)
    turned = [{"bg": pair["fg_bg"], "fg_bg": pair["bg"]} for pair in pairs]

    def swapped(inputs, training):
        return untrained_network({"bg": inputs["fg_bg"], "fg_bg": inputs["bg"]}, training=training)

    with pytest.raises(
        parity.ParityError, match=rf"^{kind}: \w+ is off by [\d.e+-]+ in the mean, at most .*; it was not"
    ):
        lite_formats.check(kind, content, swapped, turned)


def test_what_is_not_a_number_is_refused(pairs, monkeypatch):
    monkeypatch.setattr(
        lite_formats, "_onnx_runner", lambda content: lambda pair: dict.fromkeys(("mask", "depth"), np.nan)
    )
    with pytest.raises(parity.ParityError, match="onnx: mask is off by nan"):
        lite_formats.check("onnx", b"", lambda pair, training: {"mask": _Zeros(), "depth": _Zeros()}, pairs)


class _Zeros:
    def numpy(self):
        return np.zeros((1, *SIZE, 1), np.float32)
