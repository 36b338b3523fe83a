"""What is made of a record that anybody may have written: components of registered classes, and one sentence for each error."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from typing import Any

from polyexp.base import Component, InputError, cut, require
from polyexp.fitting import DamagedError
from polyexp.tracking.result_file import NoFormulaError

__all__ = ["about", "component_of", "text_of"]


def component_of(
    group: str, config: Mapping[str, Any], name: str | None = None, values: Mapping[str, Any] | None = None
) -> Any:
    """The component of a group that settings describe.

    Args:
        group: The group, such as "model".
        config: The settings by their keys. Those that the class does not have are not used.
        name: The name of the choice, where it is not the value of the group's own key.
        values: Values in place of settings, by the names of the fields.

    Raises:
        NoFormulaError: The choice belongs to a package that is not installed.
        InputError: There is no name, or a value is not allowed.
    """
    choice = cut(name or text_of(config, group))
    cls: Any = Component.registry.get((group, choice))
    if cls is None:
        raise NoFormulaError(f"its {group} {choice!r} belongs to a package that is not installed here")
    keys = {one.name: f"{group}.{one.name}" for one in fields(cls) if one.init}
    given = {one: config[key] for one, key in keys.items() if key in config} | dict(values or {})
    try:
        return cls(**given)
    except InputError:
        raise
    except Exception as error:  # the class of a plugin may raise any exception
        raise InputError(f"its settings are not those of the {group} {choice} ({error})") from error


def text_of(values: Mapping[str, Any], key: str) -> str:
    """A text among values, as it is.

    Args:
        values: The values.
        key: The key of the text.

    Raises:
        InputError: It is missing, no text, or blank.
    """
    value = values.get(key)
    require(isinstance(value, str) and bool(value.strip()), key, "a text", value)
    return str(value)


@contextmanager
def about(file: str, where: str) -> Iterator[None]:
    """A context in which every exception becomes one sentence about a file.

    Args:
        file: The name of the file.
        where: The folder or the run.

    Raises:
        InputError: An exception was raised.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"There is no {file} in {where}.") from error
    except InputError as error:
        reason = str(error).removesuffix(".")
        reason = f"it {reason}" if isinstance(error, DamagedError) else reason[:1].lower() + reason[1:]
        raise InputError(f"The {file} in {where} cannot be used: {reason}.") from error
    except OSError as error:
        raise InputError(f"The {file} in {where} cannot be read ({error.strerror or error}).") from error
    except Exception as error:  # of zipfile, NumPy and others, for what is made to fail
        raise InputError(f"The {file} in {where} cannot be used: it is damaged.") from error
