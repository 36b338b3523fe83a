"""The config files of polyexp and of its plugins."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import yaml

import polyexp.action.action
import polyexp.sweep  # noqa: F401  (defining a component registers it)
from polyexp.base import Component, InputError
from polyexp.cli.config_files import require_bounded

__all__ = ["PACKAGE", "ConfigFiles", "choices", "conf_dir", "load_plugin", "outside_configs", "plugins"]

PLUGIN_GROUP = "polyexp.plugins"  # the entry-point group in which packages register as plugins
MAX_FILES_KEPT = 1000  # config files whose content is kept: a command asks for the same ones again and again
PACKAGE = Path(__file__).parents[1]  # the folder of polyexp


def conf_dir() -> Path:
    """The folder `conf`, which is in the package where that is installed, and beside it in a checkout."""
    inside = PACKAGE / "conf"
    return inside if inside.is_dir() else PACKAGE.parent / "conf"


@cache
def outside_configs() -> dict[str, Path]:
    """The folder `conf` of each plugin that has one, by the name of the plugin."""
    folders = {}
    for plugin in plugins():
        spec = find_spec(plugin.module.partition(".")[0])
        for location in (spec.submodule_search_locations or []) if spec else []:
            if (Path(location) / "conf").is_dir():
                folders[plugin.name] = Path(location) / "conf"
    return folders


def choices(group: str) -> list[str]:
    """The choices of a group, which are its YAML files in polyexp and in plugins."""
    return ConfigFiles().choices(group)


@dataclass(frozen=True)
class ConfigFiles:
    """The config files that a command can choose among, as far as they are needed to judge its words.

    Args:
        user: The folder that the user adds with --config-dir; None for none.
    """

    user: Path | None = None

    @property
    def folders(self) -> list[Path]:
        """The folders, in the order in which Hydra searches them."""
        return [conf_dir(), *outside_configs().values(), *([self.user] if self.user else [])]

    def choices(self, group: str) -> list[str]:
        """The choices of a group."""
        folders = [folder / group for folder in self.folders]
        files = [file.relative_to(folder) for folder in folders for file in folder.rglob("*.yaml")]
        return sorted({file.with_suffix("").as_posix() for file in files})

    def read(self, name: str) -> dict[Any, Any]:
        """The content of a config file; empty where it is none that can be read, about which Hydra says more.

        Args:
            name: The name of the file, such as `model/legendre` or `config`.

        Raises:
            InputError: Where the file is too large.
        """
        for file in (folder / f"{name}.yaml" for folder in self.folders):
            if file.is_file():
                stamp = file.stat()
                return _content(file, stamp.st_mtime_ns, stamp.st_size)
        return {}

    def component(self, group: str, choice: str) -> type[Component] | None:
        """The class that describes a choice; None where its file names none.

        Args:
            group: The group.
            choice: The choice.
        """
        for name in self._included(f"{group}/{choice}"):
            if found := re.fullmatch(rf"schema/{group}/(\w+)", name):
                return Component.registry.get((group, found[1]))
        return None

    def chosen(self, experiment: str | None) -> dict[str, str]:
        """The choice of each group before the command line chooses.

        Args:
            experiment: The experiment that the command names, if any.
        """
        files = ["config", *([f"experiment/{experiment}"] if experiment else [])]
        entries = [entry for file in files for name in self._included(file) for entry in self._entries(name)]
        pairs = [pair for entry in entries if isinstance(entry, dict) for pair in entry.items()]
        texts = [(key, value) for key, value in pairs if isinstance(key, str) and isinstance(value, str)]
        return {re.sub(r"^(override |optional )?/?", "", key): value for key, value in texts}

    def sweeps(self, experiment: str | None) -> bool:
        """Whether an experiment is a sweep of itself.

        Args:
            experiment: The experiment that the command names, if any.
        """
        names = self._included(f"experiment/{experiment}") if experiment else []
        hydra = [self.read(name).get("hydra") for name in names]
        return any(isinstance(one, dict) and one.get("mode") == "MULTIRUN" for one in hydra)

    def _entries(self, name: str) -> list[Any]:
        """The defaults list of a file."""
        entries = self.read(name).get("defaults")
        return entries if isinstance(entries, list) else []

    def _included(self, name: str, outer: tuple[str, ...] = ()) -> list[str]:
        """The files that a file includes, the included ones first, and the file itself."""
        names = [entry.partition("@")[0] for entry in self._entries(name) if isinstance(entry, str)]
        here = name.rpartition("/")[0]
        inner = [one.removeprefix("/") if one.startswith("/") else f"{here}/{one}" for one in dict.fromkeys(names)]
        new = [one for one in inner if one not in (name, *outer)]  # Hydra refuses files that include themselves
        return [*(two for one in new for two in self._included(one, (name, *outer))), name]


@lru_cache(MAX_FILES_KEPT)
def _content(file: Path, changed: int, size: int) -> dict[Any, Any]:
    """The content of a config file that was changed at this time; empty where it cannot be read as a mapping."""
    require_bounded(file)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return content if isinstance(content, dict) else {}


def plugins() -> list[EntryPoint]:
    """The entry points of the plugins that are installed."""
    return list(entry_points(group=PLUGIN_GROUP))


def load_plugin(plugin: EntryPoint) -> None:
    """Import a plugin, which registers its components.

    Raises:
        InputError: Where the import fails.
    """
    try:
        plugin.load()
    except InputError:  # the plugin's own sentence, as about a name that is taken
        raise
    except Exception as error:
        raise InputError(f"The plugin `{plugin.name}` ({plugin.value}) cannot be imported: {error!r}.") from error
