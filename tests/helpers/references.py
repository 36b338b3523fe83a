"""The reference numbers of tests/data/reference_runs.json; reference_runs.md beside it says where they come from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

DATA = json.loads((Path(__file__).parents[1] / "data" / "reference_runs.json").read_text(encoding="utf-8"))
ZERO_BELOW: float = DATA["zero_below"]
LIMIT_CYCLE_RTOL: float = DATA["limit_cycle_rtol"]
OPTIMA: dict[str, Any] = DATA["optima"]


@dataclass(frozen=True)
class Reference:
    """A run that was measured once.

    steps, every: how many updates, and how many from one recorded loss to the next. rtol: of losses and parameters.
    initial: the parameters at the start. losses: by the count of the update before which they were taken.
    parameters: those at the end. zero: the names of parameters that must be below ZERO_BELOW.
    limit_cycle: more losses, which hold to LIMIT_CYCLE_RTOL only.
    """

    steps: int
    every: int
    rtol: float
    initial: tuple[float, ...]
    losses: Mapping[int, float]
    parameters: Mapping[str, float]
    zero: tuple[str, ...]
    limit_cycle: Mapping[int, float]

    @property
    def final(self) -> list[float]:
        """The parameters at the end, in order."""
        return list(self.parameters.values())


def _by_count(losses: Mapping[str, float]) -> Mapping[int, float]:
    return {int(count): loss for count, loss in losses.items()}


def _reference(run: Mapping[str, Any]) -> Reference:
    return Reference(
        steps=run["steps"],
        every=run["every"],
        rtol=run["rtol"],
        initial=tuple(run["initial"]),
        losses=_by_count(run["losses"]),
        parameters=run.get("parameters", {}),
        zero=tuple(run.get("zero", ())),
        limit_cycle=_by_count(run.get("limit_cycle", {})),
    )


REFERENCES = {name: _reference(run) for name, run in DATA["runs"].items()}
REFERENCES |= {name: REFERENCES[other] for name, other in DATA["same_as"].items()}


def float32_linspace(low: float, high: float, n: int) -> np.ndarray:
    """`torch.linspace(low, high, n)` in float32, rounded as by fused multiply-add on every processor, as float64.

    x_i = low + i step in the first half and high - (n - 1 - i) step in the second, each rounded once. Without fused
    multiply-add (older processors, ATEN_CPU_CAPABILITY=default) torch rounds twice: a third of 4000 x move by a unit in the
    last place, and the losses that belong to them by 4e-9. i step has at most 12 + 24 bits, which float64 holds exactly.
    """
    first, last = np.float32(low), np.float32(high)
    step, index = float((last - first) / np.float32(n - 1)), np.arange(n)
    x = np.where(index < n // 2, first + index * step, last - (n - 1 - index) * step)
    return x.astype(np.float32).astype(float)
