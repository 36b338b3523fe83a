"""Finished runs by the fingerprints of their experiments, so that a sweep need not compute them again.

A SQLite store of a revision that polyexp knows is asked with one SELECT, without MLflow; any other one in pages.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from polyexp.base import InputError, open_regular
from polyexp.tracking import sqlite
from polyexp.tracking.artifact_folder import UnknownLocationError, local_folder
from polyexp.tracking.artifacts import MEGABYTE
from polyexp.tracking.entry import OUTCOME_TAG
from polyexp.tracking.ownership import RESULT
from polyexp.tracking.recorded import RESULT_LIMIT, RecordedRun, RecordedRuns
from polyexp.tracking.result_file import ResultFile
from polyexp.tracking.selection import Selection

__all__ = ["FINGERPRINT_TAG", "FinishedRun", "finished_in_sqlite", "finished_recorded", "read_result"]

FINGERPRINT_TAG = "polyexp.fingerprint"
FINISHED = f"""
    SELECT fingerprint.value, runs.run_uuid, outcome.value, runs.artifact_uri
    FROM runs
    JOIN experiments ON experiments.experiment_id = runs.experiment_id
    JOIN tags AS fingerprint ON fingerprint.run_uuid = runs.run_uuid AND fingerprint.key = '{FINGERPRINT_TAG}'
    JOIN tags AS outcome ON outcome.run_uuid = runs.run_uuid AND outcome.key = '{OUTCOME_TAG}'
    WHERE runs.status = 'FINISHED' AND runs.lifecycle_stage = 'active' AND experiments.name = ?
    ORDER BY runs.start_time, runs.run_uuid
"""


@dataclass(frozen=True)
class FinishedRun:
    """A finished run.

    Args:
        run_id: The id of the run in the store.
        outcome: The name of its outcome.
        loss: The final loss; None where it is not finite.
        excess: The final excess, likewise.
        steps: The number of updates of the final parameters; None where it is not recorded.
    """

    run_id: str
    outcome: str
    loss: float | None
    excess: float | None
    steps: int | None

    @classmethod
    def of(cls, run_id: str, result: ResultFile) -> "FinishedRun":
        """The run with this id and this result."""
        return cls(run_id, result.outcome, result.loss, result.excess, result.steps)


def finished_in_sqlite(
    path: Path, artifact_root: Path, experiment: str, fingerprints: Collection[str]
) -> dict[str, FinishedRun]:
    """The latest finished run of each fingerprint that has one, in a SQLite store.

    Args:
        path: The file of the store.
        artifact_root: The folder that stands for mlflow-artifacts:/.
        experiment: The name of the MLflow experiment.
        fingerprints: The fingerprints.

    Raises:
        InputError: The store cannot be read.
    """
    try:
        with sqlite.reading(path) as database:
            rows = database.execute(FINISHED, (experiment,)).fetchall()
    except (OSError, sqlite3.Error) as error:
        raise InputError(f"The store {path} cannot be read: {error}.") from error
    latest = {str(row[0]): row[1:] for row in rows if row[0] in fingerprints}
    found = {}
    for fingerprint, (run_id, outcome, location) in latest.items():
        # A run whose result cannot be read is computed again.
        with suppress(InputError, OSError, UnknownLocationError):
            result = read_result(local_folder(str(location), artifact_root))
            if result.outcome == outcome:
                found[fingerprint] = FinishedRun.of(str(run_id), result)
    return found


def finished_recorded(runs: RecordedRuns, fingerprints: Collection[str]) -> dict[str, FinishedRun]:
    """The latest finished run of each fingerprint that has one, in any store.

    Args:
        runs: The recorded runs of an MLflow experiment.
        fingerprints: The fingerprints.
    """
    latest: dict[str, RecordedRun] = {}
    for run in runs.select(Selection()):  # the latest first
        fingerprint = run.tags.get(FINGERPRINT_TAG, "")
        if run.status == "FINISHED" and fingerprint in fingerprints:
            latest.setdefault(fingerprint, run)
    return dict(_with_results(latest))


def read_result(folder: Path) -> ResultFile:
    """The content of the result.json in a folder.

    Args:
        folder: The folder of a run, or of its artifacts.

    Raises:
        InputError: It is damaged.
        OSError: There is none that can be read.
    """
    with open_regular(folder / RESULT) as file:
        return ResultFile.of(file.read(round(RESULT_LIMIT.megabytes * MEGABYTE)))


def _with_results(runs: Mapping[str, RecordedRun]) -> Iterator[tuple[str, FinishedRun]]:
    for fingerprint, run in runs.items():
        with suppress(InputError):
            yield fingerprint, FinishedRun.of(run.id, run.result())
