"""What a job of a sweep costs: `python -m benchmarks.sweeps [rounds] [jobs] [folder of an earlier version]`.

Each way is a whole process, with its imports and with the processes that it starts, the recorder among them, and is measured
alternately with the others: seconds of the processor and of the clock for a job. The ways are polyexp's sweep, its jobs one
after another (`hydra/launcher=basic`), the same in an earlier version, loops of MLflow's client that only write the rows and
the files of the same runs, with a call for each value or with `log_batch`, and a loop by hand in torch that logs to MLflow's
fluent interface. No folder is removed before the end: ext4 makes files slowly where many were removed a moment ago.
"""

import ctypes
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

from benchmarks.__main__ import processor
from benchmarks.recording import record_by_client
from polyexp.base import version
from polyexp.tracking.entry import Entry
from polyexp.tracking.store import open_store
from polyexp.tracking.undelivered import undelivered

RESULTS = Path(__file__).parent / "results"
ALONE_JOBS, BY_HAND_JOBS, BATCHED_RUNS, CALLED_RUNS = 40, 20, 100, 10
SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of Linux: processes whose parent has ended become children of this one
BY_HAND = """
import itertools, json, math, sys
import mlflow, torch
torch.set_num_threads(1)
mlflow.set_tracking_uri(sys.argv[1])
mlflow.set_experiment("by hand")
x = torch.linspace(-math.pi, math.pi, 4000, dtype=torch.float64)
y, powers = torch.sin(x), x[:, None] ** torch.arange(8)
for rate, seed in itertools.islice(itertools.product(torch.logspace(-8, -5.8, 100).tolist(), range(10)), int(sys.argv[2])):
    with mlflow.start_run(run_name=f"lr={rate:.6g} seed={seed}"):
        mlflow.log_params({"learning_rate": rate, "seed": seed, "steps": 4000, "degree": 7})
        w = torch.rand(8, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        for step in range(1, 4001):
            error = powers @ w - y
            gradient = 2 * powers.T @ error / len(x)
            if step % 200 == 0:
                loss = (error**2).mean().item()
                mlflow.log_metrics({"loss": loss, "gradient": gradient.norm().item()}, step=step)
            w -= rate * gradient
        mlflow.log_dict({"parameters": w.tolist(), "loss": loss}, "result.json")
"""


class Cost(NamedTuple):
    """Seconds of the processor and of the clock for a job."""

    processor: float
    clock: float


def cost(command: Sequence[str | Path], jobs: int, folder: Path, source: Path | None = None) -> Cost:
    """What a command costs for a job, until all processes that it has started have ended.

    Args:
        command: The command.
        jobs: The number of its jobs.
        folder: The folder in which it runs.
        source: A folder with another version of polyexp; None for this one.
    """
    env = os.environ | ({"PYTHONPATH": str(source)} if source else {})
    ctypes.CDLL(None).prctl(SUBREAPER, 1)
    before, began = os.times(), time.perf_counter()
    with (folder / "printed.txt").open("ab") as printed:
        subprocess.run(list(map(str, command)), cwd=folder, env=env, stdout=printed, check=True)
    clock = time.perf_counter() - began
    while True:
        try:
            os.wait()  # for the recorder
        except ChildProcessError:
            break
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(used / jobs, clock / jobs)


def sweep(jobs: int, *words: str) -> list[str]:
    """The command of a sweep with so many jobs, at most 10 of them for each rate."""
    seeds = min(jobs, 10)
    axes = [f"optimizer.learning_rate=logspace(-8,-5.8,{jobs // seeds})", f"seed=range(0,{seeds})"]
    return [sys.executable, "-m", "polyexp", "-m", *axes, "hydra.sweep.dir=outputs/sweep", *words]


