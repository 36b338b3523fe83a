"""Gradient descent from a first to a last state, as a sequence of frozen values.

    start -> State -> step -> State -> ... -> Result

`step` is one update, a pure function that can be used by itself; `fit` takes many steps, with a snapshot every
`loop.log_every` of them.
"""

from polyexp.fitting.blocks import Keep
from polyexp.fitting.checkpoint import Checkpoint
from polyexp.fitting.checkpoint_file import (
    CHECKPOINT,
    PREVIOUS,
    DamagedError,
    read_checkpoint,
    store_arrays,
    stored_arrays,
    write_checkpoint,
)
from polyexp.fitting.checkpoint_settings import CheckpointSettings
from polyexp.fitting.checkpoint_writer import CheckpointWriter
from polyexp.fitting.driver import NUMERICAL_CORE, computed_by, fit, require_offers
from polyexp.fitting.forecast_of_result import forecast_of
from polyexp.fitting.history import History
from polyexp.fitting.outcome import Outcome
from polyexp.fitting.progress import GROWTH_LIMIT, Progress
from polyexp.fitting.result import Result, best_power_series
from polyexp.fitting.saved_checkpoint import SavedCheckpoint
from polyexp.fitting.state import Snapshot, State, start
from polyexp.fitting.summary import ending_of, summary_of
from polyexp.fitting.updates import place, step

__all__ = [
    "CHECKPOINT",
    "GROWTH_LIMIT",
    "NUMERICAL_CORE",
    "PREVIOUS",
    "Checkpoint",
    "CheckpointSettings",
    "CheckpointWriter",
    "DamagedError",
    "History",
    "Keep",
    "Outcome",
    "Progress",
    "Result",
    "SavedCheckpoint",
    "Snapshot",
    "State",
    "best_power_series",
    "computed_by",
    "ending_of",
    "fit",
    "forecast_of",
    "place",
    "read_checkpoint",
    "require_offers",
    "start",
    "step",
    "store_arrays",
    "stored_arrays",
    "summary_of",
    "write_checkpoint",
]
