"""The configuration that TF Serving is started with: files beside the versions of a model, in DIR/serving.

Their templates are in `templates/`, with ${name} for the model's name, ${folder} for DIR and ${serving} for FOLDER.
"""

from importlib.resources import files
from string import Template

import tensorflow as tf

from data_pipelines.runtime.files import join_path

FOLDER = "serving"
NAME = "fgseg"  # that the model is served under, unless told otherwise
FILES = ("models.config", "batching.config", "compose.yaml")


def write_server_config(folder: str, name: str) -> list[str]:
    """Writes those files that are not there yet; what a user has changed is left alone.

    Args:
        folder: Of the versions.
        name: That the model is served under.

    Returns:
        The paths of the files that were written.
    """
    written = []
    tf.io.gfile.makedirs(join_path(folder, FOLDER))
    for file in FILES:
        path = join_path(folder, FOLDER, file)
        if not tf.io.gfile.exists(path):
            with tf.io.gfile.GFile(path, "w") as opened:
                opened.write(_fill_template(file, folder, name))
            written.append(path)
    return written


def _fill_template(file: str, folder: str, name: str) -> str:
    text = files("fgseg_tf.serving").joinpath("templates", file).read_text(encoding="utf-8")
    return Template(text).substitute(name=name, folder=folder, serving=FOLDER)
