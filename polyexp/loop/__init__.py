"""Loops: where the gradient comes from, how many steps are taken, and when they end."""

from polyexp.loop.autograd import Autograd
from polyexp.loop.closed_form import ClosedForm
from polyexp.loop.custom_function import CustomFunction
from polyexp.loop.loop import Loop
from polyexp.loop.manual import Manual

__all__ = ["Autograd", "ClosedForm", "CustomFunction", "Loop", "Manual"]
