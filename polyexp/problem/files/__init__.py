"""Samples from files, with one module for each format."""

from polyexp.problem.files.data_file import DataFile

__all__ = ["DataFile"]
