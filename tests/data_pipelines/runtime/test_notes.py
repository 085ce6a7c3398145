"""Notes that somebody else may have written: what is taken from them, and what is said where it cannot be."""

import pytest

from data_pipelines.runtime.notes import Note, clean_text, name_file


def test_values_are_taken_as_they_are():
    inside = {"n": 3}
    note = Note({"text": "a\u202fb", "whole": 2, "number": 2.5, "flag": False, "in": inside, "null": None}, "f", "r")
    assert (note.take_text("text"), note.take_whole("whole", 0, 2), note.take_number("number")) == ("a\u202fb", 2, 2.5)
    assert note.take_flag("flag") is False
    assert note.take_note("in").take_choice("n", (3, 4)) == 3
    assert note.take_optional(note.take_whole, "null") is note.take_optional(note.take_whole, "nowhere") is None
    assert list(note) == ["text", "whole", "number", "flag", "in", "null"]


@pytest.mark.parametrize(
    ("take", "said"),
    [
        (lambda note: note.take_whole("nowhere"), "f.json: a.nowhere is missing; train again."),
        (lambda note: note.take_whole("text"), "f.json: a.text is not a whole number; train again."),
        (lambda note: note.take_whole("flag"), "f.json: a.flag is not a whole number; train again."),
        (lambda note: note.take_number("nan"), "f.json: a.nan is not a number; train again."),
        (lambda note: note.take_number("inf"), "f.json: a.inf is not finite; train again."),
        (lambda note: note.take_number("huge", 0), "f.json: a.huge is not finite; train again."),
        (lambda note: note.take_number("huge", 0, 9), "f.json: a.huge is not from 0 to 9; train again."),
        (lambda note: note.take_texts("wholes"), "f.json: a.wholes[0] is not a text; train again."),
        (lambda note: note.take_wholes("wholes", 2), "f.json: a.wholes[0] is not from 2 to 4.61169e+18; train again."),
        (lambda note: note.take_wholes("wholes", count=3), "f.json: a.wholes is not a list of 3; train again."),
        (
            lambda note: note.take_notes("wholes"),
            "f.json: a.wholes[0] is not an object of keys and values; train again.",
        ),
        (lambda note: note.take_text("bell"), "f.json: a.bell is not of the form that it must have; train again."),
        (lambda note: note.take_choice("flag", (0, 1)), "f.json: a.flag is none of 0, 1; train again."),
        (lambda note: note.check_plain("deep"), "f.json: a.deep[0].b is not a number; train again."),
        (lambda note: note.allow_only(("text",)), "f.json: a.flag is not known to this version; train again."),
        (lambda note: note.take_whole("\x1b\n" * 99), None),
    ],
)
def test_what_is_wrong_is_said_with_its_place(take, said):
    nan = float("nan")
    values = {"text": "1", "flag": True, "nan": nan, "inf": float("inf"), "huge": 10**400, "wholes": [1, 2]}
    values |= {"bell": "\a", "deep": [{"b": nan}]}
    note = Note({"a": values}, "f.json", "train again").take_note("a")
    with pytest.raises(ValueError, match=r"f\.json: a\..* is .*; train again\.$") as raised:
        take(note)
    assert str(raised.value) == said or said is None
    assert str(raised.value).isprintable()
    assert len(str(raised.value)) < 500


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/home/somebody/pictures/room 1.jpg", "room 1.jpg"),
        ("C:\\Users\\somebody\\room.jpg", "room.jpg"),
        ("gs://bucket/out/", "out"),
        ("keras_hub:/home/somebody/preset", "keras_hub:preset"),
        ("keras_hub:depth_anything_v2_small", "keras_hub:depth_anything_v2_small"),
        ("median:frames/empty", "median:empty"),
        ("demo background 0 of seed 0 (room)", "demo background 0 of seed 0 (room)"),
        ("base, of the package", "base, of the package"),
        ("a/evil\x1b[2J.jpg", "evil\N{REPLACEMENT CHARACTER}[2J.jpg"),
    ],
)
def test_files_are_named_without_their_folders(path, name):
    assert name_file(path) == name


def test_what_a_terminal_obeys_is_marked():
    assert clean_text("a\x1b[31m\u202eb\ud800") == "a?[31m?b?".replace("?", "\N{REPLACEMENT CHARACTER}")
    assert clean_text("caf\u00e9\u00a0\u202f1") == "caf\u00e9\u00a0\u202f1"
