"""Experiments, which are built from a configuration, checked and run."""

from polyexp.experiment.batch import batch_key
from polyexp.experiment.experiment import Experiment, build, build_part, varying
from polyexp.experiment.job import InSweep, Interruption, Job, Uninterrupted, short_number, short_word, typed_values
from polyexp.experiment.resumed import can_go_on
from polyexp.experiment.run import compute, publish, publish_computed
from polyexp.experiment.schema import GROUPS, PARTS, Config, all_keys, unknown_key_error
from polyexp.experiment.suggestions import choice_hint, key_hint

__all__ = [
    "GROUPS",
    "PARTS",
    "Config",
    "Experiment",
    "InSweep",
    "Interruption",
    "Job",
    "Uninterrupted",
    "all_keys",
    "batch_key",
    "build",
    "build_part",
    "can_go_on",
    "choice_hint",
    "compute",
    "key_hint",
    "publish",
    "publish_computed",
    "short_number",
    "short_word",
    "typed_values",
    "unknown_key_error",
    "varying",
]
