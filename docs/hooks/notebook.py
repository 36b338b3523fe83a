"""The notebook as a page: it is executed, and its cells with what they print and draw become Markdown."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["NOTEBOOK", "NOTEBOOK_PAGE", "executed", "notebook_files"]

NOTEBOOK = "notebooks/gradient_descent.ipynb"  # below docs/
NOTEBOOK_PAGE = "notebooks/gradient_descent.md"
DOWNLOAD = "[Download this notebook](gradient_descent.ipynb){ .md-button }"
SECONDS = 300  # that a cell may take


def executed(path: Path) -> Any:
    """The notebook with what its cells print and draw.

    Args:
        path: The notebook, whose folder is the current one of its cells.
    """
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": str(path.parent)}}).execute()
    return notebook


def notebook_files(path: Path) -> dict[str, str | bytes]:
    """The page of the executed notebook and its pictures, by their names below `docs/`.

    Args:
        path: The notebook.
    """
    pictures: dict[str, str | bytes] = {}
    parts = [part for cell in executed(path).cells for part in _parts(cell, pictures)]
    return {NOTEBOOK_PAGE: "\n\n".join([parts[0], DOWNLOAD, *parts[1:], ""]), **pictures}


def _parts(cell: Any, pictures: dict[str, str | bytes]) -> Iterator[str]:
    """A cell as Markdown; its pictures are added to the others."""
    if cell.cell_type == "markdown":
        title, newline, rest = cell.source.partition("\n")
        yield from (title, rest.strip()) if title.startswith("# ") and newline else (cell.source,)
        return
    yield f"```python\n{cell.source}\n```"
    if printed := "".join(output.text for output in cell.outputs if output.output_type == "stream"):
        yield f"```text\n{printed.rstrip()}\n```"
    for output in cell.outputs:
        if png := output.get("data", {}).get("image/png"):
            name = f"gradient_descent_{len(pictures) + 1}.png"
            pictures[f"notebooks/{name}"] = base64.b64decode(png)
            yield f"![What the cell above draws]({name})"
