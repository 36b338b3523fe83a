"""Run every benchmark, show the table as it grows, and write it with the machine it came from to `benchmarks/results/`."""

import os
import platform
from collections.abc import Iterator
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits

from benchmarks import compiled as compiled_steps
from benchmarks import fits, samples
from benchmarks.timing import REPEATS, Row

RESULTS = Path(__file__).parent / "results"
HEAD = (
    "| job | against | its time | polyexp | times faster | wanted | parameters apart |\n|---|---|--:|--:|--:|--:|--:|"
)
PACKAGES = ("polyexp", "numpy", "torch", "jax", "lightning", "scikit-learn")


def main() -> None:
    """Measure on one thread."""
    torch.set_num_threads(1)
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))  # of the processes started here
    lines = []
    with threadpool_limits(1):
        for line in report():
            print(line, flush=True)
            lines.append(line)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "cpu.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def report() -> Iterator[str]:
    """The page, line by line."""
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    yield "# polyexp beside others, on one core\n"
    yield f"{date.today()}, {processor()}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}, "
    yield f"{versions}.\n"
    yield f"Medians of {REPEATS} turns in one process, of the times and of the ratios, imports excluded. polyexp's time is"
    yield "that of a whole `fit`: it draws and reduces the samples, finds the optimum, takes the steps, evaluates the result.\n"
    yield HEAD
    for row in fits.rows():
        yield line_of(row)
    first, compiled = compiled_steps.first_fits()
    yield line_of(first)
    yield line_of(compiled_steps.per_step())
    yield f"\nThe second fit of a process compiles {compiled} functions (wanted: 0).\n"
    few, many, ratio = compiled_steps.run_steps()
    yield f"{compiled_steps.MANY_RUNS:.0e} runs x {compiled_steps.STEPS} steps by JAX: {many:.1f} ns of the processor for a"
    yield f"step of a run; {compiled_steps.FEW_RUNS:.0e} runs by NumPy: {few:.1f} ns; ratio {ratio:.2f} (wanted: 5)."
    few, many, ratio = samples.step_cost()
    yield f"\nA step over {samples.FEW:.0e} samples: {few:.2f} us; over {samples.MANY:.0e}: {many:.2f} us; ratio {ratio:.3f}"
    yield "(wanted: at most 1.1).\n"
    both, alone, memory = samples.reduction_rate()
    yield f"{samples.VERY_MANY:.0e} samples in chunks, in a process of its own: reduced at {alone:.3g} samples a second"
    yield f"(wanted: 2e7), drawn and reduced at {both:.3g}, with {memory:.2f} GiB of memory at the highest (wanted: 1.5)."


def line_of(row: Row) -> str:
    """A row of the table."""
    ratio = f"{row.ratio:.0f}" if row.ratio >= 10 else f"{row.ratio:.2f}"
    times = f"{row.other_seconds:.3g} s | {row.seconds:.3g} s | {ratio} | {row.wanted}"
    return f"| {row.what} | {row.other} | {times} | {row.agreement} |"


def processor() -> str:
    """Its name, where the system gives it."""
    info = Path("/proc/cpuinfo")
    names = [
        line.partition(":")[2].strip()
        for line in info.read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")
    ]
    return names[0] if names else platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
