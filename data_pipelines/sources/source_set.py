"""The pictures that a data set is made from, in memory and at its size: from folders, or from the demo sources."""

import contextlib
import hashlib
import itertools
import multiprocessing
import signal
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np

from data_pipelines.config import DatasetConfig
from data_pipelines.demo import sources as demo_sources
from data_pipelines.demo.cutouts import USUAL_PEOPLE
from data_pipelines.runtime.progress import Progress
from data_pipelines.sources import folder_scan

DEMO_COUNT = 100  # of demo backgrounds and of demo cutouts unless said otherwise, as published
DEMO_CUTOUT_HEIGHT = 256  # pixels that a demo cutout is drawn with, or the picture's height if that is more
DEMO_DRAWN_ALONE = 400  # demo sources, fewer than which one process draws: a second one takes seconds to start


@dataclass(frozen=True)
class Origin:
    """Where a picture came from.

    Attributes:
        source: path of the file, or what was drawn.
        digest: SHA-256 of the file; for a demo source, of its pixels.
    """

    source: str
    digest: str


@dataclass(frozen=True)
class Sources:
    """The pictures that a data set is made from.

    Attributes:
        backgrounds: uint8 [n, height, width, 3].
        background_origins: where each came from.
        foregrounds: cutouts, uint8 [h, w, 4] each, straight alpha, trimmed.
        foreground_origins: where each came from.
        field_of_view: float32 [n], vertical, degrees.
        physical_height: float32 [cutouts, 2], metres, from and to.
        true_depth: float32 [n, height, width], metres; only demo sources know it.
        reliefs: float32 [h, w] each, metres a pixel is behind the plane of the cutout; only demo sources know them.
        refused: (path, reason) of pictures that `skip_bad` left out.
    """

    backgrounds: np.ndarray
    background_origins: tuple[Origin, ...]
    foregrounds: tuple[np.ndarray, ...]
    foreground_origins: tuple[Origin, ...]
    field_of_view: np.ndarray
    physical_height: np.ndarray
    true_depth: np.ndarray | None = None
    reliefs: tuple[np.ndarray, ...] | None = None
    refused: tuple[tuple[str, str], ...] = ()


def load_sources(config: DatasetConfig) -> Sources:
    """Reads, or draws, the pictures that a data set is described to be made from, at its size."""
    wanted, placement = config.sources, config.placement
    if wanted.backgrounds is None or wanted.foregrounds is None:
        return draw_sources(
            config.seed,
            wanted.backgrounds_count or DEMO_COUNT,
            wanted.foregrounds_count or DEMO_COUNT,
            config.height,
            config.width,
            wanted.steeper,
            wanted.people,
        )
    return read_sources(
        wanted.backgrounds,
        wanted.foregrounds,
        config.height,
        config.width,
        longest=placement.largest(config.height, config.width),
        field_of_view=wanted.field_of_view,
        physical_height=wanted.physical_height,
        background_count=wanted.backgrounds_count or None,
        foreground_count=wanted.foregrounds_count or None,
        skip_bad=wanted.skip_bad,
        keep_duplicates=wanted.keep_duplicates,
    )


def draw_sources(
    seed: int,
    backgrounds: int,
    foregrounds: int,
    height: int,
    width: int,
    steeper: float = 0.0,
    people: float = USUAL_PEOPLE,
) -> Sources:
    """Draws demo backgrounds and cutouts.

    Args:
        seed: of the random numbers.
        backgrounds: how many.
        foregrounds: how many cutouts.
        height: of the backgrounds, pixels.
        width: likewise.
        steeper: by how much more, at most, cameras look down, degrees.
        people: share of the cutouts that are people.
    """
    drawn = []
    with (
        _open_map(backgrounds + foregrounds) as map_numbers,
        Progress("drawing", backgrounds + foregrounds, "pictures") as progress,
    ):
        scenes = map_numbers(partial(_draw_background, seed, height, width, steeper), range(backgrounds))
        cutouts = map_numbers(partial(_draw_cutout, seed, max(DEMO_CUTOUT_HEIGHT, height), people), range(foregrounds))
        for picture in itertools.chain(scenes, cutouts):
            drawn.append(picture)
            progress.add()
    scenes, cutouts = drawn[:backgrounds], drawn[backgrounds:]
    return Sources(
        backgrounds=np.stack([scene.picture for scene in scenes]),
        background_origins=_describe_origins("background", seed, scenes),
        foregrounds=tuple(cutout.picture for cutout in cutouts),
        foreground_origins=_describe_origins("foreground", seed, cutouts),
        field_of_view=np.array([scene.field_of_view for scene in scenes], np.float32),
        physical_height=np.array([[cutout.physical_height] * 2 for cutout in cutouts], np.float32),
        true_depth=np.stack([scene.depth for scene in scenes]),
        reliefs=tuple(cutout.relief for cutout in cutouts),
    )


