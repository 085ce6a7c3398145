"""Asks a running TF Serving for masks and depth, by REST or gRPC.

    fgseg query --background=empty.jpg --frames=frames --output=masks
    fgseg query --background=empty.jpg --frames=one.jpg --output=masks --server=grpc://localhost:8500
    fgseg query --frames=frames --output=masks

The last one is for a model that was exported with --camera, which has the background inside. In a clone,
`python tools/query_serving.py` does the same. The server decodes the pictures, so they are sent as they are: JPEG or
PNG. Exit status 1, with one sentence, when the server is away or refuses; what it has returned is kept. Also, after
everything else is done, when frames could not be read.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import csv
import sys

import tensorflow as tf
from absl import flags

from data_pipelines.runtime.cli import run_command
from data_pipelines.runtime.files import join_path
from data_pipelines.runtime.names import show_name
from data_pipelines.runtime.progress import Progress
from data_pipelines.runtime.stored_files import Refusal, read_bytes
from fgseg_tf.inference.frames import describe_renamed, find_frames, name_output
from fgseg_tf.serving import client, server_config

_SERVER = flags.DEFINE_string("server", "http://localhost:8501", "http://HOST:8501 or grpc://HOST:8500.")
_MODEL = flags.DEFINE_string("model", server_config.NAME, "Its name there.")
_VERSION = flags.DEFINE_integer("version", 0, "Of the model; 0 for the newest.", lower_bound=0)
_BACKGROUND = flags.DEFINE_string(
    "background", None, "Picture of the empty scene; none for a model of a camera, which has it inside."
)
_FRAMES = flags.DEFINE_string("frames", None, "A frame, or a folder of them.", required=True)
_OUTPUT = flags.DEFINE_string("output", None, "Folder for the results; the same names are replaced.", required=True)
_TIMEOUT = flags.DEFINE_float("timeout", 60.0, "Seconds to wait for an answer.", lower_bound=0.1)

KINDS = ("mask", "depth")
COLUMNS = ("name", "share", "top", "left", "bottom", "right", "nearest", "median", "similarity")


def query() -> str | None:
    """Asks for every frame and writes what the server returns; returns a sentence where frames could not be read."""
    ask = client.connect(_SERVER.value, _MODEL.value, _VERSION.value, _TIMEOUT.value)
    background = read_file(_BACKGROUND.value) if _BACKGROUND.value else None
    paths = find_frames(_FRAMES.value)
    unreadable = 0
    for renamed in describe_renamed(paths):
        print(renamed, file=sys.stderr)
    for kind in KINDS:
        tf.io.gfile.makedirs(join_path(_OUTPUT.value, kind))
    with (
        tf.io.gfile.GFile(join_path(_OUTPUT.value, "frames.csv"), "w") as table,
        Progress("frames", len(paths), "frames") as counter,
    ):
        rows = csv.writer(table, lineterminator="\n")
        rows.writerow(COLUMNS)
        for where in paths:
            counter.add()
            try:
                frame = read_file(where)
            except ValueError as error:
                unreadable += 1
                print(f"\nskipped: {error}", file=sys.stderr)
                continue
            name = name_output(where)
            prediction = ask(background, frame)
            files = {"mask": prediction["mask_png_bytes"], "depth": prediction["depth_png_bytes"]}
            for kind, content in files.items():
                with tf.io.gfile.GFile(join_path(_OUTPUT.value, kind, f"{name}.png"), "wb") as file:
                    file.write(content)
            numbers = [f"{prediction[key]:.3f}" for key in ("nearest", "median", "similarity")]
            rows.writerow([name, f"{prediction['share']:.5f}", *prediction["box"], *numbers])
    print(f"{len(paths) - unreadable:,} frames are in {_OUTPUT.value}: mask, depth, frames.csv")
    return f"{unreadable} frame(s) could not be read, named above; all others are done." if unreadable else None


def read_file(where: str) -> bytes:
    """Returns the content of a picture's file, local or gs://.

    Raises:
        ValueError: It cannot be read, or is larger than a server takes.
    """
    try:
        return read_bytes(where, client.MEGABYTES << 20)
    except Refusal as refused:
        raise ValueError(f"{show_name(where)} {refused}") from refused


def main() -> None:
    """Runs the command."""
    run_command(query, __name__, "frames are given as --frames=DIR")


if __name__ == "__main__":
    main()
