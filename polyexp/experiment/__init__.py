"""Experiments, which are built from a configuration, checked and run."""

from polyexp.experiment.experiment import Experiment, build, varying
from polyexp.experiment.job import Job
from polyexp.experiment.run import compute, publish
from polyexp.experiment.schema import GROUPS, Config, spell, unknown_key_error

__all__ = [
    "GROUPS",
    "Config",
    "Experiment",
    "Job",
    "build",
    "compute",
    "publish",
    "spell",
    "unknown_key_error",
    "varying",
]
