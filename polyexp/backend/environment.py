"""What besides the settings decides the last bits of a run: versions, threads, kernels, the processor and the system.

It is read once in a process, in about two milliseconds, and imports no array library that the run does not use.
"""

import os
import platform
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import ThreadpoolController

from polyexp.device import Device

__all__ = ["environment_of", "threads_of"]

MAX_CHARACTERS = 80  # of each value
CPU_INFO = Path("/proc/cpuinfo")  # of Linux


def threads_of(device: Device) -> int | None:
    """The number of threads that a backend and NumPy's linear algebra use; None where the device has none of its own.

    Args:
        device: The device of a backend.

    Example:
        >>> import polyexp as p
        >>> threads_of(p.CPU(threads=2)), threads_of(p.CUDA())
        (2, None)
    """
    threads: int | None = getattr(device, "threads", None)
    return threads


@cache
def environment_of(library: str) -> Mapping[str, str]:
    """The environment of this process, as short texts by short names.

    `simd` is what NumPy has found of the processor's instructions, `kernel` the code that its BLAS has chosen for the
    processor, and `torch_kernel` what torch has chosen.

    Args:
        library: The array library of the run: "numpy", "torch", "jax" or another one.

    Example:
        >>> sorted(environment_of("numpy"))
        ['blas', 'kernel', 'libc', 'numpy', 'processor', 'python', 'simd', 'system']
    """
    found = {"python": platform.python_version(), "numpy": np.__version__, "simd": _simd(), **_blas(library)}
    if library == "torch" and "torch" in sys.modules:
        found |= _torch(sys.modules["torch"])
    if library == "jax" and "jaxlib" in sys.modules:
        found["jaxlib"] = str(getattr(sys.modules["jaxlib"], "__version__", ""))
    system = platform.uname()
    named = f"{system.system} {system.release} {system.machine}"
    found |= {"processor": _processor(), "system": named, "libc": _libc()}
    return {name: value[:MAX_CHARACTERS] for name, value in found.items()}


def _simd() -> str:
    """The sets of instructions that NumPy uses, beyond those that it always does."""
    dispatched: Any = np.show_config(mode="dicts")
    return " ".join(dispatched.get("SIMD Extensions", {}).get("found", [])) or "none"


def _blas(library: str) -> dict[str, str]:
    """The BLAS libraries of NumPy and of the array library, and the kernels that they have chosen."""
    packages = {"numpy", "numpy.libs", library, f"{library}.libs"}
    loaded = [one for one in ThreadpoolController().info() if one["user_api"] == "blas"]
    used = [one for one in loaded if packages & set(Path(one["filepath"]).parts)] or loaded
    return {
        "blas": _listed(f"{one['internal_api']} {one['version']}" for one in used),
        "kernel": _listed(str(one.get("architecture") or "unknown") for one in used),
    }


def _listed(texts: Iterable[str]) -> str:
    return ", ".join(sorted(set(texts))) or "unknown"


def _torch(torch: Any) -> dict[str, str]:
    cuda = torch.version.cuda
    return {"torch_kernel": str(torch.backends.cpu.get_cpu_capability()), **({"cuda": str(cuda)} if cuda else {})}


def _processor() -> str:
    """The model of the processor; what the system calls it where that is not known."""
    with suppress(OSError), CPU_INFO.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
            if not name.strip():  # the next processor
                break
    return platform.processor() or platform.machine() or "unknown"


def _libc() -> str:
    """The C library, whose functions NumPy calls for some functions of numbers."""
    with suppress(AttributeError, OSError, ValueError):
        return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
    return "unknown"
