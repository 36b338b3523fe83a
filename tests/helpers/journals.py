"""Journals of runs that need no fit, and what a store holds of them."""

import uuid
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from polyexp.tracking.entry import Dataset
from polyexp.tracking.journal import JOURNAL, Header, Journal
from polyexp.tracking.process import Process
from tests.helpers.databases import rows

DATASET = Dataset("sin_20", "5eed", "local", "{}", "{}", "{}")
GONE = Process(2**22 + 1, "1", Process.current().host)  # a number that Linux gives to no process
CURVES = {"loss": "loss/train", "excess": "loss/excess", "grad_norm": "optimizer/grad_norm"}


def header(number: int = 1, **changes: Any) -> Header:
    """The header of a run of this process, which is not to be delivered. changes: other fields of it."""
    values = {
        "id": uuid.uuid5(uuid.NAMESPACE_OID, str(number)).hex,
        "name": f"run {number}",
        "params": {"seed": str(number)},
        "tags": {"mlflow.user": "somebody"},
        "param_names": ["w0", "w1"],
        "planned": 10,
        "started": 1_700_000_000_000,
        "process": Process.current(),
        "store": None,
        "experiment": "polyexp",
        "lower_bound": 0.25,
    }
    return Header(**(values | changes))


def snapshot(step: int, *, early: bool = False, loss: float | None = None) -> Any:
    """A snapshot as a fit gives it."""
    loss = 1 / step if loss is None else loss
    params = np.array([step, -step], float)
    return SimpleNamespace(step=step, early=early, loss=loss, excess=loss / 2, grad_norm=3.0, params=params)


def record(journal: Journal, steps: int = 3, *, files: bool = True) -> None:
    """Append what a run of so many regular snapshots does, but for its end."""
    journal.snapshot(snapshot(1, early=True))
    for step in range(steps):
        journal.snapshot(snapshot(10 * step + 10))
    journal.warning("it is slow")
    if files:
        for name in ("result.json", "history.csv"):
            (journal.folder / name).write_text(f"{name} of {journal.header.name}\n", encoding="utf-8")
    journal.result({"loss/final": 0.5, "loss/predicted": float("nan")}, {"derived": "1"}, {"outcome": "x"}, DATASET)
    journal.files(["result.json", "history.csv"] if files else [])


def new_run(folder: Path, number: int = 1, steps: int = 3, **changes: Any) -> Path:
    """The folder of a run that has ended. changes: as of `header`."""
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder, header(number, **changes)) as journal:
        record(journal, steps)
    return folder


def killed(folder: Path) -> Path:
    """A run whose journal ends before the line of its end, and whose process has gone."""
    path = folder / JOURNAL
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if not line.startswith(b'{"kind": "end"')))
    return gone(folder)


def gone(folder: Path) -> Path:
    """A run whose process has gone."""
    path, me = folder / JOURNAL, Process.current()
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(f'"pid": {me.pid}, "started": "{me.started}"', f'"pid": {GONE.pid}, "started": "1"'))
    return folder


def stored(path: Path) -> dict[str, Any]:
    """What a SQLite store holds of runs, but for ids that are made at random and the times of writing."""
    found = rows(path)
    names = ("runs", "params", "tags", "metrics", "latest_metrics")
    kept: dict[str, Any] = {name: found[name] for name in names}
    kept["datasets"] = [{**row, "dataset_uuid": ""} for row in found["datasets"]]
    kept["inputs"] = len(found["inputs"])
    kept["experiments"] = sorted(row["name"] for row in found["experiments"])
    return kept


def as_dict(one: Header) -> dict[str, Any]:
    """The fields of a header, with lists as JSON has them."""
    return asdict(replace(one, param_names=list(one.param_names)))
