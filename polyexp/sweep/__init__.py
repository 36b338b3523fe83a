"""Sweeps: the configurations, experiments and files of many jobs, made from one composition."""

from polyexp.sweep.job_files import JobFiles
from polyexp.sweep.template import JobOverrides, Template, hydra_config, plain_among

__all__ = ["JobFiles", "JobOverrides", "Template", "hydra_config", "plain_among"]
