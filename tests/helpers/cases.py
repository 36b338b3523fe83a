"""What the numeric tests are parametrised over: every model, loop, optimizer and backend that polyexp registers."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import ArrayLike, NDArray

import polyexp as p
from polyexp.base import Component

GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU, and torch sees none here")
EPS = float(np.finfo(float).eps)
DOMAIN = (-2.0, 3.0)
RUNS = [(), (3,), (2, 3)]


def registered(group: str) -> list[type[Any]]:
    """The classes of a group that polyexp itself registers."""
    return [cls for (of, _), cls in Component.registry.items() if of == group and cls.__module__.startswith("polyexp.")]


def named(cls: type[Any]) -> str:
    """The id of a class in the name of a test."""
    return str(cls.name)


MODELS = registered("model")
LINEAR = [cls for cls in MODELS if cls.linear]
LOOPS = [cls for cls in registered("loop") if not cls.direct]
OPTIMIZERS = registered("optimizer")


def marks(backend: type[Any], device: Any) -> list[pytest.MarkDecorator]:
    """The mark of a case: it is skipped where the backend finds no such device.

    torch is asked first, so that no other library is imported for nothing: without its GPU no backend has one.
    """
    if device.kind == "cpu":
        return []
    found = torch.cuda.is_available() and str(device) in backend().devices()
    return [pytest.mark.skipif(not found, reason=f"needs a CUDA GPU, and {backend.name} sees none here")]


# Every way to compute a gradient: (backend class, device, loop class).
PATHS = [
    pytest.param(backend, device, loop, marks=marks(backend, device), id=f"{backend.name}-{device}-{loop.name}")
    for backend in registered("backend")
    for device in (p.CPU(), p.CUDA())
    for loop in LOOPS
    if {device.kind, *loop.needs} <= backend.offers
]
PLACES = [
    pytest.param(backend, device, marks=marks(backend, device), id=f"{backend.name}-{device}")
    for backend in registered("backend")
    for device in (p.CPU(), p.CUDA())
    if device.kind in backend.offers
]

every_model = pytest.mark.parametrize("cls", MODELS, ids=named)
every_optimizer = pytest.mark.parametrize("cls", OPTIMIZERS, ids=named)
every_path = pytest.mark.parametrize(("backend_class", "device", "loop_class"), PATHS)
every_place = pytest.mark.parametrize(("backend_class", "device"), PLACES)
every_runs = pytest.mark.parametrize("runs", RUNS, ids=str)


class NoPolynomial(p.PowerSeries):
    """A model that does not state the degree of a polynomial."""

    polynomial_degree = None


def bound(cls: type[Any], degree: int) -> Any:
    """A model for samples on DOMAIN."""
    return cls(degree=degree).on_domain(DOMAIN)


def normal(seed: int, *shape: int) -> NDArray[np.float64]:
    """Normally distributed numbers."""
    return np.random.RandomState(seed).standard_normal(shape)


def assert_close(actual: ArrayLike, expected: Any, rtol: float, scale: Any = None) -> None:
    """Equal to rtol of the largest value expected: where half of the numbers are zero, rtol alone fails."""
    scale = np.abs(expected).max(initial=0) if scale is None else scale
    np.testing.assert_array_less(np.abs(np.asarray(actual) - expected), rtol * scale + 1e-300)


def assert_same(backend: type[Any], actual: ArrayLike, expected: Any, operations: int, eps: float = EPS) -> None:
    """Equal to the bit where the backend computes one operation after the other.

    One that compiles fuses operations, which then round otherwise: each by at most eps of the largest value, and none of what
    is compared here amplifies rounding, so that the differences add up to at most `operations` * eps.
    """
    if backend is p.JAX:
        assert_close(actual, expected, operations * eps)
    else:
        np.testing.assert_array_equal(actual, expected)
