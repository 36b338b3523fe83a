"""What a result can do that belongs to later rows: it is drawn, shown, exported and saved by them.

A row imports only from rows above it, and drawing, exporting and recording stand below `fitting`. The methods of `Result` for
them are named here, each with the function that does it, which is imported when the method is called. This table is the only
place where a row names later ones (docs/architecture.md); `tests/test_architecture.py` checks that each function is there.
"""

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

__all__ = ["LATER", "later"]

# The module and the function that carries out a method of a result, by the name of the method.
LATER: Mapping[str, tuple[str, str]] = {
    "plot": ("polyexp.report.plots", "plot"),
    "plot_loss": ("polyexp.report.plots", "plot_loss"),
    "plot_modes": ("polyexp.report.plots", "plot_modes"),
    "_repr_html_": ("polyexp.report.html", "as_html"),
    "export": ("polyexp.export.fitted", "export_result"),
    "save": ("polyexp.tracking.saved_result", "save_result"),
}


def later(method: str) -> Callable[..., Any]:
    """The function of a later row that does what a method of a result does; its first argument is the result.

    Args:
        method: The name of the method.
    """
    module, function = LATER[method]
    found: Callable[..., Any] = getattr(import_module(module), function)
    return found
