"""The header of a journal: what is known of a run before it starts. One that is read may have been written by anybody."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from polyexp.tracking.process import Process

__all__ = ["Header"]


@dataclass(frozen=True)
class Header:
    """What is known of a run before it starts.

    Args:
        id: The id of the journal, 32 hexadecimal digits.
        name: The name of the run.
        params: The settings by their keys.
        tags: The tags of the run.
        param_names: The names of the parameters of the model.
        planned: The number of regular snapshots that the run will have unless it ends early.
        started: The time of its start, in milliseconds since 1970.
        process: The process that computes it.
        store: The address of the store without credentials; None for a run that is not to be delivered.
        experiment: The name of the MLflow experiment.
        view: The saved view that shows the run among others, by the arguments of `view_of`; None where there is none.
        is_run: Whether MLflow gets a run. Of a sweep it gets the view alone.
        lower_bound: A lower bound of the loss, in the unit of y squared, where the best loss is not known; otherwise nan.
    """

    id: str
    name: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    param_names: Sequence[str]
    planned: int
    started: int
    process: Process
    store: str | None
    experiment: str
    view: Mapping[str, Any] | None = field(default_factory=dict)
    is_run: bool = True
    lower_bound: float = math.nan

    @classmethod
    def read(cls, content: Mapping[str, Any]) -> Self:
        """The header of which a line of a journal has the content.

        Args:
            content: The content by the names of the fields.

        Raises:
            ValueError, TypeError, AttributeError: It is none.
        """
        values: dict[str, Any] = {one.name: content.get(one.name) for one in fields(cls)}
        values |= {"process": Process(**values["process"]), "lower_bound": float(values["lower_bound"])}
        header = cls(**values)
        header._require_kinds()
        return header

    def of_comparison(self) -> "Header":
        """This header for a comparison, which is in an MLflow experiment of its own, so that no search of runs finds it."""
        return replace(self, experiment=f"{self.experiment} comparisons", view=None)

    def of_sweep(self, sweep: str, varying: Sequence[str]) -> "Header":
        """This header for a sweep, of which MLflow gets a saved view.

        Args:
            sweep: The name of the sweep.
            varying: The keys of the settings that are not the same in all runs.
        """
        return replace(self, view={"sweep": sweep, "varying": list(varying)}, is_run=False)

    def _require_kinds(self) -> None:
        """Require that the values are of the right kinds."""
        texts = [self.id, self.name, self.experiment, self.process.started, self.process.host]
        texts += [*self.param_names, *self.params, *self.params.values(), *self.tags, *self.tags.values()]
        texts += [self.store] if self.store is not None else []
        whole = [self.planned, self.started, self.process.pid]
        if not all(isinstance(one, str) for one in texts) or not all(type(one) is int and one >= 0 for one in whole):
            raise ValueError("a value is of another kind")
        is_id = len(self.id) == 32 and set(self.id) <= set("0123456789abcdef")
        if not is_id or not isinstance(self.view, dict | None):
            raise ValueError("the id is not one of a journal")
