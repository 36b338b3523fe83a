"""The JAX backend: the steps of a block are compiled. jax is imported when the backend is first used."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, ClassVar, Self, cast

import numpy as np

from polyexp.backend.backend import Backend, Carry, Function
from polyexp.backend.jax_setup import set_up, threads_in_use
from polyexp.device import CPU, Device
from polyexp.problem import Array

__all__ = ["JAX"]

MAX_COMPILED = 256  # functions whose compiled forms are kept
# Compiles in half the time, to code of the same speed (XLA of jaxlib 0.10.2).
COMPILER_OPTIONS = {"xla_cpu_use_fusion_emitters": False, "xla_cpu_parallel_codegen_split_count": 1}


@lru_cache(MAX_COMPILED)
def _compiled(function: Any) -> Any:
    """The function under `jax.jit`. Equal functions share it, and with it what has been compiled for equal shapes."""
    import jax

    return jax.jit(function, compiler_options=COMPILER_OPTIONS)


def _jax() -> Any:
    """The module jax, prepared for the process; the backend may not have been put on a device, which prepares it too."""
    set_up()
    import jax

    return jax


@cache
def _jax_device(name: str) -> Any:
    kind, _, index = name.partition(":")
    return _jax().devices(kind)[int(index or 0)]


@dataclass
class JAX(Backend, name="jax"):
    """JAX arrays on the processor or a CUDA GPU; whole blocks of steps are compiled by XLA.

    jax is an extra: `pip install 'polyexp[jax]'`. The first use in a process enables 64-bit numbers in all of jax
    (`jax_enable_x64`), whatever the dtype, and sets the number of threads on the processor, which cannot be changed later. What
    has been compiled is kept in the user's cache folder.

    Args:
        dtype: The format of its numbers, "float64" or "float32".

    Raises:
        InputError: `dtype` is none of these; when the backend is used, jax is not installed.

    Example:
        >>> import polyexp as p
        >>> sorted(p.JAX().offers)
        ['autograd', 'cpu', 'cuda']
        >>> loops = (p.Autograd(steps=100), p.Manual(steps=100))
        >>> [f"{p.fit(p.Problem(), p.PowerSeries(), loop=loop, backend=p.JAX()).loss:.6g}" for loop in loops]
        ['106.314', '106.314']
    """

    offers: ClassVar[frozenset[str]] = frozenset({"cpu", "cuda", "autograd"})

    @property
    def default_device(self) -> CPU:
        """The processor, with the threads that jax has in the process when the backend is used."""
        return CPU()

    @property
    def threads(self) -> int:
        """The number of threads that jax has in this process."""
        return threads_in_use()

    def on_device(self, device: Device) -> Self:
        """A copy of this backend on a device.

        Raises:
            InputError: jax is not installed, or runs with another number of threads, or there is no such device.
        """
        set_up(getattr(device, "threads", None))
        return super().on_device(device)

    def devices(self) -> Sequence[str]:
        """The processor, and the GPUs that jax finds."""
        gpus = sum(device.platform in ("gpu", "cuda") for device in _jax().devices())
        return "cpu", *(f"cuda:{index}" for index in range(gpus))

    @property
    def library(self) -> str:
        """The text `jax <version>`."""
        return f"jax {_jax().__version__}"

    def describe(self) -> str:
        """The text `jax <version>, <dtype>, <device>`, with the name of the GPU."""
        gpu = "" if isinstance(self.device, CPU) else f" ({_jax_device(str(self.device)).device_kind})"
        return f"{super().describe()}{gpu}"

    def put(self, array: np.ndarray) -> Array:
        """The array cast to `dtype` by NumPy, so that all backends round alike, and moved to the device."""
        import jax

        with np.errstate(over="ignore"):
            return jax.device_put(np.array(array, self.dtype), _jax_device(str(self.device)))

    def get(self, array: Array) -> np.ndarray:
        """A float64 copy in host memory. This waits for the device."""
        return np.array(array, np.float64)

    def value_and_grad(self, function: Callable[[Array], Array]) -> Callable[[Array], tuple[Array, Array]]:
        """The function params -> (value, gradient), by `jax.value_and_grad` of the sum over all runs."""
        import jax

        def summed(params: Array) -> tuple[Array, Array]:
            value = function(params)
            return value.sum(), value

        def both(params: Array) -> tuple[Array, Array]:
            (_, value), gradient = jax.value_and_grad(summed, has_aux=True)(params)
            return value, gradient

        return both

    def custom_vjp(
        self, forward: Callable[[Array], Array], backward: Callable[[Array, Array], Array]
    ) -> Callable[[Array], Array]:
        """The function by `jax.custom_vjp`."""
        import jax

        function = jax.custom_vjp(forward)
        function.defvjp(lambda x: (function(x), x), lambda x, grad: (backward(x, grad),))
        return function

    def repeat(self, advance: Callable[[Carry], Carry], carry: Carry, n: int) -> Carry:
        """Apply `advance` n times by `lax.fori_loop`, in which n is a number of the running program."""
        from jax import lax

        return cast(Carry, lax.fori_loop(0, n, lambda _, carry: advance(carry), carry))

    def compile(self, function: Function) -> Function:
        """The function under `jax.jit`."""
        return cast(Function, _compiled(function))
