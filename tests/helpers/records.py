"""Recorded runs without a store: the text of their files is given, as anybody may have written it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from polyexp.tracking import RecordedRun

CONFIG = {
    "problem": "sin",
    "problem.target": "sin",
    "problem.loss": "mean",
    "problem.domain": [-3.0, 3.0],
    "model": "power_series",
    "model.degree": 1,
}
CONTENT = {
    "outcome": "MAX_STEPS",
    "max_error": 0.125,
    "parameters": {"w0": 0.0, "w1": 1.0},
    "power_series": [0.0, 1.0],
    "samples": {"total": 50, "used": 2, "floor": 0.1, "domain": [-3.0, 3.0]},
    "config": CONFIG,
}
HISTORY = "step,loss,grad_norm,w0,w1\r\n10,1.0,2.0,0.5,0.5\r\n20,0.1,0.2,0.1,0.9\r\n30,0.01,nan,0.0,1.0\r\n"


@dataclass
class Files:
    """The files of a run, as `Artifacts` gives them; how many were read is counted."""

    result: bytes
    history: bytes
    count: int = 0

    def read(self, name: str, limit: Any) -> Iterator[bytes]:
        self.count += 1
        whole = {"result.json": self.result, "history.csv": self.history}[name]
        return limit.bounded(whole[k : k + 1000] for k in range(0, len(whole), 1000))

    def metric(self, name: str) -> Iterator[tuple[float, float]]:
        assert name == "loss/train"
        return iter([(10.0, 1.0), (30.0, 0.25)])


def recorded(number: int = 1, *, result: Any = CONTENT, history: str | bytes = HISTORY, **changes: Any) -> RecordedRun:
    """A recorded run. result: the content of its result.json, or its bytes. changes: other fields of RecordedRun."""
    files = [
        text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        for text in (result if isinstance(result, (bytes, str)) else json.dumps(result), history)
    ]
    values = {
        "id": f"{number:032x}",
        "name": f"run {number}",
        "status": "FINISHED",
        "experiment_id": "1",
        "params": {"model": "power_series", "seed": str(number)},
        "metrics": {"loss/final": 1.0 / (number + 1), "optimizer/steps": 10.0, "optimizer/steps_per_second": 5.0},
        "tags": {"polyexp.outcome": "MAX_STEPS"},
        "artifacts": Files(*files),
    }
    return RecordedRun(**(values | changes))
