"""The kinds of values that settings take, from the types of the fields of components, and the nodes that check them."""

from collections.abc import Callable, Collection
from dataclasses import fields
from decimal import Decimal
from functools import cache
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from omegaconf import DictConfig, IntegerNode, ListConfig, OmegaConf, StringNode
from omegaconf.errors import ValidationError

from polyexp.base import Component
from polyexp.experiment import Config

__all__ = ["Text", "WholeNumber", "fits", "is_interpolation", "kinds_of", "schema", "wanted"]

BOOLEAN_WORDS = ("true", "false", "yes", "no", "on", "off", "y", "n")  # that OmegaConf reads as true or false


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return _is_number(value) and (isinstance(value, int) or value.is_integer())


def _is_boolean(value: Any) -> bool:
    return str(value).lower() in BOOLEAN_WORDS or (_is_number(value) and value in (0, 1))


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _list_of(is_element: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(is_interpolation(one) or is_element(one) for one in value)


# The words for each kind, and what belongs to it. The words of the first that fits are used, so that int is before float.
KINDS: dict[Any, tuple[str, Callable[[Any], bool]]] = {
    int: ("a whole number", _is_whole),
    float: ("a number", _is_number),
    bool: ("true or false", _is_boolean),
    str: ("text", _is_text),
    list[float]: ("a list of numbers", _list_of(_is_number)),
    list[str]: ("a list: [a,b]", _list_of(_is_text)),
    NoneType: ("null", lambda value: value is None),
}


def is_interpolation(value: Any) -> bool:
    """Whether a value refers to another one, as `${seed}` does; its kind shows only in the composed configuration."""
    return isinstance(value, str) and "${" in value


def fits(value: Any, kinds: Collection[Any]) -> bool:
    """Whether a value is of one of these kinds. A kind that is not among KINDS takes every value.

    Args:
        value: A value as Hydra or YAML reads it.
        kinds: Types of fields, such as {float, NoneType}.
    """
    listed = [KINDS[kind][1] for kind in kinds if kind in KINDS]
    return is_interpolation(value) or len(listed) < len(kinds) or any(belongs(value) for belongs in listed)


def wanted(kinds: Collection[Any]) -> str:
    """The words for what is allowed, which follow "must be"."""
    return next((words for kind, (words, _) in KINDS.items() if kind in kinds), "of another type")


def kinds_of(key: str) -> frozenset[Any]:
    """The types that the components of a group declare for a setting, such as {float, NoneType} for `loop.tolerance`.

    Args:
        key: A key as it is typed. The set is empty where no component has such a setting.
    """
    group, _, name = key.rpartition(".")
    owners = [cls for (of, _), cls in Component.registry.items() if of == group] if group else [Config]
    return frozenset(kind for owner in owners for kind in _kinds(owner).get(name, ()))


@cache
def _kinds(owner: type[Any]) -> dict[str, tuple[Any, ...]]:
    hints = get_type_hints(owner)
    unions = (Union, UnionType)
    types = {one.name: hints[one.name] for one in fields(owner)}
    return {name: get_args(one) if get_origin(one) in unions else (one,) for name, one in types.items()}


class WholeNumber(IntegerNode):
    """The node of a setting that takes a whole number, which may be written as 1e4."""

    def _validate_and_convert_impl(self, value: Any) -> int:
        # The shortest decimal number that is read as this float is what was typed: int(1e23) is another one.
        whole = int(Decimal(repr(value))) if isinstance(value, float) and value.is_integer() else value
        return super()._validate_and_convert_impl(whole)

    def __deepcopy__(self, memo: dict[int, Any]) -> "WholeNumber":
        copy = WholeNumber()
        self._deepcopy_impl(copy, memo)
        return copy


class Text(StringNode):
    """The node of a setting that takes text, and no number that YAML has read from it: 1.50 would become 1.5."""

    def _validate_and_convert_impl(self, value: Any) -> str:
        if not isinstance(value, str):
            raise ValidationError(f"Value '{value}' of type '{type(value).__name__}' cannot be text")
        return value

    def __deepcopy__(self, memo: dict[int, Any]) -> "Text":
        copy = Text()
        self._deepcopy_impl(copy, memo)
        return copy


NODES: dict[type[Any], type[Any]] = {IntegerNode: WholeNumber, StringNode: Text}


def schema(owner: type[Any]) -> DictConfig:
    """The schema of a dataclass, whose nodes for whole numbers and texts are the stricter ones above.

    Args:
        owner: A component class, or the class of the whole configuration.
    """
    described: DictConfig = OmegaConf.structured(owner)
    for one in fields(owner):
        node: Any = described._get_node(one.name)
        if isinstance(node, ListConfig) and node._metadata.element_type is str:
            node._metadata.element_type = Any  # OmegaConf would make texts of numbers; `build` refuses them
        if type(node) in NODES:
            described[one.name] = NODES[type(node)](node._value(), is_optional=node._is_optional())
    return described
