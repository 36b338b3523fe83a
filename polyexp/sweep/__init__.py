"""Sweeps: the manifest of their jobs, and what became of these as a table, on the terminal and as a picture."""

from polyexp.sweep.figure import draw_sweep, sweep_figure
from polyexp.sweep.jobs import MANIFEST, PlannedJob, read_manifest, write_manifest
from polyexp.sweep.rows import MAX_JOBS
from polyexp.sweep.table import (
    FAILED,
    FINISHED,
    KILLED,
    NOT_RUN,
    SWEEP_FILE,
    JobRow,
    SweepTable,
    read_table,
    write_table,
)
from polyexp.sweep.terminal import job_line, summary

__all__ = [
    "FAILED",
    "FINISHED",
    "KILLED",
    "MANIFEST",
    "MAX_JOBS",
    "NOT_RUN",
    "SWEEP_FILE",
    "JobRow",
    "PlannedJob",
    "SweepTable",
    "draw_sweep",
    "job_line",
    "read_manifest",
    "read_table",
    "summary",
    "sweep_figure",
    "write_manifest",
    "write_table",
]
