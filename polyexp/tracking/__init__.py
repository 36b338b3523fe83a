"""Trackers, which record runs, and the runs that are read back from them."""

from polyexp.tracking.address import require_no_credentials, require_no_typed_credentials
from polyexp.tracking.history_file import LossCurve
from polyexp.tracking.mlflow import MLflow
from polyexp.tracking.none import NoTracking
from polyexp.tracking.recorded import RecordedRun, RecordedRuns
from polyexp.tracking.result_file import NoFormulaError, ResultFile
from polyexp.tracking.selection import Selection
from polyexp.tracking.tracker import Record, RunInfo, Tracker

__all__ = [
    "LossCurve",
    "MLflow",
    "NoFormulaError",
    "NoTracking",
    "Record",
    "RecordedRun",
    "RecordedRuns",
    "ResultFile",
    "RunInfo",
    "Selection",
    "Tracker",
    "require_no_credentials",
    "require_no_typed_credentials",
]
