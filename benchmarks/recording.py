"""What recording a run costs in a SQLite store: `python -m benchmarks.recording [rounds] [runs]`.

The runs are written by MLflow's client, call by call, and by polyexp's writer, alternately and each to a store of its own:
seconds of the processor, which other processes disturb less than those of the clock.
"""

import contextlib
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from polyexp.tracking.dataset import dataset_of
from polyexp.tracking.entry import Entry, File, Point, Status
from polyexp.tracking.sqlite_writer import SqliteWriter
from polyexp.tracking.store import open_store

SNAPSHOTS, METRICS, FINAL_METRICS, PARAMS, TAGS, FILES = 20, 11, 8, 30, 15, 3
STARTED = 1_700_000_000_000


def typical(number: int, folder: Path, **changes: Any) -> Entry:
    """A finished run with its snapshots, params, tags, dataset and files, which are made. changes: other fields of it."""
    run_id = uuid.uuid5(uuid.NAMESPACE_OID, f"run {number}").hex
    seen = [
        (f"metric/{metric}", (1.0 + metric) / (step * (number + 1)), step)
        for step in range(1, SNAPSHOTS + 1)
        for metric in range(METRICS)
    ]
    seen += [(f"final/{metric}", -float(metric), 0) for metric in range(FINAL_METRICS)]
    started = STARTED + 1000 * number
    x, outputs = np.linspace(-3, 3, 200), folder / "outputs" / str(number)
    values = {
        "id": run_id,
        "experiment": "polyexp",
        "artifact_root": str(folder / "artifacts"),
        "name": f"run {number}",
        "started": started,
        "params": {f"setting.{param}": f"value {param * number}" for param in range(PARAMS)},
        "tags": {"polyexp.journal": run_id, "mlflow.user": "somebody"}
        | {f"polyexp.tag_{tag}": f"text {tag}" for tag in range(TAGS - 2)},
        "points": [Point(name, value, step, started + at) for at, (name, value, step) in enumerate(seen)],
        "dataset": dataset_of("sin_200", x, np.sin(x)),
        "files": [File(_file(outputs / f"{file}.csv", f"{number},{file}\n" * 2000)) for file in range(FILES)],
        "status": Status.FINISHED,
        "ended": started + 500,
    }
    return Entry(**(values | changes))


def _file(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def record_by_client(client: Any, experiment_id: str, entry: Entry, *, batched: bool = True) -> str:
    """Record a run by MLflow's client, and return its id. batched: all params and metrics by one call, not by one each."""
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

    tags = dict(entry.tags)
    run_id = client.create_run(experiment_id, start_time=entry.started, tags=tags, run_name=entry.name).info.run_id
    if batched:
        metrics = [Metric(point.name, point.value, point.time, point.step) for point in entry.points]
        client.log_batch(run_id, metrics=metrics, params=[Param(name, value) for name, value in entry.params.items()])
    else:
        for name, value in entry.params.items():
            client.log_param(run_id, name, value)
        for point in entry.points:
            client.log_metric(run_id, point.name, point.value, point.time, point.step)
    if entry.dataset:
        training = InputTag("mlflow.data.context", "training")
        client.log_inputs(run_id, [DatasetInput(Dataset(**vars(entry.dataset)), [training])])
    for file in entry.files:
        client.log_artifact(run_id, str(file.path), file.folder or None)
    if entry.status is not Status.RUNNING:
        client.set_terminated(run_id, entry.status.value, entry.ended)
    return str(run_id)


def costs(rounds: int, runs: int) -> tuple[list[float], list[float], list[float]]:
    """Seconds of the processor for a run in each round: by the client, by the writer run by run, and all runs at once."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folders = [Path(name, kind) for kind in ("client", "each", "together")]
        stores = [open_store(f"sqlite:///{folder / 'mlflow.db'}") for folder in folders]
        each, together = (SqliteWriter.open(folder / "mlflow.db", folder / "artifacts") for folder in folders[1:])
        stack.callback(each.close)
        stack.callback(together.close)
        experiment_id = stores[0].experiment("polyexp").experiment_id
        found: tuple[list[float], list[float], list[float]] = ([], [], [])
        for turn in range(rounds + 1):
            entries = [[typical(turn * runs + run, folder) for run in range(runs)] for folder in folders]
            ways = (
                lambda some: [record_by_client(stores[0].client, experiment_id, entry) for entry in some],
                lambda some: [each.write([entry]) for entry in some],
                together.write,
            )
            for seconds, way, some in zip(found, ways, entries, strict=True):
                took = _processor_seconds(way, some) / runs
                if turn:  # the first one warms up
                    seconds.append(took)
        return found


def _processor_seconds(way: Any, entries: Sequence[Entry]) -> float:
    began = time.process_time()
    way(entries)
    return time.process_time() - began


def main(rounds: int, runs: int) -> None:
    """Print the medians and the medians of the ratios within a round."""
    client, each, together = costs(rounds, runs)
    print(f"MLflow's client: {1000 * statistics.median(client):.1f} ms of the processor for a run")
    for way, seconds in (("run by run", each), (f"{runs} runs at once", together)):
        ratio = statistics.median(theirs / ours for theirs, ours in zip(client, seconds, strict=True))
        print(f"SqliteWriter, {way}: {1000 * statistics.median(seconds):.2f} ms; ratio {ratio:.1f} (wanted: 12)")


if __name__ == "__main__":
    main(*(int(word) for word in (*sys.argv[1:], *("7", "20")[len(sys.argv) - 1 :])))
