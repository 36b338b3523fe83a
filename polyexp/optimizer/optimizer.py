"""Update rules: pure functions (gradient, state) -> (update, state); the update is added to the parameters.

They agree with SGD, RMSprop and Adam of torch.optim up to rounding. Every number of a rule may be an array with one value for
each run.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from numbers import Real
from typing import Any, ClassVar, Self

import numpy as np

from polyexp.base import Component, as_numbers, positive
from polyexp.optimizer.rate_search import EPS, extremes
from polyexp.problem import Array

__all__ = ["Limited", "OptState", "Optimizer"]

AUTO, ASYMPTOTIC = "auto", "asymptotic"  # the words that a tunable setting takes in place of a number

OptState = dict[str, Array]


@dataclass
class Optimizer(Component):
    """An update rule: a pure function from a gradient g and a state to an update and the next state.

    A rule does not know where the gradient came from. A subclass gives `update`, and `init` if it has a state: named arrays
    whose first axes are those of the runs. `limit` and `damping` describe the rule on a linear model, where `tuned` finds its
    best numbers; one whose settings are `tunable` gives `_asymptotic` and `_in_hindsight`. A list of numbers is kept as an
    array.

    Every number reaches `init` and `update` as a float, an integer too, or as an array of shape (*runs, 1), because a compiled
    step takes numbers as arguments. Text and truth values reach them as they are, and may choose between formulas.

    Args:
        learning_rate: The factor eta of the update, above 0: a number, or an array of shape (*runs,). The settings that
            `tunable` names also take "auto", the best value for the run in hindsight, and "asymptotic", the best one in
            the long run, both on a linear model.

    Raises:
        InputError: A number of the rule is out of its range, or "auto" is given to a setting that is not `tunable`.

    Example:
        >>> import polyexp as p
        >>> rule = p.RMSprop(learning_rate=0.01)
        >>> isinstance(rule, p.Optimizer), rule.tunable, rule.choice
        (True, (), 'rmsprop')
    """

    group: ClassVar[str] = "optimizer"
    renamed: ClassVar[Mapping[str, str]] = {"on": "on_device"}
    tunable: ClassVar[tuple[str, ...]] = ()  # the settings that may be "auto" or "asymptotic"
    placed = False  # whether the per-run numbers are arrays of a backend, as `on_device` makes them

    learning_rate: Any = 1e-6

    def __post_init__(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            array = as_numbers(self.key(one.name), value) if isinstance(value, (tuple, np.ndarray)) else None
            if array is not None:
                setattr(self, one.name, array.astype(float))
        self._require_number("learning_rate", positive, "a finite number above 0")

    def _require_number(self, name: str, require: Callable[[str, Any, str], None], wanted: str) -> None:
        """Require a number in a setting, or one of the words that `tuned` replaces where the setting is tunable."""
        if name not in self.sought:
            words = f", {AUTO} or {ASYMPTOTIC}" if name in self.tunable else ""
            require(self.key(name), getattr(self, name), wanted + words)

    @property
    def sought(self) -> tuple[str, ...]:
        """The names of the settings that are "auto" or "asymptotic", which `tuned` replaces by numbers."""
        words = {name: getattr(self, name) for name in self.tunable}
        return tuple(name for name, word in words.items() if isinstance(word, str) and word in (AUTO, ASYMPTOTIC))

    @property
    def automatic(self) -> bool:
        """Whether a setting is "auto" or "asymptotic"."""
        return bool(self.sought)

    @property
    def asymptotic(self) -> bool:
        """Whether a setting is "asymptotic"; then all tunable settings get the values that are best in the long run."""
        return any(getattr(self, name) == ASYMPTOTIC for name in self.sought)

    @property
    def runs(self) -> tuple[int, ...]:
        """The shape (*runs,) to which the numbers of this rule broadcast; () if all of them are single numbers."""
        return np.broadcast_shapes(*map(np.shape, self.numbers.values()))

    def on_device(self, put: Callable[[np.ndarray], Array]) -> Self:
        """This rule with its per-run numbers as arrays of a backend, and its other numbers as floats.

        The arrays get the shape (*runs, 1), which broadcasts against gradients of shape (*runs, K).

        Args:
            put: Makes an array of a backend from a NumPy array, such as `Backend.put`.
        """
        arrays = {name: np.asarray(value, float) for name, value in self.numbers.items()}
        placed = {name: put(array[..., None]) if array.ndim else float(array) for name, array in arrays.items()}
        return self._with(**placed, placed=True)

    @property
    def numbers(self) -> dict[str, Any]:
        """The numbers of this rule by name; those of a rule on a device are floats and arrays of shape (*runs, 1).

        Fields that are no numbers (text, truth values, None) are not among them.
        """
        return {one.name: value for one in fields(self) if _is_number(value := getattr(self, one.name))}

    @property
    def formulation(self) -> Self:
        """This rule without its numbers: what a compiled step depends on."""
        return self._with(**dict.fromkeys((*self.numbers, *self.sought), 0.0), placed=True)

    def with_numbers(self, values: Mapping[str, Any]) -> Self:
        """This rule with other numbers, which are not validated; they may be arrays of a backend.

        Args:
            values: The numbers by name, such as `numbers` gives them.
        """
        return self._with(**values)

    def of_run(self, run: Any, runs: tuple[int, ...]) -> Self:
        """This rule with the numbers of one run of a batch, or of several.

        Args:
            run: The index of the run, which is applied to the axes (*runs,).
            runs: The shape of the batch, to which the numbers broadcast.
        """
        picked = {name: np.broadcast_to(one, runs)[run] for name, one in self.numbers.items() if np.ndim(one)}
        return self._with(**{name: one if np.ndim(one) else one.item() for name, one in picked.items()})

    def tuned(
        self,
        eigenvalues: np.ndarray,
        coordinates: np.ndarray,
        steps: int,
        tolerance: float | None = None,
        eps: float = EPS,
    ) -> Self:
        """This rule with numbers in place of "auto" and "asymptotic"; a rule that has neither is returned as it is.

        "auto" minimises the predicted excess sum_i lambda_i (d_i e_i)^2 / 2 after `steps` steps, where d_i are the factors of
        `damping`; with a tolerance, the number of steps to it, and of the rates that need as many the one with the least
        excess counts. Where the tolerance is not reached within `steps`, the excess counts. The learning rates are those
        up to limit * (1 - 8 K eps), so that rounding cannot make a mode grow.

        Args:
            eigenvalues: The eigenvalues lambda_i of the Hessian, in descending order. Shape (K,).
            coordinates: The coordinates e_i of the initial values, see `Quadratic`. Shape (*runs, K).
            steps: The number of steps of the run.
            tolerance: The excess at which the run ends, if any.
            eps: The relative rounding of the numbers with which the run is computed.
        """
        if not self.automatic:
            return self
        eigenvalues, coordinates = np.asarray(eigenvalues, float), np.asarray(coordinates, float)
        if self.asymptotic:
            return replace(self, **self._asymptotic(*extremes(eigenvalues)))
        found = self._in_hindsight(eigenvalues, coordinates, steps, tolerance, eps)
        return replace(self, **{name: found[name] for name in self.sought})

    def _asymptotic(self, largest: float, smallest: float) -> dict[str, Any]:
        """The values of all tunable settings that are best in the long run.

        Args:
            largest: The largest eigenvalue.
            smallest: The smallest eigenvalue above 0.
        """
        raise NotImplementedError(f"{self.choice} has tunable settings, but no values for them")

    def _in_hindsight(
        self, eigenvalues: np.ndarray, coordinates: np.ndarray, steps: int, tolerance: float | None, eps: float
    ) -> dict[str, Any]:
        """The best values of the settings that are "auto", of shape (*runs,) each; the arguments are those of `tuned`."""
        raise NotImplementedError(f"{self.choice} has tunable settings, but no values for them")

    def limit(self, largest: float) -> Any:
        """The learning-rate limit for a Hessian with this largest eigenvalue; None for a rule that has none."""
        return None

    def damping(self, eigenvalues: np.ndarray, steps: int) -> np.ndarray | None:
        """The factors d_i that multiply the coordinate of each mode over `steps` steps; None if there is no closed form.

        # shape: (K,) -> (K,), or (*runs, K) if the numbers of the rule have shape (*runs, 1)
        """
        return None

    def init(self, params: np.ndarray) -> OptState:  # shape: (*runs, K)
        """The state before the first update."""
        return {}

    @abstractmethod
    def update(self, grad: Array, state: OptState) -> tuple[Array, OptState]:
        """The update, which is added to the parameters, and the next state.

        # shape: (*runs, K) -> (*runs, K)
        """


def _is_number(value: Any) -> bool:
    """Whether the value is a number or an array of numbers."""
    # A float comes first, because the abstract Real takes ten times as long to ask.
    return (
        isinstance(value, float) or hasattr(value, "dtype") or (isinstance(value, Real) and not isinstance(value, bool))
    )


@dataclass
class Limited(Optimizer):
    """An update rule that has a learning-rate limit on a linear model.

    Args:
        learning_rate: The factor of the update, as of `Optimizer`.
        allow_divergence: Whether a run may start with a learning rate above the limit.
    """

    allow_divergence: bool = field(default=False, kw_only=True)

    @property
    def formulation(self) -> Self:
        """This rule without its numbers, and without the permission to start, on which no step depends."""
        return super().formulation._with(allow_divergence=False)

    @abstractmethod
    def limit(self, largest: float) -> Any:
        """The largest learning rate at which no mode grows; `largest` is the largest eigenvalue of the Hessian."""
