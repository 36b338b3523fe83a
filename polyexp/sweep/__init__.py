"""Sweeps: the runs of one command with `-m`."""

from polyexp.sweep.settings import SweepSettings

__all__ = ["SweepSettings"]
