"""The base class of backends: an array library on a device."""

import copy
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self, TypeVar

import numpy as np

from polyexp.base import Component, InputError, one_of
from polyexp.device import CPU, CUDA, Device
from polyexp.problem import Array

__all__ = ["Backend"]

Carry = TypeVar("Carry")


@dataclass
class Backend(Component):
    """An array library that computes a fit, on a device.

    `offers` names the kinds of device that it can use ("cpu", "cuda") and what else it can do ("autograd"). The backends
    are `NumPy` and `Torch`.

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
    renamed: ClassVar[Mapping[str, str]] = {"on": "on_device"}
    offers: ClassVar[frozenset[str]] = frozenset({"cpu"})

    dtype: str = "float64"

    def __post_init__(self) -> None:
        one_of(self.key("dtype"), self.dtype, ("float64", "float32"))
        self.device: CPU | CUDA = CPU()

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
        placed = copy.copy(self)
        placed.device = device.resolve(self.offers)
        return placed

    @abstractmethod
    def put(self, array: np.ndarray) -> Array:
        """An array of this backend on its device, cast from a NumPy array to `dtype`; the shape stays the same."""

    @abstractmethod
    def get(self, array: Array) -> np.ndarray:
        """A float64 NumPy array from one of this backend. The host waits until the device has computed it."""

    @abstractmethod
    def iterate(self, advance: Callable[[Carry], Carry], carry: Carry, n: int) -> Carry:
        """Apply `advance` n times without reading a value.

        This is where a backend may save time, for instance by a compiled loop.

        Args:
            advance: The function that makes the next value from the last.
            carry: The first value.
            n: The number of times.
        """

    @abstractmethod
    def describe(self) -> str:
        """The library with its version, the dtype and the device, such as `torch 2.13.0, float64, cpu`."""
