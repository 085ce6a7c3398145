"""Which composites there are, what each is called, and which split it belongs to.

A composite is a number, its index: (background, cutout, mirrored, place) in mixed radix, the place fastest. From the
index come its name, its random numbers and so its bytes; how many shards, threads or machines made it does not matter.

Splits hold out sources, not composites. With 16 % of the backgrounds and 16 % of the cutouts held out:

    train         seen background, seen cutout        69 %
    seen_both     the same sources, other composites    1 %
    unseen_fg     seen background, unseen cutout      13 %
    unseen_bg     unseen background, seen cutout      13 %
    unseen_both   unseen background, unseen cutout     3 %

The leaky split of the published versions, `random`, shuffles all composites and cuts at 70 %: train and test.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import tensorflow as tf

SEEN_SHARE = 0.02  # of the composites of seen sources, kept out of training for the seen/seen corner of the grid
RANDOM_TRAIN_SHARE = 0.7
SPLIT_NAME = re.compile(r"[a-z][a-z0-9_]{0,30}", re.ASCII)  # names of files are made from it
NAME = re.compile(r"bg(\d{3,})-fg(\d{3,})(-flip)?-p(\d{2,})", re.ASCII)
Whole = TypeVar("Whole", int, np.ndarray, tf.Tensor)  # number, or many of them


def format_background(number: int) -> str:
    """Returns the name of a background, such as bg005."""
    return f"bg{number:03d}"


@dataclass(frozen=True)
class Grid:
    """All composites of a data set.

    Attributes:
        backgrounds: how many there are.
        foregrounds: how many cutouts there are.
        places: of each pair of a background and a cutout.
    """

    backgrounds: int
    foregrounds: int
    places: int

    @property
    def size(self) -> int:
        """The number of composites; every cutout comes mirrored as well."""
        return self.backgrounds * self.foregrounds * 2 * self.places

    def decode(self, index: Whole) -> tuple[Whole, Whole, Whole, Whole]:
        """Returns (background, cutout, mirrored, place) of an index, an integer, array or tensor of any shape."""
        rest, place = index // self.places, index % self.places
        rest, flipped = rest // 2, rest % 2
        return rest // self.foregrounds, rest % self.foregrounds, flipped, place

    def encode(self, background: Whole, foreground: Whole, flipped: Whole, place: Whole) -> Whole:
        """Returns the index of a background, cutout, mirroring and place, as `decode` took it apart."""
        return ((background * self.foregrounds + foreground) * 2 + flipped) * self.places + place

    def format_name(self, index: int) -> str:
        """Returns the name that everything can be read back from, such as bg005-fg073-flip-p07."""
        background, foreground, flipped, place = self.decode(int(index))
        return f"{format_background(background)}-fg{foreground:03d}{'-flip' if flipped else ''}-p{place:02d}"

    def parse_name(self, name: str) -> int:
        """Returns the index of a name.

        Raises:
            ValueError: it is not a name, or not one of this data set.
        """
        match = NAME.fullmatch(name)
        if not match:
            raise ValueError(f"{name!r} is not the name of a composite, which look like bg005-fg073-flip-p07.")
        background, foreground, place = (int(match[group]) for group in (1, 2, 4))
        for kind, value, count in (
            ("background", background, self.backgrounds),
            ("cut-out", foreground, self.foregrounds),
            ("place", place, self.places),
        ):
            if value >= count:
                raise ValueError(f"{name!r} asks for {kind} {value}; this data set has {count}, counted from 0.")
        return self.encode(background, foreground, int(match[3] is not None), place)


@dataclass(frozen=True)
class Split:
    """Some composites, in a fixed shuffled order: positions 0 .. count-1.

    The order is that of all composites of `backgrounds` x `foregrounds`; the split is the run of it from `first`.

    Attributes:
        name: such as "train".
        backgrounds: numbers of the backgrounds in it.
        foregrounds: numbers of the cutouts in it.
        first: the first composite's place in the order.
        count: how many composites it has.
    """

    name: str
    backgrounds: tuple[int, ...]
    foregrounds: tuple[int, ...]
    first: int
    count: int

    def indices(self, positions: tf.Tensor, grid: Grid, seed: int) -> tf.Tensor:
        """Returns the indices, int64 [n], of the composites at some positions, int64 [n].

        It is a bijection, so that nothing is lost or made twice.
        """
        cell = Grid(len(self.backgrounds), len(self.foregrounds), grid.places)
        # Hashed, since of each word of its key the shuffle takes only as many bits as half of its length has (10 of 32
        # for 400 000). Its length is in it, so cells of unlike size do not share an order.
        key = np.random.SeedSequence([seed, cell.size]).generate_state(2).astype(np.int32)
        shuffled = tf.random.experimental.index_shuffle(positions + self.first, seed=key, max_index=cell.size - 1)
        background, foreground, flipped, place = cell.decode(shuffled)
        return grid.encode(
            tf.gather(tf.constant(self.backgrounds, tf.int64), background),
            tf.gather(tf.constant(self.foregrounds, tf.int64), foreground),
            flipped,
            place,
        )


def make_splits(grid: Grid, how: str, holdout: float, seed: int) -> tuple[Split, ...]:
    """Makes the splits of a data set.

    Args:
        grid: all its composites.
        how: "sources" or "random".
        holdout: share of each kind of source that is held out, 0 to under 1.
        seed: of the data set.

    Raises:
        ValueError: `how` is another, or the share leaves nothing to train or to test on.
    """
    everything = tuple(range(grid.backgrounds)), tuple(range(grid.foregrounds))
    if how == "random":
        train = round(grid.size * RANDOM_TRAIN_SHARE)
        return (Split("train", *everything, 0, train), Split("test", *everything, train, grid.size - train))
    if how != "sources":
        raise ValueError(f"`split`={how} is not a way to split; take sources or random.")
    seen_bg, unseen_bg = _hold_out("backgrounds", grid.backgrounds, holdout, [seed, 1])
    seen_fg, unseen_fg = _hold_out("cut-outs", grid.foregrounds, holdout, [seed, 2])
    splits = []
    seen = Grid(len(seen_bg), len(seen_fg), grid.places).size
    kept = max(1, round(seen * SEEN_SHARE))
    splits.append(Split("train", seen_bg, seen_fg, kept, seen - kept))
    splits.append(Split("seen_both", seen_bg, seen_fg, 0, kept))
    for name, backgrounds, foregrounds in (
        ("unseen_fg", seen_bg, unseen_fg),
        ("unseen_bg", unseen_bg, seen_fg),
        ("unseen_both", unseen_bg, unseen_fg),
    ):
        count = Grid(len(backgrounds), len(foregrounds), grid.places).size
        if count:
            splits.append(Split(name, backgrounds, foregrounds, 0, count))
    return tuple(splits)


def limit_splits(splits: Sequence[Split], total: int) -> tuple[Split, ...]:
    """Keeps the first composites of each split, `total` in all, in proportion and at least one of each."""
    if total < len(splits):
        raise ValueError(f"`limit`={total} is less than the {len(splits)} splits; take at least {len(splits)}, or 0.")
    sizes = np.array([split.count for split in splits])
    if total >= sizes.sum():
        return tuple(splits)
    counts = np.minimum(sizes, np.maximum(1, np.floor(sizes * total / sizes.sum()).astype(int)))
    while counts.sum() != total:
        room = counts - 1 if counts.sum() > total else sizes - counts
        counts[np.argmax(room)] += 1 if counts.sum() < total else -1
    return tuple(
        Split(split.name, split.backgrounds, split.foregrounds, split.first, int(count))
        for split, count in zip(splits, counts, strict=True)
    )


def _hold_out(kind: str, count: int, share: float, key: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if not 0 <= share < 1:
        raise ValueError(f"`holdout`={share} is not a share from 0 to under 1, such as 0.16.")
    held = round(count * share)
    if share and (held == 0 or held == count):
        raise ValueError(
            f"`holdout`={share} of {count} {kind} leaves nothing to {'test' if held == 0 else 'train'} on; "
            "give more pictures, another `holdout`, or `holdout`=0 for a set without test splits."
        )
    order = np.random.default_rng(key).permutation(count)
    return tuple(sorted(order[held:].tolist())), tuple(sorted(order[:held].tolist()))
