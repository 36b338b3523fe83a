"""An extension of griffe, which reads the docstrings for mkdocstrings: examples and shapes are shown as code."""

import re
from typing import Any

from griffe import Extension, Object

from docs.hooks.shapes import with_shapes


class Examples(Extension):
    """Gives the section `Example:` the name that griffe has for examples, and makes code of shapes."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called with each object that has been read."""
        if obj.docstring:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = with_shapes(text)
