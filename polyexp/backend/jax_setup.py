"""What jax needs in a process before its first use: threads, 64-bit numbers, and the cache of what it compiles."""

import hashlib
import logging
import os
import platform
import warnings
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Any

from polyexp.base import InputError

__all__ = ["cache_folder", "set_up", "threads_in_use"]

MAX_CACHE_BYTES = 2**28  # of the cache folder; what was not used for longest is removed
CPUINFO = Path("/proc/cpuinfo")
MODULES = ("jax", "jaxlib", "platformdirs")  # of the extra polyexp[jax]


def set_up(threads: int | None = None) -> None:
    """Prepare jax for the process; calls after the first one only check the number of threads.

    Args:
        threads: The number of threads on the processor; None means that of the first call, which is 1 if it is None there.

    Raises:
        InputError: jax or what it needs is not installed, or jax already runs with another number of threads.
    """
    with _lock:
        used = _threads[0] if _threads else _set_up(threads or 1)
    if threads not in (None, used):
        raise InputError(
            f"`device.threads` must be {used} with `backend=jax` in this process, got {threads}: jax takes its number of "
            "threads when it is first used."
        )


def threads_in_use() -> int:
    """The number of threads that jax has in this process, or would have if it were used now."""
    return _threads[0] if _threads else 1


_threads: list[int] = []  # the number of threads, once it is set
_lock = Lock()


def _set_up(threads: int) -> int:
    missing = next((name for name in MODULES if find_spec(name) is None), None)
    if missing:
        raise InputError(f"`backend=jax` needs {missing}, which is not installed: type `pip install 'polyexp[jax]'`.")
    # XLA reads both variables when jax is first used. Flags that the user has set come last, and so decide.
    flags = f"--xla_cpu_multi_thread_eigen={str(threads > 1).lower()} {os.environ.get('XLA_FLAGS', '')}"
    os.environ["XLA_FLAGS"] = flags.strip()
    os.environ["PJRT_NPROC"] = str(threads)  # the size of the thread pool
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # leaves the memory of a GPU to others
    import jax

    logging.getLogger("jax").setLevel(logging.WARNING)  # jax tells which devices it has not found
    settings: dict[str, Any] = {"jax_enable_x64": True}
    folder = cache_folder()
    if _usable(folder):
        settings["jax_compilation_cache_dir"] = str(folder)
        settings["jax_compilation_cache_max_size"] = MAX_CACHE_BYTES
        # jax would keep only what takes longer than a second to compile, and so nothing of polyexp's.
        settings["jax_persistent_cache_min_compile_time_secs"] = 0
        # A file that is damaged or cannot be written costs the time to compile, and nobody has to act on it.
        warnings.filterwarnings("ignore", "Error (reading|writing) persistent compilation cache", UserWarning, "jax")
    for name, value in settings.items():
        jax.config.update(name, value)  # type: ignore[no-untyped-call]
    # jax imports parts of itself and looks for devices when it is first used; no fit should wait for that.
    try:
        jax.devices()
        jax.jit(lambda x: x).lower(0.0)
    except (RuntimeError, AssertionError) as error:  # jax asserts that a platform which it was told to use is there
        reason = " ".join(str(error).split()) or "it does not find the platform of JAX_PLATFORMS"
        raise InputError(f"`backend=jax` cannot be used, because jax does not start here: {reason}.") from None
    _threads.append(threads)
    return threads


def cache_folder() -> Path:
    """The folder of compiled functions in the user's cache folder, for this version of jax on this kind of processor.

    Code that was compiled for one processor may have instructions that another does not have.
    """
    import jax
    from platformdirs import user_cache_path

    processor = hashlib.sha256(_processor().encode()).hexdigest()[:12]
    return user_cache_path("polyexp", appauthor=False) / f"jax-{jax.__version__}-{processor}"


def _processor() -> str:
    """The processor's name and features, as far as the system tells them."""
    names = ("model name", "flags", "Features")
    lines = CPUINFO.read_text(encoding="utf-8").splitlines() if CPUINFO.is_file() else []
    found = {key.strip(): value for key, _, value in (line.partition(":") for line in lines) if key.strip() in names}
    return f"{platform.machine()} {platform.processor()} {found}"


def _usable(folder: Path) -> bool:
    """Whether files can be written to the folder, which is made if need be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(folder, os.W_OK | os.X_OK)
