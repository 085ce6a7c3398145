"""The same story over Apache Beam: a shard is the unit of work, and any worker can make it.

Workers read the sources themselves and take the depth of the backgrounds from the data set's own shard, so that all of
them see the same, whatever they run on. What is finished is known from the notes beside the shards, as in a local run;
so a pipeline that died goes on, and one engine can finish what the other began.
"""

from collections.abc import Callable, Sequence

import apache_beam
from apache_beam.options.pipeline_options import PipelineOptions

from data_pipelines.compositing.plan import prepare
from data_pipelines.config import DatasetConfig
from data_pipelines.sources.source_set import Sources
from data_pipelines.tfrecord import export as generation
from data_pipelines.tfrecord import shards
from data_pipelines.tfrecord.shards import DatasetError, Note, Shard

# Beam's own choice, Prism, would fetch a program from the network before the first record.
DEFAULT_ARGUMENTS = ("--runner=FnApiRunner",)


def engine(
    load_sources: Callable[[], Sources],
    config: DatasetConfig,
    load_teacher: Callable,
    teacher_batch: int,
    arguments: Sequence[str] = (),
) -> Callable[[Sequence[Shard], str], dict[Shard, Note]]:
    """An engine for `generation.export`. What is given is pickled and sent to workers, so it must be importable there.

    arguments: Beam's, such as --runner=DataflowRunner and what that runner needs.
    """

    def make(wanted: Sequence[Shard], output: str) -> dict[Shard, Note]:
        with apache_beam.Pipeline(options=PipelineOptions(list(arguments or DEFAULT_ARGUMENTS))) as pipeline:
            _ = (
                pipeline
                | "shards" >> apache_beam.Create(wanted, reshuffle=False)
                | "spread" >> apache_beam.Reshuffle()
                | "make" >> apache_beam.ParDo(MakeShard(load_sources, config, load_teacher, teacher_batch, output))
            )
        found = {shard: shards.finished(output, shard.name, shard.count) for shard in wanted}
        notes = {shard: note for shard, note in found.items() if note is not None}
        lost = [shard.name for shard in wanted if shard not in notes]
        if lost:
            raise DatasetError(f"{output}: the pipeline ended without {lost[0]} ({len(lost)} missing); start it again.")
        return notes

    return make


class MakeShard(apache_beam.DoFn):
    """Shard -> nothing: the shard and its note are in the folder afterwards."""

    def __init__(self, load_sources, config: DatasetConfig, load_teacher, teacher_batch: int, output: str):
        self._load_sources, self._config, self._output = load_sources, config, output
        self._load_teacher, self._teacher_batch = load_teacher, teacher_batch

    def setup(self) -> None:
        codes = generation.stored_depth(self._config, self._output)
        self._prepared = prepare(self._load_sources(), codes, self._config)
        self._teacher = self._load_teacher() if self._config.labels == "teacher" else None

    def process(self, shard: Shard) -> None:
        generation.make_shards(self._prepared, [shard], self._output, self._teacher, self._teacher_batch)
        apache_beam.metrics.Metrics.counter("export", "records").inc(shard.count)
