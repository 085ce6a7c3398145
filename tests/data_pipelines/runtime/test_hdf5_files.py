"""Arrays in HDF5 files of strangers lie in the file itself."""

import h5py
import numpy as np
import pytest

from data_pipelines.runtime.hdf5_files import find_dataset, find_group


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "elsewhere.h5", "w") as other:
        other["secret"] = np.ones(3, "f4")
    (tmp_path / "secret.bin").write_bytes(bytes(12))
    with h5py.File(tmp_path / "a.h5", "w") as made:
        made["one/two/three"] = np.arange(3, dtype="f4")
        made["one/packed"] = np.zeros(0, "f4")
        made.create_dataset("one/chunked", data=np.ones((4, 4), "f4"), chunks=(2, 2), compression="gzip")
        made.create_dataset("one/bomb", (2, 2), "f4", maxshape=(None, None), chunks=(4096, 4096), compression="gzip")
        made.create_dataset("one/outside", (3,), "f4", external=[(str(tmp_path / "secret.bin"), 0, 12)])
        layout = h5py.VirtualLayout((3,), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "elsewhere.h5"), "secret", (3,))
        made.create_virtual_dataset("one/virtual", layout)
        made["one/linked"] = h5py.ExternalLink(str(tmp_path / "elsewhere.h5"), "secret")
        made["one/soft"] = h5py.SoftLink("/one/two/three")
        made["one/loop"] = h5py.SoftLink("/one/loop")
        made["one/text"] = "words"
        yield made


def test_what_lies_in_the_file_is_found(file):
    assert find_dataset(file, "one/two/three")[()].tolist() == [0, 1, 2]
    assert find_dataset(find_group(file, "one"), "chunked").shape == (4, 4)
    assert find_dataset(file, "one/packed").shape == (0,)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("one/linked", "it holds no one/linked"),
        ("one/soft", "it holds no one/soft"),
        ("one/loop", "it holds no one/loop"),
        ("one/two/three/four", "it holds no one/two/three/four"),
        ("nothing", "it holds no nothing"),
        ("one/two", "one/two is not an array"),
        ("one/text", "one/text is not an array of floating point numbers"),
        ("one/outside", "one/outside is not stored in the file as Keras"),
        ("one/virtual", "one/virtual is not stored in the file as Keras"),
        ("one/bomb", "one/bomb is not stored in the file as Keras"),
    ],
)
def test_what_does_not_is_refused(file, path, said):
    with pytest.raises(ValueError, match=said):
        find_dataset(file, path)


def test_an_array_is_no_group(file):
    with pytest.raises(ValueError, match="one/two/three is not a group"):
        find_group(file, "one/two/three")
