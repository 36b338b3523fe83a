"""Where a run is recorded, and how it is read back."""

from polyexp.tracking.mlflow import MLflow
from polyexp.tracking.none import Nothing
from polyexp.tracking.recorded import RecordedRun, RecordedRuns, Selection, fitted
from polyexp.tracking.tracker import About, Record, Tracker

__all__ = [
    "About",
    "MLflow",
    "Nothing",
    "Record",
    "RecordedRun",
    "RecordedRuns",
    "Selection",
    "Tracker",
    "fitted",
]
