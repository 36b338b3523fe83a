"""Where the config files are: polyexp's own, and those of outside packages."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

import polyexp.action.action  # noqa: F401  (defining a component registers it)
from polyexp.base import InputError

__all__ = ["PACKAGE", "choices", "conf_dir", "load_plugin", "outside_configs", "plugins"]

PLUGINS = "polyexp.plugins"
PACKAGE = Path(__file__).parents[1]


def conf_dir() -> Path:
    """The folder of the configs: inside the package (installed), or else beside it (a checkout)."""
    inside = PACKAGE / "conf"
    return inside if inside.is_dir() else PACKAGE.parent / "conf"


@cache
def outside_configs() -> dict[str, Path]:
    """The `conf` folder of each package that is registered as a plugin and has one, by the plugin's name."""
    folders = {}
    for plugin in plugins():
        spec = find_spec(plugin.module.partition(".")[0])
        for location in (spec.submodule_search_locations or []) if spec else []:
            if (Path(location) / "conf").is_dir():
                folders[plugin.name] = Path(location) / "conf"
    return folders


def choices(group: str) -> list[str]:
    """The options of a group: its YAML files, here and in outside packages."""
    folders = [folder / group for folder in (conf_dir(), *outside_configs().values())]
    files = [file.relative_to(folder) for folder in folders for file in folder.rglob("*.yaml")]
    return sorted({file.with_suffix("").as_posix() for file in files})


def plugins() -> list[EntryPoint]:
    """The registered outside packages."""
    return list(entry_points(group=PLUGINS))


def load_plugin(plugin: EntryPoint) -> None:
    """Import an outside package, which registers its components. InputError where that fails."""
    try:
        plugin.load()
    except Exception as error:
        raise InputError(f"The plugin `{plugin.name}` ({plugin.value}) cannot be imported: {error!r}.") from error
