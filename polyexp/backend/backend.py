"""The base class of backends: an array library on a device."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn, Self, TypeVar

import numpy as np

from polyexp.base import Component, InputError, one_of
from polyexp.device import CPU, CUDA, Device
from polyexp.model import Elementwise
from polyexp.problem import Array

__all__ = ["Backend", "Carry", "Function"]

Carry = TypeVar("Carry")
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass
class Backend(Component):
    """An array library that computes a fit, on a device.

    It says where arrays live (`put`, `get`, `devices`), how a function is differentiated (`value_and_grad`, `custom_vjp`), and
    how a step is repeated (`repeat`, `compile`). `offers` names the kinds of device that it can use ("cpu", "cuda") and what
    else it can do ("autograd"). The backends are `NumPy`, `Torch` and `JAX`.

    Args:
        dtype: The format of its numbers, "float64" or "float32".

    Raises:
        InputError: `dtype` is none of these.

    Example:
        >>> import polyexp as p
        >>> [(backend.choice, sorted(backend.offers)) for backend in (p.NumPy(), p.Torch())]
        [('numpy', ['cpu']), ('torch', ['autograd', 'cpu', 'cuda'])]
    """

    group: ClassVar[str] = "backend"
    renamed: ClassVar[Mapping[str, str]] = {"on": "on_device", "iterate": "repeat"}
    offers: ClassVar[frozenset[str]] = frozenset({"cpu"})

    dtype: str = "float64"

    def __post_init__(self) -> None:
        one_of(self.key("dtype"), self.dtype, ("float64", "float32"))
        self.device: CPU | CUDA = self.default_device

    @property
    def identity(self) -> tuple[Any, ...]:
        """The class, the dtype and the device."""
        return *super().identity, self.device

    @property
    def default_device(self) -> CPU:
        """The device of a backend that has not been put on another: the processor, with one thread."""
        return CPU(threads=1)

    @property
    def threads(self) -> int:
        """The number of threads on a processor for which none is given."""
        return 1

    def on_device(self, device: Device) -> Self:
        """A copy of this backend on a device.

        Raises:
            InputError: The backend cannot use the device, or there is no such device.
        """
        if device.kind not in self.offers:
            raise InputError(
                f"`device={device.choice}` does not work with `backend={self.choice}`, which offers "
                f"{', '.join(sorted(self.offers))}: type `backend=torch`, or `device=cpu`."
            )
        return self._with(device=device.resolve(self))

    def devices(self) -> Sequence[str]:
        """The names of the devices of this machine that the library can use, such as `cpu` and `cuda:0`."""
        return ("cpu",)

    @property
    @abstractmethod
    def library(self) -> str:
        """The library with its version, such as `torch 2.13.0`."""

    def describe(self) -> str:
        """The library, the dtype and the device, such as `torch 2.13.0, float64, cpu`."""
        return f"{self.library}, {self.dtype}, {self.device}"

    @abstractmethod
    def put(self, array: np.ndarray) -> Array:
        """An array of this backend on its device, cast from a NumPy array to `dtype`; the shape stays the same."""

    @abstractmethod
    def get(self, array: Array) -> np.ndarray:
        """A float64 NumPy array from one of this backend. The host waits until the device has computed it."""

    def value_and_grad(self, function: Callable[[Array], Array]) -> Callable[[Array], tuple[Array, Array]]:
        """The function params -> (value, gradient), by automatic differentiation of the sum of the values.

        # shape: (*runs, K) -> (*runs,), (*runs, K)

        Args:
            function: The function params -> value, in which the value of a run depends on its own parameters only, so that
                the gradient of the sum holds the gradient of each run. # shape: (*runs, K) -> (*runs,)

        Raises:
            InputError: The library does not differentiate.
        """
        self._refuse_autograd()

    def custom_vjp(
        self, forward: Callable[[Array], Array], backward: Callable[[Array, Array], Array]
    ) -> Callable[[Array], Array]:
        """The function `forward`, which this backend differentiates by `backward`.

        Args:
            forward: The function x -> y.
            backward: Its vector-Jacobian product (x, gradient with respect to y) -> gradient with respect to x. It may consist
                of functions that `custom_vjp` has made, for derivatives of higher order.

        Raises:
            InputError: The library does not differentiate.
        """
        self._refuse_autograd()

    def lift(self, function: Elementwise) -> Callable[[Array], Array]:
        """The function, differentiated any number of times by its analytic derivatives."""
        return self.custom_vjp(function, lambda z, grad: grad * self.lift(function.derivative())(z))

    def repeat(self, advance: Callable[[Carry], Carry], carry: Carry, n: int) -> Carry:
        """Apply `advance` n times without reading a value.

        Args:
            advance: The function that makes the next carry from the last.
            carry: The first carry: arrays, or tuples and dictionaries of arrays.
            n: The number of times.
        """
        for _ in range(n):
            carry = advance(carry)
        return carry

    def compile(self, function: Function) -> Function:
        """The function in the form in which this backend computes it fastest.

        A library that compiles keeps what it has compiled by the hash of the function, and by the shapes of its arguments.

        Args:
            function: A function of arrays and numbers that reads no value. It may call `repeat`.
        """
        return function

    def _refuse_autograd(self) -> NoReturn:
        raise InputError(
            f"`backend={self.choice}` does not differentiate functions: type `backend=torch`, or `loop=manual`."
        )
