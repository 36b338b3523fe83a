"""An experiment from its configuration to its record."""

from polyexp.experiment.experiment import Experiment, build, varying
from polyexp.experiment.run import Job
from polyexp.experiment.schema import GROUPS, Config, spell, unknown_key

__all__ = ["GROUPS", "Config", "Experiment", "Job", "build", "spell", "unknown_key", "varying"]
