"""Examples as HTML figures with their pictures inside, and the one depth scale that all of them share."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from data_pipelines.inspection.depth_colors import color_depth
from fgseg_tf.evaluation.example_picker import PICTURES, Case
from fgseg_tf.report.html import Html, html

CAPTIONS = {"predicted_mask": "predicted mask", "predicted_depth": "predicted depth"}
MARKS = (0.5, 1, 2, 5, 10, 20, 50, 100, 200)  # metres that the legend may name
BANDS = 48  # of one colour each, in the legend
QUALITY = 88  # of photographs and coloured depth, as JPEG; masks are PNG


@dataclass(frozen=True)
class Legend:
    """The depth scale of a page.

    Attributes:
        near: The depth with the lightest colour.
        far: The depth with the darkest colour.
        unit: Of both.
    """

    near: float
    far: float
    unit: str = "metres"

    @classmethod
    def from_cases(cls, cases: dict[str, list[Case]]) -> "Legend":
        """Returns a scale from the nearest to the farthest true depth of the cases."""
        depths = [case.pictures["depth"].astype(np.float32) for group in cases.values() for case in group]
        known = np.concatenate([depth[depth > 0] for depth in depths] or [np.ones(1, np.float32)])
        near, far = (float(known.min()), float(known.max())) if known.size else (1.0, 10.0)
        return cls(near, max(far, near * 1.01))

    def color(self, metres: np.ndarray) -> np.ndarray:
        """Returns depth, [H, W], as colours, uint8 [H, W, 3]."""
        return color_depth(metres.astype(np.float32), self.near, self.far)

    def render(self) -> Html:
        """Returns a bar of its colours with distances under it."""
        marks = [mark for mark in MARKS if self.near <= mark <= self.far]
        places = {
            np.log(mark / self.near) / np.log(self.far / self.near): f"{mark:.3g}"
            for mark in (marks if len(marks) > 1 else (self.near, self.far))
        }
        colours = self.color(np.geomspace(self.near, self.far, BANDS)[None])[0]
        label = f"Depth colours in {self.unit}, from {self.near:.2g}, light, to {self.far:.3g}, dark"
        return render_color_bar(colours, places, label, f"depth in {self.unit}; grey is unknown")


def render_color_bar(colours: np.ndarray, places: dict[float, str], label: str, note: str) -> Html:
    """Returns a bar of colours.

    Args:
        colours: uint8 [BANDS, 3].
        places: What to write under it, by where, 0 to 1.
        label: The same in words, for who cannot see it.
        note: Stands beside it.
    """
    bands = [
        html(
            '<rect x="{:.2f}" width="{:.2f}" height="12" fill="#{:02x}{:02x}{:02x}"/>',
            320 * number / BANDS,
            320 / BANDS + 1,
            *colour,
        )
        for number, colour in enumerate(colours.tolist())
    ]
    texts = [
        html('<text x="{:.1f}" y="27" text-anchor="middle">{}</text>', 320 * at, text) for at, text in places.items()
    ]
    return html(
        '<div class=legend><svg viewBox="0 0 320 32" role="img" aria-label="{}">{}{}</svg><span>{}</span></div>',
        label,
        bands,
        texts,
        note,
    )


def render_case(shown: Case, legend: Legend) -> Html:
    """Returns an example with its pictures and scores."""
    figures = []
    for key in PICTURES:
        caption = CAPTIONS.get(key, key)
        picture = shown.pictures[key]
        source = encode_data_url(legend.color(picture) if "depth" in key else picture)
        height, width = picture.shape[:2]
        figures.append(
            html(
                '<figure><img src="{source}" width={width} height={height} alt="{caption} of {name}" '
                "loading=lazy><figcaption>{caption}</figcaption></figure>",
                source=source,
                width=width,
                height=height,
                caption=caption,
                name=shown.name,
            )
        )
    return html(
        "<article class=case><h3>{}</h3><p class=faint>{}</p><div class=six>{}</div></article>",
        shown.name,
        _facts(shown),
        figures,
    )


def _facts(shown: Case) -> str:
    share = float((shown.pictures["mask"] >= 128).mean())
    if share:
        caption = f"mask IoU {shown.iou:.3f}; the object is {format_percent(share)} of the picture"
    else:
        caption = f"nobody; {format_percent(float((shown.pictures['predicted_mask'] >= 128).mean()))} called foreground"
    return caption if shown.abs_rel is None else f"{caption}; depth AbsRel {shown.abs_rel:.3f}"


def format_percent(share: float) -> str:
    """Returns a share, 0 to 1, in per cent with two digits."""
    return f"{100 * share:{'.0f' if share > 0.0995 else '.2g'}}\N{NO-BREAK SPACE}%"


def encode_data_url(picture: np.ndarray) -> Html:
    """Returns a picture, uint8 [H, W, 3] or [H, W], as the source of an <img>."""
    kind = "jpeg" if picture.ndim == 3 else "png"
    file = io.BytesIO()
    # Colours at full resolution: the pictures are small, and edges are what one looks at.
    Image.fromarray(picture).save(file, kind, **({"quality": QUALITY, "subsampling": 0} if kind == "jpeg" else {}))
    return html("data:image/{};base64,{}", kind, base64.b64encode(file.getvalue()).decode())
