"""The reference numbers of tests/data/reference_runs.json; reference_runs.md beside it says where they come from."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
