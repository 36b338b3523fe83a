"""How a data file is to be read, where that does not follow from the file itself."""

import string
from collections.abc import Callable
from dataclasses import dataclass

from polyexp.base import one_of, require

__all__ = ["DELIMITERS", "Options", "options_of"]

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "blank": " "}
DECIMALS = {"point": ".", "comma": ","}
MAX_COMMENT_CHARACTERS = 10
NO_DELIMITERS = str.maketrans("", "", "\"'+-.")  # quotes, and what numbers contain


@dataclass(frozen=True)
class Options:
    """The settings of reading in the form that the formats use; an empty text stands for what the file itself tells.

    Args:
        columns: The names of the columns that are read, each of them once.
        header: "true" or "false": whether the first row names the columns.
        delimiter: The character between two columns; a blank stands for any number of blanks and tabs.
        decimal: The character between the whole part of a number and its fraction.
        encoding: The encoding of the text.
        comment: The beginning of lines that are left out.
        x: The name of the column of x, which may hold dates.
        unit: "days" or "seconds", in which the dates of x are counted from 1970-01-01; empty where x holds numbers.
    """

    columns: tuple[str, ...]
    header: str = ""
    delimiter: str = ""
    decimal: str = "."
    encoding: str = ""
    comment: str = ""
    x: str = ""
    unit: str = ""

    def dated(self, column: str) -> bool:
        """Whether a column holds dates."""
        return bool(self.unit) and column == self.x


def options_of(
    key: Callable[[str], str],
    columns: tuple[str, ...],
    x: str,
    *,
    header: str,
    delimiter: str,
    decimal: str,
    encoding: str,
    comment: str,
    dates: str | None,
) -> Options:
    """The options that the settings of a data file choose.

    Args:
        key: The function that gives the name of a setting on the command line.
        columns: The names of the columns that are read, each of them once.
        x: The name of the column of x.
        header: "auto", "true" or "false".
        delimiter: "auto", a word of `DELIMITERS` or a character.
        decimal: "point", "comma" or one of these characters.
        encoding: "auto" or the name of an encoding.
        comment: "auto" or a short text.
        dates: None, "days" or "seconds".

    Raises:
        InputError: A value is not one of these.
    """
    one_of(key("header"), header, ("auto", "true", "false"))
    if dates is not None:
        one_of(key("dates"), dates, ("days", "seconds"), "null")
    if decimal not in DECIMALS.values():
        one_of(key("decimal"), decimal, DECIMALS)
    for name, value in (("delimiter", delimiter), ("encoding", encoding), ("comment", comment)):
        wanted, allowed = ALLOWED[name]
        require(value == "auto" or allowed(value), key(name), wanted, value)
    return Options(
        columns,
        header="" if header == "auto" else header,
        delimiter="" if delimiter == "auto" else DELIMITERS.get(delimiter, delimiter),
        decimal=DECIMALS.get(decimal, decimal),
        encoding="" if encoding == "auto" else encoding,
        comment="" if comment == "auto" else comment,
        x=x,
        unit=dates or "",
    )


def _is_delimiter(value: str) -> bool:
    return value in DELIMITERS or (len(value) == 1 and value in " \t" + string.punctuation.translate(NO_DELIMITERS))


def _is_encoding(value: str) -> bool:
    try:
        return len("1".encode(value)) > 0
    except (LookupError, ValueError):  # a name that no encoding can have, as one with a null character
        return False


def _is_comment(value: str) -> bool:
    return (
        0 < len(value) <= MAX_COMMENT_CHARACTERS and value.isascii() and value.isprintable() and not value[0].isspace()
    )


ALLOWED: dict[str, tuple[str, Callable[[str], bool]]] = {
    "delimiter": (f"auto, {', '.join(DELIMITERS)} or one character", _is_delimiter),
    "encoding": ("auto or an encoding that Python knows, such as utf-8, latin-1 or utf-16", _is_encoding),
    "comment": (f"auto or at most {MAX_COMMENT_CHARACTERS} characters, such as # or %", _is_comment),
}
"""What is allowed for a setting that takes any text of a kind, in words that follow "must be", and the test for it."""
