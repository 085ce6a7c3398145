"""Whether a background belongs to a frame: of another scene, or of a camera that was knocked, no mask is right.

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
BACKGROUND_KEYS = ("bg_grey", "bg_nearby")  # of what is computed of a background once
SAME_SCENE = 0.25  # from here on: of real cameras 0.31 to 1, with trees in the wind the least; other scenes up to 0.18
SEARCHED = 0.15  # of the shorter side: the largest shift that is looked for


def describe_background(bg: tf.Tensor) -> dict[str, tf.Tensor]:
    """Returns what is compared of a background, under the names of BACKGROUND_KEYS. bg: [B, H, W, 3], 0 to 1."""
    grey = tf.reduce_mean(bg, -1, keepdims=True)
    return dict(zip(BACKGROUND_KEYS, (grey, _local_means([grey, grey * grey])), strict=True))


def measure_similarity(described: dict[str, tf.Tensor], fg_bg: tf.Tensor, mask: tf.Tensor) -> tf.Tensor:
    """Returns how well backgrounds fit frames.

    Meant for pictures of some 200 pixels: at full size, noise has more structure than the scene.

    Args:
        described: Of one background, or one for each frame; from `describe_background`.
        fg_bg: Frames, [B, H, W, 3], 0 to 1.
        mask: Foreground, [B, H, W, 1], 0 to 1.

    Returns:
        float32 [B], 0 to 1; 1 where there is nothing to compare.
    """
    grey_bg, means_bg = (described[name] for name in BACKGROUND_KEYS)
    grey_frame = tf.reduce_mean(fg_bg, -1, keepdims=True)
    means = _local_means([grey_frame, grey_frame * grey_frame, grey_bg * grey_frame])
    variance_bg, variance_frame = (tf.maximum(each[..., 1] - tf.square(each[..., 0]), 0) for each in (means_bg, means))
    covariance = means[..., 2] - means_bg[..., 0] * means[..., 0]
    correlation = covariance / tf.sqrt(variance_bg * variance_frame + 1e-8)
    structured = tf.maximum(variance_bg, variance_frame) > FLAT**2
    empty = structured & (_local_maximum(mask)[..., 0] < 0.3)
    # Where nearly all is foreground, the mask says no more than that something is wrong.
    few = _count(empty) < LEFT * _count(structured)
    compared = tf.cast(tf.where(few[:, None, None], structured, empty), tf.float32)
    count = _count(compared)
    total = tf.reduce_sum(tf.maximum(correlation, 0) * compared, [1, 2])
    enough = count >= LEAST * tf.cast(tf.size(compared[0]), tf.float32)
    return tf.where(enough, tf.math.divide_no_nan(total, count), tf.ones_like(count))


def estimate_shift(bg: np.ndarray, fg_bg: np.ndarray) -> tuple[int, int]:
    """Returns by how many pixels, (down, right), a frame seems to be shifted against the background; [H, W, 3] each."""
    spectra = [np.fft.rfft2(_edge_strength(picture)) for picture in (fg_bg, bg)]
    cross = spectra[0] * np.conj(spectra[1])
    likely = np.fft.irfft2(cross / np.maximum(np.abs(cross), 1e-9), bg.shape[:2])
    far = int(SEARCHED * min(bg.shape[:2]))
    near = np.roll(likely, (far, far), (0, 1))[: 2 * far + 1, : 2 * far + 1]
    down, right = np.unravel_index(np.argmax(near), near.shape)
    return int(down) - far, int(right) - far


def _local_means(pictures: list[tf.Tensor]) -> tf.Tensor:
    """Means over neighbourhoods of [B, H, W, 1] each, of every third place: [B, w, h, number of pictures]."""
    return _pool(tf.nn.avg_pool2d, pictures)


def _local_maximum(picture: tf.Tensor) -> tf.Tensor:
    return _pool(tf.nn.max_pool2d, [picture])


def _pool(pool, pictures: list[tf.Tensor]) -> tf.Tensor:
    # Down and then across, and each time what is not pooled lies where channels do: these are done many at once.
    batch, height, width = tf.unstack(tf.shape(pictures[0])[:3])
    lines = tf.concat([tf.reshape(picture, [batch, height, 1, width]) for picture in pictures], 3)
    down = pool(lines, [NEIGHBOURHOOD, 1], [STEP, 1], "SAME")
    columns = tf.transpose(tf.reshape(down, [batch, -1, len(pictures), width]), [0, 3, 1, 2])
    across = pool(tf.reshape(columns, [batch, width, 1, -1]), [NEIGHBOURHOOD, 1], [STEP, 1], "SAME")
    return tf.reshape(across, [batch, -1, tf.shape(down)[1], len(pictures)])


def _edge_strength(picture: np.ndarray) -> np.ndarray:
    """The gradient of [H, W, 3], faded out towards the sides of the picture, which are no edges: [H, W]."""
    grey = picture.astype(np.float32).mean(-1)
    faded = np.outer(np.hanning(grey.shape[0]), np.hanning(grey.shape[1]))
    down, across = np.gradient(grey)
    return np.hypot(down, across) * faded


def _count(pixels: tf.Tensor) -> tf.Tensor:
    return tf.reduce_sum(tf.cast(pixels, tf.float32), [1, 2])
