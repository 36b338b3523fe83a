"""Validation of values, with one wording for every error: "`key` must be <wanted>, got <value>".

Every function that requires something raises `InputError` where it is not so. `key` is the name of the value in the error,
as the user types it.
"""

import difflib
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from polyexp.base.errors import InputError
from polyexp.base.text import counted, cut, shown

__all__ = [
    "LARGEST_OF_ALL_INTEGERS",
    "as_numbers",
    "closest",
    "finite",
    "finite_array",
    "fraction",
    "meant",
    "nearest",
    "number_list",
    "one_of",
    "positive",
    "real_array",
    "require",
    "require_unmasked",
    "seeds",
    "whole",
]

LARGEST_OF_ALL_INTEGERS = 2.0**53  # up to here float64 holds every one


def closest(word: str, allowed: Iterable[str], cutoff: float = 0.5) -> str | None:
    """The allowed word that is most similar to `word`; None where none is similar.

    Args:
        word: The word that was given.
        allowed: The words to choose from.
        cutoff: The least similarity of two words, from 0 to 1, at which one is suggested for the other.
    """
    return next(iter(difflib.get_close_matches(word, list(allowed), n=1, cutoff=cutoff)), None)


def nearest(word: str, allowed: Iterable[str], cutoff: float = 0.5) -> str:
    """`" Did you mean 'x'?"` for the allowed word closest to `word`, or an empty string.

    Args:
        word: The word that was given.
        allowed: The words to choose from.
        cutoff: The least similarity of two words, as for `closest`.
    """
    return meant(closest(word, allowed, cutoff))


def meant(*words: str | None) -> str:
    """`" Did you mean 'x' or 'y'?"` for the words that are not None, or an empty string where there is none.

    Args:
        *words: The words to suggest.
    """
    found = [repr(cut(word)) for word in words if word is not None]
    return f" Did you mean {' or '.join(found)}?" if found else ""


def require(ok: bool, key: str, wanted: str, value: Any) -> None:
    """Raise `InputError` unless `ok`.

    Args:
        ok: Whether the value is allowed.
        key: The name of the value.
        wanted: What is allowed, in words that follow "must be".
        value: The value; it ends the error, cut at 80 characters.
    """
    if not ok:
        raise InputError(f"`{key}` must be {wanted}, got {shown(value)}.")


def whole(key: str, value: Any, low: int, high: int | None = None) -> None:
    """Require an integer (no bool) from `low` to `high`, or of at least `low` where `high` is None."""
    wanted = f"a whole number from {low} to {high}" if high is not None else f"a whole number of at least {low}"
    is_whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    require(is_whole and low <= value and (high is None or value <= high), key, wanted, value)


def finite(key: str, value: Any, low: float = -math.inf) -> None:
    """Require one finite number of at least `low`."""
    wanted = "a finite number" if low == -math.inf else f"a finite number of at least {low:g}"
    array = as_numbers(key, value)
    require(array is not None and array.ndim == 0 and bool(np.isfinite(array) & (array >= low)), key, wanted, value)


def positive(key: str, value: Any, wanted: str = "a finite number above 0") -> None:
    """Require a finite number above 0, or an array of them, one for each run."""
    array = as_numbers(key, value)
    require(array is not None and bool(np.all(np.isfinite(array) & (array > 0))), key, wanted, value)


def fraction(key: str, value: Any, wanted: str = "a number from 0 to below 1") -> None:
    """Require a number in [0, 1), or an array of them, one for each run."""
    array = as_numbers(key, value)
    require(array is not None and bool(np.all((array >= 0) & (array < 1))), key, wanted, value)


