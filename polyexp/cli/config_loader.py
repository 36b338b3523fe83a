"""Hydra's config loader, extended so that a configuration is refused before Hydra acts on it."""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import islice
from typing import Any, cast

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from polyexp.base import InputError, cut, shown
from polyexp.cli.allow_list import cannot_be_set, require_allowed
from polyexp.cli.config_files import BoundedRepository
from polyexp.cli.overrides import USER_ERRORS
from polyexp.cli.ranges import parser, require_countable
from polyexp.sweep import JobOverrides, Template, plain_among
from polyexp.tracking import require_no_credentials

__all__ = ["MAX_CHARACTERS", "CheckedLoader", "as_typed", "in_one_sentence", "parse", "require_short"]

MAX_DEPTH = 50  # of the brackets in a value
MAX_REASON = 200  # characters of an error of a library
MAX_INTERPOLATIONS = 20  # of one configuration; each may double the length of a text: 3^(20/3) times is the most
MAX_TEMPLATES, MAX_WORDS = 100, 10_000  # that are kept
NOT_COMPOSED = "The configuration cannot be composed"
MAX_CHARACTERS = 50_000  # of an override; a list of the coefficients of degree 1000 has 25 000


def parse(words: Sequence[str], config_loader: Any = None) -> list[Override]:
    """The overrides in the words of a command line.

    Args:
        words: The words, such as `model.degree=3`.
        config_loader: The loader that finds the choices of `glob`.

    Raises:
        InputError: For a word that is too long, or nested too deep, a function that does not exist or takes other arguments,
            and a range that gives no values or too many.
    """
    return [_parsed(word, config_loader) for word in words]


def require_short(word: str) -> None:
    """Require a word that Hydra's parser reads within bounds of time and memory.

    Args:
        word: The word.

    Raises:
        InputError: Where it is too long, or nested too deep.
    """
    if len(word) > MAX_CHARACTERS or _depth(word) > MAX_DEPTH:
        raise InputError(
            f"`{word[:30]}...` must have at most {MAX_CHARACTERS} characters and be nested at most {MAX_DEPTH} deep."
        )


def _parsed(word: str, config_loader: Any) -> Override:
    require_short(word)
    try:
        (parsed,) = parser(config_loader).parse_overrides([word])
    except OverrideParseException as error:
        if isinstance(error.__cause__, InputError):  # of a function
            raise InputError(f"`{cut(word)}` cannot be read: {error.__cause__}") from error
        raise
    require_countable(parsed)
    return parsed


def as_typed(words: Sequence[str]) -> list[str]:
    """Overrides in Hydra's node as they were typed; their interpolations are not resolved, as they are if one asks for items.

    Args:
        words: `hydra.overrides.task` or `hydra.overrides.hydra`.
    """
    return cast(list[str], OmegaConf.to_container(words))


@lru_cache(MAX_WORDS)
def _override(word: str) -> Override:
    """The override in a word that the jobs of a sweep may share."""
    (override,) = parse([word])
    return override


def _depth(word: str) -> int:
    """The largest number of brackets that are open at once, also inside quotes."""
    depth = deepest = 0
    for character in word:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


@contextmanager
def in_one_sentence(what: str) -> Iterator[None]:
    """A context in which an error of a library that is not of its own types becomes an InputError.

    Hydra and OmegaConf also fail with assertions and errors of Python's types, such as AttributeError and RecursionError.

    Args:
        what: What has failed, in words.

    Raises:
        InputError: Where the library has failed so.
    """
    try:
        yield
    except USER_ERRORS:
        raise
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), "")[:MAX_REASON]
        raise InputError(f"{what} ({type(error).__name__}: {reason}).") from error


def _require_no_credentials(cfg: DictConfig) -> None:
    """Require that the address of the store, as it would be written, holds no password."""
    tracking = cfg.get("tracking")
    raw = OmegaConf.to_container(tracking) if isinstance(tracking, DictConfig) else tracking
    require_no_credentials(str(raw.get("uri") or "") if isinstance(raw, dict) else str(raw))
    if isinstance(raw, dict):  # interpolations may name another setting
        require_no_credentials(str(OmegaConf.select(cfg, "tracking.uri", throw_on_resolution_failure=False) or ""))


