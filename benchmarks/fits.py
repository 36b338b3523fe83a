"""The original programs, PyTorch Lightning and scikit-learn against polyexp: the same problem, start, rate and steps."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import polyexp as p
from benchmarks import originals, others
from benchmarks.timing import Row, compare

RUNS = 1000


def power_series(loop: type[p.Loop], backend: p.Backend, start: list[float]) -> np.ndarray:
    """The problem of A, B and C."""
    return p.fit(p.Problem("sin"), p.PowerSeries(degree=7), loop=loop(), backend=backend, params=start).params


def legendre(start: Any, backend: p.Backend | None = None) -> np.ndarray:
    """The problem of D; `start` may be those of many runs."""
    problem = p.Problem("sin", num_samples=2000, loss="sum")
    loop, optimizer = p.Autograd(steps=2000, log_every=100), p.GradientDescent(5e-6)
    backend = backend or p.Torch("float32")
    return p.fit(problem, p.Legendre(), loop=loop, optimizer=optimizer, backend=backend, params=start).params


def legendre_together() -> np.ndarray:
    """The first of a thousand runs of D, from starts of their own."""
    starts = np.array(originals.D_START) + np.linspace(0, 0.1, RUNS)[:, None]
    return legendre(starts)[0]


def to_the_excess(excess: float) -> np.ndarray:
    """A Legendre series, from zeros, until its loss is within `excess` of the best possible one."""
    model = p.LegendreSeries(degree=7, initial="zeros")
    loop = p.Manual(steps=100_000, log_every=10, tolerance=excess)
    result = p.fit(p.Problem("sin"), model, loop=loop, optimizer=p.GradientDescent("auto"), backend=p.NumPy())
    assert result.outcome is p.Outcome.CONVERGED
    return result.power_series


def parameters(program: Callable[[], tuple[float, list[float]]]) -> list[float]:
    """What a program fitted, without its last loss."""
    return program()[1]


def rows() -> Iterator[Row]:
    """Every comparison, each when it is done."""
    numpy, torch = p.NumPy(), p.Torch("float32")
    a, b, c, d = (
        partial(parameters, program)
        for program in (
            originals.numpy_manual,
            originals.torch_manual,
            originals.torch_autograd,
            originals.torch_function,
        )
    )
    ours = partial(power_series, p.Manual, numpy, originals.A_START)
    yield compare("A: NumPy, by hand, 4000 steps", "original program", a, ours, wanted="300")
    ours = partial(power_series, p.Manual, torch, originals.C_START)
    yield compare("B: torch, by hand, 4000 steps", "original program", b, ours, wanted="15")
    ours = partial(power_series, p.Autograd, torch, originals.C_START)
    yield compare("C: torch, autograd, 4000 steps", "original program", c, ours, wanted="6")
    ours = partial(legendre, originals.D_START)
    yield compare("D: torch, custom Function, 2000 steps", "original program", d, ours, wanted="1")
    jax = p.JAX("float32")
    ours = partial(power_series, p.Autograd, jax, originals.C_START)
    yield compare("C by JAX, autograd, compiled", "original program", c, ours, wanted="200")
    ours = partial(legendre, originals.D_START, jax)
    yield compare("D by JAX, autograd, compiled", "original program", d, ours, wanted="100")
    label = f"{RUNS} times the original program"
    yield compare(f"D: {RUNS} runs together", label, d, legendre_together, wanted="100", times=RUNS)
    lightning = partial(parameters, others.lightning_trainer)
    ours = partial(power_series, p.Manual, numpy, originals.C_START)
    yield compare("C's problem, NumPy, by hand, 4000 steps", "PyTorch Lightning", lightning, ours, wanted="50")
    ours = partial(power_series, p.Manual, torch, originals.C_START)
    yield compare("C's problem, torch, by hand, 4000 steps", "PyTorch Lightning", lightning, ours, wanted="50")
    ours = partial(power_series, p.Autograd, torch, originals.C_START)
    yield compare("C's problem, torch, autograd, 4000 steps", "PyTorch Lightning", lightning, ours)
    sgd = partial(others.sgd_regressor, others.EXCESS)
    ours = partial(to_the_excess, others.EXCESS)
    yield compare(f"Legendre series, to an excess of {others.EXCESS:g}", "scikit-learn's SGDRegressor", sgd, ours)
