"""What every choosable part of an experiment is: a dataclass with a group and a name.

Deriving a dataclass with `name=...` is all it takes to offer it to the command line: the class is the schema of
`conf/<group>/<name>.yaml`, and `__post_init__` checks its values.
"""

from abc import ABC
from dataclasses import dataclass
from typing import Any, ClassVar

__all__ = ["SETTINGS", "Component"]

SETTINGS = ("problem", "model", "loop", "backend", "device", "optimizer")  # the groups that decide a result


@dataclass
class Component(ABC):
    """A part of an experiment that a configuration names.

    `group` is the config group (`model`, `loop`, ...), `name` the option in it. A subclass with a name registers
    itself in `Component.registry` under (group, name) when it is defined.
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
        """What the command line calls this component: the `power_series` of `model=power_series`."""
        return self.name

    def key(self, field: str) -> str:
        """A field's name on the command line, e.g. `model.degree`."""
        return f"{self.group}.{field}"
