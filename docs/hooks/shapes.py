"""Shapes of arrays in the docstrings, as the pages of the Python interface show them: as code, and all in the same words.

In Markdown a line that begins with `#` is a heading, and two asterisks in a paragraph make italics of what is between them.
"""

import re

__all__ = ["lost_shapes", "with_shapes"]

SHAPE = re.compile(r"\((?:\*runs|[A-Zn]|degree \+ \d+),[^()`]*\)")  # such as (*runs, K), (N,), (degree + 1, n)
COMMENT = re.compile(r"# shape: (.*?)\.?$", re.MULTILINE)
CODE = re.compile(r"(^[ ]*(?:>>>|\.\.\.) .*$|`[^`]*`)", re.MULTILINE)  # which stays what it is
LOST = re.compile(r"<em>[^<]*</em>|<h\d[^>]*>\s*shape:[^<]*", re.IGNORECASE)


def with_shapes(docstring: str) -> str:
    """The docstring with its shapes as code; the comment `# shape: ...` becomes a sentence.

    Args:
        docstring: What is written in the code.
    """
    parts = CODE.split(docstring)
    return "".join(part if number % 2 else _shown(part) for number, part in enumerate(parts))


def _shown(text: str) -> str:
    return SHAPE.sub(r"`\g<0>`", COMMENT.sub(r"Shape \1.", text))


def lost_shapes(html: str) -> list[str]:
    """The headings and the italics of a page of the interface that were shapes.

    Args:
        html: The content of the page.
    """
    return LOST.findall(html)
