"""Losses: what training minimises.

Every loss takes (target, predicted, known=None), [B, H, W, 1] each, of any float type: values from 0 to 1 (the mask's
alpha, or the network's own code of depth), and `known`, which is 1 where the target is known and 0 elsewhere, None for
everywhere. It returns one value per example, float32 [B], computed in float32: 0 when the known pixels are predicted
exactly, 0 without a gradient when nothing is known, and never a NaN or an infinity, in value or gradient, for values
in 0..1. (bce alone is not 0 for a soft target predicted exactly, but the target's entropy.)

A loss is chosen by a text: `parse_loss("ssim+0.1*l1", "depth")`.
"""

import math
import re
from dataclasses import dataclass

import keras
import tensorflow as tf

from fgseg_tf.measures.ssim import compute_ssim
from fgseg_tf.model.depth_code import LOG_RANGE

DICE_SMOOTHING = 1.0  # pixels; an empty frame predicted empty is right, and a faint prediction in it is nearly so
MISSED = 0.7  # of tversky, from 0 to 1: the weight of missed foreground; false foreground has the rest
BCE_SMALLEST = 1e-7  # probabilities are kept this far from 0 inside a logarithm
MOST_RELATIVE = 4.5
GRADIENT_SCALES = 4  # every pixel, every second, every fourth, every eighth


def dice(target: tf.Tensor, predicted: tf.Tensor, known: tf.Tensor | None = None) -> tf.Tensor:
    """Computes the smoothed Dice loss, 0..1: 1 - 2 sum(tp) / (sum(tt) + sum(pp)), as squared difference over sizes.

    With squares, not plain sums, a soft target predicted exactly costs 0.
    """
    target, predicted, known = _float32(target, predicted, known)
    size = _sum(known * (tf.square(target) + tf.square(predicted)))
    return _sum(tf.square(predicted - target)) / (size + DICE_SMOOTHING)


def tversky(target: tf.Tensor, predicted: tf.Tensor, known: tf.Tensor | None = None) -> tf.Tensor:
    """Computes the Tversky loss: Dice with missed foreground counted for more than false foreground.

    With MISSED = 0.5 it is `dice`. With more, a pixel is best called foreground below even odds: a network trained on
    exposures worse than a camera's is too careful on a real camera.
    """
    target, predicted, known = _float32(target, predicted, known)
    missed = MISSED * _sum(tf.square(tf.nn.relu(target - predicted)))
    invented = (1 - MISSED) * _sum(tf.square(tf.nn.relu(predicted - target)))
    wrong = missed + invented
    return wrong / (_sum(known * target * predicted) + wrong + DICE_SMOOTHING / 2)


def bce(target: tf.Tensor, predicted: tf.Tensor, known: tf.Tensor | None = None) -> tf.Tensor:
    """Computes the mean binary cross-entropy, with the natural logarithm."""
    target, predicted, known = _float32(target, predicted, known)
    # Added, not clipped: a wrong prediction of exactly 0 or 1 still has a gradient.
    missed = -target * tf.math.log(predicted + BCE_SMALLEST)
    invented = -(1 - target) * tf.math.log(1 - predicted + BCE_SMALLEST)
    return _mean(missed + invented, known)


def l1(target: tf.Tensor, predicted: tf.Tensor, known: tf.Tensor | None = None) -> tf.Tensor:
    """Computes the mean absolute difference."""
    target, predicted, known = _float32(target, predicted, known)
    return _mean(tf.abs(predicted - target), known)


def edge(target: tf.Tensor, predicted: tf.Tensor, known: tf.Tensor | None = None) -> tf.Tensor:
    """Computes the mean absolute slope of the error, down plus across, between neighbours that are both known."""
    target, predicted, known = _float32(target, predicted, known)
    return _slope(predicted - target, known)


