"""Baselines that a network has to beat: they need no training, only a threshold or two.

    difference         a pixel is foreground where the frame differs from the background by more than a threshold
    mog2, knn          OpenCV's background subtractors, as on a fixed camera that has one picture of the background
    background_depth   depth as if nobody were there: `bg_depth` of `Data.scoring`, so there is nothing to compute

The first three are called with `bg` and `fg_bg`, [B, H, W, 3] from 0 to 1, and return a mask, float32 [B, H, W, 1] of
zeros and ones. Each is tuned for the best mean IoU of images on training examples: what is compared is what they can
do, not how well somebody guessed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from types import ModuleType

import numpy as np
import tensorflow as tf

from fgseg_tf.measures import metrics

TUNING_EXAMPLES = 64
DIFFERENCES = tuple(level / 255 for level in (2, 3, 4, 6, 8, 10, 12, 15, 18, 22, 27, 33, 40, 50, 60, 80, 100))
MEDIANS = (1, 3, 5)  # pixels a side; 1 leaves everything as it is
VARIANCES = (4, 9, 16, 25, 36, 64, 100, 225, 400, 900)
SQUARED_DISTANCES = (25, 50, 100, 200, 400, 800, 1600, 3200)
# How often the background is shown. KNN takes everything for foreground before the fifth time; MOG2's variances have
# fallen to their floor at about the same.
REPEATS = 8
OPENCV_FOREGROUND = 255  # 127 is what it takes for a shadow


@dataclass(frozen=True)
class Difference:
    """Foreground is where the largest |fg_bg - bg| of the channels exceeds a threshold.

    Attributes:
        threshold: 0 to 1.
        median: Side, in pixels, of the median filter that the mask goes through; 1 for none.
    """

    threshold: float
    median: int = 1

    def __call__(self, bg: np.ndarray | tf.Tensor, fg_bg: np.ndarray | tf.Tensor) -> np.ndarray:
        """Returns the mask of fg_bg."""
        return self.threshold_difference(compute_difference(bg, fg_bg))

    def threshold_difference(self, difference: tf.Tensor) -> np.ndarray:
        """Returns the mask for what `compute_difference` returns."""
        mask = tf.cast(difference > self.threshold, tf.float32)
        if self.median > 1:
            # The median of zeros and ones is what most are. At the picture's edge, of those that are inside.
            mask = tf.cast(tf.nn.avg_pool2d(mask, self.median, 1, "SAME") > 0.5, tf.float32)
        return mask.numpy()


@dataclass(frozen=True)
class Subtractor:
    """A background subtractor of OpenCV, with its default settings but for the threshold.

    Attributes:
        kind: "mog2" or "knn".
        threshold: A variance for MOG2, a squared distance for KNN.
    """

    kind: str
    threshold: float

    def __call__(self, bg: np.ndarray | tf.Tensor, fg_bg: np.ndarray | tf.Tensor) -> np.ndarray:
        """Returns the mask of fg_bg."""
        return self.learn_background(bg)(fg_bg)

    def learn_background(self, bg: np.ndarray | tf.Tensor) -> Callable[[np.ndarray | tf.Tensor], np.ndarray]:
        """Returns a function from fg_bg to the mask.

        The pictures of a batch are stacked into one: OpenCV treats each pixel alone, so the result is the same, with
        one call.
        """
        stacked = _stack(bg)
        if self.kind == "mog2":
            subtractor = import_opencv().createBackgroundSubtractorMOG2(REPEATS, self.threshold, detectShadows=True)
        else:
            subtractor = import_opencv().createBackgroundSubtractorKNN(REPEATS, self.threshold, detectShadows=True)
        for _ in range(REPEATS):
            subtractor.apply(stacked)

        def segment(fg_bg: np.ndarray | tf.Tensor) -> np.ndarray:
            # What stands there must not be learned. (KNN learns it all the same, but only after it has answered.)
            mask = subtractor.apply(_stack(fg_bg), learningRate=0) == OPENCV_FOREGROUND
            return mask.reshape(*fg_bg.shape[:3], 1).astype(np.float32)

        return segment


def tune_baselines(batches: Iterable[dict]) -> dict[str, Difference | Subtractor]:
    """Returns the best of each kind, by name, on some examples.

    Args:
        batches: With `bg`, `fg_bg` and `mask`, as `Data.scoring` yields them. Some dozens of examples are enough: all
            of them are segmented once for each candidate.
    """
    parts = [[np.asarray(batch[key]) for key in ("bg", "fg_bg", "mask")] for batch in batches]
    bg, fg_bg, mask = (np.concatenate(part) for part in zip(*parts, strict=True))
    difference = compute_difference(bg, fg_bg)
    differences = [Difference(threshold, median) for median in MEDIANS for threshold in DIFFERENCES]
    return {
        "difference": _best(differences, lambda candidate: candidate.threshold_difference(difference), mask),
        "mog2": _best([Subtractor("mog2", t) for t in VARIANCES], lambda candidate: candidate(bg, fg_bg), mask),
        "knn": _best([Subtractor("knn", t) for t in SQUARED_DISTANCES], lambda candidate: candidate(bg, fg_bg), mask),
    }


def compute_difference(bg: np.ndarray | tf.Tensor, fg_bg: np.ndarray | tf.Tensor) -> tf.Tensor:
    """Returns the largest absolute difference of the channels, [B, H, W, 1]."""
    return tf.reduce_max(tf.abs(tf.convert_to_tensor(fg_bg) - bg), axis=-1, keepdims=True)


def import_opencv() -> ModuleType:
    """Returns the module cv2.

    Raises:
        ValueError: It is not installed; says how to install it.
    """
    try:
        import cv2
    except ImportError as error:
        raise ValueError(
            f"the baselines mog2 and knn need OpenCV ({error}); pip install '.[evaluation]', or leave all baselines "
            "out with `nobaselines`."
        ) from error
    return cv2


def _best(candidates: list, segment: Callable, mask: np.ndarray):
    """The first of those with the highest mean IoU."""
    scores = [float(tf.reduce_mean(metrics.iou(mask, segment(candidate))[0])) for candidate in candidates]
    return candidates[int(np.argmax(scores))]


def _stack(pictures) -> np.ndarray:
    """[B, H, W, 3] from 0 to 1 -> uint8 [B * H, W, 3]."""
    levels = np.round(np.asarray(pictures) * 255).astype(np.uint8)
    return levels.reshape(-1, *levels.shape[2:])
