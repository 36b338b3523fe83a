"""The command line of a sweep that is resumed, from what Hydra has written into its folder, which is data of anybody."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import yaml

from polyexp.base import InputError, cut, open_regular, shown
from polyexp.cli.configs import conf_dir
from polyexp.cli.texts import quote
from polyexp.cli.values import Override
from polyexp.sweep import INSTEAD, MANIFEST

__all__ = ["RESUME", "resumed_words"]

RESUME = "sweep.resume"
RECORD = "multirun.yaml"  # which Hydra's sweeper writes
SWEEPS = Path("outputs", "sweeps")
MAX_DEPTH = 100  # of mappings and lists in it
MAX_BYTES = 2**21  # of the record, which holds every word of the command line up to four times
# The settings that may be typed beside `sweep.resume`: how the jobs run, not what they are.
TYPED = (
    "sweep.dry_run",
    "sweep.skip_finished",
    "quiet",
    "hydra/launcher",
    "tracking.wait",
    "tracking.required",
    "tracking.log_model",
    "checkpoint.every",
)
LAUNCHER = "hydra.launcher."
OF_COMMAND = (RESUME, "sweep.dry_run")  # of one command, not of the sweep


def resumed_words(options: argparse.Namespace, overrides: Sequence[Override]) -> list[str] | None:
    """The words of the command that started the sweep that `sweep.resume` names, with those that are typed now.

    Args:
        options: The options that are typed.
        overrides: The overrides that are typed.

    Returns:
        The words, which are those of a sweep into the same folder; None where no sweep is resumed.

    Raises:
        InputError: The sweep is not there or damaged, or something is typed that would make it another one.
    """
    typed = {one.key: one for one in overrides}
    value = typed[RESUME].text if RESUME in typed else ""
    if value == "null" or RESUME not in typed:
        return None
    folder = _folder(value)
    _require_nothing_else(options, overrides)
    again = [one for one in overrides if one.key != RESUME]
    place = quote(str(folder).replace("${", "\\${"))  # which is no interpolation
    return [
        *_recorded(folder, {one.key for one in again}),
        *(one.word for one in again),
        f"hydra.sweep.dir={place}",
        f"{RESUME}={place}",
    ]


def _folder(value: str) -> Path:
    """The folder of a sweep, which is named by itself or by its date and time."""
    for folder in (Path(value), SWEEPS / value):
        with suppress(OSError, ValueError):  # of a text that is no path
            if (folder / MANIFEST).is_file() or (folder / RECORD).is_file():
                return folder.resolve()
    raise InputError(
        f"`{RESUME}` must be the folder of a sweep, or its date and time such as 2026-11-24/17-06-40-146772, "
        f"got {shown(value)}, where there is none."
    )


def _require_nothing_else(options: argparse.Namespace, overrides: Sequence[Override]) -> None:
    """Require that nothing is typed that would change the jobs."""
    for one in overrides:
        if one.key not in (RESUME, *TYPED) and not one.key.startswith(LAUNCHER):
            raise InputError(
                f"`{RESUME}` takes the command line from the folder of the sweep: leave `{cut(one.word)}` out, or start a "
                f"sweep of its own. Beside it there may be {', '.join(TYPED)} and {LAUNCHER}*."
            )
    if options.config_dir or options.config_path or options.config_name:
        raise InputError(f"`{RESUME}` takes the config files from the folder of the sweep: leave the options out.")


def _recorded(folder: Path, typed: set[str]) -> Iterator[str]:
    """The recorded words, but for those of a command alone and those of keys that are typed now."""
    path = folder / RECORD
    try:
        with open_regular(path) as file:
            text = file.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise ValueError("it is too large")
        hydra = _loaded(text.decode("utf-8"))["hydra"]
        options = list(_options(hydra))
        words = [_override(one) for part in ("hydra", "task") for one in hydra["overrides"][part]]
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}). {INSTEAD}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, yaml.YAMLError) as error:
        raise InputError(f"{path} does not describe a sweep. {INSTEAD}") from error
    yield from ("--multirun", *options)
    for word in words:
        plain = word.removeprefix("++")  # of a setting that the choices of the sweep have
        key = Override.of(plain).key
        of_other_launcher = "hydra/launcher" in typed and key.startswith(LAUNCHER)
        if key not in (*OF_COMMAND, "hydra.mode", "hydra.sweep.dir", *typed) and not of_other_launcher:
            yield plain


def _loaded(text: str) -> Any:
    """The content of a YAML file, which the parser of C would end the process over where it is nested very deeply."""
    loader, depth = getattr(yaml, "CSafeLoader", yaml.SafeLoader), 0
    for event in yaml.parse(text, loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ValueError("it is nested too deeply")
    return yaml.load(text, loader)


def _options(hydra: Mapping[str, Any]) -> Iterator[str]:
    """The options that name other config files than those of polyexp."""
    name = _text(hydra["job"]["config_name"])
    if name != "config":
        yield from ("--config-name", name)
    for source in hydra["runtime"]["config_sources"]:
        place = _text(source["path"])
        if source["provider"] == "main" and Path(place) != conf_dir():
            yield from ("--config-path", place)
        elif source["provider"] == "command-line":
            yield from ("--config-dir", place)


def _override(value: Any) -> str:
    """A word that is an override, not an option."""
    word = _text(value)
    if word.startswith("-"):
        raise ValueError("an option is no override")
    return word


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is something else")
    return value
