"""Array libraries: where the arrays live and how many steps are taken without looking."""

from polyexp.backends.backend import Backend
from polyexp.backends.numpy import NumPy
from polyexp.backends.torch import Torch
from polyexp.devices import CPU, CUDA, Auto, Device

__all__ = ["CPU", "CUDA", "Auto", "Backend", "Device", "NumPy", "Torch"]
