"""Sources: components that give samples chunk by chunk."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import ClassVar, NamedTuple

import numpy as np

from polyexp.base import Component, InputError, counted, cut, one_of, whole
from polyexp.problem.samples import Chunk, Samples, chunk_of
from polyexp.problem.targets import Target

__all__ = ["COMPUTABLE", "MAX_Y", "MIN_WIDTH", "SAMPLES_PER_CHUNK", "Dropped", "OnDropped", "OnProgress", "Source"]


class Dropped(NamedTuple):
    """Rows of a file that were dropped because a number was missing or not allowed; as text, one sentence.

    Args:
        name: The name of the file.
        rows: The number of rows that were dropped.
        of: The number of all rows.
        first: The number of the first row that was dropped, counted from 1.
        why: What was wrong with that row.
    """

    name: str
    rows: int
    of: int
    first: int
    why: str

    def __str__(self) -> str:
        were = "was" if self.rows == 1 else "were"
        first = "it" if self.rows == 1 else "the first"
        of = f"{self.rows} of {counted(self.of, 'row')} of {cut(self.name)}"
        return f"{of} {were} dropped; {first} was row {self.first} ({self.why})."


OnProgress = Callable[[float], None]
"""Called after each chunk with the fraction of all samples that is done."""
OnDropped = Callable[[Dropped], None]
"""Called after the last chunk if rows were dropped."""
MAX_Y = 1e135  # whose square is far from the largest float64, as is what is computed from it
MAX_WEIGHT = MAX_Y**2  # of the sum of the weights; 1 / MAX_WEIGHT is the least sum
# Of the interval of x: float64 has fewer digits in much narrower ones, and their reciprocals overflow.
MIN_WIDTH = 1e-300
COMPUTABLE = {
    "x": f"numbers in an interval whose width is from {MIN_WIDTH:g} to the largest float64",
    "y": f"numbers whose squares float64 holds (up to {MAX_Y:g})",
    "weight": f"numbers whose sum is from {1 / MAX_WEIGHT:g} to {MAX_WEIGHT:g}, also with the squares of y",
}
SAMPLES_PER_CHUNK = 2**20  # samples drawn or read at a time: 24 MiB of x, y and weights


@dataclass
class Source(Component):
    """The source of samples, chunk by chunk, so that there may be more of them than memory holds.

    `Problem` draws the samples of a function, `DataFile` reads them from a file.

    Args:
        loss: "mean" or "sum" of the squared residuals, each times its weight; the mean divides by the sum of the weights.
        reduction: "gauss" replaces the samples by the nodes of their gauss rule, which give every polynomial of the
            model's degree the same loss; "none" keeps all samples; "auto" reduces them where that is exact and makes
            them fewer.

    Raises:
        InputError: `loss` or `reduction` is none of these.

    Example:
        >>> import polyexp as p
        >>> source = p.Problem("exp", domain=[0, 1], num_samples=3, loss="sum")
        >>> isinstance(source, p.Source), sum(chunk.x.size for chunk in source.chunks())
        (True, 3)
        >>> source.samples().weights.tolist()
        [1.0, 1.0, 1.0]
    """

    group: ClassVar[str] = "problem"

    loss: str = field(default="mean", kw_only=True)
    reduction: str = field(default="auto", kw_only=True)

    def __post_init__(self) -> None:
        one_of(self.key("loss"), self.loss, ("mean", "sum"))
        one_of(self.key("reduction"), self.reduction, ("auto", "none", "gauss"))

    @property
    def interval(self) -> tuple[float, float] | None:
        """The domain, or None for the interval from the least to the greatest x."""
        return None

    @property
    def target_function(self) -> Callable[[np.ndarray], np.ndarray] | None:
        """The function that the samples are of, or None where it is unknown, as for a data file."""
        return None

    @property
    def named_target(self) -> Target | None:
        """The named target that the samples are of, or None where it is another function or unknown."""
        return None

    @property
    def label(self) -> str:
        """The name of the samples in messages, pictures and records."""
        return self.choice

    @property
    def axis_names(self) -> tuple[str, str]:
        """The names of x and y at the axes of pictures."""
        return "x", "y"

    @property
    def random(self) -> bool:
        """Whether the samples may depend on the seed."""
        return True

    @property
    def at_least(self) -> int:
        """A lower bound of the number of samples, found without reading them."""
        return 0

    @property
    def stamp(self) -> object:
        """A value that changes with the samples where the settings do not, such as the size and time of a file."""
        return None

    def check(self) -> None:
        """Raise `InputError` where there are no samples, as far as that can be found without reading all of them."""

    @abstractmethod
    def chunks(
        self, seed: int = 0, on_progress: OnProgress | None = None, on_dropped: OnDropped | None = None
    ) -> Iterator[Chunk]:
        """All samples in chunks of bounded size. Every call gives the same samples.

        Args:
            seed: The seed of random samples.
            on_progress: Called after each chunk with the fraction of all samples that is done.
            on_dropped: Called after the last chunk if rows were dropped.

        Raises:
            InputError: The samples cannot be drawn or read.
        """

    def computable_chunks(
        self, seed: int = 0, on_progress: OnProgress | None = None, on_dropped: OnDropped | None = None
    ) -> Iterator[Chunk]:
        """The same chunks, of which every square and sum is one that float64 holds; the arguments are those of `chunks`.

        Raises:
            InputError: y or the weights are too large, the weights are too small, or x has too narrow or too wide an interval.
        """
        low, high, mass = np.inf, -np.inf, 0.0
        for arrays in self.chunks(seed, on_progress, on_dropped):
            chunk = self._computable(chunk_of(arrays))  # a source of others may give lists
            yield chunk
            low, high = min(low, float(chunk.x.min())), max(high, float(chunk.x.max()))
            mass += float(chunk.weights.sum())
        if self.interval is None and low < high and not MIN_WIDTH <= high - low < np.inf:
            raise self.not_computable("x", f"numbers from {low:g} to {high:g}")
        if 0 < mass < 1 / MAX_WEIGHT:
            raise self.not_computable("weight", f"weights with the sum {mass:g}")

    def _computable(self, chunk: Chunk) -> Chunk:
        with np.errstate(over="ignore"):
            largest, mass = float(np.abs(chunk.y).max()), float(chunk.weights.sum())
            total = float((chunk.weights * np.square(chunk.y)).sum())
        if not largest <= MAX_Y:
            raise self.not_computable("y", f"{largest:g}")
        if not max(mass, total) <= MAX_WEIGHT:
            raise self.not_computable("weight", f"{chunk.weights.max():g}")
        return chunk

    def not_computable(self, field: str, got: str) -> InputError:
        """The error for numbers that are finite, but of which float64 cannot compute a loss.

        Args:
            field: What is wrong: "x", "y" or "weight".
            got: What was found, in words.
        """
        return InputError(f"The {field} of {self.label} must be {COMPUTABLE[field]}, got {got}.")

    def samples(
        self, seed: int = 0, on_progress: OnProgress | None = None, on_dropped: OnDropped | None = None
    ) -> Samples:
        """All samples at once; the arguments are those of `chunks`.

        Raises:
            InputError: The samples cannot be drawn or read, or memory does not hold them.
        """
        whole("seed", seed, 0, 2**32 - 1)
        self.check()
        try:
            np.empty((3, self.at_least))  # fails at once where collecting them would fail after a long time
            x, y, weights = (
                np.concatenate(one) for one in zip(*self.computable_chunks(seed, on_progress, on_dropped), strict=True)
            )
            samples = Samples.of(x, y, weights, loss=self.loss, domain=self.interval, name=self.label)
            return replace(samples, target=self.named_target)
        except MemoryError as error:
            raise InputError(
                f"{self.label} has more samples than memory holds: type `problem.reduction=auto`."
            ) from error
