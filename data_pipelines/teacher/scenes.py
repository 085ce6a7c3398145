"""What the small teacher learns from: demo scenes, drawn once into a folder; and real pictures with measured depth.

Pictures are uint8 [n, height, width, 3], depth codes uint16 [n, height, width] with CODES_PER_METRE; 0 is unknown.
"""

import os
from collections.abc import Sequence
from concurrent.futures import Executor, Future
from pathlib import Path

import numpy as np
from PIL import Image

from data_pipelines.demo import sources as demo_sources

CODES_PER_METRE = 800  # 16 bits up to 80 m, the depth of a demo scene's sky
CHUNK = 50  # scenes in a file


def start_rendering(pool: Executor, work: Path, size: tuple[int, int], seed: int, scenes: int) -> list[Future]:
    """Starts to render scenes into files; what is on disk already is not rendered again.

    Args:
        pool: that renders.
        work: folder for the files.
        size: (height, width), pixels.
        seed: of the scenes.
        scenes: how many.

    Returns:
        Futures of the files' paths.
    """
    folder = work / f"scenes_{size[0]}x{size[1]}_seed{seed}"
    folder.mkdir(parents=True, exist_ok=True)
    return [
        pool.submit(render_chunk, folder, seed, range(scenes)[n : n + CHUNK], size) for n in range(0, scenes, CHUNK)
    ]


def render_chunk(folder: Path, seed: int, indices: range, size: tuple[int, int]) -> Path:
    """Renders some scenes into a file, unless it is there, and returns its path."""
    path = folder / f"{indices[0]:06d}_{len(indices)}.npz"
    if not path.exists():
        views = [render(seed, index, size) for index in indices]
        part = path.with_suffix(".part.npz")
        codes = [np.round(view.depth * CODES_PER_METRE).astype("uint16") for view in views]
        np.savez(part, picture=np.stack([view.picture for view in views]), depth=np.stack(codes))
        os.replace(part, path)
    return path


def render(seed: int, index: int, size: tuple[int, int]) -> demo_sources.Rendering:
    """Renders scene number `index` with up to two cards on its ground, also large ones that the picture's edge cuts."""
    height, width = size
    random = np.random.default_rng([seed, index])
    cards = []
    for _ in range(random.choice(3, p=[0.3, 0.4, 0.3])):
        foreground = demo_sources.draw_foreground(seed, int(random.integers(100_000)), height=height)
        place = random.uniform(0, 1), random.uniform(0.5, 1.2)
        cards.append(demo_sources.Card(foreground, *place, flipped=bool(random.integers(2))))
    scene = demo_sources.build_scene(seed, index)
    while True:
        try:
            return demo_sources.render_scene(scene, height, width, cards)
        except ValueError:  # one stands behind a wall or above the horizon
            cards.pop()


def load_scenes(futures: Sequence[Future]) -> tuple[np.ndarray, np.ndarray]:
    """Waits for files of scenes, at least one, and loads them.

    Returns:
        Pictures, uint8 [N, H, W, 3], and depth codes, uint16 [N, H, W].
    """
    files = [np.load(path) for path in [future.result() for future in futures]]
    return np.concatenate([file["picture"] for file in files]), np.concatenate([file["depth"] for file in files])


def read_real_pictures(folder: Path, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Reads pictures with measured depth, in the form of `load_scenes`; code 0 is unknown."""
    pictures, codes = [], []
    for path in sorted((folder / "depth").iterdir()):
        picture = next((folder / "rgb").glob(path.stem + ".*"))
        pictures.append(np.array(Image.open(picture).convert("RGB").resize(size[::-1], Image.Resampling.BOX)))
        metres = np.array(Image.open(path)) / 1000
        rows, columns = (np.arange(n) * m // n for n, m in zip(size, metres.shape, strict=True))
        codes.append(np.round(metres[rows][:, columns] * CODES_PER_METRE).astype("uint16"))
    return np.stack(pictures), np.stack(codes)
