"""Teachers that say which of two things is nearer, and by how much in a unit of their own: inverse depth, no metres.

    FILE.onnx            any network of monocular depth as an ONNX file
    keras_hub:FOLDER     a preset of KerasHub's DepthEstimator on this machine
    keras_hub:NAME       one that KerasHub knows, such as depth_anything_v2_small; it downloads the weights

Whoever asks one has to bring what turns its map into metres: measured distances, or where the floor is.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class RelativeTeacher:
    """A network of relative depth with its weights.

    Attributes:
        name: of the file or the preset, without the folders that it lies in.
        description: a phrase that says how it is asked: size, layout, range of its input.
        digest: SHA-256 of its weights, in hexadecimal.
        ask: uint8 [H, W, 3] -> inverse depth, float64 [h, w] of any size, NaN where unknown; larger is nearer.
    """

    name: str
    description: str
    digest: str
    ask: Callable[[np.ndarray], np.ndarray]
    _answers: dict[str, np.ndarray] = field(default_factory=dict, repr=False, compare=False)

    def predict_inverse_depth(self, picture: np.ndarray) -> np.ndarray:
        """Returns inverse depth in the unit of the network, float32 [H, W], NaN where unknown, of uint8 [H, W, 3].

        A picture is looked at once: who leaves out backgrounds without a floor asks for the others a second time.
        """
        key = hashlib.sha256(picture.tobytes()).hexdigest() + str(picture.shape)
        if key not in self._answers:
            self._answers[key] = stretch(self.ask(picture), picture.shape[:2]).astype(np.float32)
        return self._answers[key]


def stretch(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Returns a map at the size of the picture that it is of, whose proportions the network's input may lack.

    What lies beside an unknown value, NaN, is unknown too.
    """
    height, width = size
    known = np.isfinite(values)
    planes = [np.where(known, values, 0), known]
    stretched, share = (
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)).astype(
            np.float64
        )
        for plane in planes
    )
    return np.where(share > 1 - 1e-6, stretched, np.nan)
