"""Experiments that differ only in numbers, as one computation."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from polyexp.base import SETTINGS, Component, InputError
from polyexp.experiment.experiment import Experiment, varying
from polyexp.model import Model
from polyexp.optimizer import Optimizer

__all__ = ["Batch", "batch_key"]

NUMBERS = ("model.initial", "model.initial_scale", "seed")  # that may differ, besides those of the optimizer


def _static(component: Component) -> Component:
    """The component without the numbers in which the experiments of a batch may differ."""
    if isinstance(component, Optimizer):
        return component.formulation
    if isinstance(component, Model):
        return replace(component, initial="zeros", initial_scale=1.0)
    return component


def batch_key(experiment: Experiment) -> Hashable:
    """What experiments must have in common to be computed and published as one batch.

    That is everything but the numbers in which those of a `Batch` may differ. An experiment whose data file cannot be read any
    more has nothing in common with another one.

    Args:
        experiment: The experiment.
    """
    try:
        stamp = experiment.problem.stamp
    except InputError:  # which the run raises again
        return id(experiment)
    groups = [repr(_static(getattr(experiment, group))) for group in (*SETTINGS, "tracking", "report")]
    seed = experiment.seed if experiment.problem.random else None
    return (*groups, stamp, experiment.quiet, seed)


def _require_alike(experiments: Sequence[Experiment], group: str) -> None:
    """Require experiments whose components of a group differ in numbers only."""
    first = experiments[0]
    wanted = _static(getattr(first, group))
    # Experiments of a sweep share components, and each needs to be compared only once.
    different = {
        id(getattr(one, group)): one for one in experiments[1:] if getattr(one, group) is not getattr(first, group)
    }
    for other in different.values():
        if _static(getattr(other, group)) != wanted:
            raise _not_alike(first, other, group)


def _not_alike(one: Experiment, other: Experiment, group: str) -> InputError:
    numbers = {one.optimizer.key(name) for name in one.optimizer.numbers} | {*NUMBERS}
    key = next((key for key in varying([one, other]) if key not in numbers), group)
    return InputError(
        f"`{key}` is not the same in these experiments, so they cannot be computed together; numbers of the optimizer, "
        "initial values and the seed may differ: compute them one by one."
    )


@dataclass(frozen=True)
class Batch:
    """Experiments that are computed together.

    They may differ in the numbers of one optimizer, in initial values, and in the seed where the samples do not depend on it.

    Args:
        experiments: The experiments, at least one.
    """

    experiments: tuple[Experiment, ...]

    @classmethod
    def of(cls, experiments: Iterable[Experiment]) -> Self:
        """The batch of these experiments.

        Raises:
            InputError: There is none, or they differ in more than numbers.
        """
        experiments = tuple(experiments)
        if not experiments:
            raise InputError("There are no experiments to be computed.")
        for group in SETTINGS:
            _require_alike(experiments, group)
        if len({one.seed for one in experiments}) > 1 and experiments[0].problem.random:
            raise InputError(
                "`seed` is not the same in these experiments, and their samples depend on it (`problem.noise`, or random "
                "`problem.sampling`), so they cannot be computed together: compute them one by one."
            )
        return cls(experiments)

    @property
    def initial(self) -> np.ndarray:  # shape: (R, K)
        """The initial values of all experiments."""
        models = {id(one.model): one.model for one in self.experiments}
        if len(models) == 1:
            return self.experiments[0].model.initial_params([one.seed for one in self.experiments])
        return np.stack([one.model.initial_params(one.seed) for one in self.experiments])

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer of all experiments, with arrays of shape (R,) for the numbers in which they differ."""
        rules = [one.tuned_optimizer for one in self.experiments]
        columns = {one.name: [getattr(rule, one.name) for rule in rules] for one in fields(rules[0])}
        differing: dict[str, Any] = {name: np.array(column) for name, column in columns.items() if len(set(column)) > 1}
        return replace(rules[0], **differing)
