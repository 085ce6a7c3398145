"""JSON that somebody else may have written, taken value by value, each with its type and its range.

These few lines rather than a library of schemas: a refusal must be one sentence of the house, which names file and key,
and a key that is looked up is one that was checked.
"""

import hashlib
import json
import math
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, TypeVar

SHA256 = re.compile(r"[0-9a-f]{64}")
# Control characters, halves of surrogate pairs, and marks that turn the direction of writing: a terminal obeys them.
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
KIND = re.compile(r"[a-z_]{2,}:(?!//)")
LONGEST_TEXT = 4096
MOST_WHOLE = 1 << 62
LARGEST = 1e100  # of any number: its square is finite still
Taken = TypeVar("Taken")


def clean_text(text: str) -> str:
    """Returns a text with a mark in place of each character that a terminal would obey."""
    return UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def name_file(path: str) -> str:
    """Returns the last part of a path, which is all that others need to know of where a file was.

    A word before it that says what it is stays, as in keras_hub:FOLDER and median:FOLDER.
    """
    match = KIND.match(path)
    kind = match[0] if match else ""
    return clean_text(kind + re.split(r"[/\\]", path.removeprefix(kind).rstrip("/\\"))[-1])


def compute_seal(content: Mapping[str, Any], key: str) -> str:
    """Returns the SHA-256 of all that a JSON object says besides the value of a key, however its file is laid out.

    Damage is seen by it. Who changes the object on purpose can compute it anew.
    """
    # As it is read back: tuples become lists, and numbers of numpy numbers.
    rest = json.loads(json.dumps({name: value for name, value in content.items() if name != key}))
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


