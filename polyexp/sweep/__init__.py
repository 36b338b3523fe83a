"""Sweeps: the configurations, experiments and files of many jobs, made from one composition, and what became of them."""

from polyexp.sweep.batch_checkpoint import CHECKPOINTS
from polyexp.sweep.batches import MAX_RUNS
from polyexp.sweep.figure import SWEEP_PICTURE, draw_sweep, sweep_figure
from polyexp.sweep.job_files import JobFiles
from polyexp.sweep.jobs import INSTEAD, MANIFEST, PlannedJob, read_manifest, write_manifest
from polyexp.sweep.outcomes import SweepJob, reused_rows, row_of
from polyexp.sweep.record import SweepRecord
from polyexp.sweep.resumed import clear
from polyexp.sweep.rows import MAX_JOBS
from polyexp.sweep.run import ReadyJob, run_jobs
from polyexp.sweep.settings import SweepSettings
from polyexp.sweep.slicing import slices
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
from polyexp.sweep.template import JobOverrides, Template, hydra_config, plain_among
from polyexp.sweep.terminal import job_line, listing, summary, to_run

__all__ = [
    "CHECKPOINTS",
    "FAILED",
    "FINISHED",
    "INSTEAD",
    "KILLED",
    "MANIFEST",
    "MAX_JOBS",
    "MAX_RUNS",
    "NOT_RUN",
    "SWEEP_FILE",
    "SWEEP_PICTURE",
    "JobFiles",
    "JobOverrides",
    "JobRow",
    "PlannedJob",
    "ReadyJob",
    "SweepJob",
    "SweepRecord",
    "SweepSettings",
    "SweepTable",
    "Template",
    "clear",
    "draw_sweep",
    "hydra_config",
    "job_line",
    "listing",
    "plain_among",
    "read_manifest",
    "read_table",
    "reused_rows",
    "row_of",
    "run_jobs",
    "slices",
    "summary",
    "sweep_figure",
    "to_run",
    "write_manifest",
    "write_table",
]
