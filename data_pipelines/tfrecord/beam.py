"""Making a data set with Apache Beam: a shard is the unit of work, and any worker can make it.

Workers read the sources themselves and take the depth of the backgrounds from the data set's own shard, so that all of
them see the same, whatever they run on. What is finished is known from the notes beside the shards, as in a local run;
so a pipeline that died goes on, and one engine can finish what the other began.
"""

from collections.abc import Callable, Sequence

import apache_beam
from apache_beam.options.pipeline_options import PipelineOptions

from data_pipelines.compositing.compositor import build_compositor
from data_pipelines.compositing.depth_labels import Teacher
from data_pipelines.config import DatasetConfig
from data_pipelines.sources.source_set import Sources
from data_pipelines.tfrecord.background_shard import read_background_depth
from data_pipelines.tfrecord.export import Engine, make_shards
from data_pipelines.tfrecord.manifest import DatasetError
from data_pipelines.tfrecord.shards import Note, Shard, read_note

# Beam's own choice, Prism, would fetch a program from the network before the first record.
DEFAULT_ARGUMENTS = ("--runner=FnApiRunner",)


def make_engine(
    load_sources: Callable[[], Sources],
    config: DatasetConfig,
    load_teacher: Callable[[], Teacher],
    teacher_batch: int,
    arguments: Sequence[str] = (),
) -> Engine:
    """Returns an engine for `export_dataset`.

    The arguments are pickled and sent to workers, so they must be importable there.

    Args:
        load_sources: reads the pictures that the data set is made from.
        config: its description.
        load_teacher: returns the teacher; called only where the labels are the teacher's.
        teacher_batch: pictures that it looks at together.
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
        notes = {shard: note for shard in wanted if (note := read_note(output, shard.name, shard.count))}
        lost = [shard.name for shard in wanted if shard not in notes]
        if lost:
            raise DatasetError(f"{output}: the pipeline ended without {lost[0]} ({len(lost)} missing); start it again.")
        return notes

    return make


class MakeShard(apache_beam.DoFn):
    """Makes a shard; it and its note are in the folder afterwards."""

    def __init__(
        self,
        load_sources: Callable[[], Sources],
        config: DatasetConfig,
        load_teacher: Callable[[], Teacher],
        teacher_batch: int,
        output: str,
    ):
        self._load_sources, self._config, self._output = load_sources, config, output
        self._load_teacher, self._teacher_batch = load_teacher, teacher_batch

    def setup(self) -> None:
        """Prepares a worker, once."""
        codes = read_background_depth(self._config, self._output)
        self._compositor = build_compositor(self._load_sources(), codes, self._config)
        self._teacher = self._load_teacher() if self._config.labels == "teacher" else None

    def process(self, shard: Shard) -> None:
        """Makes one shard."""
        make_shards(self._compositor, [shard], self._output, self._teacher, self._teacher_batch)
        apache_beam.metrics.Metrics.counter("export", "records").inc(shard.count)