def old_sweep(jobs: int) -> list[str]:
    """The same in words that earlier versions take, by the launcher that they have."""
    rates = [10 ** (-8 + 2.2 * place / (jobs // 10 - 1)) for place in range(jobs // 10)]
    axes = [f"optimizer.learning_rate={','.join(map(repr, rates))}", "seed=0,1,2,3,4,5,6,7,8,9"]
    return [sys.executable, "-m", "polyexp", "-m", *axes, "hydra/launcher=basic"]


def by_client(source: Path, folder: Path, runs: int, *, batched: bool) -> Cost:
    """What the rows and the files of runs cost that are written by MLflow's client, without its imports."""
    folder.mkdir()
    store = open_store(f"sqlite:///{folder / 'mlflow.db'}")
    experiment_id = store.experiment("polyexp").experiment_id
    entries: list[Entry] = [
        undelivered(source / str(number), "none", None, str(folder / "artifacts")).entry for number in range(runs)
    ]
    began, clock = time.process_time(), time.perf_counter()
    for entry in entries:
        record_by_client(store.client, experiment_id, entry, batched=batched)
    return Cost((time.process_time() - began) / runs, (time.perf_counter() - clock) / runs)


def measured(folder: Path, jobs: int, earlier: Path | None) -> tuple[dict[str, Cost], dict[str, float]]:
    """What a job costs in each way, once, in a folder that is made, and how much the sweep has printed and stored."""
    found: dict[str, Cost] = {}
    folder.mkdir()
    open_store(f"sqlite:///{folder / 'outputs' / 'mlflow.db'}")
    empty = (folder / "outputs" / "mlflow.db").stat().st_size
    found["sweep"] = cost(sweep(jobs), jobs, folder)
    sizes = {
        "bytes of the store for a run": ((folder / "outputs" / "mlflow.db").stat().st_size - empty) / jobs,
        "bytes printed": (folder / "printed.txt").stat().st_size,
    }
    runs = folder / "outputs" / "sweep"
    found["batched"] = by_client(runs, folder / "batched", BATCHED_RUNS, batched=True)
    found["called"] = by_client(runs, folder / "called", CALLED_RUNS, batched=False)
    alone = sweep(ALONE_JOBS, "hydra/launcher=basic", "hydra.sweep.dir=outputs/alone")
    found["alone"] = cost(alone, ALONE_JOBS, folder)
    if earlier:
        found["earlier"] = cost(old_sweep(ALONE_JOBS), ALONE_JOBS, folder, earlier)
    uri = f"sqlite:///{folder / 'by_hand.db'}"
    open_store(uri)
    found["by hand"] = cost([sys.executable, "-c", BY_HAND, uri, str(BY_HAND_JOBS)], BY_HAND_JOBS, folder)
    return found, sizes


def parts(folder: Path, jobs: int) -> dict[str, float]:
    """Seconds of the processor that the parts of a sweep take, which is run once more in a folder that is made."""
    folder.mkdir()
    open_store(f"sqlite:///{folder / 'outputs' / 'mlflow.db'}")
    found = folder / "parts.json"
    root = Path(__file__).parents[1]
    whole = cost([sys.executable, "-m", "benchmarks.parts", found, *sweep(jobs)[3:]], jobs, folder, root)
    seconds: dict[str, float] = json.loads(found.read_text(encoding="utf-8"))
    return seconds | {"the recorder": whole.processor * jobs - sum(seconds.values())}


def main(rounds: int, jobs: int, earlier: Path | None) -> None:
    """Measure, print the table, and write it to `benchmarks/results/sweeps.md`."""
    os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as name:
        done = [measured(Path(name, str(turn)), jobs, earlier) for turn in range(rounds)]
        seconds = parts(Path(name, "parts"), jobs)
    turns, sizes = zip(*done, strict=True)
    names = {
        "sweep": (f"a sweep of {jobs} jobs", ""),
        "earlier": (f"{ALONE_JOBS} jobs by the basic launcher of an earlier version", "25"),
        "alone": (f"{ALONE_JOBS} jobs by the basic launcher", ""),
        "called": ("MLflow's client, which only writes the same, with a call for each value", "3"),
        "batched": ("MLflow's client, which only writes the same, with `log_batch`", "3"),
        "by hand": (f"{BY_HAND_JOBS} jobs by hand in torch with MLflow's fluent interface", "30"),
    }
    lines = [
        "# What a job of a sweep costs",
        "",
        f"{date.today()}, {processor()}, {os.cpu_count()} cores, Python {platform.python_version()},",
        f"{version.described()}.",
        f"Medians of {rounds} turns, of the times and of the ratios: whole processes with imports, the recorder included;",
        "of MLflow's client the writing alone.",
        "",
        "| way | processor, ms a job | clock, ms a job | times as much as the sweep (processor) | wanted |",
        "|---|--:|--:|--:|--:|",
    ]
    for key in [key for key in names if key in turns[0]]:
        used, clock = (1000 * statistics.median(turn[key][place] for turn in turns) for place in (0, 1))
        ratio = statistics.median(turn[key].processor / turn["sweep"].processor for turn in turns)
        lines.append(f"| {names[key][0]} | {used:.1f} | {clock:.1f} | {ratio:.1f} | {names[key][1]} |")
    lines += ["", *(f"- {what}: {size:.0f}" for what, size in sizes[0].items())]
    if "earlier" in turns[0]:
        ratio = statistics.median(turn["earlier"].processor / turn["alone"].processor for turn in turns)
        lines.append(f"- The basic launcher costs 1/{ratio:.2f} of that of the earlier version (wanted: 1/2.5).")
    lines += [
        "",
        f"The parts of a sweep of {jobs} jobs, run once more:",
        "",
        "| part | processor, ms a job |",
        "|---|--:|",
    ]
    lines += [f"| {part} | {1000 * took / jobs:.2f} |" for part, took in seconds.items()]
    print("\n".join(lines))
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "sweeps.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        int(given[0]) if given else 3,
        int(given[1]) if len(given) > 1 else 1000,
        Path(given[2]).resolve() if len(given) > 2 else None,
    )
