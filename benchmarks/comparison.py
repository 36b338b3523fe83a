"""The table of many runs beside the search that finds them: `python -m benchmarks.comparison [runs]`.

The runs are copies of one, written into a database of their own, each with another seed, rate and loss.
"""

import contextlib
import io
import os
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from polyexp.cli.main import main as polyexp
from polyexp.comparison import Comparison, best_first, tables
from polyexp.comparison.page import page
from polyexp.tracking import RecordedRuns, Selection
from polyexp.tracking.store import Store, open_store

RUNS = 10_000
ROUNDS = 3
COPIED = {"runs": "run_uuid", "params": "run_uuid", "tags": "run_uuid", "latest_metrics": "run_uuid"}


def many_runs(folder: Path, number: int) -> Store:
    """A store with one run of polyexp and number - 1 copies of it."""
    os.chdir(folder)
    sys.argv = ["polyexp", "backend=numpy", "loop.steps=20", "quiet=true"]
    with contextlib.redirect_stdout(io.StringIO()):
        polyexp()
    path = folder / "outputs" / "mlflow.db"
    with contextlib.closing(sqlite3.connect(path)) as database, database:
        for table in COPIED:
            _copy(database, table, number)
        varied = "where key = ? and length(run_uuid) = 32 and run_uuid like 'copy%'"
        place = "cast(substr(run_uuid, 5) as integer)"
        database.execute(f"update params set value = {place} {varied}", ["seed"])
        database.execute(f"update params set value = 1e-9 * ({place} % 1000) {varied}", ["optimizer.learning_rate"])
        database.execute(f"update latest_metrics set value = 1.0 / {place} {varied}", ["loss/final"])
    return open_store(f"sqlite:///{path}")


def _copy(database: sqlite3.Connection, table: str, number: int) -> None:
    columns = [row[1] for row in database.execute(f"pragma table_info({table})")]
    rows = database.execute(f"select {', '.join(columns)} from {table}").fetchall()
    at = columns.index("run_uuid")
    copies = ([*row[:at], f"copy{place:028d}", *row[at + 1 :]] for place in range(1, number) for row in rows)
    database.executemany(f"insert into {table} values ({', '.join('?' * len(columns))})", copies)


def search(store: Store) -> int:
    """What MLflow takes to give all runs, a thousand at a time."""
    experiment, token, found = store.client.get_experiment_by_name("polyexp").experiment_id, None, 0
    while token != "":
        some = store.client.search_runs([experiment], max_results=1000, page_token=token)
        found, token = found + len(some), some.token or ""
    return found


def table(store: Store) -> int:
    """The same runs found, put into order and written as text and as a page. No files are read, no curves are drawn."""
    runs = best_first(RecordedRuns(store, "polyexp").select(Selection()))
    comparison = Comparison(runs, [])
    console = Console(file=io.StringIO(), width=120)
    for part in tables(comparison, 120):
        console.print(part)
    page(comparison, b"")
    return len(runs)


def main() -> None:
    """Print the medians of both, in turns, and of their ratio: seconds of the processor, which other programs do not change."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory() as folder:
        store = many_runs(Path(folder), number)
        seconds: dict[str, list[float]] = {"search": [], "table": []}
        for _ in range(ROUNDS):
            for work in (search, table):
                begin = time.process_time()
                assert work(store) == number
                seconds[work.__name__].append(time.process_time() - begin)
        ratios = [a / b for a, b in zip(seconds["table"], seconds["search"], strict=True)]
        print(f"{number} runs: search {statistics.median(seconds['search']):.2f} s, ", end="")
        print(f"table {statistics.median(seconds['table']):.2f} s, ratio {statistics.median(ratios):.3f}", end=" ")
        print(f"({min(ratios):.3f} to {max(ratios):.3f})")


if __name__ == "__main__":
    main()
