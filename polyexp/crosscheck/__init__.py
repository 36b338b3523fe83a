"""Crosschecks: one problem solved by every formulation that can run here, and the checks of a model.

Every formulation is compared with one reference: NumPy, with gradients from `forward` alone, by complex steps. So the reference
shares neither `backward` nor autograd with what is compared with it.
"""

from polyexp.crosscheck.differences import TOLERANCE
from polyexp.crosscheck.driver import Crosscheck, crosscheck, sample_sets
from polyexp.crosscheck.formulations import Formulation
from polyexp.crosscheck.model_checks import ModelCheck

__all__ = ["TOLERANCE", "Crosscheck", "Formulation", "ModelCheck", "crosscheck", "sample_sets"]
