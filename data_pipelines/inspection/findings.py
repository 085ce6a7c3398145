"""What is wrong with a data set, in so few lines that they are read."""

from dataclasses import dataclass


@dataclass
class _Finding:
    line: str
    more: int = 0


class Findings:
    """Collects problems. Those of one kind in one file are one line: a shard of another data set is not 5 000 lines."""

    def __init__(self):
        self._found: dict[tuple[str, str], _Finding] = {}

    def add(self, file: str, kind: str, text: str, record: int | None = None, name: str = "") -> None:
        """text follows on the file, and on the record where it is about one: "is missing"."""
        if (file, kind) in self._found:
            self._found[file, kind].more += record is not None
            return
        where = file
        if record is not None:
            where += f", record {record}" + (f" ({name})" if name else "")
        self._found[file, kind] = _Finding(f"{where} {text}")

    def lines(self) -> tuple[str, ...]:
        return tuple(
            found.line + (f"; likewise {found.more:,} more of its records" if found.more else "")
            for found in self._found.values()
        )