def gradient(target: tf.Tensor, predicted: tf.Tensor, known: tf.Tensor | None = None) -> tf.Tensor:
    """Computes the sum of `edge` at several scales: of every pixel, every second, every fourth and every eighth.

    A slope is the difference of two neighbours of its scale, not divided by how far apart they are. A scale at which
    no two known neighbours are left, as in a small picture, adds nothing.
    """
    target, predicted, known = _float32(target, predicted, known)
    error = predicted - target
    steps = [2**scale for scale in range(GRADIENT_SCALES)]
    return tf.add_n([_slope(error[:, ::step, ::step], known[:, ::step, ::step]) for step in steps])


def relative(target: tf.Tensor, predicted: tf.Tensor, known: tf.Tensor | None = None) -> tf.Tensor:
    """Computes by which share of the distance depth is off in the mean, as `metrics.abs_rel` does.

    What is too far costs more than what is too near. Over MOST_RELATIVE times too far, it costs no more: add `l1`,
    whose gradient never ends.
    """
    target, predicted, known = _float32(target, predicted, known)
    factor = tf.exp(tf.minimum(LOG_RANGE * (predicted - target), math.log(MOST_RELATIVE)))
    return _mean(tf.abs(factor - 1), known)


def ssim(target: tf.Tensor, predicted: tf.Tensor, known: tf.Tensor | None = None) -> tf.Tensor:
    """Computes (1 - SSIM) / 2, 0..1, averaged over the positions of the filter; see ssim.py.

    Where the target is unknown the prediction counts as equal to it, and every position of the filter is weighted by
    how much of it is known.
    """
    similarity, weight = compute_ssim(*_float32(target, predicted, known))
    return _mean((1 - similarity) / 2, weight)


LOSSES = {
    "mask": {"dice": dice, "tversky": tversky, "bce": bce, "edge": edge, "l1": l1},
    "depth": {"ssim": ssim, "l1": l1, "relative": relative, "gradient": gradient, "dice": dice},
}


@dataclass(frozen=True)
class Loss:
    """A weighted sum of losses of one branch, made by `parse_loss`; its str() parses back to it.

    Attributes:
        terms: (weight, name) of each loss.
        branch: "mask" or "depth".
    """

    terms: tuple[tuple[float, str], ...]
    branch: str

    def __call__(self, target: tf.Tensor, predicted: tf.Tensor, known: tf.Tensor | None = None) -> tf.Tensor:
        """Computes the weighted sum, float32 [B]."""
        return self.add_terms(self.compute_terms(target, predicted, known))

    def compute_terms(self, target: tf.Tensor, predicted: tf.Tensor, known: tf.Tensor | None = None) -> dict:
        """Returns the value of each loss by its name, float32 [B], not weighted."""
        return {name: LOSSES[self.branch][name](target, predicted, known) for _, name in self.terms}

    def add_terms(self, terms: dict) -> tf.Tensor:
        """Returns the weighted sum of what `compute_terms` returns."""
        return tf.add_n([weight * terms[name] for weight, name in self.terms])

    def __str__(self) -> str:
        return "+".join(name if weight == 1 else f"{weight!r}*{name}" for weight, name in self.terms)


