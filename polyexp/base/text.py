"""Texts that are safe to print: values and sentences of bounded length, without control characters."""

import json
import re
import reprlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["bounded", "counted", "cut", "from_here", "printable", "shown", "spell"]

MAX_VALUE_CHARACTERS = 80  # of a value in a sentence
MAX_SENTENCE_CHARACTERS = 1000  # of a whole sentence, whatever it quotes
LONG_WORD = re.compile(r"\S{201,}")  # longer than the paths and addresses that sentences quote as they are
SHORT_REPR = reprlib.Repr()  # bounded for values that are long or deep, or that contain themselves
SHORT_REPR.maxlevel = 4
SHORT_REPR.maxlist = SHORT_REPR.maxtuple = SHORT_REPR.maxdict = MAX_VALUE_CHARACTERS
SHORT_REPR.maxstring = SHORT_REPR.maxlong = SHORT_REPR.maxother = 240  # `cut` shortens further


def shown(value: Any) -> str:
    r"""The text of a value in a sentence: its `repr` on one line, cut at 80 characters.

    Args:
        value: Any value. Arrays and tuples are shown as lists, as they are typed.

    Example:
        >>> print(shown("a\x1b[1m"), shown((1, 2)))
        'a\x1b[1m' [1, 2]
        >>> len(shown("a" * 100000))
        80
    """
    try:
        text = SHORT_REPR.repr(_as_typed(value))
    except ValueError:  # Python writes no integer of more than 4300 digits
        return "a number that is too long to show"
    return cut(" ".join(text.split()))  # the repr of an array has several lines


def cut(text: str, most: int = MAX_VALUE_CHARACTERS) -> str:
    """A text that a sentence quotes as it is: printable, and cut at 80 characters, the last of which are dots then.

    Args:
        text: A name, a key or a path, which may be empty.
        most: The number of characters at which it is cut.
    """
    # Cut beforehand, too, since a text may have any length, and each of its characters becomes at least one.
    text = printable(text[: most + 1])
    return text if len(text) <= most else text[: most - 3] + "..."


def bounded(sentence: str) -> str:
    """A sentence that can be printed, whatever it quotes: printable, without the ends of very long words, or its own middle.

    Args:
        sentence: One or more sentences. Lines stay lines.
    """
    short = LONG_WORD.sub(lambda word: cut(word[0]), sentence)
    lines = "\n".join(map(printable, short.split("\n")))
    if len(lines) <= MAX_SENTENCE_CHARACTERS:
        return lines
    half = (MAX_SENTENCE_CHARACTERS - 5) // 2
    return f"{lines[:half]} ... {lines[-half:]}"


def printable(text: str) -> str:
    r"""A text in which every character is visible or a blank: others are escaped, as the \x1b that begins terminal commands.

    Args:
        text: The text.

    Example:
        >>> print(printable("a\x1b[1mb\n"))
        a\x1b[1mb\n
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode("ascii") for one in text)


def counted(number: int, noun: str) -> str:
    """A number with its noun, which has an s unless the number is 1.

    Args:
        number: The number.
        noun: A noun in the singular.

    Example:
        >>> counted(1, "step"), counted(0, "step"), counted(4000, "weighted sample")
        ('1 step', '0 steps', '4000 weighted samples')
    """
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def spell(value: Any) -> str:
    """The text of a value as it is typed on the command line.

    Args:
        value: The value of a setting.

    Example:
        >>> spell([1, 2.5]), spell(None), spell(True), spell("sin")
        ('[1,2.5]', 'null', 'true', 'sin')
    """
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{spell(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ",".join(map(spell, value)) + "]"
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    return str(value)


def from_here(path: Path) -> Path:
    """A path as it is shown: from the current folder, if it is below that.

    Args:
        path: An absolute path.

    Example:
        >>> from pathlib import Path
        >>> from_here(Path.cwd() / "outputs" / "runs").as_posix()
        'outputs/runs'
    """
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _as_typed(value: Any) -> Any:
    """Lists in place of the tuples and arrays as which components keep them."""
    if isinstance(value, np.ndarray) and value.size <= MAX_VALUE_CHARACTERS:
        return value.tolist()
    return [_as_typed(one) for one in value[:MAX_VALUE_CHARACTERS]] if isinstance(value, tuple) else value