def read_sources(
    backgrounds: str,
    foregrounds: str,
    height: int,
    width: int,
    *,
    longest: int,
    field_of_view: float,
    physical_height: tuple[float, float],
    background_count: int | None = None,
    foreground_count: int | None = None,
    skip_bad: bool = False,
    keep_duplicates: bool = False,
) -> Sources:
    """Reads the pictures of two folders.

    Args:
        backgrounds: the folder of backgrounds.
        foregrounds: the folder of cutouts.
        height: that backgrounds are read at, pixels.
        width: likewise.
        longest: the longest side, in pixels, that a cutout is ever shown with.
        field_of_view: of the cameras, vertical, degrees.
        physical_height: least and most length of the longer side of the cutouts, metres.
        background_count: takes the first so many; None for all.
        foreground_count: likewise.
        skip_bad: goes on without pictures that are refused.
        keep_duplicates: copies are usable.

    Raises:
        SourceError: a folder, or a picture in it, cannot be used, or a picture is replaced while it is read.
    """
    background_scan = folder_scan.scan_backgrounds(
        backgrounds, skip_bad=skip_bad, keep_duplicates=keep_duplicates, count=background_count
    )
    foreground_scan = folder_scan.scan_foregrounds(
        foregrounds, skip_bad=skip_bad, keep_duplicates=keep_duplicates, count=foreground_count
    )
    with ThreadPoolExecutor() as pool:
        scenes = list(
            pool.map(lambda f: folder_scan.read_background(f.path, height, width, f.digest), background_scan.files)
        )
        cutouts = tuple(
            pool.map(lambda f: folder_scan.read_foreground(f.path, longest, f.digest), foreground_scan.files)
        )
    return Sources(
        backgrounds=np.stack(scenes),
        background_origins=tuple(Origin(file.path, file.digest) for file in background_scan.files),
        foregrounds=cutouts,
        foreground_origins=tuple(Origin(file.path, file.digest) for file in foreground_scan.files),
        field_of_view=np.full(len(scenes), field_of_view, np.float32),
        # The range is that of the longer side: somebody lying down is as long as somebody standing is tall.
        physical_height=np.array(
            [[metres * c.shape[0] / max(c.shape[:2]) for metres in physical_height] for c in cutouts], np.float32
        ),
        refused=background_scan.refused + foreground_scan.refused,
    )


@contextlib.contextmanager
def _open_map(count: int):
    """Yields a `map`, by several processes where it is worth starting them: threads would draw in turns."""
    if count < DEMO_DRAWN_ALONE:
        yield map
        return
    # Not forked: TensorFlow has threads by now. Deaf to Ctrl-C: this process ends them.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        mp_context=context, initializer=signal.signal, initargs=(signal.SIGINT, signal.SIG_IGN)
    ) as pool:
        try:
            yield partial(pool.map, chunksize=8)
        finally:
            pool.shutdown(cancel_futures=True)


def _draw_background(seed: int, height: int, width: int, steeper: float, number: int) -> demo_sources.Background:
    return demo_sources.draw_background(seed, number, height, width, steeper)


def _draw_cutout(seed: int, height: int, people: float, number: int) -> demo_sources.Foreground:
    return demo_sources.draw_foreground(seed, number, height, people)


def _describe_origins(kind: str, seed: int, drawn) -> tuple[Origin, ...]:
    return tuple(
        Origin(
            f"demo {kind} {number} of seed {seed} ({picture.kind})",
            hashlib.sha256(picture.picture.tobytes()).hexdigest(),
        )
        for number, picture in enumerate(drawn)
    )
