"""One word `key=value` of the command line, and the values that Hydra's parser reads from it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.override_parser.types import Glob, IntervalSweep, RangeSweep, Sweep
from hydra.core.override_parser.types import Override as Parsed

from polyexp.base import InputError, cut, require
from polyexp.cli.config_loader import MAX_CHARACTERS, parse
from polyexp.cli.kinds import kinds_of, wanted
from polyexp.cli.ranges import parser
from polyexp.cli.texts import UNREADABLE, quote, quoted, shell_word, unquoted
from polyexp.experiment import GROUPS

__all__ = ["CHOSEN", "Override", "choices_of", "read", "values"]

CHOSEN = (*GROUPS, "experiment")  # the keys that take the name of a choice
SURROGATE = re.compile("[\ud800-\udfff]")  # a byte that is no UTF-8, as Python reads it from the command line
MAX_ELEMENTS = 5000  # of one word, which take about a second


@dataclass(frozen=True)
class Override:
    """One word of the command line: `key=value`, with `+`, `++` or `~` before it.

    Args:
        word: The word.
        prefix: What stands before the key.
        key: The key.
        value: What stands after the `=`; None where there is none.
    """

    word: str
    prefix: str
    key: str
    value: str | None

    @classmethod
    def of(cls, word: str) -> "Override":
        """The parts of a word.

        Args:
            word: The word.
        """
        left, equals, value = word.partition("=")
        key = left.lstrip("+~")
        return cls(word, left[: len(left) - len(key)], key, value if equals else None)

    @property
    def is_hydras(self) -> bool:
        """Whether the key belongs to Hydra's own configuration."""
        return re.split(r"[./@]", self.key)[0] == "hydra"

    @property
    def shown(self) -> str:
        """The word, as sentences quote it."""
        return f"`{cut(self.word)}`" if self.word else "''"

    @property
    def text(self) -> str:
        """The value as a text, without the quotes that are put around texts."""
        return unquoted(self.word).partition("=")[2]

    def for_hydra(self, sweeps: bool) -> str:
        """The word for Hydra's parser, with texts in quotes.

        Args:
            sweeps: Whether commas separate the values of a sweep.
        """
        return f"{self.prefix}{self.key}={quoted(self.key, self.value or '', sweeps)}"


def read(override: Override, sweeps: bool) -> Parsed:
    """The override as Hydra's parser reads it.

    Args:
        override: The override.
        sweeps: Whether commas separate the values of a sweep.

    Raises:
        InputError: Where the parser cannot read it.
    """
    if not override.word.isprintable() and SURROGATE.search(override.word):
        raise InputError(f"{override.shown} must be text in UTF-8.")
    if MAX_ELEMENTS < override.word.count(",") <= len(override.word) <= MAX_CHARACTERS:
        raise InputError(f"{override.shown} is too long: an override has at most {MAX_ELEMENTS} values.")
    try:
        return parse([override.for_hydra(sweeps)])[0]
    except UNREADABLE as error:
        if override.key in CHOSEN:  # no choice has a name that cannot be read
            return parser().parse_override(f"{override.key}={quote(override.value or '')}")
        if isinstance(error, InputError):
            raise
        if (kinds := kinds_of(override.key)) and Any not in kinds:
            require(False, override.key, wanted(kinds), override.value)
        else:
            typed = shell_word(override.key, override.value or "")
            advice = f"put the value into quotes of its own, {typed}"
        raise InputError(f"{override.shown} cannot be read as key=value: {advice}") from error


def values(override: Override, parsed: Parsed, choices: Sequence[str]) -> list[tuple[Any, str]]:
    """The values that an override gives to its key, several where it is a sweep; each with its text in sentences.

    Args:
        override: The override.
        parsed: The same as Hydra's parser reads it.
        choices: What a glob chooses from: the choices of the group.
    """
    value = parsed.value()
    if isinstance(value, Glob):
        return [(one, one) for one in value.filter(list(choices))]
    if isinstance(value, RangeSweep):
        return [(one, str(one)) for one in (value.start, value.stop, value.step)]
    if isinstance(value, IntervalSweep):
        return [(value.start, str(value.start)), (value.end, str(value.end))]
    if not isinstance(value, Sweep):
        return [(value, (override.value or "").strip())]
    return [(Parsed._convert_value(one), Parsed._get_value_element_as_str(one)) for one in parsed.sweep_iterator()]


def choices_of(override: Override, choices: Sequence[str]) -> list[str]:
    """The choices of a group that an override makes, without those that do not exist.

    Args:
        override: The override, whose key is a group.
        choices: The choices that there are.
    """
    try:
        found = values(override, read(override, sweeps=True), choices)
    except InputError:  # which is raised again where the override is judged
        return []
    return [value for value, _ in found if value in choices]
