"""Texts of bounded length without control characters, as sentences quote them."""

import numpy as np
import pytest

from polyexp.base import InputError, bounded, cut, printable, shown

LONG = "a" * 100_000


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("abc", "'abc'"),
        ("a\x1b[1m\x07", r"'a\x1b[1m\x07'"),
        ("\u202egnp.exe", r"'\u202egnp.exe'"),  # which would be printed from right to left
        ("\udc80", r"'\udc80'"),  # a byte that is no UTF-8, as Python reads it from the command line
        ("größe", "'größe'"),
        ("a\nb", r"'a\nb'"),
        ((1, 2.0), "[1, 2.0]"),
        (np.array([[1, 2], [3, 4]]), "[[1, 2], [3, 4]]"),
        (None, "None"),
        ("a" * 78, f"'{'a' * 78}'"),
        ("a" * 79, f"'{'a' * 76}..."),
        (LONG, f"'{'a' * 76}..."),
        (list(range(1000)), "[" + ", ".join(map(str, range(40)))[:76] + "..."),
        (10**4000, "1" + "0" * 76 + "..."),
    ],
)
def test_a_value_in_a_sentence(value, text):
    assert shown(value) == text


def test_a_value_without_end():
    deep = []
    for _ in range(5000):
        deep = [deep]
    assert shown(deep) == "[[[[[...]]]]]"
    deep = []
    deep.append(deep)
    assert shown(10**5000) == shown([10**5000]) == "a number that is too long to show"
    assert len(shown(deep)) <= 80
    assert len(shown({"key": LONG})) == 80


def test_a_name_in_a_sentence():
    assert cut("a b") == "a b"
    assert cut("a" * 80) == "a" * 80
    assert cut("a" * 81) == "a" * 77 + "..."
    assert cut("\x1b" * 81) == r"\x1b" * 19 + "\\..."
    assert cut("") == ""


def test_a_sentence():
    assert bounded("a\tb\nc") == "a\\tb\nc"
    assert bounded("a" * 200) == "a" * 200  # as long as the path of a temporary folder
    assert bounded(f"begin {LONG} end.") == f"begin {'a' * 77}... end."
    assert bounded("a " * 500) == "a " * 500
    long = bounded("begin " + "a " * 50_000 + "end.")
    assert long.startswith("begin a a")
    assert long.endswith("a a end.")
    assert len(long) <= 1000


def test_printable():
    assert printable("plain text, größe, 数") == "plain text, größe, 数"
    assert printable("\x00\r\x7f\x9b") == r"\x00\r\x7f\x9b"


def test_no_error_about_input_carries_control_characters():
    assert str(InputError("no \x1b[2J here")) == r"no \x1b[2J here"
    assert len(str(InputError(LONG))) == 80
    assert InputError().args == ()
