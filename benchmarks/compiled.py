"""What compiled steps gain: the first fit of a process, later ones, a single step, and a hundred thousand runs.

`python -m benchmarks.compiled` prints the numbers of one process whose compilation cache is empty, as JSON.
"""

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch

import polyexp as p
from benchmarks import fits, originals
from benchmarks.timing import REPEATS, Row, seconds

MANY_STEPS = 400_000
FEW_RUNS, MANY_RUNS, STEPS = 1000, 100_000, 4000


def first_fit() -> dict[str, float]:
    """Seconds of the original program C, and of the first and second fit in this process, imports excluded."""
    backend = p.JAX("float32").on_device(p.CPU())  # imports jax
    ours = partial(fits.power_series, p.Autograd, backend, originals.C_START)
    theirs, _ = seconds(originals.torch_autograd)
    first, _ = seconds(ours)
    compiled: list[str] = []
    _count_compilations(compiled)
    second, _ = seconds(ours)
    return {"theirs": theirs, "first": first, "second": second, "compiled_in_second": len(compiled)}


def first_fits(repeats: int = REPEATS) -> tuple[Row, int]:
    """The first fit of a process with an empty compilation cache, and how many functions its second fit compiles."""
    turns = []
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "XDG_CACHE_HOME": folder}
            command = [sys.executable, "-m", "benchmarks.compiled"]
            done = subprocess.run(command, check=True, capture_output=True, env=environment)
            turns.append(json.loads(done.stdout))
    theirs, first = (median(turn[side] for turn in turns) for side in ("theirs", "first"))
    ratio = median(turn["theirs"] / turn["first"] for turn in turns)
    row = Row("C by JAX, autograd: first fit, empty cache", "original program", theirs, first, ratio, "10", "")
    return row, max(turn["compiled_in_second"] for turn in turns)


def per_step(repeats: int = REPEATS) -> Row:
    """One step, of a whole fit that takes many of them."""
    loop = partial(p.Autograd, steps=MANY_STEPS, log_every=20_000)
    ours = partial(fits.power_series, loop, p.JAX("float32"), originals.C_START)
    ours()
    turns = [(seconds(originals.torch_autograd)[0] / 4000, seconds(ours)[0] / MANY_STEPS) for _ in range(repeats)]
    theirs, mine = (median(turn[side] for turn in turns) for side in (0, 1))
    ratio = median(theirs / mine for theirs, mine in turns)
    return Row(f"C by JAX: a step of {MANY_STEPS}", "a step of the original", theirs, mine, ratio, "3000", "")


def many_runs(backend: str, runs: int) -> Callable[[], Any]:
    """The computation of experiments that differ in rate and seed."""
    from polyexp.experiment import build, compute
    from tests.helpers.config import composed

    one = build(composed(f"backend={backend}", "tracking=none")).check()
    rates = np.linspace(1e-7, 1.6e-6, runs).tolist()
    several = [
        dataclasses.replace(one, optimizer=p.GradientDescent(rate), seed=seed) for seed, rate in enumerate(rates)
    ]
    return partial(compute, several)


def run_steps(repeats: int = 3) -> tuple[float, float, float]:
    """Nanoseconds of the processor for a step of one run: NumPy for few runs, JAX for many, and the median of the ratios."""
    calls = [(many_runs("numpy", FEW_RUNS), FEW_RUNS), (many_runs("jax", MANY_RUNS), MANY_RUNS)]
    turns = []
    for _ in range(repeats + 1):  # the first turn is to warm up
        turn = []
        for call, runs in calls:
            begin = time.process_time()
            call()
            turn.append((time.process_time() - begin) / runs / STEPS * 1e9)
        turns.append(turn)
    few, many = (median(side) for side in zip(*turns[1:], strict=True))
    return few, many, median(one / other for one, other in turns[1:])


def _count_compilations(found: list[str]) -> None:
    import jax

    def listen(event: str, duration: float, **_: Any) -> None:
        if event == "/jax/core/compile/backend_compile_duration":
            found.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)


if __name__ == "__main__":
    torch.set_num_threads(1)
    print(json.dumps(first_fit()))
