"""A store in memory that enforces MLflow's rules, with a writer whose calls can fail before or after they are done."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from polyexp.tracking.entry import Entry, LostRunError, MLflowExperiment, Writer, Written


class MemoryStore:
    """Runs by their ids: params that never change, tags, points as a set, files, and a status."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.experiments: dict[str, dict[str, str]] = {}
        self.made = 0
        self._ids = itertools.count(1)

    def make_anew(self) -> None:
        """The same address, without anything."""
        self.runs, self.experiments, self.made = {}, {}, self.made + 1

    def write(self, entry: Entry) -> Written:
        """Write an entry: a run is known by its id, or by its journal's where it has none."""
        known = [run_id for run_id, run in self.runs.items() if run["tags"].get("polyexp.journal") == entry.id]
        if entry.run_id is not None and known != [entry.run_id]:
            raise LostRunError(entry.run_id)
        assert len(known) <= 1
        if not known:
            assert entry.tags["polyexp.journal"] == entry.id
        self.experiments.setdefault(entry.experiment, {})
        run_id = known[0] if known else f"run-{next(self._ids)}"
        new = {"name": entry.name, "params": {}, "tags": {}, "points": set(), "files": {}, "datasets": set()}
        run = self.runs.setdefault(run_id, new | {"status": "RUNNING", "ended": None})
        for name, value in entry.params.items():
            assert run["params"].setdefault(name, value) == value
        run["tags"] |= entry.tags
        run["points"] |= set(entry.points)
        run["datasets"] |= {entry.dataset} if entry.dataset else set()
        run["files"] |= {file.path.name: file.path.read_text(encoding="utf-8") for file in entry.files}
        if entry.ended is not None:
            run |= {"status": entry.status.value, "ended": entry.ended}
        return Written(run_id, entry.experiment)

    @property
    def by_name(self) -> dict[str, dict[str, Any]]:
        """What is known of each run, without the ids that the store has given."""
        assert len({run["name"] for run in self.runs.values()}) == len(self.runs)
        return {run["name"]: run for run in self.runs.values()}

    def points(self, name: str, metric: str = "loss/train") -> list[tuple[int, float]]:
        """The points of a metric of a run as (step, value), each of which is there once."""
        found = sorted((one.step, one.value) for one in self.by_name[name]["points"] if one.name == metric)
        assert len({step for step, _ in found}) == len(found)
        return found


class MemoryWriter(Writer):
    """A writer to such a store.

    Args:
        store: The store.
        before: Called before a write; what it raises prevents it.
        after: Called after one; what it raises is an answer that is lost.
    """

    def __init__(
        self, store: MemoryStore, before: Callable[[], None] = lambda: None, after: Callable[[], None] = lambda: None
    ) -> None:
        self.store, self._before, self._after, self.closed = store, before, after, False
        self.entries: list[Entry] = []

    @property
    def identity(self) -> str:
        """The store, and how often it has been made."""
        return f"memory {self.store.made}"

    def write(self, entries: Sequence[Entry]) -> list[Written | Exception]:
        """Write entries; those that fail have their exceptions."""
        self._before()
        assert len({one.id for one in entries}) == len(entries)
        self.entries += entries
        done = [self._written(entry) for entry in entries]
        self._after()
        return done

    def experiment(self, name: str, artifact_root: str | None) -> MLflowExperiment:
        """The tags of an MLflow experiment, whose id is its name."""
        return MLflowExperiment(name, self.store.experiments.setdefault(name, {}))

    def set_experiment_tag(self, experiment_id: str, name: str, value: str | None) -> None:
        """Set or delete a tag."""
        tags = self.store.experiments[experiment_id]
        if value is None:
            tags.pop(name, None)
        else:
            tags[name] = value

    def close(self) -> None:
        """Remember that it is closed."""
        self.closed = True

    def _written(self, entry: Entry) -> Written | Exception:
        try:
            return self.store.write(entry)
        except (LostRunError, OSError) as error:
            return error
