"""Samples that tests of `fit` share, and the path of a fit, one `step` at a time."""

from collections.abc import Iterable
from functools import cache
from typing import Any

import numpy as np

import polyexp as p

X = np.linspace(-1, 2, 40)
SAMPLES = p.Samples.of(X, np.sin(2 * X))


def by_hand(model: Any, loop: Any, optimizer: Any, backend: Any, params: Any, n: int) -> np.ndarray:
    """The parameters after 0 ... n updates, one `step` at a time."""
    model, optimizer = model.on_domain(SAMPLES.domain), optimizer.on_device(backend.put)
    data, state = p.place(SAMPLES, model, backend), p.start(params, optimizer, backend)
    path = [backend.get(state.params)]
    with np.errstate(all="ignore"):
        for _ in range(n):
            state = p.step(model, loop, optimizer, data, state)
            path.append(backend.get(state.params))
    return np.stack(path)


@cache
def without_early(loop_class: Any) -> Any:
    """The loop without early snapshots, so that the first block is as long as the others."""

    class Regular(loop_class):  # type: ignore[misc]
        def snapshot_steps(self) -> Iterable[int]:
            return (step for step in loop_class.snapshot_steps(self) if not loop_class.is_early(self, step))

        def is_early(self, step: int) -> bool:
            return False

    return Regular
