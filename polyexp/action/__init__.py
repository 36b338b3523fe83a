"""The actions, one of which the entrypoint carries out with an experiment."""

from polyexp.action.action import Action
from polyexp.action.compare import Compare
from polyexp.action.crosscheck import Crosscheck
from polyexp.action.export import Export
from polyexp.action.fit import Fit
from polyexp.action.predict import Predict
from polyexp.action.replay import Replay
from polyexp.action.sync import Sync

__all__ = ["Action", "Compare", "Crosscheck", "Export", "Fit", "Predict", "Replay", "Sync"]
