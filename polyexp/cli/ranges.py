"""Ranges of values as a person types them: `linspace`, `geomspace` and `logspace` beside the functions of Hydra's parser.

They have NumPy's meanings, and give a choice of floats, to which Hydra's own functions can be applied, as in
`shuffle(linspace(0,1,5))`. No list of their values is kept: they are counted, and computed where they are used.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import islice
from typing import Any

import numpy as np
from hydra._internal.grammar.functions import FunctionCall, Functions
from hydra.core.override_parser.overrides_parser import OverridesParser, create_functions
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep, Sweep

from polyexp.base import InputError, cut, nearest, shown

__all__ = [
    "MAX_VALUES",
    "Spaced",
    "number_of_values",
    "parser",
    "require_countable",
    "require_no_interval",
    "spelled_out",
]

MAX_WHOLE = 2.0**53  # up to which all whole numbers are floats
MAX_VALUES = 100_000  # of one setting in a sweep
SPACED: dict[str, Callable[..., Any]] = {"linspace": np.linspace, "geomspace": np.geomspace, "logspace": np.logspace}
# How calls are typed, by the name of the function.
FORMS = {
    "linspace": "linspace(first,last,number), such as linspace(0,1,5)",
    "geomspace": "geomspace(first,last,number), such as geomspace(1e-8,1e-6,5)",
    "logspace": "logspace(first exponent of 10,last exponent of 10,number), such as logspace(-8,-6,5)",
    "range": "range(start,stop) or range(start,stop,step), such as range(0,10)",
    "interval": "interval(start,end), such as interval(0,1)",
}
RANGES = "range(0,10), linspace(0,1,5), geomspace(1e-8,1e-6,5) or logspace(-8,-6,5)"


@dataclass(frozen=True)
class Spaced(Sequence[float]):
    """The values of a range, each of which is computed when it is asked for.

    Args:
        name: The name of the function: `linspace`, `geomspace` or `logspace`.
        first: The first value, or its exponent of 10.
        last: The last value, or its exponent of 10.
        number: The number of values, from 1 to MAX_VALUES.

    Example:
        >>> list(Spaced("logspace", -2, 0, 3))
        [0.01, 0.1, 1]
    """

    name: str
    first: float
    last: float
    number: int

    def __len__(self) -> int:
        return self.number

    def __getitem__(self, index: Any) -> Any:
        return self._values()[index]

    def __iter__(self) -> Iterator[float]:
        return iter(self._values())

    def __copy__(self) -> list[float]:
        """The values as a list, which Hydra shuffles."""
        return self._values()

    def _values(self) -> list[float]:
        with np.errstate(all="ignore"):  # what is infinite or 0 then is refused
            values: list[float] = SPACED[self.name](self.first, self.last, self.number).tolist()
        return list(map(_shortened, values))


def _shortened(value: float) -> float:
    """A whole number as such, so that it fits settings that are whole numbers; any other setting takes it as well."""
    is_whole = abs(value) < MAX_WHOLE and value.is_integer() and str(value) != "-0.0"
    return int(value) if is_whole else value


def parser(config_loader: Any = None) -> OverridesParser:
    """Hydra's parser of overrides, which knows the functions of this module too.

    Args:
        config_loader: The loader that finds the choices of `glob`.
    """
    return OverridesParser(_functions(), config_loader)


def require_countable(override: Override) -> None:
    """Require an override that gives at least one and at most MAX_VALUES values, none of which is a sweep.

    Args:
        override: The override, as the parser has read it.

    Raises:
        InputError: Where it gives none, or too many.
    """
    word, value = f"`{cut(override.input_line or '')}`", override.value()
    if isinstance(value, RangeSweep):
        if not _ends(value) or not number_of_values(override) <= MAX_VALUES:
            raise InputError(f"{word} must give at most {MAX_VALUES} jobs, by a step that is not 0.")
        if number_of_values(override) == 0:
            raise InputError(
                f"{word} has no values: a range ends before its second number. Type range(0,3) for 0, 1, 2, and "
                "range(3,0,-1) for 3, 2, 1."
            )
    elif isinstance(value, ChoiceSweep) and any(isinstance(one, Sweep) for one in value.list):
        raise InputError(f"{word} is a sweep within a sweep: type its values one after another.")


def require_no_interval(override: Override) -> None:
    """Require an override that is no interval, whose values cannot be listed.

    Args:
        override: The override, as the parser has read it.
    """
    if isinstance(override.value(), IntervalSweep):
        word = cut(override.input_line or "")
        raise InputError(f"`{word}` needs a sweeper that draws from intervals: type values, or range(1,3).")


def number_of_values(override: Override) -> int:
    """The number of values that an override gives to its key; those of Hydra's ranges are counted up to MAX_VALUES + 1.

    Args:
        override: The override, as the parser has read it.

    Example:
        >>> number_of_values(parser().parse_override("seed=range(0,10,3)"))
        4
    """
    if not override.is_sweep_override():
        return 1
    require_no_interval(override)
    value = override.value()
    if isinstance(value, ChoiceSweep):
        return len(value.list)
    # The values of a range are counted before Hydra shuffles them, for which it lists them.
    listed = value.range() if isinstance(value, RangeSweep) else override.sweep_iterator()
    return sum(1 for _ in islice(listed, MAX_VALUES + 1))


def spelled_out(override: Override) -> str:
    """The word of an override for Hydra's own parser, which knows no function of this module.

    Args:
        override: The override, as the parser of this module has read it.

    Example:
        >>> spelled_out(parser().parse_override("seed=linspace(0,1,3)"))
        'seed=0.0,0.5,1.0'
    """
    word = override.input_line or ""
    if not (override.is_choice_sweep() and any(f"{name}(" in word for name in SPACED)):
        return word
    return f"{override.get_key_element()}={','.join(override.sweep_string_iterator())}"


class _Functions(Functions):
    """Functions that say in one sentence how they are typed."""

    def eval(self, func: FunctionCall) -> Any:
        if func.name not in self.definitions:
            hint = nearest(func.name.lower(), self.definitions)
            raise InputError(f"there is no function {cut(func.name)!r}.{hint} Ranges are typed as {RANGES}.")
        try:
            return super().eval(func)
        except InputError:
            raise
        except Exception as error:
            form = FORMS.get(func.name)
            advice = f"type {form}" if form else f"the values of a sweep are typed as 1,2, or as {RANGES}"
            raise InputError(f"{func.name}() does not take these arguments: {advice}.") from error


@cache
def _functions() -> _Functions:
    own = _Functions()
    for name, function in create_functions().functions.items():
        own.register(name, function)
    for name in SPACED:
        own.register(name, _function(name))
    return own


def _function(name: str) -> Callable[[Any, Any, Any], ChoiceSweep]:
    def function(start: Any, stop: Any, num: Any) -> ChoiceSweep:  # the names of NumPy, which can be typed
        first, last = (_finite(name, one) for one in (start, stop))
        spaced = Spaced(name, first, last, _number(name, num))
        if name == "geomspace" and not (min(first, last) > 0 or max(first, last) < 0):
            raise InputError(
                f"both ends of geomspace must be above 0, or both below 0, got {shown(start)} and {shown(stop)}: type other "
                "ends, or linspace."
            )
        if not all(math.isfinite(one) and (one != 0 or name == "linspace") for one in spaced):
            raise InputError(f"{name} reaches numbers that are too large or too small for float64: type {FORMS[name]}.")
        return ChoiceSweep(list=spaced)  # type: ignore[arg-type]  # of which Hydra needs an iterator and a copy

    return function


def _finite(name: str, value: Any) -> float:
    """An end of a range as a float."""
    try:
        number = float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
    except OverflowError:  # an integer of more than 308 digits
        number = math.inf
    if not math.isfinite(number):
        raise InputError(f"the ends of {name} must be finite numbers, got {shown(value)}: type {FORMS[name]}.")
    return number


def _number(name: str, value: Any) -> int:
    """The number of values of a range."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not is_number or not (1 <= value <= MAX_VALUES and value == int(value)):
        raise InputError(
            f"the third argument of {name}, the number of values, must be a whole number from 1 to {MAX_VALUES}, got "
            f"{shown(value)}."
        )
    return int(value)


def _ends(value: RangeSweep) -> bool:
    """Whether a range ends."""
    numbers = [one for one in (value.start, value.stop, value.step) if one is not None]
    return value.step != 0 and all(isinstance(one, int) or math.isfinite(one) for one in numbers)
