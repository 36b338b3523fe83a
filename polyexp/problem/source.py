"""What samples come from: a component that gives them chunk by chunk."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import numpy as np

from polyexp.base import Component, InputError, one_of, whole
from polyexp.problem.samples import Chunk, Samples
from polyexp.problem.targets import Target

__all__ = ["SAMPLES_PER_CHUNK", "Dropped", "OnDropped", "OnProgress", "Source"]


class Dropped(NamedTuple):
    """Rows that were left out because a number was missing or of no use; as text, one sentence."""

    name: str  # of the file
    rows: int
    of: int
    first: int  # its row, counting from 1
    why: str

    def __str__(self) -> str:
        return f"{self.rows} of {self.of} rows of {self.name} were dropped, the first is row {self.first} ({self.why})."


OnProgress = Callable[[float], None]
"""Called after each chunk with the fraction of all samples that is done."""
OnDropped = Callable[[Dropped], None]
"""Called after the last chunk if rows were left out."""
SAMPLES_PER_CHUNK = 2**20  # samples drawn or read at a time: 24 MiB of x, y and weights


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
    def function(self) -> Target | None:
        """The function that the samples are of; None where it is not known, as of a data file."""
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
    def chunks(
        self, seed: int = 0, on_progress: OnProgress | None = None, on_dropped: OnDropped | None = None
    ) -> Iterator[Chunk]:
        """All samples in chunks of bounded size; may be called again and then gives the same."""

    def samples(
        self, seed: int = 0, on_progress: OnProgress | None = None, on_dropped: OnDropped | None = None
    ) -> Samples:
        """All samples at once; InputError where memory does not hold them."""
        whole("seed", seed, 0, 2**32 - 1)
        self.check()
        try:
            np.empty((3, self.at_least))  # fails at once where collecting them would fail after a long time
            x, y, weights = (
                np.concatenate(one) for one in zip(*self.chunks(seed, on_progress, on_dropped), strict=True)
            )
            return Samples.of(x, y, weights, loss=self.loss, domain=self.interval, name=self.label)
        except MemoryError as error:
            raise InputError(
                f"{self.label} has more samples than memory holds: type `problem.reduction=auto`."
            ) from error