def one_of(key: str, value: Any, allowed: Iterable[str], also: str = "") -> None:
    """Require one of the allowed words; the error suggests the nearest one.

    Args:
        key: The name of the value.
        value: The value.
        allowed: The allowed words.
        also: What else is allowed, in words; the caller has tested for it already.
    """
    words = list(allowed)
    is_list = hasattr(value, "__len__") and not isinstance(value, str)  # such as an array, whose == is no truth value
    if is_list or value not in words:
        wanted = ", ".join([*words, also] if also else words)
        raise InputError(f"`{key}` must be one of {wanted}, got {shown(value)}.{nearest(str(value), words)}")


def number_list(key: str, value: Any, length: int, wanted: str) -> None:
    """Require a list of `length` finite numbers; `wanted` is what is allowed, in words that follow "must be"."""
    array = as_numbers(key, value)
    require(array is not None and array.shape == (length,) and bool(np.all(np.isfinite(array))), key, wanted, value)


def seeds(key: str, value: Any) -> None:
    """Require a seed of `np.random.RandomState`, or a sequence of them."""
    try:
        several = np.ndim(value) == 1 and len(value) > 0
    except ValueError:  # of a ragged list
        several = False
    ok = all(isinstance(one, (int, np.integer)) and 0 <= one < 2**32 for one in (value if several else [value]))
    require(ok, key, "a whole number from 0 to 4294967295 or a sequence of them", value)


def finite_array(key: str, value: Any) -> np.ndarray:
    """A float64 copy of `value`; InputError where it is no array of finite numbers, or has integers that float64 has not."""
    array = as_numbers(key, value)
    require(array is not None and bool(np.isfinite(array).all()), key, "finite numbers", value)
    copy = np.array(array, float)
    if array is not None and array.dtype.kind in "iu":
        for index in np.flatnonzero(np.abs(copy) >= LARGEST_OF_ALL_INTEGERS):
            exact = int(array.flat[index])
            require(
                exact == int(copy.flat[index]), key, "numbers that float64 holds (all whole numbers up to 2^53)", exact
            )
    return copy


def require_unmasked(key: str, value: Any) -> None:
    """Require an array in which nothing is masked, as NumPy's functions for other arrays would use the values below a mask.

    Args:
        key: The name of the value.
        value: Any value.
    """
    masked = int(np.sum(np.ma.getmaskarray(value))) if isinstance(value, np.ma.MaskedArray) else 0
    if masked:
        raise InputError(
            f"`{key}` must have no masked values, got {counted(masked, 'masked value')} among {value.size}: leave them out, "
            f"type `{key}[~mask]` with one `mask` for all arrays, or `{key}.compressed()`."
        )


def real_array(key: str, value: Any) -> np.ndarray:
    """`value` as a float64 array of any shape, in which numbers may be inf or nan, and nan stands for what is missing.

    Args:
        key: The name of the value.
        value: Any value.

    Raises:
        InputError: It holds something that is no real number, or is an array with masked values.
    """
    require_unmasked(key, value)
    try:
        array = np.asarray(value)
        is_text = array.dtype.kind == "O" and any(isinstance(one, (str, bytes)) for one in array.ravel())
        numbers = array.astype(float) if array.dtype.kind in "biufO" and value is not None and not is_text else None
    except Exception:  # as in `as_numbers`; an integer may be too large for a float
        numbers = None
    if numbers is None:
        require(False, key, "a number or an array of numbers", value)
    return np.asarray(numbers)


def as_numbers(key: str, value: Any) -> np.ndarray | None:
    """`value` as an array of real numbers, or None where it is none: booleans and text are not numbers.

    Args:
        key: The name of the value.
        value: Any value.

    Raises:
        InputError: It is an array with masked values.
    """
    require_unmasked(key, value)
    if isinstance(value, (list, tuple)) and any(isinstance(one, (bool, np.bool_)) for one in value):
        return None  # among numbers NumPy takes true for 1
    try:
        array = np.asarray(value)
    except Exception:  # NumPy refuses ragged lists; the arrays of other libraries may refuse NumPy with any exception
        return None
    return array if array.size and array.dtype.kind in "iuf" else None
