"""Where the gradient comes from, for how many steps, and how often somebody looks."""

from polyexp.loop.autograd import Autograd
from polyexp.loop.closed_form import ClosedForm
from polyexp.loop.custom_function import CustomFunction
from polyexp.loop.loop import Loop
from polyexp.loop.manual import Manual

__all__ = ["Autograd", "ClosedForm", "CustomFunction", "Loop", "Manual"]
