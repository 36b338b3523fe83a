"""Samples of a function on an interval, drawn chunk by chunk."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from polyexp.base import InputError, finite, number_list, one_of, require, shown, whole
from polyexp.problem.files.formats import FILE_ENDINGS
from polyexp.problem.samples import Chunk
from polyexp.problem.source import MAX_Y, MIN_WIDTH, SAMPLES_PER_CHUNK, OnDropped, OnProgress, Source
from polyexp.problem.targets import TARGETS, Target

__all__ = ["SAMPLING", "Problem"]

MAX_NORMAL = 10  # of a normal variable with the standard deviation 1, in as many samples as can be drawn
MAX_SAMPLES = 10**12  # samples drawn in about a day, at ten million a second


def _linspace(low: float, high: float, index: np.ndarray, n: int, rng: np.random.RandomState | None) -> np.ndarray:
    step = (high - low) / max(n - 1, 1)
    x = index * step  # in the order of np.linspace, to the bit; it too sets the last point to `high`
    x += low
    if index[-1] == n - 1 > 0:
        x[-1] = high
    return x


def _uniform(low: float, high: float, index: np.ndarray, n: int, rng: np.random.RandomState | None) -> np.ndarray:
    assert rng is not None
    return rng.uniform(low, high, index.size)


def _chebyshev(low: float, high: float, index: np.ndarray, n: int, rng: np.random.RandomState | None) -> np.ndarray:
    nodes = -np.cos((2 * index + 1) * np.pi / (2 * n))
    return (low + high) / 2 + (high - low) / 2 * nodes


SAMPLING: Mapping[str, Callable[[float, float, np.ndarray, int, np.random.RandomState | None], np.ndarray]] = {
    "linspace": _linspace,
    "uniform": _uniform,
    "chebyshev": _chebyshev,
}


@dataclass
class Problem(Source, name="target"):
    """Samples y_i = target(x_i) + noise of a function on an interval.

    Args:
        target: "sin", "cos", "exp", "runge" (1 / (1 + 25 x^2)), "gaussian" (exp(-x^2)) or "abs"; in Python also any
            function of an array.
        domain: The interval [low, high] of x.
        num_samples: The number of samples N, from 1 to 10^12.
        sampling: "linspace" (equidistant, both ends included), "uniform" (random) or "chebyshev" (the zeros of T_N,
            mapped from [-1, 1] to the domain).
        noise: The standard deviation of Gaussian noise added to y, in the unit of y.
        loss: "mean" or "sum" of the squared residuals.
        reduction: "auto", "none" or "gauss", see `Source`.

    Raises:
        InputError: A value is not allowed; when samples are drawn, also where y is not finite.

    Example:
        >>> import polyexp as p
        >>> samples = p.Problem("runge", domain=[-1, 1], num_samples=5).samples()
        >>> samples.x.tolist()
        [-1.0, -0.5, 0.0, 0.5, 1.0]
        >>> samples.y.round(6).tolist()
        [0.038462, 0.137931, 1.0, 0.137931, 0.038462]
    """

    target: Any = "sin"
    domain: list[float] = field(default_factory=lambda: [-np.pi, np.pi])
    num_samples: int = 4000
    sampling: str = "linspace"
    noise: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.target):
            self._require_target()
        wanted = "[low, high] with low < high, both finite"
        number_list(self.key("domain"), self.domain, 2, wanted)
        low, high = self.domain
        require(low < high, self.key("domain"), wanted, list(self.domain))
        wanted = f"[low, high] with high - low from {MIN_WIDTH:g} to the largest float64"
        require(MIN_WIDTH <= float(high) - float(low) < np.inf, self.key("domain"), wanted, list(self.domain))
        whole(self.key("num_samples"), self.num_samples, 1)
        one_of(self.key("sampling"), self.sampling, SAMPLING)
        finite(self.key("noise"), self.noise, 0)

    def _require_target(self) -> None:
        """Require a named target; what is given in its place may be samples, or the name of a file."""
        key, words = self.key("target"), ", ".join(TARGETS)
        is_text = isinstance(self.target, str)
        if hasattr(self.target, "__len__") and not is_text:
            raise InputError(
                f"`{key}` must be one of {words}, got {shown(self.target)}: samples are fitted by "
                "`fit(x, y, model)`, and kept with weights by `Samples.of(x, y, weights)`."
            )
        if is_text and self.target.lower().endswith(FILE_ENDINGS):
            raise InputError(
                f"`{key}` must be one of {words}, got {shown(self.target)}: a file is read by `problem=file problem.path=...`, "
                f"in Python by `DataFile({shown(self.target)}, x=..., y=...)`."
            )
        one_of(key, self.target, TARGETS)

    @property
    def choice(self) -> str:
        """The name of the target."""
        return getattr(self.target, "__name__", "function") if callable(self.target) else str(self.target)

    @property
    def axis_names(self) -> tuple[str, str]:
        """The names of x and y at the axes of pictures: x and, say, sin(x)."""
        return "x", f"{self.choice}(x)"

    @property
    def target_function(self) -> Callable[[np.ndarray], np.ndarray]:
        """The target as a function."""
        return self.named_target or self.target

    @property
    def named_target(self) -> Target | None:
        """The target where it is named; None for a function that the user gives."""
        return None if callable(self.target) else TARGETS[self.target]

    @property
    def random(self) -> bool:
        """Whether there is noise, or the x are drawn at random."""
        return self.noise > 0 or self.sampling == "uniform"

    @property
    def at_least(self) -> int:
        """The number of samples."""
        return self.num_samples

    def check(self) -> None:
        """Raise `InputError` for more samples than can be drawn in about a day."""
        wanted = f"a number of samples that can be drawn (at most {MAX_SAMPLES})"
        require(self.num_samples <= MAX_SAMPLES, self.key("num_samples"), wanted, self.num_samples)

    def not_computable(self, field: str, got: str) -> InputError:
        """The error for y whose squares float64 cannot sum; x and the weights have been validated."""
        noisy = bool(self.noise) and self.noise > MAX_Y / MAX_NORMAL
        key, value = ("noise", self.noise) if noisy else ("domain", list(self.domain))
        wanted = "small enough" if noisy else f"an interval where {self.choice} is small enough"
        return InputError(
            f"`{self.key(key)}` must be {wanted} for float64 to hold the squares of y (y up to {MAX_Y:g}), got {shown(value)}."
        )

    @property
    def interval(self) -> tuple[float, float]:
        """The domain."""
        return self.domain[0], self.domain[1]

    def chunks(
        self, seed: int = 0, on_progress: OnProgress | None = None, on_dropped: OnDropped | None = None
    ) -> Iterator[Chunk]:
        """Draw the samples.

        Args:
            seed: The seed of random x and of noise. Each has a random stream of its own, apart from that of the model's
                initial values, which therefore do not depend on the sampling.
            on_progress: Called after each chunk with the fraction of all samples that is done.
            on_dropped: Never called, as no samples are dropped.

        Raises:
            InputError: The target or the noise makes y infinite or nan.
        """
        # A stream takes 0.1 ms to be made, a tenth of the time that 4000 samples take, so it is made only where it is used.
        places, noises = (np.random.RandomState([seed, stream]) if self.random else None for stream in (1, 2))
        function = self.target_function
        for begin in range(0, self.num_samples, SAMPLES_PER_CHUNK):
            index = np.arange(begin, min(begin + SAMPLES_PER_CHUNK, self.num_samples), dtype=float)
            with np.errstate(all="ignore"):  # values that are not finite are refused below, in one sentence
                x = SAMPLING[self.sampling](*self.interval, index, self.num_samples, places)
                # A function that the user gives may write into its argument, or return one number for all of x.
                values = function(x.copy() if callable(self.target) else x)
                # What NumPy has masked is not defined there, as nan is not.
                y = np.broadcast_to(np.ma.filled(np.asanyarray(values, float), np.nan), x.shape)
            wanted = f"an interval where {self.choice} is finite"
            require(bool(np.isfinite(y).all()), self.key("domain"), wanted, list(self.domain))
            if self.noise and noises:
                y = y + noises.normal(0, self.noise, x.shape)
                wanted = "small enough to keep y finite"
                require(bool(np.isfinite(y).all()), self.key("noise"), wanted, self.noise)
            yield Chunk(x, y, np.broadcast_to(1.0, x.shape))
            if on_progress:
                on_progress((begin + x.size) / self.num_samples)
