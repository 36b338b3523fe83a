"""The page of the Python interface, which mkdocstrings fills from the docstrings."""

from importlib import import_module

import polyexp

__all__ = ["INTERFACE", "interface_page"]

INTERFACE = "reference/python.md"  # below docs/
SECTIONS = {  # by the row that a name belongs to
    "fitting": "Fits and results",
    "tracking": "Records",
    "problem": "Problems and samples",
    "model": "Models",
    "loop": "Loops",
    "optimizer": "Optimizers",
    "backend": "Backends",
    "device": "Devices",
    "exact": "What can be computed without a run",
    "base": "Components and errors",
}
HEAD = """# The Python interface

Everything that `action=fit` does on the command line, without Hydra and without MLflow. [From Python](../python.md) shows how the
pieces fit together. `import polyexp` imports no other package; the first use of one of these names neither torch nor MLflow.
"""


def interface_page() -> str:
    """The page, with a directive for each public name, under the part of polyexp that it belongs to."""
    names = [name for name in polyexp.__all__ if name != "__version__"]
    rows = {name: _row(name) for name in names}
    rows = {name: row if row in SECTIONS else "fitting" for name, row in rows.items()}
    lines = [HEAD]
    for row, title in SECTIONS.items():
        lines += [f"## {title}", ""]
        for name in sorted((name for name in names if rows[name] == row), key=lambda one: (one[0].isupper(), one)):
            lines += [f"::: polyexp.{name}", ""]
    return "\n".join(lines)


def _row(name: str) -> str:
    """The part of polyexp whose `__all__` has the name."""
    return next((row for row in SECTIONS if name in import_module(f"polyexp.{row}").__all__), "")
