"""Reads the commands and the Python code that README.md and the pages of docs/ show.

The language of a block says what the test does with it:

    ```sh        every command is run
    ```python    the block is run
    ```bash      recorded commands of experiments that take hours: only their flags are checked

Commands within sentences and tables are checked for their flags as well.
"""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

from absl import flags
from repository import ROOT

PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
REFERENCE = ROOT / "docs/reference/command_line.md"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str


def read_blocks(*languages: str) -> list[Block]:
    """Returns all blocks in these languages, page by page; blocks with the same text once."""
    blocks: dict[str, Block] = {}
    for page in PAGES:
        for language, text in re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
            if language in languages:
                blocks.setdefault(text, Block(str(page.relative_to(ROOT)), language, text))
    return list(blocks.values())


def list_commands(*languages: str) -> list[str]:
    """Returns the distinct commands of all blocks in these languages, each on one line, without comments."""
    commands: list[str] = []
    for block in read_blocks(*languages):
        text = re.sub(r"\\\n\s*", "", block.text)
        for line in re.sub(r"(^|[ \t]+)#.*", "", text, flags=re.MULTILINE).splitlines():
            if line.startswith("  "):  # a quoted string goes on
                commands[-1] += "\n" + line
            elif line:
                commands += line.split(" && ")
    return list(dict.fromkeys(commands))


def list_commands_in_sentences() -> list[str]:
    """Returns the distinct commands in sentences and tables that begin with `fgseg`, `python` or `tools/`."""
    spans: list[str] = []
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
        spans += (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", text))
    return sorted({span for span in spans if re.match(r"fgseg [a-z]|python |tools/\w+(\.py)? -", span)})


def find_program(command: str) -> str | None:
    """Returns the name of the program of this project that a command runs: `train`, `tools/benchmark.py`, or None."""
    if found := re.search(r"\bfgseg ([a-z][a-z-]*)", command) or re.search(r"-m fgseg_tf\.(\w+)", command):
        return found[1]
    found = re.search(r"\btools/\w+\.py", command)
    return found[0] if found else None


def find_flags(program: str) -> set[str]:
    """Returns the names of the flags of a program, as its source defines them."""
    names: set[str] = set()
    to_read, seen = _find_sources(program), set()
    while to_read:
        path = to_read.pop()
        if path in seen:
            continue
        seen.add(path)
        text = path.read_text()
        names |= set(re.findall(r"DEFINE_\w+\(\s*\"(\w+)\"", text))
        to_read += _find_flag_modules(text)
    return names


def find_common_flags() -> set[str]:
    """Returns the names of the flags that every program has."""
    return set(flags.FLAGS) | {"help", "flagfile"}


def _find_sources(program: str) -> list[Path]:
    if program.startswith("tools/"):
        places = [program]
    else:
        module = program.replace("-", "_")
        places = [f"fgseg_tf/commands/{module}.py", f"fgseg_tf/{module}.py"]
    return [ROOT / place for place in places if (ROOT / place).exists()]


def _find_flag_modules(text: str) -> list[Path]:
    """Returns the modules of this project that hold flags and that a source imports."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    holders = (name for name in names if name.endswith("_flags") or name.startswith("fgseg_tf.commands."))
    paths = (ROOT / f"{name.replace('.', '/')}.py" for name in holders)
    return [path for path in paths if path.exists()]
