"""The config files of a command, read within bounds of time and memory."""

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import yaml
from hydra._internal.config_repository import CachingConfigRepository, IConfigRepository
from hydra.core.object_type import ObjectType
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult, ConfigSource
from omegaconf import Container, DictConfig
from omegaconf.errors import OmegaConfBaseException

from polyexp.base import InputError

__all__ = ["BoundedRepository", "require_bounded"]

MAX_BYTES = 100_000  # of a file; those of polyexp have at most some thousand
MAX_VALUES, MAX_DEPTH = 10_000, 50  # of a file, aliases replaced by what they stand for
MAX_LOADS = 200  # of one file in one composition; Hydra loads a file three times where it is included once

KEYS_WITH_VALUES = "A config file, and `hydra` in it, must hold keys with values, such as `seed: 3`."


class BoundedRepository(CachingConfigRepository):
    """Config files, as Hydra reads and keeps them, none of which is too large or included without end.

    Args:
        delegate: The config files.
    """

    def __init__(self, delegate: IConfigRepository) -> None:
        super().__init__(delegate)
        self._loads: Counter[str] = Counter()

    def load_config(self, config_path: str) -> ConfigResult | None:
        """The content of a config file, or None where there is none.

        Args:
            config_path: The name of the file below its folder, such as `model/legendre`.

        Raises:
            InputError: Where the file is too large, included too often, or does not hold keys with values.
        """
        self._loads[config_path] += 1
        if self._loads[config_path] > MAX_LOADS:
            raise InputError(f"The config file {config_path}.yaml is included without end: it includes itself.")
        if self._loads[config_path] == 1:
            self._require_bounded(config_path)
        try:
            loaded = super().load_config(config_path)
        except InputError:
            raise
        except yaml.YAMLError as error:
            _name(error, f"{config_path}.yaml")
            raise
        except (OSError, ValueError, HydraException, OmegaConfBaseException) as error:
            raise InputError(f"In {config_path}.yaml: {_reason(error)}") from error
        if loaded is not None and not _has_keys(loaded.config):
            raise InputError(f"In {config_path}.yaml: {KEYS_WITH_VALUES}")
        return loaded

    def _require_bounded(self, config_path: str) -> None:
        source = next((one for one in self.get_sources() if one.is_config(config_path)), None)
        if source is not None and source.scheme() == "file":
            require_bounded(Path(source.path, ConfigSource._normalize_file_name(config_path)))

    def group_exists(self, config_path: str) -> bool:
        """Whether a config group of this name exists."""
        return any(one.is_group(config_path) for one in self.get_sources())

    def get_group_options(self, group_name: str, results_filter: ObjectType | None = ObjectType.CONFIG) -> list[str]:
        """The choices of a group."""
        return self.delegate.get_group_options(group_name, results_filter)


def _name(error: yaml.YAMLError, name: str) -> None:
    """Make an error call the file by its name in place of its whole path."""
    for part in (error, getattr(error, "context_mark", None), getattr(error, "problem_mark", None)):
        if part is not None and hasattr(part, "name"):
            part.name = name


def _reason(error: Exception) -> str:
    """Why a file cannot be used, in the words of the library or in our own where those do not help."""
    if isinstance(error, OSError) and str(error).startswith("Invalid loaded object type"):
        return KEYS_WITH_VALUES
    key = getattr(error, "full_key", None)  # of OmegaConf's errors
    reason = str(error).partition("\n")[0].rstrip(".") + "."
    return f"`{key}` cannot have this value: {reason}" if key else reason


def _has_keys(content: Container) -> bool:
    """Whether a file holds keys with values, and so does Hydra's own node where the file has it."""
    return isinstance(content, DictConfig) and ("hydra" not in content or isinstance(content["hydra"], DictConfig))


def require_bounded(path: Path) -> None:
    """Require a YAML file that is small, also when its aliases are replaced by what they stand for.

    Args:
        path: The file.

    Raises:
        InputError: Where it is too large, nested too deep, or no text.
    """
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"The config file {path.name} must have at most {MAX_BYTES} bytes, got {path.stat().st_size}.")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"The config file {path.name} must be text in UTF-8 ({error.reason}).") from error
    if text.startswith("\ufeff"):  # after which Hydra does not find the line `# @package _global_`
        raise InputError(f"The config file {path.name} must be text in UTF-8 without a byte order mark.")
    try:
        excess = _excess(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        return  # Hydra reports it when it reads the file
    if excess:
        raise InputError(f"The config file {path.name} {excess}.")


def _excess(events: Iterable[yaml.Event]) -> str | None:
    """What is too much in a YAML file, in words; None where nothing is."""
    size = _Size()
    for event in events:
        if isinstance(event, yaml.AliasEvent) and event.anchor in size.anchors:
            return f"contains itself, through the alias *{event.anchor}"
        size.add(event)
        if size.counts[-1] > MAX_VALUES:
            return f"must have at most {MAX_VALUES} values"
        if len(size.counts) > MAX_DEPTH:
            return f"must be nested at most {MAX_DEPTH} deep"
    return None


class _Size:
    """The size of what has been read of a YAML file."""

    def __init__(self) -> None:
        # Of the collections that are open, from the outside to the inside: their numbers of values, and their anchors.
        self.counts, self.anchors = [0], list[str | None]()
        self._closed: dict[str | None, int] = {}  # the number of values that each anchor stands for

    def add(self, event: yaml.Event) -> None:
        """Count an event of the parser."""
        if isinstance(event, yaml.CollectionStartEvent):
            self.counts.append(1)
            self.anchors.append(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            count = self.counts.pop()
            self._closed[self.anchors.pop()] = count
            self.counts[-1] += count
        elif isinstance(event, yaml.ScalarEvent):
            self._closed[event.anchor] = 1
            self.counts[-1] += 1
        elif isinstance(event, yaml.AliasEvent):
            self.counts[-1] += self._closed.get(event.anchor, 1)
