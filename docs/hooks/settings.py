"""The pages of the reference that come from the schemas: every choice of every config group, with its settings.

Types and defaults are those of the registered dataclasses and of the files in `conf/`, the comments those of these files. What
is allowed is what the component itself says in its error about a value that is not.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from types import NoneType
from typing import Any, get_args, get_type_hints

from polyexp.base import Component, InputError, spell
from polyexp.cli.configs import ConfigFiles, choices, conf_dir
from polyexp.cli.kinds import wanted
from polyexp.experiment import GROUPS

__all__ = ["Setting", "reference_pages", "settings_of"]

WRONG_VALUES = ("?", "", -1, [])  # one of which is refused, unless everything of the type is allowed
REQUIRED: dict[str, dict[str, Any]] = {"file": {"path": "data.csv"}}  # settings without a default, by choice
HEAD = ("setting", "default", "allowed", "what it is")
GROUP_TEXTS = {
    "problem": "The function or the data that is fitted, and the loss.",
    "model": "The formula, its degree and its initial values.",
    "loop": "Where the gradient comes from, how many steps are taken, how often values are read, and when to stop.",
    "backend": "The array library that computes a fit, with its format of numbers.",
    "device": "What the arrays of a backend are computed on.",
    "optimizer": "The update rule and its rates.",
    "tracking": "Where a run is recorded.",
    "report": "The pictures and the animated page of a run.",
    "sweep": "Which jobs a sweep has, and which of them run.",
    "checkpoint": "When a run writes checkpoints, from which it can be resumed.",
    "action": "What is done with the experiment.",
}


@dataclass(frozen=True)
class Setting:
    """A row of the reference."""

    key: str
    default: str
    allowed: str
    comment: str


def settings_of(group: str, choice: str) -> list[Setting]:
    """The settings of a choice, in the order of its class.

    Args:
        group: A config group.
        choice: One of its choices.
    """
    files = ConfigFiles()
    cls = files.component(group, choice)
    assert cls is not None, f"{group}={choice} has no schema"
    names = [name for name in files._included(f"{group}/{choice}") if not name.startswith("schema/")]
    values = {key: _value(value) for name in names for key, value in files.read(name).items() if key != "defaults"}
    comments = {key: text for name in names for key, text in _comments(name)}
    component = cls(**(values | REQUIRED.get(choice, {})))
    return [
        Setting(component.key(one.name), _code(values[one.name]), _allowed(component, one.name), comments[one.name])
        for one in fields(cls)
        if one.init
    ]


def reference_pages() -> dict[str, str]:
    """The pages by their names below `docs/`."""
    return {"reference/index.md": _index(), **{f"reference/{group}.md": _group_page(group) for group in GROUPS}}


def _value(value: Any) -> Any:
    """A value of a config file; YAML 1.1 reads 1e-3 as text, unlike Hydra."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"\d+e-?\d+", value) else value


def _comments(name: str) -> Iterator[tuple[str, str]]:
    """The settings of a config file with the comments behind them."""
    for line in (conf_dir() / f"{name}.yaml").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"(\w+): .*? # (.*)", line):
            yield found[1], found[2]


def _sentence(name: str) -> str:
    """What a choice is: the first comment of its file."""
    lines = (conf_dir() / f"{name}.yaml").read_text(encoding="utf-8").splitlines()
    comment = [line.removeprefix("# ") for line in lines[: _first_code(lines)] if not line.startswith("# @package")]
    text = " ".join(comment)
    return text if text.endswith(".") else f"{text}."


def _first_code(lines: list[str]) -> int:
    return next(number for number, line in enumerate(lines) if not line.startswith("#"))


def _allowed(component: Component, name: str) -> str:
    """What a setting may be, in the words of the error about a value that it may not be."""
    hint = get_type_hints(type(component))[name]
    kinds = set(get_args(hint)) if NoneType in get_args(hint) else {hint}
    words = _words_of_error(component, name) or wanted(kinds - {NoneType})
    return f"{words}, or null" if NoneType in kinds and "null" not in words else words


def _words_of_error(component: Component, name: str) -> str | None:
    """The words of the most precise of the errors about wrong values."""
    found = []
    for value in WRONG_VALUES:
        try:
            replace(component, **{name: value})
        except InputError as error:
            found += re.findall(rf"^`{re.escape(component.key(name))}` must be (.*?), got ", str(error), re.DOTALL)
        except (TypeError, ValueError, AttributeError):  # of a class that leaves the type to the schema
            continue
    return max(found, key=len, default=None)


def _code(value: Any) -> str:
    text = spell(value)
    return f"`{text}`" if text else '`""`'


def _cell(text: str) -> str:
    """Text in a table, in which neither a bar nor an angle bracket means anything, outside of code."""
    parts = text.replace("|", "\\|").split("`")
    return "`".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts))


def _table(rows: list[Setting]) -> list[str]:
    if not rows:
        return ["It has no settings of its own.", ""]
    head = [f"| {' | '.join(HEAD)} |", f"|{'---|' * len(HEAD)}"]
    cells = ((f"`{one.key}`", one.default, one.allowed, one.comment) for one in rows)
    lines = [*head, *(f"| {' | '.join(map(_cell, row))} |" for row in cells)]
    return ['<div class="settings" markdown>', "", *lines, "", "</div>", ""]  # which phones show as lists (site.css)


def _group_page(group: str) -> str:
    """The page of a group: what all its choices have in common, and each of them."""
    tables = {choice: settings_of(group, choice) for choice in choices(group)}
    common = [row for row in next(iter(tables.values())) if all(row in rows for rows in tables.values())]
    several = len(tables) > 1
    lines = [f"# {group}", "", GROUP_TEXTS[group], ""]
    if several and common:
        lines += ["## Settings of every choice", "", *_table(common)]
    for choice, rows in tables.items():
        own = [row for row in rows if not (several and row in common)]
        lines += [f"## {group}={choice}", "", _cell(_sentence(f"{group}/{choice}")), "", *_table(own)]
    return "\n".join(lines)


def _index() -> str:
    """The page of all groups, with the settings that belong to none and the experiments."""
    comments = dict(_comments("config"))
    rows = [
        Setting("seed", "`0`", "a whole number from 0 to 4294967295", comments["seed"]),
        Setting("quiet", "`false`", wanted({bool}), comments["quiet"]),
        Setting("resume", "`null`", f"{wanted({str})}, or null", comments["resume"]),
    ]
    defaults = ConfigFiles().chosen(None)
    lines = [
        "# All settings",
        "",
        "A setting is typed as `group=choice` or as `group.setting=value` ([the command line](../command-line.md)). These",
        "pages are made from the schemas that check what is typed.",
        "",
        "| group | choices, the default first | what it decides |",
        "|---|---|---|",
        *(_group_row(group, defaults[group]) for group in GROUPS),
        "",
        "## Settings of no group",
        "",
        *_table(rows),
        "## Experiments",
        "",
        "`experiment=<name>` changes several settings at once.",
        "",
        "| experiment | what it is |",
        "|---|---|",
        *(f"| `{name}` | {_cell(_sentence(f'experiment/{name}'))} |" for name in choices("experiment")),
        "",
    ]
    return "\n".join(lines)


def _group_row(group: str, default: str) -> str:
    names = [default, *(name for name in choices(group) if name != default)]
    return f"| [`{group}`]({group}.md) | {' '.join(f'`{name}`' for name in names)} | {GROUP_TEXTS[group]} |"
