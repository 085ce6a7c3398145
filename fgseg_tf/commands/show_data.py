"""Shows what is in a data set: a contact sheet, a page to browse, or loose files.

    fgseg show-data DIR --output=sheet.png
    fgseg show-data DIR --output=sheet.png --names=bg005-fg073-flip-p07,bg001-fg000-p00
    fgseg show-data DIR --output=sheet.png --capture=3
    fgseg show-data DIR --html=page.html
    fgseg show-data DIR --unpack=FOLDER --split=unseen_both
    fgseg show-data DIR --zip=some.zip --count=100

In a clone, `python tools/show_records.py` does the same. Exit status 2, with one sentence, when something is wrong with
the flags or files.
"""

from data_pipelines.runtime import startup  # noqa: F401 (before TensorFlow is loaded)

# isort: split

import tensorflow as tf
from absl import flags

from data_pipelines.compositing.backgrounds import JoinedExample
from data_pipelines.inspection import contact_sheet, examples, label_statistics
from data_pipelines.inspection import unpack as unpacking
from data_pipelines.runtime.cli import run_folder_command
from data_pipelines.runtime.files import write_atomic
from data_pipelines.tfrecord import reader
from fgseg_tf.data.base import scoring_seed
from fgseg_tf.data.exposures import Capture
from fgseg_tf.report import dataset_page

_OUTPUT = flags.DEFINE_string("output", None, "The contact sheet: .png, or .jpg, which is smaller.")
_HTML = flags.DEFINE_string("html", None, "A page with filters and statistics: one .html file, which needs no server.")
_UNPACK = flags.DEFINE_string(
    "unpack", None, "A new folder for loose files by name: pictures, masks, depth, index.csv."
)
_ZIP = flags.DEFINE_string("zip", None, "The same files in one zip file.")
_COUNT = flags.DEFINE_integer(
    "count",
    0,
    f"Examples, spread over splits and files; 0: {contact_sheet.USUAL_COUNT} on a sheet, "
    f"{dataset_page.USUAL_COUNT} on a page, every one when unpacking.",
    lower_bound=0,
)
_SPLIT = flags.DEFINE_string("split", None, "Only of this one, such as train or unseen_both.")
_NAMES = flags.DEFINE_list("names", [], "These instead, such as bg005-fg073-flip-p07,bg001-fg000-p00.")
_CAPTURE = flags.DEFINE_float(
    "capture", 0.0, "Sheet and page: as two exposures that differ this much, from 0 (not at all) to 4 (badly)."
)

FORMATS = {"png": "PNG", "jpg": "JPEG", "jpeg": "JPEG"}


def main() -> None:
    """Runs the command."""
    run_folder_command(show_folder, __name__)


def show_folder(folder: str) -> int:
    """Makes what the flags ask for of a data set; returns the exit status."""
    if not (_OUTPUT.value or _HTML.value or _UNPACK.value or _ZIP.value):
        raise ValueError("say what to make: --output=sheet.png, --html=page.html, --unpack=FOLDER or --zip=FILE.")
    if _NAMES.value and (_COUNT.value or _SPLIT.value):
        raise ValueError("--names says which ones; leave out --count and --split.")
    if _HTML.value and not _HTML.value.lower().endswith(".html"):
        raise ValueError(f"--html={_HTML.value} is not a page's name; let it end in .html.")
    if _OUTPUT.value:
        write_sheet(folder, _OUTPUT.value)
    if _HTML.value:
        write_page(folder, _HTML.value)
    for output, unpack in ((_UNPACK.value, unpacking.unpack_to_folder), (_ZIP.value, unpacking.unpack_to_zip)):
        if output:
            count = unpack(folder, output, split=_SPLIT.value, count=_COUNT.value, names=_NAMES.value)
            print(f"{count:,} composites in {output}")
    return 0


def write_sheet(folder: str, path: str) -> None:
    """Writes the contact sheet."""
    ending = path.rsplit(".", 1)[-1].lower()
    if ending not in FORMATS:
        raise ValueError(f"--output={path} is not a picture's name; let it end in .png or .jpg.")
    count = _COUNT.value or contact_sheet.USUAL_COUNT
    drawn = contact_sheet.draw_sheet(folder, count, _SPLIT.value, _NAMES.value, exposures())
    with tf.io.gfile.GFile(path, "wb") as file:
        drawn.save(file, FORMATS[ending], quality=92)
    print(f"{drawn.width} x {drawn.height} pixels in {path}")


def write_page(folder: str, path: str) -> None:
    """Writes the page to browse."""
    dataset = reader.open_dataset(folder)
    count, change = _COUNT.value or dataset_page.USUAL_COUNT, exposures()
    locations = reader.choose_records(dataset, count, _SPLIT.value, _NAMES.value)
    backgrounds = examples.read_background_pictures(dataset)
    shown = examples.read_examples(dataset, locations, backgrounds, _NAMES.value, change)
    text = dataset_page.render_dataset_page(
        dataset, backgrounds, label_statistics.survey_labels(dataset, backgrounds), shown, _CAPTURE.value
    )
    write_atomic(path, text)
    print(f"{len(locations):,} composites, {len(text.encode()) / 1e6:.1f} MB in {path}")


def exposures() -> examples.ExampleChange:
    """Returns what --capture does to an example."""
    capture = Capture(_CAPTURE.value, _CAPTURE.value)

    def change(example: JoinedExample) -> JoinedExample:
        return capture.change(example, scoring_seed(example["index"]))

    return change


if __name__ == "__main__":
    main()
