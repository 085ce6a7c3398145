"""What a network has to beat: answers that need no training, only a threshold or two.

    difference         a pixel is foreground where the frame differs from the empty scene by more than a threshold
    mog2, knn          OpenCV's background subtractors, as on a fixed camera that has one picture of the empty scene
    background_depth   depth as if nobody were there: `bg_depth` of `Data.scoring`, so there is nothing to compute

The first three are called with `bg` and `fg_bg`, [B, H, W, 3] from 0 to 1, and answer a mask, float32 [B, H, W, 1] of
zeros and ones. Each is tuned for the best mean IoU an image on training examples: what is compared is what they can do,
not how well somebody guessed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import tensorflow as tf

from fgseg_tf.measures import metrics

TUNED_ON = 64  # training examples
DIFFERENCES = tuple(level / 255 for level in (2, 3, 4, 6, 8, 10, 12, 15, 18, 22, 27, 33, 40, 50, 60, 80, 100))
MEDIANS = (1, 3, 5)  # pixels a side; 1 leaves everything as it is
VARIANCES = (4, 9, 16, 25, 36, 64, 100, 225, 400, 900)
SQUARED_DISTANCES = (25, 50, 100, 200, 400, 800, 1600, 3200)
# How often the empty scene is shown. KNN takes everything for foreground before the fifth time; MOG2's variances have
# fallen to their floor at about the same.
SHOWN = 8
SURELY_FOREGROUND = 255  # OpenCV says 127 of what it takes for a shadow


@dataclass(frozen=True)
class Difference:
    """max over channels of |fg_bg - bg| > threshold, then a median over `median` x `median` pixels."""

    threshold: float
    median: int = 1

    def __call__(self, bg: np.ndarray | tf.Tensor, fg_bg: np.ndarray | tf.Tensor) -> np.ndarray:
        return self.of(largest_difference(bg, fg_bg))

    def of(self, difference: tf.Tensor) -> np.ndarray:
        found = tf.cast(difference > self.threshold, tf.float32)
        if self.median > 1:
            # The median of zeros and ones is what most are. At the picture's edge, of those that are inside.
            found = tf.cast(tf.nn.avg_pool2d(found, self.median, 1, "SAME") > 0.5, tf.float32)
        return found.numpy()


@dataclass(frozen=True)
class Subtractor:
    """One of OpenCV's, with its default settings but for the threshold: `mog2` or `knn`."""

    kind: str
    threshold: float

    def __call__(self, bg: np.ndarray | tf.Tensor, fg_bg: np.ndarray | tf.Tensor) -> np.ndarray:
        return self.trained(bg)(fg_bg)

    def trained(self, bg: np.ndarray | tf.Tensor) -> Callable[[np.ndarray | tf.Tensor], np.ndarray]:
        """A function of fg_bg.

        The pictures of a batch stand above one another in one: OpenCV looks at each pixel alone, so that nothing
        changes but that it is called once.
        """
        scene = _stacked(bg)
        if self.kind == "mog2":
            subtractor = opencv().createBackgroundSubtractorMOG2(SHOWN, self.threshold, detectShadows=True)
        else:
            subtractor = opencv().createBackgroundSubtractorKNN(SHOWN, self.threshold, detectShadows=True)
        for _ in range(SHOWN):
            subtractor.apply(scene)

        def answer(fg_bg) -> np.ndarray:
            # What stands there must not be learned. (KNN learns it all the same, but only after it has answered.)
            found = subtractor.apply(_stacked(fg_bg), learningRate=0) == SURELY_FOREGROUND
            return found.reshape(*fg_bg.shape[:3], 1).astype(np.float32)

        return answer


def tuned(batches: Iterable[dict]) -> dict:
    """Name -> the best of each kind on these examples: batches with `bg`, `fg_bg` and `mask`, as of `Data.scoring`.

    All of them are looked at once for each candidate, so give some dozens.
    """
    parts = [[np.asarray(batch[key]) for key in ("bg", "fg_bg", "mask")] for batch in batches]
    bg, fg_bg, mask = (np.concatenate(part) for part in zip(*parts, strict=True))
    difference = largest_difference(bg, fg_bg)
    differences = [Difference(threshold, median) for median in MEDIANS for threshold in DIFFERENCES]
    return {
        "difference": _best(differences, lambda candidate: candidate.of(difference), mask),
        "mog2": _best([Subtractor("mog2", t) for t in VARIANCES], lambda candidate: candidate(bg, fg_bg), mask),
        "knn": _best([Subtractor("knn", t) for t in SQUARED_DISTANCES], lambda candidate: candidate(bg, fg_bg), mask),
    }


def largest_difference(bg: np.ndarray | tf.Tensor, fg_bg: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Over channels, [B, H, W, 1]."""
    return tf.reduce_max(tf.abs(tf.convert_to_tensor(fg_bg) - bg), axis=-1, keepdims=True)


def opencv() -> ModuleType:
    """The module, or a refusal that says how to get it."""
    try:
        import cv2
    except ImportError as error:
        raise ValueError(
            f"the baselines mog2 and knn need OpenCV ({error}); pip install '.[evaluation]', or leave all baselines "
            "out with `nobaselines`."
        ) from error
    return cv2


def _best(candidates: list, answer, mask: np.ndarray):
    """The first of those with the highest mean IoU."""
    scores = [float(tf.reduce_mean(metrics.iou(mask, answer(candidate))[0])) for candidate in candidates]
    return candidates[int(np.argmax(scores))]


def _stacked(pictures) -> np.ndarray:
    """[B, H, W, 3] from 0 to 1 -> uint8 [B * H, W, 3]."""
    levels = np.round(np.asarray(pictures) * 255).astype(np.uint8)
    return levels.reshape(-1, *levels.shape[2:])
