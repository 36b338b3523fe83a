"""Array libraries: where the arrays live and how many steps are taken without looking."""

from polyexp.backend.backend import Backend
from polyexp.backend.numpy import NumPy
from polyexp.backend.torch import Torch
from polyexp.device import CPU, CUDA, Auto, Device

__all__ = ["CPU", "CUDA", "Auto", "Backend", "Device", "NumPy", "Torch"]
