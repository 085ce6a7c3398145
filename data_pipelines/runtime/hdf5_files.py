"""Arrays in HDF5 files, whoever made them: numbers that lie in the file itself, and nothing else.

An HDF5 file can lead into other files of this machine, by links, by external storage and by virtual arrays, and a chunk
of it can unpack to more than the array has. None of that is what Keras writes, so none of it is followed.
"""

import math

import h5py

# What h5py raises for a file that is damaged.
DAMAGES = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError, RecursionError)


def find_group(root: h5py.Group, path: str) -> h5py.Group:
    """Returns a group.

    Args:
        root: group to begin at.
        path: names of groups with "/" between them.

    Raises:
        ValueError: there is none in this file.
    """
    node = _follow(root, path)
    if not isinstance(node, h5py.Group):
        raise ValueError(f"{path[:80]} is not a group")
    return node


def find_dataset(root: h5py.Group, path: str) -> h5py.Dataset:
    """Returns an array of floating point numbers, not read yet.

    Args:
        root: group to begin at.
        path: names of groups, and that of the array, with "/" between them.

    Raises:
        ValueError: there is none, or it does not lie in this file as a whole.
    """
    node = _follow(root, path)
    if not isinstance(node, h5py.Dataset) or node.dtype.kind != "f":
        raise ValueError(f"{path[:80]} is not an array of floating point numbers")
    unpacks = node.chunks is not None and math.prod(node.chunks) > max(node.size, 1)
    if node.external or node.is_virtual or unpacks:
        raise ValueError(f"{path[:80]} is not stored in the file as Keras stores arrays")
    return node


def _follow(root: h5py.Group, path: str):
    node = root
    for name in path.split("/"):
        # A link of another kind can lead into another file.
        if not isinstance(node, h5py.Group) or not isinstance(node.get(name, getlink=True), h5py.HardLink):
            raise ValueError(f"it holds no {path[:80]}")
        node = node[name]
    return node
