"""What run.json and history.json must be, whoever wrote them."""

import re

from data_pipelines.config import LABELS, DatasetConfig
from data_pipelines.runtime.notes import SHA256, Note
from fgseg_tf.model.networks import NAMES

MOST_SIDE = 16384  # pixels
STAGE = re.compile(r"\d{1,9}@\d{1,5}( .*)?", re.ASCII)
# Of the description of a data set, what memory and time depend on and its own checks leave open.
LIMITS = (
    *(("height", 1, MOST_SIDE), ("width", 1, MOST_SIDE), ("field_of_view", 1, 179)),
    *((name, 0, 1_000_000) for name in ("backgrounds_count", "foregrounds_count", "placements")),
    *(("limit", 0, 1 << 40), ("holdout", 0, 1), ("teacher_max_depth", 0.1, 10_000)),
)
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")
ALWAYS = ("network", "stages", "image_size")
OF_A_ROW = ("stage", "epoch", "seen")  # the other keys of a row of history.json are measurements


def check_settings(settings: Note, needed: tuple[str, ...] = ()) -> None:
    """Checks the settings of a run.

    Args:
        settings: as in run.json.
        needed: keys that must be there, besides those that every reader needs; one that is there is checked anyway.

    Raises:
        ValueError: of the kind of `settings`.
    """
    for key in (*ALWAYS, *needed):
        if key not in settings:
            raise settings.refuse(key, "is missing")
    for key in settings:
        if key not in _CHECKS:
            raise settings.refuse(key, "is not known to this version")
        _CHECKS[key](settings, key)


def check_row(row: Note) -> None:
    """Checks a row of history.json.

    Raises:
        ValueError: of the kind of `row`.
    """
    for key in OF_A_ROW:
        row.take_whole(key)
    for key in row:
        row.take_number(key)


def _check_stages(settings: Note, key: str) -> None:
    stages = settings.take_texts(key)
    if not stages or not all(STAGE.fullmatch(stage) for stage in stages):
        raise settings.refuse(key, "is not a list of stages, such as 4@64 rate=0.002")
    sides = [int(stage.split()[0].partition("@")[2]) for stage in stages]
    if max(sides) > MOST_SIDE:
        raise settings.refuse(key, f"has a size of more than {MOST_SIDE} pixels")


def _check_capture(settings: Note, key: str) -> None:
    capture = settings.take_note(key)
    capture.allow_only(("least", "most", "nobody", "ghosts"))
    least, nobody = capture.take_number("least", 0, 4), capture.take_number("nobody", 0, 1)
    capture.take_number("most", least, 4)
    capture.take_number("ghosts", 0, 1 - nobody)


def check_data(settings: Note, key: str) -> None:
    """Checks the description of a data set, as `Data.description`.

    Raises:
        ValueError: of the kind of `settings`.
    """
    data = settings.take_note(key)
    if "shards" in data:
        data.allow_only(("shards",))
        data.take_text("shards")
        return
    data.allow_only(("recipe",))
    recipe = data.take_note("recipe")
    for name, least, most in LIMITS:
        recipe.take_optional(recipe.take_number, name, least, most)
    for name in recipe:
        recipe.check_plain(name)
    try:
        DatasetConfig.from_dict({name: recipe.take_any(name) for name in recipe})
    except ValueError as error:
        raise data.refuse("recipe", f"describes no data set ({str(error).rstrip('.')})") from error


_SHARES = dict.fromkeys(("warmup", "average"), lambda note, key: note.take_number(key, 0, 1))
_AMOUNTS = dict.fromkeys(("weight_decay", "clip"), lambda note, key: note.take_number(key, 0))
_COUNTS = dict.fromkeys(("examples_per_epoch", "seed", "echo"), lambda note, key: note.take_whole(key))
_SWITCHES = dict.fromkeys(("jit_compile", "deterministic", "mirror"), lambda note, key: note.take_flag(key))
_WORDS = dict.fromkeys(("start", "optimizer", "weighting", "depth_unit"), lambda note, key: note.take_text(key))
_CHECKS = {
    **_SHARES,
    **_AMOUNTS,
    **_COUNTS,
    **_SWITCHES,
    **_WORDS,
    "network": lambda note, key: note.take_choice(key, NAMES),
    "precision": lambda note, key: note.take_choice(key, PRECISIONS),
    "labels": lambda note, key: note.take_choice(key, LABELS),
    "image_size": lambda note, key: note.take_wholes(key, 1, MOST_SIDE, 2),
    "data_digest": lambda note, key: note.take_text(key, SHA256),
    "stages": _check_stages,
    "capture": _check_capture,
    "data": check_data,
}
