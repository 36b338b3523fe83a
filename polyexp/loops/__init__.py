"""Where the gradient comes from, for how many steps, and how often somebody looks."""

from polyexp.loops.autograd import Autograd
from polyexp.loops.closed_form import ClosedForm
from polyexp.loops.custom_function import CustomFunction
from polyexp.loops.loop import Loop
from polyexp.loops.manual import Manual

__all__ = ["Autograd", "ClosedForm", "CustomFunction", "Loop", "Manual"]
