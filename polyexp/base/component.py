"""Components: the parts of an experiment that a configuration chooses by group and name.

A dataclass that derives from the class of a group with `name=...` becomes a choice of the command line: the class is the
schema of `conf/<group>/<name>.yaml`, and its `__post_init__` validates the values.
"""

from abc import ABC
from dataclasses import dataclass
from typing import Any, ClassVar

from polyexp.base.former_names import FormerNames

__all__ = ["SETTINGS", "Component"]

SETTINGS = ("problem", "model", "loop", "backend", "device", "optimizer")  # the config groups that decide a result


@dataclass
class Component(FormerNames, ABC):
    """A part of an experiment that a configuration names by its group and choice.

    `group` is the config group (`model`, `loop`, ...) and `name` the choice in it. A subclass that is defined with
    `name=...` is entered in `Component.registry` under (group, name).

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
            Component.registry[cls.group, name] = cls

    @property
    def choice(self) -> str:
        """The name of this component on the command line: the `power_series` of `model=power_series`."""
        return self.name

    def key(self, field: str) -> str:
        """The name of a field on the command line, such as `model.degree`."""
        return f"{self.group}.{field}"
