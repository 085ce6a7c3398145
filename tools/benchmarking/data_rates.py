"""How fast data is made, beside what it could be compared with; every figure in one run, in turns."""

import itertools
import resource
import tempfile
import time
from collections.abc import Callable
from statistics import median
from typing import TypedDict

import numpy as np
import tensorflow as tf

from benchmarking.pillow_loop import Paste, PillowLoop
from data_pipelines.compositing import depth_labels
from data_pipelines.compositing.compositor import Compositor, build_compositor
from data_pipelines.config import DatasetConfig, PlacementConfig
from data_pipelines.sources import source_set
from data_pipelines.tfrecord import schema
from data_pipelines.tfrecord.export import WRITTEN_AT_ONCE, make_shards, pipeline_options
from data_pipelines.tfrecord.shards import Shard

SOURCES = 24  # demo backgrounds, and as many cutouts


class Row(TypedDict):
    """One line of the table.

    Keys:
        what: was measured.
        rates: one of each round.
        median: of the rates.
        ours_by_it: our rate divided by this one, the median over the rounds.
    """

    what: str
    rates: list[float]
    median: float
    ours_by_it: float


def measure_export(side: int, count: int, rounds: int) -> list[Row]:
    """Measures composites a second at side x side: ours, a Pillow loop on all cores, and our encoders alone.

    Each row says how our rate relates to its own, by the median of the rounds' ratios.
    """
    drawn = source_set.draw_sources(0, SOURCES, SOURCES, side, side)
    codes = depth_labels.encode_depth(drawn.true_depth).numpy()
    # 100 places a pair are more composites than are asked for; the rest is the published set's.
    options = DatasetConfig(height=side, width=side, labels="ground", placement=PlacementConfig(places=100), holdout=0)
    compositor = build_compositor(drawn, codes, options)
    with (
        tempfile.TemporaryDirectory() as folder,
        PillowLoop(drawn.backgrounds, codes, drawn.foregrounds, folder, options.jpeg_quality) as peer,
    ):
        # Slow, but with nothing to set up, so fewer are enough.
        pastes = _plan_pastes(compositor, count // 5)
        encode = _make_encoder(compositor, count)
        starts = itertools.count(step=count)

        def ours():
            shard = Shard("train", 0, 1, next(starts) % (compositor.splits[0].count - count), count)
            return _steady_rate(lambda on_records: make_shards(compositor, [shard], folder, None, 1, 0, on_records))

        return take_turns(
            {
                "ours: composite, encode, write shards": ours,
                "a Pillow loop on all cores, three files each": lambda: peer.rate(pastes),
                "our encoders alone, nothing else": lambda: _steady_rate(encode),
            },
            rounds,
        )


def measure_teacher(teacher: depth_labels.Teacher, side: int, count: int, batch: int, rounds: int) -> list[Row]:
    """Measures composites a second with --labels=teacher, and of the network alone on a constant batch."""
    drawn = source_set.draw_sources(0, 4, 4, side, side)
    options = DatasetConfig(
        height=side, width=side, labels="teacher", placement=PlacementConfig("random", places=1000), holdout=0
    )
    compositor = build_compositor(drawn, np.ones((4, side, side), np.uint16), options)
    see = tf.function(lambda pictures: teacher.network(pictures, training=False))
    pictures = tf.random.stateless_uniform([batch, *teacher.input_size, 3], [1, 2])

    def network(on_records):
        for _ in range(count // batch):
            see(pictures)
            on_records(batch)

    with tempfile.TemporaryDirectory() as folder:
        shard = Shard("train", 0, 1, 0, count // batch * batch)
        return take_turns(
            {
                "ours: composite, look, encode, write shards": lambda: _steady_rate(
                    lambda on_records: make_shards(compositor, [shard], folder, teacher, batch, 0, on_records)
                ),
                "the teacher's network alone": lambda: _steady_rate(network),
            },
            rounds,
        )


def peak_memory_mb() -> float:
    """Returns how much memory this process has had at most, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _plan_pastes(compositor: Compositor, count: int) -> list[Paste]:
    split = compositor.splits[0]
    indices = split.indices(tf.range(count, dtype=tf.int64), compositor.grid, compositor.config.seed)
    placed = tf.nest.map_structure(lambda values: values.numpy(), compositor.place(split, indices))
    return [
        Paste(
            background=int(placed["background"][at]),
            foreground=int(placed["foreground"][at, 0]),
            flipped=bool(placed["flipped"][at, 0]),
            left=round(float(placed["left"][at, 0])),
            top=round(float(placed["top"][at, 0])),
            width=max(1, round(float(placed["width"][at, 0]))),
            height=max(1, round(float(placed["height"][at, 0]))),
            code=int(placed["metres"][at, 0] * depth_labels.DEPTH_SCALE),
        )
        for at in range(count)
    ]


def _make_encoder(compositor: Compositor, count: int) -> Callable[[Callable[[int], None]], None]:
    """Encodes composites that lie in memory, over and over, with as many threads as the pipeline has."""
    some = list(compositor.plan_run(compositor.splits[0], 0, 64).map(compositor.compose))
    quality = compositor.config.jpeg_quality

    def encode(at):
        branches = [
            lambda e=element: (
                schema.encode_picture(e["fg_bg"], quality),
                schema.encode_labels(e["mask"]),
                schema.encode_labels(e["depth"]),
            )
            for element in some
        ]
        return tf.switch_case(tf.cast(at % len(some), tf.int32), branches)

    dataset = tf.data.Dataset.range(count).map(encode, num_parallel_calls=tf.data.AUTOTUNE)
    dataset = dataset.batch(WRITTEN_AT_ONCE).prefetch(2).with_options(pipeline_options(0, False))

    def run(on_records):
        for jpegs, *_ in dataset:
            on_records(len(jpegs))

    return run


def _steady_rate(work: Callable[[Callable[[int], None]], object]) -> float:
    """Returns composites a second.

    work: calls its argument with a number of composites whenever they are done. What comes before the first call,
    building graphs, is left out.
    """
    marks = []
    work(lambda count: marks.append((time.perf_counter(), count)))
    return sum(count for _, count in marks[1:]) / (marks[-1][0] - marks[0][0])


def take_turns(measures: dict[str, Callable[[], float]], rounds: int) -> list[Row]:
    """Measures everything in turn, so that a noisy minute hits all of it, after one uncounted round to warm up."""
    rates: dict[str, list[float]] = {what: [] for what in measures}
    for turn in range(rounds + 1):
        for what, measure in measures.items():
            rate = measure()
            if turn:
                rates[what].append(rate)
    first = next(iter(rates.values()))
    return [
        {
            "what": what,
            "rates": own,
            "median": median(own),
            "ours_by_it": median(a / b for a, b in zip(first, own, strict=True)),
        }
        for what, own in rates.items()
    ]
