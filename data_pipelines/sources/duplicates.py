"""Finds copies among pictures: the same pixels, nearly the same picture, or its mirror image.

A copy in the training half and its twin in the test half make a score that nobody will see on their own camera, so a
scan looks for copies before the split is drawn. What counts as one: resized, recompressed, brightened, converted to
grey, mirrored, or another frame of the same fixed camera. What does not: another view of the same room, another pose
of the same person. A copy that was cropped by more than a few percent is not found.

A picture's mark is a unit vector, float32 [MARK_SIZE]: the differences between neighbouring pixels of a 16 x 16 grey
thumbnail (brightness drops out, contrast is normalised away) and of its alpha. The cosine of two marks says how alike
two pictures are. On 394 real pictures, each with five or six copies (shrunk to 0.4, JPEG quality 15 to 60, brightened,
a fiftieth cropped off): all but five of the copies score over 0.80, the least 0.77; the most alike pair of different
pictures has 0.66 (backgrounds) and 0.70 (two cupboards, one mirrored). A 64-bit dHash does not part them: different
empty rooms are 7 bits apart, copies up to 8.
"""

import numpy as np
from PIL import Image

SIDE = 16
COPY_COSINE = 0.80
# Grey levels between neighbours in the thumbnail, root mean square. Below that a picture is flat, its mark would be
# its noise, and two blank walls would match or not by chance: it has no mark and only equal pixels make it a copy.
FLAT = 0.5
MARK_SIZE = 4 * (SIDE - 1) ** 2


def compute_marks(grey: Image.Image, alpha: Image.Image | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Computes the mark of a picture and the mark of its mirror image.

    grey and alpha are pictures of mode L and one size; a cutout comes trimmed, with its grey laid over a middle grey.
    """
    # Outlines alone are much alike (people who stand, cupboards): a quarter of alpha counts.
    thumbnails = [_thumbnail(grey), np.zeros((SIDE, SIDE), np.float32) if alpha is None else _thumbnail(alpha) / 4]
    return _mark(thumbnails), _mark([thumbnail[:, ::-1] for thumbnail in thumbnails])


def find_copies(digests: list[str], marks: np.ndarray, mirrored: np.ndarray) -> dict[int, tuple[int, str]]:
    """Finds pictures that are copies of an earlier one: {index: (index of the one to keep, in which way it is a copy)}.

    digests: one a picture, equal when the pixels are equal; marks, mirrored: float32 [count, MARK_SIZE].
    Earlier pictures are kept, and no two that are kept are copies of each other.
    """
    copies: dict[int, tuple[int, str]] = {}
    kept = np.ones(len(digests), bool)
    first_with: dict[str, int] = {}
    block = 1024  # 10 000 pictures: ten products of 1024 x 900 by 900 x 10 000, a few seconds in all
    for start in range(0, len(digests), block):
        stop = min(start + block, len(digests))
        straight = marks[start:stop] @ marks[:stop].T
        turned = mirrored[start:stop] @ marks[:stop].T
        alike = np.maximum(straight, turned) >= COPY_COSINE
        for index in range(start, stop):
            if digests[index] in first_with:
                copies[index] = first_with[digests[index]], "the same pixels as"
                kept[index] = False
                continue
            row = index - start
            twins = np.flatnonzero(alike[row, :index] & kept[:index])
            if twins.size:
                twin = int(twins[0])
                is_mirror = turned[row, twin] > straight[row, twin]
                copies[index] = twin, "a mirrored copy of" if is_mirror else "nearly the same picture as"
                kept[index] = False
            # A copy of a copy is a copy of the one that was kept.
            first_with[digests[index]] = index if kept[index] else copies[index][0]
    return copies


def _thumbnail(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.resize((SIDE, SIDE), Image.Resampling.BOX), np.float32)


def _mark(thumbnails: list[np.ndarray]) -> np.ndarray:
    steps = [np.diff(t, axis=1)[:-1].ravel() for t in thumbnails] + [
        np.diff(t, axis=0)[:, :-1].ravel() for t in thumbnails
    ]
    mark = np.concatenate(steps)
    length = float(np.linalg.norm(mark))
    if length < FLAT * SIDE:
        return np.zeros_like(mark)
    return mark / length
