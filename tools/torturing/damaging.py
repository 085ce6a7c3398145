"""Damages files as disks, copies and careless hands do: bits, ends, blocks, and values of the wrong type in JSON."""

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

BLOCK = 512  # bytes, or a quarter of a smaller file
# In place of any value: other types, and numbers and texts that no reader expects.
NUMBERS = (-1, 0, 1.5, 1e308, 10**30, float("nan"), float("inf"))
WRONG: tuple[Any, ...] = (None, True, *NUMBERS, "", "x" * 5000, "../x", "\x00", [], {}, [[]])


def flip_bits(content: bytes, rng: random.Random) -> bytes:
    """Returns the content with one to three bits that are not what they were."""
    changed = bytearray(content)
    for bit in {rng.randrange(8 * len(changed)) for _ in range(rng.randint(1, 3))}:
        changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def cut_end(content: bytes, rng: random.Random) -> bytes:
    """Returns the beginning of the content, at least one byte shorter, sometimes nothing."""
    return content[: rng.choice((0, len(content) - 1, rng.randrange(len(content))))]


def zero_block(content: bytes, rng: random.Random) -> bytes:
    """Returns the content with zeros in one place."""
    length = _block(content)
    start = rng.randrange(len(content) - length + 1)
    return content[:start] + bytes(length) + content[start + length :]


def swap_blocks(content: bytes, rng: random.Random) -> bytes:
    """Returns the content with two blocks in one another's place."""
    length = _block(content)
    last = len(content) // length - 1
    if last < 1:
        return cut_end(content, rng)
    first, second = sorted(length * place for place in rng.sample(range(last + 1), 2))
    between = content[first + length : second]
    return (
        content[:first]
        + content[second : second + length]
        + between
        + content[first : first + length]
        + content[second + length :]
    )


DAMAGES: dict[str, Callable[[bytes, random.Random], bytes]] = {
    "bits": flip_bits,
    "cut": cut_end,
    "zeros": zero_block,
    "swapped": swap_blocks,
}


def change_type(content: bytes, rng: random.Random, seal: Callable[[Any], Any] = lambda value: value) -> bytes:
    """Returns JSON in which one value, at any depth, is something else, or missing.

    Args:
        content: JSON.
        rng: draws which, and what it becomes.
        seal: makes the digest inside right again, so that a reader has to look at the value itself.
    """
    value = json.loads(content)
    places = list(_list_places(value))
    place = rng.choice(places)
    changed = copy.deepcopy(value)
    holder = changed
    for key in place[:-1]:
        holder = holder[key]
    if isinstance(holder, dict) and rng.random() < 0.15:
        del holder[place[-1]]
    else:
        holder[place[-1]] = rng.choice(WRONG)
    return json.dumps(seal(changed)).encode()


def choose_file(folder: Path, patterns: tuple[str, ...], rng: random.Random) -> Path:
    """Returns one of the files in a folder that match; every pattern is as likely as the others."""
    paths = sorted(path for path in folder.glob(rng.choice(patterns)) if path.stat().st_size)
    return rng.choice(paths)


def _block(content: bytes) -> int:
    return max(1, min(BLOCK, len(content) // 4))


def _list_places(value: Any, within: tuple = ()) -> Iterator[tuple]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield (*within, key)
        yield from _list_places(part, (*within, key))
