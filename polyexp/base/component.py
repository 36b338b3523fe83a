"""Components: the parts of an experiment that a configuration chooses by group and name.

A dataclass that derives from the class of a group with `name=...` becomes a choice of the command line: the class is the
schema of `conf/<group>/<name>.yaml`, and its `__post_init__` validates the values.
"""

import inspect
from abc import ABCMeta
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from polyexp.base.errors import InputError
from polyexp.base.former_names import FormerNames
from polyexp.base.value import Value

__all__ = ["SETTINGS", "Component"]

SETTINGS = ("problem", "model", "loop", "backend", "device", "optimizer")  # the config groups that decide a result


class ComponentType(ABCMeta):
    """The type of component classes; it closes a component once it has been made and validated."""

    @property
    def __signature__(cls) -> inspect.Signature:
        """The signature of the constructor, which `__call__` below would hide from `inspect.signature`."""
        signature = inspect.signature(cls.__init__)  # type: ignore[misc]
        return signature.replace(parameters=[*signature.parameters.values()][1:])

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        """A component that can no longer be changed."""
        made = super().__call__(*args, **kwargs)
        vars(made)["_closed"] = True
        return made


@dataclass
class Component(Value, FormerNames, metaclass=ComponentType):
    """A part of an experiment that a configuration names by its group and choice.

    `group` is the config group (`model`, `loop`, ...) and `name` the choice in it. A subclass that is defined with
    `name=...` is entered in `Component.registry` under (group, name), which no other class may have.

    A component cannot be changed once it has been made: `dataclasses.replace(component, field=value)` makes another, whose
    values are validated too. Components of one class with equal fields are equal and have one hash.

    An object in a field of a subclass, such as a dictionary, must not be changed either, because compiled steps are kept by the
    component. Mappings are compared by their items; an object that has no hash is equal to itself only.

    Example:
        >>> import polyexp as p
        >>> p.Component.registry["model", "power_series"].__name__
        'PowerSeries'
        >>> model = p.PowerSeries(degree=3)
        >>> model.group, model.choice, model.key("degree")
        ('model', 'power_series', 'model.degree')
    """

    group: ClassVar[str]
    name: ClassVar[str]
    registry: ClassVar[dict[tuple[str, str], type["Component"]]] = {}

    def __init_subclass__(cls, name: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if name is not None:
            cls.name = name
            _require_free(cls, Component.registry.get((cls.group, name)))
            Component.registry[cls.group, name] = cls

    @property
    def choice(self) -> str:
        """The name of this component on the command line: the `power_series` of `model=power_series`."""
        return self.name

    def key(self, field: str) -> str:
        """The name of a field on the command line, such as `model.degree`."""
        return f"{self.group}.{field}"

    def __setattr__(self, name: str, value: Any) -> None:
        if "_closed" in vars(self):
            raise FrozenInstanceError(
                f"A {type(self).__name__} cannot be changed: dataclasses.replace(..., {name}=...) makes another one."
            )
        super().__setattr__(name, _fixed(value))

    def __delattr__(self, name: str) -> None:
        raise FrozenInstanceError(f"A {type(self).__name__} cannot be changed.")

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        """Set the attributes of a copy or of an unpickled component; NumPy makes copies of arrays writeable."""
        vars(self).update({name: _fixed(value) for name, value in state.items()})

    def _with(self, **attributes: Any) -> Self:
        """A copy with other attributes, which are not validated."""
        copy = object.__new__(type(self))
        vars(copy).update(vars(self) | attributes)
        return copy


def _require_free(cls: type[Component], taken: type[Component] | None) -> None:
    """Require that no other class has the name of a component; a class that is defined once more is the same one.

    Raises:
        InputError: Another class has it.
    """
    one, other = (f"{one.__module__}.{one.__qualname__}" if one else "" for one in (cls, taken))
    if taken and one != other:
        raise InputError(
            f"`{cls.group}={cls.name}` is the name of two classes, {other} and {one}: give one another name."
        )


def _fixed(value: Any) -> Any:
    """The value in a form that cannot be changed: a tuple for a list, a copy that is read-only for an array."""
    if type(value) in (list, tuple):  # but no named tuple, which has a class of its own
        return tuple(map(_fixed, value))
    if isinstance(value, set):
        return frozenset(value)
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
    return value
