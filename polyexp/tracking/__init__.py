"""Where a run is recorded."""

from polyexp.tracking.mlflow import MLflow
from polyexp.tracking.none import Nothing
from polyexp.tracking.tracker import About, Record, Tracker

__all__ = ["About", "MLflow", "Nothing", "Record", "Tracker"]
