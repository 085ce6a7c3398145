"""The files beside a data set that are for people: whether they are still what was written."""

import io

import tensorflow as tf
from PIL import Image

from data_pipelines.inspection.findings import Findings
from data_pipelines.runtime.files import is_regular, join_path
from data_pipelines.runtime.sealed_text import is_damaged

FLAGS, SHEET = "export.flags", "sheet.png"
MOST_BYTES = 64 << 20


def check_companions(folder: str, findings: Findings) -> None:
    """Adds what is wrong with the flags and the contact sheet to the findings, where there are any.

    No digest of them can be in the manifest, which is written before they are: the flags end with one of their own, and
    PNG has a sum of each of its parts.
    """
    for name, is_wrong in ((FLAGS, is_damaged), (SHEET, _is_no_png)):
        path = join_path(folder, name)
        if not tf.io.gfile.exists(path):
            continue
        if not is_regular(path) or tf.io.gfile.stat(path).length > MOST_BYTES:
            findings.add(name, "stranger", "is not a file of this data set; remove it")
            continue
        with tf.io.gfile.GFile(path, "rb") as file:
            content = file.read()
        if is_wrong(content):
            findings.add(name, "damaged", "is damaged; the data set does not need it: remove it, or fetch it anew")


def _is_no_png(content: bytes) -> bool:
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as picture:
            picture.verify()
    except Exception:
        return True
    return False
