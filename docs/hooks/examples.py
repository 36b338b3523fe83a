"""An extension of griffe, which reads the docstrings for mkdocstrings: the section `Example:` is shown as code."""

import re
from typing import Any

from griffe import Extension, Object


class Examples(Extension):
    """Gives the section `Example:` the name that griffe has for examples."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called with each object that has been read."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