def _require_few_interpolations(cfg: DictConfig) -> None:
    """Require so few interpolations that texts which refer to each other cannot grow without bound."""
    raw: Any = OmegaConf.to_container(cfg)
    hydra = raw.pop("hydra")
    count = str((raw, *(hydra[name] for name in ("run", "sweep", "sweeper")))).count("${")
    if count > MAX_INTERPOLATIONS:
        raise InputError(
            f"A configuration must have at most {MAX_INTERPOLATIONS} interpolations (${{...}}), got {count}."
        )


def _require_names(choices: Mapping[str, Any]) -> None:
    """Require that every choice of a group is a name below the folder of the group, not a path out of it."""
    for group, choice in choices.items():
        name = str(choice)
        if name.startswith(("/", ".")) or posixpath.normpath(name) != name:
            raise InputError(f"`{group}` must be the name of a choice, got {shown(name)}: `--help` lists them.")


class CheckedLoader(ConfigLoaderImpl):
    """A config loader that reads within bounds, and holds Hydra's own node to the allow-list.

    Every composition goes through it: of a command, of `--cfg` and `--help`, of the shell completion and of each job.

    Args:
        config_search_path: The folders in which config files are looked up.
        brought: Those among them that belong to Hydra, polyexp and installed plugins.
    """

    def __init__(self, config_search_path: ConfigSearchPath, brought: ConfigSearchPath) -> None:
        super().__init__(config_search_path)
        self._brought = ConfigLoaderImpl(brought)
        self._nodes: dict[tuple[str, ...], DictConfig] = {}  # by the choices of Hydra's groups
        self._templates: dict[tuple[str, ...], Template] = {}  # by the overrides with which they were composed
        self._groups: dict[str, bool] = {}  # whether there are config groups of these names

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """Compose a configuration as Hydra does.

        Raises:
            InputError: Where a file or a value is too large, Hydra's own node is changed in what may not be changed, the
                address of the store holds a password, which Hydra would print and write, or Hydra fails in any other way
                than with its own exceptions.
        """
        with in_one_sentence(NOT_COMPOSED):
            try:
                cfg = super().load_configuration(config_name, overrides, run_mode, from_shell, validate_sweep_overrides)
            except KeyError as error:  # Hydra looks up the variables that `env_copy` names while it composes
                raise cannot_be_set("job.env_copy") from error
        if len(cfg.hydra.overrides.hydra) + len(cfg.hydra.overrides.task) != len(overrides):
            raise InputError("`hydra.overrides` cannot be set: it holds what was typed.")
        require_allowed(cfg.hydra, self._node(cfg.hydra.runtime.choices))
        _require_no_credentials(cfg)
        _require_names(cfg.hydra.runtime.choices)
        _require_few_interpolations(cfg)
        return cfg

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """Compose the configuration of a job as Hydra does, from a template where there is one.

        Raises:
            InputError: As `load_configuration` does.
        """
        template, job = self.job(master_config, sweep_overrides)
        with in_one_sentence(NOT_COMPOSED):
            cfg = template.config(job)
        OmegaConf.copy_cache(from_config=master_config, to_config=cfg)
        return cfg

    def job(self, master: DictConfig, words: Sequence[str]) -> tuple[Template, JobOverrides]:
        """The template of a job of a sweep, which is composed once for the same choices, and the overrides of the job.

        Args:
            master: The configuration of the sweep.
            words: The overrides of the job, as its sweeper hands them to a launcher.

        Raises:
            InputError: As `load_configuration` does.
        """
        words = [*as_typed(master.hydra.overrides.hydra), *words]
        with in_one_sentence(NOT_COMPOSED):
            overrides = list(map(_override, words))
        task = tuple(one for one in overrides if not one.is_hydra_override())
        if plain := plain_among(task, self._is_group):
            fixed = [word for word, one in zip(words, overrides, strict=True) if one not in plain]
            with suppress(HydraException, InputError):  # which the whole configuration raises again, if it is wrong
                template = self._template(master, fixed)
                if not template.interpolated:  # else a plain value may change others
                    return template, JobOverrides(task, plain)
        return self._template(master, words), JobOverrides(task, ())

    def _is_group(self, name: str) -> bool:
        if name not in self._groups:
            self._groups[name] = self.repository.group_exists(name)
        return self._groups[name]

    def _template(self, master: DictConfig, words: Sequence[str]) -> Template:
        key = tuple(words)
        if key not in self._templates:
            cfg = self.load_configuration(master.hydra.job.config_name, list(words), RunMode.RUN)
            OmegaConf.copy_cache(from_config=master, to_config=cfg)  # so that `now` is the start of the sweep
            self._templates = dict(islice(self._templates.items(), MAX_TEMPLATES - 1))
            self._templates[key] = Template(cfg)
        return self._templates[key]

    def get_group_options(
        self,
        group_name: str,
        results_filter: ObjectType | None = ObjectType.CONFIG,
        config_name: str | None = None,
        overrides: list[str] | None = None,
    ) -> list[str]:
        """The choices of a group; `hydra.searchpath`, for which Hydra would compose anew each time, is refused anyway."""
        return self.repository.get_group_options(group_name, results_filter)

    def _node(self, choices: Mapping[str, Any]) -> DictConfig:
        """Hydra's node with these choices, without the files and the overrides of the user."""
        # Only `hydra/callbacks` has no choice by default; where another group has none, the difference is found.
        own = {group: choice for group, choice in choices.items() if group.startswith("hydra/") and choice is not None}
        words = tuple(f"{group}={choice}" for group, choice in own.items())
        if words not in self._nodes:
            try:
                self._nodes[words] = self._brought.load_configuration(None, list(words), RunMode.RUN).hydra
            except HydraException as error:
                raise self._foreign(own) from error
        return self._nodes[words]

    def _foreign(self, own: Mapping[str, Any]) -> InputError:
        """The error about a choice of a group of Hydra's that is a file of the user."""
        foreign = (pair for pair in own.items() if pair[1] not in self._brought.get_group_options(pair[0]))
        group, choice = next(foreign, next(iter(own.items())))
        options = ", ".join(self._brought.get_group_options(group))
        return InputError(
            f"`{group}` must be one of {options}, got {str(choice)!r}: a file of one's own is not accepted."
        )

    def _parse_overrides_and_create_caching_repo(
        self, config_name: str | None, overrides: list[str]
    ) -> tuple[list[Override], CachingConfigRepository]:
        parsed = parse(overrides)
        for one in parsed:
            if re.match(r"[+~]*hydra\.sweeper\.params", one.input_line or ""):  # in which Hydra fails
                raise InputError("`hydra.sweeper.params` belongs into a config file: type `-m seed=1,2` here.")
        repository = BoundedRepository(self.repository)
        self._process_config_searchpath(config_name, parsed, repository)
        return parsed, repository

    def _process_config_searchpath(
        self, config_name: str | None, parsed_overrides: list[Override], repo: CachingConfigRepository
    ) -> None:
        """Refuse a search path; Hydra would import the packages that it names."""
        loaded = repo.load_config(config_name) if config_name is not None else None
        primary = loaded.config if loaded is not None else OmegaConf.create()
        node = primary.get("hydra") if isinstance(primary, DictConfig) else None  # no other has been loaded
        in_file = isinstance(node, DictConfig) and "searchpath" in node
        if in_file or any(one.get_key_element().lstrip("+~") == "hydra.searchpath" for one in parsed_overrides):
            raise InputError(
                "`hydra.searchpath` cannot be set: type `--config-dir FOLDER` for config files of your own."
            )
