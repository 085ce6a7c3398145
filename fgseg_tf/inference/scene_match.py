"""Whether an empty scene belongs to a frame: of another scene, or of a camera that was knocked, no mask is right.

What is compared is local structure, which light and exposure leave as it is: the correlation of small neighbourhoods,
where either picture has any structure and nobody stands. 1 is the same scene; another one is about 0.
"""

import numpy as np
import tensorflow as tf

NEIGHBOURHOOD = 9  # pixels a side
STEP = 3  # pixels from one neighbourhood to the next: they overlap, and a third of them says the same
FLAT = 0.02  # standard deviation, of 1, below which a neighbourhood has nothing to compare
LEFT = 0.3  # share of what has structure that must be outside the mask for the mask to be believed
LEAST = 0.01  # share of the picture that says something
SEEN = ("bg_grey", "bg_nearby")  # of an empty scene
BELONGS = 0.25  # from here on: of real cameras 0.31 to 1, with trees in the wind the least; of other scenes up to 0.18
SEARCHED = 0.15  # of the shorter side: the largest shift that is looked for


def seen(bg: tf.Tensor) -> dict:
    """What is compared of an empty scene, [B, H, W, 3] from 0 to 1, under the names of SEEN."""
    grey = tf.reduce_mean(bg, -1, keepdims=True)
    return dict(zip(SEEN, (grey, _nearby([grey, grey * grey])), strict=True))


def similarity(bg: dict, fg_bg: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """float32 [B]; 1 where there is nothing to compare. bg: as `seen`. fg_bg: [B, H, W, 3], mask: [B, H, W, 1], 0 to 1.

    One bg will do for all of many frames. Meant for pictures of some 200 pixels: at full size, noise has more structure
    than the scene.
    """
    grey_bg, of_bg = (bg[name] for name in SEEN)
    grey_frame = tf.reduce_mean(fg_bg, -1, keepdims=True)
    of_frame = _nearby([grey_frame, grey_frame * grey_frame, grey_bg * grey_frame])
    variance_bg, variance_frame = (tf.maximum(each[..., 1] - tf.square(each[..., 0]), 0) for each in (of_bg, of_frame))
    covariance = of_frame[..., 2] - of_bg[..., 0] * of_frame[..., 0]
    correlation = covariance / tf.sqrt(variance_bg * variance_frame + 1e-8)
    structured = tf.maximum(variance_bg, variance_frame) > FLAT**2
    empty = structured & (_largest_nearby(mask)[..., 0] < 0.3)
    # Where nearly all is foreground, the mask says no more than that something is wrong.
    few = _count(empty) < LEFT * _count(structured)
    looked_at = tf.cast(tf.where(few[:, None, None], structured, empty), tf.float32)
    number = _count(looked_at)
    found = tf.reduce_sum(tf.maximum(correlation, 0) * looked_at, [1, 2])
    enough = number >= LEAST * tf.cast(tf.size(looked_at[0]), tf.float32)
    return tf.where(enough, tf.math.divide_no_nan(found, number), tf.ones_like(number))


def shift(bg: np.ndarray, fg_bg: np.ndarray) -> tuple[int, int]:
    """(down, right) in pixels, by which the frame seems to be moved against the empty scene. [H, W, 3] each."""
    spectra = [np.fft.rfft2(_edges(picture)) for picture in (fg_bg, bg)]
    cross = spectra[0] * np.conj(spectra[1])
    likely = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), bg.shape[:2])
    far = int(SEARCHED * min(bg.shape[:2]))
    near = np.roll(likely, (far, far), (0, 1))[: 2 * far + 1, : 2 * far + 1]
    down, right = np.unravel_index(np.argmax(near), near.shape)
    return int(down) - far, int(right) - far


def _nearby(pictures: list):
    """Means over neighbourhoods of [B, H, W, 1] each, of every third place: [B, w, h, number of pictures]."""
    return _pooled(tf.nn.avg_pool2d, pictures)


def _largest_nearby(picture):
    return _pooled(tf.nn.max_pool2d, [picture])


def _pooled(pool, pictures: list):
    # Down and then across, and each time what is not pooled lies where channels do: these are done many at once.
    batch, height, width = tf.unstack(tf.shape(pictures[0])[:3])
    lines = tf.concat([tf.reshape(picture, [batch, height, 1, width]) for picture in pictures], 3)
    down = pool(lines, [NEIGHBOURHOOD, 1], [STEP, 1], "SAME")
    columns = tf.transpose(tf.reshape(down, [batch, -1, len(pictures), width]), [0, 3, 1, 2])
    across = pool(tf.reshape(columns, [batch, width, 1, -1]), [NEIGHBOURHOOD, 1], [STEP, 1], "SAME")
    return tf.reshape(across, [batch, -1, tf.shape(down)[1], len(pictures)])


def _edges(picture: np.ndarray) -> np.ndarray:
    grey = picture.astype(np.float32).mean(-1)
    faded = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    down, across = np.gradient(grey)
    return np.hypot(down, across) * faded


def _count(pixels):
    return tf.reduce_sum(tf.cast(pixels, tf.float32), [1, 2])
