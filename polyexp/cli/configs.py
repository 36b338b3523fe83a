"""The config files of polyexp and of its plugins."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

import polyexp.action.action  # noqa: F401  (defining a component registers it)
from polyexp.base import InputError

__all__ = ["PACKAGE", "choices", "conf_dir", "load_plugin", "outside_configs", "plugins"]

PLUGIN_GROUP = "polyexp.plugins"  # the entry-point group in which packages register as plugins
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
    folders = [folder / group for folder in (conf_dir(), *outside_configs().values())]
    files = [file.relative_to(folder) for folder in folders for file in folder.rglob("*.yaml")]
    return sorted({file.with_suffix("").as_posix() for file in files})


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
