"""What is wrong with a data set, in so few lines that they are read."""

from dataclasses import dataclass

from data_pipelines.runtime.notes import clean_text


@dataclass
class _Problem:
    line: str
    more: int = 0


class Findings:
    """Collects problems. Those of one kind in one file are one line: a shard of another data set is not 5 000 lines."""

    def __init__(self):
        self._problems: dict[tuple[str, str], _Problem] = {}

    def add(self, file: str, kind: str, text: str, record: int | None = None, name: str = "") -> None:
        """Adds a problem, or counts it where the file has one of this kind already.

        Args:
            file: its name.
            kind: problems of one kind in one file are one line.
            text: goes on after the file, or after the record where it is about one, such as "is missing".
            record: its number; None where the problem is the file's.
            name: of the record, if it is known.
        """
        if (file, kind) in self._problems:
            self._problems[file, kind].more += record is not None
            return
        where = file
        if record is not None:
            where += f", record {record}" + (f" ({name})" if name else "")
        self._problems[file, kind] = _Problem(f"{where} {text}")

    def lines(self) -> tuple[str, ...]:
        """Returns the problems, one line each."""
        return tuple(
            clean_text(problem.line) + (f"; likewise {problem.more:,} more of its records" if problem.more else "")
            for problem in self._problems.values()
        )
