"""Masks and depth for a fixed camera, and everything it takes to train a network for them.

    fgseg COMMAND --flag=value ...
    fgseg COMMAND --help

`python -m fgseg_tf` is the same.
"""

import difflib
import importlib
import os
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple


class Command(NamedTuple):
    """module: where its `main` is. purpose: one line for `fgseg --help`. example: what a user types first."""

    module: str
    purpose: str
    example: str


GROUPS: dict[str, dict[str, Command]] = {
    "A camera": {
        "predict": Command(
            "fgseg_tf.predict",
            "masks and depth for frames, from one picture of the empty scene",
            "--background=empty.jpg --frames=frames --output=masks",
        ),
        "calibrate": Command(
            "fgseg_tf.commands.calibrate",
            "the folder of a camera, with the depth of its background: then metres are known",
            "--background=empty.jpg --known=320,400,2.5 --known=100,200,6 --known=500,210,5.2 --output=hall",
        ),
        "evaluate-footage": Command(
            "fgseg_tf.commands.evaluate_footage",
            "scores on sequences of real cameras with hand-made masks",
            "--footage=DIR",
        ),
    },
    "Training data": {
        "make-data": Command(
            "fgseg_tf.commands.make_data",
            "backgrounds and cutouts to TFRecord shards with exact masks and depth",
            "--backgrounds=DIR --foregrounds=DIR --output=data",
        ),
        "verify-data": Command(
            "fgseg_tf.commands.verify_data", "reads a data set back and says whether it is intact", "data"
        ),
        "show-data": Command(
            "fgseg_tf.commands.show_data",
            "a contact sheet, a page to browse, or loose files",
            "data --output=sheet.png",
        ),
    },
    "A network": {
        "train": Command(
            "fgseg_tf.train", "trains the network; started again, it goes on where it stopped", "--data=data --run=run"
        ),
        "evaluate": Command(
            "fgseg_tf.evaluate", "scores by split and severity, baselines beside them, a report", "--run=run"
        ),
        "export": Command(
            "fgseg_tf.export", "a SavedModel for TF Serving; LiteRT and ONNX files", "--run=run --output=models/mine"
        ),
        "query": Command(
            "fgseg_tf.commands.query",
            "asks a running TF Serving, by REST or gRPC",
            "--background=empty.jpg --frames=frames --output=masks",
        ),
    },
}
COMMANDS = {name: command for group in GROUPS.values() for name, command in group.items()}


def main() -> None:
    """Runs the command that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("--help", "-h", "-help", "--helpfull", "help"):
        try:
            print(help_page(), flush=True)
        except BrokenPipeError:
            # Who reads has seen enough, as `head` has; Python would complain once more when it closes the pipe.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    elif name == "--version":
        print(f"fgseg {installed_version()}")
    elif name in COMMANDS:
        sys.argv = [f"fgseg {name}", *sys.argv[2:]]
        importlib.import_module(COMMANDS[name].module).main()
    else:
        print(f"fgseg: {refusal(name)}", file=sys.stderr)
        sys.exit(2)


def help_page() -> str:
    """Returns what `fgseg --help` prints."""
    lines = ["fgseg: masks and depth for a fixed camera, from one picture of the empty scene and a frame.", ""]
    lines += ["  fgseg COMMAND --flag=value ...", "  fgseg COMMAND --help    all of its flags", ""]
    for title, commands in GROUPS.items():
        lines.append(title)
        lines += [f"  {name:<18}{command.purpose}" for name, command in commands.items()]
        lines.append("")
    lines.append("First steps")
    lines += [f"  fgseg {name} {COMMANDS[name].example}" for name in ("predict", "make-data", "train", "export")]
    return "\n".join(lines)


def refusal(name: str) -> str:
    """Returns the sentence for a command that does not exist."""
    near = difflib.get_close_matches(name, COMMANDS, 1, cutoff=0.5)
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"{name!r} is not a command; take {', '.join(COMMANDS)}.{meant}"


def installed_version() -> str:
    """Returns the version of the installed package, or "(not installed)" in a bare clone."""
    try:
        return version("fgseg_tf")
    except PackageNotFoundError:
        return "(not installed)"


if __name__ == "__main__":
    main()
