"""What the README shows to be typed: every command, in order, as it stands there."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text()


@dataclass(frozen=True)
class Block:
    language: str
    text: str


def blocks() -> list[Block]:
    return [Block(*found) for found in re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)]


def commands() -> list[str]:
    """Of all blocks of shell, in order, each on one line, without comments."""
    shell = "\n".join(block.text for block in blocks() if block.language == "sh")
    lines = re.sub(r"\\\n\s*", "", shell).splitlines()
    joined = []
    for line in lines:
        line = re.sub(r"(^|\s+)#.*", "", line)
        if line.startswith("  "):  # what goes on in quotes
            joined[-1] += "\n" + line
        elif line:
            joined += line.split(" && ")
    return joined


def in_sentences() -> list[str]:
    """Those that stand in the text and in tables."""
    outside = re.sub(r"^```.*?^```$", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    found = (" ".join(code.split()) for code in re.findall(r"`([^`]+)`", outside))
    return [command for command in found if re.match(r"python |(tools/\w+(\.py)?|train|predict|read|serve) -", command)]
