"""What the number of samples costs: nothing in a step, and a pass over them before the first one."""

import json
import resource
import subprocess
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np

import polyexp as p
from benchmarks.timing import REPEATS, seconds
from polyexp.problem import samples_for

FEW, MANY, VERY_MANY = 4_000, 40_000_000, 100_000_000
DEGREE = 7
STEPS = 20_000


def steps(samples: p.Samples) -> p.Result:
    """Steps over samples that have been reduced already."""
    return p.fit(samples, p.PowerSeries(degree=DEGREE), loop=p.Manual(steps=STEPS), backend=p.NumPy())


def step_cost(repeats: int = 3 * REPEATS) -> tuple[float, float, float]:
    """Microseconds of a step for few and for many samples, and their ratio: medians of turns."""
    calls: list[Callable[[], Any]] = [
        partial(steps, samples_for(p.Problem("sin", num_samples=n), DEGREE)) for n in (FEW, MANY)
    ]
    steps(samples_for(p.Problem("sin"), DEGREE))
    turns = [[seconds(call)[0] / STEPS * 1e6 for call in calls] for _ in range(repeats)]
    few, many = (median(side) for side in zip(*turns, strict=True))
    return few, many, median(after / before for before, after in turns)


def reduce_in_this_process(n: int) -> None:
    """Draw n samples and reduce them, chunk by chunk; print how long it took and the memory at its highest."""
    problem = p.Problem("sin", num_samples=n)
    taken, reduced = seconds(lambda: samples_for(problem, DEGREE))
    drawn, _ = seconds(lambda: deque(problem.chunks(), maxlen=0))
    assert (reduced.size, reduced.total) == (DEGREE + 1, n)
    exact = np.polynomial.Polynomial.fit(reduced.x, reduced.y, DEGREE, w=np.sqrt(reduced.weights)).convert().coef
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        json.dumps({"seconds": taken, "drawing": drawn, "gigabytes": peak, "floor": reduced.floor, "slope": exact[1]})
    )


def reduction_rate(repeats: int = 5, n: int = VERY_MANY) -> tuple[float, float, float]:
    """Samples a second, drawn and reduced, and reduced alone, and gigabytes at the highest, of n samples in a process of their
    own; medians.
    """
    command = [sys.executable, "-m", "benchmarks.samples", str(n)]
    runs = [json.loads(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(repeats)]
    both = median(n / run["seconds"] for run in runs)
    alone = median(n / (run["seconds"] - run["drawing"]) for run in runs)
    return both, alone, median(run["gigabytes"] for run in runs)


if __name__ == "__main__":
    reduce_in_this_process(int(sys.argv[1]))
