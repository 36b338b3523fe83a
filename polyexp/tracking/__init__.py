"""Trackers, which record runs, and the runs that are read back from them."""

from polyexp.tracking.address import require_no_credentials, require_no_typed_credentials
from polyexp.tracking.dataset import dataset_of
from polyexp.tracking.destination import Destination
from polyexp.tracking.entry import FOLDER_TAG
from polyexp.tracking.failures import describe
from polyexp.tracking.history_file import LossCurve
from polyexp.tracking.journal import JOURNAL, Journal
from polyexp.tracking.mlflow import MLflow
from polyexp.tracking.none import NoTracking
from polyexp.tracking.ownership import require_no_run
from polyexp.tracking.recorded import KIND_COMPARISON, RecordedRun, RecordedRuns
from polyexp.tracking.result_file import NoFormulaError, ResultFile
from polyexp.tracking.result_record import record, write_result
from polyexp.tracking.selection import Selection
from polyexp.tracking.syncing import (
    DeliveryState,
    Found,
    by_destination,
    found_in,
    require_named,
    size_and_revision,
    synchronized,
)
from polyexp.tracking.tracker import Delivered, RunInfo, Tracker, derived_params, final_metrics

__all__ = [
    "FOLDER_TAG",
    "JOURNAL",
    "KIND_COMPARISON",
    "Delivered",
    "DeliveryState",
    "Destination",
    "Found",
    "Journal",
    "LossCurve",
    "MLflow",
    "NoFormulaError",
    "NoTracking",
    "RecordedRun",
    "RecordedRuns",
    "ResultFile",
    "RunInfo",
    "Selection",
    "Tracker",
    "by_destination",
    "dataset_of",
    "derived_params",
    "describe",
    "final_metrics",
    "found_in",
    "record",
    "require_named",
    "require_no_credentials",
    "require_no_run",
    "require_no_typed_credentials",
    "size_and_revision",
    "synchronized",
    "write_result",
]
