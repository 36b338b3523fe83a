"""The manifest of a sweep, `jobs.csv` in its folder: what its jobs are, written before the first of them runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from polyexp.base import InputError, require, whole
from polyexp.sweep.rows import MAX_JOBS, overrides_cell, overrides_of, read_rows, required_whole_number, write_rows

__all__ = ["INSTEAD", "MANIFEST", "PlannedJob", "read_manifest", "write_manifest"]

MANIFEST = "jobs.csv"
HEADS = ("number", "fingerprint", "overrides")
FINGERPRINT_CHARACTERS = 16
INSTEAD = "Start the sweep again with its own command line and `sweep.skip_finished=true`, which reuses finished runs."


@dataclass(frozen=True)
class PlannedJob:
    """A job of a sweep, as the manifest describes it.

    Args:
        number: The number, from 0 on.
        fingerprint: The fingerprint of the experiment, 16 hexadecimal digits.
        overrides: The overrides that distinguish the job, as they are typed.

    Raises:
        InputError: One of these is something else.
    """

    number: int
    fingerprint: str
    overrides: tuple[str, ...]

    def __post_init__(self) -> None:
        whole("number", self.number, 0, MAX_JOBS - 1)
        is_hash = len(self.fingerprint) == FINGERPRINT_CHARACTERS and set(self.fingerprint) <= set("0123456789abcdef")
        require(is_hash, "fingerprint", f"{FINGERPRINT_CHARACTERS} hexadecimal digits", self.fingerprint)


def write_manifest(folder: Path, jobs: Iterable[PlannedJob]) -> Path:
    """Write the manifest of a sweep as a whole, and return its path.

    Args:
        folder: The folder of the sweep, which exists.
        jobs: All jobs in the order of their numbers, which are 0, 1, 2, ...

    Raises:
        InputError: The overrides of a job are too long.
        OSError: The file cannot be written.
    """
    path = folder / MANIFEST
    write_rows(path, HEADS, ((one.number, one.fingerprint, overrides_cell(one.overrides)) for one in jobs))
    return path


def read_manifest(folder: Path) -> tuple[PlannedJob, ...]:
    """The jobs of a sweep in the order of their numbers, at least one.

    Args:
        folder: The folder of the sweep.

    Raises:
        InputError: The folder has no manifest, or a damaged one: sentences with the file, the line and what to type.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise InputError(f"{folder} is not the folder of a sweep that can be resumed: it has no {MANIFEST}. {INSTEAD}")
    jobs = read_rows(path, HEADS, _job, INSTEAD)
    if not jobs or jobs[-1].number != len(jobs) - 1:
        raise InputError(f"{path} cannot be used: {_missing(jobs)}. {INSTEAD}")
    return jobs


def _job(cells: Mapping[str, str]) -> PlannedJob:
    number = required_whole_number("number", cells["number"])
    return PlannedJob(number, cells["fingerprint"], overrides_of(cells["overrides"]))


def _missing(jobs: Sequence[PlannedJob]) -> str:
    """What is wrong with jobs whose numbers are not 0, 1, 2, ..., in words."""
    gap = next((place for place, job in enumerate(jobs) if job.number != place), len(jobs))
    return f"job {gap} is missing" if jobs else "it has no jobs"
