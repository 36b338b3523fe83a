"""What a backend is: an array library on a device."""

import copy
from abc import abstractmethod
from collections.abc import Callable
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
    """An array library.

    dtype: "float64" or "float32", of every array that it holds.
    offers: what it can do beyond array arithmetic on a cpu: "cuda", "autograd".
    """

    group: ClassVar[str] = "backend"
    offers: ClassVar[frozenset[str]] = frozenset({"cpu"})

    dtype: str = "float64"

    def __post_init__(self) -> None:
        one_of(self.key("dtype"), self.dtype, ("float64", "float32"))
        self.device: CPU | CUDA = CPU()

    def on(self, device: Device) -> Self:
        """This backend on a device; InputError where it cannot use it or it does not exist."""
        if device.kind not in self.offers:
            raise InputError(
                f"`device={device.choice}` is not for `backend={self.choice}`, which offers "
                f"{', '.join(sorted(self.offers))}: type `backend=torch`, or `device=cpu`."
            )
        placed = copy.copy(self)
        placed.device = device.resolve(self.offers)
        return placed

    @abstractmethod
    def put(self, array: np.ndarray) -> Array:
        """A NumPy array as an array of this backend, cast to `dtype` and moved to the device."""

    @abstractmethod
    def get(self, array: Array) -> np.ndarray:
        """An array of this backend as float64 NumPy; waits for the device."""

    @abstractmethod
    def iterate(self, advance: Callable[[Carry], Carry], carry: Carry, n: int) -> Carry:
        """Apply `advance` n times without looking at the values: the one place where a backend may go fast."""

    @abstractmethod
    def describe(self) -> str:
        """What computes, for a person: `torch 2.13.0, float64, cpu`."""
