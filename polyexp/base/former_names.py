"""Methods by their former names: calling one is accepted with a warning, overriding one is refused."""

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

__all__ = ["FormerNames"]


class FormerNames:
    """A class whose methods were renamed.

    An override by a former name would never be called, so a subclass that has one is refused.
    """

    renamed: ClassVar[Mapping[str, str]] = {}  # the present names of methods by their former ones

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for old, new in vars(cls).get("renamed", {}).items():
            setattr(cls, old, _former(old, new))
        for old, new in cls.renamed.items():
            if not hasattr(inspect.getattr_static(cls, old), "present_name"):
                raise TypeError(f"`{cls.__name__}.{old}` must be called `{new}`, the present name of the method.")


def _former(old: str, new: str) -> Callable[..., Any]:
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        warnings.warn(f"`{type(self).__name__}.{old}` is now called `{new}`.", DeprecationWarning, stacklevel=2)
        return getattr(self, new)(*args, **kwargs)

    method.present_name = new  # type: ignore[attr-defined]
    return method
