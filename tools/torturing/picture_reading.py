"""Reads mutants of pictures in a process of its own, whose memory is measured: started by pictures.py.

python tools/torturing/picture_reading.py FOLDER SEED FIRST COUNT    prints one line of JSON
"""

import functools
import json
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import numpy as np
import tensorflow as tf

from data_pipelines.sources.image_files import read_picture
from fgseg_tf.calibration.depth_pictures import read_depth_picture
from fgseg_tf.serving.request_images import decode_picture
from torturing.judging import try_out
from torturing.picture_seeds import make_seeds, mutate


def list_readers(path: Path, content: bytes, serve: Callable) -> dict[str, tuple[Callable[[], Any], str]]:
    """Returns what reads a picture and what its refusal must name, by a phrase."""
    return {
        "read as a picture": (functools.partial(read_picture, str(path)), path.name),
        "read as depth": (functools.partial(read_depth_picture, str(path), "metres"), path.name),
        "decoded as a server does": (functools.partial(serve, content), ""),
    }


def read_mutants(folder: Path, seed: int, first: int, count: int) -> dict:
    """Reads mutants by everything that reads pictures; returns what came of it."""
    seeds = list(make_seeds().items())
    serve = tf.function(lambda data: decode_picture(data, "bg_bytes"), input_signature=[tf.TensorSpec([], tf.string)])
    for name, content in seeds:  # what is loaded once counts as the start
        (folder / name).write_bytes(content)
        for read, _ in list_readers(folder / name, content, serve).values():
            try_out(read, ("",))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    failures, slowest, refused = [], 0.0, 0
    for number in range(first, first + count):
        rng = np.random.default_rng([seed, number])
        name, content = seeds[number % len(seeds)]
        path = folder / f"{number:06d}-{name}"
        path.write_bytes(mutate(content, rng))
        for how, (read, named) in list_readers(path, path.read_bytes(), serve).items():
            trial = try_out(read, (named,))
            slowest, refused = max(slowest, trial.seconds), refused + bool(trial.refusal)
            failure = trial.failure or ("took more than 5 s" if trial.seconds > 5 else "")
            if failure:
                failures.append([str(path), f"{how}: {failure}"])
        if not failures or failures[-1][0] != str(path):
            path.unlink()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    return {"failures": failures, "slowest": slowest, "refused": refused, "megabytes": grown}


if __name__ == "__main__":
    print(json.dumps(read_mutants(Path(sys.argv[1]), *map(int, sys.argv[2:]))))
