"""The page that `--help` prints."""

import shutil
import sys
from collections.abc import Callable
from functools import partial

import polyexp.action.action  # noqa: F401  (defining a component registers it)
from polyexp.cli.configs import choices
from polyexp.experiment import GROUPS
from polyexp.report.stream import wrapped

__all__ = ["help_page"]


COLUMNS = 118  # of the page where the terminal is not narrower


def help_page() -> str:
    """The text that `--help` prints, whose lines are wrapped at blanks where the terminal is narrower."""
    columns = min(COLUMNS, shutil.get_terminal_size().columns) if sys.stdout.isatty() else COLUMNS
    return wrapped(_page(partial(wrapped, columns=columns, indent=" " * 13)), columns, indent=" " * 6)


def _page(hanging: Callable[[str], str]) -> str:
    groups = "\n".join(hanging(f"  {group:<11}{', '.join(choices(group))}") for group in (*GROUPS, "experiment"))
    return f"""polyexp fits polynomial expansions by gradient descent and records every run in MLflow.

  python -m polyexp [group=choice ...] [group.setting=value ...]

Groups and their choices:
{groups}

Each choice has its own settings (`python -m polyexp model=legendre --cfg job` shows them all with their values).
Two more settings apply to every run: seed (0) and quiet (false).

Examples:
  python -m polyexp                                          the default: a power series of degree 7 fitted to sin(x)
  python -m polyexp model=legendre loop=autograd             another model, another source of the gradient
  python -m polyexp backend=numpy loop.steps=10000           NumPy, more steps
  python -m polyexp experiment=notebook/numpy                a named experiment; its values can be changed as well
  python -m polyexp model.initial=[0,0,0,0] model.degree=3   initial values of your own
  python -m polyexp -m loop=manual,autograd seed=0,1,2       a sweep: all six combinations
  python -m polyexp -m 'optimizer.learning_rate=logspace(-7,-6,5)' 'seed=range(0,3)'     ranges: fifteen combinations
  python -m polyexp -m model.degree=3,5 loop.steps=100,200 sweep.zip=[model.degree,loop.steps]     two jobs, in step
  python -m polyexp -m 'seed=range(0,200)' hydra/launcher=polyexp_joblib     on several processes (docs/scaling.md)
  python -m polyexp sweep.resume=2026-11-24/17-06-40-146772  the jobs of a sweep that have no result yet
  python -m polyexp resume=1a2b3c4d                          a run that was interrupted goes on (or resume=<its folder>)
  python -m polyexp action=replay action.run=1a2b3c4d        a recorded run once more: are the bits the same?
  python -m polyexp tracking=none                            without MLflow
  python -m polyexp action=compare                           the last ten runs side by side
  python -m polyexp action=export action.run=1a2b3c4d        the polynomial of a run as C (or action.format=python, ...)

Results go to outputs/: a folder for each run, and the MLflow store (each run prints the command that opens it).

  -m, --multirun           sweep over comma-separated values and ranges; those of keys in sweep.zip go in step;
                           sweep.dry_run=true lists the jobs, sweep.skip_finished=true reuses finished runs
  -c job, --cfg job        print the configuration and stop
  --info defaults          print how the configuration was composed
  -sc install=bash         print the shell completion: eval "$$(polyexp -sc install=bash)"
  --hydra-help             Hydra's own options
  --version                print the version of polyexp
"""
