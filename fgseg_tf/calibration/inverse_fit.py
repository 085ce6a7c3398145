"""Metres of a map of relative inverse depth, from a few known distances.

Networks that know photographs say which of two things is nearer, and by how much in a unit of their own:

    1 / metres = scale x value + shift

Two distances would fix both; more of them show whether the map can be trusted, and which distance was mistyped.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

FEWEST = 3
LEAST_RATIO = 1.3  # of the farthest to the nearest known distance
FITS = 0.2  # a point whose distance is met to this share fits
AGREES = 0.05  # likewise for a pixel of a map: there are many, so they can be held to more
FARTHEST = 100.0  # metres
BEYOND = 3.0  # times the farthest known distance, at which the map is cut: farther out it is guesswork


@dataclass(frozen=True)
class KnownDistance:
    """A point of the background whose distance somebody measured.

    Attributes:
        column: of its pixel, from 0.
        row: likewise.
        metres: along the optical axis.
    """

    column: int
    row: int
    metres: float


@dataclass(frozen=True)
class InverseFit:
    """What turns a map into metres.

    Attributes:
        scale: of the map's values; over 0.
        shift: added to them.
        fitted: metres at each known point by the fit.
        used: whether the fit was made with the point; the others do not fit.
        farthest: metres at which the map is cut.
    """

    scale: float
    shift: float
    fitted: tuple[float, ...]
    used: tuple[bool, ...]
    farthest: float

    def to_metres(self, values: np.ndarray) -> np.ndarray:
        """Returns metres, float32 [H, W], of a map; 0 where it is NaN."""
        inverse = np.maximum(self.scale * values + self.shift, 1 / self.farthest)
        return np.where(np.isnan(values), 0, 1 / inverse).astype(np.float32)


def fit_inverse(values: np.ndarray, points: list[KnownDistance]) -> InverseFit:
    """Fits scale and shift, in such a way that one wrong point does not spoil the others.

    Args:
        values: relative inverse depth, float [H, W], NaN where unknown.
        points: known distances.

    Raises:
        ValueError: the points cannot tell, contradict the map, or are not in it.
    """
    if len(points) < FEWEST:
        raise ValueError(
            f"`known` has {len(points)} points, and {FEWEST} or more are needed to fix scale and shift; add some, near "
            "and far."
        )
    inverse = np.array([1 / point.metres for point in points])
    if inverse.max() / inverse.min() < LEAST_RATIO:
        raise ValueError(
            f"all points of `known` are {1 / inverse.max():g} to {1 / inverse.min():g} m away, which fixes no "
            f"scale; add one that is {LEAST_RATIO:g} times as far, or more."
        )
    seen = np.array([read_value(values, point) for point in points])
    scale, shift, used = _fit_robustly(seen, inverse)
    if used.sum() < FEWEST or scale <= 0:
        opposite, _, others = _fit_robustly(-seen, inverse)
        if opposite > 0 and others.sum() >= FEWEST and others.sum() > used.sum():
            raise ValueError(
                "the map is larger where the known distances are farther: it is no inverse depth; say so "
                "(`background_depth_kind`=relative, or `teacher_polarity`=farther)."
            )
        best = ", ".join(f"{1 / max(scale * value + shift, 1e-3):.3g}" for value in seen) if scale > 0 else "nothing"
        raise ValueError(
            f"the map and the points of `known` do not fit together: no {FEWEST} of {len(points)} agree with it to "
            f"{FITS:.0%}; at best it has {best} m at them. Are columns and rows those of the background, and distances "
            "along its optical axis?"
        )
    farthest = BEYOND / inverse[used].min()
    fitted = 1 / np.maximum(scale * seen + shift, 1 / farthest)
    return InverseFit(float(scale), float(shift), tuple(fitted.tolist()), tuple(used.tolist()), float(farthest))


def fit_to_map(values: np.ndarray, metres: np.ndarray, tries: int = 500) -> tuple[InverseFit, float]:
    """Fits scale and shift to a map of metres that holds for a part of the pixels only, such as those of a floor.

    Args:
        values: relative inverse depth, float [H, W], NaN where unknown.
        metres: float [H, W], 0 unknown.
        tries: pairs of pixels that are tried.

    Returns:
        The fit, and the share of the pixels known in both that agrees with it; 0 where no scale is over 0.

    Raises:
        ValueError: nothing is known in both.
    """
    known = ~np.isnan(values) & (metres > 0)
    seen, inverse = values[known], 1 / metres[known].astype(np.float64)
    if len(seen) < 100 or inverse.max() / inverse.min() < LEAST_RATIO:
        raise ValueError("the map and the floor have too little in common to scale one by the other.")
    random = np.random.default_rng(0)
    sample = random.choice(len(seen), min(len(seen), 2000), replace=False)
    one, other = random.choice(sample, (2, tries))
    usable = (seen[one] != seen[other]) & (inverse[one] != inverse[other])
    one, other = one[usable], other[usable]
    scales = (inverse[one] - inverse[other]) / (seen[one] - seen[other])
    shifts = (inverse[one] - scales * seen[one])[scales > 0]
    scales = scales[scales > 0]
    if not len(scales):
        return InverseFit(0.0, 0.0, (), (), FARTHEST), 0.0
    fitted = scales[:, None] * seen[sample] + shifts[:, None]
    best = int(np.argmax((np.abs(fitted / inverse[sample] - 1) < AGREES).sum(axis=1)))
    fits = np.abs((scales[best] * seen + shifts[best]) / inverse - 1) < AGREES
    scale, shift = _fit_least_squares(seen[fits], inverse[fits])
    return InverseFit(scale, shift, (), (), float(min(FARTHEST, BEYOND / inverse[fits].min()))), float(fits.mean())


def read_value(values: np.ndarray, point: KnownDistance) -> float:
    """Returns the median of a map around a point; raises ValueError where it is unknown or outside."""
    height, width = values.shape
    name = f"`known`={point.column},{point.row},{point.metres:g}"
    if not (0 <= point.column < width and 0 <= point.row < height):
        raise ValueError(f"{name} is not in the background, whose columns end at {width - 1} and rows at {height - 1}.")
    reach = max(1, round(max(height, width) / 300))
    around = values[
        max(point.row - reach, 0) : point.row + reach + 1, max(point.column - reach, 0) : point.column + reach + 1
    ]
    if np.isnan(around).all():
        raise ValueError(f"{name} is where the depth picture knows nothing; take a point beside it.")
    return float(np.nanmedian(around))


def _fit_robustly(seen: np.ndarray, inverse: np.ndarray) -> tuple[float, float, np.ndarray]:
    """Returns scale and shift that most points agree with, and which these are.

    Every pair of points makes a candidate. Of those that most points fit, the one with the least sum of their errors
    wins, and is refined over the points that fit. The errors are relative: a tenth of the distance is as bad far away
    as near by.
    """
    best, best_score, best_fits = (0.0, 0.0), (0, 0.0), np.zeros(len(seen), bool)
    for one, other in combinations(range(len(seen)), 2):
        if abs(seen[one] - seen[other]) < 1e-9 * np.abs(seen).max():
            continue
        scale = (inverse[one] - inverse[other]) / (seen[one] - seen[other])
        shift = inverse[one] - scale * seen[one]
        errors = _measure_errors(seen, inverse, scale, shift)
        fits = errors < FITS
        score = (int(fits.sum()), -float(errors[fits].sum()))
        if scale > 0 and score > best_score:
            best, best_score, best_fits = (scale, shift), score, fits
    if best_fits.sum() >= FEWEST:
        refined = _fit_least_squares(seen[best_fits], inverse[best_fits])
        if refined[0] > 0:
            best = refined
    return *best, best_fits


def _fit_least_squares(seen: np.ndarray, inverse: np.ndarray) -> tuple[float, float]:
    """Returns scale and shift with the least sum of squared relative errors."""
    design = np.stack([seen, np.ones(len(seen))], axis=1) / inverse[:, None]
    (scale, shift), *_ = np.linalg.lstsq(design, np.ones(len(seen)), rcond=None)
    return float(scale), float(shift)


def _measure_errors(seen: np.ndarray, inverse: np.ndarray, scale: float, shift: float) -> np.ndarray:
    """Returns by which share of the known distance each point's distance by the fit is off."""
    fitted = np.maximum(scale * seen + shift, 1e-6)
    return np.abs(inverse / fitted - 1)
