"""Arrays of strangers: numbers, or a sentence, and never more memory than the file is worth."""

import io
import zipfile

import numpy as np
import pytest

from data_pipelines.runtime.array_files import OVERHEAD, read_npz
from data_pipelines.runtime.files import FileError


def write(path, members: dict[str, bytes], compression=zipfile.ZIP_STORED) -> str:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return str(path)


def as_npy(array: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def test_what_numpy_writes_comes_back(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "a/000/0": rng.random((3, 2, 5)).astype("f4"),
        "columns": np.asfortranarray(rng.random((3, 4)).astype("f2")),
        "none": np.zeros((0, 3), "f4"),
        "one": np.array(40.0),
        "text": np.array("a design"),
    }
    np.savez_compressed(tmp_path / "a.npz", **arrays)
    found = read_npz(str(tmp_path / "a.npz"), 4096, "train again")
    assert found.keys() == arrays.keys()
    for name, value in arrays.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def test_what_would_unpack_to_too_much_is_not_unpacked(tmp_path):
    content = as_npy(np.zeros(1000 + OVERHEAD // 4, "f4"))
    path = write(tmp_path / "bomb.npz", {"a.npy": content}, zipfile.ZIP_DEFLATED)
    assert (tmp_path / "bomb.npz").stat().st_size < 5000
    with pytest.raises(FileError, match=r"bomb\.npz would unpack to 1,\d{3},\d{3} bytes, and .* at most; train again"):
        read_npz(path, 3000, "train again")
    assert len(read_npz(path, 5000, "train again")["a"]) == 1000 + OVERHEAD // 4


def claim_shape(shape: str) -> bytes:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header + b"1234"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"a.npy": claim_shape("(100000, 1000000)")}, "'a' has not as many bytes as its header says"),
        ({"a.npy": claim_shape("(-1,)")}, "'a' has not as many bytes as its header says"),
        ({"a.npy": claim_shape("(1,)")[:-1]}, "'a' has not as many bytes as its header says"),
        ({"a.npy": as_npy(np.array([{}], object), allow_pickle=True)}, "'a' holds objects, which are never read"),
        ({"../../a.py": b"import os"}, r"it holds '../../a.py', which is not an array"),
        ({"a.npy": b"\x93NUMPY\x09\x00"}, "'a' is of an unknown version"),
        ({"a.npy": b""}, "damaged"),
        ({"a.npy": claim_shape("__import__('os').getpid()")}, "damaged"),
    ],
)
def test_arrays_that_are_none(tmp_path, members, said):
    with pytest.raises(FileError, match=said) as caught:
        read_npz(write(tmp_path / "odd.npz", members), 1 << 20, "train again")
    assert str(caught.value).startswith(f"{tmp_path}/odd.npz is damaged, or not such an archive (")
    assert str(caught.value).endswith("; train again.")
    assert "\n" not in str(caught.value)


def test_every_byte_that_is_flipped_or_missing(tmp_path):
    whole = bytearray(as_npy(np.arange(6, dtype="f4")))
    path = tmp_path / "a.npz"
    write(path, {"a.npy": bytes(whole)})
    content = path.read_bytes()
    damaged = [content[:length] for length in range(0, len(content), 7)]
    for place in range(len(content)):
        one = bytearray(content)
        one[place] ^= 0xFF
        damaged.append(bytes(one))
    refused = 0
    for each in damaged:
        path.write_bytes(each)
        try:
            found = read_npz(str(path), 1 << 20, "train again")
            np.testing.assert_array_equal(found.get("a", found[next(iter(found))]), np.arange(6))
        except FileError:
            refused += 1
    assert refused > 200  # what is left are dates and the like


def test_what_is_no_file(tmp_path):
    (tmp_path / "zero.npz").symlink_to("/dev/zero")
    with pytest.raises(FileError, match=r"zero\.npz is a device, not a file; train again"):
        read_npz(str(tmp_path / "zero.npz"), 1 << 20, "train again")
    (tmp_path / "large.npz").write_bytes(bytes(3 * OVERHEAD))
    with pytest.raises(FileError, match=r"large\.npz is too large: 3,145,728 bytes, 2,098,176 are allowed"):
        read_npz(str(tmp_path / "large.npz"), 1024, "train again")