def parse_loss(text: str, branch: str) -> Loss:
    """Parses a sum of losses such as "dice", "ssim+0.1*l1" or "0.5*bce + dice".

    Args:
        text: names of LOSSES of the branch, each once, with positive weights.
        branch: "mask" or "depth".

    Raises:
        ValueError: the text is not such a sum; the message says what is wrong and at which character.
    """
    choices = _join_words(list(LOSSES[branch]))

    def refuse(what, start, why):
        raise ValueError(f"`{branch}_loss`={text}: {what!r} at character {start + 1} {why}")

    if not text.strip():
        raise ValueError(f"`{branch}_loss`={text} is empty; take {choices}, or a sum such as l1+0.5*dice.")
    terms: list[tuple[float, str]] = []
    end = -1
    # A plus may also stand inside a number: 1e+3*l1.
    for term in re.split(r"(?<!\d[eE])(?<!\d\.[eE])\+", text):
        start, end = end + 1, end + 1 + len(term)
        weight_text, star, rest = term.rpartition("*")
        name, name_start = rest.strip(), end - len(rest.lstrip())
        if not name:
            refuse("", name_start, f"should be a loss; take {choices}.")
        if name not in LOSSES[branch]:
            refuse(name, name_start, f"is not a loss of {branch}; take {choices}.")
        if name in [used for _, used in terms]:
            refuse(name, name_start, "is there already; give it once, with one weight.")
        weight = _number(weight_text) if star else 1.0
        if not 0 < weight <= float(tf.float32.max):
            at = start + len(weight_text) - len(weight_text.lstrip())
            refuse(weight_text.strip(), at, "is not a weight; take a positive finite number such as 0.1.")
        terms.append((weight, name))
    return Loss(tuple(terms), branch)


class LearnedWeights(keras.layers.Layer):
    """Weights between several losses, learned with the network: the sum over i of exp(-s_i) L_i + s_i.

    s_i, a float32 scalar for each name, starts at 0, where the sum is the plain one. Its best value is log L_i: a loss
    that stays large gets a small weight, and s_i is what that costs. So the total may be negative, and cannot be
    compared between runs; the losses themselves can. Make it where the network is made (in the strategy's scope), give
    its trainable_variables to the optimizer, and save it with the checkpoint.
    """

    def __init__(self, names: tuple[str, ...] = ("mask", "depth"), **kwargs):
        # float32 by name: a mixed_float16 policy would otherwise cast the losses as they come in.
        super().__init__(**{"name": "learned_weights", "dtype": "float32", **kwargs})
        self.names = tuple(names)
        for name in self.names:
            # An attribute each: Keras 3 keeps variables that stand in a list or a dict out of tf.train.Checkpoint, and
            # says nothing.
            scale = self.add_weight(name=f"scale_{name}", shape=(), initializer="zeros", trainable=True)
            setattr(self, f"scale_{name}", scale)
        self.built = True

    def call(self, values: dict) -> tf.Tensor:
        """Returns the weighted sum, float32 [B], of `values`: [B] for every name."""
        if set(values) != set(self.names):
            given = _join_words(sorted(values), "and") or "nothing"
            raise ValueError(f"LearnedWeights of {_join_words(self.names, 'and')} was given {given}.")
        terms = []
        for name in self.names:
            scale = tf.convert_to_tensor(getattr(self, f"scale_{name}"))
            terms.append(tf.exp(-scale) * tf.cast(values[name], tf.float32) + scale)
        return tf.add_n(terms)

    def get_config(self) -> dict:
        """Returns what Keras needs to build it again."""
        return {**super().get_config(), "names": list(self.names)}


def _float32(target, predicted, known):
    """Returns all as float32; where unknown, the prediction is the target, so that no gradient comes from there."""
    target, predicted = tf.cast(target, tf.float32), tf.cast(predicted, tf.float32)
    if known is None:
        return target, predicted, tf.ones_like(target)
    known = tf.cast(known, tf.float32)
    return target, tf.where(known > 0, predicted, target), known


def _sum(values):
    return tf.reduce_sum(values, list(range(1, values.shape.rank)))


def _mean(values, weights):
    """Returns the weighted mean of each example, [B]; 0 where all its weights are."""
    return tf.math.divide_no_nan(_sum(values * weights), _sum(weights))


def _slope(error, known):
    down = _mean(tf.abs(error[:, 1:] - error[:, :-1]), known[:, 1:] * known[:, :-1])
    across = _mean(tf.abs(error[:, :, 1:] - error[:, :, :-1]), known[:, :, 1:] * known[:, :, :-1])
    return down + across


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _join_words(names, word: str = "or") -> str:
    return f" {word} ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
