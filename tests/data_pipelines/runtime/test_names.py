"""Names of files as a terminal may be given them."""

import os

from data_pipelines.runtime.names import escape_controls, replace_unfit, show_name


def test_what_a_terminal_obeys_is_written_out():
    assert show_name("kitchen 7 é 猫.png") == "kitchen 7 é 猫.png"
    assert show_name("a\x1b[2Jb\nskipped: c\x7f\x9b.png") == r"a\x1b[2Jb\nskipped: c\x7f\x9b.png"
    assert show_name("gpj.\u202egnp\u2028") == r"gpj.\u202egnp\u2028"
    assert show_name(os.fsdecode(b"caf\xe9.png")) == r"caf\xe9.png"
    assert show_name("\ud800") == r"\ud800"
    show_name("".join(map(chr, range(0x110000)))).encode()


def test_lines_of_a_text_stay():
    assert escape_controls("a\n  b\r\x1b]0;c\x07") == "a\n  b\\r\\x1b]0;c\\x07"


def test_names_of_outputs():
    assert replace_unfit("shot at 1.02\u202fPM \u200d") == "shot at 1.02\u202fPM \u200d", (
        "of a system that writes these"
    )
    assert replace_unfit("a\nb\x1b\udcff") == "a_b__"
