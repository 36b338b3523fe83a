"""The polynomial problems of NIST's Statistical Reference Datasets, and the ways in which their coefficients are computed."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import numpy as np
from numpy.polynomial import Chebyshev, Legendre, Polynomial

import polyexp as p

FOLDER = Path(__file__).parents[1] / "data" / "nist"
NAMES = ("wampler1", "wampler2", "wampler3", "wampler4", "wampler5", "filip")
BASES = {"Legendre series": p.LegendreSeries, "Chebyshev series": p.ChebyshevSeries}
OPTIMIZERS = {
    "gradient descent": p.GradientDescent("auto"),
    "momentum": p.Momentum("auto", momentum="auto"),
}
LOOPS = {
    "closed form, 1e18 steps": p.ClosedForm(steps=10**18, log_every=10**18),
    "200 000 steps": p.Manual(steps=200_000, log_every=50_000),
}
MOST_DIGITS = 15  # of the certified values


@dataclass(frozen=True)
class DataSet:
    """One problem, with its certified solution.

    coefficients: by ascending power of x. residual: the sum of the squared residuals.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    coefficients: np.ndarray
    residual: float

    @property
    def path(self) -> Path:
        return FOLDER / f"{self.name}.csv"

    @property
    def degree(self) -> int:
        return len(self.coefficients) - 1

    @property
    def lowest(self) -> float:
        """The certified mean of the squared residuals."""
        return self.residual / self.x.size

    @property
    def mean_square(self) -> float:
        """The mean of y squared."""
        return float((self.y**2).mean())

    @cached_property
    def samples(self) -> p.Samples:
        return p.Samples.of(self.x, self.y)

    def digits(self, found: np.ndarray) -> float:
        """The number of correct digits of the coefficient that has fewest: -log10 |c - certified| / |certified|."""
        error = (np.abs(found - self.coefficients) / np.abs(self.coefficients)).max()
        return float(-np.log10(max(error, 10.0**-MOST_DIGITS)))


@cache
def data_set(name: str) -> DataSet:
    """A problem by its name."""
    certified = json.loads((FOLDER / "certified.json").read_text(encoding="utf-8"))[name]
    x, y = np.loadtxt(FOLDER / f"{name}.csv", delimiter=",", skiprows=1, unpack=True)
    return DataSet(name, x, y, np.array(certified["coefficients"], float), certified["residual_sum_of_squares"])


def numpy_coefficients(data: DataSet) -> Iterator[tuple[str, np.ndarray]]:
    """The coefficients that NumPy's own least-squares fits find, by the name of their class."""
    for cls in (Polynomial, Legendre, Chebyshev):
        yield cls.__name__, cls.fit(data.x, data.y, data.degree).convert(kind=Polynomial).coef


def paths() -> Iterator[tuple[str, str, str]]:
    """The eight ways by which polyexp computes coefficients: basis, optimizer and loop."""
    return ((basis, optimizer, loop) for loop in LOOPS for optimizer in OPTIMIZERS for basis in BASES)


def fitted(
    data: DataSet, basis: str, optimizer: str, loop: str, backend: Callable[[], p.Backend] = p.NumPy
) -> p.Result:
    """The fit of a problem by one of these ways, from zeros."""
    model = BASES[basis](degree=data.degree, initial="zeros")
    return p.fit(data.samples, model, loop=LOOPS[loop], optimizer=OPTIMIZERS[optimizer], backend=backend())
