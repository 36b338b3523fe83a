"""The jobs of a sweep as Hydra composes and launches them, and as polyexp makes them from templates."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from hydra import version
from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra._internal.hydra import Hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from polyexp.cli.composition import prepare, search_path
from polyexp.cli.config_loader import CheckedLoader, as_typed, parse
from polyexp.cli.words import prepared
from polyexp.experiment import Experiment
from polyexp.sweep import JobFiles


def hydras_loader() -> ConfigLoaderImpl:
    """Hydra's own config loader, which composes each job anew."""
    return ConfigLoaderImpl(search_path())


class Sweep:
    """A sweep in a folder of its own: its configuration and the overrides of its jobs.

    Args:
        folder: The folder, which becomes the current one.
        words: The words of the command after `-m`.
        raw: Words for Hydra that are not accepted where they are typed.
    """

    def __init__(self, folder: Path, words: Sequence[str], raw: Sequence[str] = ()) -> None:
        prepare()
        version.setbase("1.3")
        self.folder, self.loader = folder, CheckedLoader(search_path(), search_path())
        hydra = Hydra("polyexp", self.loader)  # which registers the resolvers
        GlobalHydra.instance().clear()
        typed = [*get_args_parser().parse_args(prepared(["-m", *words])).overrides, *raw]
        self.cfg = hydra.compose_config("config", typed, RunMode.MULTIRUN, validate_sweep_overrides=False)
        overrides = parse(as_typed(self.cfg.hydra.overrides.task), self.loader)
        (self.jobs,) = BasicSweeper.split_arguments(overrides, None)

    def launched(self, loader: ConfigLoaderImpl) -> dict[Path, bytes]:
        """The files that Hydra's basic launcher writes with a config loader, by their paths; the folder is emptied again."""
        launcher = BasicLauncher()
        context = HydraContext(config_loader=loader, callbacks=Callbacks())
        launcher.setup(hydra_context=context, task_function=lambda cfg: None, config=self.cfg)
        launcher.launch(self.jobs, 0)
        files = {one.relative_to(self.folder): one.read_bytes() for one in self.folder.rglob("*.yaml")}
        shutil.rmtree(self.folder / "outputs")
        assert len(files) == 3 * len(self.jobs)
        return files

    def composed(self, number: int) -> DictConfig:
        """The configuration of a job, as Hydra composes it."""
        cfg = hydras_loader().load_sweep_config(self.cfg, list(self.jobs[number]))
        cfg.hydra.job.id, cfg.hydra.job.num = str(number), number
        return cfg

    def made(self) -> Iterator[tuple[Path, JobFiles, Callable[[], Experiment]]]:
        """The folder and the files of each job, and a function that gives its experiment, from its template."""
        for number, words in enumerate(self.jobs):
            template, job = self.loader.job(self.cfg, words)
            compose = partial(self.composed, number)
            folder = self.folder / Path(*template.folder(job, number, compose))
            yield folder, template.files(job, number, folder), partial(template.experiment, job, compose)
