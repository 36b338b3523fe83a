"""A line of a journal as JSON, whose numbers are exact."""

import json
import math
from collections.abc import Mapping
from typing import Any

__all__ = ["json_line"]


def json_line(line: Mapping[str, Any]) -> bytes:
    """A line as bytes; what UTF-8 cannot hold, as in a path of other bytes, becomes question marks.

    Args:
        line: What it says, by names.
    """
    try:
        text = json.dumps(line, allow_nan=False, ensure_ascii=False)
    except ValueError:
        text = json.dumps(_with_texts(line), allow_nan=False, ensure_ascii=False)
    return f"{text}\n".encode("utf-8", "replace")


def _with_texts(value: Any) -> Any:
    """A value of JSON with texts in place of the numbers that are not finite."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {name: _with_texts(one) for name, one in value.items()}
    return [_with_texts(one) for one in value] if isinstance(value, (list, tuple)) else value
