"""The history of a result as a table of pandas, which is imported when one is asked for."""

from typing import Any

import numpy as np

from polyexp.base import import_optional
from polyexp.fitting.history import History

__all__ = ["frame_of", "run_columns"]

NUMBERS = ("loss", "excess", "grad_norm")


def frame_of(history: History, names: tuple[str, ...], runs: tuple[int, ...]) -> Any:
    """The snapshots as a pandas DataFrame, in the columns of history.csv; of a batch with the index of the run before them.

    Args:
        history: The history.
        names: The names of the parameters.
        runs: The shape (*runs,) of the batch; () for a single run.
    """
    pandas = import_optional("pandas", "`to_frame`")
    if not runs:
        return pandas.DataFrame(_columns(history, names))
    parts = []
    for run in np.ndindex(runs):
        one = history.of_run(run)
        parts.append({**_index_columns(run, one.step.size), **_columns(one, names)})
    return pandas.DataFrame({name: np.concatenate([one[name] for one in parts]) for name in parts[0]} if parts else {})


def run_columns(axes: int) -> list[str]:
    """The names of the columns of a run's index: `run`, or `run_0`, `run_1` and so on for several axes.

    Args:
        axes: The number of axes of the batch.
    """
    return ["run"] if axes == 1 else [f"run_{axis}" for axis in range(axes)]


def _index_columns(run: tuple[int, ...], size: int) -> dict[str, np.ndarray]:
    return {name: np.full(size, at) for name, at in zip(run_columns(len(run)), run, strict=True)}


def _columns(history: History, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The columns of a single run."""
    numbers = {name: getattr(history, name) for name in NUMBERS}
    return {"step": history.step, **numbers, **dict(zip(names, history.params.T, strict=True))}
