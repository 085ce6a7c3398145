"""Depth of a background in metres, from whatever is known: a map, distances, the floor.

A map in metres stands as it is. A relative one is scaled by known distances, or else so that its floor is the one that
follows from where the camera hangs. Without a map, that floor is all. Without anything, a network's guess stays one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fgseg_tf.calibration.camera_folder import COMPUTED, FITTED, GUESSED, MEASURED, CameraSetup
from fgseg_tf.calibration.depth_pictures import DepthPicture, fill_holes, resize_depth
from fgseg_tf.calibration.floor_plane import check_field_of_view, compute_floor_depth
from fgseg_tf.calibration.inverse_fit import FITS, KnownDistance, fit_inverse, fit_to_map, read_value

LEAST_FLOOR = 0.15  # of the pixels where floor could be


@dataclass(frozen=True)
class CameraPlace:
    """Where a camera hangs.

    Attributes:
        fov: degrees across the picture; None where unknown.
        camera_height: metres above the floor; None where unknown.
        tilt: degrees downwards; None where unknown.
        roll: degrees clockwise, seen from behind the camera; None for an upright one.
    """

    fov: float | None = None
    camera_height: float | None = None
    tilt: float | None = None
    roll: float | None = None

    def __post_init__(self):
        if self.fov is not None:
            check_field_of_view(self.fov)
        given = {"fov": self.fov, "camera_height": self.camera_height, "tilt": self.tilt}
        missing = [f"`{name}`" for name, value in given.items() if value is None]
        if self.tilt is None:
            # A relative map does not give it either: its horizon depends on a shift that nobody knows. Taken as 0, the
            # tilt of a network's map is off by 3 to 18 degrees on six pictures with a depth sensor.
            missing[-1] += " (or `horizon`)"
        if missing and (self.camera_height, self.tilt, self.roll) != (None, None, None):
            raise ValueError(
                "the floor follows from `camera_height`, `fov` and `tilt` together; add " + " and ".join(missing) + "."
            )

    @property
    def is_known(self) -> bool:
        """Whether the depth of the floor follows from it."""
        return self.camera_height is not None

    def compute_floor_depth(self, size: tuple[int, int]) -> np.ndarray:
        """Returns the depth of the floor, float32 [H, W], metres, 0 where there is none."""
        if self.camera_height is None or self.fov is None or self.tilt is None:
            raise ValueError("give a depth picture, a teacher, or `camera_height`, `fov` and `tilt`.")
        return compute_floor_depth(size, self.camera_height, self.fov, self.tilt, self.roll or 0.0)


def make_setup(
    background: np.ndarray,
    depth_map: DepthPicture | None,
    source: str,
    points: list[KnownDistance],
    place: CameraPlace,
    fill: bool = False,
) -> CameraSetup:
    """Returns what is known of a camera.

    Args:
        background: uint8 [H, W, 3].
        depth_map: of the background, of any size; None where the floor is all that is known.
        source: a phrase, what the map comes from.
        points: known distances.
        place: where the camera hangs, as far as it is known.
        fill: whether holes of the map are filled from around.

    Raises:
        ValueError: what is given contradicts itself, or is not enough.
    """
    size = background.shape[:2]
    setup = CameraSetup(
        background,
        np.zeros(size, np.float32),
        GUESSED,
        source,
        fov=place.fov,
        camera_height=place.camera_height,
        tilt=place.tilt,
        roll=place.roll,
    )
    if depth_map is None:
        setup = replace(setup, depth=place.compute_floor_depth(size), trust=COMPUTED, source="the floor alone")
        return _compare_with_points(setup, points)
    values = resize_depth(depth_map.values, size)
    if depth_map.is_metric:
        setup = replace(setup, depth=np.nan_to_num(values).astype(np.float32), trust=MEASURED)
        setup = _compare_with_points(setup, points)
    elif points:
        fit = fit_inverse(values, points)
        setup = replace(setup, depth=fit.to_metres(values), trust=FITTED)
        setup = _note_points(setup, points, fit.fitted, fit.used)
    elif place.is_known:
        floor = place.compute_floor_depth(size)
        fit, share = fit_to_map(values, floor)
        if share < LEAST_FLOOR:
            raise ValueError(
                f"the map and a floor {place.camera_height:g} m below do not fit together: {share:.0%} of where floor "
                "could be agrees; are `camera_height`, `fov` and `tilt` right? Or give points (`known`)."
            )
        setup = replace(setup, depth=fit.to_metres(values), trust=COMPUTED, source=f"{source}, scaled to the floor")
    else:
        setup = replace(setup, depth=_scale_to_guess(values))
    holes = float((setup.depth <= 0).mean())
    if not (fill and holes):
        return setup
    filled = fill_holes(setup.depth).astype(np.float32)
    return replace(setup, depth=filled, source=f"{setup.source}, {holes:.1%} of it filled from around")


def _note_points(
    setup: CameraSetup, points: Sequence[KnownDistance], fitted: Sequence[float], used: Sequence[bool]
) -> CameraSetup:
    """Returns the setup with its points, and with the median error of those that fit."""
    errors = [abs(metres / point.metres - 1) for metres, fits, point in zip(fitted, used, points, strict=True) if fits]
    return replace(
        setup,
        points=tuple(points),
        fitted=tuple(zip(fitted, used, strict=True)),
        error=round(float(np.median(errors)), 4),
    )


def _compare_with_points(setup: CameraSetup, points: list[KnownDistance]) -> CameraSetup:
    """Notes how far depth that was not fitted is off at known points; raises ValueError where most contradict it."""
    if not points:
        return setup
    known = np.where(setup.depth > 0, setup.depth.astype(np.float64), np.nan)
    fitted = [read_value(known, point) for point in points]
    errors = [abs(metres / point.metres - 1) for metres, point in zip(fitted, points, strict=True)]
    if np.median(errors) > FITS:
        worst = int(np.argmax(errors))
        raise ValueError(
            f"the depth contradicts `known`: {fitted[worst]:.2f} m at column {points[worst].column}, row "
            f"{points[worst].row}, where {points[worst].metres:g} m are known. Check the points, and what the depth is "
            "made from."
        )
    return _note_points(setup, points, fitted, [error <= FITS for error in errors])


def _scale_to_guess(inverse: np.ndarray) -> np.ndarray:
    """Returns an order of near and far as distances from 1 to 10: of a relative map nothing else is known."""
    low, high = np.nanpercentile(inverse, [1, 99])
    share = np.clip((inverse - low) / max(high - low, 1e-12), 0, 1)
    return np.nan_to_num(1 / (0.1 + 0.9 * share)).astype(np.float32)