class Note:
    """A JSON object whose values are taken one by one; keys inside of it are named as `splits.train.records`.

    Args:
        content: what was read.
        path: of the file, for sentences.
        remedy: what the reader can do, such as "train again".
        error: the kind of refusal.
        place: where in the file the object is; "" for the whole of it.
    """

    def __init__(
        self, content: Any, path: str, remedy: str, error: Callable[[str], ValueError] = ValueError, place: str = ""
    ):
        self._content, self._path, self._remedy, self._error, self._place = content, path, remedy, error, place
        if not isinstance(content, dict):
            raise self._refuse_place(place, "is not an object of keys and values")

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def __iter__(self) -> Iterator[str]:
        return iter(self._content)

    def refuse(self, key: str, why: str) -> ValueError:
        """Returns the refusal to raise for the value of a key, such as "fov is not a number; calibrate again."."""
        return self._refuse_place(self._name(key), why)

    def allow_only(self, keys: Collection[str]) -> None:
        """Raises where there is a key of another name."""
        for key in self._content:
            if key not in keys:
                raise self.refuse(key, "is not known to this version")

    def take_text(self, key: str, pattern: re.Pattern | None = None, longest: int = LONGEST_TEXT) -> str:
        """Returns a text without control characters, which matches a pattern."""
        return self._check_text(self._name(key), self._take(key), pattern, longest)

    def take_choice(self, key: str, choices: Collection[Any]) -> Any:
        """Returns one of some texts or whole numbers."""
        value = self._take(key)
        if not any(type(value) is type(choice) and value == choice for choice in choices):
            raise self.refuse(key, f"is none of {', '.join(map(str, choices))}")
        return value

    def take_flag(self, key: str) -> bool:
        """Returns True or False."""
        value = self._take(key)
        if not isinstance(value, bool):
            raise self.refuse(key, "is not true or false")
        return value

    def take_whole(self, key: str, least: int = 0, most: int = MOST_WHOLE) -> int:
        """Returns a whole number from `least` to `most`."""
        return self._check_number(self._name(key), self._take(key), least, most, whole=True)

    def take_number(self, key: str, least: float = -math.inf, most: float = math.inf) -> float:
        """Returns a finite number from `least` to `most`."""
        return self._check_number(self._name(key), self._take(key), least, most)

    def take_wholes(self, key: str, least: int = 0, most: int = MOST_WHOLE, count: int | None = None) -> list[int]:
        """Returns a list of whole numbers, `count` of them where that is given."""
        values = self._take_list(key, count)
        return [self._check_number(f"{self._name(key)}[{n}]", v, least, most, True) for n, v in enumerate(values)]

    def take_numbers(
        self, key: str, least: float = -math.inf, most: float = math.inf, count: int | None = None
    ) -> list[float]:
        """Returns a list of finite numbers, `count` of them where that is given."""
        values = self._take_list(key, count)
        return [self._check_number(f"{self._name(key)}[{n}]", v, least, most) for n, v in enumerate(values)]

    def take_texts(self, key: str, count: int | None = None, longest: int = LONGEST_TEXT) -> list[str]:
        """Returns a list of texts, `count` of them where that is given."""
        values = self._take_list(key, count)
        return [self._check_text(f"{self._name(key)}[{n}]", v, None, longest) for n, v in enumerate(values)]

    def take_text_rows(self, key: str, count: int) -> list[list[str]]:
        """Returns a list of lists of `count` texts."""
        rows = self._take_list(key, None)
        for number, row in enumerate(rows):
            if not isinstance(row, list) or len(row) != count:
                raise self.refuse(f"{key}[{number}]", f"is not a list of {count}")
            for text in row:
                self._check_text(f"{self._name(key)}[{number}]", text, None, LONGEST_TEXT)
        return rows

    def take_rows(self, key: str, count: int) -> list[list]:
        """Returns a list of `count` lists, what is in which is unchecked."""
        rows = self._take_list(key, count)
        if not all(isinstance(row, list) for row in rows):
            raise self.refuse(key, "is not a list of lists")
        return rows

    def take_note(self, key: str) -> "Note":
        """Returns an object inside of this one."""
        return self._inside(self._take(key), self._name(key))

    def take_notes(self, key: str, count: int | None = None) -> list["Note"]:
        """Returns a list of objects, `count` of them where that is given."""
        values = self._take_list(key, count)
        return [self._inside(value, f"{self._name(key)}[{number}]") for number, value in enumerate(values)]

    def take_all(self) -> dict[str, Any]:
        """Returns the object as it is, its values unchecked."""
        return self._content

    def take_optional(self, take: Callable[..., Taken], key: str, *limits: Any) -> Taken | None:
        """Returns what one of the methods above takes; None where the key is missing or null."""
        return None if self._content.get(key) is None else take(key, *limits)

    def check_plain(self, key: str) -> None:
        """Raises where a value that is only shown holds a number that is not finite, or a text that is not one."""
        self._check_plain(self._name(key), self.take_any(key))

    def _check_plain(self, name: str, value: Any) -> None:
        if isinstance(value, dict):
            for key, one in value.items():
                self._check_text(f"a key of {name}", key, None, LONGEST_TEXT)
                self._check_plain(f"{name}.{key}", one)
        elif isinstance(value, list):
            for number, one in enumerate(value):
                self._check_plain(f"{name}[{number}]", one)
        elif isinstance(value, str):
            self._check_text(name, value, None, LONGEST_TEXT)
        elif not (value is None or isinstance(value, bool)):
            self._check_number(name, value, -math.inf, math.inf)

    def check_seal(self, key: str) -> None:
        """Raises where the object has the digest of `compute_seal` under a key, and is not what it was computed of."""
        if key in self._content and self._content[key] != compute_seal(self._content, key):
            raise self.refuse(key, "is of something else: the file is damaged or was changed by hand")

    def take_any(self, key: str) -> Any:
        """Returns a value of any kind, unchecked."""
        if key not in self._content:
            raise self.refuse(key, "is missing")
        return self._content[key]

    def _take(self, key: str) -> Any:
        value = self.take_any(key)
        if value is None:
            raise self.refuse(key, "is missing")
        return value

    def _take_list(self, key: str, count: int | None) -> list:
        values = self._take(key)
        if not isinstance(values, list):
            raise self.refuse(key, "is not a list")
        if count is not None and len(values) != count:
            raise self.refuse(key, f"is not a list of {count}")
        return values

    def _check_text(self, name: str, value: Any, pattern: re.Pattern | None, longest: int) -> str:
        if not isinstance(value, str):
            raise self._refuse_place(name, "is not a text")
        if len(value) > longest:
            raise self._refuse_place(name, f"has more than {longest} characters")
        if UNPRINTABLE.search(value) or (pattern and not pattern.fullmatch(value)):
            raise self._refuse_place(name, "is not of the form that it must have")
        return value

    def _check_number(self, name: str, value: Any, least: float, most: float, whole: bool = False) -> Any:
        kind = int if whole else int | float
        if isinstance(value, bool) or not isinstance(value, kind) or value != value:
            raise self._refuse_place(name, "is not a whole number" if whole else "is not a number")
        # Not printed: a whole number in JSON may have hundreds of digits.
        if not least <= value <= most or abs(value) > LARGEST:
            bounds = f"from {least:g} to {most:g}" if math.isfinite(most) else "finite"
            raise self._refuse_place(name, f"is not {bounds}")
        return value

    def _inside(self, value: Any, place: str) -> "Note":
        return Note(value, self._path, self._remedy, self._error, place)

    def _name(self, key: str) -> str:
        # A key may be anything, and is printed.
        key = key if key.isprintable() and len(key) <= 80 else repr(key[:80])
        return f"{self._place}.{key}" if self._place else key

    def _refuse_place(self, place: str, why: str) -> ValueError:
        where = f"{self._path}: {place}" if place else self._path
        return self._error(f"{where} {why}; {self._remedy}.")
