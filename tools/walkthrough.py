"""Walks one record from picture to prediction, with the code that the commands run, and shows every step.

    python tools/walkthrough.py --output=walk
    python tools/walkthrough.py --output=walk --index=250 --image_size=144x256
    python tools/walkthrough.py --output=walk --backgrounds=DIR --foregrounds=DIR --skip_bad

Read it from `walk` on, from top to bottom: that is the whole project in one function. Its text goes to the terminal
and, with the pictures, to walk/index.html. Exit status 1, with one sentence, when something is wrong with what it was
given.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)
from data_pipelines.tfrecord.manifest import REMEDY

# isort: split

import io
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial

import tensorflow as tf
from absl import flags
from walk import data_steps, network_steps, panels
from walk import page as walk_page
from walk.panels import Panel, Step

from data_pipelines.compositing import depth_labels
from data_pipelines.compositing.compositor import build_compositor, label_backgrounds
from data_pipelines.config import DatasetConfig, SourcesConfig, parse_size
from data_pipelines.runtime.cli import run_command
from data_pipelines.runtime.files import read_json, write_json
from data_pipelines.sources import image_files, source_set
from data_pipelines.teacher import network as teacher_network
from data_pipelines.tfrecord import reader
from data_pipelines.tfrecord.export import export_dataset
from fgseg_tf.data.exposures import Capture
from fgseg_tf.data.shard_data import ShardData
from fgseg_tf.inference import segmenter as segmentation
from fgseg_tf.model import two_branch, weights

_OUTPUT = flags.DEFINE_string("output", None, "A new folder, or one of an earlier walk.", required=True)
_BACKGROUNDS = flags.DEFINE_string("backgrounds", None, "Folder of empty scenes, instead of drawn ones.")
_FOREGROUNDS = flags.DEFINE_string("foregrounds", None, "Folder of cut-outs: PNG or WebP with transparency.")
_COUNT = flags.DEFINE_integer("count", 4, "Pictures of each kind, at most; the first ones of a folder.", lower_bound=1)
_SKIP_BAD = flags.DEFINE_bool("skip_bad", False, "Go on without pictures that cannot be used.")
_IMAGE_SIZE = flags.DEFINE_string("image_size", "192x256", "Of the record: side in pixels, or HEIGHTxWIDTH.")
_INDEX = flags.DEFINE_integer("index", None, "Which composite, from 0; everything about it follows from that number.")
_SEED = flags.DEFINE_integer("seed", 0, "Other seed, other pictures, places and splits.", lower_bound=0)
_CAPTURE = flags.DEFINE_float("capture", 3.0, "How much the two exposures differ, from 0 (not at all) to 4 (badly).")

NETWORK = "base"  # of the package
USUAL_INDEX = 84  # somebody near, in a room
NOTE = "walk.json"  # says that a folder is of a walk
LINE = 100  # characters


def tell_walk() -> None:
    """Walks, and writes and prints what there is to tell."""
    output, steps = _OUTPUT.value.rstrip("/"), []
    refuse_other_folders(output)
    for step in walk(output):
        steps.append(step)
        show(len(steps), step, output)
    steps.append(make_summary_step(steps))
    show(len(steps), steps[-1], output)
    name = read_json(f"{output}/{NOTE}", REMEDY)["walk"]
    page = walk_page.page("From picture to prediction", f"One record, {name}, step by step.", steps)
    write(f"{output}/index.html", page.encode())
    print(f"\nAll of it on one page: {output}/index.html. The data set is in {output}/shards.")


def walk(output: str) -> Iterator[Step]:
    """The whole project, in the order in which a record goes through it."""
    sources, config = load_pictures()
    load_teacher = cache(lambda: teacher_network.load_teacher("small", teacher_network.default_input_size("small")))
    codes = label_backgrounds(sources, config, load_teacher, 8)
    compositor = build_compositor(sources, codes, config)
    grid = compositor.grid
    index = min(USUAL_INDEX, grid.size - 1) if _INDEX.value is None else _INDEX.value
    if not 0 <= index < grid.size:
        raise ValueError(f"--index={index}: these pictures make {grid.size} composites, counted from 0.")
    exposures = Capture(_CAPTURE.value, _CAPTURE.value)
    name = grid.format_name(index)
    begin(output, name)
    yield data_steps.sources_step(sources, compositor, index)

    background, cutout, _, _ = grid.decode(index)
    split = next(s for s in compositor.splits if background in s.backgrounds and cutout in s.foregrounds)
    yield data_steps.placement_step(compositor, split, index)

    plan = compositor.plan_one(split, index)
    whole: dict[str, tf.Tensor] = dict(compositor.compose_example(plan))
    made = {key: value.numpy() for key, value in whole.items()}
    yield data_steps.compositing_step(compositor, plan, made)

    metres = depth_labels.decode_depth(made["depth"]).numpy()
    scale = float(metres.min()), float(metres.max()) * 1.01
    yield data_steps.depth_step(compositor, plan, made, load_teacher(), scale)

    folder = f"{output}/shards"
    export_dataset(sources, config, folder, load_teacher=load_teacher, teacher_identity={"weights": "small"})
    dataset = reader.open_dataset(folder)
    (location,) = reader.locate(dataset, [name])
    ((_, serialized),) = reader.read_records(dataset, [location])
    yield data_steps.record_step(dataset, location, serialized, made)

    network, side = weights.load_packaged(NETWORK)
    data, stored = ShardData(folder), (config.height, config.width)
    size = tuple(segmentation.working_size(stored, side).numpy().tolist())
    this = partial(data.scoring, location.file.split, 1, first=location.file.first + location.number, count=1)
    (composed,) = this(size=size)
    (example,) = this(size=size, change=exposures.change)
    yield network_steps.exposures_step(stored, side, composed, example, exposures.most, scale)

    parts = {part: network.get_layer(part) for part in two_branch.PARTS}
    outputs = two_branch.run_parts(parts, example["bg"], example["fg_bg"])
    yield network_steps.network_step(network, parts, outputs)

    yield network_steps.losses_step(example, outputs, weights.read_cards()[NETWORK]["settings"]["stages"][-1])

    (large,) = this(size=stored, change=exposures.change)
    segmenter = segmentation.Segmenter(network, side)
    yield network_steps.prediction_step(segmenter, large, made, name, f"{output}/answers", scale)


def load_pictures() -> tuple[source_set.Sources, DatasetConfig]:
    """Returns the sources that the flags name, and the data set to make of them."""
    sources, count = SourcesConfig(_BACKGROUNDS.value, _FOREGROUNDS.value, skip_bad=_SKIP_BAD.value), _COUNT.value
    height, width = parse_size(_IMAGE_SIZE.value)
    at_most = [
        min(count, len(image_files.list_pictures(folder, "picture")[0])) if folder else count
        for folder in (sources.backgrounds, sources.foregrounds)
    ]
    config = DatasetConfig(
        sources=replace(sources, backgrounds_count=at_most[0], foregrounds_count=at_most[1]),
        height=height,
        width=width,
        seed=_SEED.value,
        labels="exact" if sources.is_demo else "ground",
    )
    pictures = source_set.load_sources(config)
    # Of fewer, none can be held out.
    enough = min(len(pictures.backgrounds), len(pictures.foregrounds)) >= 4
    return pictures, config if enough else replace(config, holdout=0.0)


def make_summary_step(steps: list[Step]) -> Step:
    """Returns the last step: which module does what."""
    rows = []
    for number, step in enumerate(steps, 1):
        for at, (module, path) in enumerate(zip(step.modules, walk_page.source_files(step), strict=True)):
            purpose = re.split(r"[:;.](?:\s|$)", module.__doc__ or "")[0].replace("\n", " ")
            rows.append((f"{number} {step.name}" if at == 0 else "", path, purpose))
    shown = [steps[at].panels[panel] for at, panel in ((0, 0), (2, 1), (2, 2), (3, 3), (5, 1), (8, 4))]
    names = "bg", "fg_bg", "mask", "depth", "another exposure", "the answer"
    return Step(
        "Where each of these lives",
        "modules",
        (),
        ("Data flows down this list, and a file imports only from above; CONTRIBUTING.md says more.",),
        tuple(Panel(name, panel.picture) for name, panel in zip(names, shown, strict=True)),
        caption="Files",
        table=(("step", "file", "what it says of itself"), *rows),
    )


def show(number: int, step: Step, output: str) -> None:
    """Writes the picture of a step, and prints what it tells."""
    picture = io.BytesIO()
    panels.draw_step(number, step).save(picture, "PNG")
    path = f"{output}/{number}_{step.name}.png"
    write(path, picture.getvalue())
    print(f"\n{number}  {step.title}\n")
    for line in step.lines:
        print(textwrap.fill(line, LINE, initial_indent="   - ", subsequent_indent="     "))
    if step.table:
        print("\n" + table(step.table))
    print()
    for line in filter(None, (", ".join(walk_page.source_files(step)), path)):
        print(textwrap.fill(line, LINE, initial_indent="   ", subsequent_indent="   "))
    sys.stdout.flush()


def table(rows: tuple[tuple[str, ...], ...]) -> str:
    """Returns rows as columns under one another; the last one goes on below itself."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = 5 + sum(width + 2 for width in widths[:-1])
    lines = []
    for *first, last in rows:
        begun = " " * 5 + "".join(f"{text:{width}}  " for text, width in zip(first, widths, strict=False))
        lines.append(textwrap.fill(last, LINE, initial_indent=begun, subsequent_indent=" " * left) if last else begun)
    return "\n".join(line.rstrip() for line in lines)


def refuse_other_folders(output: str) -> None:
    """Raises ValueError for a folder that is not new and not of a walk."""
    if not tf.io.gfile.exists(output):
        return
    if not tf.io.gfile.isdir(output):
        raise ValueError(f"--output={output} is a file; name a new folder.")
    if tf.io.gfile.listdir(output) and not tf.io.gfile.exists(f"{output}/{NOTE}"):
        raise ValueError(f"--output={output} holds files that are not of a walk; name a new folder.")


def begin(output: str, name: str) -> None:
    """Removes what an earlier walk left that this one would go on with."""
    write_json(f"{output}/{NOTE}", {"walk": name})
    for folder in ("shards", "answers"):
        if tf.io.gfile.exists(f"{output}/{folder}"):
            tf.io.gfile.rmtree(f"{output}/{folder}")


def write(path: str, content: bytes) -> None:
    """Writes a file."""
    with tf.io.gfile.GFile(path, "wb") as file:
        file.write(content)


if __name__ == "__main__":
    run_command(tell_walk, __name__, "the folder is given as --output=DIR")
