"""How a command runs, and how it ends when something is wrong: one sentence on standard error, and an exit status.

So it does when it is asked to stop, by SIGTERM (status 143) or Ctrl-C (130).
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import tensorflow as tf
from absl import app, flags, logging

from data_pipelines.runtime.errors import REFUSALS, describe_error
from data_pipelines.runtime.names import escape_controls
from data_pipelines.runtime.notes import name_file
from data_pipelines.runtime.signals import Stopped, listen

HIDDEN = "# Folders are named without where they were: give them once more behind this --flagfile.\n"


def run_command(work: Callable[[], str | None], module: str, hint: str, recipes: Path | None = None) -> None:
    """Runs a command that takes flags only; exits with status 1 and one sentence when something is wrong.

    With `--verbosity=1` refusals keep their traceback, as defects do anyway, and TensorFlow its remarks.

    Args:
        work: does the work; returns what in the end was left undone, if anything was.
        module: `__name__` of the module that defines the command's flags; its docstring is the command's help.
        hint: how to give what people give without a flag, for the message that refuses it.
        recipes: folder of the flag files that come with the package, which `--recipe=NAME` names.
    """

    def main(argv):
        if argv[1:]:
            raise app.UsageError(f"{argv[1]!r} is not a flag; {hint}.")
        silence_savers()
        try:
            with listen():
                left = work()
        except Stopped as stop:
            exit_with(stop.describe(), stop.status)
        except REFUSALS as error:
            if logging.level_debug():
                raise
            exit_with(describe_error(error), 1)
        if left:
            exit_with(left, 1)

    show_help_of(module)
    if recipes:
        try:
            sys.argv = [sys.argv[0], *expand_recipe(sys.argv[1:], recipes)]
        except ValueError as error:
            exit_with(str(error), 1)
    app.run(main)


def run_folder_command(work: Callable[[str], int], module: str) -> None:
    """Runs a command that takes one folder and flags; exits with status 2 and one sentence when it cannot be run.

    Args:
        work: takes the folder, does the work, and returns the exit status.
        module: as of `run_command`.
    """

    def main(argv):
        if len(argv) != 2:
            raise ValueError(f"give one folder: {get_command_line()} DIR")
        silence_savers()
        try:
            with listen():
                return work(argv[1])
        except Stopped as stop:
            exit_with(stop.describe(), stop.status)

    show_help_of(module)
    try:
        app.run(main, flags_parser=flags.FLAGS)
    except (*REFUSALS, flags.Error) as error:
        exit_with(describe_error(error), 2)


def expand_recipe(arguments: list[str], recipes: Path) -> list[str]:
    """Returns the arguments with `--recipe=NAME` replaced by the `--flagfile` that comes with the package.

    Raises:
        ValueError: there is no recipe of this name.
    """
    known = {path.stem: path for path in sorted(recipes.glob("*.flags"))}
    expanded = []
    for argument in arguments:
        name, given, value = argument.partition("=")
        if name not in ("--recipe", "-recipe"):
            expanded.append(argument)
        elif given and value in known:
            expanded.append(f"--flagfile={known[value]}")
        else:
            raise ValueError(f"--recipe={value} does not come with the package; take {', '.join(known)}.")
    return expanded


def exit_with(text: str, status: int) -> NoReturn:
    """Ends the command with a sentence on standard error that begins with the command's name."""
    print(f"{get_command_name()}: {spell_flags(escape_controls(text))}", file=sys.stderr)
    sys.exit(status)


def spell_flags(text: str) -> str:
    """Returns the text with every setting in backquotes that is a flag of this program written as one.

    Libraries name settings as Python does, `limit`=5; who typed a command wants to read --limit=5.
    """

    def as_flag(match: re.Match) -> str:
        name = match[1]
        known = name in flags.FLAGS or name.removeprefix("no") in flags.FLAGS
        return f"--{name}" if known else match[0]

    return re.sub(r"`(\w+)`", as_flag, text)


def get_command_name() -> str:
    """Returns `predict` for `python -m fgseg_tf.predict` and `fgseg predict` for the installed command."""
    return Path(sys.argv[0]).stem


def get_command_line() -> str:
    """Returns what a user types to start this command: `fgseg show-data`, or `python tools/show_records.py`."""
    return f"python {sys.argv[0]}" if sys.argv[0].endswith(".py") else sys.argv[0]


def format_flags() -> str:
    """Returns the command's own flags with their values, one a line: what `--flagfile` reads back.

    Where folders of this machine are named, only their last part is told; see `hide_folders`.
    """
    lines = [flag.serialize() for flag in flags.FLAGS.get_key_flags_for_module(sys.argv[0])]
    return hide_folders("\n".join(line for line in lines if line) + "\n")


def hide_folders(text: str) -> str:
    """Returns the text of a flag file in which paths from the root of a disk are cut down to their last part.

    Such a file lies in a folder that is passed on; who reads it back has other folders.
    """
    hidden = re.sub(r"(?<=[=:,])(?:/(?!/)|~|[A-Za-z]:\\)[^,\n]*", lambda path: name_file(path[0]), text)
    return hidden if hidden == text else HIDDEN + hidden


def show_help_of(module: str) -> None:
    """Makes the flags and the docstring of a module those of the program that runs, as `--help` shows them."""
    if module == "__main__":
        return
    for flag in flags.FLAGS.get_key_flags_for_module(module):
        flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)
    sys.modules["__main__"].__doc__ = sys.modules[module].__doc__


def silence_savers() -> None:
    """Keeps what TensorFlow's savers say of themselves off the screen, unless `--verbosity=1` asks for it."""
    if not logging.level_debug():
        logging.set_verbosity(logging.WARNING)
        tf.get_logger().setLevel("WARNING")
