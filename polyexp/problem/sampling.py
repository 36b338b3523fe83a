"""What to approximate: a named function on a domain, and how it is sampled."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from polyexp.base.component import Component
from polyexp.base.validation import InputError, finite, number_list, one_of, require, whole
from polyexp.problem.samples import Chunk, Samples

__all__ = ["TARGETS", "Dropped", "Notice", "Problem", "Progress", "Source"]

MAX_SAMPLES = 10**12  # a day at ten million samples a second
CHUNK = 2**20  # samples drawn or read at a time: 24 MiB of x, y and weights

TARGETS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "sin": np.sin,
    "cos": np.cos,
    "exp": np.exp,
    "runge": lambda x: 1 / (1 + 25 * x * x),  # Runge (1901)
    "gaussian": lambda x: np.exp(-x * x),
    "abs": np.abs,
}


class Dropped(NamedTuple):
    """Rows that were left out because a number was missing or of no use; as text, one sentence."""

    name: str  # of the file
    rows: int
    of: int
    first: int  # its row, counting from 1
    why: str

    def __str__(self) -> str:
        return f"{self.rows} of {self.of} rows of {self.name} were dropped, the first is row {self.first} ({self.why})."


Progress = Callable[[float], None]
"""Called after each chunk with the fraction of all samples that is done."""
Notice = Callable[[Dropped], None]
"""Called after the last chunk if rows were left out."""


@dataclass
class Source(Component):
    """Where samples come from, chunk by chunk, so that there may be more of them than memory holds.

    loss: "mean" or "sum" of the squared residuals (each times its weight; the mean divides by the sum of weights).
    reduction: "gauss" replaces the samples by the few weighted ones that give every polynomial of the model's degree the
    same loss, "none" keeps them, "auto" reduces where that is exact and makes them fewer.
    """

    group: ClassVar[str] = "problem"

    loss: str = field(default="mean", kw_only=True)
    reduction: str = field(default="auto", kw_only=True)

    def __post_init__(self) -> None:
        one_of(self.key("loss"), self.loss, ("mean", "sum"))
        one_of(self.key("reduction"), self.reduction, ("auto", "none", "gauss"))

    @property
    def interval(self) -> tuple[float, float] | None:
        """The domain where it is known beforehand; None means from the least to the greatest x."""
        return None

    @property
    def label(self) -> str:
        """What the samples are called where they are shown or recorded."""
        return self.choice

    @property
    def at_least(self) -> int:
        """A number of samples that is known without reading them."""
        return 0

    @property
    def stamp(self) -> object:
        """Something that changes when the samples do though the settings do not: a file's size and time."""
        return None

    def check(self) -> None:
        """InputError where it is plain, without reading them all, that there are no samples."""

    @abstractmethod
    def chunks(self, seed: int = 0, progress: Progress | None = None, notice: Notice | None = None) -> Iterator[Chunk]:
        """All samples in chunks of bounded size; may be called again and then gives the same."""

    def samples(self, seed: int = 0, progress: Progress | None = None, notice: Notice | None = None) -> Samples:
        """All samples at once; InputError where memory does not hold them."""
        whole("seed", seed, 0, 2**32 - 1)
        self.check()
        try:
            np.empty((3, self.at_least))  # fails at once where collecting them would fail after a long time
            x, y, weights = (np.concatenate(one) for one in zip(*self.chunks(seed, progress, notice), strict=True))
            return Samples.of(x, y, weights, loss=self.loss, domain=self.interval, name=self.label)
        except MemoryError as error:
            raise InputError(
                f"{self.label} has more samples than memory holds: type `problem.reduction=auto`."
            ) from error


def _linspace(low: float, high: float, index: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    step = (high - low) / max(n - 1, 1)
    x = index * step  # as np.linspace computes it, which sets the last point to `high`
    x += low
    if index[-1] == n - 1 > 0:
        x[-1] = high
    return x


def _uniform(low: float, high: float, index: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    return rng.uniform(low, high, index.size)


def _chebyshev(low: float, high: float, index: np.ndarray, n: int, rng: np.random.RandomState) -> np.ndarray:
    nodes = -np.cos((2 * index + 1) * np.pi / (2 * n))
    return (low + high) / 2 + (high - low) / 2 * nodes


SAMPLING: Mapping[str, Callable[[float, float, np.ndarray, int, np.random.RandomState], np.ndarray]] = {
    "linspace": _linspace,
    "uniform": _uniform,
    "chebyshev": _chebyshev,
}


@dataclass
class Problem(Source, name="target"):
    """Samples of a function on an interval.

    target: one of `TARGETS`, or in Python any function of an array.
    domain: [low, high]. num_samples: N. noise: standard deviation of Gaussian noise added to y.
    sampling: "linspace" (equidistant, both ends included), "uniform" (random), "chebyshev" (the zeros of T_N).
    """

    target: Any = "sin"
    domain: list[float] = field(default_factory=lambda: [-np.pi, np.pi])
    num_samples: int = 4000
    sampling: str = "linspace"
    noise: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not callable(self.target):
            one_of(self.key("target"), self.target, TARGETS)
        wanted = "[low, high] with low < high, both finite"
        number_list(self.key("domain"), self.domain, 2, wanted)
        require(self.domain[0] < self.domain[1], self.key("domain"), wanted, list(self.domain))
        whole(self.key("num_samples"), self.num_samples, 1)
        one_of(self.key("sampling"), self.sampling, SAMPLING)
        finite(self.key("noise"), self.noise, 0)

    @property
    def choice(self) -> str:
        """The target's name."""
        return getattr(self.target, "__name__", "function") if callable(self.target) else str(self.target)

    @property
    def at_least(self) -> int:
        """All of them."""
        return self.num_samples

    def check(self) -> None:
        """InputError for more samples than can be drawn in a day."""
        wanted = f"a number of samples that can be drawn (at most {MAX_SAMPLES})"
        require(self.num_samples <= MAX_SAMPLES, self.key("num_samples"), wanted, self.num_samples)

    @property
    def interval(self) -> tuple[float, float]:
        """The domain."""
        return self.domain[0], self.domain[1]

    def chunks(self, seed: int = 0, progress: Progress | None = None, notice: Notice | None = None) -> Iterator[Chunk]:
        """Draw the samples. Random ones come from streams of their own, so that they never move the initial values."""
        places, noises = np.random.RandomState([seed, 1]), np.random.RandomState([seed, 2])
        function = self.target if callable(self.target) else TARGETS[self.target]
        for begin in range(0, self.num_samples, CHUNK):
            index = np.arange(begin, min(begin + CHUNK, self.num_samples), dtype=float)
            with np.errstate(all="ignore"):  # what is not finite is refused below
                x = SAMPLING[self.sampling](*self.interval, index, self.num_samples, places)
                y = np.broadcast_to(np.asarray(function(x.copy() if callable(self.target) else x), float), x.shape)
            wanted = f"an interval where {self.choice} is finite"
            require(bool(np.isfinite(y).all()), self.key("domain"), wanted, list(self.domain))
            if self.noise:
                y = y + noises.normal(0, self.noise, x.shape)
                wanted = "a number whose multiples are finite"
                require(bool(np.isfinite(y).all()), self.key("noise"), wanted, self.noise)
            yield Chunk(x, y, np.broadcast_to(1.0, x.shape))
            if progress:
                progress((begin + x.size) / self.num_samples)
