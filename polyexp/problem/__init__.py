"""Problems: samples, the sources that they come from, and their reduction to a few."""

from polyexp.problem.files.data_file import DataFile
from polyexp.problem.files.formats import FILE_ENDINGS
from polyexp.problem.reduction import gauss, merge, reduce_chunks, samples_for
from polyexp.problem.samples import Array, Chunk, Data, Samples, require_samples
from polyexp.problem.sampling import Problem
from polyexp.problem.source import Dropped, OnDropped, OnProgress, Source
from polyexp.problem.targets import TARGETS, Target

__all__ = [
    "FILE_ENDINGS",
    "TARGETS",
    "Array",
    "Chunk",
    "Data",
    "DataFile",
    "Dropped",
    "OnDropped",
    "OnProgress",
    "Problem",
    "Samples",
    "Source",
    "Target",
    "gauss",
    "merge",
    "reduce_chunks",
    "require_samples",
    "samples_for",
]
