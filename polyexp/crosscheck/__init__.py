"""One problem by every formulation that can run here, and what a model says of itself, each against an independent answer.

The reference is plain NumPy: it knows of a model nothing but `forward`, which it differentiates by complex steps, so that it
shares neither `backward` nor autograd with the formulations that are held against it.
"""

from polyexp.crosscheck.differences import TOLERANCE
from polyexp.crosscheck.driver import Crosscheck, crosscheck, sets
from polyexp.crosscheck.formulations import Formulation
from polyexp.crosscheck.model_checks import Promise

__all__ = ["TOLERANCE", "Crosscheck", "Formulation", "Promise", "crosscheck", "sets"]
