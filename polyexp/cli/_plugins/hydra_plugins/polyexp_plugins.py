"""The plugins of Hydra that polyexp has: the search path for the config files of plugins, and its launchers."""

from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

from polyexp.cli import launcher, many_workers
from polyexp.cli.configs import outside_configs


class OutsideConfigs(SearchPathPlugin):
    """A search path with the folder `conf` of each package in the entry-point group `polyexp.plugins`."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        """Append these folders, so that a choice of polyexp is found before one of the same name in a plugin."""
        for name, folder in outside_configs().items():
            search_path.append(provider=name, path=f"file://{folder}")


class BatchedLauncher(launcher.BatchedLauncher):
    """The launcher under the name by which Hydra finds it."""


class JoblibLauncher(many_workers.JoblibLauncher):
    """The launcher of this name under the name by which Hydra finds it."""


class SubmititLocalLauncher(many_workers.SubmititLocalLauncher):
    """The launcher of this name under the name by which Hydra finds it."""


class SubmititSlurmLauncher(many_workers.SubmititSlurmLauncher):
    """The launcher of this name under the name by which Hydra finds it."""


class RayLauncher(many_workers.RayLauncher):
    """The launcher of this name under the name by which Hydra finds it."""
