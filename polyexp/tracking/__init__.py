"""Trackers, which record runs, and the runs that are read back from them."""

from polyexp.tracking.address import require_no_credentials, require_no_typed_credentials
from polyexp.tracking.dataset import dataset_of
from polyexp.tracking.destination import Destination
from polyexp.tracking.entry import (
    DATA_TAG,
    FOLDER_TAG,
    JOURNAL_TAG,
    KIND_COMPARISON,
    KIND_SWEEP,
    KIND_TAG,
    OVERRIDES_TAG,
    REPLAY_TAG,
    RESUMED_TAG,
    SWEEP_TAG,
    Status,
)
from polyexp.tracking.environment import differences, environment_tags, recorded_environment, runs_together
from polyexp.tracking.failures import describe
from polyexp.tracking.finished import FINGERPRINT_TAG, FinishedRun, read_result
from polyexp.tracking.history_file import LossCurve
from polyexp.tracking.journal import JOURNAL, Header, Journal, reason_of
from polyexp.tracking.journal_history import history_of, recorded_steps
from polyexp.tracking.journal_lines import JournalError, end_of, final_metrics_of, header_of, is_gone, kept_lines
from polyexp.tracking.loaded_result import load_result
from polyexp.tracking.logged_model import model_data, why_none
from polyexp.tracking.mlflow import MLflow
from polyexp.tracking.none import NoTracking
from polyexp.tracking.note import NOTE, note_of
from polyexp.tracking.ownership import (
    DESCRIPTIONS,
    RECORDER_LOG,
    RESULT,
    RUN_LOG,
    locked_folder,
    require_no_run,
    require_plain,
)
from polyexp.tracking.recorded import RecordedRun, RecordedRuns
from polyexp.tracking.reference import RecordedFit, recorded_fit
from polyexp.tracking.result_file import NoFormulaError, ResultFile
from polyexp.tracking.result_record import record, write_result
from polyexp.tracking.run_list import ListedRun, RunList, runs
from polyexp.tracking.same_store import address_of, require_same_store
from polyexp.tracking.selection import Selection, sweep_name
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
    "DATA_TAG",
    "DESCRIPTIONS",
    "FINGERPRINT_TAG",
    "FOLDER_TAG",
    "JOURNAL",
    "JOURNAL_TAG",
    "KIND_COMPARISON",
    "KIND_SWEEP",
    "KIND_TAG",
    "NOTE",
    "OVERRIDES_TAG",
    "RECORDER_LOG",
    "REPLAY_TAG",
    "RESULT",
    "RESUMED_TAG",
    "RUN_LOG",
    "SWEEP_TAG",
    "Delivered",
    "DeliveryState",
    "Destination",
    "FinishedRun",
    "Found",
    "Header",
    "Journal",
    "JournalError",
    "ListedRun",
    "LossCurve",
    "MLflow",
    "NoFormulaError",
    "NoTracking",
    "RecordedFit",
    "RecordedRun",
    "RecordedRuns",
    "ResultFile",
    "RunInfo",
    "RunList",
    "Selection",
    "Status",
    "Tracker",
    "address_of",
    "by_destination",
    "dataset_of",
    "derived_params",
    "describe",
    "differences",
    "end_of",
    "environment_tags",
    "final_metrics",
    "final_metrics_of",
    "found_in",
    "header_of",
    "history_of",
    "is_gone",
    "kept_lines",
    "load_result",
    "locked_folder",
    "model_data",
    "note_of",
    "read_result",
    "reason_of",
    "record",
    "recorded_environment",
    "recorded_fit",
    "recorded_steps",
    "require_named",
    "require_no_credentials",
    "require_no_run",
    "require_no_typed_credentials",
    "require_plain",
    "require_same_store",
    "runs",
    "runs_together",
    "size_and_revision",
    "sweep_name",
    "synchronized",
    "why_none",
    "write_result",
]
