"""The schedule of a training, written in one line: stages one after the other, each with the weights of the last.

    10@64; 2@96; 1@192 freeze=mask+joint depth_loss=ssim

is ten epochs at 64 pixels (the shorter side), two at 96, and one at 192 in which the mask branch and the joint encoder
are frozen. What a stage leaves out is as the flags say: `rate`, `batch`, `mask_loss`, `depth_loss`, `freeze`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fgseg_tf.measures import losses
from fgseg_tf.model.two_branch import PARTS


@dataclass(frozen=True)
class Stage:
    """One stage of a training.

    Attributes:
        epochs: how many.
        side: the shorter side of the pictures in pixels; 0 for the data's own size.
        batch: examples in a step, over all replicas.
        rate: learning rate after warm-up.
        mask_loss, depth_loss: what is minimised.
        freeze: parts of the network that do not learn.
    """

    epochs: int
    side: int
    batch: int
    rate: float
    mask_loss: losses.Loss
    depth_loss: losses.Loss
    freeze: tuple[str, ...] = ()

    @property
    def branches(self) -> tuple[str, ...]:
        """The branches whose loss counts: a frozen branch has nothing to learn."""
        return tuple(branch for branch in ("mask", "depth") if branch not in self.freeze)

    def __str__(self):
        text = f"{self.epochs}@{self.side} rate={self.rate:g} batch={self.batch}"
        text += f" mask_loss={self.mask_loss} depth_loss={self.depth_loss}"
        return text + (f" freeze={'+'.join(self.freeze)}" if self.freeze else "")


def parse_stages(text: str, usual: Stage) -> tuple[Stage, ...]:
    """Parses a schedule such as "10@64; 2@96 rate=1e-4".

    Args:
        text: EPOCHS@SIZE for each stage, followed by what differs in it.
        usual: what a stage is where it says nothing else.

    Raises:
        ValueError: the text is not a schedule; the message quotes what is wrong and says at which character.
    """
    stages, at = [], 0
    for part in text.split(";"):
        if not part.strip():
            raise ValueError(f"`stages`={text!r}: there is an empty stage at character {at + 1}; write 10@64; 2@96.")
        stages.append(_parse_stage(part, at, text, usual))
        at += len(part) + 1
    return tuple(stages)


def _parse_stage(part: str, at: int, text: str, usual: Stage) -> Stage:
    (first, place), *rest = _split_words(part, at)
    where = f"`stages`={text!r}: {first!r} at character {place + 1}"
    epochs, separator, side = first.partition("@")
    if not (separator and epochs.isdecimal() and side.isdecimal() and int(epochs)):
        raise ValueError(f"{where} is not EPOCHS@SIZE, such as 10@64 (size 0 is that of the data).")
    if 0 < int(side) < 32:
        raise ValueError(f"{where} is a size below 32 pixels, at which the network sees nothing.")
    stage = replace(usual, epochs=int(epochs), side=int(side))
    for word, place in rest:
        where = f"`stages`={text!r}: {word!r} at character {place + 1}"
        key, separator, value = word.partition("=")
        if not separator or key not in _READERS:
            raise ValueError(f"{where} is not one of {', '.join(f'{key}=' for key in _READERS)}.")
        try:
            stage = replace(stage, **{key: _READERS[key](value)})
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
    if not stage.branches:
        raise ValueError(f"`stages`={text!r}: in {part.strip()!r} both branches are frozen; nothing is left to learn.")
    return stage


def _split_words(part: str, at: int) -> Iterator[tuple[str, int]]:
    """Yields the words of a stage, and the place of each in the whole text."""
    place = 0
    for word in part.split():
        place = part.index(word, place)
        yield word, at + place
        place += len(word)


def _make_reader(kind, what: str):
    def read(text: str):
        try:
            value = kind(text)
        except ValueError:
            raise ValueError(f"{text!r} is not {what}.") from None
        if not 0 < value < float("inf"):
            raise ValueError(f"{text} is not {what} over 0.")
        return value

    return read


def parse_parts(text: str) -> tuple[str, ...]:
    """Parses names of parts joined by +, such as "mask+joint"; returns them in the order of PARTS."""
    names = tuple(text.split("+")) if text else ()
    for name in names:
        if name not in PARTS:
            raise ValueError(f"{name!r} is not a part of the network; take {', '.join(PARTS)}, joined by +.")
    return tuple(sorted(set(names), key=PARTS.index))


_READERS = {
    "rate": _make_reader(float, "a number"),
    "batch": _make_reader(int, "a whole number"),
    "mask_loss": lambda text: losses.parse_loss(text, "mask"),
    "depth_loss": lambda text: losses.parse_loss(text, "depth"),
    "freeze": parse_parts,
}
