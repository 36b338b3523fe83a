"""What the entrypoint does with an experiment, an action each."""

from polyexp.action.action import Action
from polyexp.action.compare import Compare
from polyexp.action.crosscheck import Crosscheck
from polyexp.action.export import Export
from polyexp.action.fit import Fit
from polyexp.action.predict import Predict

__all__ = ["Action", "Compare", "Crosscheck", "Export", "Fit", "Predict"]
