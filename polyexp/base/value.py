"""Values: objects that are equal where all their fields are, arrays among them."""

from collections.abc import Hashable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np

__all__ = ["Value", "by_value"]

NAN = "nan"  # in place of nan, which is not equal to itself
Named = TypeVar("Named", bound=tuple[Any, ...])


class Value:
    """A dataclass whose comparison is true or false, and which has a hash, also where its fields hold arrays.

    The comparison that `dataclass` makes would compare arrays element by element, and fail.

    Example:
        >>> import polyexp as p
        >>> p.Samples.of([1, 2], [3, 4]) == p.Samples.of([1, 2], [3, 4])
        True
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # In the class itself, since `dataclass` would otherwise add its own.
        cls.__eq__ = Value.__eq__  # type: ignore[method-assign]
        cls.__hash__ = Value.__hash__  # type: ignore[method-assign]

    @property
    def identity(self) -> tuple[Any, ...]:
        """What distinguishes this value from others: its class and its fields, in hashable form."""
        compared = (one.name for one in fields(self) if one.compare)  # type: ignore[arg-type]
        return type(self), *(hashable(getattr(self, name)) for name in compared)

    def __eq__(self, other: object) -> bool:
        return self.identity == other.identity if isinstance(other, Value) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.identity)


def by_value(cls: type[Named]) -> type[Named]:
    """Make the comparison of a named tuple true or false, and give it a hash, also where its fields hold arrays.

    Args:
        cls: The class, to which this is a decorator.
    """

    def equal(self: Any, other: object) -> bool:
        return type(self) is type(other) and hashable(tuple(self)) == hashable(tuple(other))  # type: ignore[arg-type]

    cls.__eq__ = equal  # type: ignore[method-assign]
    cls.__ne__ = lambda self, other: not equal(self, other)  # type: ignore[method-assign]
    cls.__hash__ = lambda self: hash(hashable(tuple(self)))  # type: ignore[method-assign]
    return cls


def hashable(value: Any) -> Any:
    """The value in a form that can be hashed, and whose equality is true or false.

    Args:
        value: Any value. Arrays are equal where all their bytes are, and arrays of other libraries where they are one.
    """
    if isinstance(value, (float, int, str, type(None))):  # as almost all are; abstract classes take longer to ask
        return NAN if value != value else value
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, tuple(value.ravel()) if value.dtype.hasobject else value.tobytes()
    if isinstance(value, Mapping):
        return frozenset((key, hashable(one)) for key, one in value.items())  # keys need no order
    if isinstance(value, (list, tuple)):
        return tuple(map(hashable, value))
    compares_by_element = hasattr(value, "__array__") and np.ndim(value)
    return value if isinstance(value, Hashable) and not compares_by_element else id(value)
