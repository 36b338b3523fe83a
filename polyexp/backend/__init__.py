"""Backends: the array libraries that compute a fit, each on a device and with a dtype."""

from polyexp.backend.backend import Backend
from polyexp.backend.environment import environment_of, threads_of
from polyexp.backend.jax import JAX
from polyexp.backend.numpy import NumPy, blas_threads
from polyexp.backend.torch import Torch
from polyexp.device import CPU, CUDA, Auto, Device

__all__ = [
    "CPU",
    "CUDA",
    "JAX",
    "Auto",
    "Backend",
    "Device",
    "NumPy",
    "Torch",
    "blas_threads",
    "environment_of",
    "threads_of",
]
