"""The pages of the Python interface, which mkdocstrings fills from the docstrings."""

import inspect
from importlib import import_module

import polyexp
from docs.hooks.shapes import with_shapes

__all__ = ["interface_pages", "names_by_row"]

SECTIONS = {  # by the row that a name belongs to
    "fitting": "Fits and results",
    "tracking": "Records",
    "problem": "Problems and samples",
    "model": "Models",
    "loop": "Loops",
    "optimizer": "Optimizers",
    "device": "Devices",
    "backend": "Backends",
    "exact": "Without a run",
    "base": "Components and errors",
}
HEAD = """# The Python interface

Everything that `action=fit` does on the command line, without Hydra and without MLflow. [From Python](../../python.md) shows
how the pieces fit together. `import polyexp` imports no other package, and the first use of a name neither torch nor MLflow.
"""


def interface_pages() -> dict[str, str]:
    """The pages by their names below `docs/`: a table of all public names, and a page for each part of polyexp."""
    rows = names_by_row()
    pages = {f"reference/python/{row}.md": _page(SECTIONS[row], names) for row, names in rows.items()}
    lines = [HEAD]
    for row, names in rows.items():
        lines += [f"## [{SECTIONS[row]}]({row}.md)", "", "| name | what it is |", "|---|---|"]
        lines += [*(f"| [`{name}`]({row}.md#polyexp.{name}) | {_summary(name)} |" for name in names), ""]
    return {"reference/python/index.md": "\n".join(lines), **pages}


def names_by_row() -> dict[str, list[str]]:
    """The public names, functions first, by the part of polyexp that they belong to."""
    rows: dict[str, list[str]] = {row: [] for row in SECTIONS}
    for name in sorted(polyexp.__all__, key=lambda one: (one[0].isupper(), one)):
        if name != "__version__":
            rows[_row(name)].append(name)
    return rows


def _row(name: str) -> str:
    """The part of polyexp whose `__all__` has the name; those that belong to no part listed here are shown with fits."""
    return next((row for row in SECTIONS if name in import_module(f"polyexp.{row}").__all__), "fitting")


def _page(title: str, names: list[str]) -> str:
    return "\n".join([f"# {title}", "", *(f"::: polyexp.{name}\n" for name in names)])


def _summary(name: str) -> str:
    """The first sentence of a docstring, in a table."""
    text = (inspect.getdoc(getattr(polyexp, name)) or "").split("\n\n")[0].replace("\n", " ")
    return with_shapes(text).replace("|", "\\|").replace("<", "&lt;")
