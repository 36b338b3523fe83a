"""Every formulation that can run here, each compared with the reference."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from polyexp.backend import Backend, NumPy
from polyexp.base import Component, InputError
from polyexp.crosscheck.differences import TOLERANCE, largest_difference, one_line
from polyexp.crosscheck.reference import Reference
from polyexp.device import CPU, CUDA, Device
from polyexp.exact import quadratic_of
from polyexp.fitting import History, fit, place
from polyexp.fitting.updates import Arguments, Compilable
from polyexp.loop import ClosedForm, Loop
from polyexp.model import Model
from polyexp.optimizer import GradientDescent, Optimizer
from polyexp.problem import Array, Samples

__all__ = ["Formulation", "formulations", "paths"]


@dataclass(frozen=True)
class Formulation:
    """One way to compute the fit, and its differences from the reference.

    The differences are relative. They are inf if the formulation failed, and nan if rounding decides the steps.

    Args:
        name: Backend, loop and device.
        samples: The number of samples that it fitted.
        params: The largest difference of a parameter at any snapshot, relative to the largest parameter of the reference (for
            the closed form also that of the optimum, if it is larger).
        loss: The largest difference of a loss at any snapshot, relative to the loss or to that of y = 0, whichever is larger.
        gradient: The largest difference of a gradient at the first and last parameters, relative to its largest term.
        agrees: Whether all differences are within their tolerances.
        note: What went wrong, in one line.
    """

    name: str
    samples: int
    params: float
    loss: float
    gradient: float
    agrees: bool
    note: str = ""


def formulations(
    model: Model, samples: Samples, optimizer: Optimizer, initial: np.ndarray, steps: int, reference: Reference
) -> Iterator[Formulation]:
    """Every formulation on these samples, with its differences from the reference.

    Args:
        model: The model on the domain of the samples.
        samples: The samples, reduced or not.
        optimizer: The optimizer; its learning rate is a number.
        initial: The initial values. Shape (K,).
        steps: The number of steps.
        reference: The reference.
    """
    quadratic = quadratic_of(model, samples)
    for backend, device, loop in paths(steps, reference.every):

        def run(backend: Backend = backend, device: Device = device, loop: Loop = loop) -> tuple[History, float]:
            found = fit(samples, model, loop=loop, optimizer=optimizer, backend=backend, device=device, params=initial)
            return found.history, _gradient_difference(model, samples, backend.on_device(device), loop, reference)

        yield _formulation(f"{backend.choice} {loop.choice} {device}", samples, reference, run)
    if quadratic and optimizer.damping(quadratic.eigenvalues, 1) is not None:

        def closed_form_run() -> tuple[History, float]:
            found = fit(samples, model, loop=ClosedForm(steps), optimizer=optimizer, backend=NumPy(), params=initial)
            grad = (quadratic.eigenvalues * quadratic.coordinates(reference.at)) @ quadratic.modes.T
            return found.history, largest_difference(grad - reference.gradient, reference.size[:, None])

        optimum = float(np.abs(quadratic.optimum).max())  # added and subtracted here, so that its rounding counts
        yield _formulation("closed_form", samples, reference, closed_form_run, optimum)


def paths(steps: int, every: int) -> Iterator[tuple[Backend, CPU | CUDA, Loop]]:
    """Every registered loop with every backend and device that offer what it needs and exist here, in float64.

    Args:
        steps: The number of steps.
        every: The number of steps between two snapshots.
    """
    backends = [cls(dtype="float64") for cls in _registered(Backend)]
    loops = [cls(steps, every) for cls in _registered(Loop) if not cls.direct]
    for backend in backends:
        for device in (backend.device, CUDA()):
            for loop in loops:
                if {device.kind, *loop.needs} <= backend.offers and str(device) in _devices(backend):
                    yield backend, device, loop


def _registered(base: Any) -> list[Any]:
    return [cls for (group, _), cls in sorted(Component.registry.items()) if group == base.group]


def _devices(backend: Backend) -> Sequence[str]:
    """The devices that a backend can use here: none where its library is not installed."""
    try:
        return backend.devices()
    except InputError:
        return ()


def _formulation(
    name: str,
    samples: Samples,
    reference: Reference,
    run: Callable[[], tuple[History, float]],
    least_scale: float = 0.0,
) -> Formulation:
    try:
        with np.errstate(all="ignore"):
            history, gradient = run()
    except Exception as error:  # models and plugins of others may raise anything; their faults are findings
        return Formulation(name, samples.size, np.inf, np.inf, np.inf, False, one_line(error))
    if not reference.step.size:
        return Formulation(name, samples.size, np.nan, np.nan, gradient, gradient <= TOLERANCE)
    _, here, there = np.intersect1d(reference.step, history.step, return_indices=True)
    if not here.size or here[-1] != reference.step.size - 1:
        return Formulation(name, samples.size, np.inf, np.inf, gradient, False, "It ended before the reference did.")
    seen = replace(reference, step=reference.step[here], params=reference.params[here], loss=reference.loss[here])
    params, loss = seen.params_difference(history.params[there], least_scale), seen.loss_difference(history.loss[there])
    agrees = max(params, loss) <= reference.tolerance and gradient <= TOLERANCE
    return Formulation(name, samples.size, params, loss, gradient, agrees)


def _gradient_difference(model: Model, samples: Samples, backend: Backend, loop: Loop, reference: Reference) -> float:
    """The difference of both gradient functions of a loop, at each of the two parameters and at both as a batch."""
    data, size = place(samples, model, backend), reference.size[:, None]
    gradients = backend.compile(Gradients.of(model, loop, GradientDescent(), backend))
    return max(
        largest_difference(backend.get(gradient) - reference.gradient[which], size[which])
        for which in (0, 1, slice(None))
        for gradient in gradients(data.arguments, backend.put(reference.at[which]))
    )


class Gradients(Compilable):
    """The gradient by each of the two functions of a loop."""

    def __call__(self, samples: Arguments, params: Array) -> tuple[Array, Array]:
        """The gradient that comes with the loss, and the one that comes alone."""
        data = self.data(samples)
        _, gradient = self.loop.value_and_gradient(self.model, data)(params)
        return gradient, self.loop.gradient(self.model, data)(params)
