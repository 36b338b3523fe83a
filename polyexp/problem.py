"""What to approximate: a named function on a domain, and how it is sampled."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from polyexp.checks import InputError, finite, number_list, one_of, require, whole
from polyexp.component import Component
from polyexp.samples import Samples

__all__ = ["TARGETS", "Problem"]

MAX_SAMPLES = 2**44  # NumPy answers a request for more than any memory holds with errors of many kinds

TARGETS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "sin": np.sin,
    "cos": np.cos,
    "exp": np.exp,
    "runge": lambda x: 1 / (1 + 25 * x * x),  # Runge (1901)
    "gaussian": lambda x: np.exp(-x * x),
    "abs": np.abs,
}


def _linspace(low: float, high: float, n: int, rng: np.random.RandomState) -> np.ndarray:
    return np.linspace(low, high, n)


def _uniform(low: float, high: float, n: int, rng: np.random.RandomState) -> np.ndarray:
    return np.sort(rng.uniform(low, high, n))


def _chebyshev(low: float, high: float, n: int, rng: np.random.RandomState) -> np.ndarray:
    nodes = np.cos((2 * np.arange(n, 0, -1) - 1) * np.pi / (2 * n))
    return (low + high) / 2 + (high - low) / 2 * nodes


SAMPLING: Mapping[str, Callable[[float, float, int, np.random.RandomState], np.ndarray]] = {
    "linspace": _linspace,
    "uniform": _uniform,
    "chebyshev": _chebyshev,
}


@dataclass
class Problem(Component, name="target"):
    """Samples of a function on an interval.

    target: one of `TARGETS`, or in Python any function of an array.
    domain: [low, high]. num_samples: N. noise: standard deviation of Gaussian noise added to y.
    sampling: "linspace" (equidistant, both ends included), "uniform" (random), "chebyshev" (the zeros of T_N).
    loss: "mean" or "sum" of the squared residuals.
    """

    group: ClassVar[str] = "problem"

    target: Any = "sin"
    domain: list[float] = field(default_factory=lambda: [-np.pi, np.pi])
    num_samples: int = 4000
    sampling: str = "linspace"
    noise: float = 0.0
    loss: str = "mean"

    def __post_init__(self) -> None:
        if not callable(self.target):
            one_of(self.key("target"), self.target, TARGETS)
        wanted = "[low, high] with low < high, both finite"
        number_list(self.key("domain"), self.domain, 2, wanted)
        require(self.domain[0] < self.domain[1], self.key("domain"), wanted, list(self.domain))
        whole(self.key("num_samples"), self.num_samples, 1)
        one_of(self.key("sampling"), self.sampling, SAMPLING)
        finite(self.key("noise"), self.noise, 0)
        one_of(self.key("loss"), self.loss, ("mean", "sum"))

    @property
    def choice(self) -> str:
        """The target's name."""
        return getattr(self.target, "__name__", "function") if callable(self.target) else str(self.target)

    def samples(self, seed: int = 0) -> Samples:
        """Draw the samples. Random ones come from a stream of their own, so that they never move the initial values."""
        whole("seed", seed, 0, 2**32 - 1)
        rng = np.random.RandomState([seed, 1])
        low, high = self.domain
        function = self.target if callable(self.target) else TARGETS[self.target]
        wanted = "small enough to fit into memory"
        require(self.num_samples <= MAX_SAMPLES, self.key("num_samples"), wanted, self.num_samples)
        try:
            with np.errstate(all="ignore"):  # what is not finite is refused below
                x = SAMPLING[self.sampling](low, high, self.num_samples, rng)
                y = np.asarray(function(x.copy()), float) + np.zeros_like(x)
                noisy = y + rng.normal(0, self.noise, x.shape) if self.noise else y
        except MemoryError as error:
            raise InputError(f"`{self.key('num_samples')}` must be {wanted}, got {self.num_samples}.") from error
        wanted = f"an interval where {self.choice} is finite"
        require(bool(np.isfinite(y).all()), self.key("domain"), wanted, list(self.domain))
        require(bool(np.isfinite(noisy).all()), self.key("noise"), "a number whose multiples are finite", self.noise)
        return Samples.of(x, noisy, loss=self.loss, domain=(low, high), name=self.choice)
