r"""Text settings keep what was typed: Hydra's parser would read `1.50` as 1.5, `2026_11` as 202611 and `a=b` not at all.

So texts that it would change are put into quotes before it sees them, and shown without these quotes afterwards. Quotes that
were typed count as quotes. In a sweep, commas outside of quotes and brackets separate values.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice, pairwise

from hydra.core.override_parser.types import ChoiceSweep, Glob, IntervalSweep, Quote, QuotedString, RangeSweep
from hydra.errors import HydraException

from polyexp.base import printable
from polyexp.cli.kinds import kinds_of
from polyexp.cli.ranges import MAX_VALUES, parser

__all__ = ["UNREADABLE", "elements", "quote", "quoted", "shell_word", "unquoted"]

QUOTED = re.compile(r"'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"", re.DOTALL)  # one text in quotes
FUNCTION = re.compile(r"\s*(choice|shuffle|sort)\((.*)\)\s*", re.DOTALL)  # of the values of a sweep
MAX_TYPED = 60  # characters of a value in a hint
UNREADABLE = (HydraException, ValueError, RecursionError)  # of Hydra's parser; ValueError for numbers of 4300 digits
OPENING, CLOSING = "([{", ")]}"


def quoted(key: str, value: str, sweeps: bool) -> str:
    """The value of an override as Hydra's parser has to see it: the same for all settings but those that take text.

    Args:
        key: The key of the setting.
        value: What was typed after the `=`.
        sweeps: Whether commas separate the values of a sweep; otherwise they belong to the text.
    """
    kinds = kinds_of(key)
    one = _list if list[str] in kinds else _text(nullable=type(None) in kinds) if str in kinds else None
    if one is None:
        return value
    return _each(value, one) if sweeps else one(value)


def unquoted(word: str) -> str:
    """An override as it was typed, or could have been typed: texts without the quotes that Hydra needs.

    Args:
        word: An override of a single job, as Hydra records it.
    """
    key, equals, value = word.removeprefix("++").partition("=")  # `++` is of a setting that the choices of a sweep have
    kinds = kinds_of(key)
    if list[str] in kinds and (inside := _inside(value)) is not None:
        value = f"[{','.join(map(_bare, elements(inside)))}]"
    return printable(key + equals + (_bare(value) if str in kinds else value))


def elements(text: str) -> list[str]:
    """The parts of a text between commas that are outside of quotes and brackets.

    Args:
        text: The values of a sweep, or what a list has between its brackets.

    Example:
        >>> elements("a,'b,c',[1,2]")
        ['a', "'b,c'", '[1,2]']
    """
    commas = [-1, *_commas(text), len(text)]
    return [text[start + 1 : end] for start, end in pairwise(commas)]


def quote(text: str) -> str:
    """A text in quotes, as Hydra's parser reads it."""
    return QuotedString(text, Quote.single).with_quotes()


def shell_word(key: str, text: str) -> str:
    """An override whose value is this text, as it is typed in a shell.

    Args:
        key: The key of the override.
        text: The value.

    Example:
        >>> print(shell_word("problem.target", "f(x"), shell_word("problem.target", "$(x"))
        problem.target="'f(x'" 'problem.target="$(x"'
    """
    if len(text) <= MAX_TYPED and not re.search(r'["$`\\!]', text):
        return f'{key}="{quote(text)}"'
    if len(text) <= MAX_TYPED and "'" not in text:
        return f"'{key}={QuotedString(text, Quote.double).with_quotes()}'"
    return f"""{key}="'...'\""""


def _commas(text: str) -> Iterator[int]:
    """The positions of the commas that separate elements."""
    depth, position = 0, 0
    while position < len(text):
        if text[position] in "'\"" and (found := QUOTED.match(text, position)):
            position = found.end()
            continue
        depth += (text[position] in OPENING) - (text[position] in CLOSING)
        if text[position] == "," and depth <= 0:
            yield position
        position += 1


def _each(value: str, one: Callable[[str], str]) -> str:
    """Every value of a sweep, treated by `one`.

    Values inside of functions are listed one after another instead, since Hydra's functions drop the quotes of texts.
    """
    function = FUNCTION.fullmatch(value)
    inside = f"{function[1]}({_each(function[2], one)})" if function else value
    try:
        read = parser().parse_override(f"key={inside}")
        if function or _is_range(read.value()):
            return ",".join(map(_listed, islice(read.sweep_iterator(), MAX_VALUES)))
    except UNREADABLE:
        pass
    else:
        if isinstance(read.value(), (Glob, IntervalSweep)):
            return value
    return ",".join(one(element.strip()) for element in elements(value))


def _is_range(value: object) -> bool:
    return isinstance(value, RangeSweep) or (isinstance(value, ChoiceSweep) and not value.simple_form)


def _listed(value: object) -> str:
    return "null" if value is None else quote(str(value))


def _list(value: str) -> str:
    """A list of texts."""
    inside = _inside(value)
    if not inside:
        return value
    return f"[{','.join(_text(nullable=False)(element.strip()) for element in elements(inside))}]"


def _inside(value: str) -> str | None:
    """What a list has between its brackets; None where the value is no list."""
    bare = value.strip()
    return bare[1:-1].strip() if bare.startswith("[") and bare.endswith("]") else None


def _text(nullable: bool) -> Callable[[str], str]:
    """What quotes one text; `null` is none where the setting may be null."""

    def one(text: str) -> str:
        as_it_is = QUOTED.fullmatch(text) or (nullable and text.lower() == "null") or _parsed(text) == text
        return text if as_it_is else quote(text)

    return one


def _bare(text: str) -> str:
    """A text without its quotes, if it has any."""
    return str(_parsed(text)) if QUOTED.fullmatch(text) else text


def _parsed(text: str) -> object:
    """What Hydra's parser reads from the value of an override; None where it cannot."""
    try:
        return parser().parse_override(f"key={text}").value()
    except UNREADABLE:
        return None
