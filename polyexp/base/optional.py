"""Libraries that are imported only where something is asked for that needs them."""

from importlib import import_module
from typing import Any

from polyexp.base.errors import InputError

__all__ = ["import_optional"]


def import_optional(module: str, what: str) -> Any:
    """A module of another library.

    Args:
        module: The name of the module, which begins with that of the package to install.
        what: What needs it, which begins the sentence of the error.

    Raises:
        InputError: It is not installed.

    Example:
        >>> import_optional("json", "A table").dumps([1])
        '[1]'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if (error.name or "").partition(".")[0] != package:
            raise
        raise InputError(f"{what} needs {package}, which is not installed: type `pip install {package}`.") from error
