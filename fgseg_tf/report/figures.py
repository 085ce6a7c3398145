"""Examples as figures of HTML with their pictures inside, and the one depth scale that all of them share."""

import base64
import io
from dataclasses import dataclass
from html import escape

import numpy as np
from PIL import Image

from data_pipelines.inspection.depth_colors import color_depth
from fgseg_tf.evaluation.example_picker import PICTURES, Case

CAPTIONS = {"predicted_mask": "predicted mask", "predicted_depth": "predicted depth"}
MARKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200)  # metres that the legend may name
BANDS = 48  # of one colour each, in the legend
QUALITY = 88  # of photographs and coloured depth, as JPEG; masks are PNG


@dataclass(frozen=True)
class Legend:
    """The ends of the depth scale."""

    near: float
    far: float
    unit: str = "metres"

    @classmethod
    def of(cls, cases: dict[str, list[Case]]) -> "Legend":
        """From the nearest to the farthest true depth of all that is shown."""
        depths = [case.pictures["depth"].astype(np.float32) for group in cases.values() for case in group]
        known = np.concatenate([depth[depth > 0] for depth in depths] or [np.ones(1)])
        near, far = (float(known.min()), float(known.max())) if known.size else (1.0, 10.0)
        return cls(near, max(far, near * 1.01))

    def colours(self, metres: np.ndarray) -> np.ndarray:
        return color_depth(metres.astype(np.float32), self.near, self.far)

    def drawn(self) -> str:
        """A bar with distances under it."""
        marks = [mark for mark in MARKS if self.near <= mark <= self.far]
        places = {
            np.log(mark / self.near) / np.log(self.far / self.near): f"{mark:.3g}"
            for mark in (marks if len(marks) > 1 else (self.near, self.far))
        }
        colours = self.colours(np.geomspace(self.near, self.far, BANDS)[None])[0]
        said = f"Depth colours in {self.unit}, from {self.near:.2g}, light, to {self.far:.3g}, dark"
        return bar(colours, places, said, f"depth in {self.unit}; grey is unknown")


def bar(colours: np.ndarray, places: dict[float, str], said: str, note: str) -> str:
    """A scale of colours, uint8 [BANDS, 3]. places: what to write under it, by where, 0..1; said: the same in words."""
    bands = "".join(
        f'<rect x="{320 * number / BANDS:.2f}" width="{320 / BANDS + 1:.2f}" height="12" '
        f'fill="#{red:02x}{green:02x}{blue:02x}"/>'
        for number, (red, green, blue) in enumerate(colours.tolist())
    )
    texts = "".join(
        f'<text x="{320 * at:.1f}" y="27" text-anchor="middle">{escape(text)}</text>' for at, text in places.items()
    )
    return (
        f'<div class=legend><svg viewBox="0 0 320 32" role="img" aria-label="{escape(said)}">{bands}{texts}</svg>'
        f"<span>{escape(note)}</span></div>"
    )


def case(shown: Case, legend: Legend) -> str:
    figures = []
    for key in PICTURES:
        caption = CAPTIONS.get(key, key)
        picture = shown.pictures[key]
        source = encoded(legend.colours(picture) if "depth" in key else picture)
        height, width = picture.shape[:2]
        figures.append(
            f'<figure><img src="{source}" width={width} height={height} alt="{caption} of {escape(shown.name)}" '
            f"loading=lazy><figcaption>{caption}</figcaption></figure>"
        )
    return (
        f"<article class=case><h3>{escape(shown.name)}</h3><p class=faint>{_facts(shown)}</p>"
        f"<div class=six>{''.join(figures)}</div></article>"
    )


def _facts(shown: Case) -> str:
    share = float((shown.pictures["mask"] >= 128).mean())
    if share:
        said = f"mask IoU {shown.iou:.3f}; the object is {percent(share)} of the picture"
    else:
        said = f"nobody; {percent(float((shown.pictures['predicted_mask'] >= 128).mean()))} called foreground"
    return said if shown.abs_rel is None else f"{said}; depth AbsRel {shown.abs_rel:.3f}"


def percent(share: float) -> str:
    return f"{100 * share:{'.0f' if share > 0.0995 else '.2g'}}\N{NO-BREAK SPACE}%"


def encoded(picture: np.ndarray) -> str:
    """uint8 [H, W, 3] or [H, W] -> what an <img> takes as its source."""
    kind = "jpeg" if picture.ndim == 3 else "png"
    file = io.BytesIO()
    # Colours at full resolution: the pictures are small, and edges are what one looks at.
    Image.fromarray(picture).save(file, kind, **({"quality": QUALITY, "subsampling": 0} if kind == "jpeg" else {}))
    return f"data:image/{kind};base64,{base64.b64encode(file.getvalue()).decode()}"
